//! A list of digests into a container: cut into chunks of lines by one thread, read and hashed by many, written in order.
//!
//! **CSV**: a heading with the columns `digest` (or `hash`), and if wanted `alg` and `name`; others are passed over. Without a
//! heading the first column is the digest and the second, if there is one, the name. Separated by `,` `;` or tab; quoted
//! fields as in RFC 4180, but no field goes over lines. **NDJSON**: an object a line, with the same members. Digests in
//! hexadecimal. The first byte tells which it is.
//!
//! One bad line and nothing is notarised: what it would have said is not known, and the list is easily mended. Every line is
//! a document, in order; nothing is sorted, doubles stay.

use std::borrow::Cow;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;

use serde::Deserialize;
use testamur_primitives::commitment::{DigestAlgorithm, Form};

use crate::bulk::chunk::{Columns, Sealed};
use crate::bulk::error::{BulkError, RowFault};
use crate::bulk::folder::{Ended, Progress};
use crate::bulk::pool::{self, Feed};
use crate::bulk::writer::Writer;
use crate::limits::{
    CHUNK_ENTRIES, LINE_BYTES_MAX, LIST_READ_BYTES, LIST_WINDOW_A_THREAD, NAME_BYTES_MAX, ROW_FAULTS_MAX,
};

/// A list and how it is read.
#[derive(Debug, Clone)]
pub struct List {
    /// Where it is.
    pub path: PathBuf,
    /// Threads that read lines and hash.
    pub threads: usize,
}

/// Lines of one chunk.
struct Block {
    /// Line of the file of the first one, from 1.
    row: u64,
    /// Place in the batch of the first one.
    index: u64,
    lines: Vec<u8>,
    /// Whether a line is longer than any may be; it is the last one here and not whole.
    cut: bool,
}

type Outcome = Result<Sealed, Failed>;

enum Failed {
    Rows(Vec<RowFault>),
    Other(BulkError),
}

impl List {
    /// Reads the whole list into the container, which holds no documents yet, or holds what a killed run left: lists are
    /// begun again, since reading one takes seconds and nobody can say whether it is still the same.
    pub fn add_to(&self, writer: &mut Writer, progress: &Progress) -> Result<Ended, BulkError> {
        writer.restart()?;
        let file = File::open(&self.path).map_err(BulkError::io("opening", &self.path))?;
        let settings = writer.settings().clone();
        let mut reader = Lines::new(file, &self.path);
        let shape = reader.shape(settings.alg)?;
        let ended = std::thread::scope(|scope| {
            let read = |block: Block| shape.read(&block, settings.form);
            let window = LIST_WINDOW_A_THREAD * self.threads.max(1);
            let (feed, results) = pool::start(scope, self.threads, window, read);
            scope.spawn(move || {
                if let Err(error) = reader.feed(&feed, progress) {
                    feed.push_done(Err(Failed::Other(error)));
                }
            });
            let mut faults = Vec::new();
            for outcome in results {
                match outcome {
                    Ok(sealed) if faults.is_empty() => {
                        writer.append(&sealed, b"")?;
                        Progress::add(&progress.documents, sealed.count() as u64);
                    }
                    Ok(_) => {}
                    Err(Failed::Other(error)) => return Err(error),
                    Err(Failed::Rows(rows)) => faults.extend(rows),
                }
                if faults.len() >= ROW_FAULTS_MAX {
                    break;
                }
            }
            faults.truncate(ROW_FAULTS_MAX);
            if faults.is_empty() { Ok(()) } else { Err(BulkError::Rows(faults)) }
        });
        ended?;
        progress.walked.store(true, Ordering::Relaxed);
        Ok(if progress.stopped() { Ended::Stopped } else { Ended::Whole })
    }
}

/// Reads a file in blocks of whole lines.
struct Lines<'a> {
    file: File,
    path: &'a Path,
    buffer: Vec<u8>,
    /// How much of the buffer was looked through for line ends.
    scanned: usize,
    row: u64,
    ended: bool,
}

impl<'a> Lines<'a> {
    fn new(file: File, path: &'a Path) -> Self {
        Self { file, path, buffer: Vec::new(), scanned: 0, row: 1, ended: false }
    }

    /// Reads on; the end is noted, not an error.
    fn more(&mut self) -> Result<(), BulkError> {
        let taken = (&mut self.file).take(LIST_READ_BYTES as u64).read_to_end(&mut self.buffer);
        let count = taken.map_err(BulkError::io("reading", self.path))?;
        self.ended = count < LIST_READ_BYTES;
        Ok(())
    }

    /// Looks at the beginning: which kind of list, which columns. The heading is taken away.
    fn shape(&mut self, algorithm: DigestAlgorithm) -> Result<Shape, BulkError> {
        self.more()?;
        if self.buffer.starts_with(b"\xef\xbb\xbf") {
            self.buffer.drain(..3);
        }
        let line = self.buffer.split(|byte| *byte == b'\n').next().unwrap_or_default();
        if line.trim_ascii_start().first() == Some(&b'{') {
            return Ok(Shape { algorithm, kind: Kind::Json });
        }
        let count = |byte: u8| line.iter().filter(|b| **b == byte).count();
        let separator = [b',', b';', b'\t'].into_iter().max_by_key(|byte| (count(*byte), *byte == b','));
        let separator = separator.expect("three to choose from");
        let mut heading = Vec::new();
        let read = fields(line.trim_ascii_end(), separator, |_, field| {
            heading.push(String::from_utf8_lossy(&field).trim().to_ascii_lowercase());
            Ok(())
        });
        let place = |names: &[&str]| heading.iter().position(|field| names.contains(&field.as_str()));
        let Some(digest) = place(&["digest", "hash"]).filter(|_| read.is_ok()) else {
            return Ok(Shape {
                algorithm,
                kind: Kind::Csv { separator, digest: 0, alg: None, name: Some(1), heading: false },
            });
        };
        let kind = Kind::Csv { separator, digest, alg: place(&["alg"]), name: place(&["name"]), heading: true };
        let taken = (line.len() + 1).min(self.buffer.len());
        self.buffer.drain(..taken);
        self.row = 2;
        Ok(Shape { algorithm, kind })
    }

    /// Hands on all lines, 1,024 at a time.
    fn feed(&mut self, feed: &Feed<Block, Outcome>, progress: &Progress) -> Result<(), BulkError> {
        let (mut index, mut lines, mut begin, mut line) = (0u64, 0usize, 0usize, 0usize);
        loop {
            while let Some(end) = memchr::memchr(b'\n', &self.buffer[self.scanned..]) {
                self.scanned += end + 1;
                let cut = self.scanned - line > LINE_BYTES_MAX;
                line = self.scanned;
                lines += 1;
                if lines == CHUNK_ENTRIES || cut {
                    let block = Block { row: self.row, index, lines: self.buffer[begin..line].to_vec(), cut };
                    if cut || !self.push(feed, progress, block, lines) {
                        return Ok(());
                    }
                    (index, self.row) = (index + lines as u64, self.row + lines as u64);
                    (lines, begin) = (0, line);
                }
            }
            self.scanned = self.buffer.len();
            let cut = self.scanned - line > LINE_BYTES_MAX;
            if self.ended || cut {
                let rest = self.scanned > line;
                if lines > 0 || rest {
                    let block = Block { row: self.row, index, lines: self.buffer[begin..].to_vec(), cut };
                    self.push(feed, progress, block, lines + usize::from(rest));
                }
                return Ok(());
            }
            self.buffer.drain(..begin);
            (self.scanned, line, begin) = (self.scanned - begin, line - begin, 0);
            self.more()?;
        }
    }

    fn push(&self, feed: &Feed<Block, Outcome>, progress: &Progress, block: Block, lines: usize) -> bool {
        Progress::add(&progress.found, lines as u64);
        Progress::add(&progress.bytes, block.lines.len() as u64);
        feed.push(block) && !progress.stopped()
    }
}

/// How lines are read.
#[derive(Debug, Clone, Copy)]
struct Shape {
    algorithm: DigestAlgorithm,
    kind: Kind,
}

#[derive(Debug, Clone, Copy)]
enum Kind {
    Json,
    Csv { separator: u8, digest: usize, alg: Option<usize>, name: Option<usize>, heading: bool },
}

/// A line of NDJSON; other members are passed over.
#[derive(Deserialize)]
struct JsonLine<'a> {
    #[serde(borrow, alias = "hash")]
    digest: Cow<'a, str>,
    #[serde(default)]
    alg: Option<DigestAlgorithm>,
    #[serde(borrow, default)]
    name: Option<Cow<'a, str>>,
}

/// A column from 1, and what is wrong there.
type LineFault = (usize, String);

impl Shape {
    fn read(&self, block: &Block, form: Form) -> Outcome {
        let mut columns = Columns::default();
        let mut faults = Vec::new();
        let lines = block.lines.strip_suffix(b"\n").unwrap_or(&block.lines);
        let mut rows = lines.split(|byte| *byte == b'\n').zip(block.row..).peekable();
        while let Some((line, row)) = rows.next() {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let read = if block.cut && rows.peek().is_none() {
                Err((LINE_BYTES_MAX, format!("the line has more than {LINE_BYTES_MAX} bytes")))
            } else if line.trim_ascii().is_empty() {
                Err((1, "the line is empty".into()))
            } else {
                self.line(line, &mut columns)
            };
            if let Err((column, reason)) = read {
                faults.push(RowFault { row, column, reason });
                if faults.len() >= ROW_FAULTS_MAX {
                    break;
                }
            }
        }
        if !faults.is_empty() {
            return Err(Failed::Rows(faults));
        }
        columns.seal(block.index, form).map_err(Failed::Other)
    }

    fn line(&self, line: &[u8], columns: &mut Columns) -> Result<(), LineFault> {
        match self.kind {
            Kind::Json => self.json(line, columns),
            Kind::Csv { separator, digest, alg, name, heading } => {
                let (mut shown, mut named, mut algorithm) = (None, Cow::Borrowed(&b""[..]), self.algorithm);
                let mut count = 0;
                fields(line, separator, |column, field| {
                    let place = Some(count);
                    count += 1;
                    if place == Some(digest) {
                        shown = Some((column, field));
                    } else if place == alg {
                        let text = field.trim_ascii();
                        if !text.is_empty() {
                            algorithm = std::str::from_utf8(text)
                                .ok()
                                .and_then(DigestAlgorithm::from_name)
                                .ok_or_else(|| (column, "no digest algorithm that is known here".to_owned()))?;
                        }
                    } else if place == name {
                        if field.len() > NAME_BYTES_MAX {
                            return Err((column, format!("the name has more than {NAME_BYTES_MAX} bytes")));
                        }
                        named = field;
                    } else if !heading {
                        return Err((column, "a column that no heading names".into()));
                    }
                    Ok(())
                })?;
                let (column, text) =
                    shown.ok_or_else(|| (line.len() + 1, "the digest's column is missing".to_owned()))?;
                push(columns, algorithm, &text, column, &named)
            }
        }
    }

    fn json(&self, line: &[u8], columns: &mut Columns) -> Result<(), LineFault> {
        let read: JsonLine<'_> = serde_json::from_slice(line).map_err(|error| {
            let said = error.to_string();
            // The line of a line says nothing.
            let said = said.rsplit_once(" at line ").map_or(said.as_str(), |(before, _)| before);
            (error.column().max(1), format!("not the JSON that is expected: {said}"))
        })?;
        let name = read.name.unwrap_or_default();
        let at = |text: &str| memchr::memmem::find(line, text.as_bytes()).map_or(1, |at| at + 1);
        if name.len() > NAME_BYTES_MAX {
            return Err((at(&name), format!("the name has more than {NAME_BYTES_MAX} bytes")));
        }
        let text = read.digest.as_bytes();
        push(columns, read.alg.unwrap_or(self.algorithm), text, 0, name.as_bytes())
            .map_err(|(column, reason)| (at(&read.digest) + column, reason))
    }
}

fn push(
    columns: &mut Columns,
    algorithm: DigestAlgorithm,
    text: &[u8],
    column: usize,
    name: &[u8],
) -> Result<(), LineFault> {
    let mut bytes = [0; 64];
    let expected = algorithm.digest_bytes();
    let led = text.len() - text.trim_ascii_start().len();
    let text = text.trim_ascii();
    if text.len() != 2 * expected {
        let reason =
            format!("a {} digest has {} hexadecimal digits, not {}", algorithm.name(), 2 * expected, text.len());
        return Err((column + led, reason));
    }
    for (place, (pair, byte)) in text.chunks_exact(2).zip(&mut bytes).enumerate() {
        let (high, low) = (DIGITS[usize::from(pair[0])], DIGITS[usize::from(pair[1])]);
        if high > 15 || low > 15 {
            return Err((column + led + 2 * place + usize::from(high <= 15), "no hexadecimal digit".into()));
        }
        *byte = high << 4 | low;
    }
    columns.push(algorithm, &bytes[..expected], name).map_err(|error| (column, error.to_string()))
}

/// Value of each hexadecimal digit, 255 for what is none.
const DIGITS: [u8; 256] = {
    let mut table = [255; 256];
    let mut i = 0;
    while i < 10 {
        table[b'0' as usize + i] = i as u8;
        i += 1;
    }
    let mut i = 0;
    while i < 6 {
        table[b'a' as usize + i] = 10 + i as u8;
        table[b'A' as usize + i] = 10 + i as u8;
        i += 1;
    }
    table
};

/// Splits a line (RFC 4180); `each` gets the column of the field's first byte, from 1, and the field.
fn fields<'a>(
    line: &'a [u8],
    separator: u8,
    mut each: impl FnMut(usize, Cow<'a, [u8]>) -> Result<(), LineFault>,
) -> Result<(), LineFault> {
    let mut at = 0;
    loop {
        let rest = &line[at..];
        if rest.first() != Some(&b'"') {
            let end = memchr::memchr(separator, rest).unwrap_or(rest.len());
            each(at + 1, Cow::Borrowed(&rest[..end]))?;
            at += end;
        } else {
            let (mut field, mut end) = (Vec::new(), 1);
            loop {
                let Some(quote) = memchr::memchr(b'"', &rest[end..]) else {
                    return Err((at + 1, "a quoted field that does not end on its line".into()));
                };
                field.extend_from_slice(&rest[end..end + quote]);
                end += quote + 1;
                if rest.get(end) != Some(&b'"') {
                    break;
                }
                field.push(b'"');
                end += 1;
            }
            each(at + 2, Cow::Owned(field))?;
            at += end;
        }
        match line.get(at) {
            None => return Ok(()),
            Some(byte) if *byte == separator => at += 1,
            Some(_) => return Err((at + 1, "text behind a quoted field".into())),
        }
    }
}
