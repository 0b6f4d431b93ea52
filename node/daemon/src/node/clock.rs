//! The node's own clock: it says when a proposal is made and how far ahead another's may be, never what is valid.

use std::time::{SystemTime, UNIX_EPOCH};

use testamur_primitives::units::UnixTime;

/// Now; 0 on a machine whose clock stands before 1970, where every live proposal is then "too early".
pub(crate) fn now() -> UnixTime {
    UnixTime(SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs()))
}
