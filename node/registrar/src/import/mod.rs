//! What the university's books say, read into drafts: every fault with its row, its column and what to do.
//!
//! - INV-IMPORT-1: a row becomes a draft as a whole or not at all, and every row that does not is named.
//! - INV-IMPORT-2: nothing is guessed silently: an encoding that is told from letters, a date from a serial number are notes.

mod date;
mod map;
mod rows;
mod text;

use serde_json::Value;

pub use map::{Map, Source};

use crate::limits::{ROWS_MAX, TABLE_BYTES_MAX};
use crate::store::Draft;

/// What a file of graduates is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A table with a header.
    Csv,
    /// An array of objects: a member stands for a column, and `content` may hold the content itself.
    Json,
}

impl Kind {
    /// By a file's name and first bytes.
    pub fn of(name: &str, bytes: &[u8]) -> Self {
        let json = name.to_ascii_lowercase().ends_with(".json");
        let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
        if json || first == Some(&b'[') { Self::Json } else { Self::Csv }
    }
}

/// What is wrong with a row. It never repeats what a cell holds beyond what is needed to find it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
pub struct Fault {
    /// The row as a spreadsheet counts it: the header is row 1. Of JSON: the object, from 1.
    pub row: usize,
    /// The column; none when it is about the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub hint: String,
}

impl Fault {
    pub(crate) fn row(row: usize, problem: String, hint: &str) -> Self {
        Self { row, column: None, problem, hint: hint.to_owned() }
    }

    fn cell(row: usize, column: &str, problem: String, hint: &str) -> Self {
        Self { row, column: Some(column.to_owned()), problem, hint: hint.to_owned() }
    }
}

impl core::fmt::Display for Fault {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(f, "row {}", self.row)?;
        if let Some(column) = &self.column {
            write!(f, ", column {column:?}")?;
        }
        write!(f, ": {}", self.problem)?;
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

/// Why a file cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ImportError {
    /// Too large.
    #[error("the file has more than {TABLE_BYTES_MAX} bytes")]
    TooLarge,
    /// Too many rows.
    #[error("the file has more than {ROWS_MAX} rows")]
    TooManyRows,
    /// No header.
    #[error("the file is empty")]
    Empty,
    /// Bytes of no text.
    #[error("the file is no text: is it a spreadsheet itself?")]
    NotText,
    /// Not of its encoding.
    #[error("the file is not {0} throughout")]
    Encoding(&'static str),
    /// An encoding that is not read.
    #[error("encoding {0:?} is not read here")]
    UnknownEncoding(String),
    /// Not UTF-8, and not surely Windows-1252.
    #[error("the file is not UTF-8, and as Windows-1252 it holds {0:?}: which encoding is it?")]
    Doubtful(char),
    /// No delimiter.
    #[error("{0:?} cannot divide columns")]
    Delimiter(char),
    /// Not a table.
    #[error("the table cannot be read: {0}")]
    Table(String),
    /// A column's name twice.
    #[error("the header has column {0:?} twice")]
    DoubleColumn(String),
    /// Columns that the map names and the file lacks.
    #[error("the map names columns that the file does not have: {missing}; it has: {there}")]
    Columns {
        /// Those that are missing.
        missing: String,
        /// Those that are there.
        there: String,
    },
    /// Not JSON.
    #[error("the JSON cannot be read: {0}")]
    Json(String),
    /// Not a map.
    #[error("the map cannot be read: {0}")]
    Map(String),
    /// A member that no diploma has.
    #[error("the map names {0:?}, which is no member of a diploma; a text needs its language, such as title.en")]
    Member(String),
    /// No schema.
    #[error("the map's schema {0:?} is neither diploma, nor dangerous-goods, nor an id (z…)")]
    Schema(String),
}

impl ImportError {
    /// Stable slug.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Map(_) | Self::Member(_) | Self::Schema(_) | Self::Columns { .. } => "import.map",
            Self::Encoding(_) | Self::UnknownEncoding(_) | Self::Doubtful(_) | Self::NotText => "import.encoding",
            Self::TooLarge | Self::TooManyRows => "import.too-large",
            _ => "import.table",
        }
    }

    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            Self::TooLarge | Self::TooManyRows => "divide it",
            Self::NotText => "save it as CSV (UTF-8)",
            Self::Encoding(_) | Self::UnknownEncoding(_) | Self::Doubtful(_) => {
                "save it as CSV UTF-8, or say encoding = \"windows-1252\" in the map or --encoding, if that is what it is"
            }
            Self::Columns { .. } => "correct the names in the map; capital letters count",
            Self::DoubleColumn(_) => "give one of them another name",
            Self::Map(_) | Self::Member(_) | Self::Schema(_) => "correct the map",
            Self::Empty | Self::Delimiter(_) | Self::Table(_) | Self::Json(_) => "look at the file",
        }
    }
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct Import {
    /// Rows that can be issued, each with its number.
    pub drafts: Vec<(usize, Draft)>,
    /// What is wrong with the others.
    pub faults: Vec<Fault>,
    /// What somebody should look at.
    pub notes: Vec<String>,
    /// Rows in all, without empty ones.
    pub rows: usize,
    /// The encoding that it was read in.
    pub encoding: String,
}

/// Reads a file of graduates by a map.
pub fn read(bytes: &[u8], kind: Kind, map: &Map) -> Result<Import, ImportError> {
    if bytes.len() > TABLE_BYTES_MAX {
        return Err(ImportError::TooLarge);
    }
    let decoded = text::decode(bytes, map.encoding.as_deref())?;
    let mut notes = Vec::new();
    let (given, faults) = match kind {
        Kind::Csv => {
            let table = text::table(&decoded.text, map.delimiter)?;
            check_columns(map, &table.header)?;
            notes.push(format!("read as {}, columns divided by {:?}", decoded.encoding, table.delimiter));
            if decoded.guessed {
                notes.push(format!(
                    "the encoding was told from the letters: look at these\n  {}",
                    text::guessed(&table).join("\n  ")
                ));
            }
            let given =
                table.rows.into_iter().map(|(row, cells)| rows::Given::cells(row, &table.header, cells)).collect();
            (given, table.faults)
        }
        Kind::Json => {
            let items: Vec<Value> =
                serde_json::from_str(&decoded.text).map_err(|error| ImportError::Json(error.to_string()))?;
            if items.len() > ROWS_MAX {
                return Err(ImportError::TooManyRows);
            }
            rows::objects(items)
        }
    };
    let mut import = rows::read(given, map)?;
    import.rows += faults.iter().map(|fault| fault.row).collect::<std::collections::BTreeSet<_>>().len();
    import.faults.extend(faults);
    import.faults.sort();
    notes.append(&mut import.notes);
    Ok(Import { notes, encoding: decoded.encoding.to_owned(), ..import })
}

fn check_columns(map: &Map, header: &[String]) -> Result<(), ImportError> {
    let mut missing: Vec<&str> = map.named().filter(|name| !header.iter().any(|column| column == name)).collect();
    missing.sort_unstable();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    Err(ImportError::Columns { missing: missing.join(", "), there: header.join(", ") })
}

#[cfg(test)]
mod tests;
