//! `testamur schema`: credential schemas, published and shown.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde::Serialize;
use testamur_client::registry::At;
use testamur_primitives::did::Did;
use testamur_primitives::hash::SchemaId;
use testamur_primitives::limits::SCHEMA_CHARS_MAX;
use testamur_primitives::record::Act;
use testamur_primitives::schemas;
use testamur_primitives::schemas::body::canonical;
use testamur_primitives::schemas::multibase;
use testamur_primitives::units::UnixTime;

use crate::commands::trust::warn_of;
use crate::entity::Use;
use crate::entity::desk::{Desk, unproven};
use crate::entity::options::{HomeOptions, LedgerOptions, parse_schema};
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::output::{Output, Tone, utc};
use crate::service;

/// Subcommands of `schema`.
#[derive(Debug, Subcommand)]
pub(crate) enum Schema {
    /// Publish a JSON Schema (2020-12), or a revision of one's own
    Add(Add),
    /// Show a schema, proven
    Show(Show),
}

/// Arguments of `schema add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// The schema: a JSON file, in any spacing
    file: PathBuf,
    /// Revise the schema of this id, or, as a Root TAO, publish under it [default: the id that follows from the text]
    #[arg(long, value_name = "ID", value_parser = parse_schema)]
    id: Option<SchemaId>,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `schema show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Its id (z… or 0x…) or URL
    #[arg(value_parser = parse_schema)]
    id: SchemaId,
    /// A revision, from 1 [default: the newest]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    revision: Option<u64>,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// A schema on the ledger.
#[derive(Serialize)]
pub(crate) struct Added {
    /// Its id as EBSI spells it.
    pub(crate) id: String,
    /// The same in hexadecimal.
    pub(crate) hex: SchemaId,
    /// Where anybody reads it.
    pub(crate) url: String,
    /// Its revision.
    pub(crate) revision: u64,
    /// Whether it was there before.
    pub(crate) unchanged: bool,
}

impl Schema {
    /// Runs the subcommand.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        service::runtime()?.block_on(async {
            match self {
                Self::Add(command) => command.run(output).await,
                Self::Show(command) => command.run(output).await,
            }
        })
    }
}

impl Add {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        // Doubly as long in the file: spaces and line ends go away.
        let bytes = files::read_at_most(&self.file, 4 * SCHEMA_CHARS_MAX)?;
        let refuse = |reason: String| {
            CommandError::content(&self.file, reason, "correct the schema: JSON Schema 2020-12 that stands on its own")
        };
        let text = String::from_utf8(bytes).map_err(|_| refuse("is no UTF-8".into()))?;
        let body = canonical(&text).map_err(|e| refuse(e.to_string()))?;
        let desk = Desk::open(&self.home, &self.ledger, output).await?;
        let added = publish(&desk, body, self.id).await?;
        output.result(&added, || {
            let done = if added.unchanged { "Published already" } else { "Published" };
            format!(
                "{} {}\n  revision  {}\n  url       {}",
                output.paint(Tone::Good, done),
                added.id,
                added.revision,
                added.url,
            )
        });
        Ok(Exit::Ok)
    }
}

/// Publishes a schema's text, unless it is what the ledger has.
pub(crate) async fn publish(desk: &Desk, body: String, id: Option<SchemaId>) -> Result<Added, CommandError> {
    let id = match id {
        Some(id) => id,
        None => schemas::body::id_of(&body).map_err(|e| CommandError::failed("schema.malformed", e, ""))?,
    };
    let there = desk.registry.schema(id, None).await.map_err(|e| unproven(&e))?.value;
    let unchanged = there.as_ref().is_some_and(|entry| entry.body == body);
    let revision = there.as_ref().map_or(1, |entry| if unchanged { entry.seq } else { entry.seq + 1 });
    if !unchanged {
        let act = Act::PublishSchema { schema: id, body, prev: there.map(|entry| entry.record) };
        desk.submit(Use::Capability, &format!("publish schema {}", multibase(id)), act, None).await?;
    }
    let url = desk.addresses().schema(&multibase(id));
    Ok(Added { id: multibase(id), hex: id, url, revision, unchanged })
}

#[derive(Serialize)]
struct Shown {
    id: String,
    revision: u64,
    owner: Did,
    time: UnixTime,
    height: u64,
    schema: serde_json::Value,
}

impl Show {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let registry = self.ledger.connect(None).await?;
        let proven = registry.schema(self.id, self.revision).await.map_err(|e| unproven(&e))?;
        warn_of(&proven.passed_over, output);
        let Some(entry) = proven.value else {
            let what = match self.revision {
                Some(revision) => format!("revision {revision} of schema {}", multibase(self.id)),
                None => format!("schema {}", multibase(self.id)),
            };
            return Err(CommandError::failed(
                "schema.unknown",
                format!("{what} is not on the ledger: block {} proves its absence", proven.header.height),
                "",
            ));
        };
        // Who published it is worth a name.
        let owner = registry.issuer(&entry.owner, At::Now).await.map_err(|e| unproven(&e))?.value;
        let name = owner.and_then(|o| o.attributes.last().map(|(_, a)| crate::commands::trust::name_of(&a.entity)));
        let shown = Shown {
            id: multibase(self.id),
            revision: entry.seq,
            owner: entry.owner.clone(),
            time: entry.time,
            height: proven.header.height.0,
            schema: serde_json::from_str(&entry.body).unwrap_or_default(),
        };
        output.result(&shown, || {
            format!(
                "{}\n  revision  {} of {}\n  owner     {}{}\n  proven    by block {}, from {}\n\n{}",
                output.paint(Tone::Strong, &shown.id),
                shown.revision,
                utc(shown.time),
                name.map_or_else(String::new, |name| format!("{name}, ")),
                shown.owner,
                shown.height,
                proven.server,
                serde_json::to_string_pretty(&shown.schema).unwrap_or_default(),
            )
        });
        Ok(Exit::Ok)
    }
}
