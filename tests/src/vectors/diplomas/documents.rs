//! Credentials of the cases: drafted and signed as an issuer does, and taken apart as a forger does.

use serde_json::{Map, Value, json};
use testamur_credentials::credential::{Format, Holder};
pub(super) use testamur_credentials::format::Draft;
use testamur_credentials::format::{StatusPlace, build};
use testamur_primitives::codec::{base64url, canonical, from_base64url, sha256};
use testamur_primitives::did::Did;
use testamur_primitives::key::SigningKey;
use testamur_primitives::units::UnixTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::world::{Institution, certificate_schema, day, diploma_schema, jurisdiction, schema_id};
use crate::chain::seed;

/// `public_base` of the story's network.
pub(super) const BASE: &str = "https://ledger.example";

/// Names as registrars have them: Latin, Greek, Cyrillic, and letters with marks that have no precomposed form.
pub(super) const PEOPLE: [(&str, &str); 8] = [
    ("Amélie", "Wagner-Nguyễn"),
    ("Ελένη", "Παπαδοπούλου"),
    ("Цветелина", "Стоянова-Йорданова"),
    ("Žydrūnė", "Kazlauskaitė"),
    ("Seán", "Ó Súilleabháin"),
    ("Gżegorż", "Brzęczyszczykiewicz"),
    ("Jo\u{308}n", "M\u{303}b\u{300}e\u{328}ki\u{301}"),
    ("Χρῆστος", "Ἀντωνίου"),
];

/// What is awarded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bachelor,
    Master,
    Doctorate,
    /// A short course of some level.
    Micro(u8),
    /// No diploma at all.
    Driver,
}

impl Kind {
    fn level(self) -> Option<u8> {
        match self {
            Self::Bachelor => Some(6),
            Self::Master => Some(7),
            Self::Doctorate => Some(8),
            Self::Micro(level) => Some(level),
            Self::Driver => None,
        }
    }

    fn types(self) -> Vec<String> {
        let first = match self {
            Self::Bachelor | Self::Master | Self::Doctorate => "UniversityDegree",
            Self::Micro(_) => "MicroCredential",
            Self::Driver => "DangerousGoodsDriverCertificate",
        };
        let level = self.level().map(|level| format!("EqfLevel{level}"));
        [first.to_owned()].into_iter().chain(level).collect()
    }

    fn subject(self, person: usize) -> Map<String, Value> {
        let (given, family) = PEOPLE[person % PEOPLE.len()];
        let subject = match self {
            Self::Driver => json!({
                "givenName": given, "familyName": family, "dateOfBirth": "1988-02-29",
                "certificateNumber": "LU-ADR-004217",
                "title": [{"language": "en", "text": "ADR driver training certificate"}],
                "classes": ["1", "2", "3"],
                "awardingDate": "2027-01-22", "expiryDate": "2032-01-21",
                "jurisdiction": jurisdiction("LUX"),
            }),
            _ => json!({
                "givenName": given, "familyName": family, "dateOfBirth": "2001-05-17",
                "title": [{"language": "en", "text": self.title()}, {"language": "el", "text": "Πτυχίο"}],
                "eqfLevel": self.level(),
                "iscedF": "0613", "ects": "180",
                "languages": ["fr", "en"],
                "awardingDate": "2027-01-22", "place": "Esch-sur-Alzette",
                "jurisdiction": jurisdiction("LUX"),
            }),
        };
        members(subject)
    }

    fn title(self) -> &'static str {
        match self {
            Self::Bachelor => "Bachelor of Science in Informatics",
            Self::Master => "Master of Laws",
            Self::Doctorate => "Doctor of Philosophy",
            _ => "Short course in data protection",
        }
    }
}

/// A draft of an award, in nobody's list and bound to nobody. Its name makes its id, its salts and its person.
pub(super) fn draft(by: &Institution, key: &SigningKey, kind: Kind, name: &str) -> Draft {
    let random = seed(name, 1);
    let hex = hex::encode(&random[..16]);
    let schema = if kind == Kind::Driver { certificate_schema() } else { diploma_schema() };
    Draft {
        id: format!("urn:uuid:{}-{}-4{}-8{}-{}", &hex[..8], &hex[8..12], &hex[13..16], &hex[17..20], &hex[20..]),
        issuer: by.did().clone(),
        kid: by.kid(key),
        alg: key.public_key().algorithm(),
        types: kind.types(),
        schema: schema_id(&schema),
        public_base: BASE.into(),
        subject: kind.subject(usize::from(random[0])),
        holder: Holder::Unbound,
        discarded: Some(Did::key(&SigningKey::ed25519(&seed(name, 2)).public_key())),
        valid_from: day(9),
        valid_until: None,
        status: None,
        accreditation: None,
    }
}

/// A place in a list of the issuer's.
pub(super) fn place(list: &str, index: u64) -> Option<StatusPlace> {
    Some(StatusPlace { list: list.parse().expect("a reference"), index })
}

/// A draft in a format, signed. Salts follow from its id.
pub(super) fn sign(format: Format, draft: &Draft, key: &SigningKey) -> String {
    let mut number = 0;
    let mut salts = || {
        number += 1;
        seed(&draft.id, number)[..16].try_into().expect("16 bytes")
    };
    build(format, draft, &mut salts).expect("a draft that can be written").sign(key)
}

/// How a credential is named, whatever it says: SHA-256 of its signing input.
pub(super) fn digest(text: &str) -> [u8; 32] {
    let issued = text.split('~').next().expect("a first part");
    sha256(&[issued.rsplit_once('.').expect("a JWS").0.as_bytes()])
}

/// A credential's text, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Parts {
    pub(super) header: Value,
    pub(super) payload: Value,
    pub(super) signature: Vec<u8>,
    /// `~` and what follows it.
    pub(super) tail: String,
}

impl Parts {
    pub(super) fn of(text: &str) -> Self {
        let (jws, tail) = text.find('~').map_or((text, ""), |at| text.split_at(at));
        let parts: Vec<_> = jws.split('.').map(|part| from_base64url(part).expect("base64url")).collect();
        let json = |part: &[u8]| serde_json::from_slice(part).expect("JSON");
        Self { header: json(&parts[0]), payload: json(&parts[1]), signature: parts[2].clone(), tail: tail.to_owned() }
    }

    /// As it is now, under the signature that it had.
    pub(super) fn text(&self) -> String {
        let input = format!("{}.{}", base64url(&canonical(&self.header)), base64url(&canonical(&self.payload)));
        format!("{input}.{}{}", base64url(&self.signature), self.tail)
    }

    /// As it is now, signed anew.
    pub(super) fn signed(mut self, key: &SigningKey) -> String {
        let input = format!("{}.{}", base64url(&canonical(&self.header)), base64url(&canonical(&self.payload)));
        self.signature = key.sign(input.as_bytes());
        self.text()
    }
}

/// A credential changed in one way and left under its old signature.
pub(super) fn altered(text: &str, change: impl FnOnce(&mut Parts)) -> String {
    let mut parts = Parts::of(text);
    change(&mut parts);
    parts.text()
}

/// A credential changed in one way and signed for that.
pub(super) fn resigned(text: &str, key: &SigningKey, change: impl FnOnce(&mut Parts)) -> String {
    let mut parts = Parts::of(text);
    change(&mut parts);
    parts.signed(key)
}

/// A JWS over any two texts, JSON or not.
pub(super) fn raw(header: &str, payload: &str, tail: &str, key: &SigningKey) -> String {
    let input = format!("{}.{}", base64url(header.as_bytes()), base64url(payload.as_bytes()));
    format!("{input}.{}{tail}", base64url(&key.sign(input.as_bytes())))
}

/// A time as credentials write it.
pub(super) fn date(time: UnixTime) -> String {
    let time = OffsetDateTime::from_unix_timestamp(i64::try_from(time.0).expect("a time")).expect("a time");
    time.format(&Rfc3339).expect("a date of this century")
}

fn members(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(members) => members,
        _ => unreachable!("written as an object above"),
    }
}
