//! What a record can change in a DID document.

use serde::{Deserialize, Serialize};

use super::{Grant, Relationship, Service};
use crate::did::Did;
use crate::key::Jwk;
use crate::units::UnixTime;

/// A key with its uses, as registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMethod {
    /// The public key; its thumbprint becomes the method's id.
    pub key: Jwk,
    /// What it may be used for, and when.
    pub grants: Vec<Grant>,
}

/// One change of a document. The changes of a record apply in order, all or none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "kebab-case", deny_unknown_fields)]
pub enum DidChange {
    /// Replaces what stands in the document beside keys and controllers (EBSI's base document).
    SetServices {
        /// The services from now on.
        services: Vec<Service>,
    },
    /// Lets another DID of the ledger change the document too.
    AddController {
        /// The DID.
        did: Did,
    },
    /// Takes that right away.
    RevokeController {
        /// The DID.
        did: Did,
    },
    /// Adds a key.
    AddMethod {
        /// The key.
        method: NewMethod,
    },
    /// Grants a use to a key that is there and neither revoked nor compromised.
    AddRelationship {
        /// The method's fragment.
        method: String,
        /// The grant.
        grant: Grant,
    },
    /// Ends every use of a key at the block's time.
    RevokeMethod {
        /// The method's fragment.
        method: String,
    },
    /// Ends every use of a key at a later time.
    ExpireMethod {
        /// The method's fragment.
        method: String,
        /// The end: after the block's time.
        not_after: UnixTime,
    },
    /// Puts a new key in the place of an old one, with the same uses; the old one goes on for a while.
    RollMethod {
        /// The old method's fragment.
        old: String,
        /// The new key.
        key: Jwk,
        /// When the new key's uses begin.
        not_before: UnixTime,
        /// When they end, if they do.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        not_after: Option<UnixTime>,
        /// When the old key's uses end: not before the block's time.
        old_not_after: UnixTime,
    },
    /// Says that a key may have been in other hands from a time on; that ends it, too.
    DeclareCompromised {
        /// The method's fragment.
        method: String,
        /// From when: not after the block's time.
        from: UnixTime,
    },
    /// Closes the document for ever: no key of it can be used from the block's time on.
    Deactivate {},
}

/// The relationships by which a record of everyday work is signed.
pub const EVERYDAY: &[Relationship] = &[Relationship::AssertionMethod, Relationship::CapabilityInvocation];
/// The relationship by which a record that changes a registry is signed.
pub const REGISTRY: &[Relationship] = &[Relationship::CapabilityInvocation];
