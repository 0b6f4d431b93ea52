//! Official sample requests with the answers expected, under a trust file of their own. `cargo run -p testamur-verifier --example
//! samples` makes them.

/// What `GET /v1/samples` says: names, times to ask about, verdicts and reasons.
pub(crate) const INDEX: &str = include_str!("../samples/index.json");

macro_rules! samples {
    ($($name:literal),* $(,)?) => {
        /// Each file by its name; the trust file among them.
        pub(crate) const SAMPLES: &[(&str, &[u8])] = &[$(($name, include_bytes!(concat!("../samples/", $name)))),*];
    };
}

samples![
    "trust.json",
    "valid-sd-jwt",
    "valid-vcdm2",
    "valid-ebsi",
    "valid-without-receipt",
    "revoked",
    "suspended",
    "altered",
    "stale",
    "bare-credential",
    "link",
    "not-a-credential",
];
