//! Private keys on disk: one JSON file a key, readable by its owner alone, encrypted unless it is a development key.
//!
//! ```text
//! { "v":1, "type":"testamur-key", "kind":"consensus|log|peer|operator|author|capability|assertion|staff",
//!   "alg":"ed25519|secp256k1|p256", "public_key":"<base64url>", "secret": <sealed or plain> }
//! sealed: { "kdf":"argon2id", "memory_kib":…, "passes":…, "lanes":…, "salt":"…", "cipher":"xchacha20-poly1305",
//!           "nonce":"…", "text":"…" }        the cipher's associated data bind everything else in the file
//! plain:  { "insecure_dev": "<base64url of the seed>" }
//! alg:    secp256k1 for capability, p256 for assertion (what EBSI's legal entities have), else ed25519
//! ```
//! - INV-KEY-1: a file that its group or others may read is refused, before its content is looked at.
//! - INV-KEY-2: the public key in the file is the secret's, and the kind is the one that was asked for.
//! - Secrets are wiped from memory when dropped, and never printed.

mod passphrase;
mod sealed;

use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use testamur_primitives::codec;
use testamur_primitives::did::Did;
use testamur_primitives::key::{KeyError, PublicKey, SigningKey};
use testamur_primitives::record::Bytes;
use zeroize::Zeroizing;

use crate::exit::CommandError;
use crate::files;
pub(crate) use passphrase::{Passphrase, PassphraseOptions};
use sealed::{Sealed, SealedError};

/// Bytes of a key file: measured about 600.
const KEY_FILE_BYTES_MAX: usize = 16 * 1024;

/// What a key is for. Each is a key of its own: one that signed two kinds of things would vouch for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum KeyKind {
    /// A validator's votes
    Consensus,
    /// A node's signatures on checkpoints
    Log,
    /// A node's identity among its peers
    Peer,
    /// An operator's approvals
    Operator,
    /// An author's records
    Author,
    /// A legal entity's registry records: what changes its DID, its accreditations, its schemas
    Capability,
    /// A legal entity's credentials and everyday records
    Assertion,
    /// A person at a desk: consents to corrections and withdrawals of diplomas
    Staff,
    /// What a legal entity keeps of the diplomas that it issued
    Archive,
}

impl KeyKind {
    /// Its name in files and messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Consensus => "consensus",
            Self::Log => "log",
            Self::Peer => "peer",
            Self::Operator => "operator",
            Self::Author => "author",
            Self::Capability => "capability",
            Self::Assertion => "assertion",
            Self::Staff => "staff",
            Self::Archive => "archive",
        }
    }

    /// The curve of its keys, as key files name it.
    fn alg(self) -> &'static str {
        match self {
            Self::Consensus | Self::Log | Self::Peer | Self::Operator | Self::Author | Self::Archive | Self::Staff => {
                "ed25519"
            }
            Self::Capability => "secp256k1",
            Self::Assertion => "p256",
        }
    }

    /// A signing key of its curve; none when the secret is no scalar of it, which chance does once in 2^32 or less.
    fn signing(self, seed: &[u8; 32]) -> Option<SigningKey> {
        match self {
            Self::Consensus | Self::Log | Self::Peer | Self::Operator | Self::Author | Self::Archive | Self::Staff => {
                Some(SigningKey::ed25519(seed))
            }
            Self::Capability => SigningKey::secp256k1(seed).ok(),
            Self::Assertion => SigningKey::p256(seed).ok(),
        }
    }

    /// A public key of its curve.
    fn public(self, bytes: &[u8]) -> Result<PublicKey, KeyError> {
        match self {
            Self::Consensus | Self::Log | Self::Peer | Self::Operator | Self::Author | Self::Archive | Self::Staff => {
                PublicKey::ed25519(bytes.try_into().map_err(|_| KeyError::BadPublicKey)?)
            }
            Self::Capability => PublicKey::secp256k1(bytes),
            Self::Assertion => PublicKey::p256(bytes),
        }
    }
}

/// Why a key file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeystoreError {
    /// The file cannot be read.
    #[error("cannot read the key {}: {source}", path.display())]
    Unreadable {
        /// Which file.
        path: PathBuf,
        /// The operating system's words.
        source: std::io::Error,
    },
    /// Others may read it (INV-KEY-1).
    #[error("the key {} may be read by others (mode {mode:03o})", path.display())]
    OpenToOthers {
        /// Which file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// Not a key file, or damaged.
    #[error("{} is not a key file: {reason}", path.display())]
    Malformed {
        /// Which file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A key of another kind (INV-KEY-2).
    #[error("{} is a key of kind {found}, expected {expected}", path.display())]
    WrongKind {
        /// Which file.
        path: PathBuf,
        /// What it is.
        found: &'static str,
        /// What was asked for.
        expected: &'static str,
    },
    /// An unencrypted key outside a development network.
    #[error("the key {} is not encrypted", path.display())]
    NotEncrypted {
        /// Which file.
        path: PathBuf,
    },
    /// No passphrase was given.
    #[error("the key {} is encrypted and no passphrase was given", path.display())]
    PassphraseMissing {
        /// Which file.
        path: PathBuf,
    },
    /// The passphrase does not open it.
    #[error("the passphrase does not open {} (or the file was changed)", path.display())]
    WrongPassphrase {
        /// Which file.
        path: PathBuf,
    },
}

impl From<KeystoreError> for CommandError {
    fn from(error: KeystoreError) -> Self {
        let hint = match &error {
            KeystoreError::Unreadable { .. } => "check the path, and run it as the key's owner".to_owned(),
            KeystoreError::OpenToOthers { path, .. } => {
                format!("chmod 600 {}  (and make a new key if somebody may have read it)", path.display())
            }
            KeystoreError::Malformed { .. } => "restore the key from its backup".to_owned(),
            KeystoreError::WrongKind { .. } => "name the right key file; each purpose has a key of its own".to_owned(),
            KeystoreError::NotEncrypted { .. } => {
                "encrypt your keys (`testamur init` does), or say --insecure-dev for a network without value".to_owned()
            }
            KeystoreError::PassphraseMissing { .. } => passphrase::HOW.to_owned(),
            KeystoreError::WrongPassphrase { .. } => {
                "check the passphrase file: its first line counts, without the newline".to_owned()
            }
        };
        Self::failed("key.refused", error, hint)
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    v: u8,
    r#type: String,
    kind: KeyKind,
    alg: String,
    public_key: Bytes,
    secret: Secret,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Secret {
    Sealed(Sealed),
    Plain(Plain),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain {
    insecure_dev: Bytes,
}

/// How keys are written: under a passphrase, or readable for development.
#[derive(Debug, Clone)]
pub(crate) enum Protection {
    /// Encrypted.
    Passphrase(Passphrase),
    /// Not encrypted: for networks without value.
    InsecureDev,
}

/// A key read from disk.
pub(crate) struct Key {
    kind: KeyKind,
    seed: Zeroizing<[u8; 32]>,
    signing: SigningKey,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Key({}, {})", self.kind.name(), self.did())
    }
}

impl Key {
    /// Makes a key of the kind's curve from the operating system's randomness.
    pub(crate) fn generate(kind: KeyKind) -> Result<Self, CommandError> {
        loop {
            let mut seed = Zeroizing::new([0; 32]);
            getrandom::fill(seed.as_mut()).map_err(no_randomness)?;
            if let Some(key) = Self::from_seed(kind, seed) {
                return Ok(key);
            }
        }
    }

    /// The key of a seed; none where the curve has none of it.
    pub(crate) fn from_seed(kind: KeyKind, seed: Zeroizing<[u8; 32]>) -> Option<Self> {
        Some(Self { kind, signing: kind.signing(&seed)?, seed })
    }

    /// The seed; the caller keeps it as carefully.
    pub(crate) fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// For signing.
    pub(crate) fn signing(&self) -> &SigningKey {
        &self.signing
    }

    /// For signing, handing over the key.
    pub(crate) fn into_signing(self) -> SigningKey {
        self.signing
    }

    /// The public half.
    pub(crate) fn public(&self) -> PublicKey {
        self.signing.public_key()
    }

    /// Its did:key.
    pub(crate) fn did(&self) -> Did {
        Did::key(&self.public())
    }

    /// Writes the key to a file that must not be there yet, readable by its owner alone.
    pub(crate) fn write(&self, path: &Path, protection: &Protection) -> Result<(), CommandError> {
        let mut file = KeyFile {
            v: 1,
            r#type: "testamur-key".into(),
            kind: self.kind,
            alg: self.kind.alg().into(),
            public_key: Bytes(self.public().as_bytes().to_vec()),
            secret: Secret::Plain(Plain { insecure_dev: Bytes(Vec::new()) }),
        };
        file.secret = match protection {
            Protection::InsecureDev => Secret::Plain(Plain { insecure_dev: Bytes(self.seed.to_vec()) }),
            Protection::Passphrase(passphrase) => {
                let sealed = Sealed::seal(self.seed(), passphrase, &binding(&file)).map_err(no_randomness)?;
                Secret::Sealed(sealed)
            }
        };
        let text = Zeroizing::new(serde_json::to_vec_pretty(&file).expect("a key file is JSON"));
        files::create(path, &text, 0o600)
    }

    /// Reads a key of the expected kind.
    pub(crate) fn read(path: &Path, kind: KeyKind, access: &Access) -> Result<Self, KeystoreError> {
        let file = KeyFile::read(path)?;
        if file.kind != kind {
            let (found, expected) = (file.kind.name(), kind.name());
            return Err(KeystoreError::WrongKind { path: path.into(), found, expected });
        }
        let malformed = |reason: &str| KeystoreError::Malformed { path: path.into(), reason: reason.into() };
        let seed = match &file.secret {
            Secret::Plain(_) if !access.insecure_dev => return Err(KeystoreError::NotEncrypted { path: path.into() }),
            Secret::Plain(plain) => {
                let seed: [u8; 32] =
                    plain.insecure_dev.0.as_slice().try_into().map_err(|_| malformed("a seed has 32 bytes"))?;
                Zeroizing::new(seed)
            }
            Secret::Sealed(sealed) => {
                let passphrase =
                    access.passphrase.as_ref().ok_or_else(|| KeystoreError::PassphraseMissing { path: path.into() })?;
                sealed.open(passphrase, &binding(&file)).map_err(|error| match error {
                    SealedError::WrongPassphrase => KeystoreError::WrongPassphrase { path: path.into() },
                    SealedError::Malformed(reason) => malformed(reason),
                })?
            }
        };
        let key = Self::from_seed(file.kind, seed).ok_or_else(|| malformed("its secret is none of its curve"))?;
        // INV-KEY-2: a damaged or exchanged public key must not send out signatures that nobody can check.
        if key.public().as_bytes() != file.public_key.0 {
            return Err(malformed("its public key is not the secret's"));
        }
        Ok(key)
    }
}

/// What opens keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Access {
    /// The passphrase, if one was given.
    pub(crate) passphrase: Option<Passphrase>,
    /// Whether unencrypted keys are accepted.
    pub(crate) insecure_dev: bool,
}

/// The public part of a key file.
#[derive(Debug, Serialize)]
pub(crate) struct PublicPart {
    /// What it is for.
    pub(crate) kind: KeyKind,
    /// Its did:key.
    pub(crate) did: String,
    /// The public key, base64url.
    pub(crate) public_key: String,
    /// Whether the secret is encrypted.
    pub(crate) encrypted: bool,
}

/// Reads what a key file says without its secret.
pub(crate) fn public_part(path: &Path) -> Result<PublicPart, KeystoreError> {
    let file = KeyFile::read(path)?;
    let malformed = |_| KeystoreError::Malformed { path: path.into(), reason: "its public key is malformed".into() };
    let key = file.kind.public(&file.public_key.0).map_err(malformed)?;
    Ok(PublicPart {
        kind: file.kind,
        did: Did::key(&key).to_string(),
        public_key: codec::base64url(key.as_bytes()),
        encrypted: matches!(file.secret, Secret::Sealed(_)),
    })
}

impl KeyFile {
    fn read(path: &Path) -> Result<Self, KeystoreError> {
        let unreadable = |source| KeystoreError::Unreadable { path: path.into(), source };
        let file = File::open(path).map_err(unreadable)?;
        // INV-KEY-1, on the file that was opened, not on whatever the name means a moment later.
        let mode = file.metadata().map_err(unreadable)?.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            return Err(KeystoreError::OpenToOthers { path: path.into(), mode });
        }
        let mut text = Zeroizing::new(Vec::with_capacity(KEY_FILE_BYTES_MAX + 1));
        file.take(KEY_FILE_BYTES_MAX as u64 + 1).read_to_end(&mut text).map_err(unreadable)?;
        let malformed = |reason: String| KeystoreError::Malformed { path: path.into(), reason };
        if text.len() > KEY_FILE_BYTES_MAX {
            return Err(malformed("too large".into()));
        }
        // serde_json's words may repeat parts of the input: of a key file that is too much.
        let file: Self = serde_json::from_slice(&text)
            .map_err(|e| malformed(format!("not the expected JSON (line {}, column {})", e.line(), e.column())))?;
        if file.v != 1 || file.r#type != "testamur-key" || file.alg != file.kind.alg() {
            return Err(malformed("of a type or version that this binary does not know".into()));
        }
        Ok(file)
    }
}

/// What the cipher binds besides the secret: the secret of one file does not open in another.
fn binding(file: &KeyFile) -> Vec<u8> {
    format!("testamur/key/v1\n{}\n{}\n{}\n", file.kind.name(), file.alg, codec::base64url(&file.public_key.0)).into()
}

fn no_randomness(error: getrandom::Error) -> CommandError {
    CommandError::failed("key.randomness", format!("the operating system gives no randomness: {error}"), "")
}

/// Refuses a directory of keys that others may write to: they could exchange the keys.
pub(crate) fn check_directory(path: &Path) -> Result<(), CommandError> {
    let mode = fs::metadata(path).map_err(|e| CommandError::file("read", path, e))?.permissions().mode() & 0o777;
    if mode & 0o022 != 0 {
        return Err(CommandError::content(
            path,
            format!("others may write to this directory of keys (mode {mode:03o})"),
            format!("chmod 700 {}", path.display()),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory() -> tempfile::TempDir {
        tempfile::tempdir().expect("a temporary directory")
    }

    fn access(passphrase: &str) -> Access {
        Access { passphrase: Some(Passphrase::new(passphrase)), insecure_dev: false }
    }

    #[test]
    fn an_encrypted_key_opens_with_its_passphrase_only_and_says_why_not() {
        let directory = directory();
        let path = directory.path().join("consensus.key");
        let key = Key::generate(KeyKind::Consensus).unwrap();
        key.write(&path, &Protection::Passphrase(Passphrase::new("correct horse battery"))).unwrap();
        let read = |kind, access: &Access| Key::read(&path, kind, access).map_err(|e| e.to_string());

        assert_eq!(read(KeyKind::Consensus, &access("correct horse battery")).unwrap().seed(), key.seed());
        let error = read(KeyKind::Consensus, &access("correct horse batterx")).unwrap_err();
        assert!(error.starts_with("the passphrase does not open"), "{error}");
        let error = read(KeyKind::Consensus, &Access::default()).unwrap_err();
        assert!(error.ends_with("is encrypted and no passphrase was given"), "{error}");
        let error = read(KeyKind::Log, &access("correct horse battery")).unwrap_err();
        assert!(error.ends_with("is a key of kind consensus, expected log"), "{error}");

        // The cipher binds the rest of the file: the same secret under another kind does not open.
        let text = fs::read_to_string(&path).unwrap().replace("\"consensus\"", "\"log\"");
        fs::write(&path, text).unwrap();
        let error = read(KeyKind::Log, &access("correct horse battery")).unwrap_err();
        assert!(error.starts_with("the passphrase does not open"), "{error}");
        let secret = codec::base64url(key.seed());
        assert!(!fs::read_to_string(&path).unwrap().contains(&secret));
    }

    #[test]
    fn a_key_that_others_may_read_is_refused_with_the_command_to_run() {
        let directory = directory();
        let path = directory.path().join("author.key");
        Key::generate(KeyKind::Author).unwrap().write(&path, &Protection::InsecureDev).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        let dev = Access { passphrase: None, insecure_dev: true };
        Key::read(&path, KeyKind::Author, &dev).unwrap();
        assert!(matches!(
            Key::read(&path, KeyKind::Author, &Access::default()),
            Err(KeystoreError::NotEncrypted { .. })
        ));
        for mode in [0o640, 0o604, 0o644] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = CommandError::from(Key::read(&path, KeyKind::Author, &dev).unwrap_err());
            assert!(error.to_string().contains("may be read by others"), "{error}");
            assert!(error.hint().unwrap().starts_with("chmod 600 "), "{:?}", error.hint());
        }
    }

    #[test]
    fn nothing_is_overwritten_and_damage_is_told() {
        let directory = directory();
        let path = directory.path().join("log.key");
        let key = Key::generate(KeyKind::Log).unwrap();
        key.write(&path, &Protection::InsecureDev).unwrap();
        let error = key.write(&path, &Protection::InsecureDev).unwrap_err();
        assert!(error.to_string().contains("exists already"), "{error}");
        let other = Key::generate(KeyKind::Log).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        let public = codec::base64url(key.public().as_bytes());
        let exchanged = text.replace(&public, &codec::base64url(other.public().as_bytes()));
        let dev = Access { passphrase: None, insecure_dev: true };
        for (text, message) in [
            (exchanged.as_str(), "its public key is not the secret's"),
            ("{}", "not the expected JSON"),
            ("", "not the expected JSON"),
            (&text.replace("ed25519", "ed448"), "does not know"),
        ] {
            fs::write(&path, text).unwrap();
            let error = Key::read(&path, KeyKind::Log, &dev).unwrap_err().to_string();
            assert!(error.contains(message), "{message:?} is missing in {error}");
        }
    }
}
