//! Heights, rounds, indexes, sizes and times, each its own type; all at most 2⁵³−1 in JSON.

use serde::{Deserialize, Deserializer, Serialize};

use crate::limits::JSON_INTEGER_MAX;

macro_rules! unit_types {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug, Serialize)]
        pub struct $name(pub u64);

        impl $name {
            /// The number.
            pub const fn get(self) -> u64 {
                self.0
            }

            /// One more.
            ///
            /// # Panics
            /// On overflow: at a thousand a second that is 500 million years away.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0 + 1)
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                json_integer(deserializer).map(Self)
            }
        }
    )*};
}

unit_types! {
    /// Height of a block; genesis is 0.
    Height;
    /// Number of records in the log.
    LogSize;
    /// Zero-based place of a record in the log.
    LogIndex;
    /// Seconds since 1970-01-01T00:00:00Z, leap seconds not counted (POSIX).
    UnixTime;
    /// Number of validator-set changes before a height; genesis is epoch 0.
    Epoch;
}

/// A round of a height, from 0.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Debug)]
pub struct Round(pub u32);

impl core::fmt::Display for Round {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        self.0.fmt(f)
    }
}

/// Reads an integer that every JSON implementation keeps exactly.
pub(crate) fn json_integer<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let number = u64::deserialize(deserializer)?;
    if number > JSON_INTEGER_MAX {
        return Err(serde::de::Error::custom("integer above 2^53-1"));
    }
    Ok(number)
}
