//! The C2SP `tlog-policy` of an epoch: by it, existing transparency-log tools accept this network's checkpoints.

use core::fmt::Write as _;

use crate::epoch::ValidatorSet;
use crate::genesis::Origin;
use crate::note::{TYPE_COSIGNATURE_V1, TYPE_ED25519, VerifierKey};

/// The policy text: every node's log key, every validator as a witness, a group with the quorum's threshold.
pub fn tlog_policy(origin: &Origin, set: &ValidatorSet) -> String {
    let mut policy = String::new();
    for validator in set.validators() {
        let key = VerifierKey { name: origin.as_str().into(), signature_type: TYPE_ED25519, key: *validator.log_key() };
        writeln!(policy, "log {key}").expect("writing to a string");
    }
    let mut names = String::new();
    for validator in set.validators() {
        let key = VerifierKey {
            name: validator.name.clone(),
            signature_type: TYPE_COSIGNATURE_V1,
            key: *validator.consensus_key(),
        };
        writeln!(policy, "witness {} {key}", validator.name).expect("writing to a string");
        write!(names, " {}", validator.name).expect("writing to a string");
    }
    writeln!(policy, "group validators {}{names}", set.quorum()).expect("writing to a string");
    policy.push_str("quorum validators\n");
    policy
}
