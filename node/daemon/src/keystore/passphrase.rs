//! The passphrase of encrypted keys: from a file or a descriptor, so that a service restarts without a person.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use zeroize::Zeroizing;

use crate::exit::CommandError;

/// What to do when none was given.
pub(super) const HOW: &str = "give it with --passphrase-file FILE, --passphrase-fd N (systemd: LoadCredential, \
                              OpenFile), or TESTAMUR_PASSPHRASE_FILE=FILE";
/// Longest passphrase.
const PASSPHRASE_BYTES_MAX: usize = 1024;
/// Shortest passphrase for new keys: Argon2id makes guessing slow, not impossible.
const PASSPHRASE_CHARS_MIN: usize = 12;

/// A passphrase; wiped from memory when the last copy is dropped, never printed.
#[derive(Clone)]
pub(crate) struct Passphrase(Arc<Zeroizing<String>>);

impl std::fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passphrase(…)")
    }
}

impl Passphrase {
    /// Takes a passphrase as it is.
    #[cfg(test)]
    pub(crate) fn new(text: &str) -> Self {
        Self(Arc::new(Zeroizing::new(text.to_owned())))
    }

    /// The bytes.
    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// Reads the first line of a file that its owner alone may read.
    pub(crate) fn from_file(path: &Path) -> Result<Self, CommandError> {
        let file = File::open(path).map_err(|e| CommandError::file("open the passphrase file", path, e))?;
        let metadata = file.metadata().map_err(|e| CommandError::file("read", path, e))?;
        let mode = metadata.permissions().mode() & 0o777;
        if metadata.is_file() && mode & 0o077 != 0 {
            return Err(CommandError::content(
                path,
                format!("the passphrase may be read by others (mode {mode:03o})"),
                format!("chmod 600 {}", path.display()),
            ));
        }
        Self::from_reader(file, path)
    }

    fn from_reader(file: File, path: &Path) -> Result<Self, CommandError> {
        let mut bytes = Zeroizing::new(Vec::with_capacity(PASSPHRASE_BYTES_MAX + 2));
        file.take(PASSPHRASE_BYTES_MAX as u64 + 2)
            .read_to_end(&mut bytes)
            .map_err(|e| CommandError::file("read the passphrase from", path, e))?;
        let line = bytes.split(|b| *b == b'\n').next().unwrap_or_default();
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let text = std::str::from_utf8(line).ok().filter(|t| !t.is_empty() && t.len() <= PASSPHRASE_BYTES_MAX);
        let text = text.ok_or_else(|| {
            let hint = "write the passphrase as its first line, at most 1,024 bytes of UTF-8";
            CommandError::content(path, "holds no passphrase", hint)
        })?;
        Ok(Self(Arc::new(Zeroizing::new(text.to_owned()))))
    }

    /// Refuses what is too short for a new key.
    pub(crate) fn check_new(self) -> Result<Self, CommandError> {
        if self.0.chars().count() < PASSPHRASE_CHARS_MIN {
            return Err(CommandError::failed(
                "key.passphrase",
                format!("the passphrase is shorter than {PASSPHRASE_CHARS_MIN} characters"),
                "take a longer one: `openssl rand -base64 24` makes a good one",
            ));
        }
        Ok(self)
    }
}

/// Where a passphrase comes from; flattened into commands that read keys.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct PassphraseOptions {
    /// File whose first line is the passphrase of encrypted keys
    #[arg(long, value_name = "FILE", env = "TESTAMUR_PASSPHRASE_FILE", hide_env_values = true)]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// Open descriptor to read the passphrase from
    #[arg(long, value_name = "N")]
    pub(crate) passphrase_fd: Option<u32>,
}

impl PassphraseOptions {
    /// Reads the passphrase, if one was given; the descriptor goes first, being the more explicit.
    pub(crate) fn read(&self) -> Result<Option<Passphrase>, CommandError> {
        if let Some(descriptor) = self.passphrase_fd {
            let path = PathBuf::from(format!("/proc/self/fd/{descriptor}"));
            let file = File::open(&path).map_err(|e| CommandError::file("open the passphrase descriptor", &path, e))?;
            return Passphrase::from_reader(file, &path).map(Some);
        }
        self.passphrase_file.as_deref().map(Passphrase::from_file).transpose()
    }

    /// Reads the passphrase; says how to give one when there is none.
    pub(crate) fn require(&self) -> Result<Passphrase, CommandError> {
        self.read()?
            .ok_or_else(|| CommandError::failed("key.passphrase", "a passphrase is needed and none was given", HOW))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn the_first_line_of_a_private_file_counts() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("passphrase");
        let read = |text: &[u8], mode| {
            fs::write(&path, text).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            Passphrase::from_file(&path).map(|p| p.0.to_string()).map_err(|e| e.to_string())
        };
        assert_eq!(read(b"correct horse\n", 0o600).unwrap(), "correct horse");
        assert_eq!(read(b"correct horse\r\nrest\n", 0o400).unwrap(), "correct horse");
        assert_eq!(read(b" spaces count ", 0o600).unwrap(), " spaces count ");
        for empty in [&b""[..], b"\n", b"\xff\n", &[b'x'; 1025]] {
            assert!(read(empty, 0o600).unwrap_err().contains("holds no passphrase"));
        }
        assert!(read(b"correct horse\n", 0o644).unwrap_err().contains("may be read by others"));
        assert!(Passphrase::new("short").check_new().is_err());
        assert!(Passphrase::new("long enough so").check_new().is_ok());
    }
}
