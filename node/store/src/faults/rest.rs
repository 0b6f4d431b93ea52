//! R6: one bit of one file is another, in a closed ledger, in an open one, in a backup, in an export.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use super::answers::{Answers, Compared, World, build};
use super::{Fate, Random, Tally};
use crate::{Contents, Ledger, NodeIdentity, ScrubPosition, StoreError, check, import, restore};

/// What may become of a bit without a broken promise.
const CLASSES: [&str; 6] =
    ["refused-at-open", "found-by-read", "found-by-scrub", "found-by-check", "tail-dropped", "harmless"];

/// Kinds of files, each with the same share of all bits: most bits of a disk are in tables, and most trouble is not.
const KINDS: [&str; 8] = ["sst", "log", "MANIFEST", "CURRENT", "OPTIONS", "identity", "backup", "export"];

pub(super) fn run(runs: u64, seed: u64, folder: &Path) -> ExitCode {
    let base = folder.join("base");
    let (world, truth) = build(&base, |world, ledger| {
        let truth = world.answers(ledger).expect("a sound ledger answers");
        copy(&base, &folder.join("crashed"));
        ledger.backup(&folder.join("backup"), |_| ()).expect("a backup");
        let mut out = fs::File::create(folder.join("export")).expect("a file");
        ledger.export(&mut out, Contents::Snapshot, |_| ()).expect("an export");
        truth
    });
    // As a killed process leaves it: the newest blocks are in the write-ahead log alone.
    let base = folder.join("crashed");
    let rot = Rot { world, truth, folder: folder.to_owned(), base };
    let mut tally = Tally::new("R6", "bit-flips-in-a-store", &CLASSES);
    for attempt in 0..runs {
        let mut random = Random::of(seed, attempt);
        let kind = KINDS[(attempt % KINDS.len() as u64) as usize];
        // An open database has moved its log into tables, and writes a new one.
        let open = kind != "log" && (attempt / KINDS.len() as u64) % 2 == 1;
        tally.attempt(seed, kind, || match kind {
            "backup" => rot.backup(&mut random),
            "export" => rot.export(&mut random),
            kind => rot.ledger(kind, open, &mut random),
        });
    }
    tally.end()
}

struct Rot {
    world: World,
    truth: Answers,
    folder: PathBuf,
    base: PathBuf,
}

impl Rot {
    /// A bit of a ledger's file, while it is closed or open.
    fn ledger(&self, kind: &str, open: bool, random: &mut Random) -> Fate {
        let place = self.folder.join("try");
        copy(&self.base, &place);
        let mut class = "harmless";
        if open {
            let ledger = match self.world.network.open(&place, 0) {
                Ok(ledger) => ledger,
                Err(error) => return Fate::Wrong(format!("a sound ledger does not open: {error}")),
            };
            flip(&place, kind, random);
            match self.look(&ledger, random) {
                Fate::Kept("harmless") => {}
                Fate::Kept(found) => class = found,
                wrong => return wrong,
            }
        } else {
            flip(&place, kind, random);
        }
        match self.reopen(&place, random) {
            Fate::Kept("harmless") => Fate::Kept(class),
            // What an open ledger met first counts.
            Fate::Kept(_) if class != "harmless" => Fate::Kept(class),
            fate => fate,
        }
    }

    fn reopen(&self, place: &Path, random: &mut Random) -> Fate {
        let ledger = match self.world.network.open(place, 0) {
            Ok(ledger) => ledger,
            Err(StoreError::Locked { .. }) => return Fate::Wrong("it is locked".into()),
            Err(_) => return Fate::Kept("refused-at-open"),
        };
        if ledger.tip().height() < self.world.height() {
            // The log of writes ends earlier: the node knows less, says so, and what it knows is right. It follows its peers.
            return match self.world.compare_prefix(&ledger, &self.truth) {
                Ok(()) => Fate::Kept("tail-dropped"),
                Err(Compared::Refused) => Fate::Kept("found-by-read"),
                Err(Compared::Wrong(what)) => Fate::Wrong(what),
            };
        }
        match self.look(&ledger, random) {
            Fate::Kept("harmless") => {}
            fate => return fate,
        }
        drop(ledger);
        match check(place, &self.world.network.genesis, |_| ()) {
            Ok(report) if report.is_clean() => Fate::Kept("harmless"),
            Ok(_) | Err(_) => Fate::Kept("found-by-check"),
        }
    }

    /// All answers, then the scrub, once through.
    fn look(&self, ledger: &Ledger, random: &mut Random) -> Fate {
        match self.world.compare(ledger, &self.truth, random.next()) {
            Ok(()) => {}
            Err(Compared::Refused) => return Fate::Kept("found-by-read"),
            Err(Compared::Wrong(what)) => return Fate::Wrong(what),
        }
        if scrub(ledger).is_err() { Fate::Kept("found-by-scrub") } else { Fate::Kept("harmless") }
    }

    /// A bit of a backup: restoring refuses, or makes the same ledger.
    fn backup(&self, random: &mut Random) -> Fate {
        let (backup, place) = (self.folder.join("backup-try"), self.folder.join("try"));
        copy(&self.folder.join("backup"), &backup);
        let _ = fs::remove_dir_all(&place);
        flip(&backup, "", random);
        let node = NodeIdentity::Validator(self.world.network.validators[0].address);
        match restore(&backup, &place, &self.world.network.genesis, node, |_| ()) {
            Err(_) if place.exists() => Fate::Wrong("a restore that failed left a directory".into()),
            Err(_) => Fate::Kept("refused-at-open"),
            Ok(_) => self.reopen(&place, random),
        }
    }

    /// A bit of an export: importing refuses, or makes the same ledger. What an export lacks (blocks that are not decided)
    /// no answer needs.
    fn export(&self, random: &mut Random) -> Fate {
        let place = self.folder.join("try");
        let _ = fs::remove_dir_all(&place);
        let mut bytes = fs::read(self.folder.join("export")).expect("the export");
        let bit = random.below(bytes.len() as u64 * 8);
        bytes[(bit / 8) as usize] ^= 1 << (bit % 8);
        let node = NodeIdentity::Validator(self.world.network.validators[0].address);
        let trust = self.world.network.trust();
        match import(&place, &trust, node, Contents::Snapshot, bytes.as_slice(), |_| ()) {
            Err(_) if place.exists() => Fate::Wrong("an import that failed left a directory".into()),
            Err(_) => Fate::Kept("refused-at-open"),
            Ok(_) => self.reopen(&place, random),
        }
    }
}

/// The background check of a running node, once through all blocks and all of the state.
pub(super) fn scrub(ledger: &Ledger) -> Result<(), StoreError> {
    let mut position = ScrubPosition::default();
    let mut through = false;
    for step in 0.. {
        position = ledger.scrub_step(&position)?;
        through |= position.state.is_none();
        if position.rounds > 0 && through {
            break;
        }
        assert!(step < 10_000, "a scrub comes to an end");
    }
    Ok(())
}

/// Flips one bit of one file of a kind; of any file, when no kind is given.
fn flip(place: &Path, kind: &str, random: &mut Random) {
    let mut files = Vec::new();
    list(place, &mut files);
    files.retain(|path| {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let of_kind = match kind {
            "sst" | "log" => name.ends_with(&format!(".{kind}")),
            kind => name.starts_with(kind),
        };
        of_kind && fs::metadata(path).is_ok_and(|file| file.len() > 0)
    });
    files.sort();
    assert!(!files.is_empty(), "there is a file of kind {kind}");
    let length = |path: &PathBuf| fs::metadata(path).expect("it is there").len();
    let mut path = &files[random.below(files.len() as u64) as usize];
    // Every file has its turn, and every bit.
    if random.below(2) == 0 {
        let mut place = random.below(files.iter().map(length).sum());
        path = files
            .iter()
            .find(|path| {
                let here = place < length(path);
                place = place.saturating_sub(length(path));
                here
            })
            .expect("the place lies in one of them");
    }
    // In place: an open database goes on reading the same file.
    use std::os::unix::fs::FileExt as _;
    let file = fs::OpenOptions::new().read(true).write(true).open(path).expect("it can be opened");
    let bit = random.below(file.metadata().expect("it is there").len() * 8);
    let mut byte = [0];
    file.read_exact_at(&mut byte, bit / 8).expect("it can be read");
    byte[0] ^= 1 << (bit % 8);
    file.write_all_at(&byte, bit / 8).expect("it can be written");
}

fn list(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() { list(&entry, files) } else { files.push(entry) }
    }
}

/// Copies a folder over whatever is there.
pub(super) fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").map(|entry| entry.expect("an entry")) {
        let (path, copy_to) = (entry.path(), to.join(entry.file_name()));
        if path.is_dir() {
            copy(&path, &copy_to);
        } else {
            fs::copy(&path, &copy_to).expect("it can be copied");
        }
    }
}
