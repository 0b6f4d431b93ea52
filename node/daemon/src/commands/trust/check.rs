//! Whether a credential may be believed: who signed it, were they allowed to, and has it been withdrawn.
//!
//! Everything about the issuer is read under one header and proven: its DID document as of the time, its chain of
//! accreditations with every signature, its status lists. Where a library of others' stops at the first hop, this goes
//! on to the Root TAO.

use std::path::{Path, PathBuf};

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use testamur_client::registry::{At, Read, Registry};
use testamur_primitives::codec;
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::AttributeId;
use testamur_primitives::identity::{self, DidEntry, KeyRefusal, Relationship};
use testamur_primitives::issuers::accreditation::{OutOfScope, Scope, instant, parse_schema_id, specific_types};
use testamur_primitives::issuers::chain::{ChainRefusal, TrustChain, trust_chain};
use testamur_primitives::issuers::{self};
use testamur_primitives::key::JwsAlgorithm;
use testamur_primitives::record::Reference;
use testamur_primitives::state::evidence::ProvenState;
use testamur_primitives::status::formats::proxy_id;
use testamur_primitives::status::{self, BitList, StatusEntry, StatusPurpose};
use testamur_primitives::units::UnixTime;

use super::{name_of, warn_of};
use crate::entity::desk::unproven;
use crate::entity::options::LedgerOptions;
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::output::{Output, Tone, now, parse_time, utc};

/// Bytes of a credential: a diploma supplement with every course is about 100 KiB.
const CREDENTIAL_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Status entries and termsOfUse that are looked at.
const ENTRIES_MAX: usize = 16;

/// Arguments of `trust check`.
#[derive(Debug, Args)]
#[command(after_help = "\
Judged is as of now, or as of --at: a time at which the credential is known to have existed, such as that of its \
notarisation. A revocation counts whenever it was made. The credential itself is not sent anywhere, and status lists \
are fetched whole: no node learns which credential is checked.

Exit codes: 0 confirmed, 3 not valid, 4 cannot tell, 1 a file cannot be read.")]
pub(crate) struct Check {
    /// The credential: a VC-JWT
    #[arg(long, value_name = "FILE")]
    credential: PathBuf,
    /// Judge as of this time: 2027-01-31T12:00:00Z, a date, or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<UnixTime>,
    /// Keep the proof of what was read in this file: it verifies offline against the trust file
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Why a credential is not confirmed.
#[derive(Debug)]
struct Refusal {
    code: String,
    message: String,
    /// Whether something is missing, rather than wrong.
    cannot_tell: bool,
}

impl Refusal {
    fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self { code: code.into(), message: message.into(), cannot_tell: false }
    }
}

impl From<ChainRefusal> for Refusal {
    fn from(refusal: ChainRefusal) -> Self {
        Self::new(refusal.code(), refusal.to_string())
    }
}

/// A step and how it went.
#[derive(Debug, Serialize)]
struct Step {
    step: &'static str,
    passed: bool,
    what: String,
}

#[derive(Serialize)]
struct Report {
    verdict: &'static str,
    exit_code: u8,
    at: UnixTime,
    steps: Vec<Step>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    node: Option<String>,
}

#[derive(Serialize)]
struct ErrorReport {
    code: String,
    message: String,
}

/// A credential, read as far as it is judged here.
struct Credential {
    issuer: Did,
    kid: DidUrl,
    alg: JwsAlgorithm,
    signing_input: String,
    signature: Vec<u8>,
    types: Vec<String>,
    schemas: Vec<String>,
    valid_from: UnixTime,
    valid_until: Option<UnixTime>,
    /// Attribute that `termsOfUse` names, with whose it says it is.
    terms: Option<(Did, AttributeId)>,
    statuses: Vec<StatusReference>,
}

/// An entry of `credentialStatus`.
enum StatusReference {
    List { purpose: StatusPurpose, index: u64, list: Reference },
    Accreditation(AttributeId),
}

#[derive(Deserialize)]
struct Header {
    alg: String,
    kid: String,
}

/// What the ledger says of it, all under one header.
struct Found {
    at: UnixTime,
    document: Option<DidEntry>,
    chain: Result<TrustChain, Refusal>,
    lists: Vec<Option<StatusEntry>>,
    accreditations: Vec<(AttributeId, Result<(), ChainRefusal>)>,
}

impl Check {
    pub(super) async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let text = read_text(&self.credential)?;
        let mut report = Report {
            verdict: "",
            exit_code: 0,
            at: self.at.unwrap_or(now()?),
            steps: vec![],
            error: None,
            height: None,
            node: None,
        };
        let refusal = match Credential::parse(&text) {
            Ok(credential) => self.judge(&credential, &mut report, output).await?.err(),
            Err(message) => Some(Refusal::new("credential.malformed", message)),
        };
        let exit = match &refusal {
            None => Exit::Ok,
            Some(refusal) if refusal.cannot_tell => Exit::CannotTell,
            Some(_) => Exit::NotValid,
        };
        report.exit_code = exit as u8;
        report.verdict = match exit {
            Exit::Ok => "confirmed",
            Exit::CannotTell => "cannot-tell",
            _ => "not-valid",
        };
        report.error = refusal.map(|refusal| ErrorReport { code: refusal.code, message: refusal.message });
        output.result(&report, || describe(&report, &self.credential, output));
        Ok(exit)
    }

    async fn judge(
        &self,
        credential: &Credential,
        report: &mut Report,
        output: &Output,
    ) -> Result<Result<(), Refusal>, CommandError> {
        let registry = self.ledger.connect(None).await?;
        let at = At::from(self.at);
        let first = [identity::keys::did(&credential.issuer).head(), issuers::keys::issuer(&credential.issuer).head()];
        let proven = match registry.read(&first, |state| find(state, credential, at)).await {
            Ok(proven) => proven,
            Err(error) => {
                let code = error.code().to_owned();
                return Ok(Err(Refusal { code, message: unproven(&error).to_string(), cannot_tell: true }));
            }
        };
        warn_of(&proven.passed_over, output);
        if let Some(path) = &self.evidence {
            files::replace(path, &proven.evidence.encode(), 0o644)?;
        }
        (report.height, report.node) = (Some(proven.header.height.0), Some(proven.server.clone()));
        report.at = proven.value.at;
        Ok(steps(&registry, credential, proven.value, &mut report.steps).await)
    }
}

fn read_text(path: &Path) -> Result<String, CommandError> {
    let bytes = files::read_at_most(path, CREDENTIAL_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| {
        CommandError::content(path, "is no text", "give the credential as a VC-JWT: three parts with two dots between")
    })?;
    Ok(text.trim().trim_matches('"').to_owned())
}

impl Credential {
    fn parse(jwt: &str) -> Result<Self, String> {
        let (signing_input, signature) =
            jwt.rsplit_once('.').ok_or("not a VC-JWT: three parts with two dots between are expected")?;
        let (header, payload) =
            signing_input.split_once('.').ok_or("not a VC-JWT: three parts with two dots between are expected")?;
        let decode = |part: &str| codec::from_base64url(part).map_err(|_| "not unpadded base64url".to_owned());
        let header: Header = serde_json::from_slice(&decode(header)?).map_err(|e| format!("its header: {e}"))?;
        let claims: Value = serde_json::from_slice(&decode(payload)?).map_err(|e| format!("its payload: {e}"))?;
        let vc = &claims["vc"];
        let text = |value: &Value, name: &str| {
            value[name].as_str().map(str::to_owned).ok_or_else(|| format!("{name} is missing"))
        };
        let issuer = vc["issuer"].as_str().or(vc["issuer"]["id"].as_str()).ok_or("issuer is missing")?;
        let kid: DidUrl = header.kid.parse().map_err(|_| "kid is not a DID URL")?;
        if text(&claims, "iss")? != issuer || kid.did().as_str() != issuer {
            return Err("iss, issuer and the DID of kid differ".into());
        }
        let subject = vc["credentialSubject"]["id"].as_str();
        if claims["sub"].as_str() != subject && claims["sub"].is_string() {
            return Err("sub and credentialSubject.id differ".into());
        }
        let date =
            |name: &str| vc[name].as_str().map(|text| instant(text).map_err(|e| format!("{name}: {e}"))).transpose();
        let seconds = |name: &str| claims[name].as_u64().map(UnixTime);
        let valid_from = [date("validFrom")?, date("issuanceDate")?, seconds("nbf")].into_iter().flatten().max();
        let valid_until = [date("expirationDate")?, seconds("exp")].into_iter().flatten().min();
        let types: Vec<_> = many(&vc["type"]).iter().filter_map(|t| Some(t.as_str()?.to_owned())).collect();
        if !types.iter().any(|t| t == "VerifiableCredential") {
            return Err("type does not hold VerifiableCredential".into());
        }
        let schemas = many(&vc["credentialSchema"]).iter().filter_map(|s| Some(s["id"].as_str()?.to_owned())).collect();
        let terms = many(&vc["termsOfUse"]).iter().find(|terms| terms["type"] == "IssuanceCertificate").map(|terms| {
            let url = terms["id"].as_str().unwrap_or_default();
            attribute_of(url).ok_or("termsOfUse is not the URL of an accreditation (…/issuers/DID/attributes/ID)")
        });
        let statuses = many(&vc["credentialStatus"]);
        if statuses.len() > ENTRIES_MAX {
            return Err(format!("more than {ENTRIES_MAX} entries in credentialStatus"));
        }
        let issuer: Did = issuer.parse().map_err(|_| "issuer is not a DID")?;
        Ok(Self {
            statuses: statuses.iter().map(|entry| StatusReference::parse(entry, &issuer)).collect::<Result<_, _>>()?,
            terms: terms.transpose()?,
            issuer,
            kid,
            alg: JwsAlgorithm::from_name(&header.alg).ok_or("alg must be ES256, ES384, ES256K or EdDSA")?,
            signing_input: signing_input.to_owned(),
            signature: decode(signature)?,
            types,
            schemas,
            valid_from: valid_from.ok_or("validFrom is missing")?,
            valid_until,
        })
    }

    /// What an accreditation must allow for it.
    fn scope(&self) -> Result<Scope, Refusal> {
        let schema = self.schemas.iter().find_map(|schema| parse_schema_id(schema));
        let schema = schema
            .ok_or_else(|| Refusal::new("credential.schema", "credentialSchema names no schema of a registry"))?;
        let types = specific_types(self.types.iter().map(String::as_str));
        Ok(Scope { schema, types, jurisdictions: Default::default() })
    }

    /// Whether an accreditation allows this credential, under any of its schemas. Where it may be issued, the credential
    /// does not say: that the accreditation is limited to a jurisdiction is no refusal.
    fn permitted_by(&self, chain: &TrustChain) -> Result<(), Refusal> {
        let mut scope = self.scope()?;
        let ids: Vec<_> = self.schemas.iter().filter_map(|schema| parse_schema_id(schema)).collect();
        let mut refusal = None;
        for id in ids {
            scope.schema = id;
            match chain.permits(&scope) {
                Ok(()) | Err(ChainRefusal::NotPermitted(OutOfScope::Jurisdiction(_))) => return Ok(()),
                Err(found) => refusal = Some(found),
            }
        }
        Err(refusal.map_or_else(|| Refusal::new("credential.schema", "credentialSchema is missing"), Refusal::from))
    }
}

/// One value or a list of them.
fn many(value: &Value) -> Vec<&Value> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(values) => values.iter().collect(),
        one => vec![one],
    }
}

/// DID and attribute of `…/issuers/DID/attributes/ID`.
fn attribute_of(url: &str) -> Option<(Did, AttributeId)> {
    let mut parts = url.rsplit('/');
    let id = parts.next()?;
    let (attributes, did) = (parts.next()?, parts.next()?);
    let id = id.strip_prefix("0x").unwrap_or(id).parse().ok()?;
    (attributes == "attributes").then_some((crate::entity::options::parse_did(did).ok()?, id))
}

impl StatusReference {
    fn parse(entry: &Value, issuer: &Did) -> Result<Self, String> {
        let text = |name: &str| entry[name].as_str().ok_or_else(|| format!("credentialStatus.{name} is missing"));
        match text("type")? {
            "EbsiAccreditationEntry" => {
                let (_, id) =
                    attribute_of(text("id")?).ok_or("credentialStatus.id is not the URL of an accreditation")?;
                Ok(Self::Accreditation(id))
            }
            "StatusList2021Entry" | "BitstringStatusListEntry" => {
                let purpose = match text("statusPurpose")? {
                    "revocation" => StatusPurpose::Revocation,
                    "suspension" => StatusPurpose::Suspension,
                    other => return Err(format!("statusPurpose {other:?} is unknown")),
                };
                let index = text("statusListIndex")?.parse().map_err(|_| "statusListIndex is no number")?;
                let url = text("statusListCredential")?;
                let list = list_of(url, issuer)
                    .ok_or_else(|| format!("{url} is not a list of the credential's own issuer"))?;
                Ok(Self::List { purpose, index, list })
            }
            other => Err(format!("credentialStatus of type {other:?} is unknown")),
        }
    }
}

/// The list that a URL names, if it is the issuer's own: somebody else's says nothing of this credential.
pub(crate) fn list_of(url: &str, issuer: &Did) -> Option<Reference> {
    let path = url.split('#').next()?;
    let parts: Vec<_> = path.split('/').collect();
    match parts.as_slice() {
        [.., "issuers", did, "proxies", proxy, "credentials", "status", list] if *proxy == proxy_id(issuer) => {
            (crate::entity::options::parse_did(did).ok()? == *issuer).then(|| list.parse().ok())?
        }
        [.., "status-lists", did, list, "bitstring" | "status-list-2021" | "token"] => {
            (crate::entity::options::parse_did(did).ok()? == *issuer).then(|| list.parse().ok())?
        }
        _ => None,
    }
}

/// Reads all that the judgement needs, under one header.
fn find(state: &ProvenState, credential: &Credential, at: At) -> Read<Found> {
    let at = at.resolve(state);
    let document = identity::as_of(state, &credential.issuer, at)?;
    let chain = match &credential.terms {
        Some((did, id)) if *did == credential.issuer => match trust_chain(state, *id, at)? {
            Ok(chain) if chain.issuer().subject != credential.issuer => {
                Err(Refusal::new("credential.terms-of-use", "termsOfUse names an accreditation of somebody else"))
            }
            Ok(chain) => Ok(chain),
            Err(refusal) => Err(refusal.into()),
        },
        Some((did, _)) => Err(Refusal::new(
            "credential.terms-of-use",
            format!("termsOfUse names an accreditation of {did}, not of the issuer"),
        )),
        None => any_chain(state, credential, at)?,
    };
    let (mut lists, mut accreditations) = (Vec::new(), Vec::new());
    for entry in &credential.statuses {
        match entry {
            StatusReference::List { list, .. } => lists.push(status::newest(state, &credential.issuer, list)?),
            StatusReference::Accreditation(id) => {
                accreditations.push((*id, trust_chain(state, *id, at)?.map(|_| ())));
            }
        }
    }
    Ok(Found { at, document, chain, lists, accreditations })
}

/// Without `termsOfUse`, any accreditation of the issuer's that allows the credential will do.
fn any_chain(state: &ProvenState, credential: &Credential, at: UnixTime) -> Read<Result<TrustChain, Refusal>> {
    let mut refusal = Refusal::from(ChainRefusal::NotAccredited(credential.issuer.clone()));
    let Some(issuer) = issuers::issuer(state, &credential.issuer)? else { return Ok(Err(refusal)) };
    for id in issuer.attributes {
        match trust_chain(state, id, at)? {
            Ok(chain) => match credential.permitted_by(&chain) {
                Ok(()) => return Ok(Ok(chain)),
                Err(found) => refusal = found,
            },
            Err(found) => refusal = found.into(),
        }
    }
    Ok(Err(refusal))
}

async fn steps(
    registry: &Registry,
    credential: &Credential,
    found: Found,
    steps: &mut Vec<Step>,
) -> Result<(), Refusal> {
    let mut pass = |step, what: String| steps.push(Step { step, passed: true, what });
    let Found { at, document, chain, lists, accreditations } = found;

    let document = document.ok_or_else(|| {
        Refusal::new(
            "did.not-registered",
            format!("{} was not registered on this ledger at {}", credential.issuer, utc(at)),
        )
    })?;
    let key = document
        .usable_key(credential.kid.fragment(), &[Relationship::AssertionMethod], at)
        .map_err(|reason| Refusal::new(key_code(reason), format!("the key {}: {reason}", credential.kid)))?;
    key.verify(credential.alg, credential.signing_input.as_bytes(), &credential.signature)
        .map_err(|error| Refusal::new("credential.signature", error.to_string()))?;
    pass("signature", format!("signed by {} with a key that was in force at {}", credential.issuer, utc(at)));

    if at < credential.valid_from {
        return Err(Refusal::new(
            "credential.not-yet-valid",
            format!("it is valid from {} on", utc(credential.valid_from)),
        ));
    }
    if let Some(until) = credential.valid_until.filter(|until| *until <= at) {
        return Err(Refusal::new("credential.expired", format!("it expired on {}", utc(until))));
    }
    pass("dates", format!("valid at {}", utc(at)));

    let chain = chain?;
    let names: Vec<_> = chain
        .links
        .iter()
        .rev()
        .map(|link| format!("{} {}", link.issuer_type.ebsi_name(), name_of(&link.entity)))
        .collect();
    pass("chain", names.join(" → "));
    credential.permitted_by(&chain)?;
    let types = specific_types(credential.types.iter().map(String::as_str)).into_iter().collect::<Vec<_>>().join(", ");
    pass("scope", format!("accredited for {types} under this schema"));

    for (id, held) in accreditations {
        held?;
        pass("status", format!("accreditation {id} is in force"));
    }
    let references = credential.statuses.iter().filter_map(|entry| match entry {
        StatusReference::List { purpose, index, list } => Some((*purpose, *index, list)),
        StatusReference::Accreditation(_) => None,
    });
    for ((purpose, index, list), entry) in references.zip(lists) {
        let entry = entry
            .ok_or_else(|| Refusal::new("status.unknown", format!("the issuer has published no status list {list}")))?;
        if entry.status.purpose != purpose {
            return Err(Refusal::new("status.purpose", format!("status list {list} is not for {}", purpose.name())));
        }
        let bits = registry.status_bits(&entry).await.map_err(|error| Refusal {
            code: error.code().to_owned(),
            message: format!("the bits of status list {list}: {error}"),
            cannot_tell: true,
        })?;
        let set = BitList::from_bytes(bits, entry.status.size).and_then(|bits| bits.get(index));
        match (set, purpose) {
            (None, _) => return Err(Refusal::new("status.index", format!("status list {list} has no entry {index}"))),
            (Some(false), _) => {
                pass("status", format!("not set in {list} (version {}, {})", entry.seq, purpose.name()))
            }
            (Some(true), StatusPurpose::Revocation) => {
                return Err(Refusal::new("status.revoked", "its issuer has revoked it"));
            }
            (Some(true), StatusPurpose::Suspension) => {
                return Err(Refusal::new("status.suspended", "its issuer has suspended it"));
            }
        }
    }
    Ok(())
}

fn key_code(reason: KeyRefusal) -> &'static str {
    match reason {
        KeyRefusal::Unknown => "did.unknown-key",
        KeyRefusal::NotGranted => "did.key-not-granted",
        KeyRefusal::NotYetValid => "did.key-not-yet-valid",
        KeyRefusal::Expired => "did.key-expired",
        KeyRefusal::Revoked => "did.key-revoked",
        KeyRefusal::Compromised => "did.key-compromised",
    }
}

fn describe(report: &Report, path: &Path, output: &Output) -> String {
    let file = output.paint(Tone::Strong, &path.display().to_string());
    let mut text = match (report.verdict, &report.error) {
        ("confirmed", _) => {
            format!("{}: {file} holds as of {}.\n\n", output.paint(Tone::Good, "CONFIRMED"), utc(report.at))
        }
        ("cannot-tell", Some(error)) => {
            format!("{}: {file}: {} ({}).\n\n", output.paint(Tone::Warning, "CANNOT TELL"), error.message, error.code)
        }
        (_, Some(error)) => {
            format!("{}: {file}: {} ({}).\n\n", output.paint(Tone::Bad, "NOT VALID"), error.message, error.code)
        }
        (_, None) => String::new(),
    };
    for step in &report.steps {
        text += &format!("  {} {:<10} {}\n", output.paint(Tone::Good, "passed"), step.step, step.what);
    }
    if let Some(error) = &report.error {
        text += &format!("  {} {}\n", output.paint(Tone::Bad, "failed"), error.code);
    }
    if let (Some(height), Some(node)) = (report.height, &report.node) {
        text += &format!("  proven by block {height}, from {node}\n");
    }
    text
}
