//! The story told to its end: what was awarded and anchored when, and the proofs that were to be had on three days.

use std::collections::BTreeMap;
use std::sync::Arc;

use testamur_credentials::credential::{Format, Holder};
use testamur_credentials::format::Draft;
use testamur_credentials::ledger::{self, Question};
use testamur_credentials::limits::COMPACT_BYTES_MAX;
use testamur_credentials::proofs::Proofs;
use testamur_primitives::did::Did;
use testamur_primitives::hash::SchemaId;
use testamur_primitives::header::Header;
use testamur_primitives::issuers::accreditation::Scope;
use testamur_primitives::key::{JwsAlgorithm, SigningKey};
use testamur_primitives::receipt::Receipt;
use testamur_primitives::state::StateKey;
use testamur_primitives::state::evidence::{Evidence, Recorder};
use testamur_primitives::status::BitList;
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;

use super::documents::{self, Kind, digest, draft, place};
use super::world::{
    self, Cast, Institution, Ledger, REINSTATED, REPLACED, REVOKED, SUSPENDED, certificate_schema, day, diploma_schema,
    jurisdiction, schema_id,
};
use crate::chain::seed;

/// The formats, by the names that cases have.
pub(super) const FORMATS: [(&str, Format); 4] =
    [("sd-jwt", Format::SdJwt), ("vcdm2", Format::Vcdm2), ("ebsi", Format::Ebsi), ("compact", Format::Compact)];
/// The kinds of keys.
pub(super) const KEYS: [JwsAlgorithm; 4] =
    [JwsAlgorithm::ES256, JwsAlgorithm::EdDSA, JwsAlgorithm::ES384, JwsAlgorithm::ES256K];

/// A schema that nobody publishes.
pub(super) const UNPUBLISHED: SchemaId = SchemaId::from_bytes([7; 32]);

/// A credential that was issued, with its receipt.
#[derive(Debug, Clone)]
pub(super) struct Issued {
    pub(super) text: String,
    pub(super) receipt: Receipt,
}

/// Everything that cases are made of.
pub(super) struct Story {
    pub(super) cast: Cast,
    /// By name: what, by whom or how, format.
    pub(super) issued: BTreeMap<String, Issued>,
    /// By day: `early`, `main`, `late`.
    pub(super) evidence: BTreeMap<&'static str, Evidence>,
    /// By day: what a package of the university's has.
    packages: BTreeMap<&'static str, Evidence>,
    /// The bits that were published by then.
    pub(super) lists: BTreeMap<&'static str, Vec<BitList>>,
    /// By format: receipts that somebody else got for the university's diplomas.
    strangers: BTreeMap<&'static str, Receipt>,
    /// Place in the log of a version of a list.
    status_record: u64,
    /// Time of the block of each graduation.
    pub(super) first: UnixTime,
    pub(super) second: UnixTime,
    /// The chain at the end.
    pub(super) ledger: Ledger,
}

/// A key that a holder has in a wallet.
pub(super) fn wallet() -> SigningKey {
    SigningKey::p256(&seed("wallet", 1)).expect("a scalar")
}

struct Plan<'a> {
    name: String,
    by: &'a Institution,
    key: &'a SigningKey,
    format: Format,
    draft: Draft,
}

/// What the university of four keys awards on the first day, and everybody else.
fn first<'a>(cast: &'a Cast) -> Vec<Plan<'a>> {
    let mut plans = Vec::new();
    let university = &cast.university;
    for (number, alg) in (0..).zip(KEYS) {
        let key = university.key(alg);
        for (at, format) in FORMATS {
            let kind = [Kind::Bachelor, Kind::Master, Kind::Doctorate, Kind::Micro(7)][number];
            let name = format!("good-{alg:?}-{at}").to_lowercase();
            let mut draft = draft(university, key, kind, &name);
            draft.status = place("diplomas-1", 10 + number as u64);
            plans.push(Plan { name, by: university, key, format, draft });
        }
    }
    let key = &university.party.assertion;
    let university_in_lists =
        [("revoked", REVOKED), ("suspended", SUSPENDED), ("replaced", REPLACED), ("reinstated", REINSTATED)];
    for (what, index) in university_in_lists {
        for (at, format) in FORMATS {
            let name = format!("{what}-{at}");
            let mut draft = draft(university, key, Kind::Master, what);
            draft.status = place("diplomas-1", index);
            plans.push(Plan { name, by: university, key, format, draft });
        }
    }
    for (at, format) in FORMATS {
        let name = format!("wallet-{at}");
        let mut draft = draft(university, key, Kind::Bachelor, &name);
        draft.holder = match format {
            Format::SdJwt | Format::Compact => Holder::Key(wallet().public_key().to_jwk()),
            _ => Holder::Did(Did::key(&wallet().public_key())),
        };
        plans.push(Plan { name, by: university, key, format, draft });
    }
    for (kind, by) in [
        (Kind::Micro(5), &cast.polytechnic),
        (Kind::Driver, &cast.authority),
        (Kind::Master, &cast.institute),
        (Kind::Master, &cast.college),
        (Kind::Master, &cast.conservatory),
        (Kind::Master, &cast.abbey),
        (Kind::Master, &cast.guild),
        (Kind::Master, &cast.lodge),
        (Kind::Master, &cast.seminar),
        (Kind::Master, &cast.academy),
        (Kind::Master, &cast.consulate),
    ] {
        plans.extend(everybody(by, &by.party.assertion, kind, by.name));
    }
    plans
}

fn everybody<'a>(by: &'a Institution, key: &'a SigningKey, kind: Kind, what: &str) -> Vec<Plan<'a>> {
    let plan = |(at, format): (&str, Format)| {
        let mut draft = draft(by, key, kind, what);
        if kind == Kind::Driver {
            draft.status = place("certificates-1", 7);
        }
        Plan { name: format!("{what}-{at}"), by, key, format, draft }
    };
    FORMATS.into_iter().map(plan).collect()
}

fn later<'a>(cast: &'a Cast, rolled: &'a SigningKey) -> Vec<(Plan<'a>, &'a SigningKey)> {
    let mut plans = Vec::new();
    for by in [&cast.institute, &cast.guild, &cast.lodge, &cast.seminar, &cast.academy] {
        let key = &by.party.assertion;
        plans
            .extend(everybody(by, key, Kind::Master, &format!("{}-late", by.name)).into_iter().map(|plan| (plan, key)));
    }
    let conservatory = &cast.conservatory;
    for (what, key) in [("conservatory-late-old-key", &conservatory.party.assertion), ("conservatory-late", rolled)] {
        plans.extend(everybody(conservatory, key, Kind::Master, what).into_iter().map(|plan| (plan, rolled)));
    }
    plans
}

impl Story {
    /// Tells it.
    pub(super) fn told() -> Self {
        let cast = Cast::new();
        let mut story = Self {
            ledger: Ledger::founded(),
            cast: Cast::new(),
            issued: BTreeMap::new(),
            evidence: BTreeMap::new(),
            packages: BTreeMap::new(),
            lists: BTreeMap::new(),
            strangers: BTreeMap::new(),
            status_record: 0,
            first: UnixTime(0),
            second: UnixTime(0),
        };
        story.ledger.world.wait(day(10));
        story.first = UnixTime(day(10).0 + 10);
        let plans = first(&cast).into_iter().map(|plan| (plan, None)).collect();
        story.anchor(plans);
        story.strangers();
        story.prove("early", day(12));
        story.ledger.world.wait(day(18));
        let college = everybody(&cast.college, &cast.college.party.assertion, Kind::Master, "college-late");
        story.anchor(college.into_iter().map(|plan| (plan, None)).collect());
        story.ledger.changes();
        story.ledger.world.wait(day(25));
        story.second = UnixTime(day(25).0 + 10);
        let rolled = world::rolled();
        story.anchor(later(&cast, &rolled).into_iter().map(|(plan, by)| (plan, Some(by))).collect());
        story.ledger.withdrawals();
        story.status_record = story.ledger.world.chain.log().size() - 1;
        story.prove("main", day(27));
        story.ledger.world.change_set(&[4, 5, 6, 7]);
        story.prove("late", day(30));
        story
    }

    /// Signs what was planned, and anchors what each institution signs in one batch of its own.
    fn anchor(&mut self, plans: Vec<(Plan<'_>, Option<&SigningKey>)>) {
        let mut rest = plans.as_slice();
        while let Some((plan, by_key)) = rest.first() {
            let count = rest.iter().take_while(|(other, _)| other.by.name == plan.by.name).count();
            let (batch, others) = rest.split_at(count);
            let texts: Vec<_> =
                batch.iter().map(|(plan, _)| documents::sign(plan.format, &plan.draft, plan.key)).collect();
            let digests: Vec<_> = texts.iter().map(|text| digest(text)).collect();
            let key = by_key.unwrap_or(&plan.by.party.assertion);
            let receipts = self.ledger.anchor(plan.by, key, &digests);
            for (((plan, _), text), receipt) in batch.iter().zip(texts).zip(receipts) {
                assert!(plan.format != Format::Compact || text.len() <= COMPACT_BYTES_MAX, "{}", plan.name);
                let known = self.issued.insert(plan.name.clone(), Issued { text, receipt });
                assert!(known.is_none(), "{} is issued twice", plan.name);
            }
            rest = others;
        }
    }

    fn strangers(&mut self) {
        let digests = FORMATS.map(|(format, _)| digest(&self.of(&format!("good-es256-{format}")).text));
        let conservatory = &self.cast.conservatory;
        let receipts = self.ledger.anchor(conservatory, &conservatory.party.assertion, &digests);
        self.strangers = FORMATS.iter().map(|(format, _)| *format).zip(receipts).collect();
    }

    /// An empty block, and evidence of everything that any case asks of the ledger then.
    fn prove(&mut self, name: &'static str, time: UnixTime) {
        self.ledger.world.wait(time);
        let everybody: Vec<_> = self.cast.registered().into_iter().chain([&self.cast.nobody]).collect();
        self.evidence.insert(name, self.ledger.evidence(&self.keys(&everybody)));
        self.packages.insert(name, self.ledger.evidence(&self.keys(&[&self.cast.university])));
        self.lists.insert(name, self.ledger.attachments.clone());
    }

    /// The keys of everything that can be asked about some institutions.
    pub(super) fn keys(&self, of: &[&Institution]) -> Vec<StateKey> {
        let recorder = Recorder::new(&self.ledger.world.state);
        let now = self.ledger.world.time();
        for one in of {
            for issued in [None, Some(self.first), Some(day(18)), Some(self.second)] {
                let issued = issued.filter(|time| *time <= now);
                for at in [None, Some(day(9)), Some(day(19)), Some(day(26)), Some(day(28))] {
                    let at = at.filter(|time| *time <= now);
                    for scope in scopes() {
                        ledger::read(&recorder, &question(one, scope, issued, now, at)).expect("in memory");
                    }
                }
            }
        }
        recorder.into_keys()
    }

    /// What a package of the university's holds that was made on a day.
    pub(super) fn package(&self, day: &str) -> Proofs {
        let lists = self.lists[day].iter().map(|bits| bits.as_bytes().to_vec()).collect();
        Proofs { evidence: Some(Arc::new(self.packages[day].clone())), lists, tokens: BTreeMap::new() }
    }

    /// A trust file of genesis alone.
    pub(super) fn trust(&self) -> TrustFile {
        self.ledger.world.chain.trust()
    }

    /// A trust file that pins a block of the second validators.
    pub(super) fn pinned(&self) -> TrustFile {
        self.ledger.world.chain.pinned(self.ledger.world.chain.tip().height)
    }

    /// A receipt of the university's diploma that the conservatory got: anybody may notarise anything.
    pub(super) fn by_somebody_else(&self, format: &str) -> (String, Receipt) {
        let name = format!("by-somebody-else-{format}");
        let receipt = self.strangers.get(format).unwrap_or_else(|| panic!("no stranger notarised {format}"));
        (name, receipt.clone())
    }

    /// A receipt of the university's own, of a record that is about a status list.
    pub(super) fn of_another_kind(&self) -> Receipt {
        self.ledger.world.receipt(self.status_record)
    }

    /// A receipt under a block of the second validators.
    pub(super) fn refreshed(&self, receipt: &Receipt) -> Receipt {
        let chain = &self.ledger.world.chain;
        let height = Header::decode(receipt.header.as_bytes()).expect("our own header").height;
        let anchor = chain.anchor(height, chain.tip().height);
        Receipt { anchors: vec![serde_json::to_value(anchor).expect("an anchor")], ..receipt.clone() }
    }

    /// One that was issued.
    pub(super) fn of(&self, name: &str) -> &Issued {
        self.issued.get(name).unwrap_or_else(|| panic!("nothing was issued as {name}"))
    }
}

/// What somebody may say to be accredited for: keys that are read depend on what lies outside.
fn scopes() -> Vec<Scope> {
    let (diploma, certificate) = (schema_id(&diploma_schema()), schema_id(&certificate_schema()));
    let scope = |schema, types: &[&str], place: &str| Scope {
        schema,
        types: types.iter().map(|name| (*name).to_owned()).collect(),
        jurisdictions: [jurisdiction(place)].into(),
    };
    vec![
        scope(diploma, &["UniversityDegree", "EqfLevel7"], "LUX"),
        scope(diploma, &["MicroCredential", "EqfLevel5"], "LUX"),
        scope(diploma, &["MedicalLicence"], "LUX"),
        scope(diploma, &["UniversityDegree"], "FRA"),
        scope(certificate, &["DangerousGoodsDriverCertificate"], "LUX"),
        scope(UNPUBLISHED, &["UniversityDegree"], "LUX"),
    ]
}

/// What is asked about something that an institution might have issued.
fn question(
    one: &Institution,
    scope: Scope,
    issued: Option<UnixTime>,
    state_time: UnixTime,
    at: Option<UnixTime>,
) -> Question {
    let lists = match one.name {
        "university" => vec!["diplomas-1", "diplomas-9"],
        "authority" => vec!["certificates-1"],
        _ => Vec::new(),
    };
    Question {
        issuer: one.did().clone(),
        scopes: vec![scope],
        lists: lists.into_iter().map(|name| name.parse().expect("a reference")).collect(),
        issued,
        state_time,
        at,
    }
}
