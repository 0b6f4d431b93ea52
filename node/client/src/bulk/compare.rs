//! A folder held against its container: what changed, what is missing, what was added.
//!
//! Both are read in the order of their names, side by side, so that memory does not grow with either. Every document is
//! hashed by the algorithm that the container has for it. Whether the container's own receipt is good is another question,
//! for `receipt::verify` over [`Container::ledger`]; that its documents are under the record's root is seen here, too.

use std::io::ErrorKind;
use std::iter::Peekable;
use std::path::Path;
use std::sync::atomic::Ordering;

use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};

use crate::bulk::container::Container;
use crate::bulk::error::{BulkError, Fault};
use crate::bulk::folder::{Progress, digest_steady};
use crate::bulk::format::{Order, name_order};
use crate::bulk::pool::{self, Feed};
use crate::bulk::walk::{Exclusions, LeftOut, Omission, Step, Walk};
use crate::limits::FILES_WINDOW;

/// What is told of a document that is not as it was.
#[derive(Debug)]
pub enum Difference {
    /// Its bytes are others.
    Changed(Vec<u8>),
    /// It is no longer there.
    Missing(Vec<u8>),
    /// It is in the folder and not in the container.
    Added(Vec<u8>),
    /// It is in the container, and cannot be compared.
    Uncompared(Omission),
}

/// How many of each there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Compared {
    /// As they were.
    pub same: u64,
    /// With other bytes.
    pub changed: u64,
    /// No longer there.
    pub missing: u64,
    /// Not in the container.
    pub added: u64,
    /// In the container and not readable.
    pub uncompared: u64,
    /// In the folder and not readable, as when it was notarised: links, devices.
    pub omitted: u64,
    /// Erased from the container: they had a name that is not known any more.
    pub erased: u64,
}

enum Outcome {
    Same,
    Erased,
    Omitted,
    Differs(Difference),
    Failed(BulkError),
}

/// Compares `root` with what `container` holds of it; each difference is given to `tell`, in order of names.
///
/// The container must be of a folder ([`Order::Names`]); exclusions and links are handled as when it was made.
pub fn compare(
    container: &Container,
    root: &Path,
    threads: usize,
    progress: &Progress,
    mut tell: impl FnMut(Difference),
) -> Result<Compared, BulkError> {
    let settings = container.settings();
    if settings.order != Order::Names {
        return Err(BulkError::NotAFolder(container.path().to_owned()));
    }
    let exclusions = Exclusions::new(&settings.exclude)?;
    let mut walk = Walk::new(root, exclusions, settings.links, &[container.path()], b"")?.peekable();
    std::thread::scope(|scope| {
        let hash = |(name, expected): (Vec<u8>, DocumentDigest)| match digest_file(
            expected.algorithm(),
            &Walk::path(root, &name),
            progress,
        ) {
            Ok(digest) if digest == expected => Outcome::Same,
            Ok(_) => Outcome::Differs(Difference::Changed(name)),
            Err(LeftOut::Unreadable(error))
                if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::IsADirectory) =>
            {
                Outcome::Differs(Difference::Missing(name))
            }
            Err(why) => Outcome::Differs(Difference::Uncompared(Omission { name, why })),
        };
        let (feed, results) = pool::start(scope, threads, FILES_WINDOW, hash);
        scope.spawn(move || {
            let ended = side_by_side(container, &mut walk, &feed, progress);
            if let Err(error) = ended {
                feed.push_done(Outcome::Failed(error));
            }
        });
        let mut compared = Compared::default();
        for outcome in results {
            Progress::add(&progress.documents, 1);
            match outcome {
                Outcome::Same => compared.same += 1,
                Outcome::Erased => compared.erased += 1,
                Outcome::Omitted => compared.omitted += 1,
                Outcome::Failed(error) => return Err(error),
                Outcome::Differs(difference) => {
                    match &difference {
                        Difference::Changed(_) => compared.changed += 1,
                        Difference::Missing(_) => compared.missing += 1,
                        Difference::Added(_) => compared.added += 1,
                        Difference::Uncompared(_) => compared.uncompared += 1,
                    }
                    tell(difference);
                }
            }
        }
        progress.walked.store(true, Ordering::Relaxed);
        Ok(compared)
    })
}

/// As [`digest_steady`], of files alone: a pipe that stands where a document was would be waited for for ever.
fn digest_file(algorithm: DigestAlgorithm, path: &Path, progress: &Progress) -> Result<DocumentDigest, LeftOut> {
    match std::fs::metadata(path).map_err(LeftOut::Unreadable)? {
        metadata if metadata.is_file() => digest_steady(algorithm, path, progress),
        metadata if metadata.is_dir() => Err(LeftOut::Unreadable(ErrorKind::IsADirectory.into())),
        _ => Err(LeftOut::Special),
    }
}

/// Whether a name stays below the folder: a container from a stranger must not lead elsewhere.
fn stays_within(name: &[u8]) -> bool {
    name.split(|byte| *byte == b'/').all(|part| !part.is_empty() && part != b"." && part != b".." && !part.contains(&0))
}

/// Reads container and folder side by side; ends early when nobody takes results any more.
fn side_by_side(
    container: &Container,
    walk: &mut Peekable<Walk>,
    feed: &Feed<(Vec<u8>, DocumentDigest), Outcome>,
    progress: &Progress,
) -> Result<(), BulkError> {
    for number in 0..container.chunks() {
        let chunk = container.chunk(number)?;
        if chunk.computed_root() != chunk.root() {
            let fault = Fault::Disagree("a chunk's root is not that of its documents");
            return Err(BulkError::container(container.path())(fault));
        }
        for entry in chunk.entries() {
            let goes_on = match entry.digest {
                None => feed.push_done(Outcome::Erased),
                Some((algorithm, digest)) => {
                    if !stays_within(entry.name) {
                        let fault = Fault::Disagree("a name that leads out of the folder");
                        return Err(BulkError::container(container.path())(fault));
                    }
                    let digest = digest.to_vec();
                    let expected = DocumentDigest::new(algorithm, digest).expect("a chunk's digests have their length");
                    Progress::add(&progress.found, 1);
                    // If the walk does not come by it, it is gone or cannot be read: reading it tells which.
                    added_before(walk, Some(entry.name), feed) && feed.push((entry.name.to_vec(), expected))
                }
            };
            if !goes_on || progress.stopped() {
                return Ok(());
            }
        }
    }
    added_before(walk, None, feed);
    Ok(())
}

/// What the folder has before a name, or all that is left: added, or left out as when the container was made. The step
/// at the name itself is taken, too.
fn added_before(
    walk: &mut Peekable<Walk>,
    name: Option<&[u8]>,
    feed: &Feed<(Vec<u8>, DocumentDigest), Outcome>,
) -> bool {
    while let Some(step) = walk.next_if(|step| name.is_none_or(|name| order(step, name).is_le())) {
        let outcome = match step {
            Step::File(found) if name == Some(&found[..]) => return true,
            Step::File(found) => Outcome::Differs(Difference::Added(found)),
            Step::Omitted(_) => Outcome::Omitted,
        };
        if !feed.push_done(outcome) {
            return false;
        }
    }
    true
}

fn order(step: &Step, name: &[u8]) -> core::cmp::Ordering {
    match step {
        Step::File(found) | Step::Omitted(Omission { name: found, .. }) => name_order(found, name),
    }
}
