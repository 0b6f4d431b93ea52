//! An entity at work: its home, its keys, and the network's registries.

use testamur_client::author::Author;
use testamur_client::credentials::{Addresses, Signer, Validity};
use testamur_client::limits::FINAL_TIMEOUT;
use testamur_client::nodes::FinaliseError;
use testamur_client::registry::{At, Fault, Proven, Registry, RegistryError};
use testamur_primitives::hash::AttributeId;
use testamur_primitives::identity::changes::{DidChange, NewMethod};
use testamur_primitives::identity::{self, DidEntry, Grant, Relationship};
use testamur_primitives::issuers::chain::{ChainRefusal, TrustChain, trust_chain};
use testamur_primitives::issuers::{self, AttributeEntry, IssuerType};
use testamur_primitives::key::SigningKey;
use testamur_primitives::receipt::Facts;
use testamur_primitives::record::Act;
use testamur_primitives::units::UnixTime;

use super::options::{HomeOptions, LedgerOptions};
use super::pending::Pending;
use super::{Home, Use};
use crate::commands::trust::NO_BLOCK_YET;
use crate::exit::CommandError;
use crate::keystore::Access;
use crate::output::{Output, now};

/// How far the beginning of a key's use or a credential lies back: validators' clocks may be behind this one.
pub(crate) const CLOCK_MARGIN_S: u64 = 60;

/// An entity with all that it needs to act.
pub(crate) struct Desk {
    /// Its home.
    pub(crate) home: Home,
    /// The registries.
    pub(crate) registry: Registry,
    access: Access,
}

impl Desk {
    /// An entity on the network of its home.
    pub(crate) async fn open(
        options: &HomeOptions,
        ledger: &LedgerOptions,
        output: &Output,
    ) -> Result<Self, CommandError> {
        let home = options.open()?;
        let registry = ledger.connect(Some(&home)).await?;
        let desk = Self { home, registry, access: options.access()? };
        desk.settle(output).await?;
        Ok(desk)
    }

    /// From its parts; for a home that was made this moment.
    pub(crate) fn new(home: Home, registry: Registry, access: Access) -> Self {
        Self { home, registry, access }
    }

    /// What opens its keys.
    pub(crate) fn access(&self) -> &Access {
        &self.access
    }

    /// Where the network's registries are found.
    pub(crate) fn addresses(&self) -> Addresses {
        Addresses::new(&self.registry.trust().genesis().public_base())
    }

    /// The key in use.
    pub(crate) fn key(&self, usage: Use) -> Result<SigningKey, CommandError> {
        self.home.key(usage, self.home.thumbprint(usage), &self.access)
    }

    /// Sends again what was signed earlier and not seen final (INV-ENTITY-1).
    pub(crate) async fn settle(&self, output: &Output) -> Result<(), CommandError> {
        for pending in Pending::all(&self.home)? {
            let what = pending.what.clone();
            if pending.record.payload().exp <= now()? {
                // Too late to enter the ledger; it may be there already.
                let id = pending.record.id();
                let there = self.registry.nodes().nodes()[0].receipt(id).await;
                match there {
                    Ok(Some(_)) => output.note(format!("begun earlier and done: {what}")),
                    Ok(None) => {
                        output.note(format!("begun earlier, never reached the ledger, and now too old: {what}"))
                    }
                    Err(error) => return Err(not_settled(&pending, &error.to_string())),
                }
                pending.settled()?;
                continue;
            }
            match self.send(&pending).await {
                Ok(_) => {
                    output.note(format!("begun earlier and done now: {what}"));
                    pending.settled()?;
                }
                Err(FinaliseError::Refused { problem, .. }) => {
                    output.note(format!("begun earlier, now refused: {what}: {}", problem.message()));
                    pending.settled()?;
                }
                Err(error) => return Err(not_settled(&pending, &error.to_string())),
            }
        }
        Ok(())
    }

    /// Signs an act as the entity, keeps the record on disk, and sends it until it is final.
    pub(crate) async fn submit(
        &self,
        usage: Use,
        what: &str,
        act: Act,
        attachment: Option<Vec<u8>>,
    ) -> Result<Facts, CommandError> {
        let author = Author::of_ledger(self.home.did().clone(), self.key(usage)?, self.registry.trust().network());
        let record = author.sign(act).map_err(|e| CommandError::failed("entity.sign", e, ""))?;
        let pending = Pending::keep(&self.home, what, record, attachment)?;
        match self.send(&pending).await {
            Ok(facts) => {
                pending.settled()?;
                Ok(facts)
            }
            Err(error) if error.may_have_taken_effect() => Err(not_settled(&pending, &error.to_string())),
            Err(error) => {
                // Nothing was taken: the next attempt signs anew.
                pending.settled()?;
                Err(refused(&error))
            }
        }
    }

    async fn send(&self, pending: &Pending) -> Result<Facts, FinaliseError> {
        let attachment = pending.attachment.as_deref();
        let cut = self.registry.submit(&pending.record, attachment, FINAL_TIMEOUT).await?;
        Ok(cut.facts().clone())
    }

    /// The entity's own document.
    pub(crate) async fn document(&self) -> Result<Option<DidEntry>, CommandError> {
        Ok(self.registry.did(self.home.did(), At::Now).await.map_err(|e| unproven(&e))?.value)
    }

    /// Registers the DID, unless it is registered.
    pub(crate) async fn register(&self, authorisation: Option<String>) -> Result<Option<Facts>, CommandError> {
        if self.document().await?.is_some() {
            return Ok(None);
        }
        let not_before = UnixTime(now()?.0.saturating_sub(CLOCK_MARGIN_S));
        let method = |usage: Use, uses: [Relationship; 2]| {
            let grant = |relationship| Grant { relationship, not_before, not_after: None };
            Ok::<_, CommandError>(NewMethod {
                key: self.key(usage)?.public_key().to_jwk(),
                grants: uses.map(grant).to_vec(),
            })
        };
        use Relationship::{AssertionMethod, Authentication, CapabilityInvocation};
        let methods = vec![
            method(Use::Capability, [Authentication, CapabilityInvocation])?,
            method(Use::Assertion, [Authentication, AssertionMethod])?,
        ];
        let act = Act::InsertDid { methods, controllers: vec![], services: vec![], authorisation };
        self.submit(Use::Capability, &format!("register {}", self.home.did()), act, None).await.map(Some)
    }

    /// Changes a document that the entity controls: its own, usually.
    pub(crate) async fn update(
        &self,
        did: &testamur_primitives::did::Did,
        what: &str,
        changes: Vec<DidChange>,
    ) -> Result<Facts, CommandError> {
        let document = self.registry.did(did, At::Now).await.map_err(|e| unproven(&e))?.value;
        let prev = document.ok_or_else(|| not_registered(did))?.record;
        self.submit(Use::Capability, what, Act::UpdateDid { did: did.clone(), prev, changes }, None).await
    }

    /// An accreditation of the entity's own whose chain holds now and that `wanted` accepts: the newest such.
    pub(crate) async fn own_chain(
        &self,
        wanted: impl Fn(&TrustChain) -> bool,
    ) -> Result<Proven<Result<TrustChain, ChainRefusal>>, CommandError> {
        let did = self.home.did();
        let first = [issuers::keys::issuer(did).head()];
        let chain = self.registry.read(&first, |state| {
            let mut refusal = ChainRefusal::NotAccredited(did.clone());
            let Some(issuer) = issuers::issuer(state, did)? else { return Ok(Err(refusal)) };
            for id in issuer.attributes.into_iter().rev() {
                match trust_chain(state, id, At::Now.resolve(state))? {
                    Ok(chain) if wanted(&chain) => return Ok(Ok(chain)),
                    Ok(_) => {}
                    Err(found) => refusal = found,
                }
            }
            Ok(Err(refusal))
        });
        chain.await.map_err(|e| unproven(&e))
    }

    /// A place on the ledger that is the entity's and not filled yet.
    pub(crate) async fn unfilled(
        &self,
        wanted: IssuerType,
    ) -> Result<Option<(AttributeId, AttributeEntry)>, CommandError> {
        let issuer = self.registry.issuer(self.home.did(), At::Now).await.map_err(|e| unproven(&e))?.value;
        let attributes = issuer.map_or_else(Vec::new, |issuer| issuer.attributes);
        let open =
            |entry: &AttributeEntry| entry.issuer_type == wanted && entry.credential.is_none() && entry.ended.is_none();
        Ok(attributes.into_iter().rev().find(|(_, entry)| open(entry)))
    }

    /// Puts an accreditation credential in its place, unless it is there.
    pub(crate) async fn fill(&self, attribute: AttributeId, credential: String) -> Result<Option<Facts>, CommandError> {
        let entry = self.registry.attribute(attribute, At::Now).await.map_err(|e| unproven(&e))?.value;
        let entry = entry.ok_or_else(|| {
            CommandError::failed(
                "issuer.unknown-attribute",
                format!("no accreditation {attribute} is on the ledger"),
                "ask the accreditor whether it has reserved it, and for a new invitation",
            )
        })?;
        if entry.credential.as_ref() == Some(&credential) {
            return Ok(None);
        }
        let act = Act::FillAttribute { attribute, prev: entry.record, credential };
        self.submit(Use::Capability, &format!("fill accreditation {attribute}"), act, None).await.map(Some)
    }

    /// Signs the entity's own authorisation as a Root TAO, for everything.
    pub(crate) fn sign_root(&self, attribute: AttributeId, validity: Validity) -> Result<String, CommandError> {
        let (key, addresses) = (self.key(Use::Assertion)?, self.addresses());
        let signer = Signer { did: self.home.did(), key: &key, addresses: &addresses };
        signer.root(attribute, &[], validity).map_err(|e| CommandError::failed("entity.sign", e, ""))
    }

    /// The key id of one of the entity's keys.
    pub(crate) fn key_id(&self, key: &SigningKey) -> testamur_primitives::did::DidUrl {
        identity::key_id(self.home.did(), &key.public_key())
    }
}

/// The error for a DID that must be on the ledger and is not.
pub(crate) fn not_registered(did: &testamur_primitives::did::Did) -> CommandError {
    CommandError::failed(
        "did.not-registered",
        format!("{did} is not registered on this ledger"),
        "register it first: `testamur onboard`, or `testamur did new --invitation FILE`",
    )
}

/// The error for a read that no node proved.
pub(crate) fn unproven(error: &RegistryError) -> CommandError {
    let hint = match error.worst() {
        Some(Fault::Evidence { .. } | Fault::Omitted { .. } | Fault::Behind { .. } | Fault::Attachment { .. }) => {
            "ask another node with --node URL, and tell the operator of this one"
        }
        Some(Fault::Client(_)) if error.code() == NO_BLOCK_YET => {
            "the network's first block comes within a heartbeat: run it again then"
        }
        Some(Fault::Client(_)) => "check --node, and whether the nodes run",
        _ => "try again in a moment, or another node with --node URL",
    };
    CommandError::failed(error.code(), error, hint)
}

fn not_settled(pending: &Pending, reason: &str) -> CommandError {
    CommandError::failed(
        "entity.pending",
        format!(
            "{}: {reason}\nThe signed record is kept in {} and is sent again.",
            pending.what,
            pending.path().display()
        ),
        "run the same command again: it goes on from here",
    )
}

/// A record that was not taken, and what to do about it.
pub(crate) fn refused(error: &FinaliseError) -> CommandError {
    let code = match error {
        FinaliseError::Refused { problem, .. } | FinaliseError::Busy { problem, .. } => problem.code.clone(),
        _ => "entity.submit".into(),
    };
    let hint = match error {
        FinaliseError::Unreachable(_) => "check --node, and whether the nodes run",
        FinaliseError::Busy { .. } => "nothing was taken; try again in a moment",
        FinaliseError::Unknown { .. } | FinaliseError::Receipt { .. } => "run the same command again",
        FinaliseError::Refused { .. } => advice(&code),
    };
    CommandError::failed(code, error, hint)
}

/// What to do about a refusal of the ledger's rules.
fn advice(code: &str) -> &'static str {
    match code {
        "did.not-registered" => "register the DID first: `testamur onboard`",
        "did.not-authorised" | "did.authorisation" => {
            "ask an accredited organisation: `testamur trust request` makes what you send it"
        }
        "did.other-key" => "ask for a new invitation with `testamur trust request`: this one is for another key",
        "did.key-revoked" | "did.key-expired" | "did.key-compromised" | "did.key-not-yet-valid" => {
            "look at the keys with `testamur did show`, and use the home whose key is in force"
        }
        "did.stale" | "issuer.stale" | "schema.stale" | "status.stale" | "status.version" => {
            "somebody changed it meanwhile: run the command again"
        }
        "did.not-a-controller" => "only a controller changes it: `testamur did show` names them",
        "did.locked-out" => "keep a capabilityInvocation key, or add a controller first",
        "did.deactivated" => "the DID is closed for ever: make another",
        "issuer.parent" | "schema.not-accredited" | "status.not-accredited" => {
            "look at the chain with `testamur trust show`"
        }
        "issuer.scope-schema" | "issuer.scope-type" | "issuer.scope-jurisdiction" => {
            "accredit for less, within your own accreditation: `testamur trust show` lists it, --for and --jurisdiction set it"
        }
        "issuer.dates" => "choose dates within your own accreditation's: `testamur trust show` names them",
        "issuer.ended" => "reserve another place: `testamur trust accredit`",
        "issuer.end-date" => "leave --from out, or choose a time from now on",
        "governance.version-mismatch" => "look at what was changed meanwhile, then propose again",
        "schema.id" => "leave --id out: the id follows from the text",
        "schema.remote-reference" => "copy what it refers to into the schema, under $defs",
        "status.attachment" => "run the command again; if it stays, the node does not take attachments",
        _ => "",
    }
}
