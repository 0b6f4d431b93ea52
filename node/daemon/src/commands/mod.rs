//! The subcommands, one a file.

pub(crate) mod completions;
pub(crate) mod network;
pub(crate) mod receipt;
pub(crate) mod verify;
