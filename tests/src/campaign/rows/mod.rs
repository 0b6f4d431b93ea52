//! All rows. Each file is one family of faults, and lists its own.

mod kill;
mod links;

use super::Row;

/// Every row, in the order they are run in.
pub fn all() -> Vec<Row> {
    [kill::ROWS, links::ROWS].concat()
}
