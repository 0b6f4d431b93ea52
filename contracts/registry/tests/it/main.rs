//! The state machine from outside: one binary, since linking costs more than running.

mod admission;
mod chain;
mod did;
mod dossiers;
mod issuers;
mod matrix;
mod members;
mod members_model;
mod model;
mod offices;
mod registry_model;
mod rejections;
#[expect(dead_code, reason = "what else a replay gives is for examples/determinism, which shares it")]
mod replay;
mod rules;
mod schemas;
mod state_vector;
mod status;
mod support;
mod tree;
