//! `testamur status`: an issuer's status lists: begun, their entries given out, revoked, suspended, reinstated.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;
use testamur_client::registry::At;
use testamur_primitives::codec;
use testamur_primitives::did::Did;
use testamur_primitives::limits::STATUS_ENTRIES_MIN;
use testamur_primitives::record::Reference;
use testamur_primitives::status::{BitList, StatusPurpose};
use testamur_primitives::units::UnixTime;

use crate::commands::trust::{list_of, warn_of};
use crate::entity::desk::{Desk, unproven};
use crate::entity::lists::{self, Given, credential_status, published};
use crate::entity::options::{HomeOptions, LedgerOptions, parse_did};
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::output::{Output, Tone, utc};
use crate::service;

/// Bytes of a credential that names its entry.
const CREDENTIAL_BYTES_MAX: usize = 4 * 1024 * 1024;

/// Subcommands of `status`.
#[derive(Debug, Subcommand)]
pub(crate) enum Status {
    /// Begin a list
    New(New),
    /// Give out the next entry of a list, for a credential to be signed
    Allocate(Allocate),
    /// Revoke a credential, for good
    Revoke(Change),
    /// Suspend a credential
    Suspend(Change),
    /// Lift a suspension
    Reinstate(Change),
    /// Show a list, proven
    Show(Show),
}

/// What a set entry means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Purpose {
    /// Withdrawn for good
    Revocation,
    /// Not to be relied upon for now
    Suspension,
}

impl From<Purpose> for StatusPurpose {
    fn from(purpose: Purpose) -> Self {
        match purpose {
            Purpose::Revocation => Self::Revocation,
            Purpose::Suspension => Self::Suspension,
        }
    }
}

/// Arguments of `status new`.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// What a set entry means; never changes
    #[arg(long, value_enum, default_value_t = Purpose::Revocation)]
    purpose: Purpose,
    /// The list's name [default: revocation-1 or suspension-1]
    #[arg(long, value_name = "NAME")]
    list: Option<Reference>,
    /// Entries, a multiple of 8; never changes
    #[arg(long, value_name = "N", default_value_t = STATUS_ENTRIES_MIN)]
    size: u64,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `status allocate`.
#[derive(Debug, Args)]
pub(crate) struct Allocate {
    /// The list
    #[arg(long, value_name = "NAME", default_value = "revocation-1")]
    list: Reference,
    /// How many entries
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    count: u32,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `status revoke`, `suspend`, `reinstate`.
#[derive(Debug, Args)]
pub(crate) struct Change {
    /// The list [default: revocation-1, or suspension-1]
    #[arg(long, value_name = "NAME", conflicts_with = "credential")]
    list: Option<Reference>,
    /// The credential's entry; may be given several times
    #[arg(long, value_name = "N", required_unless_present = "credential")]
    index: Vec<u64>,
    /// The credential itself (VC-JWT): list and entry are read from it
    #[arg(long, value_name = "FILE", conflicts_with = "index")]
    credential: Option<PathBuf>,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `status show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The list
    #[arg(long, value_name = "NAME", default_value = "revocation-1")]
    list: Reference,
    /// Whose [default: the home's]
    #[arg(value_parser = parse_did)]
    did: Option<Did>,
    /// Also say of this entry whether it is set; may be given several times
    #[arg(long, value_name = "N")]
    index: Vec<u64>,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

impl Status {
    /// Runs the subcommand.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        service::runtime()?.block_on(async {
            match self {
                Self::New(command) => command.run(output).await,
                Self::Allocate(command) => command.run(output).await,
                Self::Revoke(command) => command.run(StatusPurpose::Revocation, true, output).await,
                Self::Suspend(command) => command.run(StatusPurpose::Suspension, true, output).await,
                Self::Reinstate(command) => command.run(StatusPurpose::Suspension, false, output).await,
                Self::Show(command) => command.run(output).await,
            }
        })
    }
}

/// The list of a purpose unless somebody names another.
pub(crate) fn usual(purpose: StatusPurpose) -> Reference {
    format!("{}-1", purpose.name()).parse().expect("a purpose's name is a reference")
}

fn missing(list: &Reference) -> CommandError {
    CommandError::failed(
        "status.unknown",
        format!("there is no status list {list}"),
        "begin it with `testamur status new`",
    )
}

/// Begins a list, unless it is there.
pub(crate) async fn begin(
    desk: &Desk,
    list: &Reference,
    purpose: StatusPurpose,
    size: u64,
) -> Result<bool, CommandError> {
    // From the first moment this machine knows the list as its own: a new key signs all of them again.
    Given::open(&desk.home, list)?;
    if published(desk, list).await?.is_some() {
        return Ok(false);
    }
    let bits = BitList::zeros(size).filter(|_| size >= STATUS_ENTRIES_MIN).ok_or_else(|| {
        CommandError::Usage(format!("a status list has at least {STATUS_ENTRIES_MIN} entries, a multiple of 8: a smaller one would not hide anybody"))
    })?;
    lists::publish(desk, list, purpose, &bits, None, &format!("begin status list {list}")).await?;
    Ok(true)
}

impl New {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let desk = Desk::open(&self.home, &self.ledger, output).await?;
        let purpose = self.purpose.into();
        let list = self.list.unwrap_or_else(|| usual(purpose));
        let begun = begin(&desk, &list, purpose, self.size).await?;
        output.result(&serde_json::json!({ "list": list, "purpose": purpose, "begun": begun }), || {
            let done = if begun { "Began" } else { "There is already" };
            format!("{} status list {list} ({})", output.paint(Tone::Good, done), purpose.name())
        });
        Ok(Exit::Ok)
    }
}

#[derive(Serialize)]
struct Allocated {
    list: Reference,
    index: u32,
    #[serde(rename = "credentialStatus")]
    credential_status: serde_json::Value,
}

impl Allocate {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let desk = Desk::open(&self.home, &self.ledger, output).await?;
        let found = desk.registry.status(desk.home.did(), &self.list, At::Now).await.map_err(|e| unproven(&e))?.value;
        let entry = found.ok_or_else(|| missing(&self.list))?;
        if !lists::names(&desk.home)?.contains(&self.list) {
            // Whoever gives out entries without knowing which were given out, gives some out twice.
            return Err(CommandError::content(
                desk.home.directory(),
                format!("does not know which entries of {} were given out", self.list),
                "restore lists/ from a backup of the home, or begin another list: `testamur status new --list NAME`",
            ));
        }
        let mut given = Given::open(&desk.home, &self.list)?;
        let mut allocated = Vec::new();
        for _ in 0..self.count {
            let index = given.next(entry.status.size)?;
            allocated.push(Allocated {
                list: self.list.clone(),
                index,
                credential_status: credential_status(&desk, &entry, index.into()),
            });
        }
        output.result(&allocated, || {
            let lines: Vec<_> = allocated.iter().map(|a| a.credential_status.to_string()).collect();
            format!(
                "{}\n\nEach is for one credential: put it in as credentialStatus. None is given out again.",
                lines.join("\n")
            )
        });
        Ok(Exit::Ok)
    }
}

impl Change {
    async fn run(self, purpose: StatusPurpose, set: bool, output: &Output) -> Result<Exit, CommandError> {
        let (list, indexes) = match &self.credential {
            Some(path) => entry_of(path, purpose)?,
            None => (self.list.clone().unwrap_or_else(|| usual(purpose)), self.index.clone()),
        };
        let desk = Desk::open(&self.home, &self.ledger, output).await?;
        let published = published(&desk, &list).await?.ok_or_else(|| missing(&list))?;
        if published.entry.status.purpose != purpose {
            return Err(CommandError::Usage(format!(
                "status list {list} is for {}, not for {}",
                published.entry.status.purpose.name(),
                purpose.name()
            )));
        }
        let mut bits = published.bits.clone();
        let mut changed = Vec::new();
        for index in &indexes {
            match bits.get(*index) {
                None => {
                    return Err(CommandError::Usage(format!(
                        "status list {list} has {} entries, counted from 0: there is no {index}",
                        bits.size()
                    )));
                }
                Some(before) if before == set => {}
                Some(_) => {
                    bits.set(*index, set);
                    changed.push(*index);
                }
            }
        }
        let done = match (purpose, set) {
            (StatusPurpose::Revocation, _) => "Revoked",
            (StatusPurpose::Suspension, true) => "Suspended",
            (StatusPurpose::Suspension, false) => "Reinstated",
        };
        let version = if changed.is_empty() {
            published.entry.seq
        } else {
            lists::publish(
                &desk,
                &list,
                purpose,
                &bits,
                Some(&published.entry),
                &format!("a new version of status list {list}"),
            )
            .await?;
            published.entry.seq + 1
        };
        output.result(&serde_json::json!({ "list": list, "version": version, "changed": changed }), || {
            if changed.is_empty() {
                return format!("Nothing to do: that is what version {version} of {list} says already.");
            }
            let indexes: Vec<_> = changed.iter().map(ToString::to_string).collect();
            format!(
                "{} entry {} of status list {list}, version {version}. Every check from now on sees it.",
                output.paint(Tone::Good, done),
                indexes.join(", "),
            )
        });
        Ok(Exit::Ok)
    }
}

/// The entry of a purpose that a credential names.
fn entry_of(path: &std::path::Path, purpose: StatusPurpose) -> Result<(Reference, Vec<u64>), CommandError> {
    let refuse = |reason: String| CommandError::content(path, reason, "give --list and --index instead");
    let bytes = files::read_at_most(path, CREDENTIAL_BYTES_MAX)?;
    let text = String::from_utf8(bytes).map_err(|_| refuse("is no text".into()))?;
    let payload = text.trim().trim_matches('"').split('.').nth(1).and_then(|part| codec::from_base64url(part).ok());
    let claims: serde_json::Value = payload
        .and_then(|payload| serde_json::from_slice(&payload).ok())
        .ok_or_else(|| refuse("is no VC-JWT".into()))?;
    let status = &claims["vc"]["credentialStatus"];
    let entries = status.as_array().cloned().unwrap_or_else(|| vec![status.clone()]);
    let entry = entries.iter().find(|entry| entry["statusPurpose"] == purpose.name());
    let entry = entry.ok_or_else(|| refuse(format!("names no entry for {}", purpose.name())))?;
    let issuer = claims["iss"].as_str().and_then(|iss| iss.parse::<Did>().ok());
    let url = entry["statusListCredential"].as_str();
    let list = issuer.zip(url).and_then(|(issuer, url)| list_of(url, &issuer));
    let index = entry["statusListIndex"].as_str().and_then(|text| text.parse().ok());
    match (list, index) {
        (Some(list), Some(index)) => Ok((list, vec![index])),
        _ => Err(refuse("names no list and entry of this ledger".into())),
    }
}

#[derive(Serialize)]
struct Shown {
    issuer: Did,
    list: Reference,
    purpose: StatusPurpose,
    version: u64,
    size: u64,
    set: u64,
    sha256: String,
    time: UnixTime,
    height: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    given: Option<usize>,
    entries: Vec<(u64, Option<bool>)>,
}

impl Show {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let home = self.home.find()?;
        let did = match (&self.did, &home) {
            (Some(did), _) => did.clone(),
            (None, Some(home)) => home.did().clone(),
            (None, None) => self.home.open()?.did().clone(),
        };
        let own = home.as_ref().filter(|home| *home.did() == did);
        let registry = self.ledger.connect(own).await?;
        let proven = registry.status(&did, &self.list, At::Now).await.map_err(|e| unproven(&e))?;
        warn_of(&proven.passed_over, output);
        let Some(entry) = proven.value else {
            return Err(CommandError::failed(
                "status.unknown",
                format!("{did} has no status list {}: block {} proves its absence", self.list, proven.header.height),
                "",
            ));
        };
        let bytes = registry.status_bits(&entry).await.map_err(|e| unproven(&e))?;
        let bits = BitList::from_bytes(bytes, entry.status.size);
        let given = own.map(|home| Given::open(home, &self.list)).transpose()?.map(|given| given.count());
        let shown = Shown {
            issuer: did,
            list: self.list.clone(),
            purpose: entry.status.purpose,
            version: entry.seq,
            size: entry.status.size,
            set: bits.as_ref().map_or(0, BitList::ones),
            sha256: entry.status.sha256.to_string(),
            time: entry.time,
            height: proven.header.height.0,
            given,
            entries: self.index.iter().map(|index| (*index, bits.as_ref().and_then(|bits| bits.get(*index)))).collect(),
        };
        output.result(&shown, || {
            let mut text = format!(
                "{} of {}\n  purpose  {}\n  version  {} of {}\n  entries  {}, {} set{}\n  sha256   {} (the bits have it)\n  proven   by block {}, from {}\n",
                output.paint(Tone::Strong, shown.list.as_str()),
                shown.issuer,
                shown.purpose.name(),
                shown.version,
                utc(shown.time),
                shown.size,
                shown.set,
                shown.given.map_or_else(String::new, |given| format!(", {given} given out")),
                shown.sha256,
                shown.height,
                proven.server,
            );
            for (index, set) in &shown.entries {
                let words = match set {
                    Some(true) => output.paint(Tone::Bad, "set"),
                    Some(false) => output.paint(Tone::Good, "not set"),
                    None => "beyond the list's end".into(),
                };
                text += &format!("  entry {index}: {words}\n");
            }
            text
        });
        Ok(Exit::Ok)
    }
}
