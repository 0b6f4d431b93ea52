//! `testamur did`: an entity's DID document: made, shown as of any time, changed, closed.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use testamur_client::registry::{At, Proven};
use testamur_primitives::did::Did;
use testamur_primitives::identity::changes::DidChange;
use testamur_primitives::identity::resolution::{DidDocument, document};
use testamur_primitives::identity::{DidEntry, Relationship, VerificationMethod};
use testamur_primitives::receipt::Facts;
use testamur_primitives::units::UnixTime;

use crate::commands::trust::warn_of;
use crate::entity::desk::{CLOCK_MARGIN_S, Desk, unproven};
use crate::entity::exchange::Invitation;
use crate::entity::lists;
use crate::entity::office;
use crate::entity::options::{EntityOptions, HomeOptions, LedgerOptions, parse_did};
use crate::entity::{Home, Use};
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::output::{Output, Tone, now, parse_time, utc};
use crate::service;

/// Seconds for which an old key goes on beside the new one, unless somebody says otherwise.
const OVERLAP_S: u64 = 60;

/// Subcommands of `did`.
#[derive(Debug, Subcommand)]
pub(crate) enum DidCommand {
    /// Make an entity's home: a new DID and its keys; register it when somebody has vouched for it
    New(New),
    /// Show a DID document, now or as of a time, proven
    Show(Show),
    /// Put new keys in the place of the old ones
    Rotate(Rotate),
    /// Say that a key may have been in other hands from a time on; that ends it, too
    Compromised(Compromised),
    /// Close the document for ever
    Deactivate(Deactivate),
    /// Let another DID change the document too, such as the ministry that would take it over
    AddController(AddController),
}

/// Arguments of `did new`.
#[derive(Debug, Args)]
pub(crate) struct New {
    #[command(flatten)]
    entity: EntityOptions,
    /// The accreditor's invitation, by which the DID is registered
    #[arg(long, value_name = "FILE")]
    invitation: Option<PathBuf>,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `did show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The DID [default: the home's]
    #[arg(value_parser = parse_did)]
    did: Option<Did>,
    /// As of this time: 2027-01-31T12:00:00Z, a date, or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<UnixTime>,
    /// Keep the proof in this file: it verifies offline against the trust file
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Which keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Which {
    /// The key that signs registry records
    Capability,
    /// The key that signs credentials and everyday records
    Assertion,
    /// Both
    Both,
}

/// Arguments of `did rotate`.
#[derive(Debug, Args)]
#[command(after_help = "\
EBSI's library judges a diploma by the keys of today: one that was signed with an assertion key that has ended since is \
refused by it, while `testamur trust check --at` still explains it. So let an assertion key overlap, or issue anew.")]
pub(crate) struct Rotate {
    /// Which key
    #[arg(long, value_enum, default_value_t = Which::Both)]
    key: Which,
    /// Days for which the old key goes on [default: one minute]
    #[arg(long, value_name = "DAYS")]
    overlap_days: Option<u32>,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `did compromised`.
#[derive(Debug, Args)]
pub(crate) struct Compromised {
    /// The key: its thumbprint or key id, as `did show` prints it
    key: String,
    /// From when on it may have been in other hands
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: UnixTime,
    /// Whose document, if not the home's own: one that it controls
    #[arg(long, value_parser = parse_did)]
    did: Option<Did>,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `did deactivate`.
#[derive(Debug, Args)]
pub(crate) struct Deactivate {
    /// Whose document, if not the home's own: one that it controls
    #[arg(long, value_parser = parse_did)]
    did: Option<Did>,
    /// Yes: it cannot be undone
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `did add-controller`.
#[derive(Debug, Args)]
pub(crate) struct AddController {
    /// Who may change the document from now on
    #[arg(value_parser = parse_did)]
    controller: Did,
    /// Whose document, if not the home's own: one that it controls
    #[arg(long, value_parser = parse_did)]
    did: Option<Did>,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

impl DidCommand {
    /// Runs the subcommand.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        service::runtime()?.block_on(async {
            match self {
                Self::New(command) => command.run(output).await,
                Self::Show(command) => command.run(output).await,
                Self::Rotate(command) => command.run(output).await,
                Self::Compromised(command) => command.run(output).await,
                Self::Deactivate(command) => command.run(output).await,
                Self::AddController(command) => command.run(output).await,
            }
        })
    }
}

#[derive(Serialize)]
struct Made {
    did: Did,
    home: PathBuf,
    registered: bool,
    jkt: String,
}

impl New {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let desk = make_or_open(&self.home, &self.ledger, self.entity.entity()?, output).await?;
        let invitation = self.invitation.as_deref().map(Invitation::read).transpose()?;
        if let Some(invitation) = &invitation {
            invitation.check(&desk)?;
        }
        let admitted = desk.registry.admission(desk.home.did()).await.map_err(|e| unproven(&e))?.value.is_some();
        let there = desk.document().await?.is_some();
        if !there && (admitted || invitation.is_some()) {
            desk.register(invitation.and_then(|i| i.authorisation)).await?;
        }
        let made = Made {
            did: desk.home.did().clone(),
            home: desk.home.directory().to_owned(),
            registered: there || desk.document().await?.is_some(),
            jkt: desk.home.thumbprint(Use::Capability).to_owned(),
        };
        output.result(&made, || {
            let state = if made.registered {
                output.paint(Tone::Good, "registered")
            } else {
                "not on the ledger yet: an accredited organisation must vouch for it, or governance.\n             \
                 `testamur trust request` makes what you send to your accreditor, `testamur onboard` does it all"
                    .to_owned()
            };
            format!(
                "{}\n  home       {}\n  key        {} (registers the DID)\n  state      {state}",
                output.paint(Tone::Strong, made.did.as_str()),
                made.home.display(),
                made.jkt,
            )
        });
        Ok(Exit::Ok)
    }
}

/// Opens a home, or makes it where there is none.
pub(crate) async fn make_or_open(
    options: &HomeOptions,
    ledger: &LedgerOptions,
    entity: Option<testamur_primitives::issuers::Entity>,
    output: &Output,
) -> Result<Desk, CommandError> {
    if let Some(mut home) = options.find()? {
        if entity.is_some() && home.file.entity != entity {
            home.file.entity = entity;
            home.save()?;
        }
        return Desk::open(options, ledger, output).await;
    }
    let registry = ledger.connect(None).await?;
    let protection = options.protection(registry.trust())?;
    let addresses = ledger.addresses(&registry);
    let home = Home::create(&options.directory()?, registry.trust(), addresses, entity, &protection)?;
    if home.file.insecure_dev {
        output.note("the keys are not encrypted: for a development network only");
    }
    Ok(Desk::new(home, registry, options.access()?))
}

#[derive(Serialize)]
struct Shown {
    did: Did,
    at: UnixTime,
    height: u64,
    time: u64,
    node: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<DidDocument>,
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<DidEntry>,
}

impl Show {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let home = if self.did.is_some() { None } else { Some(self.home.open()?) };
        let did = self.did.clone().unwrap_or_else(|| home.as_ref().expect("opened above").did().clone());
        let registry = self.ledger.connect(home.as_ref()).await?;
        let at = At::from(self.at);
        let proven = registry.did(&did, at).await.map_err(|e| unproven(&e))?;
        warn_of(&proven.passed_over, output);
        if let Some(path) = &self.evidence {
            files::replace(path, &proven.evidence.encode(), 0o644)?;
        }
        let at = self.at.unwrap_or(now()?.max(proven.header.time));
        let Proven { value, header, server, .. } = proven;
        let shown = Shown {
            document: value.as_ref().map(|entry| document(&did, entry, at)),
            did,
            at,
            height: header.height.0,
            time: header.time.0,
            node: server,
            entry: value,
        };
        output.result(&shown, || describe(&shown, output));
        Ok(Exit::Ok)
    }
}

fn describe(shown: &Shown, output: &Output) -> String {
    let proven = format!("proven by block {} of {}, from {}", shown.height, utc(UnixTime(shown.time)), shown.node);
    let Some(entry) = &shown.entry else {
        return format!(
            "{} {}\n  It was not on the ledger at {}: its absence is {proven}.",
            output.paint(Tone::Warning, "NOT REGISTERED"),
            shown.did,
            utc(shown.at),
        );
    };
    let mut text = format!(
        "{}{}\n",
        output.paint(Tone::Strong, shown.did.as_str()),
        if entry.deactivated { format!("  {}", output.paint(Tone::Bad, "DEACTIVATED")) } else { String::new() }
    );
    text += &format!("  as of       {}\n  version     {}, of {}\n", utc(shown.at), entry.seq, utc(entry.time));
    for (number, controller) in entry.controllers.iter().enumerate() {
        let own = if *controller == shown.did { " (itself)" } else { "" };
        text += &format!("  {:<12}{controller}{own}\n", if number == 0 { "controllers" } else { "" });
    }
    for method in &entry.methods {
        text += &key(method, entry.deactivated, shown.at, output);
    }
    for service in &entry.services {
        text += &format!("  service     {} ({}): {}\n", service.id, service.r#type, service.endpoint);
    }
    text + &format!("  {proven}")
}

fn key(method: &VerificationMethod, deactivated: bool, at: UnixTime, output: &Output) -> String {
    let uses: Vec<_> = Relationship::ALL
        .into_iter()
        .filter(|use_of| method.check(&[*use_of], at).is_ok())
        .map(Relationship::name)
        .collect();
    let state = match (method.compromised_from, method.revoked) {
        (Some(from), _) => output.paint(Tone::Bad, &format!("compromised from {}", utc(from))),
        (None, Some(revoked)) if revoked <= at => output.paint(Tone::Warning, &format!("ended {}", utc(revoked))),
        (None, Some(revoked)) => format!("until {}", utc(revoked)),
        (None, None) if deactivated || uses.is_empty() => output.paint(Tone::Warning, "not valid at that time"),
        (None, None) => output.paint(Tone::Good, "valid"),
    };
    let uses = if uses.is_empty() { String::new() } else { format!(": {}", uses.join(", ")) };
    format!("  key         {} {}\n              {state}{uses}\n", method.id, method.key.crv)
}

#[derive(Serialize)]
pub(crate) struct Changed {
    did: Did,
    record: String,
    height: u64,
    time: u64,
}

impl Changed {
    /// What a change's receipt says.
    pub(crate) fn new(did: &Did, facts: &Facts) -> Self {
        Self { did: did.clone(), record: facts.record.to_string(), height: facts.height.0, time: facts.time.0 }
    }
}

fn report(done: &str, did: &Did, facts: &Facts, output: &Output) {
    output.result(&Changed::new(did, facts), || {
        format!(
            "{} {did}\n  block   {} of {}\n  record  {}",
            output.paint(Tone::Good, done),
            facts.height,
            utc(facts.time),
            facts.record,
        )
    });
}

impl Rotate {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let mut desk = Desk::open(&self.home, &self.ledger, output).await?;
        let did = desk.home.did().clone();
        let uses = match self.key {
            Which::Capability => vec![Use::Capability],
            Which::Assertion => vec![Use::Assertion],
            Which::Both => vec![Use::Capability, Use::Assertion],
        };
        let document = desk.document().await?.ok_or_else(|| crate::entity::desk::not_registered(&did))?;
        let access = desk.access().clone();
        // The lists of diplomas are signed again, too: whoever has their archive open must let go of it before anything is done.
        let diplomas = uses.contains(&Use::Assertion) && desk.home.archive().exists();
        if diplomas {
            office::open(&self.home, &self.ledger, output).await?;
        }
        let overlap = self.overlap_days.map_or(OVERLAP_S, |days| u64::from(days) * 24 * 3600);
        let clock = now()?.0;
        let mut changes = Vec::new();
        for usage in &uses {
            let next = desk.home.next(*usage, &access)?;
            // A key that an earlier attempt brought in already is not brought in again.
            if document.method(&next).is_none() {
                changes.push(DidChange::RollMethod {
                    old: desk.home.thumbprint(*usage).to_owned(),
                    key: desk.home.key(*usage, &next, &access)?.public_key().to_jwk(),
                    not_before: UnixTime(clock.saturating_sub(CLOCK_MARGIN_S)),
                    not_after: None,
                    old_not_after: UnixTime(clock + overlap),
                });
            }
        }
        let facts = if changes.is_empty() { None } else { Some(desk.update(&did, "rotate keys", changes).await?) };
        for usage in &uses {
            desk.home.advance(*usage)?;
        }
        if uses.contains(&Use::Assertion) {
            republish(&desk, output).await?;
        }
        if diplomas {
            for list in office::open(&self.home, &self.ledger, output).await?.publish_again().await? {
                output.line(format!("Signed status list {list} with the new key."));
            }
        }
        match facts {
            Some(facts) => report("Rotated the keys of", &did, &facts, output),
            None => {
                output.line(format!("The keys of {did} had been rotated already; this machine uses the new ones now."))
            }
        }
        Ok(Exit::Ok)
    }
}

/// Publishes the entity's lists again under its new key: readers take the key of today.
async fn republish(desk: &Desk, output: &Output) -> Result<(), CommandError> {
    for list in lists::names(&desk.home)? {
        if let Some(published) = lists::published(desk, &list).await? {
            let what = format!("sign status list {list} with the new key");
            let purpose = published.entry.status.purpose;
            lists::publish(desk, &list, purpose, &published.bits, Some(&published.entry), &what).await?;
            output.line(format!("Signed status list {list} with the new key."));
        }
    }
    Ok(())
}

impl Compromised {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let desk = Desk::open(&self.home, &self.ledger, output).await?;
        let did = self.did.unwrap_or_else(|| desk.home.did().clone());
        let method = self.key.rsplit('#').next().unwrap_or_default().to_owned();
        let change = DidChange::DeclareCompromised { method, from: self.from };
        let facts = desk.update(&did, "declare a key compromised", vec![change]).await?;
        report("Declared a key compromised in", &did, &facts, output);
        Ok(Exit::Ok)
    }
}

impl Deactivate {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        if !self.yes {
            return Err(CommandError::Usage(
                "this closes the DID for ever: no key of it can sign anything any more. Say --yes if that is meant"
                    .into(),
            ));
        }
        let desk = Desk::open(&self.home, &self.ledger, output).await?;
        let did = self.did.unwrap_or_else(|| desk.home.did().clone());
        let facts = desk.update(&did, "deactivate the DID", vec![DidChange::Deactivate {}]).await?;
        report("Deactivated", &did, &facts, output);
        Ok(Exit::Ok)
    }
}

impl AddController {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let desk = Desk::open(&self.home, &self.ledger, output).await?;
        let did = self.did.unwrap_or_else(|| desk.home.did().clone());
        let change = DidChange::AddController { did: self.controller };
        let facts = desk.update(&did, "add a controller", vec![change]).await?;
        report("Added a controller to", &did, &facts, output);
        Ok(Exit::Ok)
    }
}
