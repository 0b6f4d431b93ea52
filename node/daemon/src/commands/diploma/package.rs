//! `testamur diploma package`: a diploma with everything that proves it, in one file.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use serde::Serialize;
use testamur_client::registry::RegistryError;
use testamur_credentials::package::Package as File;
use testamur_credentials::verify::{Policy, Verdict};
use testamur_paper::check::find;
use testamur_primitives::limits::RECEIPT_BYTES_MAX;
use testamur_primitives::units::UnixTime;

use super::disclose::the_credential;
use super::render;
use super::source::{self, TrustOptions, read, shown};
use super::verify::exit_of;
use crate::exit::{CommandError, Exit};
use crate::output::{Output, Tone, now, utc};
use crate::{files, service};

/// Arguments of `diploma package`.
#[derive(Debug, Args)]
#[command(after_help = "\
What the ledger says of the issuer and of withdrawn diplomas is asked of a node, proven, and packed with the diploma \
and its receipt. The package then verifies with no network, and says as of when its proofs are; after a day it answers \
\"valid on DATE; connect to confirm\". What is not valid is packed only with --force, as a proof of that.")]
pub(crate) struct Package {
    /// The diploma: PDF, credential, or an older package
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Its receipt, where that is not inside [default: FILE.receipt.json if that is there]
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Where to write the package [default: FILE.package.json]
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Pack it even if it is not valid
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    trust: TrustOptions,
}

#[derive(Serialize)]
struct Written {
    out: String,
    bytes: usize,
    verdict: Verdict,
    as_of: Option<UnixTime>,
}

impl Package {
    /// Gathers, verifies, writes.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let file = shown(&self.file);
        let receipt = match &self.receipt {
            Some(receipt) => Some(receipt.clone()),
            None => Some(crate::commands::verify::receipt_path_of(&self.file)).filter(|beside| beside.is_file()),
        };
        let receipt = receipt.map(|path| files::read_at_most(&path, RECEIPT_BYTES_MAX)).transpose()?;
        let mut found = the_credential(find(&read(&self.file)?, receipt.as_deref()), &file)?;
        let verifiers = self.trust.verifiers()?;
        let registry = source::registry(&self.trust, &verifiers)?.ok_or_else(|| {
            CommandError::failed("ledger.node", "a package needs fresh proofs, and no node is known", "give --node URL")
        })?;
        let policy = Policy::now(now()?);
        let checker = testamur_verifier::check::Checker::new(Arc::clone(&verifiers), vec![registry]);
        let presented = found.presented.as_ref().expect("the credential was read");
        let proofs = service::runtime()?.block_on(checker.proofs(presented, None)).map_err(unproven)?;
        // It is judged as its readers will: by what is in it, and by that alone.
        found.print = testamur_credentials::print::Print::None;
        let report = verifiers.judge_with(&found, &proofs, &policy).report;
        if report.verdict != Verdict::Valid && !self.force {
            output.result(&report, || render::report(&report, &file, output));
            output.note("nothing was written: only what is valid is packed, unless --force says otherwise");
            return Ok(exit_of(report.verdict));
        }
        let presented = found.presented.expect("the credential was read");
        let receipt = presented.receipt.and_then(Result::ok);
        let bytes = File { credential: presented.text, receipt, proofs }.encode();
        let out = self.out.unwrap_or_else(|| {
            let mut name = self.file.into_os_string();
            name.push(".package.json");
            PathBuf::from(name)
        });
        // It holds a person's diploma.
        files::create(&out, &bytes, 0o600)?;
        let written = Written {
            out: out.display().to_string(),
            bytes: bytes.len(),
            verdict: report.verdict,
            as_of: report.as_of,
        };
        output.result(&written, || {
            let as_of = written.as_of.map_or_else(String::new, |time| format!(", as of {}", utc(time)));
            let path = output.paint(Tone::Strong, &written.out);
            format!("{path}: {} bytes, {}{as_of}", written.bytes, render::verdict(written.verdict, output))
        });
        Ok(Exit::Ok)
    }
}

fn unproven(error: RegistryError) -> CommandError {
    CommandError::failed(error.code().to_owned(), error, "check --node, and whether the nodes run")
}
