//! The persons of the desk: nothing issued is corrected or withdrawn by one of them alone.
//!
//! Each has an Ed25519 key of their own, sealed with a passphrase that nobody else knows (`staff/<name>.key` in the home); the
//! desk's store keeps the public halves. Who has left stays on record, so that old consents can still be checked, and neither name
//! nor key is ever given to somebody else.
//!
//! - INV-STAFF-1: the first two persons are simply set down. From then on who joins or leaves is itself a change that two persons
//!   consent to, and two always remain: so nobody can bring in a second self to approve what they proposed.
//!
//! What this does not stop: whoever holds the university's own key and its passphrase can sign anything without this program.

use core::fmt;
use core::str::FromStr;

use serde::{Deserialize, Serialize};
use testamur_primitives::key::{JwsAlgorithm, PublicKey};
use testamur_primitives::record::Bytes;
use testamur_primitives::units::UnixTime;

use crate::changes::limits::{PERSON_NAME_CHARS_MAX, STAFF_MAX};

/// The store's documents of persons, by name.
pub const KIND: &str = "staff";
/// How many persons a change takes, and how many a desk never falls below once it has them.
pub const PERSONS_MIN: usize = 2;

/// A person's name at the desk: lower-case, so that no two look alike.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PersonName(String);

impl PersonName {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for PersonName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for PersonName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let ok = (1..=PERSON_NAME_CHARS_MAX).contains(&text.len())
            && text.as_bytes()[0].is_ascii_lowercase()
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-'));
        if ok {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "a person's name is 1 to {PERSON_NAME_CHARS_MAX} of a-z 0-9 . - and begins with a letter, such as anna.muster"
            ))
        }
    }
}

impl<'de> Deserialize<'de> for PersonName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A person of the desk, now or once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// The name.
    pub name: PersonName,
    /// The Ed25519 public key.
    pub key: Bytes,
    /// Since when.
    pub since: UnixTime,
    /// Until when, of somebody who has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left: Option<UnixTime>,
}

impl Person {
    /// Whether the key signed the message.
    pub fn signed(&self, message: &[u8], signature: &[u8]) -> bool {
        public_key(&self.key).is_some_and(|key| key.verify(JwsAlgorithm::EdDSA, message, signature).is_ok())
    }
}

fn public_key(bytes: &Bytes) -> Option<PublicKey> {
    PublicKey::ed25519(bytes.0.as_slice().try_into().ok()?).ok()
}

/// Why the desk's staff is not, or cannot be, as somebody wants it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StaffError {
    /// Nobody of that name, or no longer.
    #[error("{0} is no person of this desk")]
    Unknown(PersonName),
    /// Fewer than two.
    #[error("this desk has {0} of the {PERSONS_MIN} persons that a change takes: one proposes, another approves")]
    TooFew(usize),
    /// The name was given before.
    #[error("{0} is, or was, a person of this desk: names are not given twice")]
    NameTaken(PersonName),
    /// The key is somebody's.
    #[error("that key is, or was, {0}'s: each person has a key of their own")]
    KeyTaken(PersonName),
    /// No Ed25519 key.
    #[error("that is no Ed25519 public key")]
    Key,
    /// Too many.
    #[error("a desk has at most {STAFF_MAX} persons")]
    Full,
    /// Two must remain.
    #[error("{PERSONS_MIN} persons must remain: let somebody join before {0} leaves")]
    LastTwo(PersonName),
}

impl StaffError {
    /// Stable slug.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "staff.unknown",
            Self::TooFew(_) => "staff.too-few",
            Self::NameTaken(_) => "staff.name-taken",
            Self::KeyTaken(_) => "staff.key-taken",
            Self::Key => "staff.key",
            Self::Full => "staff.full",
            Self::LastTwo(_) => "staff.last-two",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Unknown(_) => "`testamur diploma staff list` names them",
            Self::TooFew(_) => {
                "each person runs `testamur diploma staff add NAME` once, with a passphrase of their own (--staff-passphrase-file FILE)"
            }
            Self::NameTaken(_) => "choose another name",
            Self::KeyTaken(_) | Self::Key => "make a key of its own: `testamur diploma staff add NAME`",
            Self::Full => "let those leave who no longer work here: `testamur diploma staff remove NAME --by YOU`",
            Self::LastTwo(_) => "`testamur diploma staff add NAME --by YOU` first",
        }
    }
}

/// Everybody who is or was at the desk.
#[derive(Debug, Clone, Default)]
pub struct Staff {
    persons: Vec<Person>,
}

impl Staff {
    /// From the store's documents.
    pub fn new(persons: Vec<Person>) -> Self {
        Self { persons }
    }

    /// All, also those who have left.
    pub fn persons(&self) -> &[Person] {
        &self.persons
    }

    /// How many are there now.
    pub fn present_count(&self) -> usize {
        self.persons.iter().filter(|person| person.left.is_none()).count()
    }

    /// A person who is there now.
    pub fn present(&self, name: &PersonName) -> Result<&Person, StaffError> {
        let found = self.persons.iter().find(|person| person.name == *name && person.left.is_none());
        found.ok_or_else(|| StaffError::Unknown(name.clone()))
    }

    /// A person who was there at a time: whose consent of that time counts.
    pub fn at(&self, name: &PersonName, time: UnixTime) -> Result<&Person, StaffError> {
        let was = |person: &&Person| person.since <= time && person.left.is_none_or(|left| time < left);
        let found = self.persons.iter().filter(was).find(|person| person.name == *name);
        found.ok_or_else(|| StaffError::Unknown(name.clone()))
    }

    /// Whether somebody may join without a change (INV-STAFF-1).
    pub fn is_open(&self) -> bool {
        self.present_count() < PERSONS_MIN
    }

    /// That there are enough for any change.
    pub fn require_two(&self) -> Result<(), StaffError> {
        if self.is_open() { Err(StaffError::TooFew(self.present_count())) } else { Ok(()) }
    }

    /// Whether somebody may join under this name and key.
    pub fn check_join(&self, name: &PersonName, key: &Bytes) -> Result<(), StaffError> {
        public_key(key).ok_or(StaffError::Key)?;
        if self.persons.len() >= STAFF_MAX {
            return Err(StaffError::Full);
        }
        match self.persons.iter().find(|person| person.name == *name || person.key == *key) {
            Some(person) if person.name == *name => Err(StaffError::NameTaken(name.clone())),
            Some(person) => Err(StaffError::KeyTaken(person.name.clone())),
            None => Ok(()),
        }
    }

    /// Whether somebody may leave (INV-STAFF-1).
    pub fn check_leave(&self, name: &PersonName) -> Result<(), StaffError> {
        self.present(name)?;
        if self.present_count() <= PERSONS_MIN { Err(StaffError::LastTwo(name.clone())) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use testamur_primitives::key::SigningKey;

    fn person(name: &str, seed: u8) -> Person {
        let key = SigningKey::ed25519(&[seed; 32]).public_key();
        Person { name: name.parse().unwrap(), key: Bytes(key.as_bytes().to_vec()), since: UnixTime(10), left: None }
    }

    #[test]
    fn names_are_plain_and_no_two_look_alike() {
        for good in ["anna", "a", "anna.muster", "b-2"] {
            assert_eq!(good.parse::<PersonName>().unwrap().as_str(), good);
        }
        for bad in ["", "Anna", "anna ", "аnna", "-a", ".a", "1a", "a_b", "a/b", &"a".repeat(PERSON_NAME_CHARS_MAX + 1)]
        {
            assert!(bad.parse::<PersonName>().is_err(), "{bad:?}");
        }
    }

    /// INV-STAFF-1.
    #[test]
    fn two_are_set_down_and_two_remain() {
        let (anna, ben, eva) = (person("anna", 1), person("ben", 2), person("eva", 3));
        let mut staff = Staff::new(vec![anna.clone()]);
        assert!(staff.is_open());
        assert_eq!(staff.require_two(), Err(StaffError::TooFew(1)));
        staff.persons.push(ben.clone());
        assert!(!staff.is_open());
        staff.require_two().unwrap();
        assert_eq!(staff.check_leave(&ben.name), Err(StaffError::LastTwo(ben.name.clone())));
        staff.check_join(&eva.name, &eva.key).unwrap();
        assert_eq!(staff.check_join(&anna.name, &eva.key), Err(StaffError::NameTaken(anna.name.clone())));
        assert_eq!(staff.check_join(&eva.name, &anna.key), Err(StaffError::KeyTaken(anna.name.clone())));
        for bad in [vec![], vec![1; 31], vec![0xff; 32]] {
            assert_eq!(staff.check_join(&eva.name, &Bytes(bad)), Err(StaffError::Key));
        }
        staff.persons.push(eva.clone());
        staff.check_leave(&ben.name).unwrap();
        staff.persons[1].left = Some(UnixTime(20));
        assert_eq!(staff.present(&ben.name), Err(StaffError::Unknown(ben.name.clone())));
        assert_eq!(staff.check_join(&ben.name, &person("ben", 9).key), Err(StaffError::NameTaken(ben.name.clone())));
        assert_eq!(staff.check_join(&person("bea", 9).name, &ben.key), Err(StaffError::KeyTaken(ben.name.clone())));
        assert!(staff.at(&ben.name, UnixTime(19)).is_ok());
        assert!(staff.at(&ben.name, UnixTime(20)).is_err() && staff.at(&ben.name, UnixTime(9)).is_err());
    }
}
