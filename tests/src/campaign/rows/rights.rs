//! R23, R25: nobody may more than he may: every route and every act with every key and every fault of a token; and
//! governance against a naive model.

use std::process::Command;

use super::{beside, repository};
use crate::campaign::{Lane, Row, Run};

mod callers;
mod records;
mod table;

pub(super) const ROWS: &[Row] = &[
    // Its count is that of mutated records; the cells are all tried, whatever it is.
    Row { id: "R23", name: "who-may-what", lane: Lane::Networks, ci: 20_000, release: 1_000_000, attack: who_may_what },
    Row { id: "R25", name: "governance", lane: Lane::Machine, ci: 100_000, release: 1_000_000, attack: governance },
];

/// What the node's routes may be asked for, each once, with something in each place.
pub(super) fn paths_of_the_node() -> Vec<String> {
    let of_node = |right: &table::Right| right.service == "node" && right.method == "GET";
    // The stream of blocks does not end by itself.
    let ends = |right: &table::Right| right.path != "/v1/blocks/stream";
    let rights = table::rights().into_iter().filter(|right| of_node(right) && ends(right));
    rights.map(|right| callers::concrete(right.path)).collect()
}

fn who_may_what(run: &mut Run) {
    callers::every_route(run);
    records::every_fault(run);
    let mut contracts = Command::new(beside("models"));
    run.outside(contracts.current_dir(repository()).arg("rights"));
}

/// Half of the sequences on proposals, approvals and roles, a tenth on sets of validators and operators, which take longer.
fn governance(run: &mut Run) {
    for (kind, count) in [("governance", run.count - run.count / 10), ("members", run.count / 10)] {
        let mut model = Command::new(beside("models"));
        run.outside(model.current_dir(repository()).args([kind, &count.to_string(), &run.seed.to_string()]));
    }
}
