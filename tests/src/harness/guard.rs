//! What a double-sign guard says was signed, read from its file by the byte table in node/consensus/src/guard.rs.

use std::collections::BTreeMap;
use std::path::Path;

/// Height, round and step (0 proposal, 1 prevote, 2 precommit).
pub type Slot = (u64, u32, u8);

/// The message that was signed in each slot. An incomplete last entry never left the machine and is not counted.
///
/// # Panics
/// When the file is no guard, or one file holds two messages for one slot.
pub fn signed_slots(file: &Path) -> BTreeMap<Slot, Vec<u8>> {
    let bytes = std::fs::read(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    assert!(bytes.starts_with(b"testamur-guard-v1\n"), "{} is a guard", file.display());
    let mut rest = &bytes[55..];
    let mut slots = BTreeMap::new();
    while rest.len() >= 16 {
        let length = u32::from_be_bytes(rest[..4].try_into().expect("4 bytes"));
        let inverted = u32::from_be_bytes(rest[4..8].try_into().expect("4 bytes"));
        assert_eq!(length, !inverted, "{}: a length is damaged", file.display());
        let Some(body) = rest.get(16..16 + length as usize) else { break };
        rest = &rest[16 + length as usize..];
        if body[0] != 1 {
            continue;
        }
        let number = |at: usize| u64::from_be_bytes(body[at..at + 8].try_into().expect("8 bytes"));
        let round = u32::from_be_bytes(body[9..13].try_into().expect("4 bytes"));
        let slot = (number(1), round, body[13]);
        let mut at = 14;
        at += 1 + usize::from(body[at]) * 80; // value
        at += 1 + usize::from(body[at]) * 4; // justifying round
        at += 1 + usize::from(body[at]) * 84; // lock
        let message = body[at + 64..].to_vec();
        if let Some(before) = slots.insert(slot, message.clone()) {
            assert!(before == message, "{}: two messages for {slot:?}", file.display());
        }
    }
    slots
}
