//! Official sample requests with the answers expected.

use serde::Serialize;

/// A sample.
#[derive(Debug, Serialize)]
pub(crate) struct Sample {
    /// Its name.
    pub(crate) name: &'static str,
    /// Its file.
    #[serde(skip)]
    pub(crate) bytes: &'static [u8],
}

/// All.
pub(crate) const SAMPLES: &[Sample] = &[];

#[derive(Serialize)]
pub(crate) struct List {
    samples: &'static [Sample],
}

/// What `GET /v1/samples` says.
pub(crate) fn list() -> List {
    List { samples: SAMPLES }
}
