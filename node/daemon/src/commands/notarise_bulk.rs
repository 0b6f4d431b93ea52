//! `testamur notarise FOLDER` and `--hashes LIST`: all under one record, all receipts in one container.
//!
//! The container's file is the run's journal ([`testamur_client::bulk::writer`]): whatever ends the run, the same command
//! goes on with it. It gets its name only after a receipt from it was verified against the installed trust file
//! (INV-NOTARISE-1).

use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::time::Instant;

use clap::Args;
use serde::Serialize;
use testamur_client::batch::BatchError;
use testamur_client::bulk::anchor::{AnchorError, anchor, anchor_with_gateway};
use testamur_client::bulk::container::Container;
use testamur_client::bulk::error::BulkError;
use testamur_client::bulk::folder::{Folder, Progress};
use testamur_client::bulk::format::{Links, Order, Settings, display_name};
use testamur_client::bulk::list::List;
use testamur_client::bulk::threads;
use testamur_client::bulk::walk::{LeftOut, Omission};
use testamur_client::bulk::writer::{Stage, Writer};
use testamur_client::gateway::Gateway;
use testamur_client::notary::Notary;
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::receipt::{self, Facts, Receipt, Verdict};
use testamur_primitives::record::Reference;
use testamur_primitives::trust::TrustFile;
use tokio::runtime::Runtime;

use crate::bulk;
use crate::commands::verify::container_path_of;
use crate::exit::{CommandError, Exit};
use crate::output::{Output, Tone, now, utc};

/// Names that `--json` lists of what was left out; more are counted only.
const LISTED_MAX: usize = 1_000_000;

/// Where a list comes from that is piped in.
const STDIN: &str = "/dev/stdin";

/// Options for many documents.
#[derive(Debug, Args)]
#[command(next_help_heading = "A folder, or a list of digests")]
pub(crate) struct BulkOptions {
    /// Notarise a list of digests: CSV with the columns digest, and if wanted alg and name; or NDJSON with these members;
    /// `-` reads it from stdin
    #[arg(long, value_name = "LIST", conflicts_with = "resume")]
    hashes: Option<PathBuf>,
    /// Where the receipts go [default: FOLDER.receipts or LIST.receipts]
    #[arg(long, value_name = "FILE")]
    container: Option<PathBuf>,
    /// Leave out names like this, at any depth: `*.tmp`, `cache/`, `logs/**/*.log`; may be given several times
    #[arg(long, value_name = "PATTERN", conflicts_with = "hashes")]
    exclude: Vec<String>,
    /// Take what symbolic links lead to, in place of leaving them out
    #[arg(long, conflicts_with = "hashes")]
    follow_links: bool,
    /// Threads that hash [default: as many as this machine runs at once]
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
}

/// Where the documents come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Documents {
    /// A folder.
    Folder(PathBuf),
    /// A list of their digests.
    List(PathBuf),
}

/// Who signs for them.
#[derive(Clone, Copy)]
pub(crate) enum Signer<'a> {
    /// This process, with its own key.
    Key(&'a Notary),
    /// A gateway, with its key.
    Gateway(&'a Gateway, &'a TrustFile),
}

impl Signer<'_> {
    fn trust(&self) -> &TrustFile {
        match self {
            Self::Key(notary) => notary.trust(),
            Self::Gateway(_, trust) => trust,
        }
    }

    async fn anchor(&self, writer: &mut Writer, reference: Option<Reference>) -> Result<Facts, AnchorError> {
        match self {
            Self::Key(notary) => anchor(writer, notary, reference).await,
            Self::Gateway(gateway, trust) => anchor_with_gateway(writer, gateway, trust, reference).await,
        }
    }
}

/// What `--json` prints.
#[derive(Serialize)]
struct Done {
    container: String,
    documents: u64,
    left_out: u64,
    omissions: Vec<OmissionReport>,
    /// Seconds that each part took; a run that went on tells its own.
    took: Took,
    facts: Facts,
}

#[derive(Debug, Default, Serialize)]
struct Took {
    /// Documents read, hashed and written to the container.
    gathered_s: f64,
    /// The container read back from disk and its root computed anew.
    read_back_s: f64,
    /// Its record signed, sent, final, its receipt verified.
    anchored_s: f64,
}

#[derive(Serialize)]
struct OmissionReport {
    name: String,
    code: &'static str,
}

/// What was left out while documents were gathered.
#[derive(Default)]
struct Tally {
    count: u64,
    /// Files that should have been taken: unreadable, changing, too long or too deep.
    failed: u64,
    listed: Vec<OmissionReport>,
}

impl BulkOptions {
    /// What is to be notarised at once; `None` when single files are given.
    pub(crate) fn documents(&self, files: &[PathBuf]) -> Result<Option<Documents>, CommandError> {
        let usage = |what: &str| Err(CommandError::Usage(what.into()));
        match (&self.hashes, files) {
            (Some(list), []) if list.as_os_str() == "-" => match self.container {
                None => usage("a list from stdin has no name: say with --container where the receipts go"),
                Some(_) => Ok(Some(Documents::List(STDIN.into()))),
            },
            (Some(list), []) if list.is_dir() => {
                usage("--hashes is for a list in a file: a folder is given without it")
            }
            (Some(list), []) => Ok(Some(Documents::List(list.clone()))),
            (Some(_), _) => usage("give files, a folder, or --hashes: not several of them"),
            (None, [folder]) if folder.is_dir() => Ok(Some(Documents::Folder(folder.clone()))),
            (None, files) if files.iter().any(|file| file.is_dir()) => {
                usage("give one folder at a time, and no files beside it: each folder has a container of its own")
            }
            (None, _) if self.container.is_some() || !self.exclude.is_empty() || self.follow_links => {
                usage("--container, --exclude and --follow-links are for a folder or a list")
            }
            (None, _) => Ok(None),
        }
    }

    /// Notarises them under one record. Servers were asked in `runtime` before, and connections stay in theirs.
    pub(crate) fn notarise(
        &self,
        documents: &Documents,
        (runtime, signer): (&Runtime, Signer<'_>),
        (alg, form): (DigestAlgorithm, Form),
        reference: Option<Reference>,
        output: &Output,
    ) -> Result<Exit, CommandError> {
        let path = self.container.clone().unwrap_or_else(|| match documents {
            Documents::Folder(folder) => container_path_of(folder),
            Documents::List(list) => container_path_of(list),
        });
        let order = match documents {
            Documents::Folder(_) => Order::Names,
            Documents::List(_) => Order::Given,
        };
        let links = if self.follow_links { Links::Follow } else { Links::Skip };
        let settings = Settings { alg, exclude: self.exclude.clone(), form, links, order, v: 1 };
        let mut writer = Writer::open(&path, &settings).map_err(|e| bulk::failed(&e))?;
        let (mut tally, mut took, mut began) = (Tally::default(), Took::default(), Instant::now());
        let mut lap = |part: &mut f64| {
            *part = began.elapsed().as_secs_f64();
            began = Instant::now();
        };
        match writer.stage() {
            Stage::Collecting => {
                if writer.count() > 0 && order == Order::Names {
                    output.note(format!("going on behind {} documents that were hashed before", writer.count()));
                }
                match self.gather(documents, &mut writer, &mut tally, output).and_then(|()| writer.seal()) {
                    Ok(()) => lap(&mut took.gathered_s),
                    Err(error) => return Err(gave_up(error, writer, output)),
                }
            }
            Stage::Sealed | Stage::Signed(_) | Stage::Final => {
                let count = writer.count();
                output
                    .note(format!("going on with {count} documents as they were gathered before; none is read again"));
            }
        }
        if let Stage::Sealed = writer.stage() {
            writer.read_back(self.threads.map_or_else(threads, usize::from)).map_err(|e| bulk::failed(&e))?;
            lap(&mut took.read_back_s);
        }
        if !matches!(writer.stage(), Stage::Final) {
            let anchored = runtime.block_on(signer.anchor(&mut writer, reference));
            anchored.map_err(|error| not_anchored(&error))?;
        }
        let (count, facts) = confirm(writer.partial(), signer.trust())?;
        let path = writer.finish().map_err(|e| bulk::failed(&e))?;
        lap(&mut took.anchored_s);
        let Tally { count: left_out, failed, listed } = tally;
        let container = path.display().to_string();
        let done = Done { container, documents: count, left_out, omissions: listed, took, facts };
        output.result(&done, || describe(&done, output));
        Ok(if failed > 0 { Exit::Operational } else { Exit::Ok })
    }

    fn gather(
        &self,
        documents: &Documents,
        writer: &mut Writer,
        tally: &mut Tally,
        output: &Output,
    ) -> Result<(), BulkError> {
        let progress = Progress::default();
        let threads = self.threads.map_or_else(threads, usize::from);
        let ended = bulk::shown(output, "hashed", &progress, || match documents {
            Documents::Folder(root) => {
                let folder = Folder { root: root.clone(), threads };
                folder.add_to(writer, &progress, |omission| tally.add(omission, output))
            }
            Documents::List(path) => List { path: path.clone(), threads }.add_to(writer, &progress),
        });
        ended.map(|_| debug_assert!(progress.walked.load(Ordering::Relaxed)))
    }
}

impl Tally {
    fn add(&mut self, omission: Omission, output: &Output) {
        self.count += 1;
        let Omission { name, why } = &omission;
        if matches!(why, LeftOut::Unreadable(_) | LeftOut::Changing | LeftOut::NameLength | LeftOut::Depth) {
            self.failed += 1;
        }
        output.note(format!("left out: {omission}"));
        if output.is_json() && self.listed.len() < LISTED_MAX {
            self.listed.push(OmissionReport { name: display_name(name), code: why.code() });
        }
    }
}

/// What is to be told when documents could not be gathered. A folder's run is kept, to go on with; what holds nothing, or a
/// list that has to be mended, leaves no file.
fn gave_up(error: BulkError, writer: Writer, output: &Output) -> CommandError {
    if let BulkError::Rows(faults) = &error {
        faults.iter().for_each(|fault| output.note(fault));
    }
    let mended = matches!(error, BulkError::Rows(_) | BulkError::Batch(BatchError::Empty));
    if mended || writer.count() == 0 {
        // A leftover without a document does no harm; the next run begins with it.
        let _ = writer.discard();
    }
    bulk::failed(&error)
}

fn not_anchored(error: &AnchorError) -> CommandError {
    let hint = match error {
        AnchorError::Bulk(error) => return bulk::failed(error),
        AnchorError::Author(_) => "nothing was notarised; run the same command again: no document is read again",
        error if error.may_have_taken_effect() => {
            "run the same command again: it asks for the receipt of the same record, and notarises nothing twice"
        }
        _ => {
            "nothing was notarised; check --node or --gateway, then run the same command again: no document is read again"
        }
    };
    CommandError::failed(error.code(), error, hint)
}

/// INV-NOTARISE-1: a container whose receipts are not confirmed gets no name.
fn confirm(partial: &Path, trust: &TrustFile) -> Result<(u64, Facts), CommandError> {
    let refuse = |reason: String| {
        let what = format!("{}: the receipt that was given is refused: {reason}", partial.display());
        CommandError::failed(
            "notarise.receipt",
            what,
            "do not use this node or gateway before its operator has explained",
        )
    };
    let container = Container::open(partial).map_err(|e| bulk::failed(&e))?;
    let mut confirmed = None;
    for index in [0, container.count() - 1] {
        let bytes = container.receipt(index).map_err(|e| bulk::failed(&e))?;
        let bytes = bytes.ok_or_else(|| refuse("it shows no document".into()))?;
        let receipt = Receipt::decode(&bytes).map_err(|e| refuse(e.to_string()))?;
        match receipt::verify(&receipt, None, trust, now()?) {
            Verdict::Confirmed(facts) => confirmed = Some(facts),
            Verdict::OutOfOffice(_) => return Err(refuse("its witnesses' keys are no longer in office".into())),
            Verdict::NotValid(error) | Verdict::CannotTell(error) => return Err(refuse(error.to_string())),
        }
    }
    let facts = confirmed.expect("a container holds a document");
    Ok((container.count(), facts))
}

fn describe(done: &Done, output: &Output) -> String {
    let Done { container, documents, left_out, facts, .. } = done;
    let left_out = if *left_out > 0 { format!(", {left_out} left out (named above)") } else { String::new() };
    format!(
        "{} {documents} documents{left_out} on {}, block {}, {} of {} validators\n  receipts  {container}\n",
        output.paint(Tone::Good, "NOTARISED"),
        utc(facts.time),
        facts.height,
        facts.witnesses.len(),
        facts.validators,
    )
}
