//! Proofs of equivocation, kept in a file beside the double-sign guard: one JSON document a line, each checked by its own
//! signatures, whoever holds it. Nothing is decided by them, so a failure to write is told and does not stop the node: what
//! is kept in memory is written with the next one, or is lost when the process ends.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use testamur_primitives::equivocation::{Equivocation, Place};
use testamur_primitives::genesis::Origin;
use testamur_primitives::hash::Address;

use crate::limits::{EQUIVOCATIONS_MAX, EQUIVOCATIONS_PER_VALIDATOR_MAX};

const FILE_NAME: &str = "equivocations.jsonl";
const NEW_FILE_NAME: &str = "equivocations.new";
const DAMAGED_FILE_NAME: &str = "equivocations.damaged";

/// The kept proofs.
#[derive(Debug)]
pub struct Equivocations {
    state: Arc<Mutex<State>>,
    /// To the thread that writes; it ends with this.
    writer: Sender<()>,
}

#[derive(Debug, Default)]
struct State {
    /// On disk, oldest first.
    kept: Vec<Equivocation>,
    /// On their way there.
    new: Vec<Equivocation>,
    places: BTreeSet<Place>,
    by_validator: BTreeMap<Address, usize>,
}

impl State {
    /// Makes room for a proof, and says which of its validator's it is; none where it is known, or one too many.
    fn admit(&mut self, place: Place) -> Option<usize> {
        let count = self.by_validator.entry(place.validator).or_insert(0);
        if self.places.len() >= EQUIVOCATIONS_MAX
            || *count >= EQUIVOCATIONS_PER_VALIDATOR_MAX
            || !self.places.insert(place)
        {
            return None;
        }
        *count += 1;
        Some(*count)
    }
}

impl Equivocations {
    /// Opens the file of a directory that exists, or begins one. Lines that are no proofs of this network are put aside
    /// with the whole file, and the others stay.
    pub fn open(directory: &Path, origin: &Origin) -> io::Result<Self> {
        let path = directory.join(FILE_NAME);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        let mut state = State::default();
        let (mut whole, mut good) = (true, Vec::new());
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let proof = line.strip_suffix(b"\n").and_then(|line| serde_json::from_slice::<Equivocation>(line).ok());
            match proof.filter(|proof| proof.verify_signatures(origin).is_ok()) {
                Some(proof) if state.admit(proof.place()).is_some() => {
                    good.extend_from_slice(line);
                    state.kept.push(proof);
                }
                // Twice the same, or more than are kept.
                Some(_) => {}
                None => whole = false,
            }
        }
        if !whole {
            // The last line was being written when the machine stopped, or the disk changed something.
            tracing::warn!(path = %path.display(), kept = state.kept.len(), "some proofs of equivocation are damaged and put aside");
            let new = directory.join(NEW_FILE_NAME);
            let mut file = File::create(&new)?;
            file.write_all(&good)?;
            file.sync_all()?;
            // Crash between the two: the good lines are in the damaged file too, of which an operator has a copy.
            std::fs::rename(&path, directory.join(DAMAGED_FILE_NAME))?;
            std::fs::rename(&new, &path)?;
            File::open(directory)?.sync_all()?;
        }
        let state = Arc::new(Mutex::new(state));
        let (writer, wanted) = channel();
        let written = Arc::clone(&state);
        // A thread of its own: whoever hears of a contradiction must not wait for the disk.
        std::thread::Builder::new().name("equivocations".into()).spawn(move || write_all(&path, &written, &wanted))?;
        Ok(Self { state, writer })
    }

    /// Keeps a proof that was checked, and says which of its validator's it is; none where its place is known already, or no
    /// more are kept of that validator. It is on disk, and shown, soon after.
    pub fn keep(&self, proof: Equivocation) -> Option<usize> {
        let count = {
            let mut state = self.state.lock().expect("no panic while held");
            let count = state.admit(proof.place())?;
            state.new.push(proof);
            count
        };
        // The thread ends only with this.
        let _ = self.writer.send(());
        Some(count)
    }

    /// What is on disk, oldest first, from a place in that order on; and how many there are.
    pub fn list(&self, from: usize, limit: usize) -> (Vec<Equivocation>, usize) {
        let state = self.state.lock().expect("no panic while held");
        (state.kept.iter().skip(from).take(limit).cloned().collect(), state.kept.len())
    }

    /// Proofs on disk, and validators that they are about.
    pub fn counts(&self) -> (usize, usize) {
        let state = self.state.lock().expect("no panic while held");
        (state.kept.len(), state.by_validator.values().filter(|count| **count > 0).count())
    }
}

fn write_all(path: &PathBuf, state: &Mutex<State>, wanted: &Receiver<()>) {
    // Bytes that are certainly in the file: what was torn by a failed write is cut off before the next.
    let mut length = None;
    while wanted.recv().is_ok() {
        while wanted.try_recv().is_ok() {}
        let new = state.lock().expect("no panic while held").new.clone();
        if new.is_empty() {
            continue;
        }
        let lines: Vec<u8> = new.iter().flat_map(line).collect();
        match append(path, &mut length, &lines) {
            Ok(()) => {
                let mut state = state.lock().expect("no panic while held");
                let written = state.new.drain(..new.len()).collect::<Vec<_>>();
                state.kept.extend(written);
            }
            Err(error) => {
                tracing::error!(path = %path.display(), %error, "proofs of equivocation cannot be written: free the disk");
            }
        }
    }
}

fn line(proof: &Equivocation) -> Vec<u8> {
    let mut line = serde_json::to_vec(proof).expect("no map with odd keys in it");
    line.push(b'\n');
    line
}

/// Appends durably.
fn append(path: &PathBuf, length: &mut Option<u64>, lines: &[u8]) -> io::Result<()> {
    let is_new = !path.exists();
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let before = match *length {
        Some(before) => before,
        None => file.metadata()?.len(),
    };
    file.set_len(before)?;
    *length = Some(before);
    file.write_all(lines)?;
    file.sync_data()?;
    if is_new && let Some(directory) = path.parent() {
        File::open(directory)?.sync_all()?;
    }
    *length = Some(before + lines.len() as u64);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::fixtures::{equivocation, origin};

    fn wait_kept(kept: &Equivocations, count: usize) {
        let began = Instant::now();
        while kept.counts().0 < count {
            assert!(began.elapsed() < Duration::from_secs(20), "{} of {count} are on disk", kept.counts().0);
            std::thread::yield_now();
        }
    }

    #[test]
    fn what_was_kept_is_there_after_a_restart_and_a_torn_line_is_not() {
        let directory = tempfile::tempdir().unwrap();
        let kept = Equivocations::open(directory.path(), &origin()).unwrap();
        for height in 1..=3 {
            assert!(kept.keep(equivocation(height, 1)).is_some());
            assert!(kept.keep(equivocation(height, 1)).is_none(), "twice the same");
        }
        wait_kept(&kept, 3);
        drop(kept);
        let path = directory.path().join(FILE_NAME);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 9]).unwrap();
        let kept = Equivocations::open(directory.path(), &origin()).unwrap();
        assert_eq!(kept.list(0, 10).0, [equivocation(1, 1), equivocation(2, 1)]);
        assert!(directory.path().join(DAMAGED_FILE_NAME).exists());
        assert_eq!(kept.keep(equivocation(3, 1)), Some(3), "the torn one can be kept again");
        wait_kept(&kept, 3);
        drop(kept);
        // One changed byte in the middle: the others stay.
        let mut bytes = std::fs::read(&path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
        std::fs::write(&path, &bytes).unwrap();
        let kept = Equivocations::open(directory.path(), &origin()).unwrap();
        assert_eq!(kept.list(0, 10).0, [equivocation(1, 1), equivocation(3, 1)]);
    }

    #[test]
    fn of_one_validator_only_so_much_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let kept = Equivocations::open(directory.path(), &origin()).unwrap();
        let proofs = (1..=EQUIVOCATIONS_PER_VALIDATOR_MAX as u64 + 5).map(|height| equivocation(height, 1));
        assert_eq!(proofs.filter(|proof| kept.keep(proof.clone()).is_some()).count(), EQUIVOCATIONS_PER_VALIDATOR_MAX);
        assert_eq!(kept.keep(equivocation(1, 2)), Some(1), "another one's");
        wait_kept(&kept, EQUIVOCATIONS_PER_VALIDATOR_MAX + 1);
        assert_eq!(kept.counts().1, 2);
    }
}
