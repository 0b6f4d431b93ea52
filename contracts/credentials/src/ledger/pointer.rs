//! Where a credential's status entry points: to a list of this ledger, or elsewhere.
//!
//! An issuer's list `L` has two companions with the same places: `L-suspended` and `L-replaced`. A pointer into any of the three
//! means all of them.

use std::collections::BTreeSet;

use testamur_primitives::did::Did;
use testamur_primitives::record::Reference;
use testamur_primitives::status::formats::TokenFormat;

use crate::credential::{Credential, StatusPointer};

/// Ending of the companion that says who is suspended.
pub const SUSPENDED: &str = "-suspended";
/// Ending of the companion that says who has got another credential instead.
pub const REPLACED: &str = "-replaced";

/// Where a list is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// On this ledger.
    Ledger {
        /// Whose list.
        issuer: Did,
        /// Its name.
        list: Reference,
    },
    /// At an address of this ledger at which no list can be.
    Nowhere,
    /// On somebody's server.
    Elsewhere,
}

/// Finds where a pointer leads. A path alone, as a compact credential has it, is one of this ledger.
pub fn place(pointer: &StatusPointer, public_base: &str) -> Place {
    let path = pointer.url.strip_prefix(public_base).unwrap_or(&pointer.url);
    if !path.starts_with('/') {
        return Place::Elsewhere;
    }
    // Where the list's name stands, counted from the end. What it and the issuer give must be the path itself, to the byte.
    let from_end = match pointer.format {
        TokenFormat::StatusList2021 => 1,
        TokenFormat::Bitstring | TokenFormat::TokenStatusList => 2,
    };
    let parts: Vec<_> = path.split('/').collect();
    let issuer = parts.iter().find_map(|part| part.parse::<Did>().ok());
    let list = parts.len().checked_sub(from_end).and_then(|at| parts[at].parse::<Reference>().ok());
    let found = issuer.zip(list).filter(|(issuer, list)| pointer.format.path(issuer, list) == path);
    found.map_or(Place::Nowhere, |(issuer, list)| Place::Ledger { issuer, list })
}

/// The list that a name stands for: itself, or the one that it is a companion of.
pub fn base(list: &Reference) -> Reference {
    let name = list.as_str();
    let base = name.strip_suffix(SUSPENDED).or(name.strip_suffix(REPLACED)).and_then(|base| base.parse().ok());
    base.unwrap_or_else(|| list.clone())
}

/// A companion of a list; none when its name would be too long for any list.
pub fn companion(list: &Reference, ending: &str) -> Option<Reference> {
    format!("{list}{ending}").parse().ok()
}

/// The lists of its issuer that a credential points to on this ledger, without companions, none twice.
pub fn lists(credential: &Credential, public_base: &str) -> Vec<Reference> {
    let names = credential.status.iter().filter_map(|pointer| match place(pointer, public_base) {
        Place::Ledger { issuer, list } if issuer == credential.issuer => Some(base(&list)),
        Place::Ledger { .. } | Place::Nowhere | Place::Elsewhere => None,
    });
    names.collect::<BTreeSet<_>>().into_iter().collect()
}
