//! Reads of the registries that need not believe the node that answers.
//!
//! A node sends the state keys that a read rests on, each proven under one header with its certificate. The same read
//! runs again here, over what was proven: a key that the node left out is an error, an old root is an error, and the
//! next node is asked (INV-CLIENT-4). What is handed over carries its evidence, so it can be kept and checked offline.

mod error;
mod gather;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use testamur_primitives::codec::sha256;
use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttachmentHash, AttributeId, RecordId, SchemaId};
use testamur_primitives::header::Header;
use testamur_primitives::identity::{self, AdmissionEntry, DidEntry};
use testamur_primitives::issuers::accreditation::Scope;
use testamur_primitives::issuers::chain::{self, ChainRefusal, TrustChain};
use testamur_primitives::issuers::{self, AttributeEntry};
use testamur_primitives::record::{Record, Reference};
use testamur_primitives::schemas::{self, SchemaEntry};
use testamur_primitives::state::evidence::{Evidence, NotProven, ProvenState};
use testamur_primitives::state::{StateError, StateKey};
use testamur_primitives::status::{self, StatusEntry};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::{Height, UnixTime};
use tokio::time::{Instant, sleep};

use crate::author::now;
use crate::cut::Cut;
use crate::limits::{BEHIND_PAUSE, BEHIND_TIMEOUT};
use crate::nodes::{FinaliseError, Nodes};
pub use error::{Fault, RegistryError};

/// The time that a read is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum At {
    /// Now: this machine's clock, or the proven header's time where that is later.
    #[default]
    Now,
    /// A time of the caller's.
    Time(UnixTime),
}

impl At {
    /// The time in seconds, for a state.
    pub fn resolve(self, state: &ProvenState) -> UnixTime {
        match self {
            Self::Now => now().unwrap_or_default().max(state.header().time),
            Self::Time(time) => time,
        }
    }
}

impl From<Option<UnixTime>> for At {
    fn from(time: Option<UnixTime>) -> Self {
        time.map_or(Self::Now, Self::Time)
    }
}

/// What a read gave, with what proves it.
#[derive(Debug, Clone)]
pub struct Proven<T> {
    /// The answer.
    pub value: T,
    /// The header under which it is proven.
    pub header: Header,
    /// What proves it: verifies against the trust file, offline.
    pub evidence: Evidence,
    /// The node that answered.
    pub server: String,
    /// Nodes that were asked before, and why they were passed over.
    pub passed_over: Vec<Arc<Fault>>,
}

impl<T> Proven<T> {
    /// The same proof with something made of its answer.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Proven<U> {
        let Self { value, header, evidence, server, passed_over } = self;
        Proven { value: make(value), header, evidence, server, passed_over }
    }
}

/// An issuer: every accreditation that was ever reserved for it, in order of arrival.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Whose.
    pub did: Did,
    /// The attributes as they were at the time asked for; those of later are left out.
    pub attributes: Vec<(AttributeId, AttributeEntry)>,
}

/// Which chain is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChainOf {
    /// That of one accreditation.
    Attribute(AttributeId),
    /// Any of an issuer's that holds and allows the scope; without scope, any that holds.
    Issuer {
        /// The issuer.
        did: Did,
        /// What it must allow.
        scope: Option<Scope>,
    },
}

/// What a read over proven state yields.
pub type Read<T> = Result<T, StateError<NotProven>>;

/// The registries of one network, read from its nodes and verified here.
#[derive(Debug)]
pub struct Registry {
    nodes: Nodes,
    trust: Arc<TrustFile>,
    /// The greatest height that was proven to this client: no answer may be of an earlier one.
    seen: AtomicU64,
}

impl Registry {
    /// The registries of a trust file's network.
    pub fn new(nodes: Nodes, trust: Arc<TrustFile>) -> Self {
        Self { nodes, trust, seen: AtomicU64::new(0) }
    }

    /// The nodes.
    pub fn nodes(&self) -> &Nodes {
        &self.nodes
    }

    /// The trust file.
    pub fn trust(&self) -> &TrustFile {
        &self.trust
    }

    /// The newest height that was proven to this client.
    pub fn seen(&self) -> Height {
        Height(self.seen.load(Ordering::Relaxed))
    }

    fn saw(&self, height: Height) {
        self.seen.fetch_max(height.0, Ordering::Relaxed);
    }

    /// A DID document, now or as of a time; none when the DID was not registered then.
    pub async fn did(&self, did: &Did, at: At) -> Result<Proven<Option<DidEntry>>, RegistryError> {
        let read = |state: &ProvenState| match at {
            At::Now => identity::newest(state, did),
            At::Time(time) => identity::as_of(state, did, time),
        };
        self.read(&[identity::keys::did(did).head()], read).await
    }

    /// That governance lets a DID register.
    pub async fn admission(&self, did: &Did) -> Result<Proven<Option<AdmissionEntry>>, RegistryError> {
        self.read(&[identity::keys::admission(did).head()], |state| identity::admission(state, did)).await
    }

    /// An issuer with its accreditations; none when nothing was ever reserved for it.
    pub async fn issuer(&self, did: &Did, at: At) -> Result<Proven<Option<Issuer>>, RegistryError> {
        let read = |state: &ProvenState| {
            let Some(entry) = issuers::issuer(state, did)? else { return Ok(None) };
            let mut attributes = Vec::new();
            for id in entry.attributes {
                let found = match at {
                    At::Now => issuers::attribute(state, id)?,
                    At::Time(time) => issuers::attribute_at(state, id, time)?,
                };
                attributes.extend(found.map(|attribute| (id, attribute)));
            }
            Ok(Some(Issuer { did: did.clone(), attributes }))
        };
        self.read(&[issuers::keys::issuer(did).head()], read).await
    }

    /// One accreditation; none when no such place was ever reserved.
    pub async fn attribute(&self, id: AttributeId, at: At) -> Result<Proven<Option<AttributeEntry>>, RegistryError> {
        let read = |state: &ProvenState| match at {
            At::Now => issuers::attribute(state, id),
            At::Time(time) => issuers::attribute_at(state, id, time),
        };
        self.read(&[issuers::keys::attribute(id).head()], read).await
    }

    /// A chain of accreditations to its Root TAO, every signature checked here, or why it does not hold.
    pub async fn chain(&self, of: &ChainOf, at: At) -> Result<Proven<Result<TrustChain, ChainRefusal>>, RegistryError> {
        let first = match of {
            ChainOf::Attribute(id) => issuers::keys::attribute(*id).head(),
            ChainOf::Issuer { did, .. } => issuers::keys::issuer(did).head(),
        };
        let read = |state: &ProvenState| match of {
            ChainOf::Attribute(id) => chain::trust_chain(state, *id, at.resolve(state)),
            ChainOf::Issuer { did, scope } => chain::accredited(state, did, scope.as_ref(), at.resolve(state)),
        };
        self.read_bundle(Some(&bundle(of, at)), &[first], read).await
    }

    /// A schema's newest revision, or one by its number.
    pub async fn schema(
        &self,
        id: SchemaId,
        revision: Option<u64>,
    ) -> Result<Proven<Option<SchemaEntry>>, RegistryError> {
        let key = revision.map_or_else(|| schemas::key(id).head(), |number| schemas::key(id).entry(number));
        let read = |state: &ProvenState| match revision {
            None => schemas::schema(state, id),
            Some(number) => schemas::revision(state, id, number),
        };
        self.read(&[key], read).await
    }

    /// A status list's newest version, or the one that was the newest at a time.
    pub async fn status(
        &self,
        issuer: &Did,
        list: &Reference,
        at: At,
    ) -> Result<Proven<Option<StatusEntry>>, RegistryError> {
        let read = |state: &ProvenState| match at {
            At::Now => status::newest(state, issuer, list),
            At::Time(time) => status::as_of(state, issuer, list, time),
        };
        self.read(&[status::keys::status(issuer, list).head()], read).await
    }

    /// The bits of a version of a status list: the whole list, so that no node learns which entry is looked at. They
    /// have the digest that the proven entry names.
    pub async fn status_bits(&self, entry: &StatusEntry) -> Result<Vec<u8>, RegistryError> {
        let mut faults = Vec::new();
        for (place, node) in self.nodes.in_order() {
            let server = || node.name().to_owned();
            match node.attachment(entry.status.sha256).await {
                Ok(Some(bits)) if AttachmentHash::from_bytes(sha256(&[&bits])) == entry.status.sha256 => {
                    self.nodes.prefer(place);
                    return Ok(bits);
                }
                Ok(Some(_)) => faults.push(Arc::new(Fault::Attachment { server: server() })),
                Ok(None) => faults.push(Arc::new(Fault::NoAttachment { server: server() })),
                Err(error) => faults.push(Arc::new(Fault::Client(error))),
            }
        }
        Err(RegistryError(faults))
    }

    /// Accreditations that a DID has given, as the first node that answers lists them: a node's word, not proven. Each is
    /// then read with its proof.
    pub async fn accreditations_by(&self, accreditor: &Did, most: usize) -> Result<Vec<AttributeId>, RegistryError> {
        let path = format!("v1/accreditations?accreditor={accreditor}&size={}", most.min(100));
        let mut faults = Vec::new();
        for (_, node) in self.nodes.in_order() {
            match node.list(&path, most).await {
                Ok(ids) => return Ok(ids.iter().filter_map(|id| id.parse().ok()).collect()),
                Err(error) => faults.push(Arc::new(Fault::Client(error))),
            }
        }
        Err(RegistryError(faults))
    }

    /// Any read over proven state. `first` are keys that it surely needs, at least one; it is repeated until every key that it asks
    /// for was proven, all under one header.
    pub async fn read<T>(
        &self,
        first: &[StateKey],
        read: impl Fn(&ProvenState) -> Read<T>,
    ) -> Result<Proven<T>, RegistryError> {
        self.read_bundle(None, first, read).await
    }

    /// As [`Registry::read`], beginning with the evidence of a route that answers many keys at once. A node that does not
    /// have it there is asked for the keys one after another.
    pub async fn read_bundle<T>(
        &self,
        bundle: Option<&str>,
        first: &[StateKey],
        read: impl Fn(&ProvenState) -> Read<T>,
    ) -> Result<Proven<T>, RegistryError> {
        let deadline = Instant::now() + BEHIND_TIMEOUT;
        loop {
            let mut faults = Vec::new();
            for (place, node) in self.nodes.in_order() {
                match gather::gather(self, node, bundle, first, &read).await {
                    Ok(mut proven) => {
                        self.nodes.prefer(place);
                        self.saw(proven.header.height);
                        proven.passed_over = faults;
                        return Ok(proven);
                    }
                    Err(fault) => faults.push(Arc::new(fault)),
                }
            }
            // A node that is a block behind catches up by itself, and a network makes its first block, shortly.
            let shortly = |fault: &Fault| matches!(fault, Fault::Behind { .. }) || fault.code() == "node.not-ready";
            if !faults.iter().any(|fault| shortly(fault)) || Instant::now() >= deadline {
                return Err(RegistryError(faults));
            }
            sleep(BEHIND_PAUSE).await;
        }
    }

    /// Submits a record, with the bytes it must be accompanied by, until it is final and its receipt has verified.
    /// Reads that follow are of that block or a later one.
    pub async fn submit(
        &self,
        record: &Record,
        attachment: Option<&[u8]>,
        within: Duration,
    ) -> Result<Cut, FinaliseError> {
        let (id, clock) = (record.id(), now().unwrap_or_default());
        let accept = |receipt| Cut::new(receipt, id, &self.trust, clock);
        let cut = self.nodes.finalise_with(record, attachment, within, accept).await?;
        self.saw(cut.facts().height);
        Ok(cut)
    }

    /// Looks for a record that was submitted earlier; its receipt has verified.
    pub async fn find(&self, record: RecordId, within: Duration) -> Result<Cut, FinaliseError> {
        let clock = now().unwrap_or_default();
        let cut = self.nodes.find(record, within, |receipt| Cut::new(receipt, record, &self.trust, clock)).await?;
        self.saw(cut.facts().height);
        Ok(cut)
    }
}

/// The route that answers with all that a chain rests on.
fn bundle(of: &ChainOf, at: At) -> String {
    let mut query = Vec::new();
    let place = match of {
        ChainOf::Attribute(id) => format!("/{id}"),
        ChainOf::Issuer { did, scope } => {
            query.push(format!("issuer={did}"));
            // A node walks every accreditation until one allows the scope; asked without it, it may stop earlier. What is
            // missing then is asked for by key.
            if let Some(scope) = scope {
                let plain = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
                let types: Vec<_> = scope.types.iter().map(String::as_str).filter(|text| plain(text)).collect();
                query.push(format!("schema={}", scope.schema));
                query.push(format!("type={}", types.join(",")));
            }
            String::new()
        }
    };
    if let At::Time(time) = at {
        query.push(format!("at={time}"));
    }
    let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
    format!("v1/trust-chains{place}{query}")
}

/// The values of an evidence by key, for those who show them.
pub fn values(evidence: &Evidence) -> BTreeMap<&str, Option<&str>> {
    evidence.state.iter().map(|proven| (proven.key.as_str(), proven.value.as_deref())).collect()
}
