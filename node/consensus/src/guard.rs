//! The double-sign guard: a validator's key never signs two different things for one height, round and step.
//!
//! It is a file of its own, outside the store and outside every backup, and it does not trust the engine's log.
//! An entry (what was signed, its signature, and the lock it leaves) is on disk before the signature leaves
//! (INV-GUARD-1). Asked for the same slot again it returns what is stored, whatever the question (INV-GUARD-2). A
//! prevote for another value than the one locked, without newer prevotes that justify it, becomes a prevote for nil
//! (INV-GUARD-3). Refusing is never an error: the engine takes an error for its death, and four validators once
//! refused together. Only failed I/O is one; it is fatal and never retried (INV-GUARD-4).
//!
//! Slots are the address's, not a key's. Each height's set names one key for the address, and it is fixed before the height
//! begins, so a rotation neither opens a slot to a second key nor loses what was signed in one (INV-GUARD-6); two
//! processes that hold one key each, by mistake, sign at different heights.
//!
//! A lock outlives a power cut in the guard only if what led to it does in the engine's log (INV-GUARD-7): the signer makes
//! that durable before it asks for a precommit of a value. Else the engine would come back without the lock, could not
//! prove it to the others, and prevote nil for ever where every vote is needed.
//!
//! A guard that is missing, damaged, or knows less than the store cannot tell what its key has signed. It is then
//! *unsettled*, on disk too, so that a second start does not forget it, and signs nothing (INV-GUARD-5) until
//! [`Guard::settle`]: when others have decided a height that began after this node started.
//!
//! # File
//! Header, 55 bytes: `"testamur-guard-v1\n"` (18), 5 zero bytes, the validator's address (32). Then entries:
//!
//! | bytes | what |
//! |---|---|
//! | 4 | length of the body, big-endian, at most 4,096 |
//! | 4 | the same length, all bits inverted: a flipped bit must not look like an entry that was cut short |
//! | 8 | first bytes of SHA-256 of the body |
//! | … | body: kind (1), height (8), then by kind |
//!
//! | kind | body after the height |
//! |---|---|
//! | 1 signed | round (4), step (1), value (1 + 80 or 1), justifying round (1 + 4 or 1), lock round and value (1 + 84 or 1), signature (64), message (rest) |
//! | 2 floor | nothing: nothing may be signed at or below this height |
//! | 3 mark | nothing: the guard was there when the store reached this height |
//! | 4 unsettled | nothing: what the key signed before is not known; undone only by rewriting the file |
//!
//! An incomplete last entry was being written when the machine stopped, so its signature never left: it is cut off. Where the
//! power went, a file system may have kept the file's new size and not its bytes, or not those of one block: then zeros stand
//! there. That is taken for the last entry's fate only; zeros in the place of more are damage.
//! A complete entry with a wrong checksum is damage: the file is then worth nothing, as if it were missing.

mod disk;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::codec::sha256;
use testamur_primitives::hash::Address;
use testamur_primitives::units::{Height, Round};

use crate::limits::{GUARD_ENTRY_BYTES_MAX, GUARD_FILE_BYTES_MAX};

pub use disk::{Directory, GuardDisk};

const MAGIC: &[u8; 23] = b"testamur-guard-v1\n\0\0\0\0\0";
const HEADER_BYTES: usize = 23 + 32;
/// An entry's length, its complement, its checksum.
const ENTRY_HEAD_BYTES: usize = 16;
/// File systems write in blocks of this size or of multiples of it.
const BLOCK_BYTES: usize = 4096;
const FILE_NAME: &str = "guard.log";
const NEW_FILE_NAME: &str = "guard.new";
const DAMAGED_FILE_NAME: &str = "guard.damaged";

/// What kind of message a slot is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A proposal.
    Proposal,
    /// A prevote.
    Prevote,
    /// A precommit.
    Precommit,
}

/// Where at most one message may ever be signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot {
    /// Height.
    pub height: Height,
    /// Round.
    pub round: Round,
    /// Step.
    pub step: Step,
}

/// What the engine wants signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The slot.
    pub slot: Slot,
    /// The value, or nil.
    pub value: Option<ValueId>,
    /// For a proposal its proof-of-lock round; for a prevote the one of the proposal that it answers.
    pub justified_by: Option<Round>,
}

/// What was signed in a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The value, or nil: may differ from the request.
    pub value: Option<ValueId>,
    /// For a proposal: its proof-of-lock round.
    pub justified_by: Option<Round>,
    /// The value locked at this height after this signature, and in which round.
    pub lock: Option<(Round, ValueId)>,
    /// The bytes signed.
    pub message: Vec<u8>,
    /// The signature.
    pub signature: [u8; 64],
}

/// What a guard found when it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It knows all that its key may have signed.
    Complete,
    /// There was no usable file; a new one was made.
    Missing,
    /// It knows less than the store: it comes from somewhere else, or from the past.
    Behind,
    /// It was missing or behind at an earlier start and has not been settled since.
    Unsettled,
}

/// I/O of the guard failed: what was signed may not be on disk. Fatal.
#[derive(Debug, thiserror::Error)]
pub enum GuardError {
    /// Reading or writing failed.
    #[error("double-sign guard: {what} {path}: {source}", path = path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        source: io::Error,
    },
    /// An earlier failure: nothing is signed any more.
    #[error("double-sign guard: stopped after an earlier failure")]
    Stopped,
    /// Another validator's guard.
    #[error("double-sign guard: {path} belongs to validator {found}", path = path.display())]
    OtherValidator {
        /// Which file.
        path: PathBuf,
        /// Whose it is.
        found: Address,
    },
    /// Asked for a height whose entries are gone, or while unsettled: the node should have followed, not voted.
    #[error("double-sign guard: asked to sign at height {0}, where it does not know what was signed")]
    NotKnown(Height),
}

/// The guard.
#[derive(Debug)]
pub struct Guard {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    disk: Box<dyn GuardDisk>,
    address: Address,
    /// Set after a failure: nothing is signed any more (INV-GUARD-4).
    stopped: bool,
    file_bytes: u64,
    entries: BTreeMap<Slot, Signed>,
    floor: Height,
    high: Height,
    unsettled: bool,
}

impl Guard {
    /// Makes a new guard for a validator that has never signed: part of making its keys, never of a start.
    pub fn create(directory: &Path, address: Address) -> Result<(), GuardError> {
        Self::create_on(&mut Directory::open(directory)?, address)
    }

    /// As [`Guard::create`], on any disk.
    pub fn create_on(disk: &mut dyn GuardDisk, address: Address) -> Result<(), GuardError> {
        disk.create(FILE_NAME, true).map_err(io_error(disk, "create", FILE_NAME))?;
        disk.append(FILE_NAME, &header(address)).map_err(io_error(disk, "write", FILE_NAME))?;
        disk.sync(FILE_NAME).map_err(io_error(disk, "sync", FILE_NAME))?;
        disk.sync_directory().map_err(io_error(disk, "sync", "."))
    }

    /// Opens the guard of a validator whose store is at `tip`.
    pub fn open(directory: &Path, address: Address, tip: Height) -> Result<(Self, Standing), GuardError> {
        Self::open_on(Box::new(Directory::open(directory)?), address, tip)
    }

    /// As [`Guard::open`], on any disk.
    pub fn open_on(
        mut disk: Box<dyn GuardDisk>,
        address: Address,
        tip: Height,
    ) -> Result<(Self, Standing), GuardError> {
        let bytes = disk.read(FILE_NAME).map_err(io_error(&*disk, "read", FILE_NAME))?;
        let mut loaded = bytes.as_deref().and_then(load);
        if let Some(found) = loaded.as_ref().map(|l| l.address).filter(|found| *found != address) {
            return Err(GuardError::OtherValidator { path: disk.path(FILE_NAME), found });
        }
        let standing = match &loaded {
            None => Standing::Missing,
            Some(l) if l.unsettled => Standing::Unsettled,
            Some(l) if l.high < tip => Standing::Behind,
            Some(_) => Standing::Complete,
        };
        if standing == Standing::Missing && bytes.is_some() {
            // Damaged: kept aside for whoever wants to know why; its name no longer counts.
            disk.rename(FILE_NAME, DAMAGED_FILE_NAME).map_err(io_error(&*disk, "rename", FILE_NAME))?;
        }
        let loaded = loaded.take().unwrap_or_else(|| Loaded::empty(address));
        let mut state = State {
            disk,
            address,
            stopped: false,
            file_bytes: 0,
            entries: loaded.entries,
            floor: loaded.floor,
            high: loaded.high,
            unsettled: standing != Standing::Complete,
        };
        // Rewriting cuts off a torn tail and makes sure that the file can be written before anything is signed.
        state.rewrite()?;
        Ok((Self { state: Mutex::new(state) }, standing))
    }

    /// Signs a request, or returns what the slot already holds. `message` makes the bytes for a value (or nil) and
    /// justifying round, `sign` the signature.
    pub fn sign(
        &self,
        request: Request,
        message: impl Fn(Option<&ValueId>, Option<Round>) -> Vec<u8>,
        sign: impl FnOnce(&[u8]) -> [u8; 64],
    ) -> Result<Signed, GuardError> {
        let mut state = self.state.lock().expect("no panic while the guard is held");
        if state.stopped {
            return Err(GuardError::Stopped);
        }
        if let Some(stored) = state.entries.get(&request.slot).filter(|_| !state.unsettled) {
            return Ok(stored.clone()); // INV-GUARD-2
        }
        if state.unsettled || request.slot.height <= state.floor {
            return Err(GuardError::NotKnown(request.slot.height)); // INV-GUARD-5
        }
        let lock = state.lock_at(request.slot);
        let mut value = request.value;
        if let (Step::Prevote, Some(wanted), Some((locked_round, locked))) = (request.slot.step, value, lock) {
            let justified = request.justified_by.is_some_and(|pol| pol >= locked_round && pol < request.slot.round);
            if wanted != locked && !justified {
                tracing::warn!(height = %request.slot.height, round = %request.slot.round, "locked on another value: prevoting nil");
                value = None; // INV-GUARD-3
            }
        }
        // The engine precommits a value only on two thirds of prevotes in this very round: that moves the lock.
        let lock = match (request.slot.step, value) {
            (Step::Precommit, Some(value)) => Some((request.slot.round, value)),
            _ => lock,
        };
        let message = message(value.as_ref(), request.justified_by);
        let signature = sign(&message);
        let signed = Signed { value, justified_by: request.justified_by, lock, message, signature };
        state.append(&encode_signed(request.slot, &signed), true)?;
        state.high = state.high.max(request.slot.height);
        state.entries.insert(request.slot, signed.clone());
        drop(state);
        // Crash here: the entry is on disk, the signature never left, the engine's log knows nothing of it.
        #[cfg(feature = "faults")]
        fail::fail_point!("consensus.after-guard-sync.abort", |_| std::process::abort());
        Ok(signed)
    }

    /// Notes that the store is about to reach `height`, so that the next start finds the guard not behind it.
    /// Free where the guard signed at that height itself; durable when it returns.
    pub fn mark(&self, height: Height) -> Result<(), GuardError> {
        let mut state = self.state.lock().expect("no panic while the guard is held");
        if state.high >= height {
            return Ok(());
        }
        state.append(&encode_plain(3, height), true)?;
        state.high = height;
        Ok(())
    }

    /// Forgets the slots at and below a height that the store holds durably; nothing is signed there any more.
    pub fn prune(&self, committed: Height) -> Result<(), GuardError> {
        let mut state = self.state.lock().expect("no panic while the guard is held");
        state.floor = state.floor.max(committed);
        state.high = state.high.max(committed);
        let above = Slot { height: state.floor.next(), round: Round(0), step: Step::Proposal };
        state.entries = state.entries.split_off(&above);
        if state.file_bytes > GUARD_FILE_BYTES_MAX {
            state.rewrite()?;
        }
        Ok(())
    }

    /// What was signed before no longer matters above `height`: others decided a height that began after this node
    /// started, or the operator takes the blame. Nothing is signed at or below it.
    pub fn settle(&self, height: Height) -> Result<(), GuardError> {
        let mut state = self.state.lock().expect("no panic while the guard is held");
        state.floor = state.floor.max(height);
        state.high = state.high.max(height);
        let above = Slot { height: state.floor.next(), round: Round(0), step: Step::Proposal };
        state.entries = state.entries.split_off(&above);
        state.unsettled = false;
        state.rewrite()
    }

    /// Nothing is signed at or below this height.
    pub fn floor(&self) -> Height {
        self.state.lock().expect("no panic while the guard is held").floor
    }
}

impl State {
    /// The newest lock of the slot's height, from rounds before the slot's or its own round.
    fn lock_at(&self, slot: Slot) -> Option<(Round, ValueId)> {
        let first = Slot { height: slot.height, round: Round(0), step: Step::Proposal };
        self.entries.range(first..slot).filter_map(|(_, signed)| signed.lock).max_by_key(|(round, _)| *round)
    }

    fn append(&mut self, entry: &[u8], sync: bool) -> Result<(), GuardError> {
        #[cfg(feature = "faults")]
        fail::fail_point!("consensus.guard.forget", |_| Ok(()));
        // First: whatever fails below, nothing more is signed (INV-GUARD-4).
        if std::mem::replace(&mut self.stopped, true) {
            return Err(GuardError::Stopped);
        }
        self.disk.append(FILE_NAME, entry).map_err(io_error(&*self.disk, "write", FILE_NAME))?;
        if sync {
            self.disk.sync(FILE_NAME).map_err(io_error(&*self.disk, "sync", FILE_NAME))?; // INV-GUARD-1
        }
        self.file_bytes += entry.len() as u64;
        self.stopped = false;
        Ok(())
    }

    /// Writes what is known to a new file and puts it in the old one's place. Crash at any point: the old or the new
    /// file is there, and both hold every slot above the floor.
    fn rewrite(&mut self) -> Result<(), GuardError> {
        self.stopped = true;
        let mut bytes = header(self.address).to_vec();
        bytes.extend(encode_plain(2, self.floor));
        bytes.extend(encode_plain(3, self.high));
        if self.unsettled {
            bytes.extend(encode_plain(4, self.high));
        }
        for (slot, signed) in &self.entries {
            bytes.extend(encode_signed(*slot, signed));
        }
        let disk = &mut *self.disk;
        disk.create(NEW_FILE_NAME, false).map_err(io_error(disk, "create", NEW_FILE_NAME))?;
        disk.append(NEW_FILE_NAME, &bytes).map_err(io_error(disk, "write", NEW_FILE_NAME))?;
        disk.sync(NEW_FILE_NAME).map_err(io_error(disk, "sync", NEW_FILE_NAME))?;
        disk.rename(NEW_FILE_NAME, FILE_NAME).map_err(io_error(disk, "rename", NEW_FILE_NAME))?;
        disk.sync_directory().map_err(io_error(disk, "sync", "."))?;
        self.file_bytes = bytes.len() as u64;
        self.stopped = false;
        Ok(())
    }
}

#[derive(Debug)]
struct Loaded {
    address: Address,
    entries: BTreeMap<Slot, Signed>,
    floor: Height,
    high: Height,
    unsettled: bool,
}

impl Loaded {
    fn empty(address: Address) -> Self {
        Self { address, entries: BTreeMap::new(), floor: Height(0), high: Height(0), unsettled: false }
    }
}

/// Reads a guard's file; `None` when it is damaged.
fn load(bytes: &[u8]) -> Option<Loaded> {
    let (magic, rest) = bytes.split_first_chunk::<23>()?;
    let (address, mut rest) = rest.split_first_chunk::<32>()?;
    if magic != MAGIC {
        return None;
    }
    let mut loaded = Loaded::empty(Address::from_bytes(*address));
    while !rest.is_empty() {
        // Cut short: this entry was being written when the machine stopped.
        let Some((lengths, after)) = rest.split_first_chunk::<8>() else { break };
        let lengths = u64::from_be_bytes(*lengths);
        let length = (lengths >> 32) as usize;
        let plausible = length <= GUARD_ENTRY_BYTES_MAX && lengths as u32 == !(length as u32);
        if !plausible && never_reached_the_disk(bytes.len() - rest.len(), bytes) {
            break;
        }
        if !plausible {
            return None;
        }
        let Some((checksum, after)) = after.split_first_chunk::<8>() else { break };
        let Some((body, after)) = after.split_at_checked(length) else { break };
        if sha256(&[body])[..8] != *checksum {
            if never_reached_the_disk(bytes.len() - rest.len(), bytes) {
                break;
            }
            return None;
        }
        read_body(body, &mut loaded)?;
        rest = after;
    }
    let above = Slot { height: loaded.floor.next(), round: Round(0), step: Step::Proposal };
    loaded.entries = loaded.entries.split_off(&above);
    Some(loaded)
}

/// Whether zeros stand in the place of the last entry: in all of it that lies in its first block, or in all behind that. Its size
/// reached the disk then, and its bytes did not, or those of one block alone. No flipped bit makes four zeros: an entry neither begins with
/// them, as its length's complement is never 0, nor ends with them, as messages are text and heights below 2^32. One that lies in
/// the second block with fewer than four bytes counts as damaged: the validator then waits for the others once.
fn never_reached_the_disk(at: usize, bytes: &[u8]) -> bool {
    let last = &bytes[at..];
    let (first, second) = last.split_at(last.len().min(BLOCK_BYTES - at % BLOCK_BYTES));
    let zeros = |part: &[u8]| part.len() >= 4 && part.iter().all(|byte| *byte == 0);
    last.len() <= ENTRY_HEAD_BYTES + GUARD_ENTRY_BYTES_MAX && (zeros(first) || zeros(second))
}

/// Reads any bytes as a file, and pieces of them as entries whose checksums are right; for fuzzing.
pub(crate) fn parse(bytes: &[u8]) {
    load(bytes);
    let mut file = header(Address::ZERO).to_vec();
    for body in crate::parsers::pieces(bytes).filter(|body| body.len() <= GUARD_ENTRY_BYTES_MAX) {
        file.extend(frame(body));
    }
    if let Some(loaded) = load(&file) {
        assert!(loaded.entries.keys().all(|slot| slot.height > loaded.floor && slot.height <= loaded.high));
        // INV-GUARD: what a guard writes anew is what it knew.
        let mut again = header(loaded.address).to_vec();
        again.extend(encode_plain(2, loaded.floor));
        again.extend(encode_plain(3, loaded.high));
        loaded.entries.iter().for_each(|(slot, signed)| again.extend(encode_signed(*slot, signed)));
        let read = load(&again).expect("what a guard writes is read");
        assert_eq!((read.floor, read.high, read.entries.len()), (loaded.floor, loaded.high, loaded.entries.len()));
    }
}

fn read_body(body: &[u8], loaded: &mut Loaded) -> Option<()> {
    let mut reader = body;
    let [kind] = take(&mut reader)?;
    let height = Height(u64::from_be_bytes(take(&mut reader)?));
    // No ledger gets there, and a floor has a height above it.
    if height == Height(u64::MAX) {
        return None;
    }
    loaded.high = loaded.high.max(height);
    match kind {
        1 => {
            let round = Round(u32::from_be_bytes(take(&mut reader)?));
            let step = match take::<1>(&mut reader)? {
                [0] => Step::Proposal,
                [1] => Step::Prevote,
                [2] => Step::Precommit,
                _ => return None,
            };
            let value = optional(&mut reader, |r| take(r).map(|bytes| ValueId::from_bytes(&bytes)))?;
            let round_of = |r: &mut &[u8]| take(r).map(|bytes| Round(u32::from_be_bytes(bytes)));
            let justified_by = optional(&mut reader, round_of)?;
            let lock =
                optional(&mut reader, |r| Some((round_of(r)?, take(r).map(|bytes| ValueId::from_bytes(&bytes))?)))?;
            let signature = take(&mut reader)?;
            let signed = Signed { value, justified_by, lock, message: reader.to_vec(), signature };
            loaded.entries.insert(Slot { height, round, step }, signed);
        }
        2 if reader.is_empty() => loaded.floor = loaded.floor.max(height),
        3 if reader.is_empty() => {}
        4 if reader.is_empty() => loaded.unsettled = true,
        _ => return None,
    }
    Some(())
}

fn take<const N: usize>(reader: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = reader.split_first_chunk::<N>()?;
    *reader = rest;
    Some(*bytes)
}

fn optional<T>(reader: &mut &[u8], read: impl FnOnce(&mut &[u8]) -> Option<T>) -> Option<Option<T>> {
    match take::<1>(reader)? {
        [0] => Some(None),
        [1] => read(reader).map(Some),
        _ => None,
    }
}

fn header(address: Address) -> [u8; HEADER_BYTES] {
    let mut bytes = [0; HEADER_BYTES];
    bytes[..23].copy_from_slice(MAGIC);
    bytes[23..].copy_from_slice(address.as_bytes());
    bytes
}

fn encode_plain(kind: u8, height: Height) -> Vec<u8> {
    let mut body = vec![kind];
    body.extend(height.get().to_be_bytes());
    frame(&body)
}

fn encode_signed(slot: Slot, signed: &Signed) -> Vec<u8> {
    let mut body = vec![1];
    body.extend(slot.height.get().to_be_bytes());
    body.extend(slot.round.0.to_be_bytes());
    body.push(match slot.step {
        Step::Proposal => 0,
        Step::Prevote => 1,
        Step::Precommit => 2,
    });
    body.push(signed.value.is_some().into());
    body.extend(signed.value.iter().flat_map(ValueId::to_bytes));
    body.push(signed.justified_by.is_some().into());
    body.extend(signed.justified_by.iter().flat_map(|round| round.0.to_be_bytes()));
    body.push(signed.lock.is_some().into());
    if let Some((round, value)) = &signed.lock {
        body.extend(round.0.to_be_bytes());
        body.extend(value.to_bytes());
    }
    body.extend(signed.signature);
    body.extend(&signed.message);
    frame(&body)
}

fn frame(body: &[u8]) -> Vec<u8> {
    assert!(body.len() <= GUARD_ENTRY_BYTES_MAX, "a signed message is shorter than an entry may be");
    let length = body.len() as u32;
    let mut entry = [length.to_be_bytes(), (!length).to_be_bytes()].concat();
    entry.extend(&sha256(&[body])[..8]);
    entry.extend(body);
    entry
}

fn io_error(disk: &dyn GuardDisk, what: &'static str, name: &str) -> impl FnOnce(io::Error) -> GuardError + use<> {
    let path = disk.path(name);
    move |source| GuardError::Io { what, path, source }
}

#[cfg(test)]
mod tests;
