//! Making a diploma: the compact credential, the print that shows it, the credentials that name the print.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use jsonschema::{PatternOptions, Validator};
use serde_json::{Value, json};
use testamur_credentials::credential::{Format, Holder};
use testamur_credentials::format::{self, StatusPlace};
use testamur_credentials::print::PrintDigest;
use testamur_paper::{Issuer, PrintJob, Text};
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::{AttributeId, SchemaId};
use testamur_primitives::identity::Relationship;
use testamur_primitives::issuers::accreditation::Scope;
use testamur_primitives::key::{JwsAlgorithm, SigningKey};
use testamur_primitives::units::UnixTime;

use crate::limits::{CHUNK, CHUNK_BYTES};
use crate::office::{CLOCK_MARGIN_S, Office, OfficeError, OnProgress, Progress};
use crate::store::{Award, AwardId, DiplomaKey, Draft, Job, SignedCopy, StoreError};
use crate::work::each_in_parallel;

/// What is needed at hand for signing, looked up once: that the issuer may, and in whose name.
pub(crate) struct Bench {
    kid: DidUrl,
    alg: JwsAlgorithm,
    public_base: String,
    valid_from: UnixTime,
    /// The accreditation that each scope rests on.
    rests_on: Vec<(Scope, AttributeId)>,
    schemas: BTreeMap<SchemaId, Validator>,
    issuer: Issuer,
}

/// A diploma as it was signed.
struct Made {
    diploma: DiplomaKey,
    copies: Vec<(Format, SignedCopy, String)>,
    print: Option<Vec<u8>>,
}

/// A draft that no diploma can be made of, and why.
type Unfit = (AwardId, String);

impl Made {
    fn bytes(&self) -> usize {
        self.copies.iter().map(|(.., text)| text.len()).sum::<usize>() + self.print.as_ref().map_or(0, Vec::len)
    }
}

impl Bench {
    /// Whether a draft follows its schema: in words that name the member and not its value.
    pub(crate) fn check(&self, draft: &Draft) -> Result<(), String> {
        let validator = self.schemas.get(&draft.schema).ok_or("its schema is not on the ledger")?;
        let mut subject = draft.content.clone();
        if let Some(holder) = &draft.holder {
            subject.insert("id".into(), json!(holder));
        }
        validator.validate(&json!({ "credentialSubject": subject })).map_err(|error| {
            let place = error.instance_path().to_string();
            let place = place.trim_start_matches("/credentialSubject").trim_start_matches('/').replace('/', ".");
            let rule = error.schema_path().to_string();
            let rule = rule.rsplit('/').next().unwrap_or_default().to_owned();
            match (place.as_str(), &error.kind()) {
                (_, jsonschema::error::ValidationErrorKind::Required { property }) => {
                    format!("{} is missing, and the schema wants it", property.as_str().unwrap_or_default())
                }
                ("", _) => format!("the schema does not allow it ({rule})"),
                (place, _) => format!("{place}: the schema does not allow this value ({rule})"),
            }
        })
    }

    fn rests_on(&self, scope: &Scope) -> Option<AttributeId> {
        self.rests_on.iter().find(|(known, _)| known == scope).map(|(_, attribute)| *attribute)
    }
}

impl Office {
    /// Looks up whether the issuer may issue all of this now, with the key that it has: before anything is signed.
    pub(crate) async fn bench(&self, scopes: impl Iterator<Item = Scope>) -> Result<Bench, OfficeError> {
        let kid = self.key_id();
        let now = self.now()?;
        let document = self.ledger.document(&self.did).await?;
        let document = document.ok_or_else(|| OfficeError::NotAccredited(format!("{} is not registered", self.did)))?;
        let usable = document.usable_key(kid.fragment(), &[Relationship::AssertionMethod], now);
        usable.map_err(|error| {
            OfficeError::NotAccredited(format!("the key that signs credentials is of no use: {error}"))
        })?;
        let mut bench = Bench {
            alg: self.key.public_key().algorithm(),
            kid,
            public_base: self.ledger.public_base(),
            valid_from: UnixTime(now.0.saturating_sub(CLOCK_MARGIN_S)),
            rests_on: Vec::new(),
            schemas: BTreeMap::new(),
            issuer: Issuer { names: Vec::new(), did: self.did.to_string(), logo: self.settings.logo.clone() },
        };
        for scope in scopes {
            if bench.rests_on(&scope).is_some() {
                continue;
            }
            let chain = self.ledger.accredited(&self.did, &scope).await?.map_err(|refusal| {
                let types: Vec<_> = scope.types.iter().map(String::as_str).collect();
                let places: Vec<_> = scope.jurisdictions.iter().map(String::as_str).collect();
                let (types, places) = (types.join(", "), places.join(", "));
                OfficeError::NotAccredited(format!("for {types} in {places} the issuer is not accredited: {refusal}"))
            })?;
            let name = |name: &testamur_primitives::issuers::LegalName| Text {
                language: name.lang.clone(),
                text: name.name.clone(),
            };
            bench.issuer.names = chain.issuer().entity.names.iter().map(name).collect();
            bench.rests_on.push((scope.clone(), chain.issuer().attribute));
            if let Entry::Vacant(place) = bench.schemas.entry(scope.schema) {
                place.insert(self.schema(scope.schema).await?);
            }
        }
        Ok(bench)
    }

    async fn schema(&self, id: SchemaId) -> Result<Validator, OfficeError> {
        let unusable = |why: &str| OfficeError::Draft(format!("schema {id} {why}"));
        let entry = self.ledger.schema(id).await?.ok_or_else(|| unusable("is not on the ledger"))?;
        let body: Value = serde_json::from_str(&entry.body).map_err(|_| unusable("is not readable"))?;
        jsonschema::options()
            .with_draft(jsonschema::Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(true)
            .offline()
            .build(&body)
            .map_err(|_| unusable("is not one that verifiers can use"))
    }

    /// Signs what a job has not signed yet. A crash costs what was made since the last step; a draft that cannot be made into a
    /// diploma ends the job, and nothing of it stays.
    pub(crate) fn sign_job(&self, job: &Job, bench: &Bench, progress: OnProgress<'_>) -> Result<(), OfficeError> {
        let places: Vec<usize> = (0..job.diplomas.len()).collect();
        let (mut waiting, mut bytes, mut done) = (Vec::new(), 0, 0);
        let mut faults = Vec::new();
        let doing = if job.print { "signing and printing" } else { "signing" };
        let work = |place: &usize| self.make(job, *place, bench);
        each_in_parallel(self.settings.threads, &places, work, |_, made| {
            done += 1;
            match made? {
                Ok(Some(made)) => {
                    bytes += made.bytes();
                    waiting.push(made);
                }
                Ok(None) => {}
                Err(fault) => faults.push(fault),
            }
            if waiting.len() >= CHUNK || bytes >= CHUNK_BYTES {
                self.keep(&std::mem::take(&mut waiting))?;
                bytes = 0;
                progress(Progress { doing, done, of: places.len() });
            }
            Ok::<_, OfficeError>(())
        })?;
        if !faults.is_empty() {
            self.abandon(job)?;
            faults.sort();
            return Err(OfficeError::Drafts(faults));
        }
        self.keep(&waiting)?;
        progress(Progress { doing, done, of: places.len() });
        Ok(())
    }

    /// One step: what was signed, and that it was.
    fn keep(&self, all: &[Made]) -> Result<(), OfficeError> {
        self.store.write(|change| {
            for made in all {
                let mut award = change.award(&made.diploma.award)?.ok_or(StoreError::Damaged)?;
                let diploma = award.edition_mut(made.diploma.edition).ok_or(StoreError::Damaged)?;
                for (format, copy, text) in &made.copies {
                    diploma.copies.insert(*format, copy.clone());
                    change.put_text(&made.diploma, *format, &copy.digest, text)?;
                }
                if let Some(print) = &made.print {
                    change.put_print(&made.diploma, print)?;
                }
                change.put_award(&award)?;
            }
            Ok(())
        })
    }

    /// Makes one diploma of a job, unless it is made.
    fn make(&self, job: &Job, place: usize, bench: &Bench) -> Result<Result<Option<Made>, Unfit>, OfficeError> {
        let diploma = job.diplomas[place];
        let award = self.store.award(&diploma.award)?.ok_or(StoreError::Damaged)?;
        let edition = award.edition(diploma.edition).ok_or(StoreError::Damaged)?;
        if !edition.copies.is_empty() {
            return Ok(Ok(None));
        }
        let draft = self.store.content(&diploma)?.ok_or(StoreError::Damaged)?;
        let first_leaf = (place * job.formats.len()) as u64;
        let made = bench.check(&draft).and_then(|()| self.sign_one(job, &award, diploma, &draft, bench, first_leaf));
        Ok(made.map(Some).map_err(|fault| (award.id, fault)))
    }

    fn sign_one(
        &self,
        job: &Job,
        award: &Award,
        diploma: DiplomaKey,
        draft: &Draft,
        bench: &Bench,
        first_leaf: u64,
    ) -> Result<Made, String> {
        let edition = award.edition(diploma.edition).ok_or("the archive has no such edition")?;
        let ebsi = job.formats.contains(&Format::Ebsi) && draft.holder.is_none();
        let mut drafted = format::Draft {
            id: fresh_urn()?,
            issuer: self.did.clone(),
            kid: bench.kid.clone(),
            alg: bench.alg,
            types: draft.types.iter().cloned().collect(),
            schema: draft.schema,
            public_base: bench.public_base.clone(),
            subject: draft.content.clone(),
            holder: draft.holder.clone().map_or(Holder::Unbound, Holder::Did),
            discarded: if ebsi { Some(discarded()?) } else { None },
            valid_from: bench.valid_from,
            valid_until: draft.valid_until,
            status: Some(StatusPlace { list: edition.list.clone(), index: edition.index }),
            accreditation: bench.rests_on(&draft.scope()),
        };
        let compact = self.signed(Format::Compact, &drafted)?;
        let print = if job.print { Some(print(draft, bench, &compact.1)?) } else { None };
        if let Some(print) = &print {
            drafted.subject.insert("print".into(), json!(PrintDigest::of(print)));
        }
        let mut copies = Vec::with_capacity(job.formats.len());
        for (leaf, format) in (first_leaf..).zip(&job.formats) {
            let (digest, text) = match format {
                Format::Compact => compact.clone(),
                format => self.signed(*format, &drafted)?,
            };
            copies.push((*format, SignedCopy { digest, leaf, salt: random()? }, text));
        }
        Ok(Made { diploma, copies, print })
    }

    fn signed(&self, format: Format, draft: &format::Draft) -> Result<([u8; 32], String), String> {
        // Drawn at once: one call of the system for all fields of a diploma.
        let mut pool: Vec<[u8; 16]> = Vec::new();
        let mut failed = None;
        let mut salts = || {
            if pool.is_empty() {
                let mut bytes = [0; 32 * 16];
                failed = getrandom::fill(&mut bytes).err().or(failed.take());
                pool.extend(bytes.as_chunks::<16>().0);
            }
            pool.pop().unwrap_or_default()
        };
        let unsigned = format::build(format, draft, &mut salts).map_err(|error| error.to_string())?;
        if failed.is_some() {
            return Err(StoreError::Random.to_string());
        }
        Ok((unsigned.digest(), unsigned.sign(&self.key)))
    }
}

/// The page with the QR code.
fn print(draft: &Draft, bench: &Bench, compact: &str) -> Result<Vec<u8>, String> {
    let titles = draft.content.get("title").and_then(Value::as_array);
    let first = titles.and_then(|titles| titles.first()).and_then(|title| title["language"].as_str());
    let language = draft.page.language.as_deref().or(first).unwrap_or("en");
    let job = PrintJob {
        content: &draft.content,
        issuer: &bench.issuer,
        language,
        heading: draft.page.heading.as_deref(),
        compact,
    };
    testamur_paper::render(&job).map_err(|error| format!("it cannot be printed: {error}"))
}

fn random<const N: usize>() -> Result<[u8; N], String> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| StoreError::Random.to_string())?;
    Ok(bytes)
}

/// A did:key whose private key nobody has: it is forgotten here.
fn discarded() -> Result<Did, String> {
    loop {
        if let Ok(key) = SigningKey::p256(&random::<32>()?) {
            return Ok(Did::jwk_jcs_key(&key.public_key()));
        }
    }
}

/// A random UUID as a URN (RFC 9562, version 4).
fn fresh_urn() -> Result<String, String> {
    let mut bytes: [u8; 16] = random()?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex = hex::encode(bytes);
    Ok(format!("urn:uuid:{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]))
}
