//! `testamur diploma disclose`: the holder shows what he wants of a diploma, and the rest stays unreadable.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use testamur_credentials::credential::Format;
use testamur_credentials::format::sdjwt;
use testamur_credentials::package::Package;
use testamur_credentials::presentation::Presentation;
use testamur_paper::check::{Found, find};

use super::source::{read, shown};
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::output::{Output, Tone, harmless};

/// Arguments of `diploma disclose`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without --show the fields are listed. What the diploma says of its kind, level, place of law and status is always \
shown: without it nobody could verify it. What came with the diploma (receipt, proofs) stays with it, so that the \
result is a package; --text writes the credential alone.")]
pub(crate) struct Disclose {
    /// The diploma: PDF, package or credential
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The fields to show, with commas between
    #[arg(long, value_name = "FIELD,…", value_delimiter = ',', requires = "out")]
    show: Option<Vec<String>>,
    /// Where to write what is shown
    #[arg(long, short, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the credential's text alone
    #[arg(long)]
    text: bool,
}

#[derive(Serialize)]
struct Fields {
    fields: Vec<String>,
}

#[derive(Serialize)]
struct Written {
    out: String,
    shown: Vec<String>,
    hidden: Vec<String>,
}

/// The one credential of a file that somebody wants to work with: of several, the first of a format.
pub(super) fn the_credential(found: Vec<Found>, file: &str) -> Result<Found, CommandError> {
    let (mut good, bad): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.presented.is_ok());
    match (good.len(), bad.into_iter().next()) {
        (1, _) => Ok(good.remove(0)),
        (0, Some(Found { presented: Err(refusal), .. })) => {
            Err(CommandError::failed(refusal.reason().code(), format!("{file}: {refusal}"), refusal.reason().next()))
        }
        _ => Err(CommandError::failed(
            "diploma.several",
            format!("{file} holds {} diplomas", good.len()),
            "unpack it, and give one of them",
        )),
    }
}

impl Disclose {
    /// Lists the fields, or writes what is shown.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let file = shown(&self.file);
        let found = the_credential(find(&read(&self.file)?, None), &file)?;
        let presented = found.presented.expect("the credential was read");
        if presented.credential.format != Format::SdJwt {
            return Err(CommandError::failed(
                "diploma.disclose",
                format!("{file} is in a format that is shown whole or not at all"),
                "ask the issuer for the SD-JWT",
            ));
        }
        let damaged = |error: &dyn std::fmt::Display| {
            CommandError::content(
                &self.file,
                error,
                "verify it first: `testamur diploma verify` says what is wrong with it",
            )
        };
        let fields = sdjwt::disclosable(&presented.text).map_err(|error| damaged(&error))?;
        let (Some(show), Some(out)) = (&self.show, &self.out) else {
            output.result(&Fields { fields: fields.clone() }, || list(&fields, output));
            return Ok(Exit::Ok);
        };
        let show: Vec<&str> = show.iter().map(|field| field.trim()).filter(|field| !field.is_empty()).collect();
        let text = sdjwt::disclose(&presented.text, &show).map_err(|error| {
            CommandError::failed("diploma.disclose", error, "run the command without --show to see the fields")
        })?;
        let Presentation { proofs, receipt, .. } = presented;
        let receipt = receipt.and_then(Result::ok);
        let bytes = if self.text || (receipt.is_none() && proofs.evidence.is_none()) {
            text.into_bytes()
        } else {
            Package { credential: text, receipt, proofs }.encode()
        };
        files::create(out, &bytes, 0o600)?;
        let shown_set: BTreeSet<&str> = show.into_iter().collect();
        let (shown, hidden) = fields.into_iter().partition(|field| shown_set.contains(field.as_str()));
        let written = Written { out: out.display().to_string(), shown, hidden };
        output.result(&written, || {
            format!(
                "{}: shows {}; keeps back {}",
                output.paint(Tone::Good, &written.out),
                words(&written.shown),
                words(&written.hidden)
            )
        });
        Ok(Exit::Ok)
    }
}

fn words(fields: &[String]) -> String {
    if fields.is_empty() { "nothing".into() } else { harmless(&fields.join(", ")) }
}

fn list(fields: &[String], output: &Output) -> String {
    let mut text = format!("{}\n", output.paint(Tone::Strong, "Fields that may be shown or kept back:"));
    for field in fields {
        text += &format!("  {}\n", harmless(field));
    }
    text
}
