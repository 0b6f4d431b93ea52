//! `testamur diploma share`: a link that carries the compact credential itself, behind the `#` that browsers keep to themselves.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use testamur_credentials::credential::Format;
use testamur_credentials::link;
use testamur_credentials::presentation;

use super::source::{read, shown};
use crate::exit::{CommandError, Exit};
use crate::output::Output;

/// Arguments of `diploma share`.
#[derive(Debug, Args)]
#[command(after_help = "\
The link holds the compact credential, the one of the QR code: name, title, dates and level, signed by the issuer. Whoever has \
the link can read it. Nothing is stored anywhere, and the link never ends; that the diploma was withdrawn shows when the \
link is opened.")]
pub(crate) struct Share {
    /// The diploma's PDF, or a file with its compact credential
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The page that verifies: where the link leads
    #[arg(long, value_name = "URL")]
    page: String,
}

#[derive(Serialize)]
struct Shared {
    link: String,
    characters: usize,
}

impl Share {
    /// Makes the link.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let file = shown(&self.file);
        let bytes = read(&self.file)?;
        let compact = compact_of(&bytes).ok_or_else(|| {
            CommandError::failed(
                "diploma.no-compact",
                format!("{file} holds no compact credential"),
                "give the diploma's PDF, or what its QR code says",
            )
        })?;
        let link = link::make(&self.page, &compact).map_err(|error| {
            CommandError::failed(
                "diploma.link",
                error,
                "give the address of the page that verifies, such as https://verify.example/",
            )
        })?;
        let shared = Shared { characters: link.chars().count(), link };
        output.result(&shared, || shared.link.clone());
        Ok(Exit::Ok)
    }
}

/// The compact credential in a file: the file itself, or an attachment of a PDF.
fn compact_of(bytes: &[u8]) -> Option<String> {
    let is_compact = |bytes: &[u8]| {
        let presented = presentation::read(bytes).ok()?;
        (presented.credential.format == Format::Compact).then_some(presented.text)
    };
    is_compact(bytes).or_else(|| testamur_paper::compact_of(bytes))
}
