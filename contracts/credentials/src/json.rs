//! JSON as somebody else wrote it: any members and numbers, but one reading.
//!
//! - INV-JSON-1: what is read has no member twice in one object, at any depth, in whatever spelling the name is escaped.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::limits::CREDENTIAL_DEPTH_MAX;
use crate::refusal::Refusal;

/// Characters of a member's name that an error repeats.
const NAME_CHARS_SHOWN: usize = 64;

/// Reads an object.
pub fn object(bytes: &[u8]) -> Result<Map<String, Value>, Refusal> {
    match value(bytes)? {
        Value::Object(object) => Ok(object),
        _ => Err(Refusal::malformed("expected a JSON object")),
    }
}

/// Reads a value.
pub fn value(bytes: &[u8]) -> Result<Value, Refusal> {
    // serde_json stops at a nesting of 128, so its stack is safe; how deep a credential may be is checked with the names.
    let value = serde_json::from_slice(bytes).map_err(|_| Refusal::malformed("not JSON"))?;
    check(bytes)?;
    Ok(value)
}

/// The members of an object, each value as the bytes it stands in, for the caller to read. Of what is inside the values only
/// the nesting of brackets is looked at.
pub fn members(bytes: &[u8]) -> Result<BTreeMap<Cow<'_, str>, &[u8]>, Refusal> {
    let refuse = || Refusal::malformed("not a JSON object");
    let mut members = BTreeMap::new();
    let mut at = space(bytes, 0);
    let expect = |at: usize, byte: u8| (bytes.get(at) == Some(&byte)).then_some(at + 1).ok_or_else(refuse);
    at = space(bytes, expect(at, b'{')?);
    while bytes.get(at) != Some(&b'}') || !members.is_empty() {
        let start = at;
        at = string_end(bytes, expect(at, b'"')? - 1);
        let name = name(&bytes[start..at])?;
        at = space(bytes, expect(space(bytes, at), b':')?);
        let end = value_end(bytes, at).ok_or_else(refuse)?;
        if members.contains_key(&name) {
            return Err(Refusal::DuplicateMember(shown(&name)));
        }
        members.insert(name, &bytes[at..end]);
        at = space(bytes, end);
        match bytes.get(at) {
            Some(b',') => at = space(bytes, at + 1),
            Some(b'}') => break,
            _ => return Err(refuse()),
        }
    }
    if space(bytes, expect(at, b'}')?) == bytes.len() { Ok(members) } else { Err(refuse()) }
}

/// The beginning of a member's name, for an error.
pub(crate) fn shown(name: &str) -> String {
    name.chars().take(NAME_CHARS_SHOWN).collect()
}

/// The place after white space.
fn space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\r' | b'\n')) {
        at += 1;
    }
    at
}

/// The place after the value that begins at a place, by its brackets and quotes. Whether it is JSON, who reads it sees.
fn value_end(bytes: &[u8], start: usize) -> Option<usize> {
    match bytes.get(start)? {
        b'"' => Some(string_end(bytes, start)),
        b'{' | b'[' => {
            let (mut depth, mut at) = (0usize, start);
            while let Some(byte) = bytes.get(at) {
                match byte {
                    b'"' => {
                        at = string_end(bytes, at);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth = depth.saturating_sub(1),
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
            None
        }
        _ => {
            let length =
                bytes[start..].iter().position(|byte| matches!(byte, b',' | b'}' | b' ' | b'\t' | b'\r' | b'\n'))?;
            (length > 0).then_some(start + length)
        }
    }
}

/// Checks names and nesting of text that is known to be JSON.
fn check(bytes: &[u8]) -> Result<(), Refusal> {
    // One entry for each open bracket: the names so far, or none for an array.
    let mut open: Vec<Option<BTreeSet<Cow<'_, str>>>> = Vec::new();
    let (mut at, mut expects_name) = (0, false);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                let end = string_end(bytes, at);
                if expects_name && let Some(Some(names)) = open.last_mut() {
                    let name = name(&bytes[at..end])?;
                    if names.contains(&name) {
                        return Err(Refusal::DuplicateMember(shown(&name)));
                    }
                    names.insert(name);
                }
                expects_name = false;
                at = end;
                continue;
            }
            b'{' | b'[' => {
                if open.len() == CREDENTIAL_DEPTH_MAX {
                    return Err(Refusal::malformed("the JSON is nested deeper than a credential is"));
                }
                expects_name = *byte == b'{';
                open.push(expects_name.then(BTreeSet::new));
            }
            b'}' | b']' => {
                open.pop();
                expects_name = false;
            }
            b',' => expects_name = matches!(open.last(), Some(Some(_))),
            _ => {}
        }
        at += 1;
    }
    Ok(())
}

/// The place after the closing quote of the string that begins at a place.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    loop {
        // Eight at a time, as long as there is neither quote nor backslash: most of a proof is long texts.
        while let Some(eight) = bytes.get(at..at + 8).and_then(|eight| eight.try_into().ok()) {
            let eight = u64::from_le_bytes(eight);
            if holds(eight, b'"') || holds(eight, b'\\') {
                break;
            }
            at += 8;
        }
        for _ in 0..8 {
            match bytes.get(at) {
                None => return bytes.len(),
                Some(b'"') => return at + 1,
                Some(b'\\') => at += 2,
                Some(_) => at += 1,
            }
        }
    }
}

/// Whether one of eight bytes is this one; false positives do not matter, and there are none below the lowest hit.
fn holds(eight: u64, byte: u8) -> bool {
    const ONES: u64 = 0x0101_0101_0101_0101;
    let zero_where_equal = eight ^ (ONES * u64::from(byte));
    zero_where_equal.wrapping_sub(ONES) & !zero_where_equal & (ONES << 7) != 0
}

fn name(quoted: &[u8]) -> Result<Cow<'_, str>, Refusal> {
    let refuse = |_| Refusal::malformed("not JSON");
    if quoted.contains(&b'\\') {
        return serde_json::from_slice(quoted).map(Cow::Owned).map_err(refuse);
    }
    serde_json::from_slice(quoted).map(Cow::Borrowed).map_err(refuse)
}
