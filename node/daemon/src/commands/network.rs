//! `testamur network`: the trust files that verification goes by.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;
use testamur_primitives::epoch::TrustedEpoch;
use testamur_primitives::policy::tlog_policy;
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;

use crate::exit::{CommandError, Exit};
use crate::networks::{self, Added, Installed};
use crate::output::{Output, Tone, now, utc};

/// Subcommands of `network`.
#[derive(Debug, Subcommand)]
pub(crate) enum Network {
    /// Install a network's trust file
    Add {
        /// The trust file, as the network's operators publish it
        file: PathBuf,
        /// Also replace a trust file with a newer checkpoint
        #[arg(long)]
        replace: bool,
    },
    /// List the installed networks
    List,
    /// Show an installed network, or print its trust file with --json
    Show {
        /// Its origin, or a part of it
        name: String,
    },
    /// Pin a newer checkpoint, along a proven path, and say what changed
    #[cfg(feature = "node")]
    Update(crate::commands::network_update::Update),
    /// Print the C2SP tlog-policy of a network's pinned epoch, for transparency-log tools
    Policy {
        /// Its origin, or a part of it
        name: String,
    },
    /// Forget a network
    Remove {
        /// Its origin, or a part of it
        name: String,
    },
}

/// What is said of a network.
#[derive(Serialize)]
struct Summary {
    origin: String,
    genesis: String,
    fingerprint: String,
    path: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pinned_height: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pinned_time: Option<u64>,
    /// The epoch that is pinned; genesis is 0.
    epoch: u64,
    /// Until when a quorum of its keys is in office.
    in_office_until: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<String>,
}

/// A trust file's checkpoint is old after this: a quarter is what people plan by.
const OLD_AFTER_S: u64 = 90 * 24 * 3600;
/// How long before the keys leave office it is said.
const ENDS_SOON_S: u64 = 30 * 24 * 3600;

impl Summary {
    fn new(installed: &Installed) -> Self {
        let Installed { path, trust } = installed;
        let pinned = trust.pinned().map(|(header, _)| header);
        let epoch = pinned_epoch(trust);
        Self {
            epoch: epoch.epoch.0,
            in_office_until: epoch.validators.in_office_until().0,
            advice: now().ok().and_then(|now| advice(trust, now)),
            origin: trust.origin().to_string(),
            genesis: trust.network().to_string(),
            fingerprint: trust.fingerprint(),
            path: path.display().to_string(),
            pinned_height: pinned.map(|h| h.height.0),
            pinned_time: pinned.map(|h| h.time.0),
        }
    }
}

fn pinned_epoch(trust: &TrustFile) -> TrustedEpoch {
    trust.pinned().map_or_else(|| trust.genesis_epoch(), |(_, epoch)| epoch.clone())
}

/// What to do about a trust file, if anything.
fn advice(trust: &TrustFile, now: UnixTime) -> Option<String> {
    let until = pinned_epoch(trust).validators.in_office_until();
    if now > until {
        return Some(format!(
            "The keys that it pins are out of office since {}: what they sign is no longer believed. Get a newer trust file \
             from the network's operators, compare its fingerprint by telephone, and install it with `testamur network add \
             FILE`; or, if you have reason to trust those keys still, `testamur network update --anyway`.",
            utc(until)
        ));
    }
    if until.0 - now.0 < ENDS_SOON_S {
        return Some(format!(
            "The keys that it pins leave office on {}: run `testamur network update` before then.",
            utc(until)
        ));
    }
    match trust.pinned() {
        None => Some("It pins genesis only: `testamur network update` pins the newest checkpoint.".into()),
        Some((header, _)) if now.0.saturating_sub(header.time.0) > OLD_AFTER_S => {
            Some(format!("Its checkpoint is {}: run `testamur network update`.", age(header.time, now)))
        }
        Some(_) => None,
    }
}

/// `3 days old`.
fn age(time: UnixTime, now: UnixTime) -> String {
    match now.0.saturating_sub(time.0) / 86_400 {
        0 => "less than a day old".into(),
        1 => "a day old".into(),
        days => format!("{days} days old"),
    }
}

impl Network {
    /// Runs the subcommand.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        match self {
            Self::Add { file, replace } => add(&networks::read(&file)?.trust, replace, output),
            Self::List => list(output),
            Self::Show { name } => show(&networks::named(&name)?, output),
            #[cfg(feature = "node")]
            Self::Update(update) => update.run(output),
            Self::Policy { name } => Ok(policy(&networks::named(&name)?.trust)),
            Self::Remove { name } => remove(&networks::named(&name)?, output),
        }
    }
}

fn add(trust: &TrustFile, replace: bool, output: &Output) -> Result<Exit, CommandError> {
    let (path, added) = networks::add(trust, replace)?;
    let summary = Summary::new(&Installed { path, trust: trust.clone() });
    output.result(&summary, || {
        let done = match added {
            Added::New => "Installed",
            Added::Unchanged => "Already installed, unchanged:",
            Added::Newer => "Updated to a newer checkpoint:",
            Added::Replaced => "Replaced",
        };
        format!(
            "{} {}\n  trust file   {}\n  fingerprint  sha256 {}\n\n\
             Compare the fingerprint with one that you got from the network's operators another way\n\
             (by telephone, in print): whoever gives you the trust file decides whom you believe.",
            output.paint(Tone::Good, done),
            summary.origin,
            summary.path,
            summary.fingerprint,
        )
    });
    Ok(Exit::Ok)
}

fn list(output: &Output) -> Result<Exit, CommandError> {
    let all: Vec<_> = networks::list()?.iter().map(Summary::new).collect();
    output.result(&all, || {
        if all.is_empty() {
            return "No network is installed. `testamur network add FILE` installs one.".into();
        }
        let advice = |n: &Summary| n.advice.as_ref().map_or_else(String::new, |advice| format!("  {advice}\n"));
        all.iter()
            .map(|n| format!("{}\n  sha256 {}\n{}", output.paint(Tone::Strong, &n.origin), n.fingerprint, advice(n)))
            .collect()
    });
    Ok(Exit::Ok)
}

fn show(installed: &Installed, output: &Output) -> Result<Exit, CommandError> {
    let trust = &installed.trust;
    let document: serde_json::Value = serde_json::from_str(&trust.to_json()).expect("a trust file is JSON");
    output.result(&document, || {
        let summary = Summary::new(installed);
        let genesis = trust.genesis();
        let epoch = pinned_epoch(trust);
        let pinned = match trust.pinned() {
            Some((header, _)) => {
                let age = now().map_or_else(|_| String::new(), |now| format!(", {}", age(header.time, now)));
                format!("block {} of {}{age}", header.height, utc(header.time))
            }
            None => "genesis only".to_owned(),
        };
        let mut text = format!(
            "{}\n  trust file   {}\n  fingerprint  sha256 {}\n  genesis      {} of {}\n  checkpoint   {pinned}\n  \
             epoch        {}, in office until {}\n  quorum       {} of {} validators\n",
            output.paint(Tone::Strong, &summary.origin),
            summary.path,
            summary.fingerprint,
            summary.genesis,
            utc(genesis.time),
            epoch.epoch,
            utc(epoch.validators.in_office_until()),
            epoch.validators.quorum(),
            epoch.validators.validators().len(),
        );
        for v in epoch.validators.validators() {
            text += &format!("    {}  {} ({}), until {}\n", v.name, v.operator, v.country, utc(v.not_after));
        }
        text += &format!("  operators    {} must approve a change, in genesis\n", genesis.approvals_required);
        for o in &genesis.operators {
            text += &format!("    {} ({})\n      {}\n", o.name, o.country, o.did);
        }
        if let Some(advice) = &summary.advice {
            text += &format!("\n{advice}\n");
        }
        text
    });
    Ok(Exit::Ok)
}

fn policy(trust: &TrustFile) -> Exit {
    let epoch = trust.pinned().map_or_else(|| trust.genesis_epoch(), |(_, epoch)| epoch.clone());
    // A closed pipe is no error; there is nobody to tell.
    let _ = std::io::stdout().write_all(tlog_policy(trust.origin(), &epoch.validators).as_bytes());
    Exit::Ok
}

fn remove(installed: &Installed, output: &Output) -> Result<Exit, CommandError> {
    fs::remove_file(&installed.path).map_err(|e| CommandError::file("remove", &installed.path, e))?;
    // Which nodes were asked is of no use without it; that it was never remembered is no error.
    let _ = fs::remove_file(installed.path.with_extension("nodes"));
    output.result(&Summary::new(installed), || {
        format!("Removed {}. Its receipts can no longer be told from others here.", installed.trust.origin())
    });
    Ok(Exit::Ok)
}
