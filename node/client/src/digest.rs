//! Digests of documents, read as a stream in constant memory.

use std::io::Read;
use std::path::Path;

use sha2::{Digest as _, Sha256, Sha384, Sha512};
use sha3::{Sha3_256, Sha3_384, Sha3_512};
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};

use crate::limits::READ_BYTES;

/// A digest in the making: fed in pieces, at most 400 bytes of state.
#[derive(Clone)]
pub struct Digester {
    algorithm: DigestAlgorithm,
    bytes: u64,
    state: State,
}

#[derive(Clone)]
enum State {
    Sha2_256(Sha256),
    Sha2_384(Sha384),
    Sha2_512(Sha512),
    Sha3_256(Sha3_256),
    Sha3_384(Sha3_384),
    Sha3_512(Sha3_512),
}

impl Digester {
    /// Starts a digest.
    pub fn new(algorithm: DigestAlgorithm) -> Self {
        let state = match algorithm {
            DigestAlgorithm::Sha2_256 => State::Sha2_256(Sha256::new()),
            DigestAlgorithm::Sha2_384 => State::Sha2_384(Sha384::new()),
            DigestAlgorithm::Sha2_512 => State::Sha2_512(Sha512::new()),
            DigestAlgorithm::Sha3_256 => State::Sha3_256(Sha3_256::new()),
            DigestAlgorithm::Sha3_384 => State::Sha3_384(Sha3_384::new()),
            DigestAlgorithm::Sha3_512 => State::Sha3_512(Sha3_512::new()),
        };
        Self { algorithm, bytes: 0, state }
    }

    /// Takes the next piece of the document.
    pub fn update(&mut self, piece: &[u8]) {
        self.bytes += piece.len() as u64;
        match &mut self.state {
            State::Sha2_256(state) => state.update(piece),
            State::Sha2_384(state) => state.update(piece),
            State::Sha2_512(state) => state.update(piece),
            State::Sha3_256(state) => state.update(piece),
            State::Sha3_384(state) => state.update(piece),
            State::Sha3_512(state) => state.update(piece),
        }
    }

    /// Bytes taken so far.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The digest of everything taken.
    pub fn finalize(self) -> DocumentDigest {
        let digest = match self.state {
            State::Sha2_256(state) => state.finalize().to_vec(),
            State::Sha2_384(state) => state.finalize().to_vec(),
            State::Sha2_512(state) => state.finalize().to_vec(),
            State::Sha3_256(state) => state.finalize().to_vec(),
            State::Sha3_384(state) => state.finalize().to_vec(),
            State::Sha3_512(state) => state.finalize().to_vec(),
        };
        DocumentDigest::new(self.algorithm, digest).expect("each hash function yields its algorithm's length")
    }
}

/// Digests all that a reader gives.
pub fn digest_reader(algorithm: DigestAlgorithm, mut reader: impl Read) -> std::io::Result<DocumentDigest> {
    let mut digester = Digester::new(algorithm);
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match reader.read(&mut buffer) {
            Ok(0) => return Ok(digester.finalize()),
            Ok(count) => digester.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

/// Digests a file.
pub fn digest_file(algorithm: DigestAlgorithm, path: &Path) -> std::io::Result<DocumentDigest> {
    digest_reader(algorithm, std::fs::File::open(path)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The published digests of "abc" (FIPS 180-4 and FIPS 202 example values).
    const ABC: [(DigestAlgorithm, &str); 6] = [
        (DigestAlgorithm::Sha2_256, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            DigestAlgorithm::Sha2_384,
            "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7",
        ),
        (
            DigestAlgorithm::Sha2_512,
            "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a\
             2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f",
        ),
        (DigestAlgorithm::Sha3_256, "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532"),
        (
            DigestAlgorithm::Sha3_384,
            "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c2596da7cf0e49be4b298d88cea927ac7f539f1edf228376d25",
        ),
        (
            DigestAlgorithm::Sha3_512,
            "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e\
             10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0",
        ),
    ];

    /// A reader that gives one byte at a time and is interrupted before each: nothing may be lost or doubled.
    struct Drip<'a>(&'a [u8], bool);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            self.1 = !self.1;
            if self.1 {
                return Err(std::io::ErrorKind::Interrupted.into());
            }
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            buffer[0] = *first;
            self.0 = rest;
            Ok(1)
        }
    }

    #[test]
    fn every_algorithm_gives_its_published_digest_however_the_bytes_arrive() {
        for (algorithm, expected) in ABC {
            let whole = digest_reader(algorithm, &b"abc"[..]).unwrap();
            let hex: String = whole.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
            assert_eq!(hex, expected, "{}", algorithm.name());
            assert_eq!(digest_reader(algorithm, Drip(b"abc", false)).unwrap(), whole);
            let mut digester = Digester::new(algorithm);
            digester.update(b"a");
            digester.update(b"");
            digester.update(b"bc");
            assert_eq!(digester.bytes(), 3);
            assert_eq!(digester.finalize(), whole);
        }
    }

    #[test]
    fn a_file_and_its_bytes_have_one_digest() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("document");
        let bytes: Vec<u8> = (0..3 * READ_BYTES + 17).map(|i| i as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        for algorithm in DigestAlgorithm::ALL {
            assert_eq!(digest_file(algorithm, &path).unwrap(), digest_reader(algorithm, &bytes[..]).unwrap());
        }
        assert!(digest_file(DigestAlgorithm::Sha2_256, &directory.path().join("absent")).is_err());
    }
}
