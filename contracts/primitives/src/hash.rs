//! 32-byte hashes, one type an idea, so that a header's hash is never taken for a record's id.

macro_rules! hash_types {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
        pub struct $name([u8; 32]);

        impl $name {
            /// All zero: stands for "none" where the format says so.
            pub const ZERO: Self = Self([0; 32]);

            /// Takes 32 bytes as they are.
            pub const fn from_bytes(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// Takes a slice of exactly 32 bytes.
            pub fn from_slice(bytes: &[u8]) -> Option<Self> {
                bytes.try_into().ok().map(Self)
            }

            /// The bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }
        }

        impl core::fmt::Display for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl core::fmt::Debug for $name {
            fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), hex::encode(self.0))
            }
        }

        impl core::str::FromStr for $name {
            type Err = $crate::codec::CodecError;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                $crate::hash::from_hex(text).map(Self)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = <String as serde::Deserialize>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

hash_types! {
    /// A node of an RFC 6962 tree, or a whole tree's root where no closer name exists.
    TreeHash;
    /// Hash of a network's genesis; names the network in every header and record.
    GenesisHash;
    /// Hash of a block's header.
    HeaderHash;
    /// SHA-256 of a record's JWS signing input: what records are compared by.
    RecordId;
    /// Root of the authenticated state tree.
    StateRoot;
    /// Hash of a validator set.
    ValidatorsHash;
    /// Hash of the network's parameters.
    ParametersHash;
    /// A validator's address: the hash of its registration, never of its key.
    Address;
    /// Name of an accreditation's place: 32 bytes of its accreditor's choice.
    AttributeId;
    /// Name of a credential schema: by EBSI's rule the hash of its text without annotations.
    SchemaId;
    /// SHA-256 of an attachment.
    AttachmentHash;
}

/// Exactly 64 lower-case hexadecimal digits.
pub(crate) fn from_hex(text: &str) -> Result<[u8; 32], crate::codec::CodecError> {
    let error = crate::codec::CodecError::Hex(32);
    if text.len() != 64 || text.bytes().any(|b| b.is_ascii_uppercase()) {
        return Err(error);
    }
    let mut bytes = [0; 32];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| error)?;
    Ok(bytes)
}
