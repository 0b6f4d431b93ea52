//! From a file's bytes to text and rows: encodings and delimiters as spreadsheets write them.

use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE, WINDOWS_1252};

use super::{Fault, ImportError};
use crate::limits::{CELL_BYTES_MAX, COLUMNS_MAX, ROWS_MAX};

/// How many cells with guessed letters are shown.
const SHOWN: usize = 5;

/// A text, and how it was read.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) text: String,
    pub(super) encoding: &'static str,
    /// Whether the encoding was guessed from the letters.
    pub(super) guessed: bool,
}

/// Reads a file's bytes as the declared encoding, or as what they show to be.
pub(super) fn decode(bytes: &[u8], declared: Option<&str>) -> Result<Text, ImportError> {
    let read = |encoding: &'static Encoding, bytes: &[u8], guessed| {
        let text = encoding.decode_without_bom_handling_and_without_replacement(bytes);
        text.map(|text| Text { text: text.into_owned(), encoding: encoding.name(), guessed })
    };
    // A byte order mark says it, whatever was declared.
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return read(encoding, &bytes[mark..], false).ok_or(ImportError::Encoding(encoding.name()));
    }
    match declared {
        Some(label) => {
            let known = [UTF_8, WINDOWS_1252, UTF_16LE, UTF_16BE];
            let encoding = Encoding::for_label(label.as_bytes()).filter(|encoding| known.contains(encoding));
            let encoding = encoding.ok_or_else(|| ImportError::UnknownEncoding(label.to_owned()))?;
            read(encoding, bytes, false).ok_or(ImportError::Encoding(encoding.name()))
        }
        None if bytes.iter().take(4_096).any(|byte| *byte == 0) => Err(ImportError::NotText),
        None => match read(UTF_8, bytes, false) {
            Some(text) => Ok(text),
            None => {
                let text = read(WINDOWS_1252, bytes, true).ok_or(ImportError::Encoding(WINDOWS_1252.name()))?;
                let odd = text.text.chars().find(|c| !c.is_ascii() && !is_western_letter(*c));
                odd.map_or(Ok(text), |odd| Err(ImportError::Doubtful(odd)))
            }
        },
    }
}

/// Letters of Western languages and the marks that word processors set: what a name in Windows-1252 holds. Of another eight-bit
/// encoding (Greek, Cyrillic, Central European) some byte falls elsewhere sooner or later, though not surely.
fn is_western_letter(c: char) -> bool {
    c.is_alphabetic() && c != 'ª' && c != 'º' && c != 'µ' && c != 'ƒ' && c != 'ˆ' || "‘’“”–—…«»€\u{a0}".contains(c)
}

/// A table: a header and rows of as many cells.
#[derive(Debug)]
pub(super) struct Table {
    pub(super) header: Vec<String>,
    /// The row as a spreadsheet counts it (the header is row 1), and its cells.
    pub(super) rows: Vec<(usize, Vec<String>)>,
    pub(super) delimiter: char,
    pub(super) faults: Vec<Fault>,
}

/// Reads a table.
pub(super) fn table(text: &str, declared: Option<char>) -> Result<Table, ImportError> {
    // What spreadsheets write before the header to say how they divide.
    let (said, text) = match text.strip_prefix("sep=") {
        Some(rest) => (rest.chars().next(), rest.split_once('\n').map_or("", |(_, rest)| rest)),
        None => (None, text),
    };
    let delimiter = declared.or(said).unwrap_or_else(|| detect(text));
    let byte = u8::try_from(delimiter).map_err(|_| ImportError::Delimiter(delimiter))?;
    let mut reader = csv::ReaderBuilder::new();
    let mut reader = reader.delimiter(byte).has_headers(false).flexible(true).from_reader(text.as_bytes());
    let mut records = reader.records();
    let unreadable = |error: csv::Error| ImportError::Table(error.to_string());
    let header = records.next().ok_or(ImportError::Empty)?.map_err(unreadable)?;
    let header: Vec<String> = header.iter().map(|name| name.trim().to_owned()).collect();
    if header.len() > COLUMNS_MAX {
        return Err(ImportError::Table(format!("it has more than {COLUMNS_MAX} columns")));
    }
    for (place, name) in header.iter().enumerate() {
        if !name.is_empty() && header[..place].contains(name) {
            return Err(ImportError::DoubleColumn(name.clone()));
        }
    }
    let mut table = Table { header, rows: Vec::new(), delimiter, faults: Vec::new() };
    for (number, record) in records.enumerate() {
        let row = number + 2;
        let record = record.map_err(unreadable)?;
        if record.iter().all(|cell| cell.trim().is_empty()) {
            continue;
        }
        if table.rows.len() >= ROWS_MAX {
            return Err(ImportError::TooManyRows);
        }
        let more = record.iter().skip(table.header.len()).any(|cell| !cell.trim().is_empty());
        if record.len() < table.header.len() || more {
            table.faults.push(Fault::row(
                row,
                format!("has {} cells, and the header has {}", record.len(), table.header.len()),
                "look for a missing delimiter or quotation mark",
            ));
            continue;
        }
        if let Some(place) = record.iter().position(|cell| cell.len() > CELL_BYTES_MAX) {
            let column = table.header.get(place).cloned().unwrap_or_default();
            table.faults.push(Fault::cell(
                row,
                &column,
                "is too long for a cell".into(),
                "look for a missing quotation mark",
            ));
            continue;
        }
        let cells = record.iter().take(table.header.len()).map(|cell| cell.trim().to_owned()).collect();
        table.rows.push((row, cells));
    }
    Ok(table)
}

/// What divides the header most often.
fn detect(text: &str) -> char {
    let mut counts = [(',', 0), (';', 0), ('\t', 0)];
    let mut quoted = false;
    for c in text.chars() {
        match c {
            '"' => quoted = !quoted,
            '\n' if !quoted => break,
            c if !quoted => {
                counts.iter_mut().filter(|(delimiter, _)| *delimiter == c).for_each(|(_, count)| *count += 1)
            }
            _ => {}
        }
    }
    // The first of equals: a table of one column has no delimiter, and a comma does no harm.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(',', |(delimiter, _)| *delimiter)
}

/// Cells whose letters rest on a guess, for people to look at.
pub(super) fn guessed(table: &Table) -> Vec<String> {
    let cells = table.rows.iter().flat_map(|(row, cells)| cells.iter().zip(&table.header).map(move |cell| (row, cell)));
    let odd = cells.filter(|(_, (cell, _))| !cell.is_ascii());
    odd.take(SHOWN).map(|(row, (cell, column))| format!("row {row}, column {column:?}: {cell}")).collect()
}
