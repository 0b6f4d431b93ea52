//! The eight steps, their reasons, and the verdict.

pub mod reason;
mod report;

pub use reason::Reason;
pub use report::{Outcome, Report, StepName, StepReport, Verdict};
