//! The issuer at work: its key, its archive, the ledger. Commands and the gateway use it alike.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use testamur_client::nodes::FinaliseError;
use testamur_client::registry::{Fault, RegistryError};
use testamur_credentials::credential::Format;
use testamur_primitives::codec::base64url;
use testamur_primitives::did::{Did, DidUrl};
use testamur_primitives::hash::RecordId;
use testamur_primitives::identity;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, Payload, Record, RecordError};
use testamur_primitives::units::UnixTime;

use crate::ledger::{Final, Ledger};
use crate::store::{AwardId, Change, JobId, Store, StoreError};

/// How far the beginning of what is signed here lies back: the validators' clocks may be behind this one.
pub const CLOCK_MARGIN_S: u64 = 60;
/// How long a record may enter the ledger after it was signed: as the client's.
const RECORD_LIFE_S: u64 = testamur_client::limits::RECORD_LIFE_S;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum OfficeError {
    /// The archive.
    #[error("{0}")]
    Store(#[from] StoreError),
    /// A read that no node proved.
    #[error("{0}")]
    Registry(#[from] RegistryError),
    /// The ledger did not take a record; it never will.
    #[error("{what}: {error}")]
    Refused {
        /// What the record was to do.
        what: String,
        /// Why not.
        error: Box<FinaliseError>,
    },
    /// A record's fate is not known; it is kept and sent again.
    #[error("{what}: {error}. The signed record is kept and is sent again")]
    Unsettled {
        /// What the record does.
        what: String,
        /// What is known.
        error: Box<FinaliseError>,
    },
    /// A record is too old to enter the ledger, and is not on it.
    #[error("{0}: the signed record never reached the ledger and is too old now")]
    Expired(String),
    /// The issuer may not issue this.
    #[error("nothing was signed: {0}")]
    NotAccredited(String),
    /// What is asked for cannot be issued; says what and why.
    #[error("{0}")]
    Draft(String),
    /// Drafts that cannot be made into diplomas, each with the reason. Nothing of the job stays.
    #[error("{} cannot be issued: {}", count(.0), list(.0))]
    Drafts(Vec<(AwardId, String)>),
    /// The award has a diploma already, of another content.
    #[error("award {0} was issued with other content: an issued diploma is never overwritten")]
    Changed(AwardId),
    /// There is no such diploma.
    #[error("no diploma {0} was issued here")]
    Unknown(String),
    /// There is no such job.
    #[error("there is no job {}", .0.as_str())]
    NoJob(JobId),
    /// A credential that was just issued does not verify: it is not handed out.
    #[error("the diploma of award {award} does not verify after it was issued: {reason}")]
    NotVerified {
        /// Which award.
        award: AwardId,
        /// The verifier's reason.
        reason: String,
    },
    /// Anything else, in a sentence.
    #[error("{what}")]
    Other {
        /// Stable slug.
        code: &'static str,
        /// What happened.
        what: String,
        /// What to do.
        hint: &'static str,
    },
}

impl OfficeError {
    /// Stable slug.
    pub fn code(&self) -> &str {
        match self {
            Self::Store(error) => error.code(),
            Self::Registry(error) => error.code(),
            Self::Refused { error, .. } => match &**error {
                FinaliseError::Refused { problem, .. } | FinaliseError::Busy { problem, .. } => &problem.code,
                _ => "diploma.submit",
            },
            Self::Unsettled { .. } => "diploma.pending",
            Self::Expired(_) => "diploma.expired",
            Self::NotAccredited(_) => "diploma.not-accredited",
            Self::Draft(_) | Self::Drafts(_) => "diploma.draft",
            Self::Changed(_) => "diploma.changed",
            Self::Unknown(_) => "diploma.unknown",
            Self::NoJob(_) => "diploma.no-job",
            Self::NotVerified { .. } => "diploma.not-verified",
            Self::Other { code, .. } => code,
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Store(StoreError::Busy(_)) => "wait until the other command or the gateway has finished, or stop it",
            Self::Store(StoreError::WrongKey(_)) => "restore keys/archive.key from the backup of this home",
            Self::Store(StoreError::OpenToOthers { .. }) => "chmod 600 the file",
            Self::Store(StoreError::Damaged) => "restore the home from its backup; what was issued stays valid",
            Self::Store(StoreError::Io { .. }) => "look at the disk: space, permissions; then run it again",
            Self::Registry(error) => match error.worst() {
                Some(fault) if fault.is_suspect() => {
                    "ask another node with --node URL, and tell the operator of this one"
                }
                Some(Fault::Client(_)) => "check --node, and whether the nodes run",
                _ => "try again in a moment, or another node with --node URL",
            },
            Self::Refused { error, .. } => match &**error {
                FinaliseError::Unreachable(_) => "check --node, and whether the nodes run",
                FinaliseError::Busy { .. } => "nothing was taken; try again in a moment",
                _ => "",
            },
            Self::Unsettled { .. } => "run the same command again: it goes on from here",
            Self::Expired(_) => {
                "run the same command again: it is signed anew, since the old record can have no effect"
            }
            Self::NotAccredited(_) => {
                "look at the accreditation with `testamur trust show`, and ask the accreditor for what is missing"
            }
            Self::Changed(_) => "correct it: `testamur diploma correct --from FILE`",
            Self::Unknown(_) => "`testamur diploma list` shows what was issued",
            Self::NotVerified { .. } => "run the same command again; if it stays, look with `testamur diploma verify`",
            Self::Other { hint, .. } => hint,
            _ => "",
        }
    }

    /// Whether it says for good that a record has no effect: the ledger's rules refuse it, or its end has come.
    fn is_final(&self) -> bool {
        match self {
            Self::Expired(_) => true,
            Self::Refused { error, .. } => matches!(**error, FinaliseError::Refused { .. }),
            _ => false,
        }
    }

    /// Whether the process must stop.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Store(error) if error.is_fatal())
    }
}

/// How an office issues unless it is told otherwise.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The formats.
    pub formats: BTreeSet<Format>,
    /// The university's emblem on prints: a PNG.
    pub logo: Option<Vec<u8>>,
    /// Threads for signing and printing; 0 for one a core.
    pub threads: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { formats: BTreeSet::from([Format::SdJwt]), logo: None, threads: 0 }
    }
}

/// How far a job has come, for whoever shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// What is being done: a verb in its continuous form, such as `signing`.
    pub doing: &'static str,
    /// How many diplomas are done with it.
    pub done: usize,
    /// Of how many.
    pub of: usize,
}

/// Shown progress: called now and then, from one thread at a time.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) + Sync);

/// An issuer at work.
pub struct Office {
    pub(crate) did: Did,
    pub(crate) key: SigningKey,
    pub(crate) ledger: Arc<dyn Ledger>,
    pub(crate) store: Store,
    pub(crate) settings: Settings,
}

impl core::fmt::Debug for Office {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "Office({})", self.did)
    }
}

impl Office {
    /// An issuer with the key that it signs credentials with, its archive, and the ledger.
    pub fn new(did: Did, key: SigningKey, ledger: Arc<dyn Ledger>, store: Store, settings: Settings) -> Self {
        Self { did, key, ledger, store, settings }
    }

    /// The issuer.
    pub fn did(&self) -> &Did {
        &self.did
    }

    /// Its archive.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The ledger.
    pub fn ledger(&self) -> &dyn Ledger {
        &*self.ledger
    }

    /// How it issues.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The id of the key that it signs with.
    pub fn key_id(&self) -> DidUrl {
        identity::key_id(&self.did, &self.key.public_key())
    }

    /// This machine's clock.
    pub fn now(&self) -> Result<UnixTime, OfficeError> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map(|since| UnixTime(since.as_secs())).map_err(|_| OfficeError::Other {
            code: "cli.clock",
            what: "this machine's clock stands before 1970".into(),
            hint: "set the clock",
        })
    }

    /// Signs an act as the issuer. Nothing is sent; whoever sends it keeps it first ([`Change::put_pending`]).
    pub fn sign(&self, act: Act) -> Result<Record, OfficeError> {
        let mut jti = [0; 16];
        getrandom::fill(&mut jti).map_err(|_| StoreError::Random)?;
        let now = self.now()?;
        let payload = Payload {
            v: 1,
            net: self.ledger.network(),
            iss: self.did.clone(),
            jti: base64url(&jti).parse().expect("base64url is within a reference's characters"),
            iat: now,
            exp: UnixTime(now.0.saturating_add(RECORD_LIFE_S)),
            act,
        };
        Record::sign(&payload, &self.key_id(), &self.key).map_err(unsigned)
    }

    /// Signs an act, keeps the record together with what `along` writes, and sends it until it is final.
    pub async fn submit(
        &self,
        what: &str,
        act: Act,
        attachment: Option<&[u8]>,
        along: impl FnOnce(&mut Change<'_>, RecordId) -> Result<(), StoreError>,
    ) -> Result<Final, OfficeError> {
        let record = self.sign(act)?;
        let id = record.id();
        self.store.write(|change| {
            change.put_pending(what, &record, attachment)?;
            along(change, id)
        })?;
        let outcome = self.settle(id).await;
        if matches!(outcome, Err(OfficeError::Refused { .. })) {
            // It was sent here for the first time, and nobody took it: the next attempt signs anew.
            self.store.write(|change| change.drop_pending(id))?;
        }
        outcome
    }

    /// Sends a record that is kept, always the same bytes, until it is final; only then lets go of it.
    ///
    /// If we crash before the answer, the record is kept and sent again; after it, [`Ledger::find`] still finds it. A record that
    /// was refused or is too old stays until whoever made it lets go of it, in the step that puts another in its place.
    pub async fn settle(&self, record: RecordId) -> Result<Final, OfficeError> {
        let Some(pending) = self.store.pending(record)? else {
            let unsettled = |error| OfficeError::Unsettled { what: format!("record {record}"), error: Box::new(error) };
            return self.ledger.find(record).await.map_err(unsettled);
        };
        let what = pending.what;
        let parsed = Record::parse(pending.record.as_bytes()).map_err(|_| StoreError::Damaged)?;
        let done = if parsed.payload().exp <= self.now()? {
            self.too_late(&parsed, &what).await?
        } else {
            let attachment = pending.attachment.as_ref().map(|bytes| bytes.0.as_slice());
            self.ledger.submit(&parsed, attachment).await.map_err(|error| outcome(&what, error))?
        };
        self.store.write(|change| change.drop_pending(record))?;
        Ok(done)
    }

    /// A record that this machine's clock calls too old: it is on the ledger, or it cannot come there any more. That is certain
    /// only when a proven block is past its end, so until then it stays open.
    async fn too_late(&self, record: &Record, what: &str) -> Result<Final, OfficeError> {
        match self.ledger.find(record.id()).await {
            Ok(done) => Ok(done),
            Err(error) if self.ledger.time(&self.did).await? <= record.payload().exp => {
                Err(OfficeError::Unsettled { what: what.to_owned(), error: Box::new(error) })
            }
            // A block that was proven before the search is past its end, so one more look decides.
            Err(_) => match self.ledger.find(record.id()).await {
                Ok(done) => Ok(done),
                Err(FinaliseError::Unknown { .. }) => Err(OfficeError::Expired(what.to_owned())),
                Err(error) => Err(OfficeError::Unsettled { what: what.to_owned(), error: Box::new(error) }),
            },
        }
    }

    /// Sends again whatever was signed and not seen final, but for the records of jobs, which go on by themselves; answers what
    /// became of each. An error says that the fate of one is still open.
    pub async fn settle_all(&self) -> Result<Vec<(String, Result<Final, OfficeError>)>, OfficeError> {
        let of_jobs = self.records_of_jobs()?;
        let mut all = Vec::new();
        for pending in self.store.all_pending()? {
            let record = Record::parse(pending.record.as_bytes()).map_err(|_| StoreError::Damaged)?.id();
            if of_jobs.contains(&record) {
                continue;
            }
            let settled = match self.settle(record).await {
                Err(error) if error.is_final() => {
                    self.store.write(|change| change.drop_pending(record))?;
                    Err(error)
                }
                Err(error) => return Err(error),
                done => done,
            };
            all.push((pending.what, settled));
        }
        Ok(all)
    }
}

fn count(faults: &[(AwardId, String)]) -> String {
    if faults.len() == 1 { "1 diploma".into() } else { format!("{} diplomas", faults.len()) }
}

fn list(faults: &[(AwardId, String)]) -> String {
    let shown: Vec<_> = faults.iter().take(10).map(|(award, fault)| format!("{award}: {fault}")).collect();
    let more = if faults.len() > shown.len() { "; …" } else { "" };
    format!("{}{more}", shown.join("; "))
}

fn unsigned(error: RecordError) -> OfficeError {
    OfficeError::Other { code: "entity.sign", what: format!("the record cannot be signed: {error}"), hint: "" }
}

fn outcome(what: &str, error: FinaliseError) -> OfficeError {
    let (what, unsettled) = (what.to_owned(), error.may_have_taken_effect());
    let error = Box::new(error);
    if unsettled { OfficeError::Unsettled { what, error } } else { OfficeError::Refused { what, error } }
}
