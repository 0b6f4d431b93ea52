//! Attached files of PDFs by any program.
//!
//! The reader ignores cross-reference tables and streams: it walks through the file and takes every object that it meets, in plain
//! sight or in an object stream, the last of a number counting, as programs do that repair damaged files. That is all that finding
//! attached files takes; it reads files whose tables are broken (mail gateways do that), and it is so little that another
//! implementation can do exactly the same. Objects within streams of other kinds are never looked at.
//!
//! A file specification is any dictionary with an `/EF`; its name is `/UF`, else `/F`; its file the stream that `/EF` names, stored
//! plain or deflated. Encrypted PDFs are refused.
//!
//! **Bounds.** All work is paid from a [`Budget`] that is a multiple of the file's length, whatever the file says of itself: bytes
//! parsed, values made, bytes inflated. Nesting is bounded; nothing recurses over references.

use std::collections::BTreeMap;

use miniz_oxide::inflate::decompress_to_vec_zlib_with_limit;
use testamur_credentials::limits::ATTACHMENT_BYTES_MAX;

use super::File;
use crate::OpenError;
use crate::limits::{PDF_DEPTH_MAX, PDF_FILES_MAX, PDF_INFLATED_BYTES_MAX, PDF_OBJECTS_MAX, PDF_VALUES_MAX};

/// Whether it is a PDF: the header stands within the first kilobyte.
pub(super) fn is(bytes: &[u8]) -> bool {
    let head = &bytes[..bytes.len().min(1024)];
    find(head, b"%PDF-").is_some() && !bytes.trim_ascii_start().starts_with(b"{")
}

/// The attached files.
pub(super) fn attached(bytes: &[u8]) -> Result<Vec<File>, OpenError> {
    let mut file = Objects { budget: Budget::of(bytes), found: BTreeMap::new() };
    file.walk(bytes)?;
    file.attached()
}

/// A value of the few kinds that matter here.
#[derive(Debug, Clone, PartialEq)]
enum Value<'a> {
    Integer(i64),
    Name(Vec<u8>),
    Text(Vec<u8>),
    List(Vec<Value<'a>>),
    Dictionary(Dictionary<'a>),
    /// The bytes as they stand in the file, with their dictionary.
    Stream(Dictionary<'a>, &'a [u8]),
    Reference(u32),
    /// Null, booleans, fractions.
    Other,
}

type Dictionary<'a> = BTreeMap<Vec<u8>, Value<'a>>;

/// What is left to spend on a file.
struct Budget {
    steps: usize,
    values: usize,
    inflated: usize,
}

impl Budget {
    /// Each byte may be parsed a few times (an object that turns out to be none is walked through again).
    fn of(bytes: &[u8]) -> Self {
        Self { steps: bytes.len() * 8 + 64 * 1024, values: PDF_VALUES_MAX, inflated: PDF_INFLATED_BYTES_MAX }
    }

    fn step(&mut self, bytes: usize) -> Result<(), OpenError> {
        self.steps = self.steps.checked_sub(bytes).ok_or_else(|| damaged("it takes too long to read"))?;
        Ok(())
    }

    fn value(&mut self) -> Result<(), OpenError> {
        self.values = self.values.checked_sub(1).ok_or_else(|| damaged("it has too many values"))?;
        Ok(())
    }

    fn inflate(&mut self, bytes: &[u8], most: usize) -> Result<Option<Vec<u8>>, OpenError> {
        let most = most.min(self.inflated);
        match decompress_to_vec_zlib_with_limit(bytes, most) {
            Ok(content) => {
                self.inflated -= content.len();
                self.steps += content.len().saturating_mul(2);
                Ok(Some(content))
            }
            Err(error) if error.status == miniz_oxide::inflate::TINFLStatus::HasMoreOutput => {
                Err(damaged("it inflates beyond the bounds"))
            }
            Err(_) => Ok(None),
        }
    }
}

struct Objects<'a> {
    budget: Budget,
    found: BTreeMap<u32, Value<'a>>,
}

impl<'a> Objects<'a> {
    /// Takes every object, front to back.
    fn walk(&mut self, bytes: &'a [u8]) -> Result<(), OpenError> {
        let mut at = 0;
        while let Some(next) = find(&bytes[at..], b"obj") {
            let keyword = at + next;
            at = keyword + 3;
            let Some(number) = number_before(bytes, keyword) else { continue };
            let mut parser = Parser { bytes, at, budget: &mut self.budget };
            let Some(value) = parser.value(PDF_DEPTH_MAX)? else { continue };
            let after = parser.at;
            at = after;
            let value = match value {
                Value::Dictionary(dictionary) => match stream_after(bytes, after, &dictionary, &mut self.budget)? {
                    Some((content, end)) => {
                        at = end;
                        Value::Stream(dictionary, content)
                    }
                    None => Value::Dictionary(dictionary),
                },
                other => other,
            };
            self.take(number, value)?;
        }
        let mut at = 0;
        while let Some(next) = find(&bytes[at..], b"trailer") {
            at += next + b"trailer".len();
            let mut parser = Parser { bytes, at, budget: &mut self.budget };
            if let Some(Value::Dictionary(trailer)) = parser.value(PDF_DEPTH_MAX)? {
                refuse_encrypted(&trailer)?;
            }
        }
        Ok(())
    }

    fn take(&mut self, number: u32, value: Value<'a>) -> Result<(), OpenError> {
        if let Value::Stream(dictionary, content) = &value {
            match dictionary.get(&b"Type"[..]) {
                Some(Value::Name(kind)) if kind == b"XRef" => refuse_encrypted(dictionary)?,
                Some(Value::Name(kind)) if kind == b"ObjStm" => {
                    for (number, value) in members(dictionary, content, &mut self.budget)? {
                        self.keep(number, value)?;
                    }
                }
                _ => {}
            }
        }
        self.keep(number, value)
    }

    fn keep(&mut self, number: u32, value: Value<'a>) -> Result<(), OpenError> {
        self.found.insert(number, value);
        if self.found.len() > PDF_OBJECTS_MAX {
            return Err(damaged("it has too many objects"));
        }
        Ok(())
    }

    /// The files that specifications name, each stream once.
    fn attached(mut self) -> Result<Vec<File>, OpenError> {
        let mut streams: Vec<(u32, String, bool)> = Vec::new();
        for value in self.found.values() {
            specifications(value, PDF_DEPTH_MAX, &mut |dictionary| {
                let Some(Value::Dictionary(embedded)) = self.resolved(dictionary.get(&b"EF"[..])) else { return };
                let stream = [&b"UF"[..], b"F"].into_iter().find_map(|key| match embedded.get(key) {
                    Some(Value::Reference(number)) => Some(*number),
                    _ => None,
                });
                let name = [&b"UF"[..], b"F"].into_iter().find_map(|key| match self.resolved(dictionary.get(key)) {
                    Some(Value::Text(text)) => Some(readable(text)),
                    _ => None,
                });
                if let Some(stream) = stream
                    && streams.iter().all(|(known, ..)| *known != stream)
                    && streams.len() < PDF_FILES_MAX
                {
                    let source =
                        matches!(dictionary.get(&b"AFRelationship"[..]), Some(Value::Name(name)) if name == b"Source");
                    streams.push((stream, name.unwrap_or_default(), source));
                }
            });
        }
        let mut files = Vec::new();
        for (number, name, source) in streams {
            let Some(Value::Stream(dictionary, content)) = self.found.get(&number) else { continue };
            if let Some(content) = plain(dictionary, content, ATTACHMENT_BYTES_MAX, &mut self.budget)? {
                files.push(File { name, bytes: content, source });
            }
        }
        Ok(files)
    }

    /// A value, through one reference.
    fn resolved<'b>(&'b self, value: Option<&'b Value<'a>>) -> Option<&'b Value<'a>> {
        match value {
            Some(Value::Reference(number)) => self.found.get(number),
            other => other,
        }
    }
}

/// Dictionaries with an `/EF`, in a value and its members.
fn specifications<'b, 'a>(value: &'b Value<'a>, depth: usize, visit: &mut impl FnMut(&'b Dictionary<'a>)) {
    match value {
        Value::Dictionary(dictionary) | Value::Stream(dictionary, _) => {
            if dictionary.contains_key(&b"EF"[..]) {
                visit(dictionary);
            }
            if depth > 0 {
                dictionary.values().for_each(|value| specifications(value, depth - 1, visit));
            }
        }
        Value::List(values) if depth > 0 => values.iter().for_each(|value| specifications(value, depth - 1, visit)),
        _ => {}
    }
}

fn refuse_encrypted(trailer: &Dictionary<'_>) -> Result<(), OpenError> {
    if trailer.contains_key(&b"Encrypt"[..]) {
        Err(damaged("it is encrypted: save it without a password"))
    } else {
        Ok(())
    }
}

/// The number of `N G obj`, looking back from the keyword.
fn number_before(bytes: &[u8], keyword: usize) -> Option<u32> {
    // Ten digits, five digits, and white space around them.
    let head = &bytes[keyword.saturating_sub(32)..keyword];
    let head = strip_space(head)?;
    let generation = head.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    let head = strip_space(&head[..head.len() - generation])?;
    let digits = head.iter().rev().take_while(|b| b.is_ascii_digit()).count();
    if generation == 0 || digits == 0 || digits > 10 {
        return None;
    }
    std::str::from_utf8(&head[head.len() - digits..]).ok()?.parse().ok()
}

fn strip_space(bytes: &[u8]) -> Option<&[u8]> {
    let end = bytes.iter().rposition(|b| !is_space(*b))? + 1;
    (end < bytes.len()).then_some(&bytes[..end])
}

/// The bytes of the stream that begins here, and where it ends. The length that the dictionary gives is believed only if
/// `endstream` follows; otherwise the first `endstream` ends it.
fn stream_after<'a>(
    bytes: &'a [u8],
    at: usize,
    dictionary: &Dictionary<'_>,
    budget: &mut Budget,
) -> Result<Option<(&'a [u8], usize)>, OpenError> {
    let rest = &bytes[at..];
    let space = rest.iter().take_while(|b| is_space(**b)).count();
    let Some(after) = rest[space..].strip_prefix(b"stream") else { return Ok(None) };
    let data = after
        .strip_prefix(b"\r\n")
        .or_else(|| after.strip_prefix(b"\n"))
        .or_else(|| after.strip_prefix(b"\r"))
        .unwrap_or(after);
    let begin = bytes.len() - data.len();
    if let Some(Value::Integer(length)) = dictionary.get(&b"Length"[..])
        && let Ok(length) = usize::try_from(*length)
        && let Some(tail) = data.get(length..)
        && tail.trim_ascii_start().starts_with(b"endstream")
    {
        return Ok(Some((&data[..length], begin + length)));
    }
    let Some(end) = find(data, b"endstream") else {
        budget.step(data.len())?;
        return Ok(None);
    };
    budget.step(end)?;
    let content = &data[..end];
    let content = content.strip_suffix(b"\r\n").or_else(|| content.strip_suffix(b"\n")).unwrap_or(content);
    Ok(Some((content, begin + end)))
}

/// The content of a stream that is stored plain or deflated; `None` for other filters.
fn plain(
    dictionary: &Dictionary<'_>,
    content: &[u8],
    most: usize,
    budget: &mut Budget,
) -> Result<Option<Vec<u8>>, OpenError> {
    let filter = match dictionary.get(&b"Filter"[..]) {
        None | Some(Value::Other) => return Ok((content.len() <= most).then(|| content.to_vec())),
        Some(Value::Name(name)) => name,
        Some(Value::List(names)) => match names.as_slice() {
            [] => return Ok((content.len() <= most).then(|| content.to_vec())),
            [Value::Name(name)] => name,
            _ => return Ok(None),
        },
        Some(_) => return Ok(None),
    };
    if filter != b"FlateDecode" && filter != b"Fl" {
        return Ok(None);
    }
    // Predictors are for pictures and tables.
    if matches!(dictionary.get(&b"DecodeParms"[..]), Some(Value::Dictionary(parameters)) if parameters.contains_key(&b"Predictor"[..]))
    {
        return Ok(None);
    }
    budget.inflate(content, most)
}

/// The objects of an object stream.
fn members(
    dictionary: &Dictionary<'_>,
    content: &[u8],
    budget: &mut Budget,
) -> Result<Vec<(u32, Value<'static>)>, OpenError> {
    let Some(content) = plain(dictionary, content, PDF_INFLATED_BYTES_MAX, budget)? else { return Ok(Vec::new()) };
    let (Some(Value::Integer(count)), Some(Value::Integer(first))) =
        (dictionary.get(&b"N"[..]), dictionary.get(&b"First"[..]))
    else {
        return Ok(Vec::new());
    };
    let (Ok(count), Ok(first)) = (usize::try_from(*count), usize::try_from(*first)) else { return Ok(Vec::new()) };
    let mut head = Parser { bytes: &content, at: 0, budget };
    let mut places = Vec::new();
    // Each pair takes three bytes at least: a count beyond that is a lie.
    for _ in 0..count.min(content.len() / 3) {
        let (Some(Value::Integer(number)), Some(Value::Integer(offset))) = (head.value(0)?, head.value(0)?) else {
            break;
        };
        if let (Ok(number), Ok(offset)) = (u32::try_from(number), usize::try_from(offset)) {
            places.push((number, offset));
        }
    }
    let mut objects = Vec::new();
    for (number, offset) in places {
        let Some(at) = first.checked_add(offset).filter(|at| *at < content.len()) else { continue };
        let mut parser = Parser { bytes: &content, at, budget };
        if let Some(value) = parser.value(PDF_DEPTH_MAX)? {
            objects.push((number, owned(value)));
        }
    }
    Ok(objects)
}

/// Without streams: an object stream holds none.
fn owned(value: Value<'_>) -> Value<'static> {
    match value {
        Value::Integer(number) => Value::Integer(number),
        Value::Name(name) => Value::Name(name),
        Value::Text(text) => Value::Text(text),
        Value::List(values) => Value::List(values.into_iter().map(owned).collect()),
        Value::Dictionary(dictionary) => {
            Value::Dictionary(dictionary.into_iter().map(|(key, value)| (key, owned(value))).collect())
        }
        Value::Reference(number) => Value::Reference(number),
        Value::Stream(..) | Value::Other => Value::Other,
    }
}

/// Reads values; `None` where there is none. Every byte it consumes is paid.
struct Parser<'a, 'b> {
    bytes: &'a [u8],
    at: usize,
    budget: &'b mut Budget,
}

impl<'a> Parser<'a, '_> {
    fn value(&mut self, depth: usize) -> Result<Option<Value<'a>>, OpenError> {
        self.budget.value()?;
        self.space()?;
        let Some(first) = self.peek(0) else { return Ok(None) };
        match first {
            b'<' if self.peek(1) == Some(b'<') => self.dictionary(depth),
            b'<' => self.hexadecimal(),
            b'(' => self.literal(),
            b'[' => self.list(depth),
            b'/' => Ok(Some(Value::Name(self.name()?))),
            b'0'..=b'9' | b'+' | b'-' | b'.' => self.number(),
            b'a'..=b'z' => {
                let word = self.while_regular()?;
                Ok(matches!(word, b"null" | b"true" | b"false").then_some(Value::Other))
            }
            _ => Ok(None),
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.bytes.get(self.at + ahead).copied()
    }

    fn advance(&mut self, bytes: usize) -> Result<(), OpenError> {
        self.at += bytes;
        self.budget.step(bytes)
    }

    /// White space and comments.
    fn space(&mut self) -> Result<(), OpenError> {
        while let Some(byte) = self.peek(0) {
            if byte == b'%' {
                let line = self.bytes[self.at..].iter().take_while(|b| !matches!(b, b'\n' | b'\r')).count();
                self.advance(line)?;
            } else if is_space(byte) {
                self.advance(1)?;
            } else {
                break;
            }
        }
        Ok(())
    }

    fn while_regular(&mut self) -> Result<&'a [u8], OpenError> {
        let rest = &self.bytes[self.at..];
        let length = rest.iter().take_while(|b| !is_space(**b) && !b"()<>[]{}/%".contains(*b)).count();
        self.advance(length)?;
        Ok(&rest[..length])
    }

    /// A number, or `N G R`.
    fn number(&mut self) -> Result<Option<Value<'a>>, OpenError> {
        let word = self.while_regular()?;
        let Some(number) = integer(word) else {
            let fraction = word.iter().all(|b| b.is_ascii_digit() || b"+-.".contains(b));
            return Ok(fraction.then_some(Value::Other));
        };
        // Look ahead without paying: at most a few bytes, and only after a number.
        let rest = self.bytes.get(self.at..self.bytes.len().min(self.at + 24)).unwrap_or_default();
        let reference = || {
            let space = rest.iter().take_while(|b| is_space(**b)).count();
            let digits = rest[space..].iter().take_while(|b| b.is_ascii_digit()).count();
            let after = &rest[space + digits..];
            let gap = after.iter().take_while(|b| is_space(**b)).count();
            let ends = after.get(gap + 1).is_none_or(|b| is_space(*b) || b"()<>[]{}/%".contains(b));
            (space > 0 && digits > 0 && gap > 0 && after.get(gap) == Some(&b'R') && ends)
                .then_some(space + digits + gap + 1)
        };
        match (u32::try_from(number), reference()) {
            (Ok(number), Some(length)) => {
                self.advance(length)?;
                Ok(Some(Value::Reference(number)))
            }
            _ => Ok(Some(Value::Integer(number))),
        }
    }

    fn name(&mut self) -> Result<Vec<u8>, OpenError> {
        self.advance(1)?;
        let raw = self.while_regular()?;
        let mut name = Vec::with_capacity(raw.len());
        let mut rest = raw;
        while let Some((byte, after)) = rest.split_first() {
            let escape = (*byte == b'#')
                .then(|| after.get(..2).and_then(|two| Some(digit(two[0])? * 16 + digit(two[1])?)))
                .flatten();
            name.push(escape.unwrap_or(*byte));
            rest = if escape.is_some() { &after[2..] } else { after };
        }
        Ok(name)
    }

    fn list(&mut self, depth: usize) -> Result<Option<Value<'a>>, OpenError> {
        self.advance(1)?;
        let mut values = Vec::new();
        loop {
            self.space()?;
            if self.peek(0) == Some(b']') {
                self.advance(1)?;
                return Ok(Some(Value::List(values)));
            }
            let Some(inner) = depth.checked_sub(1) else { return Ok(None) };
            let Some(value) = self.value(inner)? else { return Ok(None) };
            values.push(value);
        }
    }

    fn dictionary(&mut self, depth: usize) -> Result<Option<Value<'a>>, OpenError> {
        self.advance(2)?;
        let mut members = Dictionary::new();
        loop {
            self.space()?;
            if self.peek(0) == Some(b'>') && self.peek(1) == Some(b'>') {
                self.advance(2)?;
                return Ok(Some(Value::Dictionary(members)));
            }
            if self.peek(0) != Some(b'/') {
                return Ok(None);
            }
            let key = self.name()?;
            let Some(inner) = depth.checked_sub(1) else { return Ok(None) };
            let Some(value) = self.value(inner)? else { return Ok(None) };
            members.insert(key, value);
        }
    }

    fn hexadecimal(&mut self) -> Result<Option<Value<'a>>, OpenError> {
        self.advance(1)?;
        let mut digits = Vec::new();
        while let Some(byte) = self.peek(0) {
            self.advance(1)?;
            match digit(byte) {
                Some(value) => digits.push(value),
                None if byte == b'>' => {
                    let pair = |pair: &[u8]| pair[0] * 16 + pair.get(1).copied().unwrap_or(0);
                    return Ok(Some(Value::Text(digits.chunks(2).map(pair).collect())));
                }
                None if is_space(byte) => {}
                None => return Ok(None),
            }
        }
        Ok(None)
    }

    fn literal(&mut self) -> Result<Option<Value<'a>>, OpenError> {
        self.advance(1)?;
        let mut text = Vec::new();
        let mut open = 1;
        while let Some(byte) = self.peek(0) {
            self.advance(1)?;
            match byte {
                b'(' => open += 1,
                b')' => {
                    open -= 1;
                    if open == 0 {
                        return Ok(Some(Value::Text(text)));
                    }
                }
                b'\\' => {
                    self.escape(&mut text)?;
                    continue;
                }
                _ => {}
            }
            text.push(byte);
        }
        Ok(None)
    }

    fn escape(&mut self, text: &mut Vec<u8>) -> Result<(), OpenError> {
        let Some(byte) = self.peek(0) else { return Ok(()) };
        if (b'0'..=b'7').contains(&byte) {
            let mut value = 0u32;
            for _ in 0..3 {
                let Some(octal @ b'0'..=b'7') = self.peek(0) else { break };
                value = value * 8 + u32::from(octal - b'0');
                self.advance(1)?;
            }
            text.push((value & 0xff) as u8);
            return Ok(());
        }
        self.advance(1)?;
        match byte {
            b'n' => text.push(b'\n'),
            b'r' => text.push(b'\r'),
            b't' => text.push(b'\t'),
            b'b' => text.push(8),
            b'f' => text.push(12),
            // A line that goes on.
            b'\n' => {}
            b'\r' => {
                if self.peek(0) == Some(b'\n') {
                    self.advance(1)?;
                }
            }
            other => text.push(other),
        }
        Ok(())
    }
}

fn integer(word: &[u8]) -> Option<i64> {
    if word.len() > 12 {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

fn is_space(byte: u8) -> bool {
    matches!(byte, 0 | b'\t' | b'\n' | 0x0c | b'\r' | b' ')
}

/// A file name for people: UTF-16 or UTF-8 with their marks, else one byte a letter; a path's last part, no control characters.
fn readable(text: &[u8]) -> String {
    let decoded = if let Some(units) = text.strip_prefix(b"\xfe\xff") {
        let units: Vec<u16> = units.chunks_exact(2).map(|two| u16::from_be_bytes([two[0], two[1]])).collect();
        String::from_utf16_lossy(&units)
    } else if let Some(text) = text.strip_prefix(b"\xef\xbb\xbf") {
        String::from_utf8_lossy(text).into_owned()
    } else {
        text.iter().map(|byte| char::from(*byte)).collect()
    };
    let last = decoded.rsplit(['/', '\\']).next().unwrap_or_default();
    last.chars().filter(|c| !c.is_control()).take(200).collect()
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

fn damaged(why: &str) -> OpenError {
    OpenError::Container(why.to_owned())
}
