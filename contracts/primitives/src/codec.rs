//! Canonical text forms: RFC 8785 JSON (JCS), base64 and decimals, each with exactly one accepted spelling.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest as _, Sha256};

use crate::limits::JSON_DEPTH_MAX;

/// Why bytes are not the one canonical form of a value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// Not JSON of the expected shape: a missing, unknown, doubled or mistyped member.
    #[error("not the expected JSON: {0}")]
    Json(String),
    /// JSON, but not its own RFC 8785 form.
    #[error("the JSON is not in canonical form (RFC 8785): no spaces, members in order, shortest numbers")]
    NotCanonical,
    /// JSON nested deeper than allowed.
    #[error("JSON nested deeper than allowed")]
    TooDeep,
    /// Not canonical base64.
    #[error("not canonical base64")]
    Base64,
    /// Not canonical lower-case hexadecimal of the right length.
    #[error("not lower-case hexadecimal of {0} bytes")]
    Hex(usize),
    /// Not a canonical decimal.
    #[error("not a canonical decimal")]
    Decimal,
}

/// The RFC 8785 bytes of a value. Formats here hold only objects, arrays, strings, booleans and integers ≤ 2⁵³−1.
///
/// # Panics
/// Never for this crate's types: they serialise without maps of non-string keys and without floats.
pub fn canonical<T: Serialize>(value: &T) -> Vec<u8> {
    serde_json_canonicalizer::to_vec(value).expect("formats of this crate have no float and no odd map key")
}

/// Reads a value that must be its own canonical JSON: typed, unknown and doubled members refused by the type.
pub fn from_canonical<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    from_canonical_within(bytes, JSON_DEPTH_MAX)
}

/// As [`from_canonical`], with another bound on nesting.
pub fn from_canonical_within<T: Serialize + DeserializeOwned>(bytes: &[u8], depth_max: usize) -> Result<T, CodecError> {
    check_depth(bytes, depth_max)?;
    let value: T = serde_json::from_slice(bytes).map_err(|e| CodecError::Json(e.to_string()))?;
    if canonical(&value) != bytes {
        return Err(CodecError::NotCanonical);
    }
    Ok(value)
}

/// Reads strict JSON (any spacing), bounded in depth. The type must deny unknown members.
pub fn from_strict<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    check_depth(bytes, JSON_DEPTH_MAX)?;
    serde_json::from_slice(bytes).map_err(|e| CodecError::Json(e.to_string()))
}

/// As [`from_strict`], for formats that may be laid out in any spacing but are otherwise their canonical form: serde would also
/// take `null` for a member that is not there, and a list of its members for an object.
pub fn from_any_spacing<T: Serialize + DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let value: T = from_strict(bytes)?;
    let read = |e: serde_json::Error| CodecError::Json(e.to_string());
    let given: serde_json::Value = serde_json::from_slice(bytes).map_err(read)?;
    if serde_json::to_value(&value).map_err(read)? != given {
        return Err(CodecError::Json("null for a member, or a list for an object".into()));
    }
    Ok(value)
}

/// Bounds nesting before any recursive parser sees the bytes.
pub(crate) fn check_depth(bytes: &[u8], depth_max: usize) -> Result<(), CodecError> {
    let (mut depth, mut in_string, mut escaped) = (0usize, false, false);
    for &byte in bytes {
        if in_string {
            match byte {
                _ if escaped => escaped = false,
                b'\\' => escaped = true,
                b'"' => in_string = false,
                _ => {}
            }
            continue;
        }
        match byte {
            b'"' => in_string = true,
            b'{' | b'[' => {
                depth += 1;
                if depth > depth_max {
                    return Err(CodecError::TooDeep);
                }
            }
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    Ok(())
}

/// Unpadded base64url (RFC 7515 §2).
pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Decodes unpadded base64url; padding, other alphabets and non-zero trailing bits are refused.
pub fn from_base64url(text: &str) -> Result<Vec<u8>, CodecError> {
    URL_SAFE_NO_PAD.decode(text).map_err(|_| CodecError::Base64)
}

/// Padded standard base64 (signed notes, tile proofs).
pub fn base64_standard(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Decodes padded standard base64; missing padding and non-zero trailing bits are refused.
pub fn from_base64_standard(text: &str) -> Result<Vec<u8>, CodecError> {
    STANDARD.decode(text).map_err(|_| CodecError::Base64)
}

/// A decimal without sign, space or leading zero.
pub fn from_decimal(text: &str) -> Result<u64, CodecError> {
    let canonical =
        !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if !canonical {
        return Err(CodecError::Decimal);
    }
    text.parse().map_err(|_| CodecError::Decimal)
}

/// SHA-256 of the concatenated parts.
pub fn sha256(parts: &[&[u8]]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update(part);
    }
    hasher.finalize().into()
}

/// Bytes as unpadded base64url in JSON.
pub mod serde_base64url {
    use serde::{Deserialize as _, Deserializer, Serializer};

    /// Writes bytes as base64url.
    pub fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::base64url(bytes))
    }

    /// Reads base64url.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        super::from_base64url(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn depth_is_bounded_and_strings_do_not_count() {
        let deep = "[".repeat(9) + &"]".repeat(9);
        assert_eq!(from_strict::<serde_json::Value>(deep.as_bytes()), Err(CodecError::TooDeep));
        assert!(from_strict::<serde_json::Value>(br#"["[[[[[[[[[[[\"[["]"#).is_ok());
        let very_deep = "[".repeat(1_000_000);
        assert_eq!(from_strict::<serde_json::Value>(very_deep.as_bytes()), Err(CodecError::TooDeep));
    }

    #[derive(Debug, PartialEq, Serialize, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Members {
        a: u8,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        b: Option<u8>,
    }

    #[test]
    fn spacing_is_free_and_nothing_else() {
        for good in [r#"{"a":1,"b":2}"#, "{ \"b\" : 2,\n\"a\":1 }"] {
            assert_eq!(from_any_spacing(good.as_bytes()), Ok(Members { a: 1, b: Some(2) }), "{good}");
        }
        assert_eq!(from_any_spacing(br#"{"a":1}"#), Ok(Members { a: 1, b: None }));
        for bad in [r#"{"a":1,"b":null}"#, "[1,2]", r#"{"a":1,"a":1}"#, r#"{"a":1.0}"#, r#"{"a":1,"c":1}"#, "{}"] {
            assert!(matches!(from_any_spacing::<Members>(bad.as_bytes()), Err(CodecError::Json(_))), "{bad}");
        }
    }

    #[test]
    fn only_canonical_spellings_pass() {
        for bad in ["", "01", "+1", "-1", " 1", "1 ", "1.0", "18446744073709551616"] {
            assert_eq!(from_decimal(bad), Err(CodecError::Decimal), "{bad:?}");
        }
        assert_eq!(from_decimal("18446744073709551615"), Ok(u64::MAX));
        for bad in ["QQ==", "QR", "Q", "Q+8", "QQ\n"] {
            assert_eq!(from_base64url(bad), Err(CodecError::Base64), "{bad:?}");
        }
        assert_eq!(from_base64url("QQ"), Ok(b"A".to_vec()));
        for bad in ["QQ", "QR==", "Q_8="] {
            assert_eq!(from_base64_standard(bad), Err(CodecError::Base64), "{bad:?}");
        }
    }
}
