//! What a verification reads of the ledger: the same functions over a node's state, to gather the proof, and over proven state.
//!
//! A [`Question`] names an issuer, what it claims to be accredited for, and its lists; never a credential. So whoever is
//! asked for the keys learns which institution is looked at, and not which of its graduates.
//!
//! | read | keys |
//! | --- | --- |
//! | [`documents`] | `did/<issuer>/head`, and entries back to the moment |
//! | [`standing`] | `issuer/<issuer>/head`; of each accreditation looked at and of those above it `attribute/<id>/…`, `did/<accreditor>/…` |
//! | [`schemas`] | `schema/<id>/head`, and entries back to the moment |
//! | [`lists`] | `status/<issuer>:<list>/head` of each list and its two companions, and entries back to `at` |

pub mod pointer;
mod standing;

use std::collections::BTreeMap;

use testamur_primitives::did::Did;
use testamur_primitives::hash::SchemaId;
use testamur_primitives::identity::{self, DidEntry};
use testamur_primitives::issuers::accreditation::Scope;
use testamur_primitives::issuers::chain::TrustChain;
use testamur_primitives::record::Reference;
use testamur_primitives::schemas::{self as schema_registry, SchemaEntry};
use testamur_primitives::state::{StateError, StateReader, entry, entry_at};
use testamur_primitives::status::{self, StatusEntry};
use testamur_primitives::units::UnixTime;

use crate::credential::Credential;
pub use standing::{LEVEL, NoChain, Why, is_level, standing};

/// What is asked of the ledger about one credential, or about many that are alike.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    /// Who says to have issued it.
    pub issuer: Did,
    /// What the issuer must be accredited for: one of these.
    pub scopes: Vec<Scope>,
    /// Its lists, without the companions.
    pub lists: Vec<Reference>,
    /// When the ledger witnessed it; none when nothing shows that.
    pub issued: Option<UnixTime>,
    /// Time of the header that the state belongs to.
    pub state_time: UnixTime,
    /// The time that is asked about; none for now.
    pub at: Option<UnixTime>,
}

impl Question {
    /// The question of a credential. `issued` is the block time of its anchor, `state_time` that of the proven header, and
    /// `public_base` what genesis says.
    pub fn new(
        credential: &Credential,
        issued: Option<UnixTime>,
        state_time: UnixTime,
        at: Option<UnixTime>,
        public_base: &str,
    ) -> Self {
        Self {
            issuer: credential.issuer.clone(),
            scopes: credential.scopes(),
            lists: pointer::lists(credential, public_base),
            issued,
            state_time,
            at,
        }
    }

    /// The moments at which the issuer's key and accreditation must have been good. What the ledger has witnessed was
    /// issued then. What it has not may have been made a second ago, whatever it says itself; asked about an earlier
    /// time, it must have been good then as well.
    pub fn moments(&self) -> Vec<UnixTime> {
        match self.issued {
            Some(issued) => vec![issued],
            None => core::iter::once(self.state_time).chain(self.at.filter(|at| *at < self.state_time)).collect(),
        }
    }

    /// The moment whose revision of a schema counts.
    fn schema_moment(&self) -> UnixTime {
        self.issued.unwrap_or(self.state_time)
    }
}

/// What the ledger says of a credential's issuer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerView {
    /// Its DID document.
    pub documents: Documents,
    /// Its accreditation at each of the question's moments.
    pub standing: Vec<Result<TrustChain, NoChain>>,
    /// The schemas asked about; none where the ledger has no such schema.
    pub schemas: BTreeMap<SchemaId, Option<SchemaEntry>>,
    /// The lists asked about, with their companions.
    pub lists: BTreeMap<Reference, ListView>,
}

/// An issuer's DID document, now and at the question's moments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Documents {
    /// The newest; none when the DID is not registered.
    pub newest: Option<DidEntry>,
    /// At each moment, with the compromises that are known now; none when the DID was not registered then.
    pub then: Vec<Option<DidEntry>>,
}

/// A list and its companions; each none when the ledger has no such list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListView {
    /// The list itself.
    pub own: Listed,
    /// `<list>-suspended`.
    pub suspended: Listed,
    /// `<list>-replaced`.
    pub replaced: Listed,
}

/// The version of a list that counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listed {
    /// The ledger has no list of this name.
    Absent,
    /// It came after the time asked about.
    Later,
    /// Its version at the time asked about, or the newest.
    Version(Box<StatusEntry>),
}

/// Everything that a verification needs of the ledger.
pub fn read<R: StateReader>(reader: &R, question: &Question) -> Result<LedgerView, StateError<R::Error>> {
    Ok(LedgerView {
        documents: documents(reader, question)?,
        standing: question.moments().into_iter().map(|at| standing(reader, question, at)).collect::<Result<_, _>>()?,
        schemas: schemas(reader, question)?,
        lists: lists(reader, question)?,
    })
}

/// The issuer's DID document.
pub fn documents<R: StateReader>(reader: &R, question: &Question) -> Result<Documents, StateError<R::Error>> {
    let then = |at| identity::as_of(reader, &question.issuer, at);
    Ok(Documents {
        newest: identity::newest(reader, &question.issuer)?,
        then: question.moments().into_iter().map(then).collect::<Result<_, _>>()?,
    })
}

/// The revisions of the schemas that were in force at issuance; the first, where a schema came later.
pub fn schemas<R: StateReader>(
    reader: &R,
    question: &Question,
) -> Result<BTreeMap<SchemaId, Option<SchemaEntry>>, StateError<R::Error>> {
    let mut found = BTreeMap::new();
    for scope in &question.scopes {
        let object = schema_registry::key(scope.schema);
        let mut revision = entry_at(reader, &object, question.schema_moment())?;
        if revision.is_none() && schema_registry::schema(reader, scope.schema)?.is_some() {
            revision = entry(reader, &object, 1)?;
        }
        found.insert(scope.schema, revision);
    }
    Ok(found)
}

/// The versions of the lists that count.
pub fn lists<R: StateReader>(
    reader: &R,
    question: &Question,
) -> Result<BTreeMap<Reference, ListView>, StateError<R::Error>> {
    let version = |name: Option<Reference>| {
        let Some(name) = name else { return Ok(Listed::Absent) };
        let newest = status::newest(reader, &question.issuer, &name)?;
        Ok(match (newest, question.at) {
            (None, _) => Listed::Absent,
            (Some(newest), None) => Listed::Version(Box::new(newest)),
            (Some(_), Some(at)) => status::as_of(reader, &question.issuer, &name, at)?
                .map_or(Listed::Later, |entry| Listed::Version(Box::new(entry))),
        })
    };
    let mut found = BTreeMap::new();
    for list in &question.lists {
        let view = ListView {
            own: version(Some(list.clone()))?,
            suspended: version(pointer::companion(list, pointer::SUSPENDED))?,
            replaced: version(pointer::companion(list, pointer::REPLACED))?,
        };
        found.insert(list.clone(), view);
    }
    Ok(found)
}
