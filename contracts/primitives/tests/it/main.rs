//! The primitives from outside: one binary, since linking costs more than running.

mod accreditation;
mod formats;
mod identity;
#[expect(unreachable_pub, reason = "it is public where it lives, in the library of the tests")]
#[path = "../../../../tests/src/vectors/judge.rs"]
mod judge;
mod limits;
mod rules;
mod state;
mod vectors;
