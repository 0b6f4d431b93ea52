//! Who is on the measured ledger: a Root TAO, an agency that it accredits, and any number of DIDs that the agency lets
//! in, some of them trusted issuers, some of these with a status list. All follow from a random beginning and a number,
//! so nothing but that has to be kept.

use hyper::body::Bytes;
use serde_json::json;
use testamur_client::author::Author;
use testamur_client::credentials::{Addresses, JURISDICTIONS, Place, Signer, Validity};
use testamur_primitives::codec::{base64url, sha256};
use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttributeId, GenesisHash, RecordId, SchemaId};
use testamur_primitives::identity::changes::NewMethod;
use testamur_primitives::identity::{self, Grant, Relationship};
use testamur_primitives::issuers::accreditation::Scope;
use testamur_primitives::issuers::{Entity, Identifier, IdentifierScheme, IssuerType, LegalName};
use testamur_primitives::key::SigningKey;
use testamur_primitives::limits::STATUS_ENTRIES_MIN;
use testamur_primitives::record::{Act, Change, Record, Reference};
use testamur_primitives::status::formats::{TokenSource, sign_version};
use testamur_primitives::status::{BitList, StatusPurpose};
use testamur_primitives::units::UnixTime;

use crate::entity::desk::CLOCK_MARGIN_S;
use crate::exit::CommandError;
use crate::output::now;

/// How long accreditations hold: a year is more than any run.
const ACCREDITED_S: u64 = 365 * 24 * 3600;
/// Entries that are set in a list: one in a hundred, all over it, so that lists differ and do not compress away.
const SET_ENTRIES: u64 = STATUS_ENTRIES_MIN / 100;
/// Number of the Root TAO.
const ROOT: u64 = u64::MAX;
/// Number of the agency.
const AGENCY: u64 = u64::MAX - 1;
/// The governance version of a new network.
const FIRST_VERSION: u64 = 1;
/// How long the operator's proposal stands.
const PROPOSAL_S: u64 = 3600;

/// A legal person, with keys as `testamur did new` makes them.
pub(super) struct Party {
    did: Did,
    author: Author,
    capability: SigningKey,
    assertion: SigningKey,
}

impl Party {
    /// Registers it, for both of its keys.
    fn insert(&self, not_before: UnixTime, authorisation: Option<String>) -> Result<Record, CommandError> {
        use Relationship::{AssertionMethod, Authentication, CapabilityInvocation};
        let grant = |relationship| Grant { relationship, not_before, not_after: None };
        let method = |key: &SigningKey, uses: [Relationship; 2]| NewMethod {
            key: key.public_key().to_jwk(),
            grants: uses.map(grant).to_vec(),
        };
        let methods = vec![
            method(&self.capability, [Authentication, CapabilityInvocation]),
            method(&self.assertion, [Authentication, AssertionMethod]),
        ];
        self.sign(Act::InsertDid { methods, controllers: Vec::new(), services: Vec::new(), authorisation })
    }

    fn jkt(&self) -> String {
        identity::thumbprint(&self.capability.public_key())
    }

    fn sign(&self, act: Act) -> Result<Record, CommandError> {
        self.author.sign(act).map_err(|e| super::failed(e.to_string()))
    }
}

/// Everybody on the ledger.
pub(super) struct World {
    beginning: [u8; 32],
    method: String,
    network: GenesisHash,
    public_base: String,
    addresses: Addresses,
    valid: Validity,
    scope: Scope,
    root: Party,
    agency: Party,
}

impl World {
    /// A world of its own for each run.
    pub(super) fn new(network: GenesisHash, method: &str, public_base: &str) -> Result<Self, CommandError> {
        let mut beginning = [0; 32];
        getrandom::fill(&mut beginning).map_err(|e| super::failed(format!("no randomness: {e}")))?;
        let from = UnixTime(now()?.0 - CLOCK_MARGIN_S);
        let party = |number| party(&beginning, method, network, number);
        Ok(Self {
            root: party(ROOT)?,
            agency: party(AGENCY)?,
            beginning,
            method: method.to_owned(),
            network,
            public_base: public_base.to_owned(),
            addresses: Addresses::new(public_base),
            valid: Validity { from, until: Some(UnixTime(from.0 + ACCREDITED_S)) },
            scope: Scope {
                schema: SchemaId::from_bytes(sha256(&[b"testamur/bench/schema\n"])),
                types: ["BachelorDegree", "MasterDegree", "DoctoralDegree"].map(str::to_owned).into(),
                jurisdictions: [format!("{JURISDICTIONS}BEL"), format!("{JURISDICTIONS}LUX")].into(),
            },
        })
    }

    /// The DID of a number.
    pub(super) fn did(&self, number: u64) -> Did {
        did(&self.beginning, &self.method, number)
    }

    /// The place of a number's accreditation.
    pub(super) fn attribute(&self, number: u64) -> AttributeId {
        AttributeId::from_bytes(derived(&self.beginning, b"attribute", number))
    }

    /// What makes the Root TAO and the agency, one after the other.
    pub(super) fn beginnings(&self, operator: &Author) -> Result<[Bytes; 6], CommandError> {
        let (root, agency) = (&self.root, &self.agency);
        let change = Change::AccreditRoot {
            did: root.did.clone(),
            jkt: root.jkt(),
            attribute: self.attribute(ROOT),
            entity: entity(ROOT),
        };
        let expires = UnixTime(now()?.0 + PROPOSAL_S);
        let propose = Act::Propose { change, governance_version: FIRST_VERSION, expires };
        let propose = operator.sign(propose).map_err(|e| super::failed(e.to_string()))?;
        let own = self.signer(root).root(self.attribute(ROOT), &[], self.valid).map_err(unsigned)?;
        let fill = |party: &Party, number, prev, credential| {
            party.sign(Act::FillAttribute { attribute: self.attribute(number), prev, credential })
        };
        let reserve = self.reserve(root, ROOT, AGENCY, IssuerType::Tao)?;
        let accredited = self.accredit(root, ROOT, &agency.did, AGENCY, IssuerType::Tao)?;
        let filled_root = fill(root, ROOT, propose.id(), own)?;
        let filled_agency = fill(agency, AGENCY, reserve.id(), accredited)?;
        let authorisation = self.authorise(root, ROOT, agency)?;
        Ok([
            propose,
            root.insert(self.valid.from, None)?,
            filled_root,
            reserve,
            agency.insert(self.valid.from, Some(authorisation))?,
            filled_agency,
        ]
        .map(bytes))
    }

    /// Registers a number's DID, with the agency's authorisation.
    pub(super) fn insert(&self, number: u64) -> Result<Bytes, CommandError> {
        let party = self.party(number)?;
        let authorisation = self.authorise(&self.agency, AGENCY, &party)?;
        party.insert(self.valid.from, Some(authorisation)).map(bytes)
    }

    /// The agency makes a place for a number's accreditation.
    pub(super) fn reserve_for(&self, number: u64) -> Result<(RecordId, Bytes), CommandError> {
        let record = self.reserve(&self.agency, AGENCY, number, IssuerType::Ti)?;
        Ok((record.id(), bytes(record)))
    }

    /// A number puts its accreditation where the agency has reserved a place.
    pub(super) fn fill(&self, number: u64, prev: RecordId) -> Result<Bytes, CommandError> {
        let party = self.party(number)?;
        let credential = self.accredit(&self.agency, AGENCY, &party.did, number, IssuerType::Ti)?;
        party.sign(Act::FillAttribute { attribute: self.attribute(number), prev, credential }).map(bytes)
    }

    /// A number publishes its status list: JSON of the record and its bits.
    pub(super) fn publish(&self, number: u64) -> Result<Bytes, CommandError> {
        let party = self.party(number)?;
        let mut bits = BitList::zeros(STATUS_ENTRIES_MIN).expect("a multiple of eight");
        let mut chance = Chance::new(number);
        for _ in 0..SET_ENTRIES {
            bits.set(chance.below(STATUS_ENTRIES_MIN), true);
        }
        let list: Reference = "revocation-1".parse().expect("a name");
        let kid = identity::key_id(&party.did, &party.assertion.public_key());
        let source = TokenSource {
            issuer: &party.did,
            list: &list,
            purpose: StatusPurpose::Revocation,
            issued: now()?,
            kid: &kid,
            alg: party.assertion.public_key().algorithm(),
            public_base: &self.public_base,
        };
        let status = sign_version(&source, 1, &bits, &party.assertion).map_err(|e| super::failed(e.to_string()))?;
        let record = party.sign(Act::PublishStatus { status, prev: None })?;
        let body = json!({ "record": record.as_str(), "attachment": base64url(bits.as_bytes()) });
        Ok(Bytes::from(body.to_string()))
    }

    fn party(&self, number: u64) -> Result<Party, CommandError> {
        party(&self.beginning, &self.method, self.network, number)
    }

    fn signer<'a>(&'a self, party: &'a Party) -> Signer<'a> {
        Signer { did: &party.did, key: &party.assertion, addresses: &self.addresses }
    }

    fn authorise(&self, accreditor: &Party, own: u64, subject: &Party) -> Result<String, CommandError> {
        let signer = self.signer(accreditor);
        signer.authorisation_to_onboard(self.attribute(own), &subject.did, &subject.jkt(), self.valid).map_err(unsigned)
    }

    fn accredit(
        &self,
        accreditor: &Party,
        own: u64,
        subject: &Did,
        number: u64,
        issuer_type: IssuerType,
    ) -> Result<String, CommandError> {
        let place = Place { did: subject, attribute: self.attribute(number) };
        let scopes = std::slice::from_ref(&self.scope);
        let signer = self.signer(accreditor);
        signer.accreditation(issuer_type, self.attribute(own), place, scopes, self.valid).map_err(unsigned)
    }

    fn reserve(
        &self,
        accreditor: &Party,
        own: u64,
        number: u64,
        issuer_type: IssuerType,
    ) -> Result<Record, CommandError> {
        accreditor.sign(Act::ReserveAttribute {
            attribute: self.attribute(number),
            subject: self.did(number),
            issuer_type,
            parent: self.attribute(own),
            entity: entity(number),
            prev: None,
        })
    }
}

/// Who somebody is: two languages and an identifier, as most will have.
fn entity(number: u64) -> Entity {
    let name = |lang: &str, name: String| LegalName { lang: lang.into(), name };
    Entity {
        names: vec![name("en", format!("Organisation {number}")), name("el", format!("Οργανισμός {number}"))],
        country: "BE".into(),
        identifiers: vec![Identifier { scheme: IdentifierScheme::Vat, value: format!("BE{number}") }],
    }
}

fn did(beginning: &[u8; 32], method: &str, number: u64) -> Did {
    let hash = derived(beginning, b"did", number);
    Did::of_ledger(method, &hash[..16].try_into().expect("16 bytes"))
}

fn party(beginning: &[u8; 32], method: &str, network: GenesisHash, number: u64) -> Result<Party, CommandError> {
    let did = did(beginning, method, number);
    // A hash that is no scalar of the curve does not come up in this world's life: chance 2^-32.
    let malformed = |e: testamur_primitives::key::KeyError| super::failed(e.to_string());
    let capability = || SigningKey::secp256k1(&derived(beginning, b"capability", number)).map_err(malformed);
    let assertion = SigningKey::p256(&derived(beginning, b"assertion", number)).map_err(malformed)?;
    let author = Author::of_ledger(did.clone(), capability()?, network);
    Ok(Party { did, author, capability: capability()?, assertion })
}

fn derived(beginning: &[u8; 32], what: &[u8], number: u64) -> [u8; 32] {
    sha256(&[beginning, what, &number.to_be_bytes()])
}

fn bytes(record: Record) -> Bytes {
    Bytes::copy_from_slice(record.as_bytes())
}

fn unsigned(error: testamur_client::batch::BatchError) -> CommandError {
    super::failed(error.to_string())
}

/// Random enough to choose what to read, and the same for each run (SplitMix64).
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(beginning: u64) -> Self {
        Self(beginning)
    }

    /// A number below a bound, which is not zero.
    pub(super) fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % bound
    }
}
