//! All rows. Each file is one family of faults, and lists its own.

mod audit;
mod byzantine;
mod clock;
mod full;
mod haul;
mod kill;
mod links;
mod lost;
mod power;
mod rot;
mod sim;
mod stall;
mod starved;
mod syscalls;
mod upgrade;

use super::Row;

/// Every row, in the order they are run in: R1 first.
pub fn all() -> Vec<Row> {
    let families = [
        audit::ROWS, //
        byzantine::ROWS,
        clock::ROWS,
        full::ROWS,
        haul::ROWS,
        kill::ROWS,
        links::ROWS,
        lost::ROWS,
        power::ROWS,
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
