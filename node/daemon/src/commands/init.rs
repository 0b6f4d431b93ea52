//! `testamur init`: keys, genesis and configuration of a network, all in one place.
//!
//! One machine sees all keys, so this is for development, tests and rehearsals; networks of value are made by the
//! ceremony in `genesis/README.md` (`testamur genesis`).

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use testamur_primitives::genesis::Parameters;
use testamur_primitives::limits::{VALIDATORS_MAX, VALIDATORS_MIN};
use testamur_primitives::units::UnixTime;

use crate::commands::key::ProtectionOptions;
use crate::exit::{CommandError, Exit};
use crate::output::{Output, Tone, now, parse_time};
use crate::setup::layout::Ports;
use crate::setup::{LegalPerson, Plan, make_network};

/// Seconds of a validator's term unless somebody says otherwise: three years.
pub(crate) const TERM_S: u64 = 3 * 365 * 24 * 3600;

/// Arguments of `init`.
#[derive(Debug, Args)]
#[command(after_help = "\
One machine makes all keys here: for development, tests and rehearsals. For a network of value each operator makes its \
own keys: see `testamur genesis --help`.")]
pub(crate) struct Init {
    /// Validators
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u8).range(VALIDATORS_MIN as i64..=VALIDATORS_MAX as i64))]
    validators: u8,
    /// Directory to make; it must not be there, or be empty
    #[arg(long)]
    dir: PathBuf,
    /// First part of the network's origin: a domain that its operators hold
    #[arg(long, default_value = "testamur.example")]
    domain: String,
    /// Second part of the network's origin
    #[arg(long, default_value = "dev")]
    name: String,
    /// Who runs validators and votes on changes; give it several times, validators are dealt out in turn
    #[arg(long, value_name = "NAME,CC")]
    operator: Vec<LegalPerson>,
    /// How many operators must approve a change [default: more than half]
    #[arg(long, value_name = "M")]
    approvals: Option<u32>,
    /// Authors that may write from the start, each with a key
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=100))]
    authors: u8,
    /// Until when the validators' keys are in office [default: three years from now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    not_after: Option<UnixTime>,
    /// Seconds between blocks when there is nothing to do
    #[arg(long, default_value_t = Parameters::default().heartbeat_s)]
    heartbeat_s: u32,
    /// Address that all nodes listen on
    #[arg(long, default_value = "127.0.0.1")]
    host: IpAddr,
    /// Port of the first node's API; all others follow from it
    #[arg(long, default_value_t = 8080, value_parser = clap::value_parser!(u16).range(Ports::BASE_MIN as i64..=Ports::BASE_MAX as i64))]
    base_port: u16,
    /// What absolute URLs in registries and status lists begin with [default: the first node's API]
    #[arg(long, value_name = "URL")]
    public_base: Option<String>,
    #[command(flatten)]
    protection: ProtectionOptions,
}

#[derive(Serialize)]
struct Report {
    directory: String,
    origin: String,
    genesis: String,
    fingerprint: String,
    authors: Vec<String>,
}

impl Init {
    /// Makes the network.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let time = now()?;
        let operators = match self.operator.as_slice() {
            [] => vec![LegalPerson { name: "Development operator".into(), country: "EU".into() }],
            operators => operators.to_vec(),
        };
        let ports = Ports { host: self.host, base: self.base_port };
        let plan = Plan {
            domain: self.domain,
            name: self.name,
            time,
            validators: operators.iter().cycle().take(self.validators.into()).cloned().collect(),
            approvals_required: self.approvals.unwrap_or(operators.len() as u32 / 2 + 1),
            operators,
            authors: self.authors.into(),
            not_after: self.not_after.unwrap_or(UnixTime(time.0 + TERM_S)),
            parameters: Parameters { heartbeat_s: self.heartbeat_s, ..Parameters::default() },
            ports,
            public_base: self.public_base.unwrap_or_else(|| format!("http://{}", ports.api(0))),
            protection: self.protection.protection()?,
        };
        let made = make_network(&plan, &self.dir, |_, _| Ok(()))?;
        let report = Report {
            directory: self.dir.display().to_string(),
            origin: made.trust.origin().to_string(),
            genesis: made.trust.network().to_string(),
            fingerprint: made.trust.fingerprint(),
            authors: made.authors.iter().map(ToString::to_string).collect(),
        };
        output.result(&report, || describe(&report, plan.validators.len(), &self.dir, output));
        Ok(Exit::Ok)
    }
}

fn describe(report: &Report, validators: usize, dir: &Path, output: &Output) -> String {
    let dir = dir.display();
    format!(
        "{} {}\n  genesis      {dir}/genesis.json ({})\n  trust file   {dir}/trust.json\n  fingerprint  sha256 {}\n  \
         nodes        {dir}/node-0 … node-{}: config.toml and keys\n  author       {}\n\n\
         Start each node with: testamur run --config {dir}/node-0/config.toml\n\
         A gateway needs a token first: testamur gateway token add --tokens {dir}/gateway/tokens.json my-office",
        output.paint(Tone::Good, "Made the network"),
        report.origin,
        report.genesis,
        report.fingerprint,
        validators - 1,
        report.authors.first().map_or("none", String::as_str),
    )
}
