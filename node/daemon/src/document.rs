//! Digest of a document, read as a stream in constant memory.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha2::digest::DynDigest;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};

use crate::exit::CommandError;

/// Bytes read at a time: full hashing speed, and no document is ever in memory.
const READ_BYTES: usize = 128 * 1024;

/// Digests a file.
pub(crate) fn digest_file(path: &Path, algorithm: DigestAlgorithm) -> Result<DocumentDigest, CommandError> {
    let mut hasher: Box<dyn DynDigest> = match algorithm {
        DigestAlgorithm::Sha2_256 => Box::<sha2::Sha256>::default(),
        DigestAlgorithm::Sha2_384 => Box::<sha2::Sha384>::default(),
        DigestAlgorithm::Sha2_512 => Box::<sha2::Sha512>::default(),
        DigestAlgorithm::Sha3_256 => Box::<sha3::Sha3_256>::default(),
        DigestAlgorithm::Sha3_384 => Box::<sha3::Sha3_384>::default(),
        DigestAlgorithm::Sha3_512 => Box::<sha3::Sha3_512>::default(),
    };
    let mut file = File::open(path).map_err(|e| CommandError::file("open", path, e))?;
    let mut buffer = vec![0; READ_BYTES];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => hasher.update(&buffer[..count]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(CommandError::file("read", path, error)),
        }
    }
    Ok(DocumentDigest::new(algorithm, hasher.finalize().to_vec()).expect("each hasher gives its algorithm's length"))
}
