//! Credentials from outside: one binary, since linking costs more than running.

mod bounds;
mod carriers;
mod content;
mod formats;
mod properties;
mod reasons;
mod refusals;
mod tokens;
mod verify;
#[path = "../world/mod.rs"]
mod world;
