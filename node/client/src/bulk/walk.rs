//! The files of a folder, in the order of their names: the same order each time, so that a run can go on where it was, and
//! a comparison needs no more memory than one directory.

use std::ffi::OsString;
use std::fs::{self, FileType, Metadata};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};

use crate::bulk::error::BulkError;
use crate::bulk::format::{Links, display_name, name_order};
use crate::limits::{FOLDER_DEPTH_MAX, NAME_BYTES_MAX};

/// Why a file is not notarised, or not compared. The others go on (INV-BULK-4).
#[derive(Debug, thiserror::Error)]
pub enum LeftOut {
    /// It, or the directory, could not be read.
    #[error("cannot be read: {0}")]
    Unreadable(std::io::Error),
    /// It was written to while it was read, twice.
    #[error("it changes while it is read")]
    Changing,
    /// A symbolic link, and links are not followed.
    #[error("a symbolic link, which is not followed")]
    Link,
    /// A link to a directory that it is in.
    #[error("a symbolic link that leads in a circle")]
    Circle,
    /// A device, a pipe, a socket.
    #[error("neither a file nor a directory")]
    Special,
    /// A path longer than a container keeps.
    #[error("its path has more than {NAME_BYTES_MAX} bytes")]
    NameLength,
    /// Directories within directories, deeper than anybody means.
    #[error("more than {FOLDER_DEPTH_MAX} directories deep")]
    Depth,
}

impl LeftOut {
    /// Stable slug.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable(_) => "unreadable",
            Self::Changing => "changing",
            Self::Link => "link",
            Self::Circle => "circle",
            Self::Special => "special",
            Self::NameLength => "name-length",
            Self::Depth => "depth",
        }
    }
}

/// A file or directory that is left out.
#[derive(Debug)]
pub struct Omission {
    /// Its path below the folder, as bytes.
    pub name: Vec<u8>,
    /// Why.
    pub why: LeftOut,
}

impl core::fmt::Display for Omission {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{}: {}", display_name(&self.name), self.why)
    }
}

/// Names that are left out on purpose.
#[derive(Debug, Clone)]
pub struct Exclusions(GlobSet);

impl Exclusions {
    /// Reads patterns: `*` and `?` stay within one name, `**` does not. A pattern without `/` is for the last part of a
    /// path, at any depth; one with `/` for the whole path below the folder. What is under an excluded directory is excluded.
    pub fn new(patterns: &[String]) -> Result<Self, BulkError> {
        let mut set = GlobSetBuilder::new();
        let refuse = |pattern: &str, error: &globset::Error| BulkError::Pattern {
            pattern: pattern.to_owned(),
            reason: error.kind().to_string(),
        };
        for pattern in patterns {
            let trimmed = pattern.trim_end_matches('/');
            let anchored = match trimmed.strip_prefix('/') {
                Some(rest) => rest.to_owned(),
                None if trimmed.contains('/') => trimmed.to_owned(),
                None => format!("**/{trimmed}"),
            };
            let glob = GlobBuilder::new(&anchored).literal_separator(true).build();
            set.add(glob.map_err(|error| refuse(pattern, &error))?);
        }
        set.build().map(Self).map_err(|error| refuse(&patterns.join(", "), &error))
    }

    /// Whether a path below the folder is left out.
    pub fn matches(&self, name: &[u8]) -> bool {
        self.0.is_match(Path::new(std::ffi::OsStr::from_bytes(name)))
    }
}

/// One step of a walk.
#[derive(Debug)]
pub enum Step {
    /// A file: its path below the folder, as bytes with `/`.
    File(Vec<u8>),
    /// Something that is left out.
    Omitted(Omission),
}

/// Walks a folder.
#[derive(Debug)]
pub struct Walk {
    root: PathBuf,
    exclusions: Exclusions,
    links: Links,
    /// Files that are never taken: the container that is being written.
    own: Vec<(u64, u64)>,
    /// Directories that are open, each with what is still to come, last first.
    open: Vec<Level>,
    /// What is at or before this name was taken before.
    after: Vec<u8>,
}

#[derive(Debug)]
struct Level {
    name: Vec<u8>,
    place: (u64, u64),
    names: Vec<(OsString, Option<FileType>)>,
}

impl Walk {
    /// Begins a walk of `root`, which must be a directory that can be read. Names up to `after` are passed over.
    pub fn new(
        root: &Path,
        exclusions: Exclusions,
        links: Links,
        own: &[&Path],
        after: &[u8],
    ) -> Result<Self, BulkError> {
        let metadata = fs::metadata(root).map_err(BulkError::io("reading", root))?;
        let names = list(root).map_err(BulkError::io("reading", root))?;
        let own = own.iter().filter_map(|path| fs::metadata(path).ok()).map(|m| place(&m)).collect();
        let level = Level { name: Vec::new(), place: place(&metadata), names };
        Ok(Self { root: root.to_owned(), exclusions, links, own, open: vec![level], after: after.to_vec() })
    }

    /// Where a name lies.
    pub fn path(root: &Path, name: &[u8]) -> PathBuf {
        root.join(std::ffi::OsStr::from_bytes(name))
    }

    fn step(&mut self, name: Vec<u8>, known: Option<FileType>) -> Option<Step> {
        if self.exclusions.matches(&name) {
            return None;
        }
        let omitted = |name, why| Some(Step::Omitted(Omission { name, why }));
        if name.len() > NAME_BYTES_MAX {
            return omitted(name, LeftOut::NameLength);
        }
        let path = Self::path(&self.root, &name);
        let kind = match known.map_or_else(|| fs::symlink_metadata(&path).map(|m| m.file_type()), Ok) {
            Ok(kind) => kind,
            Err(error) => return omitted(name, LeftOut::Unreadable(error)),
        };
        if kind.is_symlink() && self.links == Links::Skip {
            return omitted(name, LeftOut::Link);
        }
        if kind.is_file() && self.own.is_empty() {
            return Some(Step::File(name));
        }
        // Follows a link, which may lead nowhere or to itself; of a file it shows whether it is the container.
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => return omitted(name, LeftOut::Unreadable(error)),
        };
        let place = place(&metadata);
        if metadata.is_file() {
            return (!self.own.contains(&place)).then_some(Step::File(name));
        }
        if !metadata.is_dir() {
            return omitted(name, LeftOut::Special);
        }
        if self.open.iter().any(|level| level.place == place) {
            return omitted(name, LeftOut::Circle);
        }
        if self.open.len() >= FOLDER_DEPTH_MAX {
            return omitted(name, LeftOut::Depth);
        }
        match list(&path) {
            Ok(names) => self.open.push(Level { name, place, names }),
            Err(error) => return omitted(name, LeftOut::Unreadable(error)),
        }
        None
    }
}

impl Iterator for Walk {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        loop {
            let level = self.open.last_mut()?;
            let Some((last, kind)) = level.names.pop() else {
                self.open.pop();
                continue;
            };
            let mut name = level.name.clone();
            if !name.is_empty() {
                name.push(b'/');
            }
            name.extend_from_slice(last.as_bytes());
            // A directory comes before what is in it; all that is in one that was walked through is behind, too.
            let within = self.after.strip_prefix(&name[..]).is_some_and(|rest| rest.first() == Some(&b'/'));
            if !within && name_order(&name, &self.after).is_le() {
                continue;
            }
            if let Some(step) = self.step(name, kind) {
                return Some(step);
            }
        }
    }
}

fn place(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

/// Names of a directory, the last one first, with their kinds where the file system says them.
fn list(path: &Path) -> std::io::Result<Vec<(OsString, Option<FileType>)>> {
    let mut names = fs::read_dir(path)?
        .map(|entry| entry.map(|entry| (entry.file_name(), entry.file_type().ok())))
        .collect::<std::io::Result<Vec<_>>>()?;
    // By bytes: within one directory, and with `/` before all other bytes, that is the order of whole paths.
    names.sort_unstable_by(|(a, _), (b, _)| b.as_bytes().cmp(a.as_bytes()));
    Ok(names)
}
