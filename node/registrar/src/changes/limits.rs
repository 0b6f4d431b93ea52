//! Bounds of changes, each with its reason.

/// How long a proposal can be approved, in seconds: 30 days, a summer's leave. What it was made on may have changed since.
pub const PROPOSAL_LIFE_S: u64 = 30 * 24 * 3600;
/// How far another machine's clock may be ahead of this one's when it signed a consent.
pub const CONSENT_SKEW_S: u64 = 300;
/// Diplomas of one change: a whole graduation; the preview of more is read by nobody.
pub const CHANGE_DIPLOMAS_MAX: usize = 10_000;
/// Changes that wait for approval or are under way at once: each holds its rows in memory when it is listed.
pub const OPEN_CHANGES_MAX: usize = 100;
/// Persons of a desk, those who have left included.
pub const STAFF_MAX: usize = 1_024;
/// Characters of a person's name.
pub const PERSON_NAME_CHARS_MAX: usize = 64;
/// How often a list's next version is made when somebody else has published one in between.
pub const PUBLISH_ATTEMPTS_MAX: usize = 5;
