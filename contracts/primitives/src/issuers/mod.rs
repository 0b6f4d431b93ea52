//! Accreditations on the ledger (EBSI's trusted issuers registry): Root TAO → TAO → trusted issuer.
//!
//! An *attribute* is the place of one accreditation: its accreditor reserves it for a subject and says there who the
//! subject is; the subject fills it with the accreditation credential (a VC-JWT that the accreditor has signed), and
//! may fill it anew when it is renewed; the accreditor ends it at a date, for a reason. Every step is an entry of
//! `attribute/<id>`, whole, so what held at any time is there for ever.
//!
//! - INV-ISSUER-1: a filled attribute holds a credential that its accreditor signed, for its subject, within the
//!   accreditor's own scopes and dates, under an accreditation that was in force.
//! - INV-ISSUER-2: following parents from any attribute ends at a Root TAO's, within `CHAIN_LINKS_MAX` links, and meets
//!   no subject twice.
//! - INV-ISSUER-3: a Root TAO's attribute was made by an executed governance proposal, and by nothing else.

pub mod accreditation;
pub mod chain;
pub mod keys;
pub mod memory;

use serde::{Deserialize, Serialize};

use crate::did::Did;
use crate::entries;
use crate::hash::{AttributeId, RecordId};
use crate::state::{StateError, StateReader, TimedEntry, entry_at, head};
use crate::units::{Height, UnixTime};

/// What an accreditation makes of its subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerType {
    /// Root trusted accreditation organisation: begins a chain.
    RootTao,
    /// Trusted accreditation organisation: accredits others.
    Tao,
    /// Trusted issuer: issues credentials.
    Ti,
}

impl IssuerType {
    /// EBSI's name of it.
    pub fn ebsi_name(self) -> &'static str {
        match self {
            Self::RootTao => "RootTAO",
            Self::Tao => "TAO",
            Self::Ti => "TI",
        }
    }

    /// Whether a holder may accredit a subject as `other`.
    pub fn may_accredit(self, other: Self) -> bool {
        matches!((self, other), (Self::RootTao | Self::Tao, Self::Tao | Self::Ti))
    }
}

/// Why an accreditation ended. Closed; the first two may lie in the past.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EndReason {
    /// It was obtained by false statements.
    ObtainedByFraud,
    /// The subject's keys are in other hands.
    KeyCompromise,
    /// The subject asked for it, or has ceased to exist.
    CessationOfOperation,
    /// The subject no longer meets the conditions.
    PrivilegeWithdrawn,
    /// Another accreditation took its place.
    Superseded,
}

impl EndReason {
    /// Its spelling in records.
    pub fn name(self) -> &'static str {
        match self {
            Self::ObtainedByFraud => "obtained-by-fraud",
            Self::KeyCompromise => "key-compromise",
            Self::CessationOfOperation => "cessation-of-operation",
            Self::PrivilegeWithdrawn => "privilege-withdrawn",
            Self::Superseded => "superseded",
        }
    }

    /// Whether the end may be dated before the block that says so.
    pub fn may_be_past(self) -> bool {
        matches!(self, Self::ObtainedByFraud | Self::KeyCompromise)
    }
}

/// A name in a language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LegalName {
    /// BCP 47 tag of language, perhaps with script or region: `el`, `sr-Latn`.
    pub lang: String,
    /// The name.
    pub name: String,
}

/// The register that an identifier is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentifierScheme {
    /// European Tertiary Education Register.
    Eter,
    /// Database of External Quality Assurance Results.
    Deqar,
    /// Value added tax number.
    Vat,
}

/// An identifier of a legal person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Identifier {
    /// The register.
    pub scheme: IdentifierScheme,
    /// The identifier there: `[A-Za-z0-9._-]{1,64}`.
    pub value: String,
}

/// Who a subject is, as its accreditor says. A legal person: nothing here is personal data.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entity {
    /// Its legal name, in at least one language, none twice; the first is the official one.
    pub names: Vec<LegalName>,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    /// Its identifiers, none twice.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identifiers: Vec<Identifier>,
}

/// The end of an accreditation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ended {
    /// From this second on it is no longer in force.
    pub effective: UnixTime,
    /// Why.
    pub reason: EndReason,
}

/// An accreditation from a block on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttributeEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// The record that did; a proposal's, where governance did.
    pub record: RecordId,
    /// Who is accredited.
    pub subject: Did,
    /// Who accredits; the subject itself for a Root TAO.
    pub accreditor: Did,
    /// The Root TAO at the end of the chain.
    pub root: Did,
    /// The accreditor's own attribute; zero for a Root TAO.
    pub parent: AttributeId,
    /// What it makes of the subject.
    pub issuer_type: IssuerType,
    /// Who the subject is.
    pub entity: Entity,
    /// The accreditation credential, a VC-JWT; none while the attribute is only reserved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub credential: Option<String>,
    /// Time of the block that took this credential.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filled: Option<UnixTime>,
    /// Its end, if that was said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<Ended>,
}

/// The attributes of an issuer from a block on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerEntry {
    /// Format version: 1.
    pub v: u8,
    /// Number of this entry.
    pub seq: u64,
    /// Height that wrote this.
    pub height: Height,
    /// Time of that height.
    pub time: UnixTime,
    /// Every attribute ever reserved for it, in order of arrival.
    pub attributes: Vec<AttributeId>,
}

entries!(AttributeEntry, IssuerEntry);

impl TimedEntry for AttributeEntry {
    fn time(&self) -> UnixTime {
        self.time
    }
}

impl TimedEntry for IssuerEntry {
    fn time(&self) -> UnixTime {
        self.time
    }
}

/// The newest entry of an attribute.
pub fn attribute<R: StateReader>(reader: &R, id: AttributeId) -> Result<Option<AttributeEntry>, StateError<R::Error>> {
    head(reader, &keys::attribute(id))
}

/// The entry of an attribute that was in force at a time.
pub fn attribute_at<R: StateReader>(
    reader: &R,
    id: AttributeId,
    time: UnixTime,
) -> Result<Option<AttributeEntry>, StateError<R::Error>> {
    entry_at(reader, &keys::attribute(id), time)
}

/// The attributes of an issuer; none when nothing was ever reserved for it.
pub fn issuer<R: StateReader>(reader: &R, did: &Did) -> Result<Option<IssuerEntry>, StateError<R::Error>> {
    head(reader, &keys::issuer(did))
}
