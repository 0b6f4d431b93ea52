//! `testamur trust`: who accredits whom, and whether a credential's issuer was allowed to issue it.

mod check;
mod show;

use std::path::PathBuf;
use std::sync::Arc;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use testamur_client::author::Author;
use testamur_client::limits::FINAL_TIMEOUT;
use testamur_client::registry::{At, Fault, Registry};
use testamur_primitives::did::Did;
use testamur_primitives::hash::AttributeId;
use testamur_primitives::issuers::{EndReason, Entity, IssuerType};
use testamur_primitives::key::SigningKey;
use testamur_primitives::receipt::Facts;
use testamur_primitives::record::{Act, Change};
use testamur_primitives::units::UnixTime;
use testamur_registry::governance;

use crate::commands::did::Changed;
use crate::entity::Use;
use crate::entity::desk::{Desk, refused, unproven};
use crate::entity::exchange::{Invitation, Request, Subject, invite};
use crate::entity::options::{EntityOptions, HomeOptions, LedgerOptions, ScopeOptions, parse_did};
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::keystore::{Access, Key, KeyKind, PassphraseOptions};
use crate::output::{Output, Tone, now, parse_time, utc};
use crate::service;

pub(crate) use check::list_of;
pub(crate) use show::{Branch, draw, tree};

/// Seconds until an end "now" takes effect: the block that says so comes a moment after this clock.
const END_MARGIN_S: u64 = 3;
/// What nodes answer while nothing can be proven.
pub(crate) const NO_BLOCK_YET: &str = "node.not-ready";
/// Seconds that a proposal stays open.
const PROPOSAL_S: u64 = 30 * 24 * 3600;

/// Subcommands of `trust`.
#[derive(Debug, Subcommand)]
pub(crate) enum Trust {
    /// Draw the chain of accreditations of a DID, proven
    Show(show::Show),
    /// Check a credential: signature, the whole chain, scope, status
    Check(check::Check),
    /// Ask to be accredited: a signed request, for your accreditor
    Request(RequestCommand),
    /// Answer a request, as its accreditor: reserve the place, sign what is needed, write the invitation
    Invite(Invite),
    /// Accredit a DID that is registered already
    Accredit(Accredit),
    /// Take an accreditation that one was invited to
    Accept(Accept),
    /// End an accreditation, as its accreditor
    End(End),
    /// Make a DID a Root TAO, as an operator of the network
    Root(Root),
}

/// As what somebody is accredited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Root trusted accreditation organisation: a ministry, by decision of the network's operators
    Root,
    /// Trusted accreditation organisation: accredits others
    Tao,
    /// Trusted issuer: issues credentials
    Ti,
}

impl From<Kind> for IssuerType {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Root => Self::RootTao,
            Kind::Tao => Self::Tao,
            Kind::Ti => Self::Ti,
        }
    }
}

/// Arguments of `trust request`.
#[derive(Debug, Args)]
pub(crate) struct RequestCommand {
    /// As what
    #[arg(long = "as", value_enum, default_value_t = Kind::Ti)]
    kind: Kind,
    /// Where to write the request
    #[arg(long, short, value_name = "FILE", default_value = "request.json")]
    out: PathBuf,
    #[command(flatten)]
    entity: EntityOptions,
    #[command(flatten)]
    scope: ScopeOptions,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `trust invite`.
#[derive(Debug, Args)]
pub(crate) struct Invite {
    /// The request
    request: PathBuf,
    /// Where to write the invitation
    #[arg(long, short, value_name = "FILE", default_value = "invitation.json")]
    out: PathBuf,
    /// Years that the accreditation holds; never longer than your own
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=30))]
    years: u64,
    #[command(flatten)]
    scope: ScopeOptions,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `trust accredit`.
#[derive(Debug, Args)]
pub(crate) struct Accredit {
    /// Whom
    #[arg(value_parser = parse_did)]
    did: Did,
    /// As what
    #[arg(long = "as", value_enum, default_value_t = Kind::Ti)]
    kind: Kind,
    /// Where to write the invitation, which the subject takes with `trust accept`
    #[arg(long, short, value_name = "FILE", default_value = "invitation.json")]
    out: PathBuf,
    /// Years that the accreditation holds; never longer than your own
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=30))]
    years: u64,
    #[command(flatten)]
    entity: EntityOptions,
    #[command(flatten)]
    scope: ScopeOptions,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `trust accept`.
#[derive(Debug, Args)]
pub(crate) struct Accept {
    /// The invitation
    invitation: PathBuf,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Why an accreditation ends; the closed list of the records' format.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Reason {
    /// It was obtained by false statements; may be dated back
    ObtainedByFraud,
    /// The subject's keys are in other hands; may be dated back
    KeyCompromise,
    /// The subject asked for it, or has ceased to exist
    CessationOfOperation,
    /// The subject no longer meets the conditions
    PrivilegeWithdrawn,
    /// Another accreditation took its place
    Superseded,
}

impl From<Reason> for EndReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::ObtainedByFraud => Self::ObtainedByFraud,
            Reason::KeyCompromise => Self::KeyCompromise,
            Reason::CessationOfOperation => Self::CessationOfOperation,
            Reason::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
            Reason::Superseded => Self::Superseded,
        }
    }
}

/// Arguments of `trust end`.
#[derive(Debug, Args)]
#[command(after_help = "\
What was issued before the end stays explainable: `testamur trust check --at` judges as of a time. EBSI's library knows no \
such time: to it, an ended accreditation ends all that was issued under it.")]
pub(crate) struct End {
    /// The accreditation: its id, or the DID of a subject that has only one of yours
    which: String,
    /// Why
    #[arg(long, value_enum)]
    reason: Reason,
    /// From when on [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: Option<UnixTime>,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `trust root`.
#[derive(Debug, Args)]
pub(crate) struct Root {
    /// The request that the ministry made with `trust request --as root`
    request: PathBuf,
    /// The operator's key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Accept an unencrypted key: for development networks
    #[arg(long)]
    insecure_dev: bool,
    #[command(flatten)]
    passphrase: PassphraseOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

impl Trust {
    /// Runs the subcommand.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        service::runtime()?.block_on(async {
            match self {
                Self::Show(command) => command.run(output).await,
                Self::Check(command) => command.run(output).await,
                Self::Request(command) => command.run(output).await,
                Self::Invite(command) => command.run(output).await,
                Self::Accredit(command) => command.run(output).await,
                Self::Accept(command) => command.run(output).await,
                Self::End(command) => command.run(output).await,
                Self::Root(command) => command.run(output).await,
            }
        })
    }
}

/// Nodes that were passed over for what they said are told: somebody should look at them.
pub(crate) fn warn_of(faults: &[Arc<Fault>], output: &Output) {
    for fault in faults.iter().filter(|fault| fault.is_suspect()) {
        output.note(format!("a node was passed over: {fault}"));
    }
}

/// The name of an entity that a reader of any language may know: the official one, and the English one if there is.
pub(crate) fn name_of(entity: &Entity) -> String {
    let official = entity.names.first().map_or("", |name| name.name.as_str());
    let english = entity.names.iter().find(|name| name.lang == "en" && name.name != official);
    let english = english.map_or_else(String::new, |english| format!(" / {}", english.name));
    format!("{official}{english} ({})", entity.country)
}

impl RequestCommand {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let entity = self.entity.entity()?;
        let desk = crate::commands::did::make_or_open(&self.home, &self.ledger, entity, output).await?;
        let entity = match &desk.home.file.entity {
            Some(entity) => entity.clone(),
            None => self.entity.require()?,
        };
        let text = Request::sign(&desk, self.kind.into(), entity.clone(), &self.scope.scopes())?;
        files::replace(&self.out, text.as_bytes(), 0o644)?;
        let next = match self.kind {
            Kind::Root => format!("Send it to the network's operators: `testamur trust root {}`.", self.out.display()),
            _ => format!("Send it to your accreditor: `testamur trust invite {}`.", self.out.display()),
        };
        output.result(&serde_json::json!({ "did": desk.home.did(), "request": self.out }), || {
            format!(
                "{} {}\n  for   {}\n  from  {}\n\n{next}\nThen go on with what comes back: `testamur onboard`.",
                output.paint(Tone::Good, "Wrote"),
                self.out.display(),
                name_of(&entity),
                desk.home.did(),
            )
        });
        Ok(Exit::Ok)
    }
}

#[derive(Serialize)]
struct Invited {
    subject: Did,
    attribute: AttributeId,
    invitation: PathBuf,
}

fn report_invited(invitation: &Invitation, out: &std::path::Path, output: &Output) {
    let invited =
        Invited { subject: invitation.subject.clone(), attribute: invitation.attribute, invitation: out.to_owned() };
    output.result(&invited, || {
        format!(
            "{} {} as {}\n  subject        {}\n  accreditation  {} (reserved on the ledger)\n  invitation     {}\n\n\
             Send the invitation back. It is good for that subject alone: `testamur onboard --invitation {}` takes it.",
            output.paint(Tone::Good, "Invited"),
            name_of(&invitation.entity),
            invitation.issuer_type.ebsi_name(),
            invitation.subject,
            invitation.attribute,
            out.display(),
            out.display(),
        )
    });
}

impl Invite {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let request = Request::read(&self.request)?;
        let desk = Desk::open(&self.home, &self.ledger, output).await?;
        let invitation = answer(&desk, &request, &self.scope, self.years).await?;
        files::replace(&self.out, invitation.text().as_bytes(), 0o644)?;
        report_invited(&invitation, &self.out, output);
        Ok(Exit::Ok)
    }
}

/// Answers a request as its accreditor.
pub(crate) async fn answer(
    desk: &Desk,
    request: &Request,
    scope: &ScopeOptions,
    years: u64,
) -> Result<Invitation, CommandError> {
    if request.net != desk.registry.trust().network() {
        return Err(CommandError::failed(
            "trust.request",
            format!(
                "the request is for network {}, this accreditor is on {}",
                request.net,
                desk.registry.trust().network()
            ),
            "ask for a request made on this network",
        ));
    }
    let there = desk.registry.did(&request.iss, At::Now).await.map_err(|e| unproven(&e))?.value.is_some();
    let given = scope.scopes();
    let mut scopes = if given.is_empty() { request.scopes() } else { given };
    if scope.scope.is_empty() {
        // Only where was said: what it asked for, there.
        for wanted in &mut scopes {
            wanted
                .jurisdictions
                .extend(scope.jurisdiction.iter().map(|code| crate::entity::options::jurisdiction(code)));
        }
    }
    let subject = Subject {
        did: request.iss.clone(),
        jkt: if there { None } else { Some(request.jkt()?) },
        entity: request.entity.clone(),
        issuer_type: request.r#as,
        scopes,
        years,
    };
    invite(desk, subject).await
}

impl Accredit {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let desk = Desk::open(&self.home, &self.ledger, output).await?;
        let subject = Subject {
            did: self.did,
            jkt: None,
            entity: self.entity.require()?,
            issuer_type: self.kind.into(),
            scopes: self.scope.scopes(),
            years: self.years,
        };
        let invitation = invite(&desk, subject).await?;
        files::replace(&self.out, invitation.text().as_bytes(), 0o644)?;
        report_invited(&invitation, &self.out, output);
        Ok(Exit::Ok)
    }
}

impl Accept {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let desk = Desk::open(&self.home, &self.ledger, output).await?;
        let invitation = Invitation::read(&self.invitation)?;
        invitation.check(&desk)?;
        desk.register(invitation.authorisation.clone()).await?;
        let filled = desk.fill(invitation.attribute, invitation.accreditation.clone()).await?;
        let place = serde_json::json!({ "did": desk.home.did(), "attribute": invitation.attribute });
        output.result(&place, || {
            let done = if filled.is_some() { "Accredited" } else { "Accredited already" };
            format!(
                "{} as {}\n  accreditation  {}",
                output.paint(Tone::Good, done),
                invitation.issuer_type.ebsi_name(),
                invitation.attribute
            )
        });
        Ok(Exit::Ok)
    }
}

impl End {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let desk = Desk::open(&self.home, &self.ledger, output).await?;
        let attribute = self.find(&desk).await?;
        let entry = desk.registry.attribute(attribute, At::Now).await.map_err(|e| unproven(&e))?.value;
        let entry = entry.ok_or_else(|| {
            CommandError::failed(
                "issuer.unknown-attribute",
                format!("no accreditation {attribute} is on the ledger"),
                "`testamur trust show` lists them",
            )
        })?;
        let effective = self.from.unwrap_or(UnixTime(now()?.0 + END_MARGIN_S));
        let act = Act::EndAccreditation { attribute, prev: entry.record, effective, reason: self.reason.into() };
        let facts = desk.submit(Use::Capability, &format!("end accreditation {attribute}"), act, None).await?;
        output.result(&Changed::new(&entry.subject, &facts), || {
            format!(
                "{} the accreditation of {}\n  accreditation  {attribute}\n  from           {}\n  block          {} of {}",
                output.paint(Tone::Good, "Ended"),
                name_of(&entry.entity),
                utc(effective),
                facts.height,
                utc(facts.time),
            )
        });
        Ok(Exit::Ok)
    }

    /// The accreditation that is meant: by its id, or by a subject of which only one is the home's and not ended.
    async fn find(&self, desk: &Desk) -> Result<AttributeId, CommandError> {
        if let Ok(id) = self.which.strip_prefix("0x").unwrap_or(&self.which).parse() {
            return Ok(id);
        }
        let did = parse_did(&self.which).map_err(|_| {
            CommandError::Usage(
                "an accreditation is named by its id (64 hexadecimal digits) or its subject's DID".into(),
            )
        })?;
        let issuer = desk.registry.issuer(&did, At::Now).await.map_err(|e| unproven(&e))?.value;
        let attributes = issuer.map_or_else(Vec::new, |issuer| issuer.attributes);
        let ours: Vec<_> = attributes
            .into_iter()
            .filter(|(_, entry)| entry.accreditor == *desk.home.did() && entry.ended.is_none())
            .map(|(id, _)| id)
            .collect();
        match ours.as_slice() {
            [one] => Ok(*one),
            [] => Err(CommandError::failed(
                "trust.none",
                format!("{did} has no accreditation by {} that has not ended", desk.home.did()),
                "`testamur trust show` lists its accreditations",
            )),
            many => {
                let ids: Vec<_> = many.iter().map(ToString::to_string).collect();
                Err(CommandError::failed(
                    "trust.several",
                    format!("{did} has {} accreditations of yours: {}", many.len(), ids.join(", ")),
                    "name the one by its id",
                ))
            }
        }
    }
}

impl Root {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let request = Request::read(&self.request)?;
        let registry = self.ledger.connect(None).await?;
        let access = Access { passphrase: self.passphrase.read()?, insecure_dev: self.insecure_dev };
        let key = Key::read(&self.key, KeyKind::Operator, &access)?.into_signing();
        let (attribute, facts, approvals) = propose_root(&registry, key, &request).await?;
        let report = serde_json::json!({
            "did": request.iss, "attribute": attribute, "record": facts.record, "approvals_required": approvals,
        });
        output.result(&report, || {
            let state = if approvals <= 1 {
                "executed: the ministry goes on with `testamur onboard --as ministry`".to_owned()
            } else {
                format!("{approvals} approvals in all are needed: testamur governance approve {}", facts.record)
            };
            format!(
                "{} {} as Root TAO\n  did            {}\n  accreditation  {attribute}\n  block          {} of {}\n  state          {state}",
                output.paint(Tone::Good, "Proposed"),
                name_of(&request.entity),
                request.iss,
                facts.height,
                utc(facts.time),
            )
        });
        Ok(Exit::Ok)
    }
}

/// Proposes a Root TAO as an operator. Returns the place, the proposal, and how many must approve.
pub(crate) async fn propose_root(
    registry: &Registry,
    operator: SigningKey,
    request: &Request,
) -> Result<(AttributeId, Facts, u32), CommandError> {
    if request.net != registry.trust().network() || request.r#as != IssuerType::RootTao {
        return Err(CommandError::failed(
            "trust.request",
            "the request is not one of a Root TAO on this network",
            "ask for one made with `testamur trust request --as root`",
        ));
    }
    let mut random = [0; 32];
    getrandom::fill(&mut random)
        .map_err(|e| CommandError::failed("key.randomness", format!("no randomness: {e}"), ""))?;
    let attribute = AttributeId::from_bytes(random);
    let change = Change::AccreditRoot {
        did: request.iss.clone(),
        jkt: request.jkt()?,
        attribute,
        entity: request.entity.clone(),
    };
    let (facts, approvals) = propose(registry, operator, change).await?;
    Ok((attribute, facts, approvals))
}

/// How governance stands: proven, or, before there is any block that could prove it, as genesis says. Who makes one
/// believe that there is no block yet gets a proposal that the ledger refuses, for its version is old.
async fn governance_now(registry: &Registry) -> Result<(u64, u32), CommandError> {
    if no_block_yet(registry).await {
        return Ok((1, registry.trust().genesis().approvals_required));
    }
    let first = [governance::keys::governance().head()];
    let found = registry.read(&first, governance::governance).await.map_err(|e| unproven(&e))?.value;
    Ok((found.version, found.approvals_required))
}

/// Whether the network has not made its first block, by a node's word.
pub(crate) async fn no_block_yet(registry: &Registry) -> bool {
    matches!(registry.nodes().nodes()[0].latest_checkpoint().await, Ok(None))
}

/// Proposes a change under the governance version that is in force now.
pub(crate) async fn propose(
    registry: &Registry,
    operator: SigningKey,
    change: Change,
) -> Result<(Facts, u32), CommandError> {
    let (governance_version, approvals_required) = governance_now(registry).await?;
    let author = Author::new(operator, registry.trust().network());
    let expires = UnixTime(now()?.0 + PROPOSAL_S);
    let act = Act::Propose { change, governance_version, expires };
    let record = author.sign(act).map_err(|e| CommandError::failed("governance.sign", e, ""))?;
    let cut = registry.submit(&record, None, FINAL_TIMEOUT).await.map_err(|e| refused(&e))?;
    Ok((cut.facts().clone(), approvals_required))
}
