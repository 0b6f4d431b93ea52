//! The subcommands, one a file.

#[cfg(feature = "node")]
pub(crate) mod backup;
#[cfg(feature = "node")]
pub(crate) mod check;
pub(crate) mod completions;
pub(crate) mod container;
#[cfg(feature = "node")]
pub(crate) mod dev;
#[cfg(feature = "node")]
pub(crate) mod did;
pub(crate) mod diploma;
#[cfg(feature = "node")]
pub(crate) mod export;
#[cfg(feature = "node")]
pub(crate) mod gateway;
#[cfg(feature = "node")]
pub(crate) mod genesis;
#[cfg(feature = "node")]
pub(crate) mod governance;
#[cfg(feature = "node")]
pub(crate) mod init;
#[cfg(feature = "node")]
pub(crate) mod join;
#[cfg(feature = "node")]
pub(crate) mod key;
pub(crate) mod network;
#[cfg(feature = "node")]
mod network_update;
#[cfg(feature = "node")]
pub(crate) mod notarise;
#[cfg(feature = "node")]
mod notarise_bulk;
#[cfg(feature = "node")]
pub(crate) mod onboard;
#[cfg(feature = "node")]
pub(crate) mod page;
pub(crate) mod receipt;
#[cfg(feature = "node")]
pub(crate) mod refresh;
#[cfg(feature = "node")]
pub(crate) mod restore;
#[cfg(feature = "node")]
pub(crate) mod run;
#[cfg(feature = "node")]
pub(crate) mod schema;
#[cfg(feature = "node")]
pub(crate) mod status;
#[cfg(feature = "node")]
pub(crate) mod trust;
#[cfg(feature = "node")]
pub(crate) mod validator;
#[cfg(feature = "node")]
pub(crate) mod verifier;
pub(crate) mod verify;
mod verify_folder;
