//! The formats in which verifiers read a status list, derived from its bits.
