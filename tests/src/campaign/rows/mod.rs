//! All rows. Each file is one family of faults, and lists its own.

mod abuse;
mod audit;
mod bite;
mod byzantine;
mod clock;
mod fsync;
mod full;
mod haul;
mod kill;
mod links;
mod lost;
mod operators;
mod page;
mod parsers;
mod power;
mod rights;
mod rot;
mod sim;
mod stall;
mod starved;
mod syscalls;
mod upgrade;

use std::path::Path;

use super::Row;
use crate::harness::beside;

/// Every row, in the order they are run in: R1 first.
pub fn all() -> Vec<Row> {
    let families = [
        abuse::ROWS, //
        audit::ROWS,
        bite::ROWS,
        byzantine::ROWS,
        clock::ROWS,
        fsync::ROWS,
        full::ROWS,
        haul::ROWS,
        kill::ROWS,
        links::ROWS,
        lost::ROWS,
        operators::ROWS,
        page::ROWS,
        parsers::ROWS,
        power::ROWS,
        rights::ROWS,
        rot::ROWS,
        sim::ROWS,
        stall::ROWS,
        starved::ROWS,
        syscalls::ROWS,
        upgrade::ROWS,
    ];
    let mut rows = families.concat();
    rows.sort_by_key(|row| row.id.trim_start_matches('R').parse::<u32>().unwrap_or(u32::MAX));
    rows
}

/// The checkout.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the checkout")
}
