//! Issuers, what they are accredited for, and trust chains, as JSON.

use serde::Serialize;
use testamur_primitives::hash::AttributeId;
use testamur_primitives::issuers::accreditation::{Accreditation, Scope};
use testamur_primitives::issuers::chain::{ChainRefusal, Link};
use testamur_primitives::issuers::{AttributeEntry, Ended, Entity, IssuerType, memory};
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::units::UnixTime;
use utoipa::ToSchema;

use super::{DidView, StatusListView};
use crate::schemas::EvidenceSchema;

/// An issuer and all that it was accredited for until a time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct IssuerView {
    /// The issuer's DID.
    pub(crate) did: String,
    /// The time that this is about.
    pub(crate) at: u64,
    /// Its accreditations, in order of arrival.
    pub(crate) accreditations: Vec<AccreditationView>,
    /// What proves this, when a proof was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EvidenceSchema>)]
    pub(crate) evidence: Option<Evidence>,
}

/// An accreditation at a time.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct AccreditationView {
    /// Its place: 32 bytes in hexadecimal.
    pub(crate) attribute: String,
    /// The time that this is about.
    pub(crate) at: u64,
    /// How it stood then.
    pub(crate) state: AccreditationState,
    /// Why the chain of accreditations to the Root TAO did not hold then, when it did not.
    pub(crate) refusal: Option<RefusalView>,
    /// Who is accredited.
    pub(crate) subject: String,
    /// Who the subject is, as its accreditor says now.
    pub(crate) entity: EntityView,
    /// `root-tao`, `tao` or `ti`.
    #[schema(value_type = String, example = "ti")]
    pub(crate) issuer_type: IssuerType,
    /// Who accredits; the subject itself for a Root TAO.
    pub(crate) accreditor: String,
    /// The accreditor's own accreditation; zero for a Root TAO.
    pub(crate) parent: String,
    /// The Root TAO at the end of the chain.
    pub(crate) root: String,
    /// When the ledger took the credential that was in force then.
    pub(crate) filled: Option<u64>,
    /// When and why it ends, or ended, by what is known now.
    pub(crate) ended: Option<EndedView>,
    /// What the credential says, when there is one.
    pub(crate) terms: Option<TermsView>,
    /// The credential, a VC-JWT.
    pub(crate) credential: Option<String>,
    /// Number of the entry in force then.
    pub(crate) version: u64,
    /// The block that wrote it.
    pub(crate) height: u64,
    /// That block's time.
    pub(crate) time: u64,
    /// The record that did; the proposal's, where governance did.
    pub(crate) record: String,
    /// What proves this, when a proof was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<EvidenceSchema>)]
    pub(crate) evidence: Option<Evidence>,
}

/// How an accreditation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum AccreditationState {
    /// The chain to the Root TAO holds.
    InForce,
    /// The place is made, and no credential stands in it.
    Reserved,
    /// The chain does not hold: `refusal` says why.
    NotInForce,
}

/// Why a chain does not hold.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RefusalView {
    /// Stable slug.
    #[schema(example = "chain.ended")]
    pub(crate) code: &'static str,
    /// The same in words.
    pub(crate) detail: String,
}

impl RefusalView {
    pub(crate) fn new(refusal: &ChainRefusal) -> Self {
        Self { code: refusal.code(), detail: refusal.to_string() }
    }
}

/// A legal person.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EntityView {
    /// Its legal names; the first is the official one.
    pub(crate) names: Vec<NameView>,
    /// ISO 3166-1 alpha-2.
    pub(crate) country: String,
    /// Its identifiers.
    #[schema(value_type = Vec<Object>)]
    pub(crate) identifiers: Vec<testamur_primitives::issuers::Identifier>,
}

/// A name in a language.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct NameView {
    /// BCP 47 tag.
    pub(crate) lang: String,
    /// The name.
    pub(crate) name: String,
}

impl EntityView {
    fn new(entity: &Entity) -> Self {
        let name =
            |n: &testamur_primitives::issuers::LegalName| NameView { lang: n.lang.clone(), name: n.name.clone() };
        Self {
            names: entity.names.iter().map(name).collect(),
            country: entity.country.clone(),
            identifiers: entity.identifiers.clone(),
        }
    }
}

/// The end of an accreditation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EndedView {
    /// From this second on it is not in force.
    pub(crate) effective: u64,
    /// Why.
    #[schema(example = "privilege-withdrawn")]
    pub(crate) reason: &'static str,
}

impl EndedView {
    fn new(ended: &Ended) -> Self {
        Self { effective: ended.effective.0, reason: ended.reason.name() }
    }
}

/// What an accreditation credential says.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TermsView {
    /// EBSI's name of its type.
    #[schema(example = "VerifiableAccreditationToAttest")]
    pub(crate) kind: &'static str,
    /// The key that signed it.
    pub(crate) kid: String,
    /// From this second on.
    pub(crate) valid_from: u64,
    /// Before this second; null for no end.
    pub(crate) valid_until: Option<u64>,
    /// What may be issued or accredited; a Root TAO's without any may do everything.
    pub(crate) scopes: Vec<ScopeView>,
}

/// Credentials of some types, of one schema, in some jurisdictions.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ScopeView {
    /// The schema's id in hexadecimal.
    pub(crate) schema: String,
    /// The types, without those that every credential has.
    pub(crate) types: Vec<String>,
    /// The jurisdictions; none for everywhere.
    pub(crate) jurisdictions: Vec<String>,
}

impl TermsView {
    pub(crate) fn new(accreditation: &Accreditation) -> Self {
        let scope = |scope: &Scope| ScopeView {
            schema: scope.schema.to_string(),
            types: scope.types.iter().cloned().collect(),
            jurisdictions: scope.jurisdictions.iter().cloned().collect(),
        };
        Self {
            kind: accreditation.kind.type_name(),
            kid: accreditation.kid.to_string(),
            valid_from: accreditation.valid_from.0,
            valid_until: accreditation.valid_until.map(|time| time.0),
            scopes: accreditation.scopes.iter().map(scope).collect(),
        }
    }
}

impl AccreditationView {
    /// `refusal`: what the walk to the Root TAO said.
    pub(crate) fn new(id: AttributeId, entry: &AttributeEntry, at: UnixTime, refusal: Option<&ChainRefusal>) -> Self {
        let state = match (refusal, &entry.credential) {
            (None, _) => AccreditationState::InForce,
            (Some(ChainRefusal::NotInPlace(_)), None) => AccreditationState::Reserved,
            (Some(_), _) => AccreditationState::NotInForce,
        };
        let read = entry.credential.as_deref().and_then(|credential| memory::read(credential).ok());
        Self {
            attribute: id.to_string(),
            at: at.0,
            state,
            refusal: refusal.map(RefusalView::new),
            subject: entry.subject.to_string(),
            entity: EntityView::new(&entry.entity),
            issuer_type: entry.issuer_type,
            accreditor: entry.accreditor.to_string(),
            parent: entry.parent.to_string(),
            root: entry.root.to_string(),
            filled: entry.filled.map(|time| time.0),
            ended: entry.ended.as_ref().map(EndedView::new),
            terms: read.as_deref().map(TermsView::new),
            credential: entry.credential.clone(),
            version: entry.seq,
            height: entry.height.0,
            time: entry.time.0,
            record: entry.record.to_string(),
            evidence: None,
        }
    }
}

/// A trust chain bundle: the accreditations from an issuer to its Root TAO at a time, the issuer's DID document, its
/// status lists, and the evidence on which a reader checks all of it again.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChainView {
    /// The time that this is about.
    pub(crate) at: u64,
    /// Whether the chain held, and allows what was asked.
    pub(crate) holds: bool,
    /// Why not.
    pub(crate) refusal: Option<RefusalView>,
    /// The links, the issuer's first; none when the chain did not hold.
    pub(crate) links: Vec<LinkView>,
    /// The issuer's DID document then; null when it had none.
    pub(crate) issuer: Option<DidView>,
    /// The status lists that were asked for and exist.
    pub(crate) lists: Vec<StatusListView>,
    /// What proves this, absence included.
    #[schema(value_type = EvidenceSchema)]
    pub(crate) evidence: Evidence,
}

/// One accreditation of a chain.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LinkView {
    /// Its place.
    pub(crate) attribute: String,
    /// Who is accredited.
    pub(crate) subject: String,
    /// Who it is.
    pub(crate) entity: EntityView,
    /// `root-tao`, `tao` or `ti`.
    #[schema(value_type = String, example = "ti")]
    pub(crate) issuer_type: IssuerType,
    /// Who accredited it.
    pub(crate) accreditor: String,
    /// When the ledger took the credential.
    pub(crate) filled: u64,
    /// When and why it ends, if that is known.
    pub(crate) ended: Option<EndedView>,
    /// What the credential says.
    pub(crate) terms: TermsView,
}

impl LinkView {
    pub(crate) fn new(link: &Link) -> Self {
        Self {
            attribute: link.attribute.to_string(),
            subject: link.subject.to_string(),
            entity: EntityView::new(&link.entity),
            issuer_type: link.issuer_type,
            accreditor: link.accreditation.issuer.to_string(),
            filled: link.filled.0,
            ended: link.ended.as_ref().map(EndedView::new),
            terms: TermsView::new(&link.accreditation),
        }
    }
}
