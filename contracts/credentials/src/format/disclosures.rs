//! The disclosures of an SD-JWT (RFC 9901 §4.2, §7.1): made, and put back where their digests stand.
//!
//! - INV-SD-1: each disclosure belongs to exactly one digest of the signed payload or of another disclosure that does, and
//!   no digest stands twice; so a field cannot be added, moved or shown in two ways.
//! - INV-SD-2: a disclosure overwrites nothing, and gives nothing that says who issued the credential, when it holds, what
//!   kind it is or where it is withdrawn.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use testamur_primitives::codec::{base64url, canonical, from_base64url, sha256};

use super::{ALWAYS_DISCLOSED, RESERVED};
use crate::json;
use crate::limits::{CREDENTIAL_DEPTH_MAX, DISCLOSURES_MAX};
use crate::refusal::Refusal;

/// The only digest algorithm; also what is meant when none is named.
pub(super) const DIGEST_ALGORITHM: &str = "sha-256";

/// A disclosure of a member, in the one spelling that is made here.
pub(super) fn disclosure(salt: [u8; 16], name: &str, value: &Value) -> String {
    base64url(&canonical(&json!([base64url(&salt), name, value])))
}

/// The digest that stands for a disclosure.
pub(super) fn digest(disclosure: &str) -> String {
    base64url(&sha256(&[disclosure.as_bytes()]))
}

/// A payload with its disclosures in place.
#[derive(Debug)]
pub(super) struct Disclosed {
    /// The claims.
    pub(super) claims: Map<String, Value>,
    /// Digests that no disclosure was given for: fields kept back, or decoys.
    pub(super) undisclosed: usize,
    /// For each disclosure, the claim that it is part of.
    pub(super) parts_of: Vec<String>,
}

/// Puts disclosures in place.
pub(super) fn apply(payload: &Map<String, Value>, disclosures: &[&str]) -> Result<Disclosed, Refusal> {
    if disclosures.len() > DISCLOSURES_MAX {
        return Err(Refusal::Disclosure("more disclosures than are read"));
    }
    match payload.get("_sd_alg") {
        None => {}
        Some(Value::String(name)) if name == DIGEST_ALGORITHM => {}
        Some(_) => return Err(Refusal::UnknownFormat("an SD-JWT with another digest than SHA-256")),
    }
    let mut given = BTreeMap::new();
    for (index, disclosure) in disclosures.iter().enumerate() {
        if given.insert(digest(disclosure), (index, decode(disclosure)?)).is_some() {
            return Err(Refusal::Disclosure("a disclosure stands twice"));
        }
    }
    let mut placing =
        Placing { given, seen: BTreeSet::new(), undisclosed: 0, parts_of: vec![String::new(); disclosures.len()] };
    let claims = placing.object(payload, None, 0)?;
    if !placing.given.is_empty() {
        return Err(Refusal::Disclosure("a disclosed field does not belong to the credential"));
    }
    Ok(Disclosed { claims, undisclosed: placing.undisclosed, parts_of: placing.parts_of })
}

/// Salt and, for a member, its name, and the value.
fn decode(disclosure: &str) -> Result<Vec<Value>, Refusal> {
    let bytes = from_base64url(disclosure).map_err(|_| Refusal::Disclosure("a disclosure is not base64url"))?;
    let parts = match json::value(&bytes) {
        Ok(Value::Array(parts)) => parts,
        Err(error @ Refusal::DuplicateMember(_)) => return Err(error),
        _ => return Err(Refusal::Disclosure("a disclosure is not a JSON array")),
    };
    match parts.as_slice() {
        [Value::String(_), _] | [Value::String(_), Value::String(_), _] => Ok(parts),
        _ => Err(Refusal::Disclosure("a disclosure is not salt, name and value")),
    }
}

struct Placing {
    /// What is not placed yet, by digest.
    given: BTreeMap<String, (usize, Vec<Value>)>,
    /// Digests met so far.
    seen: BTreeSet<String>,
    undisclosed: usize,
    parts_of: Vec<String>,
}

impl Placing {
    fn object(
        &mut self,
        object: &Map<String, Value>,
        part_of: Option<&str>,
        depth: usize,
    ) -> Result<Map<String, Value>, Refusal> {
        let mut placed = Map::new();
        for (name, value) in object {
            match name.as_str() {
                "_sd" => {}
                "_sd_alg" if depth == 0 => {}
                "..." => return Err(Refusal::Disclosure("a digest of an array element stands in an object")),
                _ => {
                    placed.insert(name.clone(), self.value(value, part_of.unwrap_or(name), depth + 1)?);
                }
            }
        }
        let digests = match object.get("_sd") {
            None => return Ok(placed),
            Some(Value::Array(digests)) => digests,
            Some(_) => return Err(Refusal::Disclosure("_sd is not a list of digests")),
        };
        for digest in digests {
            let Some((index, parts)) = self.take(digest)? else { continue };
            let [_, Value::String(name), value] = parts.as_slice() else {
                return Err(Refusal::Disclosure("an array element is disclosed as a member"));
            };
            let signed_only = RESERVED.contains(&name.as_str()) || ALWAYS_DISCLOSED.contains(&name.as_str());
            if matches!(name.as_str(), "_sd" | "...") || (depth == 0 && signed_only) {
                return Err(Refusal::Disclosure("a disclosure gives what must be signed in the open"));
            }
            if placed.contains_key(name) {
                return Err(Refusal::Disclosure("a disclosure overwrites a field"));
            }
            let part_of = part_of.unwrap_or(name);
            part_of.clone_into(&mut self.parts_of[index]);
            placed.insert(name.clone(), self.value(value, part_of, depth + 1)?);
        }
        Ok(placed)
    }

    fn value(&mut self, value: &Value, part_of: &str, depth: usize) -> Result<Value, Refusal> {
        if depth > CREDENTIAL_DEPTH_MAX {
            return Err(Refusal::Disclosure("disclosures are nested deeper than a credential is"));
        }
        match value {
            Value::Object(object) => self.object(object, Some(part_of), depth).map(Value::Object),
            Value::Array(elements) => self.array(elements, part_of, depth).map(Value::Array),
            other => Ok(other.clone()),
        }
    }

    fn array(&mut self, elements: &[Value], part_of: &str, depth: usize) -> Result<Vec<Value>, Refusal> {
        let mut placed = Vec::with_capacity(elements.len());
        for element in elements {
            let Some(digest) = element.get("...") else {
                placed.push(self.value(element, part_of, depth + 1)?);
                continue;
            };
            if element.as_object().is_some_and(|object| object.len() != 1) {
                return Err(Refusal::Disclosure("beside the digest of an array element stands more"));
            }
            let Some((index, parts)) = self.take(digest)? else { continue };
            let [_, value] = parts.as_slice() else {
                return Err(Refusal::Disclosure("a member is disclosed as an array element"));
            };
            part_of.clone_into(&mut self.parts_of[index]);
            placed.push(self.value(value, part_of, depth + 1)?);
        }
        Ok(placed)
    }

    /// The disclosure of a digest, which may be taken once (INV-SD-1).
    fn take(&mut self, digest: &Value) -> Result<Option<(usize, Vec<Value>)>, Refusal> {
        let digest = digest.as_str().ok_or(Refusal::Disclosure("a digest is not text"))?;
        if !self.seen.insert(digest.to_owned()) {
            return Err(Refusal::Disclosure("a digest stands twice"));
        }
        let found = self.given.remove(digest);
        self.undisclosed += usize::from(found.is_none());
        Ok(found)
    }
}
