//! `testamur network update`: pins a newer checkpoint, only along a proven path from what is trusted already.
//!
//! INV-NETWORK-1: what is pinned never goes back, and never leaves the history that it is of. A node that is behind is
//! refused; a path that breaks is refused; a well-signed path beside the pinned block is kept as evidence and refused.
//!
//! The path is only as good as the keys at its beginning. Where those are out of office by date, whoever got hold of them
//! since could have made one: then a person has to compare fingerprints, or insist.

use clap::Args;
use serde::Serialize;
use testamur_client::node::Connections;
use testamur_client::nodes::Nodes;
use testamur_client::path::{Change, Newest, PathError, changes};
use testamur_client::refresh::furthest;
use testamur_primitives::epoch::{TrustedEpoch, ValidatorSet};
use testamur_primitives::trust::TrustFile;

use crate::exit::{CommandError, Exit};
use crate::networks::{self, Installed};
use crate::output::{Output, Tone, harmless, utc};
use crate::service;

/// Arguments of `network update`.
#[derive(Debug, Args)]
#[command(after_help = "\
The newest checkpoint of the nodes is pinned if every epoch on the way from the pinned one (or genesis) vouches for the \
next. A trust file never goes back to an older checkpoint. Compare the new fingerprint with other people's from time to time.")]
pub(crate) struct Update {
    /// Its origin, or a part of it [default: all that are installed]
    name: Option<String>,
    /// A node of the network; may be given several times [default: those used before]
    #[arg(long, value_name = "URL", requires = "name")]
    node: Vec<String>,
    /// Go on from keys that are out of office, which somebody may have got hold of since
    #[arg(long)]
    anyway: bool,
}

/// What was updated.
#[derive(Serialize)]
struct Updated {
    origin: String,
    outcome: &'static str,
    path: String,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<Pinned>,
    now: Pinned,
    epochs: Vec<NewEpoch>,
    node: String,
    passed_over: Vec<String>,
}

/// A checkpoint.
#[derive(Serialize)]
struct Pinned {
    height: u64,
    time: u64,
    epoch: u64,
    in_office_until: u64,
}

/// An epoch that began since.
#[derive(Serialize)]
struct NewEpoch {
    epoch: u64,
    first_height: u64,
    /// Time of the block before its first.
    time: u64,
    validators: usize,
    quorum: usize,
    changes: Vec<Change>,
}

impl Update {
    /// Updates one network, or all.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let installed = match &self.name {
            Some(name) => vec![networks::named(name)?],
            None => networks::list()?,
        };
        if installed.is_empty() {
            return Err(CommandError::failed(
                "network.none",
                "no network is installed",
                "`testamur network add FILE` installs one",
            ));
        }
        let (mut all, mut failed) = (Vec::new(), false);
        for installed in &installed {
            match self.update(installed) {
                Ok(updated) => {
                    output.line(describe(&updated, output).trim_end());
                    all.push(updated);
                }
                Err(error) if self.name.is_some() => return Err(error),
                // The others are updated all the same.
                Err(error) => {
                    output.error(&error);
                    failed = true;
                }
            }
        }
        if output.is_json() {
            output.result(&all, String::new);
        }
        Ok(if failed { Exit::Operational } else { Exit::Ok })
    }

    fn update(&self, installed: &Installed) -> Result<Updated, CommandError> {
        let trust = &installed.trust;
        if !self.anyway {
            networks::in_office(trust)?;
        }
        let urls = networks::nodes(installed, &self.node)?;
        let nodes = Nodes::new(&urls, &Connections::default())
            .map_err(|e| CommandError::failed(e.code(), &e, "check --node"))?;
        let found = service::runtime()?.block_on(furthest(&nodes, trust));
        let (newest, _, faults) = found.map_err(|faults| refused(trust, &faults))?;
        networks::remember_nodes(installed, &self.node);
        let before = trust.pinned().map_or_else(|| trust.genesis_epoch(), |(_, epoch)| epoch.clone());
        let pinned = TrustFile::with_checkpoint(trust.genesis().clone(), newest.pin())
            .map_err(|e| CommandError::failed("network.path", e, "name another node"))?;
        let unchanged = trust.pinned().is_some_and(|(header, _)| header.height == newest.header.height);
        // The cosignatures of one block may differ from node to node; the pinned ones are as good.
        let (path, pinned) = match unchanged {
            true => (installed.path.clone(), trust.clone()),
            false => (networks::add(&pinned, false)?.0, pinned),
        };
        Ok(Updated {
            origin: trust.origin().to_string(),
            outcome: if unchanged { "unchanged" } else { "updated" },
            path: path.display().to_string(),
            fingerprint: pinned.fingerprint(),
            was: trust.pinned().map(|(header, epoch)| Pinned::new(header, epoch)),
            now: Pinned::new(&newest.header, &newest.epoch),
            epochs: epochs_since(&newest, &before),
            node: newest.server,
            passed_over: faults.iter().map(ToString::to_string).collect(),
        })
    }
}

impl Pinned {
    fn new(header: &testamur_primitives::header::Header, epoch: &TrustedEpoch) -> Self {
        Self {
            height: header.height.0,
            time: header.time.0,
            epoch: header.epoch.0,
            in_office_until: epoch.validators.in_office_until().0,
        }
    }
}

/// The epochs that began after what was trusted before.
fn epochs_since(newest: &Newest, before: &TrustedEpoch) -> Vec<NewEpoch> {
    let mut last: &ValidatorSet = &before.validators;
    let mut epochs = Vec::new();
    for step in newest.steps.iter().filter(|step| step.epoch.epoch > before.epoch) {
        let set = &step.epoch.validators;
        epochs.push(NewEpoch {
            epoch: step.epoch.epoch.0,
            first_height: step.last.height.0 + 1,
            time: step.last.time.0,
            validators: set.validators().len(),
            quorum: set.quorum(),
            changes: changes(last, set),
        });
        last = set;
    }
    epochs
}

/// Why nothing was pinned: the worst of what the nodes answered.
fn refused(trust: &TrustFile, faults: &[PathError]) -> CommandError {
    if let Some(PathError::Contradiction { contradiction, .. }) = faults.first() {
        return networks::contradicted(contradiction);
    }
    let proven_wrong = |fault: &&PathError| matches!(fault, PathError::Broken { .. } | PathError::Malformed { .. });
    let worst = faults.iter().find(proven_wrong).or(faults.first());
    let (code, hint) = match worst {
        Some(error @ PathError::Client(_)) => (error.code(), "check --node, and whether the nodes run"),
        Some(error @ PathError::Behind { .. }) => (error.code(), "a trust file never goes back; name another node"),
        Some(error @ PathError::OtherNetwork { .. }) => (error.code(), "name nodes of this network with --node"),
        Some(error @ PathError::NoBlock { .. }) => (error.code(), "wait for the network's first block"),
        Some(error) => (error.code(), "name another node, and tell this one's operator"),
        None => ("network.no-node", "name one with --node"),
    };
    let words: Vec<_> = faults.iter().map(ToString::to_string).collect();
    let what = format!("the trust file of {} stays as it is: {}", trust.origin(), words.join("; "));
    CommandError::failed(code, what, hint)
}

fn describe(updated: &Updated, output: &Output) -> String {
    let Pinned { height, time, epoch, in_office_until } = updated.now;
    let head = match updated.outcome {
        "unchanged" => output.paint(Tone::Good, "Up to date:"),
        _ => output.paint(Tone::Good, "Updated along a proven path:"),
    };
    let mut text = format!("{head} {}\n", updated.origin);
    let mut row = |label: &str, value: String| text += &format!("  {label:<13}{}\n", harmless(&value));
    let block =
        |height: u64, time: u64| format!("block {height} of {}", utc(testamur_primitives::units::UnixTime(time)));
    if updated.outcome != "unchanged" {
        row("was", updated.was.as_ref().map_or_else(|| "genesis only".into(), |was| block(was.height, was.time)));
    }
    row("pinned", format!("{}, epoch {epoch}", block(height, time)));
    row("in office", format!("until {}", utc(testamur_primitives::units::UnixTime(in_office_until))));
    for new in &updated.epochs {
        let (n, quorum) = (new.validators, new.quorum);
        let from = utc(testamur_primitives::units::UnixTime(new.time));
        row(&format!("epoch {}", new.epoch), format!("from block {} ({from}), {quorum} of {n}", new.first_height));
        for change in &new.changes {
            let (what, name, operator) = match change {
                Change::Added { name, operator } => ("added", name, operator),
                Change::Removed { name, operator } => ("removed", name, operator),
                Change::Rotated { name, operator } => ("rotated key of", name, operator),
                Change::Altered { name, operator } => ("new registration of", name, operator),
            };
            row("", format!("{what} {name}: {operator}"));
        }
    }
    row("trust file", updated.path.clone());
    row("fingerprint", format!("sha256 {}", updated.fingerprint));
    for fault in &updated.passed_over {
        row("passed over", fault.clone());
    }
    if !updated.epochs.is_empty() {
        text += "\nReceipts of before are brought under this checkpoint with `testamur refresh`.\n";
    }
    text
}
