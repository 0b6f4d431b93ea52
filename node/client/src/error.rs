//! What can go wrong between a client and a server, sorted by the one question that matters for a notarisation:
//! may the request have had an effect?

use serde::Deserialize;

/// A server's refusal (RFC 9457 problem details), reduced to what is printed and switched on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Problem {
    /// HTTP status.
    #[serde(default)]
    pub status: u16,
    /// Stable slug, such as `record.too-old`.
    #[serde(default)]
    pub code: String,
    /// What kind of problem it is.
    #[serde(default)]
    pub title: String,
    /// What happened, for a person.
    #[serde(default)]
    pub detail: String,
}

impl Problem {
    /// The sentence to show.
    pub fn message(&self) -> &str {
        if self.detail.is_empty() { &self.title } else { &self.detail }
    }

    /// Whether the same request may succeed later or elsewhere.
    pub fn is_retryable(&self) -> bool {
        matches!(self.status, 408 | 425 | 429 | 500 | 502 | 503 | 504 | 507)
    }
}

impl core::fmt::Display for Problem {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "{} ({}, HTTP {})", self.message(), self.code, self.status)
    }
}

/// Why a request brought no answer of the expected kind.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The address is not one that this client can use.
    #[error("{url:?} is not an address of a server: expected http://host:port or https://host:port ({reason})")]
    Address {
        /// The text given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client could not be made: no usable TLS roots, a bad extra root certificate.
    #[error("the HTTP client could not be set up: {0}")]
    Setup(String),
    /// No connection: nothing was sent.
    #[error("{server} cannot be reached: {reason}")]
    Unreachable {
        /// The server's address, without path or query.
        server: String,
        /// The operating system's or TLS's words.
        reason: String,
    },
    /// The connection broke or the time ran out after the request was sent: it may have had its effect.
    #[error("{server} gave no answer: {reason}")]
    Interrupted {
        /// The server's address, without path or query.
        server: String,
        /// What happened.
        reason: String,
    },
    /// The server refused.
    #[error("{server} refused: {problem}")]
    Refused {
        /// The server's address, without path or query.
        server: String,
        /// Its words.
        problem: Problem,
    },
    /// The server answered with something that is not what the API says.
    #[error("{server} answered with something unexpected: {reason}")]
    BadAnswer {
        /// The server's address, without path or query.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A local file or stream failed while it was sent.
    #[error("reading the document failed: {0}")]
    Document(std::io::Error),
}

impl ClientError {
    /// Stable slug.
    pub fn code(&self) -> &str {
        match self {
            Self::Address { .. } => "client.address",
            Self::Setup(_) => "client.setup",
            Self::Unreachable { .. } => "client.unreachable",
            Self::Interrupted { .. } => "client.interrupted",
            Self::Refused { problem, .. } => &problem.code,
            Self::BadAnswer { .. } => "client.bad-answer",
            Self::Document(_) => "client.document",
        }
    }

    /// Whether the same request may succeed later or at another server.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Interrupted { .. } | Self::BadAnswer { .. } => true,
            Self::Refused { problem, .. } => problem.is_retryable(),
            Self::Address { .. } | Self::Setup(_) | Self::Document(_) => false,
        }
    }

    /// Whether the request may have had its effect although there is no good answer.
    ///
    /// A 504 says that the server took the request and did not see its end, as does `request.timeout`; 500 and 502 say
    /// nothing, so they count too.
    pub fn may_have_taken_effect(&self) -> bool {
        match self {
            Self::Interrupted { .. } | Self::BadAnswer { .. } => true,
            Self::Refused { problem, .. } => {
                matches!(problem.status, 500 | 502 | 504) || problem.code == "request.timeout"
            }
            Self::Address { .. } | Self::Setup(_) | Self::Unreachable { .. } | Self::Document(_) => false,
        }
    }

    /// Whether this process must stop: never, a client holds no state that a failure could spoil.
    pub fn is_fatal(&self) -> bool {
        false
    }
}
