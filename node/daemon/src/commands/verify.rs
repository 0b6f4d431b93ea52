//! `testamur verify`: offline; the verdict first, then who, when, which block, who witnessed, under which trust file.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use clap::Args;
use serde::Serialize;
use testamur_client::bulk::container::{Container, is_container};
use testamur_client::bulk::error::BulkError;
use testamur_client::bulk::format::{Order, display_name};
use testamur_client::bulk::threads;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};
use testamur_primitives::did::Did;
use testamur_primitives::receipt::{self, Facts, Receipt, ReceiptError, Verdict};
use testamur_primitives::units::UnixTime;

use crate::bulk;
use crate::commands::{receipt as receipt_file, verify_folder};
use crate::document;
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::networks::{self, Installed};
use crate::output::{Output, Tone, harmless, now, parse_time, rfc3339, utc};

/// Bytes of a saved error message that are looked into.
const PROBLEM_BYTES_MAX: usize = 1024 * 1024;

/// Arguments of `verify`.
#[derive(Debug, Args)]
#[command(after_help = "\
The receipt is checked against the installed trust file of its network (`testamur network list`) or the one given \
with --trust. No server is asked.

In place of its receipt a document may be held against the container of a folder or list that it was notarised with.
Of a folder, what changed, is missing or was added is named, and each document's own receipt is cut from the container \
with `testamur receipt cut`.

Exit codes: 0 confirmed, 3 not valid (changed, missing), 4 cannot tell (added), 5 witnessed by keys no longer in office, 1 a file cannot be read.")]
pub(crate) struct Verify {
    /// The document, or a folder
    #[arg(required_unless_present = "receipt_only")]
    file: Option<PathBuf>,
    /// Its receipt [default: FILE.receipt.json] or a container; a folder's container [default: FOLDER.receipts]
    receipt: Option<PathBuf>,
    /// Check a receipt, or a whole container, without documents
    #[arg(long, value_name = "RECEIPT", conflicts_with_all = ["file", "receipt"])]
    receipt_only: Option<PathBuf>,
    /// Trust this file in place of the installed networks
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Judge as of this time: 2027-01-31T12:00:00Z, a date, or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<UnixTime>,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Report<'a> {
    verdict: &'static str,
    exit_code: u8,
    receipt: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<&'a DocumentReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    facts: Option<&'a Facts>,
    #[serde(skip_serializing_if = "Option::is_none")]
    author_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trust: Option<TrustReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorReport>,
}

#[derive(Serialize)]
struct DocumentReport {
    path: String,
    alg: &'static str,
    digest: String,
    /// Place and name that a container has it under.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
}

#[derive(Serialize)]
struct TrustReport {
    path: String,
    fingerprint: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pinned_height: Option<u64>,
}

#[derive(Serialize)]
struct ErrorReport {
    code: &'static str,
    message: String,
}

/// A verdict and all that it rests on.
pub(crate) struct Judged {
    verdict: Verdict,
    receipt_path: PathBuf,
    document: Option<DocumentReport>,
    trust: Option<Installed>,
    /// What seems to have gone wrong where the receipt is none at all.
    hint: Option<String>,
}

impl Verify {
    /// Verifies, prints, and turns the verdict into an exit code.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let at = match self.at {
            Some(at) => at,
            None => now()?,
        };
        let (file, receipt) = match (&self.file, self.receipt, self.receipt_only) {
            (_, _, Some(receipt)) => (None, receipt),
            (Some(file), Some(receipt), None) => (Some(file.as_path()), receipt),
            (Some(file), None, None) if file.is_dir() => (Some(file.as_path()), container_path_of(file)),
            (Some(file), None, None) => (Some(file.as_path()), receipt_path_of(file)),
            (None, _, None) => unreachable!("clap requires FILE or --receipt-only"),
        };
        if let Some(folder) = file.filter(|file| file.is_dir()) {
            return verify_folder::verify(folder, &receipt, self.trust.as_deref(), at, output);
        }
        let judged = if is_container(&receipt) {
            match judge_container(file, receipt, self.trust.as_deref(), at) {
                Ok(judged) => judged?,
                Err(error) => {
                    let exit = bulk::verdict_of(&error).ok_or_else(|| bulk::failed(&error))?;
                    output.error(&bulk::failed(&error));
                    return Ok(exit);
                }
            }
        } else {
            judge(file, receipt, self.trust.as_deref(), at)?
        };
        judged.print(output, at);
        Ok(judged.exit())
    }
}

/// Where the receipt of a document lies unless somebody says otherwise: `FILE.receipt.json`.
pub(crate) fn receipt_path_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".receipt.json");
    PathBuf::from(name)
}

/// Where the receipt container of a folder lies unless somebody says otherwise: beside it, `FOLDER.receipts`.
pub(crate) fn container_path_of(folder: &Path) -> PathBuf {
    // `archive/` and `.` have names only once they are whole.
    let whole = std::fs::canonicalize(folder).unwrap_or_else(|_| folder.to_owned());
    let mut name = whole.into_os_string();
    name.push(".receipts");
    PathBuf::from(name)
}

/// Verifies a receipt file, with or without its document.
fn judge(
    file: Option<&Path>,
    receipt_path: PathBuf,
    trust: Option<&Path>,
    at: UnixTime,
) -> Result<Judged, CommandError> {
    let given = trust.map(networks::read).transpose()?;
    let receipt = match receipt_file::read(&receipt_path)? {
        Ok(receipt) => receipt,
        Err(error) => {
            let hint = mistake(file, &receipt_path);
            let verdict = if error.is_cannot_tell() { Verdict::CannotTell(error) } else { Verdict::NotValid(error) };
            return Ok(Judged { verdict, receipt_path, document: None, trust: given, hint });
        }
    };
    judge_receipt(file, &receipt, receipt_path, given, at)
}

/// As [`judge`], of a receipt that is in memory.
fn judge_receipt(
    file: Option<&Path>,
    receipt: &Receipt,
    receipt_path: PathBuf,
    given: Option<Installed>,
    at: UnixTime,
) -> Result<Judged, CommandError> {
    // A receipt that compares with no document (a batch without opening, no notarisation) is told so by `verify`, which
    // then looks at the kind of record before the digest; so any algorithm will do for it.
    let algorithm = receipt.digest_algorithm().unwrap_or(DigestAlgorithm::Sha2_256);
    let digest = file.map(|file| document::digest_file(file, algorithm)).transpose()?;
    let trust = match given {
        Some(given) => Some(given),
        None => networks::find(receipt.network.genesis)?,
    };
    let verdict = match &trust {
        None => Verdict::CannotTell(ReceiptError::UnknownNetwork(receipt.network.genesis)),
        Some(installed) => receipt::verify(receipt, digest.as_ref(), &installed.trust, at),
    };
    let document = file.zip(digest).map(|(path, digest)| DocumentReport::new(path, &digest));
    Ok(Judged { verdict, receipt_path, document, trust, hint: None })
}

/// Verifies a document by the receipt that a container has for it; without a document, the whole container.
///
/// The outer error is the container's.
fn judge_container(
    file: Option<&Path>,
    path: PathBuf,
    trust: Option<&Path>,
    at: UnixTime,
) -> Result<Result<Judged, CommandError>, BulkError> {
    let given = match trust.map(networks::read).transpose() {
        Ok(given) => given,
        Err(error) => return Ok(Err(error)),
    };
    let container = Container::open(&path)?;
    let Some(file) = file else {
        container.check(threads())?;
        return Ok(judge_receipt(None, container.ledger(), path, given, at));
    };
    let (digest, sought) = match seek(file, &container)? {
        Ok(found) => found,
        Err(error) => return Ok(Err(error)),
    };
    let hint = match &sought {
        Sought::At(index) => {
            if let Some(bytes) = container.receipt(*index)? {
                let receipt = Receipt::decode(&bytes).expect("a container gives receipts");
                let name = container.name(*index)?;
                return Ok(judge_receipt(Some(file), &receipt, path, given, at).map(|mut judged| {
                    if let Some(document) = &mut judged.document {
                        (document.index, document.name) = (Some(*index), Some(display_name(&name)));
                    }
                    judged
                }));
            }
            None
        }
        Sought::Other(name) => Some(format!("The container has {} with other content.", display_name(name))),
        Sought::Nowhere => Some("No document of the container has this content.".into()),
        Sought::Erased => Some("Documents were erased from the container: this may have been one of them.".into()),
    };
    let verdict = match sought {
        Sought::Erased => Verdict::CannotTell(ReceiptError::OpeningMissing),
        _ => Verdict::NotValid(ReceiptError::Document("digest")),
    };
    let document = Some(DocumentReport::new(file, &digest));
    Ok(Ok(Judged { verdict, receipt_path: path, document, trust: given, hint }))
}

/// Where a document is in a container.
enum Sought {
    /// At this place.
    At(u64),
    /// Under this name there is another one.
    Other(Vec<u8>),
    /// Not at all.
    Nowhere,
    /// Not any more, or not at all: some were erased.
    Erased,
}

/// Looks for a document: in a folder's container first by the ends of its path, which takes no time, then by its content.
fn seek(file: &Path, container: &Container) -> Result<Result<(DocumentDigest, Sought), CommandError>, BulkError> {
    let settings = container.settings();
    let digest = match document::digest_file(file, settings.alg) {
        Ok(digest) => digest,
        Err(error) => return Ok(Err(error)),
    };
    let mut other = None;
    if settings.order == Order::Names {
        let whole = std::fs::canonicalize(file).unwrap_or_else(|_| file.to_owned());
        let path = whole.as_os_str().as_bytes();
        for at in (0..path.len()).filter(|at| path[*at] == b'/') {
            let name = &path[at + 1..];
            let Some(index) = container.find_name(name, 1)?.first().copied() else { continue };
            if container.is_at(index, &digest)? {
                return Ok(Ok((digest, Sought::At(index))));
            }
            other.get_or_insert_with(|| name.to_vec());
        }
    }
    if let Some(index) = container.find_digest(&digest, 1)?.first() {
        return Ok(Ok((digest, Sought::At(*index))));
    }
    // A list names an algorithm for each document.
    if settings.order == Order::Given {
        for algorithm in DigestAlgorithm::ALL.into_iter().filter(|algorithm| *algorithm != settings.alg) {
            let digest = match document::digest_file(file, algorithm) {
                Ok(digest) => digest,
                Err(error) => return Ok(Err(error)),
            };
            if let Some(index) = container.find_digest(&digest, 1)?.first() {
                return Ok(Ok((digest, Sought::At(*index))));
            }
        }
    }
    let sought = match other {
        Some(name) => Sought::Other(name),
        None if container.has_erased()? => Sought::Erased,
        None => Sought::Nowhere,
    };
    Ok(Ok((digest, sought)))
}

impl DocumentReport {
    fn new(path: &Path, digest: &DocumentDigest) -> Self {
        Self {
            path: path.display().to_string(),
            alg: digest.algorithm().name(),
            digest: hex::encode(digest.as_bytes()),
            index: None,
            name: None,
        }
    }
}

/// The two mistakes that are made most: files swapped, and an error message saved as the receipt.
fn mistake(file: Option<&Path>, receipt: &Path) -> Option<String> {
    if file.is_some_and(|file| matches!(receipt_file::read(file), Ok(Ok(_)))) {
        return Some("The two files look swapped: the document comes first.".into());
    }
    let bytes = files::read_at_most(receipt, PROBLEM_BYTES_MAX).ok()?;
    let problem: serde_json::Value = serde_json::from_slice(&bytes).ok()?;
    let (title, detail) = (problem.get("title")?.as_str()?, problem.get("detail")?.as_str()?);
    Some(format!("This is no receipt but the error that a server answered: {title}: {detail}"))
}

impl Judged {
    /// The exit code of the verdict.
    fn exit(&self) -> Exit {
        match self.verdict {
            Verdict::Confirmed(_) => Exit::Ok,
            Verdict::OutOfOffice(_) => Exit::OutOfOffice,
            Verdict::NotValid(_) => Exit::NotValid,
            Verdict::CannotTell(_) => Exit::CannotTell,
        }
    }

    fn print(&self, output: &Output, at: UnixTime) {
        let (name, facts, error) = match &self.verdict {
            Verdict::Confirmed(facts) => ("confirmed", Some(facts), None),
            Verdict::OutOfOffice(facts) => ("out-of-office", Some(facts), None),
            Verdict::NotValid(error) => ("not-valid", None, Some(error)),
            Verdict::CannotTell(error) => ("cannot-tell", None, Some(error)),
        };
        let report = Report {
            verdict: name,
            exit_code: self.exit() as u8,
            receipt: self.receipt_path.display().to_string(),
            document: self.document.as_ref(),
            facts,
            author_name: facts.and_then(|f| self.author_name(&f.author)),
            time: facts.map(|f| rfc3339(f.time)),
            trust: self.trust.as_ref().map(|installed| TrustReport {
                path: installed.path.display().to_string(),
                fingerprint: installed.trust.fingerprint(),
                pinned_height: installed.trust.pinned().map(|(header, _)| header.height.0),
            }),
            error: error.map(|e| ErrorReport { code: e.code(), message: e.to_string() }),
        };
        output.result(&report, || self.text(output, at));
    }

    fn text(&self, output: &Output, at: UnixTime) -> String {
        let subject = self.document.as_ref().map_or_else(|| "the record".to_owned(), |d| d.path.clone());
        match &self.verdict {
            Verdict::Confirmed(facts) => {
                let verdict = output.paint(Tone::Good, "CONFIRMED");
                let (subject, anchored) = (output.paint(Tone::Strong, &subject), anchored(facts));
                let what = if facts.document_checked { "was notarised" } else { "entered the ledger" };
                format!("{verdict}: {subject} {what} on {}{anchored}.\n\n{}", utc(facts.time), self.details(facts))
            }
            Verdict::OutOfOffice(facts) => {
                let verdict = output.paint(Tone::Warning, "WITNESSED BY KEYS NO LONGER IN OFFICE");
                format!(
                    "{verdict}: refresh this receipt before you rely on it.\n\n\
                     The signatures verify, but {}:\n\
                     whoever got hold of those keys since could have made this receipt. A node of the network can tell, and\n\
                     puts a genuine one under a newer checkpoint:\n\n  testamur refresh {}\n\n{}",
                    self.ended(facts, at),
                    harmless(&self.receipt_path.display().to_string()),
                    self.details(facts),
                )
            }
            Verdict::NotValid(error) => {
                let verdict = output.paint(Tone::Bad, "NOT VALID");
                let hint = self.hint.as_ref().map_or_else(String::new, |hint| format!("\n  {hint}"));
                format!("{verdict}: {error} ({}).{hint}\n{}", error.code(), self.against())
            }
            Verdict::CannotTell(error) => {
                let verdict = output.paint(Tone::Warning, "CANNOT TELL");
                let hint = self.hint.as_ref().map_or_else(String::new, |hint| format!("\n  {hint}"));
                format!("{verdict}: {error} ({}).{hint}\n{}", error.code(), self.against())
            }
        }
    }

    /// Why the witnesses are out of office.
    fn ended(&self, facts: &Facts, at: UnixTime) -> String {
        if facts.in_office_until < at {
            return format!("the witnesses' keys were in office only until {}", utc(facts.in_office_until));
        }
        let pinned = self.trust.as_ref().and_then(|installed| installed.trust.pinned());
        let since = pinned.map_or_else(String::new, |(header, _)| format!(" (block {})", header.height));
        format!("other validators are in office by the trust file's checkpoint{since}")
    }

    fn details(&self, facts: &Facts) -> String {
        let mut text = String::new();
        let mut row = |label: &str, value: &str| text += &format!("  {label:<13}{value}\n");
        match &self.document {
            Some(document) => row("document", &format!("{} {}", document.alg, document.digest)),
            None => row("document", "none was compared (--receipt-only)"),
        }
        if let Some(DocumentReport { index: Some(index), name: Some(name), .. }) = &self.document {
            row("", &format!("{} (document {} of the container)", harmless(name), index + 1));
        }
        row("author", &self.author_name(&facts.author).unwrap_or_else(|| facts.author.to_string()));
        if self.author_name(&facts.author).is_some() {
            row("", facts.author.as_str());
        }
        if let Some(reference) = &facts.reference {
            row("reference", &format!("{reference} (the author's own)"));
        }
        row("when", &format!("{} (block time)", utc(facts.time)));
        row("block", &format!("{}, log index {} of {} records", facts.height, facts.index, facts.log_size));
        row("record", &facts.record.to_string());
        let quorum = testamur_primitives::epoch::quorum(facts.validators);
        row("witnesses", &format!("{} of {} validators, {quorum} are needed", facts.witnesses.len(), facts.validators));
        for witness in &facts.witnesses {
            row("", &format!("{}: {} ({})", witness.name, witness.operator, witness.country));
        }
        row("in office", &format!("until {}", utc(facts.in_office_until)));
        row("network", &facts.origin);
        if let Some(Installed { path, trust }) = &self.trust {
            row("trust file", &path.display().to_string());
            row("", &format!("sha256 {}", trust.fingerprint()));
            let pinned = trust.pinned().map_or_else(
                || "pins genesis only".to_owned(),
                |(header, _)| format!("pins block {} of {}", header.height, utc(header.time)),
            );
            row("", &pinned);
        }
        text
    }

    fn against(&self) -> String {
        match &self.trust {
            Some(Installed { path, trust }) => {
                format!(
                    "\n  checked against {} ({})\n  sha256 {}\n",
                    path.display(),
                    trust.origin(),
                    trust.fingerprint()
                )
            }
            None => String::new(),
        }
    }

    /// The legal name that the trusted genesis or validator set has for a DID.
    fn author_name(&self, author: &Did) -> Option<String> {
        let trust = &self.trust.as_ref()?.trust;
        let operator = trust.genesis().operators.iter().find(|o| o.did == *author);
        if let Some(operator) = operator {
            return Some(format!("{} ({})", operator.name, operator.country));
        }
        let epoch = trust.pinned().map_or_else(|| trust.genesis_epoch(), |(_, epoch)| epoch.clone());
        let validator = epoch.validators.validators().iter().find(|v| v.did == *author)?;
        Some(format!("{} ({})", validator.operator, validator.country))
    }
}

fn anchored(facts: &Facts) -> String {
    facts.anchored_at.map_or_else(String::new, |height| format!(", and is proven under the later block {height}"))
}
