//! TLS: with a certificate made for the test; plain clients and broken files get clear errors.

use std::io::Write as _;
use std::sync::Arc;

use testamur_api::server::{ServerLimits, Tls};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto, pki_types::ServerName, version};

use crate::client::connect;
use crate::node::TestNode;

fn certificate() -> (String, String, rcgen::Certificate) {
    let key = rcgen::generate_simple_self_signed(vec!["node.example".into()]).unwrap();
    (key.cert.pem(), key.key_pair.serialize_pem(), key.cert)
}

#[test]
fn a_client_is_served_over_tls_13() {
    let (chain, key, certificate) = certificate();
    let tls = Tls::from_pem(chain.as_bytes(), key.as_bytes()).unwrap();
    let node = TestNode::start_with(TestNode::impatient(), Some(tls));
    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
        .with_protocol_versions(&[&version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let text = runtime.block_on(async {
        let stream = tokio::net::TcpStream::connect(node.address).await.unwrap();
        let name = ServerName::try_from("node.example").unwrap();
        let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        stream.write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).await.unwrap();
        text
    });
    assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "{text}");
    assert!(text.contains("strict-transport-security: max-age=31536000"), "{text}");

    let mut plain = connect(node.address);
    plain.write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut bytes = Vec::new();
    let _ = std::io::Read::read_to_end(&mut plain, &mut bytes);
    assert!(!bytes.starts_with(b"HTTP"), "no plain answer on a TLS port");
    let mut silent = connect(node.address);
    silent.set_read_timeout(Some(std::time::Duration::from_millis(10))).unwrap();
    assert!(std::io::Read::read(&mut silent, &mut [0]).is_err(), "waiting for a handshake");
    assert_eq!(ServerLimits::default().tls_handshake_timeout.as_secs(), 10);
}

#[test]
fn broken_files_are_named() {
    let (chain, key, _) = certificate();
    let refused = |chain: &str, key: &str| Tls::from_pem(chain.as_bytes(), key.as_bytes()).unwrap_err().to_string();
    assert!(refused("", &key).contains("no certificate found"));
    assert!(refused(&chain, "").contains("no private key found"));
    assert!(refused(&chain, &certificate().1).contains("refused"), "another certificate's key");
    let directory = std::env::temp_dir().join(format!("testamur-api-tls-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (chain_path, key_path) = (directory.join("chain.pem"), directory.join("key.pem"));
    let message = Tls::from_pem_files(&chain_path, &key_path).unwrap_err().to_string();
    assert!(message.contains("cannot read") && message.contains("chain.pem"), "{message}");
    std::fs::write(&chain_path, &chain).unwrap();
    std::fs::write(&key_path, &key).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = |mode| std::fs::set_permissions(&key_path, std::fs::Permissions::from_mode(mode)).unwrap();
        mode(0o644);
        let message = Tls::from_pem_files(&chain_path, &key_path).unwrap_err().to_string();
        assert!(message.contains("readable by everybody") && message.contains("chmod o-rwx"), "{message}");
        mode(0o600);
    }
    Tls::from_pem_files(&chain_path, &key_path).unwrap();
    std::fs::remove_dir_all(&directory).unwrap();
}
