//! What reads the files that an operator writes or moves about, for fuzzing: configuration and keys.
//!
//! **Promises.** Each answers any file without panicking.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::config::NodeConfig;
use crate::keystore::{self, Access, Key, KeyKind, Protection};
use crate::setup::layout::{Ports, node_config};
use crate::setup::read_registration;

/// Bytes as a file of memory that is its owner's alone: this is about readers, not about disks.
fn with_file(bytes: &[u8], read: impl FnOnce(&Path)) {
    let name = format!("testamur-file-{}-{:?}", std::process::id(), std::thread::current().id());
    let path = PathBuf::from("/dev/shm").join(name);
    let mut file = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path);
    let written = file.as_mut().map(|file| file.write_all(bytes));
    assert!(matches!(written, Ok(Ok(()))), "memory is there");
    read(&path);
    fs::remove_file(&path).expect("it was written");
}

/// Reads bytes as a node's configuration.
pub fn config(bytes: &[u8]) {
    with_file(bytes, |path| {
        if let Ok(config) = NodeConfig::read(path) {
            assert_eq!(config.keys.is_some(), config.consensus.is_some(), "they go together");
        }
    });
}

/// Reads bytes as a key file, and its secret when that is not encrypted.
pub fn key(bytes: &[u8]) {
    with_file(bytes, |path| {
        let access = Access { passphrase: None, insecure_dev: true };
        if let Ok(key) = Key::read(path, KeyKind::Consensus, &access) {
            let public = keystore::public_part(path).expect("the same file");
            assert_eq!(public.did, key.did().to_string(), "a file's public key is its secret's");
        }
        let _ = keystore::public_part(path);
    });
}

/// Reads bytes as a validator's registration.
pub fn registration(bytes: &[u8]) {
    with_file(bytes, |path| _ = read_registration(path));
}

/// A validator's configuration and an observer's.
pub fn configs() -> Vec<Vec<u8>> {
    let ports = Ports { host: "127.0.0.1".parse().expect("an address"), base: 8080 };
    let names: Vec<_> = (0..4).map(|i| format!("validator-{i}.dev.example")).collect();
    [true, false].map(|insecure| node_config(&ports, &names, 2, insecure).into_bytes()).to_vec()
}

/// A key that is not encrypted, and one that is.
pub fn keys() -> Vec<Vec<u8>> {
    let key = Key::from_seed(KeyKind::Consensus, Zeroizing::new([7; 32])).expect("any seed is a key");
    let directory = PathBuf::from("/dev/shm").join(format!("testamur-key-{}", std::process::id()));
    key.write(&directory, &Protection::InsecureDev).expect("memory is there");
    let plain = fs::read(&directory).expect("it was written");
    fs::remove_file(&directory).expect("it was written");
    vec![plain, SEALED.as_bytes().to_vec()]
}

/// Nobody's key, under a passphrase that nobody knows.
const SEALED: &str = r#"{"v": 1, "type": "testamur-key", "kind": "consensus", "alg": "ed25519", "public_key": "942qJNpXuWsaigTt-EqLasMp10gWp0_Kcs3FNcArW6E", "secret": {"kdf": "argon2id", "memory_kib": 65536, "passes": 3, "lanes": 4, "salt": "ZPFZ9JBCpJvrj7_ajYk6lQ", "cipher": "xchacha20-poly1305", "nonce": "B6gOdiu2yP1uNyYn_jM56a143wfWHdNq", "text": "Er6GROVRif40LSbFQZkjcNbET0CE_1Cgf41sprZizY2hDoWDa86ZYFaVUkN2u0Qt"}}"#;
