//! `testamur notarise`: documents in, verified receipts out, through a gateway or with one's own key.
//!
//! Documents are hashed here and never leave this machine. A receipt is written only after it was verified against the
//! installed trust file (INV-NOTARISE-1); where the outcome is not known in time, what is needed to ask again is kept
//! beside the first document.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use serde::{Deserialize, Serialize};
use testamur_client::author::Author;
use testamur_client::batch::Documents;
use testamur_client::error::ClientError;
use testamur_client::gateway::{Gateway, GatewayError};
use testamur_client::limits::FINAL_TIMEOUT;
use testamur_client::node::Connections;
use testamur_client::nodes::{FinaliseError, Nodes};
use testamur_client::notary::{Notary, NotaryError, Pending};
use testamur_client::receipt::{receipt_path, write_receipt};
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest, Form};
use testamur_primitives::receipt::{self, Facts, Receipt, Verdict};
use testamur_primitives::record::Reference;
use testamur_primitives::trust::TrustFile;

use crate::commands::notarise_bulk::{BulkOptions, Signer};
use crate::document::digest_file;
use crate::exit::{CommandError, Exit};
use crate::keystore::{Access, Key, KeyKind, PassphraseOptions};
use crate::networks::Installed;
use crate::output::{Output, Tone, now, utc};
use crate::profile::{Profile, read_token};
use crate::{files, networks, service};

/// Arguments of `notarise`.
#[derive(Debug, Args)]
#[command(after_help = "\
Without options the gateway of the development network is used (`testamur dev`). Documents are hashed here and never \
leave this machine. Several documents share one record, and each gets a receipt of its own: FILE.receipt.json.

A folder, or a list of digests, is notarised under one record; its receipts are in one container, \
FOLDER.receipts, from which `testamur receipt cut` takes any one, and with which `testamur verify FOLDER` says what changed. \
A run that was ended goes on when it is started again. It ends with 1 when files were left out that could not be read.")]
pub(crate) struct Notarise {
    /// The documents, or one folder
    #[arg(required_unless_present_any = ["resume", "hashes"], value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Address of a gateway
    #[arg(long, value_name = "URL", requires = "token_file", conflicts_with_all = ["node", "key"])]
    gateway: Option<String>,
    /// File with a token for the gateway
    #[arg(long, value_name = "FILE", requires = "gateway")]
    token_file: Option<PathBuf>,
    /// Address of a node, in place of a gateway; may be given several times
    #[arg(long, value_name = "URL", requires = "key")]
    node: Vec<String>,
    /// The author's key
    #[arg(long, value_name = "FILE", requires = "node")]
    key: Option<PathBuf>,
    /// Accept an unencrypted key: for development networks
    #[arg(long, requires = "key")]
    insecure_dev: bool,
    #[command(flatten)]
    passphrase: PassphraseOptions,
    /// Write plain digests, which anybody can find by hash and guess, in place of salted commitments
    #[arg(long)]
    public: bool,
    /// Digest algorithm
    #[arg(long, value_name = "NAME", default_value = "sha2-256", value_parser = algorithm)]
    alg: DigestAlgorithm,
    /// Your own reference on the record, never a person's name; with --node, or for a folder or a list
    #[arg(long = "ref", value_name = "REFERENCE")]
    reference: Option<Reference>,
    /// Trust this file in place of the installed networks
    #[arg(long, value_name = "FILE")]
    trust: Option<PathBuf>,
    /// Ask again for receipts whose record was not seen final in time
    #[arg(long, value_name = "FILE.pending.json", conflicts_with = "files")]
    resume: Option<PathBuf>,
    #[command(flatten)]
    bulk: BulkOptions,
}

fn algorithm(name: &str) -> Result<DigestAlgorithm, String> {
    DigestAlgorithm::from_name(name).ok_or_else(|| {
        let names: Vec<_> = DigestAlgorithm::ALL.iter().map(|a| a.name()).collect();
        format!("expected one of {}", names.join(", "))
    })
}

/// What is kept when the outcome is unknown.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct PendingFile {
    v: u8,
    r#type: String,
    files: Vec<PathBuf>,
    pending: Pending,
}

/// Bytes of a pending file: 10,000 openings of about 1.3 KB.
const PENDING_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One notarised document.
#[derive(Serialize)]
struct Done {
    file: String,
    receipt: String,
    facts: Facts,
}

/// Where receipts come from.
enum Source {
    Gateway(Box<Gateway>),
    Nodes(Box<Notary>),
}

/// Why there are no receipts.
enum NotDone {
    /// Nothing was notarised, or nothing can be asked again.
    Failed(CommandError),
    /// The record may have been taken.
    Pending { reason: String, pending: Box<Pending> },
}

impl Notarise {
    /// Notarises.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let Some(documents) = self.bulk.documents(&self.files)? else {
            if self.reference.is_some() && self.key.is_none() {
                let what = "--ref goes with --node and --key, or with a folder or a list: single files share a gateway's record";
                return Err(CommandError::Usage(what.into()));
            }
            return service::runtime()?.block_on(self.notarise(output));
        };
        // Before hours of hashing: does the key open, or the gateway answer; is the network known?
        let runtime = service::runtime()?;
        let (source, trust) = runtime.block_on(self.source())?;
        let signer = match &source {
            Source::Nodes(notary) => Signer::Key(notary),
            Source::Gateway(gateway) => Signer::Gateway(gateway, &trust),
        };
        let form = if self.public { Form::Digest } else { Form::Commitment };
        self.bulk.notarise(&documents, (&runtime, signer), (self.alg, form), self.reference.clone(), output)
    }

    async fn notarise(self, output: &Output) -> Result<Exit, CommandError> {
        let resumed = self.resume.as_deref().map(read_pending).transpose()?;
        let documents = resumed.as_ref().map_or(self.files.as_slice(), |pending| &pending.files);
        for file in documents {
            let path = receipt_path(file);
            if path.exists() {
                return Err(CommandError::content(
                    &path,
                    format!("is there already: {} was notarised before, and nothing is overwritten", file.display()),
                    "verify it with `testamur verify`, or move it away to notarise again",
                ));
            }
        }
        let (source, trust) = self.source().await?;
        let obtained = match &resumed {
            Some(PendingFile { pending, .. }) => {
                let digests = pending.openings.iter().map(|o| o.leaf().map(|leaf| leaf.digest)).collect::<Option<_>>();
                let digests: Vec<_> = digests.ok_or_else(|| {
                    CommandError::failed("notarise.pending", "the pending file holds a malformed opening", "")
                })?;
                (source.resume(pending).await, digests)
            }
            None => {
                let digests = self.digests().await?;
                let form = if self.public { Form::Digest } else { Form::Commitment };
                (source.obtain(digests.clone(), form, self.reference.clone()).await, digests)
            }
        };
        let receipts = match obtained.0 {
            Ok(receipts) => receipts,
            Err(NotDone::Failed(error)) => return Err(error),
            Err(NotDone::Pending { reason, pending }) => {
                return Err(keep_pending(documents, *pending, &reason, self.resume.as_deref()));
            }
        };
        let mut done = Vec::new();
        for ((file, digest), bytes) in documents.iter().zip(&obtained.1).zip(&receipts) {
            done.push(write_verified(file, digest, bytes, &trust)?);
        }
        if let Some(path) = &self.resume {
            // Its receipts are written: it is of no more use, and a leftover is only asked for in vain.
            let _ = std::fs::remove_file(path);
        }
        output.result(&done, || done.iter().map(|d| describe(d, output)).collect());
        Ok(Exit::Ok)
    }

    /// Digests all documents; hashing blocks, so it has a thread of its own.
    async fn digests(&self) -> Result<Vec<DocumentDigest>, CommandError> {
        let (files, algorithm) = (self.files.clone(), self.alg);
        let hashing = move || files.iter().map(|file| digest_file(file, algorithm)).collect();
        tokio::task::spawn_blocking(hashing)
            .await
            .map_err(|e| CommandError::failed("notarise.hash", format!("hashing ended early: {e}"), ""))?
    }

    async fn source(&self) -> Result<(Source, Arc<TrustFile>), CommandError> {
        let given = self.trust.as_deref().map(networks::read).transpose()?;
        if let Some(key) = &self.key {
            let unreachable = |e: ClientError| CommandError::failed(e.code(), &e, "check --node");
            let nodes = Nodes::new(&self.node, &Connections::default()).map_err(unreachable)?;
            let trust = match given {
                Some(Installed { trust, .. }) => trust,
                None => networks::require(nodes.network().await.map_err(unreachable)?.genesis)?.trust,
            };
            let access = Access { passphrase: self.passphrase.read()?, insecure_dev: self.insecure_dev };
            let author = Author::new(Key::read(key, KeyKind::Author, &access)?.into_signing(), trust.network());
            let trust = Arc::new(trust);
            let notary = Notary::new(author, nodes, Arc::clone(&trust))
                .map_err(|e| CommandError::failed("notarise.network", e, "check --trust"))?;
            return Ok((Source::Nodes(Box::new(notary)), trust));
        }
        let (address, token) = match (&self.gateway, &self.token_file) {
            (Some(address), Some(token)) => (address.clone(), token.clone()),
            _ => match Profile::installed()? {
                Some(profile) => (profile.gateway, profile.token_file),
                None => {
                    return Err(CommandError::failed(
                        "notarise.gateway",
                        "no gateway was given and no development network is installed",
                        "give --gateway URL --token-file FILE, or --node URL --key FILE, or start `testamur dev`",
                    ));
                }
            },
        };
        let gateway =
            Gateway::new(&address, &read_token(&token)?, &Connections::default()).map_err(|e| gateway_failed(&e))?;
        let trust = match given {
            Some(Installed { trust, .. }) => trust,
            None => {
                let status = gateway.status().await.map_err(|e| match e {
                    GatewayError::Client(e) => gateway_failed(&e),
                    pending @ GatewayError::Pending { .. } => CommandError::failed("notarise.gateway", pending, ""),
                })?;
                let network = status.network.parse().map_err(|_| {
                    CommandError::failed("notarise.gateway", format!("{address} is no gateway of Testamur"), "")
                })?;
                networks::require(network)?.trust
            }
        };
        Ok((Source::Gateway(Box::new(gateway)), Arc::new(trust)))
    }
}

impl Source {
    async fn obtain(
        &self,
        digests: Vec<DocumentDigest>,
        form: Form,
        reference: Option<Reference>,
    ) -> Result<Vec<Vec<u8>>, NotDone> {
        match self {
            Self::Gateway(gateway) => gateway.notarise_hashes(&digests, form).await.map_err(NotDone::from),
            Self::Nodes(notary) => {
                let count = digests.len() as u64;
                let failed = |e: NotaryError| NotDone::Failed(CommandError::failed("notarise.record", e, ""));
                let documents = Documents::new(digests, form).map_err(|e| failed(e.into()))?;
                let signed = notary.sign(documents, reference).map_err(failed)?;
                let cut = match notary.finalise(&signed).await {
                    Ok(cut) => cut,
                    Err(error) if error.may_have_taken_effect() => {
                        let pending = Box::new(signed.pending(0..count));
                        return Err(NotDone::Pending { reason: error.to_string(), pending });
                    }
                    Err(error) => return Err(NotDone::Failed(not_finalised(&error))),
                };
                let openings = (0..count).filter_map(|index| signed.documents().opening(index));
                openings
                    .map(|opening| cut.receipt(opening))
                    .collect::<Result<_, _>>()
                    .map_err(|e| NotDone::Failed(CommandError::failed(e.code(), &e, "")))
            }
        }
    }

    async fn resume(&self, pending: &Pending) -> Result<Vec<Vec<u8>>, NotDone> {
        match self {
            Self::Gateway(gateway) => gateway.resume(pending).await.map_err(NotDone::from),
            Self::Nodes(notary) => {
                let cut = match notary.resume(pending, FINAL_TIMEOUT).await {
                    Ok(cut) => cut,
                    Err(NotaryError::Finalise(error)) if error.may_have_taken_effect() => {
                        return Err(NotDone::Pending { reason: error.to_string(), pending: Box::new(pending.clone()) });
                    }
                    Err(error) => return Err(NotDone::Failed(CommandError::failed("notarise.record", error, ""))),
                };
                let receipts = pending.openings.iter().map(|opening| cut.receipt(opening.clone()));
                receipts.collect::<Result<_, _>>().map_err(|e| NotDone::Failed(CommandError::failed(e.code(), &e, "")))
            }
        }
    }
}

impl From<GatewayError> for NotDone {
    fn from(error: GatewayError) -> Self {
        match error {
            GatewayError::Pending { problem, pending } => Self::Pending { reason: problem.to_string(), pending },
            GatewayError::Client(error) => Self::Failed(gateway_failed(&error)),
        }
    }
}

fn gateway_failed(error: &ClientError) -> CommandError {
    let hint = match error {
        ClientError::Unreachable { .. } => "is the gateway running? `testamur dev` starts one, --gateway names another",
        ClientError::Refused { problem, .. } if problem.status == 401 => "check --token-file",
        ClientError::Refused { problem, .. } if problem.is_retryable() => {
            "nothing was notarised; try again in a moment"
        }
        ClientError::Interrupted { .. } => {
            "the document may have been notarised without its receipt having arrived; notarising it again does no harm"
        }
        _ => "",
    };
    CommandError::failed(error.code(), error, hint)
}

fn not_finalised(error: &FinaliseError) -> CommandError {
    let (code, hint) = match error {
        FinaliseError::Refused { problem, .. } => (problem.code.as_str(), ""),
        FinaliseError::Busy { problem, .. } => (problem.code.as_str(), "nothing was notarised; try again in a moment"),
        _ => ("notarise.nodes", "nothing was notarised; check --node, and whether the nodes run"),
    };
    CommandError::failed(code, error, hint)
}

/// INV-NOTARISE-1: what is not confirmed for this very document is not written.
fn write_verified(file: &Path, digest: &DocumentDigest, bytes: &[u8], trust: &TrustFile) -> Result<Done, CommandError> {
    let refuse = |reason: String| {
        let what = format!("{}: the receipt that was given for it is refused: {reason}", file.display());
        CommandError::failed(
            "notarise.receipt",
            what,
            "do not use this gateway or node before its operator has explained",
        )
    };
    let receipt = Receipt::decode(bytes).map_err(|e| refuse(e.to_string()))?;
    let facts = match receipt::verify(&receipt, Some(digest), trust, now()?) {
        Verdict::Confirmed(facts) => facts,
        Verdict::OutOfOffice(_) => return Err(refuse("its witnesses' keys are no longer in office".into())),
        Verdict::NotValid(error) | Verdict::CannotTell(error) => return Err(refuse(error.to_string())),
    };
    let path = receipt_path(file);
    write_receipt(&path, bytes).map_err(|e| {
        CommandError::failed("notarise.write", e, "free some space or name another place, then run it again")
    })?;
    Ok(Done { file: file.display().to_string(), receipt: path.display().to_string(), facts })
}

fn describe(done: &Done, output: &Output) -> String {
    let Done { file, receipt, facts } = done;
    format!(
        "{} {} on {}, block {}, {} of {} validators\n  receipt  {receipt}\n",
        output.paint(Tone::Good, "NOTARISED"),
        output.paint(Tone::Strong, file),
        utc(facts.time),
        facts.height,
        facts.witnesses.len(),
        facts.validators,
    )
}

fn read_pending(path: &Path) -> Result<PendingFile, CommandError> {
    let bytes = files::read_at_most(path, PENDING_BYTES_MAX)?;
    let refuse = |reason: String| {
        CommandError::content(path, reason, "give the FILE.pending.json that `testamur notarise` wrote")
    };
    let file: PendingFile = serde_json::from_slice(&bytes).map_err(|e| refuse(e.to_string()))?;
    if file.v != 1 || file.r#type != "testamur-pending" || file.files.len() != file.pending.openings.len() {
        return Err(refuse("not a pending file of this version".into()));
    }
    Ok(file)
}

/// Keeps what is needed to ask again; a salt lost here would lose the receipt for ever.
fn keep_pending(documents: &[PathBuf], pending: Pending, reason: &str, resumed: Option<&Path>) -> CommandError {
    let expires = pending.expires;
    let path = resumed.map_or_else(
        || {
            let mut name = documents.first().map(|d| d.as_os_str().to_owned()).unwrap_or_default();
            name.push(".pending.json");
            PathBuf::from(name)
        },
        Path::to_owned,
    );
    let file = PendingFile { v: 1, r#type: "testamur-pending".into(), files: documents.to_vec(), pending };
    let text = serde_json::to_string_pretty(&file).expect("a pending file is JSON");
    if let Err(error) = files::replace(&path, text.as_bytes(), 0o600) {
        return error;
    }
    CommandError::failed(
        "notarise.pending",
        format!("{reason}\nThe record may still become final, until {} at the latest.", utc(expires)),
        format!("testamur notarise --resume {}", path.display()),
    )
}
