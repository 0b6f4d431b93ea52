//! A university's desk: it issues, corrects and withdraws diplomas, and keeps what it issued.
//!
//! **Promises.** An award is issued once: the archive knows it by its id in the university's books before anything is signed, and
//! a job that was broken off anywhere goes on where it stood, with the credentials and the one record that it had signed. What
//! was issued is delivered again byte for byte. Nothing personal stands readable in the archive, and none goes to the ledger:
//! what goes there is one salted root a job.
//!
//! **Absences.** No printing, no command line, no HTTP: commands and the gateway use it alike. No clock of the ledger's: when a
//! diploma was issued, its anchor's block says.

pub mod changes;
mod confirm;
#[cfg(any(test, feature = "testing"))]
pub mod fake;
pub mod files;
pub mod folder;
pub mod import;
pub mod issue;
pub mod job;
pub mod ledger;
pub mod limits;
pub mod lists;
pub mod office;
mod pack;
mod sign;
pub mod staff;
pub mod store;
mod work;

pub use files::{Delivery, File, format_name};
pub use job::{Finished, Options};
pub use ledger::{Final, Handed, Ledger};
pub use office::{Office, OfficeError, Progress, Settings};
pub use store::Edition;
