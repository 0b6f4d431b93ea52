//! `testamur genesis`: the ceremony by which several operators make a network without anybody seeing another's keys.

use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;
use testamur_primitives::did::Did;
use testamur_primitives::genesis::{Genesis, Operator, Parameters};
use testamur_primitives::limits::{STATUS_HISTORY_DAYS, TRUST_BYTES_MAX};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;

use crate::commands::init::TERM_S;
use crate::commands::key::ProtectionOptions;
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::output::{Output, Tone, now, parse_time, utc};
use crate::setup::registration::Registration;
use crate::setup::{LegalPerson, read_registration, write_genesis};

/// Subcommands of `genesis`.
#[derive(Debug, Subcommand)]
pub(crate) enum GenesisCommand {
    /// Step 1, each operator: make a validator's keys and its registration.json (public, with proofs of possession)
    Register {
        /// Directory for keys/, guard/ and registration.json
        #[arg(long)]
        dir: PathBuf,
        /// Name of the validator's key, such as validator-1.justice.example
        #[arg(long)]
        name: String,
        /// Who runs it
        #[arg(long, value_name = "NAME,CC")]
        operator: LegalPerson,
        /// DID that the operator approves changes with (`testamur key new operator`)
        #[arg(long)]
        did: Did,
        /// Until when its keys are in office [default: three years from now]
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        not_after: Option<UnixTime>,
        #[command(flatten)]
        protection: ProtectionOptions,
    },
    /// Step 2, one of them: assemble registrations into genesis.json and trust.json
    Assemble {
        /// The operators' registration.json files
        #[arg(required = true)]
        registrations: Vec<PathBuf>,
        /// Directory for genesis.json and trust.json
        #[arg(long)]
        dir: PathBuf,
        /// First part of the network's origin: a domain that its operators hold
        #[arg(long)]
        domain: String,
        /// Second part of the network's origin
        #[arg(long)]
        name: String,
        /// How many operators must approve a change [default: more than half]
        #[arg(long, value_name = "M")]
        approvals: Option<u32>,
        /// DIDs that may write from the start
        #[arg(long, value_name = "DID")]
        writer: Vec<Did>,
        /// Method name of the ledger's own DIDs
        #[arg(long, value_name = "NAME", default_value = "ebsi")]
        did_method: String,
        /// What absolute URLs in registries and status lists begin with [default: https:// and the domain]
        #[arg(long, value_name = "URL")]
        public_base: Option<String>,
        /// Days for which every node keeps older versions of status lists
        #[arg(long, value_name = "DAYS", default_value_t = STATUS_HISTORY_DAYS)]
        status_history_days: u32,
        /// Time of height 0 [default: now]
        #[arg(long, value_name = "TIME", value_parser = parse_time)]
        time: Option<UnixTime>,
    },
    /// Step 3, everybody: check a genesis and print its hash, to be compared by telephone before anybody starts
    Check {
        /// The genesis
        file: PathBuf,
    },
}

#[derive(Serialize)]
struct Report {
    origin: String,
    genesis: String,
    fingerprint: String,
    validators: usize,
    operators: usize,
    approvals_required: u32,
}

impl GenesisCommand {
    /// Runs the subcommand.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        match self {
            Self::Register { dir, name, operator, did, not_after, protection } => {
                let not_after = match not_after {
                    Some(time) => time,
                    None => UnixTime(now()?.0 + TERM_S),
                };
                let registration = Registration { name, operator, did: Some(did), not_after };
                register(&registration, &dir, &protection, output)
            }
            Self::Assemble {
                registrations,
                dir,
                domain,
                name,
                approvals,
                writer,
                did_method,
                public_base,
                status_history_days,
                time,
            } => {
                let validators = registrations.iter().map(|p| read_registration(p)).collect::<Result<Vec<_>, _>>()?;
                let mut operators: Vec<Operator> = Vec::new();
                for r in validators.iter().map(|v| &v.registration) {
                    if !operators.iter().any(|o| o.did == r.did) {
                        let (name, country) = (r.operator.clone(), r.country.clone());
                        operators.push(Operator { did: r.did.clone(), name, country });
                    }
                }
                let genesis = Genesis {
                    v: 1,
                    domain,
                    name,
                    time: match time {
                        Some(time) => time,
                        None => now()?,
                    },
                    protocol: 1,
                    parameters: Parameters::default(),
                    validators,
                    approvals_required: approvals.unwrap_or(operators.len() as u32 / 2 + 1),
                    operators,
                    writers: writer,
                    did_method: Some(did_method).filter(|method| method != "ebsi"),
                    public_base,
                    status_history_days: Some(status_history_days).filter(|days| *days != STATUS_HISTORY_DAYS),
                    predecessor: None,
                };
                files::create_private_directory(&dir)?;
                let genesis = write_genesis(genesis, &dir.join("genesis.json"))?;
                let trust = TrustFile::from_genesis(genesis);
                files::create(&dir.join("trust.json"), trust.to_json().as_bytes(), 0o644)?;
                report(&trust, output);
                Ok(Exit::Ok)
            }
            Self::Check { file } => {
                let genesis = Genesis::from_json(&files::read_at_most(&file, TRUST_BYTES_MAX)?)
                    .map_err(|e| CommandError::content(&file, e, "correct it, or get it again"))?;
                report(&TrustFile::from_genesis(genesis), output);
                Ok(Exit::Ok)
            }
        }
    }
}

fn register(
    registration: &Registration,
    dir: &std::path::Path,
    protection: &ProtectionOptions,
    output: &Output,
) -> Result<Exit, CommandError> {
    let protection = protection.protection()?;
    let registered = registration.write_keys(&dir.join("keys"), &dir.join("guard"), &protection)?;
    let path = dir.join("registration.json");
    let mut text = serde_json::to_string_pretty(&registered).expect("a registration is JSON");
    text.push('\n');
    files::create(&path, text.as_bytes(), 0o644)?;
    output.result(&registered, || {
        format!(
            "{} {}\n  address       {}\n  registration  {} (public: send it to whoever assembles the genesis)\n  \
             keys          {} (keep an encrypted backup; never run two processes with them)\n  \
             guard         {} (what the key has signed: never copied, never restored)",
            output.paint(Tone::Good, "Made the keys of"),
            registered.registration.name,
            registered.registration.address(),
            path.display(),
            dir.join("keys").display(),
            dir.join("guard").display(),
        )
    });
    Ok(Exit::Ok)
}

fn report(trust: &TrustFile, output: &Output) {
    let genesis = trust.genesis();
    let report = Report {
        origin: trust.origin().to_string(),
        genesis: trust.network().to_string(),
        fingerprint: trust.fingerprint(),
        validators: genesis.validators.len(),
        operators: genesis.operators.len(),
        approvals_required: genesis.approvals_required,
    };
    output.result(&report, || {
        let mut text = format!(
            "{}\n  genesis hash  {}\n  trust file    sha256 {}\n  begins        {}\n  validators    {}\n",
            output.paint(Tone::Strong, &report.origin),
            report.genesis,
            report.fingerprint,
            utc(genesis.time),
            report.validators,
        );
        for v in &genesis.validators {
            let r = &v.registration;
            text += &format!("    {}  {} ({}), until {}\n", r.name, r.operator, r.country, utc(r.not_after));
        }
        text += &format!("  operators     {}, {} must approve a change\n", report.operators, report.approvals_required);
        for o in &genesis.operators {
            text += &format!("    {} ({})\n      {}\n", o.name, o.country, o.did);
        }
        text
    });
}
