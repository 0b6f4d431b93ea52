//! Faults of the disk: one validator's files without a network (`testamur-faults commits`), faults at its system calls, and
//! a disk that loses power.

mod commits;
mod platter;
mod strace;

pub(super) use commits::{Commits, End};
pub(super) use platter::{FileSystem, Platter, available as platter_available};
pub(super) use strace::{Fault, Site, Strace, hit, sites};
