//! The page on which anybody checks a diploma or a document: the built files of `verifier-web`, embedded in this binary, served
//! or exported beside the configuration of one network.
//!
//! **Promises.** The bundle is the same for everybody and has one hash ([`Bundle::hash`]); what differs between deployments is
//! `network.json` ([`Network`]) and the policy that follows from it. Every answer carries the security headers of [`policy`]:
//! the page talks to its own host and to the nodes that were configured, to nobody else, whatever is put into it. A host that
//! changed a file shows another hash.
//!
//! **Absences.** Nothing that a visitor checks comes here: the page verifies by itself. No state, no cookies, no log of visits.
//! `index.html` is the same whatever follows the path's `#` or `?`: nothing of an address is read.

mod bundle;
mod export;
pub mod limits;
mod network;
pub mod policy;
mod routes;
mod service;

pub use bundle::{Bundle, BundleError, File};
pub use export::{ExportError, export};
pub use network::{Network, NetworkError, NodeAddress, NodeAddressError};
pub use routes::router;
pub use service::{PageConfig, PageError, Service};
