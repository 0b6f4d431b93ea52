//! All rows. Each file is one family of faults, and lists its own.

mod abuse;
mod audit;
mod byzantine;
mod clock;
mod full;
mod haul;
mod kill;
mod links;
mod lost;
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

use std::path::{Path, PathBuf};

use super::Row;

/// Every row, in the order they are run in: R1 first.
pub fn all() -> Vec<Row> {
    let families = [
        abuse::ROWS, //
        audit::ROWS,
        byzantine::ROWS,
        clock::ROWS,
        full::ROWS,
        haul::ROWS,
        kill::ROWS,
        links::ROWS,
        lost::ROWS,
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

/// Another program of the same build: it stands beside this one, or above it when this one is a test.
///
/// # Panics
/// When it was not built.
fn beside(name: &str) -> PathBuf {
    let own = std::env::current_exe().expect("a program has a path");
    let built = own.ancestors().map(|folder| folder.join(name)).find(|path| path.is_file());
    built.unwrap_or_else(|| {
        panic!("there is no {name} above {}: cargo build --release --workspace --bins", own.display())
    })
}

/// The checkout.
fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests lie in the checkout")
}
