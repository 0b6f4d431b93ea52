//! `testamur network`: the trust files that verification goes by.

use std::fs;
use std::io::Write as _;
use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;
use testamur_primitives::policy::tlog_policy;
use testamur_primitives::trust::TrustFile;

use crate::exit::{CommandError, Exit};
use crate::networks::{self, Added, Installed};
use crate::output::{Output, Tone, utc};

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
}

impl Summary {
    fn new(installed: &Installed) -> Self {
        let Installed { path, trust } = installed;
        let pinned = trust.pinned().map(|(header, _)| header);
        Self {
            origin: trust.origin().to_string(),
            genesis: trust.network().to_string(),
            fingerprint: trust.fingerprint(),
            path: path.display().to_string(),
            pinned_height: pinned.map(|h| h.height.0),
            pinned_time: pinned.map(|h| h.time.0),
        }
    }
}

impl Network {
    /// Runs the subcommand.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        match self {
            Self::Add { file, replace } => add(&networks::read(&file)?.trust, replace, output),
            Self::List => list(output),
            Self::Show { name } => show(&networks::named(&name)?, output),
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
        all.iter().map(|n| format!("{}\n  sha256 {}\n", output.paint(Tone::Strong, &n.origin), n.fingerprint)).collect()
    });
    Ok(Exit::Ok)
}

fn show(installed: &Installed, output: &Output) -> Result<Exit, CommandError> {
    let trust = &installed.trust;
    let document: serde_json::Value = serde_json::from_str(&trust.to_json()).expect("a trust file is JSON");
    output.result(&document, || {
        let summary = Summary::new(installed);
        let genesis = trust.genesis();
        let (pinned, epoch) = match trust.pinned() {
            Some((header, epoch)) => (format!("block {} of {}", header.height, utc(header.time)), epoch.clone()),
            None => ("genesis only".to_owned(), trust.genesis_epoch()),
        };
        let mut text = format!(
            "{}\n  trust file   {}\n  fingerprint  sha256 {}\n  genesis      {} of {}\n  checkpoint   {pinned}\n  \
             quorum       {} of {} validators\n",
            output.paint(Tone::Strong, &summary.origin),
            summary.path,
            summary.fingerprint,
            summary.genesis,
            utc(genesis.time),
            epoch.validators.quorum(),
            epoch.validators.validators().len(),
        );
        for v in epoch.validators.validators() {
            text += &format!("    {}  {} ({}), until {}\n", v.name, v.operator, v.country, utc(v.not_after));
        }
        text += &format!("  operators    {} must approve a change\n", genesis.approvals_required);
        for o in &genesis.operators {
            text += &format!("    {} ({})\n      {}\n", o.name, o.country, o.did);
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
    output.result(&Summary::new(installed), || {
        format!("Removed {}. Its receipts can no longer be told from others here.", installed.trust.origin())
    });
    Ok(Exit::Ok)
}
