//! TLS 1.3 by rustls with ring, from a certificate chain and a key in PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::pem::{self, PemObject as _};
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{self, ServerConfig, crypto};

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The key file is open to everybody.
    #[error("{path} holds a private key and is readable by everybody: chmod o-rwx {path}")]
    KeyReadable {
        /// The file.
        path: PathBuf,
    },
    /// No certificate in the PEM.
    #[error("no certificate found: expected PEM with \"BEGIN CERTIFICATE\", the server's own first")]
    NoCertificate,
    /// No key in the PEM.
    #[error("no private key found: expected unencrypted PEM with \"BEGIN PRIVATE KEY\"")]
    NoKey,
    /// Malformed PEM.
    #[error("malformed PEM: {0}")]
    Pem(pem::Error),
    /// rustls refuses them.
    #[error("certificate and key are refused: {0}")]
    Rustls(#[from] rustls::Error),
}

/// A certificate chain and its key, ready to serve.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

impl core::fmt::Debug for Tls {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Tls(…)")
    }
}

impl Tls {
    /// Reads PEM files; a key file that everybody can read is refused.
    pub fn from_pem_files(certificate: &Path, key: &Path) -> Result<Self, TlsError> {
        let read = |path: &Path| std::fs::read(path).map_err(|source| TlsError::Read { path: path.into(), source });
        let (certificate, key_pem) = (read(certificate)?, read(key)?);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            let metadata = std::fs::metadata(key).map_err(|source| TlsError::Read { path: key.into(), source })?;
            if metadata.permissions().mode() & 0o007 != 0 {
                return Err(TlsError::KeyReadable { path: key.into() });
            }
        }
        Self::from_pem(&certificate, &key_pem)
    }

    /// Takes PEM text: the chain with the server's own certificate first, and its unencrypted key.
    pub fn from_pem(certificate: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        let chain =
            CertificateDer::pem_slice_iter(certificate).collect::<Result<Vec<_>, _>>().map_err(TlsError::Pem)?;
        if chain.is_empty() {
            return Err(TlsError::NoCertificate);
        }
        let key = match PrivateKeyDer::from_pem_slice(key) {
            Ok(key) => key,
            Err(pem::Error::NoItemsFound) => return Err(TlsError::NoKey),
            Err(error) => return Err(TlsError::Pem(error)),
        };
        let mut config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    pub(super) fn acceptor(&self) -> &TlsAcceptor {
        &self.0
    }
}
