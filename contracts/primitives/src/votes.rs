//! The bytes of everything that a validator signs with its consensus key, apart from non-nil precommits
//! (those are cosignatures, see [`crate::checkpoint`]). Each starts with its own first line, so that no signature of
//! one kind is ever one of another kind (INV-VOTE-1); each binds network, validator, height and round.
//!
//! ```text
//! testamur/<kind>/v1          kind: prevote, precommit-nil, proposal, proof-of-validator
//! <origin>
//! validator <hex address>
//! height <N>
//! round <N>
//! value <base64 of 80 bytes | nil>      prevote, proposal
//! pol-round <N | none>                  proposal
//! peer <base64 of the libp2p peer id>   proof-of-validator, in place of height and round
//! ```

use crate::checkpoint::{ValueId, value_text};
use crate::codec::base64_standard;
use crate::genesis::Origin;
use crate::hash::Address;
use crate::units::{Height, Round};

/// A prevote for a value or nil.
pub fn prevote_message(
    origin: &Origin,
    validator: Address,
    height: Height,
    round: Round,
    value: Option<&ValueId>,
) -> Vec<u8> {
    let value = value_text(value);
    format!("testamur/prevote/v1\n{origin}\nvalidator {validator}\nheight {height}\nround {round}\nvalue {value}\n")
        .into_bytes()
}

/// A precommit for nil.
pub fn precommit_nil_message(origin: &Origin, validator: Address, height: Height, round: Round) -> Vec<u8> {
    format!("testamur/precommit-nil/v1\n{origin}\nvalidator {validator}\nheight {height}\nround {round}\n").into_bytes()
}

/// A proposal of a value, first made in `pol_round` if that is given.
pub fn proposal_message(
    origin: &Origin,
    validator: Address,
    height: Height,
    round: Round,
    value: &ValueId,
    pol_round: Option<Round>,
) -> Vec<u8> {
    let value = value_text(Some(value));
    let pol = pol_round.map_or_else(|| "none".to_owned(), |r| r.to_string());
    format!("testamur/proposal/v1\n{origin}\nvalidator {validator}\nheight {height}\nround {round}\nvalue {value}\npol-round {pol}\n").into_bytes()
}

/// The claim that a libp2p peer is a validator.
pub fn proof_of_validator_message(origin: &Origin, validator: Address, peer_id: &[u8]) -> Vec<u8> {
    let peer = base64_standard(peer_id);
    format!("testamur/proof-of-validator/v1\n{origin}\nvalidator {validator}\npeer {peer}\n").into_bytes()
}
