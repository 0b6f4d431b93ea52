//! `testamur receipt`: what a receipt says of itself, unverified, and its form for transparency-log tools.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use testamur_client::bulk::container::is_container;
use testamur_primitives::header::Header;
use testamur_primitives::limits::RECEIPT_BYTES_MAX;
use testamur_primitives::note::Note;
use testamur_primitives::receipt::{Receipt, ReceiptError};
use testamur_primitives::record::{Act, Record};

use crate::commands::container;
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::output::{Output, Tone, utc};

/// Subcommands of `receipt`.
#[derive(Debug, Subcommand)]
pub(crate) enum ReceiptCommand {
    /// Show what a receipt, or a container of receipts, claims (`testamur verify` says whether it is true)
    Show {
        /// The receipt or container
        receipt: PathBuf,
    },
    /// List the documents of a container: place, digest, name, separated by tabs; with --json one object a line
    List {
        /// The container
        container: PathBuf,
    },
    /// Print a receipt as a C2SP tlog-proof; the data it proves are the record's bytes (`--record`)
    TlogProof {
        /// The receipt
        receipt: PathBuf,
        /// Print the record instead: the bytes that the proof is about
        #[arg(long)]
        record: bool,
    },
    /// Take one document's receipt out of a container; the receipt goes to stdout, or to --out
    Cut {
        /// The container
        container: PathBuf,
        /// The document's name in it, or its digest in hexadecimal
        #[arg(required_unless_present = "index")]
        document: Option<OsString>,
        /// The document's place, from 0, where name and digest are not enough
        #[arg(long, conflicts_with = "document")]
        index: Option<u64>,
        /// Write the receipt there; nothing is overwritten
        #[arg(long, short, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Erase documents from a container: their digests, names and salts
    #[command(after_help = "\
Afterwards nothing in the file tells what the documents were, and their receipts can no longer be cut from it; all other \
receipts stay the same. On the ledger there was never anything but one hash over all, which now hides them for good.

It does not reach copies: receipts that were cut before, backups of the container, and what the disk keeps of the old file.")]
    Erase {
        /// The container
        container: PathBuf,
        /// Names in it, or digests in hexadecimal: all documents that have them
        #[arg(required_unless_present = "index")]
        document: Vec<OsString>,
        /// Places, from 0
        #[arg(long, value_name = "INDEX", conflicts_with = "document")]
        index: Vec<u64>,
    },
}

/// Reads a receipt file; the inner error is the receipt's own fault.
pub(crate) fn read(path: &Path) -> Result<Result<Receipt, ReceiptError>, CommandError> {
    Ok(Receipt::decode(&files::read_at_most(path, RECEIPT_BYTES_MAX)?))
}

impl ReceiptCommand {
    /// Runs the subcommand.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let path = match &self {
            Self::Show { receipt } | Self::TlogProof { receipt, .. } => receipt,
            Self::Cut { container, document, index, out } => {
                return container::cut(container, document.as_deref(), *index, out.as_deref(), output);
            }
            Self::List { container } => return container::list(container, output),
            Self::Erase { container, document, index } => {
                return container::erase(container, document, index, output);
            }
        };
        if is_container(path) && matches!(self, Self::Show { .. }) {
            return container::show(path, output);
        }
        let receipt = match read(path)? {
            Ok(receipt) => receipt,
            Err(error) => {
                let exit = if error.is_cannot_tell() { Exit::CannotTell } else { Exit::NotValid };
                output.error(&CommandError::failed(
                    error.code(),
                    format!("{}: {error}", path.display()),
                    "get the receipt again from where it came from",
                ));
                return Ok(exit);
            }
        };
        match self {
            Self::Show { .. } => {
                let value = serde_json::to_value(&receipt).expect("a receipt is JSON");
                output.result(&value, || describe(&receipt, output));
            }
            Self::TlogProof { record: true, .. } => print_exactly(&receipt.record),
            Self::TlogProof { .. } => print_exactly(&receipt.tlog_proof()),
            Self::Cut { .. } | Self::List { .. } | Self::Erase { .. } => unreachable!("they have returned"),
        }
        Ok(Exit::Ok)
    }
}

fn describe(receipt: &Receipt, output: &Output) -> String {
    let mut text = format!(
        "{}\n  network      {}\n  log index    {}\n",
        output.paint(Tone::Strong, "What this receipt claims; `testamur verify` says whether it is true:"),
        receipt.network.origin,
        receipt.index,
    );
    match Record::parse(receipt.record.as_bytes()) {
        Ok(record) => {
            text += &format!("  record       {}\n  author       {}\n", record.id(), record.author());
            text += &format!("  signed at    {} by the author's clock\n", utc(record.payload().iat));
            text += &format!("  act          {}\n", describe_act(record.act()));
        }
        Err(error) => text += &format!("  record       unreadable: {error}\n"),
    }
    if let Some(opening) = &receipt.opening {
        let form = if opening.salt.is_some() { "salted commitment to" } else { "plain" };
        text += &format!("  document     {form} {} {}\n", opening.alg.name(), hex::encode(&opening.digest));
        text += &format!("  place        document {} of the record\n", opening.index + 1);
    }
    match Header::decode(receipt.header.as_bytes()) {
        Ok(header) => text += &format!("  block        {} of {}\n", header.height, utc(header.time)),
        Err(error) => text += &format!("  block        unreadable: {error}\n"),
    }
    let lines = Note::parse(receipt.note.as_bytes()).map_or(0, |note| note.signatures.len());
    text += &format!("  signatures   {lines} lines, {} validators\n", receipt.validators.validators().len());
    text += &format!("  anchors      {}\n", receipt.anchors.len());
    text
}

pub(crate) fn describe_act(act: &Act) -> String {
    let with = |reference: &Option<_>| reference.as_ref().map_or_else(String::new, |r| format!(", reference {r}"));
    match act {
        Act::Notarise { alg, entries, reference, .. } => {
            format!("notarise {} ({}){}", entries.len(), alg.name(), with(reference))
        }
        Act::NotariseBatch { count, reference, .. } => format!("notarise a batch of {count}{}", with(reference)),
        Act::OpenDossier { entries, .. } => format!("open a dossier of {}", entries.len()),
        Act::UpdateDossier { dossier, .. } => format!("change dossier {dossier}"),
        Act::InsertDid { .. } => "register the author's DID".into(),
        Act::UpdateDid { did, changes, .. } => format!("change {did} ({} changes)", changes.len()),
        Act::ReserveAttribute { subject, issuer_type, .. } => {
            format!("reserve an accreditation as {} for {subject}", issuer_type.ebsi_name())
        }
        Act::FillAttribute { attribute, .. } => format!("fill accreditation {attribute}"),
        Act::EndAccreditation { attribute, reason, .. } => format!("end accreditation {attribute} ({})", reason.name()),
        Act::PublishSchema { schema, .. } => format!("publish schema {schema}"),
        Act::PublishStatus { status, .. } => format!("publish status list {}, version {}", status.list, status.version),
        Act::Propose { .. } => "propose a change".into(),
        Act::Approve { .. } => "approve a change".into(),
        Act::Synced { validator, height, .. } => format!("validator {validator} has caught up with height {height}"),
    }
}

/// The bytes and nothing else: they are hashed or verified by what reads them.
pub(crate) fn print_exactly(text: &str) {
    // A closed pipe is no error; there is nobody to tell.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
}
