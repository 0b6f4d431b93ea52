//! The page's files, and the one hash of all of them.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};

use crate::limits::{BUNDLE_BYTES_MAX, DEPTH_MAX, FILES_MAX, GZIP_BYTES_MIN};
use crate::policy::without_meta;

/// What `build.rs` found: path → place in [`BYTES`].
static TABLE: &[(&str, Range<usize>)] = include!(concat!(env!("OUT_DIR"), "/bundle.rs"));
static BYTES: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/bundle.bin"));

/// The page itself.
pub(crate) const INDEX: &str = "index.html";
/// The deployment's configuration, beside the page and no part of the bundle.
pub(crate) const NETWORK: &str = "network.json";

/// One file of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its bytes.
    pub bytes: Bytes,
    /// The same for clients that take gzip, where that is shorter.
    pub gzip: Option<Bytes>,
    /// SHA-256 of [`File::bytes`].
    pub sha256: [u8; 32],
    /// Its media type.
    pub media_type: &'static str,
    /// Whether its name holds a hash, so that other bytes have another name.
    pub immutable: bool,
}

impl File {
    /// A file of the given path; none when browsers would not know what to do with it.
    pub(crate) fn new(path: &str, bytes: Bytes) -> Option<Self> {
        Some(Self {
            gzip: gzip(&bytes),
            sha256: Sha256::digest(&bytes).into(),
            media_type: media_type(path)?,
            immutable: is_immutable(path),
            bytes,
        })
    }
}

/// Why a folder is no bundle.
#[derive(Debug, thiserror::Error)]
pub enum BundleError {
    /// The binary has none.
    #[error("this binary was built without the page")]
    NotBuilt,
    /// A file or folder that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// A name that has no place in an address, or nothing that the page could have.
    #[error(
        "{0:?} is no file of the page: names are letters, digits, '.', '_' and '-', with an ending that browsers know"
    )]
    Name(String),
    /// Too much.
    #[error(
        "more than {FILES_MAX} files, {DEPTH_MAX} folders within each other or {BUNDLE_BYTES_MAX} bytes: this is not the page"
    )]
    TooLarge,
    /// No page.
    #[error("{} has no index.html", .0.display())]
    NoIndex(PathBuf),
}

/// The page's files by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bundle {
    files: BTreeMap<String, File>,
}

impl Bundle {
    /// The page that this binary was built with.
    pub fn built_in() -> Result<Self, BundleError> {
        if TABLE.is_empty() {
            return Err(BundleError::NotBuilt);
        }
        Self::of(TABLE.iter().map(|(path, place)| ((*path).to_owned(), Bytes::from_static(&BYTES[place.clone()]))))
    }

    /// The page that lies in a folder: a build of `verifier-web`, or what [`crate::export`] wrote. `network.json`, and the policy
    /// that an export puts into `index.html`, are the deployment's and left out.
    pub fn read(folder: &Path) -> Result<Self, BundleError> {
        let mut found = Vec::new();
        walk(folder, "", 0, &mut found, &mut 0)?;
        let bundle = Self::of(found.into_iter())?;
        if bundle.file(INDEX).is_none() {
            return Err(BundleError::NoIndex(folder.to_owned()));
        }
        Ok(bundle)
    }

    fn of(files: impl Iterator<Item = (String, Bytes)>) -> Result<Self, BundleError> {
        let mut bundle = Self { files: BTreeMap::new() };
        for (path, mut bytes) in files {
            if path == NETWORK {
                continue;
            }
            if path == INDEX {
                bytes = without_meta(bytes);
            }
            let file = File::new(&path, bytes).ok_or_else(|| BundleError::Name(path.clone()))?;
            bundle.files.insert(path, file);
        }
        Ok(bundle)
    }

    /// A file by its path, without a slash before it.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// All files in the order of their paths.
    pub fn files(&self) -> impl Iterator<Item = (&str, &File)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// How many bytes all files have.
    pub fn size(&self) -> usize {
        self.files.values().map(|file| file.bytes.len()).sum()
    }

    /// The hash that names this build of the page: SHA-256 over one line for each file in the order of their paths' bytes:
    /// path, NUL, SHA-256 of the file in lower-case hexadecimal, line feed.
    ///
    /// ```
    /// # let folder = tempfile::tempdir()?;
    /// use testamur_page::Bundle;
    /// std::fs::write(folder.path().join("index.html"), "hello")?;
    /// // printf 'index.html\0%s\n' "$(printf hello | sha256sum | cut -c1-64)" | sha256sum
    /// let hash = "66f50ad95519ed1cee69d2234f9d1997c55733fd923315e2f790988299429518";
    /// assert_eq!(Bundle::read(folder.path())?.hash(), hash);
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// ```
    pub fn hash(&self) -> String {
        let mut hash = Sha256::new();
        for (path, file) in &self.files {
            hash.update(path);
            hash.update([0]);
            hash.update(hex::encode(file.sha256));
            hash.update([b'\n']);
        }
        hex::encode(hash.finalize())
    }
}

fn walk(
    folder: &Path,
    prefix: &str,
    depth: usize,
    found: &mut Vec<(String, Bytes)>,
    bytes: &mut u64,
) -> Result<(), BundleError> {
    let failed = |path: &Path, source| BundleError::Read { path: path.to_owned(), source };
    let entries = fs::read_dir(folder).map_err(|source| failed(folder, source))?;
    for entry in entries {
        let entry = entry.map_err(|source| failed(folder, source))?;
        let path = entry.path();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        let metadata = fs::metadata(&path).map_err(|source| failed(&path, source))?;
        if metadata.is_dir() {
            if depth >= DEPTH_MAX {
                return Err(BundleError::TooLarge);
            }
            walk(&path, &format!("{name}/"), depth + 1, found, bytes)?;
            continue;
        }
        // Counted before anything is read: somebody may have named their home directory.
        *bytes += metadata.len();
        if found.len() >= FILES_MAX || *bytes > BUNDLE_BYTES_MAX {
            return Err(BundleError::TooLarge);
        }
        if media_type(&name).is_none() {
            return Err(BundleError::Name(name));
        }
        let content = fs::read(&path).map_err(|source| failed(&path, source))?;
        found.push((name, content.into()));
    }
    Ok(())
}

/// The media type of a path that can stand in an address as it is; none for anything else.
fn media_type(path: &str) -> Option<&'static str> {
    let is_plain = |segment: &str| {
        let of_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
        !segment.is_empty() && !segment.starts_with('.') && segment.bytes().all(of_name)
    };
    if !path.split('/').all(is_plain) {
        return None;
    }
    Some(match path.rsplit_once('.')?.1 {
        "html" => "text/html; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "css" => "text/css; charset=utf-8",
        "txt" => "text/plain; charset=utf-8",
        "json" => "application/json",
        "webmanifest" => "application/manifest+json",
        "wasm" => "application/wasm",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "ico" => "image/x-icon",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

/// `assets/NAME-HASH.ENDING`, as the build writes what it names by its content.
fn is_immutable(path: &str) -> bool {
    let Some(name) = path.strip_prefix("assets/").and_then(|rest| rest.rsplit('/').next()) else { return false };
    let stem = name.split('.').next().unwrap_or_default();
    // The hash is base64url and may hold a hyphen itself.
    let hash = stem.len().checked_sub(HASH_CHARS).and_then(|at| stem.get(at.checked_sub(1)?..));
    hash.is_some_and(|hash| hash.starts_with('-') && stem.len() > HASH_CHARS + 1)
}

/// Characters of the hash in a file's name.
const HASH_CHARS: usize = 8;

fn gzip(bytes: &[u8]) -> Option<Bytes> {
    if bytes.len() < GZIP_BYTES_MIN {
        return None;
    }
    // No name and no time in the header: the same bytes each time.
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let packed = encoder.write_all(bytes).and_then(|()| encoder.finish()).ok()?;
    // Pictures are packed already.
    (packed.len() < bytes.len() / 10 * 9).then(|| packed.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_what_a_file_is() {
        assert_eq!(media_type("sw.js"), Some("text/javascript; charset=utf-8"));
        assert_eq!(media_type("assets/lang/de-abcd1234.js"), Some("text/javascript; charset=utf-8"));
        for name in ["", "a", "../a.js", "a//b.js", ".env.js", "a b.js", "a.exe", "a.js.map", "ä.js", "a\u{0}.js"] {
            assert_eq!(media_type(name), None, "{name:?}");
        }
    }

    #[test]
    fn only_names_with_a_hash_are_for_ever() {
        for name in ["assets/index-ZJE2dDH_.js", "assets/lang/de-Zb-2dDH_.js", "assets/a-b-c-12345678.css"] {
            assert!(is_immutable(name), "{name}");
        }
        for name in ["index-ZJE2dDH_.js", "assets/index.js", "assets/-ZJE2dDH_.js", "assets/a-1234567.js", "sw.js"] {
            assert!(!is_immutable(name), "{name}");
        }
    }

    #[test]
    fn the_built_in_page_is_whole_or_said_to_be_missing() {
        match Bundle::built_in() {
            Ok(bundle) => assert!(bundle.file(INDEX).is_some() && bundle.file(NETWORK).is_none()),
            Err(error) => assert!(matches!(error, BundleError::NotBuilt), "{error}"),
        }
    }
}
