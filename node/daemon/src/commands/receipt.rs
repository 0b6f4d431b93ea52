//! `testamur receipt`: what a receipt says of itself, unverified, and its form for transparency-log tools.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use testamur_client::bulk::container::Container;
use testamur_client::bulk::error::BulkError;
use testamur_client::receipt::write_receipt;
use testamur_primitives::header::Header;
use testamur_primitives::limits::RECEIPT_BYTES_MAX;
use testamur_primitives::note::Note;
use testamur_primitives::receipt::{Receipt, ReceiptError};
use testamur_primitives::record::{Act, Record};

use crate::bulk;
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::output::{Output, Tone, utc};

/// Subcommands of `receipt`.
#[derive(Debug, Subcommand)]
pub(crate) enum ReceiptCommand {
    /// Show what a receipt claims (`testamur verify` says whether it is true)
    Show {
        /// The receipt
        receipt: PathBuf,
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
                return cut(container, document.as_deref(), *index, out.as_deref(), output);
            }
        };
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
            Self::Cut { .. } => unreachable!("it has returned"),
        }
        Ok(Exit::Ok)
    }
}

/// Documents of one name or digest that are listed when there are several.
const LISTED_MAX: usize = 10;

/// Takes one receipt out of a container: the bytes that a gateway would have given for the document.
fn cut(
    path: &Path,
    document: Option<&OsStr>,
    index: Option<u64>,
    out: Option<&Path>,
    output: &Output,
) -> Result<Exit, CommandError> {
    let found = Container::open(path).and_then(|container| {
        let places = match (index, document) {
            (Some(index), _) => vec![index],
            (None, Some(document)) => places(&container, document.as_bytes())?,
            (None, None) => vec![],
        };
        let receipt = match places[..] {
            [index] => container.receipt(index)?,
            _ => None,
        };
        Ok((places, receipt))
    });
    let (places, receipt) = match found {
        Ok(found) => found,
        Err(error) => match bulk::verdict_of(&error) {
            Some(exit) => {
                output.error(&bulk::failed(&error));
                return Ok(exit);
            }
            None => return Err(bulk::failed(&error)),
        },
    };
    let Some(receipt) = receipt else {
        let (what, hint) = match places[..] {
            [] => (
                "holds no document of that name or digest",
                "names are paths below the folder, as `a/b.pdf`".to_owned(),
            ),
            [_] => ("holds no such document, or it was erased", String::new()),
            _ => {
                let places: Vec<_> = places.iter().map(u64::to_string).collect();
                ("holds several documents of that name or digest", format!("--index with one of {}", places.join(", ")))
            }
        };
        return Err(CommandError::content(path, what, hint));
    };
    match out {
        None => print_exactly(core::str::from_utf8(&receipt).expect("a receipt is JSON")),
        Some(out) => {
            write_receipt(out, &receipt).map_err(|e| CommandError::failed("receipt.write", e, "name another file"))?;
            output.line(format!("{} {}", output.paint(Tone::Good, "WRITTEN"), out.display()));
        }
    }
    Ok(Exit::Ok)
}

/// By name; else, if it could be one, by digest.
fn places(container: &Container, document: &[u8]) -> Result<Vec<u64>, BulkError> {
    let named = container.find_name(document, LISTED_MAX)?;
    let digest = core::str::from_utf8(document).ok().and_then(|text| hex::decode(text.trim()).ok());
    match digest {
        Some(digest) if named.is_empty() => container.find_digest_bytes(&digest, LISTED_MAX),
        _ => Ok(named),
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

fn describe_act(act: &Act) -> String {
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
fn print_exactly(text: &str) {
    // A closed pipe is no error; there is nobody to tell.
    let _ = std::io::Write::write_all(&mut std::io::stdout(), text.as_bytes());
}
