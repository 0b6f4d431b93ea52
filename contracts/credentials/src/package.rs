//! The diploma package: one file that verifies with no network, and says how old its status is.
//!
//! ```text
//! { "type": "testamur-diploma-package", "v": 1,
//!   "credential": "<text of the credential>",
//!   "receipt": { … },          the anchor's receipt (FORMATS "Receipt")
//!   "evidence": { … },         the ledger's state: issuer, accreditations, schema, status entries, under one header
//!   "lists": [ "<base64url of zlib of the bits>", … ] }
//! ```
