//! The subcommands, one a file.

#[cfg(feature = "node")]
pub(crate) mod check;
pub(crate) mod completions;
#[cfg(feature = "node")]
pub(crate) mod dev;
#[cfg(feature = "node")]
pub(crate) mod gateway;
#[cfg(feature = "node")]
pub(crate) mod genesis;
#[cfg(feature = "node")]
pub(crate) mod governance;
#[cfg(feature = "node")]
pub(crate) mod init;
#[cfg(feature = "node")]
pub(crate) mod key;
pub(crate) mod network;
#[cfg(feature = "node")]
pub(crate) mod notarise;
pub(crate) mod receipt;
#[cfg(feature = "node")]
pub(crate) mod run;
pub(crate) mod verify;
