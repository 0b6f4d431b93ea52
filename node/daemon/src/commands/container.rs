//! Receipt containers, as `testamur receipt` handles them: shown, listed, cut from, erased in. Nothing is verified here.

use std::ffi::{OsStr, OsString};
use std::io::{BufWriter, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use testamur_client::bulk::container::Container;
use testamur_client::bulk::error::BulkError;
use testamur_client::bulk::format::{Links, Order, display_name, parse_name};
use testamur_client::receipt::write_receipt;
use testamur_primitives::commitment::Form;
use testamur_primitives::header::Header;
use testamur_primitives::record::Record;

use crate::bulk;
use crate::commands::receipt::{describe_act, print_exactly};
use crate::exit::{CommandError, Exit};
use crate::output::{Output, Tone, harmless, utc};

/// Documents of one name or digest that are listed when there are several.
const LISTED_MAX: usize = 10;

/// What is said of a document that is not in it, and where to look.
const NOT_THERE: (&str, &str) = (
    "holds no document of that name or digest",
    "names are paths below the folder, as `a/b.pdf`; `testamur receipt list` has them",
);

/// What is wrong with a container is a verdict; what is wrong with the machine is an error.
fn told<T>(
    result: Result<T, BulkError>,
    output: &Output,
    then: impl FnOnce(T) -> Result<Exit, CommandError>,
) -> Result<Exit, CommandError> {
    match result {
        Ok(value) => then(value),
        Err(error) => match bulk::verdict_of(&error) {
            Some(exit) => {
                output.error(&bulk::failed(&error));
                Ok(exit)
            }
            None => Err(bulk::failed(&error)),
        },
    }
}

/// Takes one receipt out of a container: the bytes that a gateway would have given for the document.
pub(crate) fn cut(
    path: &Path,
    document: Option<&OsStr>,
    index: Option<u64>,
    out: Option<&Path>,
    output: &Output,
) -> Result<Exit, CommandError> {
    let found = Container::open(path).and_then(|container| {
        let places = match (index, document) {
            (Some(index), _) => vec![index],
            (None, Some(document)) => places(&container, document.as_bytes(), LISTED_MAX)?,
            (None, None) => vec![],
        };
        let receipt = match places[..] {
            [index] => container.receipt(index)?,
            _ => None,
        };
        Ok((places, receipt))
    });
    told(found, output, |(places, receipt)| {
        let Some(receipt) = receipt else {
            let (what, hint) = match places[..] {
                [] => (NOT_THERE.0, NOT_THERE.1.to_owned()),
                [_] => ("holds no such document, or it was erased", String::new()),
                _ => {
                    let places: Vec<_> = places.iter().map(u64::to_string).collect();
                    let hint = format!("--index with one of {}", places.join(", "));
                    ("holds several documents of that name or digest", hint)
                }
            };
            return Err(CommandError::content(path, what, hint));
        };
        match out {
            None => print_exactly(core::str::from_utf8(&receipt).expect("a receipt is JSON")),
            Some(out) => {
                write_receipt(out, &receipt)
                    .map_err(|e| CommandError::failed("receipt.write", e, "name another file"))?;
                output.line(format!("{} {}", output.paint(Tone::Good, "WRITTEN"), out.display()));
            }
        }
        Ok(Exit::Ok)
    })
}

/// By name, as it is or as it is shown; else, if it could be one, by digest.
fn places(container: &Container, document: &[u8], most: usize) -> Result<Vec<u64>, BulkError> {
    let text = core::str::from_utf8(document).ok();
    let mut named = container.find_name(document, most)?;
    if let Some(shown) = text.and_then(parse_name).filter(|name| named.is_empty() && name != document) {
        named = container.find_name(&shown, most)?;
    }
    let digest = text.and_then(|text| hex::decode(text.trim()).ok());
    match digest {
        Some(digest) if named.is_empty() => container.find_digest_bytes(&digest, most),
        _ => Ok(named),
    }
}

/// What a container claims of itself.
pub(crate) fn show(path: &Path, output: &Output) -> Result<Exit, CommandError> {
    told(Container::open(path), output, |container| {
        let (settings, ledger) = (container.settings(), container.ledger());
        let value = serde_json::json!({
            "container": path.display().to_string(), "documents": container.count(), "root": container.root(),
            "settings": settings, "ledger": ledger,
        });
        output.result(&value, || {
            let mut text = format!(
                "{}\n",
                output.paint(Tone::Strong, "What this container claims; `testamur verify` says whether it is true:")
            );
            let mut row = |label: &str, value: String| text += &format!("  {label:<13}{}\n", harmless(&value));
            row("documents", container.count().to_string());
            let from = match settings.order {
                Order::Names => "a folder",
                Order::Given => "a list",
            };
            let form = match settings.form {
                Form::Commitment => "salted commitments to",
                Form::Digest => "plain",
            };
            row("of", format!("{from}: {form} {} digests", settings.alg.name()));
            if !settings.exclude.is_empty() {
                row("without", settings.exclude.join(", "));
            }
            if settings.links == Links::Follow {
                row("links", "followed".into());
            }
            row("network", ledger.network.origin.clone());
            row("log index", ledger.index.to_string());
            if let Ok(record) = Record::parse(ledger.record.as_bytes()) {
                row("record", record.id().to_string());
                row("author", record.author().to_string());
                row("act", describe_act(record.act()));
            }
            if let Ok(header) = Header::decode(ledger.header.as_bytes()) {
                row("block", format!("{} of {}", header.height, utc(header.time)));
            }
            text
        });
        Ok(Exit::Ok)
    })
}

/// All documents of a container, a line each, as they are read: millions of them need no memory.
pub(crate) fn list(path: &Path, output: &Output) -> Result<Exit, CommandError> {
    let listed = Container::open(path).and_then(|container| {
        let mut out = BufWriter::new(std::io::stdout().lock());
        container.for_each(|entry| {
            let (alg, digest) = entry.digest.map_or(("erased", String::new()), |(a, d)| (a.name(), hex::encode(d)));
            let name = display_name(entry.name);
            let written = if output.is_json() {
                let line = serde_json::json!({ "index": entry.index, "alg": alg, "digest": digest, "name": name });
                writeln!(out, "{line}")
            } else {
                writeln!(out, "{}\t{alg}:{digest}\t{}", entry.index, harmless(&name))
            };
            // A reader that closed the pipe has seen enough.
            written.is_ok()
        })?;
        let _ = out.flush();
        Ok(())
    });
    told(listed, output, |()| Ok(Exit::Ok))
}

/// Erases documents from a container.
pub(crate) fn erase(
    path: &Path,
    documents: &[OsString],
    indexes: &[u64],
    output: &Output,
) -> Result<Exit, CommandError> {
    let found = Container::open(path).and_then(|container| {
        let mut found = indexes.to_vec();
        for document in documents {
            let places = places(&container, document.as_bytes(), usize::MAX)?;
            if places.is_empty() {
                return Ok(Err(document.to_string_lossy().into_owned()));
            }
            found.extend(places);
        }
        if let Some(index) = indexes.iter().find(|index| **index >= container.count()) {
            return Ok(Err(index.to_string()));
        }
        container.erase(&found).map(Ok)
    });
    told(found, output, |erased| match erased {
        Err(document) => {
            let (what, hint) = NOT_THERE;
            Err(CommandError::content(path, format!("{what}: {document}; nothing was erased"), hint))
        }
        Ok(erased) => {
            let value = serde_json::json!({ "container": path.display().to_string(), "erased": erased });
            output.result(&value, || {
                format!(
                    "{} {erased} of the documents of {}\n  Receipts that were cut before, copies and backups still tell what they were.\n",
                    output.paint(Tone::Good, "ERASED"),
                    path.display(),
                )
            });
            Ok(Exit::Ok)
        }
    })
}
