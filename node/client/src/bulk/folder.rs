//! A folder into a container: walked in order by one thread, hashed by many, written in order by one.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};

use crate::bulk::chunk::Columns;
use crate::bulk::error::BulkError;
use crate::bulk::pool;
use crate::bulk::walk::{Exclusions, LeftOut, Omission, Step, Walk};
use crate::bulk::writer::Writer;
use crate::digest::Digester;
use crate::limits::{CHANGING_TRIES_MAX, FILES_WINDOW, READ_BYTES};

/// How far a run is; read by whoever shows it, while it goes on. Counts only, no names.
#[derive(Debug, Default)]
pub struct Progress {
    /// Documents that are done.
    pub documents: AtomicU64,
    /// Bytes that were read of them.
    pub bytes: AtomicU64,
    /// Files that were found so far: as many as will be done, or a few less.
    pub found: AtomicU64,
    /// Files that were left out.
    pub omitted: AtomicU64,
    /// Whether the whole folder or list was gone through, so that `found` is final.
    pub walked: AtomicBool,
    /// Set by the caller to end the run early; what was written stays and is gone on with.
    pub stop: AtomicBool,
}

impl Progress {
    pub(crate) fn add(counter: &AtomicU64, count: u64) {
        counter.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// How a folder is gone through.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Where it is.
    pub root: PathBuf,
    /// Threads that hash.
    pub threads: usize,
}

/// How a run over a folder ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// Everything was gone through.
    Whole,
    /// [`Progress::stop`] was set.
    Stopped,
}

impl Folder {
    /// Hashes all files that are not in the container yet, and adds them. What is left out is given to `omitted`; what was
    /// left out before a kill was told then.
    ///
    /// If we crash here, the chunks that are whole stay, and the same call goes on behind them. A file that came to the
    /// folder meanwhile, before that place, is not in the container; `compare` shows it as added.
    pub fn add_to(
        &self,
        writer: &mut Writer,
        progress: &Progress,
        mut omitted: impl FnMut(Omission),
    ) -> Result<Ended, BulkError> {
        writer.reopen_last()?;
        let settings = writer.settings().clone();
        let exclusions = Exclusions::new(&settings.exclude)?;
        let own = [writer.partial()];
        let walk = Walk::new(&self.root, exclusions, settings.links, &own, writer.last_name())?;
        Progress::add(&progress.documents, writer.count());
        Progress::add(&progress.found, writer.count());
        std::thread::scope(|scope| {
            let hash = |name: Vec<u8>| {
                let digest = digest_steady(settings.alg, &Walk::path(&self.root, &name), progress);
                (name, digest)
            };
            let (feed, results) = pool::start(scope, self.threads, FILES_WINDOW, hash);
            scope.spawn(move || {
                for step in walk {
                    let goes_on = match step {
                        Step::File(name) => {
                            Progress::add(&progress.found, 1);
                            feed.push(name)
                        }
                        Step::Omitted(Omission { name, why }) => feed.push_done((name, Err(why))),
                    };
                    if !goes_on || progress.stopped() {
                        return;
                    }
                }
                progress.walked.store(true, Ordering::Relaxed);
            });
            let (mut columns, mut last) = (Columns::default(), Vec::new());
            for (name, digest) in results {
                match digest {
                    Ok(digest) => {
                        columns.push(digest.algorithm(), digest.as_bytes(), &name)?;
                        Progress::add(&progress.documents, 1);
                        last = name;
                    }
                    Err(why) => {
                        Progress::add(&progress.omitted, 1);
                        omitted(Omission { name, why });
                    }
                }
                if columns.is_full() {
                    writer.append(&columns.seal(writer.count(), settings.form)?, &last)?;
                    columns = Columns::default();
                }
            }
            // A run that was stopped leaves a chunk that is not full only at its end, where it is taken out again.
            if !columns.is_empty() {
                writer.append(&columns.seal(writer.count(), settings.form)?, &last)?;
            }
            Ok(if progress.stopped() { Ended::Stopped } else { Ended::Whole })
        })
    }
}

/// Digests a file that does not change meanwhile: size, times and place are the same before and after, and as many bytes
/// were read. A file that is being written to is tried once more; a mixture of two states is never notarised.
pub(crate) fn digest_steady(
    algorithm: DigestAlgorithm,
    path: &Path,
    progress: &Progress,
) -> Result<DocumentDigest, LeftOut> {
    let state = |file: &File| {
        let m = file.metadata()?;
        Ok::<_, std::io::Error>((m.dev(), m.ino(), m.size(), m.mtime(), m.mtime_nsec(), m.ctime(), m.ctime_nsec()))
    };
    let mut buffer = vec![0; READ_BYTES];
    for _ in 0..CHANGING_TRIES_MAX {
        let mut file = File::open(path).map_err(LeftOut::Unreadable)?;
        let before = state(&file).map_err(LeftOut::Unreadable)?;
        let mut digester = Digester::new(algorithm);
        loop {
            match file.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => {
                    digester.update(&buffer[..count]);
                    Progress::add(&progress.bytes, count as u64);
                    // A file that grows as fast as it is read would never end.
                    if digester.bytes() > before.2 {
                        break;
                    }
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(LeftOut::Unreadable(error)),
            }
        }
        if digester.bytes() == before.2 && state(&file).map_err(LeftOut::Unreadable)? == before {
            return Ok(digester.finalize());
        }
    }
    Err(LeftOut::Changing)
}
