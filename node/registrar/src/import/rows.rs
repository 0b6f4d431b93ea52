//! A row and a map make a draft.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map as Object, Value, json};
use testamur_credentials::content::{self, Diploma, DriverCertificate};
use testamur_primitives::did::Did;

use super::map::{Kind, Map, Member, Source, jurisdiction};
use super::{Fault, Import, ImportError, date};
use crate::store::{AwardId, Draft, Page};

/// A row as it was given: texts by column, and of JSON the content itself.
pub(super) struct Given {
    row: usize,
    cells: BTreeMap<String, String>,
    content: Object<String, Value>,
}

impl Given {
    pub(super) fn cells(row: usize, header: &[String], cells: Vec<String>) -> Self {
        Self { row, cells: header.iter().cloned().zip(cells).collect(), content: Object::new() }
    }

    fn source<'a>(&'a self, source: &'a Source) -> (&'a str, &'a str) {
        match source {
            Source::Column(name) => (name, self.cells.get(name).map_or("", String::as_str)),
            Source::Text { text } => ("", text),
        }
    }
}

/// Objects as rows; what is none is a fault.
pub(super) fn objects(items: Vec<Value>) -> (Vec<Given>, Vec<Fault>) {
    let (mut given, mut faults) = (Vec::new(), Vec::new());
    'items: for (number, item) in items.into_iter().enumerate() {
        let row = number + 1;
        let Value::Object(members) = item else {
            faults.push(Fault::row(row, "is no object".into(), "write { … } for each graduate"));
            continue;
        };
        let mut one = Given { row, cells: BTreeMap::new(), content: Object::new() };
        for (name, value) in members {
            let text = match (name.as_str(), value) {
                ("content", Value::Object(content)) => {
                    one.content = content;
                    continue;
                }
                (_, Value::Null) => continue,
                (_, Value::String(text)) => text.trim().to_owned(),
                (_, Value::Number(number)) if number.is_u64() => number.to_string(),
                _ => {
                    let hint = "write texts in quotation marks, also decimals; lists and objects only under content";
                    faults.push(Fault::cell(row, &name, "is neither a text nor a whole number".into(), hint));
                    continue 'items;
                }
            };
            one.cells.insert(name, text);
        }
        given.push(one);
    }
    (given, faults)
}

/// Reads all rows.
pub(super) fn read(given: Vec<Given>, map: &Map) -> Result<Import, ImportError> {
    let mut import = Import {
        drafts: Vec::new(),
        faults: Vec::new(),
        notes: Vec::new(),
        rows: given.len(),
        encoding: String::new(),
    };
    let mut seen: BTreeMap<AwardId, usize> = BTreeMap::new();
    let mut stems: BTreeSet<String> = BTreeSet::new();
    let mut serials = 0;
    for one in given {
        let mut row = Row { map, given: &one, faults: Vec::new(), serials: 0 };
        let draft = row.draft()?;
        serials += row.serials;
        let mut faults = row.faults;
        if let Some(draft) = &draft {
            let first = *seen.entry(draft.award.clone()).or_insert(one.row);
            if first != one.row {
                faults.push(Fault::row(
                    one.row,
                    format!("is for the same award as row {first}"),
                    "keep one of them; an award has one diploma",
                ));
            }
        }
        match draft {
            Some(mut draft) if faults.is_empty() => {
                // File systems that do not tell capital letters apart must not mix up two diplomas.
                if !stems.insert(draft.stem.to_lowercase()) {
                    draft.stem = with_digest(&draft.stem, &draft.award);
                    stems.insert(draft.stem.to_lowercase());
                }
                import.drafts.push((one.row, draft));
            }
            _ => import.faults.extend(faults),
        }
    }
    if serials > 0 {
        import
            .notes
            .push(format!("{serials} dates were read from a spreadsheet's serial numbers: look at some of them"));
    }
    Ok(import)
}

struct Row<'a> {
    map: &'a Map,
    given: &'a Given,
    faults: Vec<Fault>,
    serials: usize,
}

impl Row<'_> {
    fn fault(&mut self, column: &str, problem: impl Into<String>, hint: &str) {
        let column = (!column.is_empty()).then(|| column.to_owned());
        self.faults.push(Fault { row: self.given.row, column, problem: problem.into(), hint: hint.to_owned() });
    }

    /// The draft; none when there are faults.
    fn draft(&mut self) -> Result<Option<Draft>, ImportError> {
        let map = self.map;
        let (registrar_column, registrar) = self.given.source(&map.registrar);
        let (award_column, award) = self.given.source(&map.award);
        for (column, text) in [(registrar_column, registrar), (award_column, award)] {
            if is_shortened(text) {
                self.fault(
                    column,
                    "was shortened by the spreadsheet",
                    "format the column as text, and write the id again",
                );
            }
        }
        let award = match (AwardId::new(registrar, "x"), AwardId::new("x", award)) {
            (Ok(_), Ok(_)) => AwardId::new(registrar, award).ok(),
            (first, second) => {
                for (column, fault) in [(registrar_column, first.err()), (award_column, second.err())] {
                    if let Some(fault) = fault {
                        self.fault(column, format!("the id {fault}"), "write the id that your books have");
                    }
                }
                None
            }
        };
        let (kind_column, kind) = self.given.source(&map.kind);
        let kind = kind.to_owned();
        if !is_type_name(&kind) {
            self.fault(kind_column, "is no type", "write a type that you are accredited for, such as UniversityDegree");
        }
        let holder = self.holder();
        let content = self.content();
        let (content, types) = self.check(&kind, content);
        let (Some(award), true) = (award, self.faults.is_empty()) else { return Ok(None) };
        Ok(Some(Draft {
            stem: stem(&award),
            award,
            content,
            types,
            schema: map.schema_for(&kind)?,
            holder,
            valid_until: None,
            page: Page { language: map.language.clone(), heading: map.heading.clone() },
        }))
    }

    fn holder(&mut self) -> Option<Did> {
        let column = self.map.holder_did.as_deref()?;
        let cell = self.given.cells.get(column).map(String::as_str).filter(|cell| !cell.is_empty())?;
        match cell.parse::<Did>() {
            Ok(did) if did.is_key() => Some(did),
            _ => {
                self.fault(
                    column,
                    "is no DID of a wallet",
                    "write a did:key, or leave it empty: then it is bound to nobody",
                );
                None
            }
        }
    }

    /// The content's members as the columns and the constants give them.
    fn content(&mut self) -> Object<String, Value> {
        let mut content = self.given.content.clone();
        for (member, text) in &self.map.constants {
            if content.get(&member.path[0]).is_none() || member.path.len() > 1 || member.language.is_some() {
                self.put(&mut content, member, "", text);
            }
        }
        for (member, column) in &self.map.columns {
            let Some(cell) = self.given.cells.get(column).filter(|cell| !cell.is_empty()).cloned() else { continue };
            self.put(&mut content, member, column, &cell);
        }
        // A scale without a grade says nothing, and would not pass.
        if content.get("grade").is_some_and(|grade| grade.get("value").is_none()) {
            content.remove("grade");
        }
        content
    }

    fn put(&mut self, content: &mut Object<String, Value>, member: &Member, column: &str, text: &str) {
        if text.contains('\u{fffd}') {
            self.fault(column, "a letter was lost when the file was saved (\u{fffd})", "save it as CSV UTF-8");
            return;
        }
        let value = match member.kind {
            Kind::Plain => json!(text),
            Kind::Date => match date::read(text, self.map.dates) {
                Ok((date, serial)) => {
                    self.serials += usize::from(serial);
                    json!(date)
                }
                Err((problem, hint)) => {
                    self.fault(column, problem, hint);
                    return;
                }
            },
            Kind::Integer => match text.parse::<u8>() {
                Ok(number) => json!(number),
                Err(_) => {
                    self.fault(column, "is not a whole number", "write digits, such as 6");
                    return;
                }
            },
            Kind::Decimal => json!(text.replace(',', ".")),
            Kind::List => {
                let parts = text.split([';', ',', '|']).map(str::trim).filter(|part| !part.is_empty());
                json!(parts.collect::<Vec<_>>())
            }
            Kind::Jurisdiction => json!(jurisdiction(text)),
            Kind::Language => json!({ "language": member.language, "text": text }),
        };
        let (last, above) = member.path.split_last().expect("a member has a name");
        let mut place = content;
        for name in above {
            let inner = place.entry(name.clone()).or_insert_with(|| json!({}));
            let Value::Object(inner) = inner else {
                self.fault(column, format!("{} is not an object in the content", above.join(".")), "look at content");
                return;
            };
            place = inner;
        }
        if member.kind == Kind::Language {
            match place.entry(last.clone()).or_insert_with(|| json!([])) {
                Value::Array(texts) => texts.push(value),
                _ => self.fault(column, format!("{last} is not a list of texts in the content"), "look at content"),
            }
        } else {
            place.insert(last.clone(), value);
        }
    }

    /// The content as the model has it, and its types; every fault at its column.
    fn check(&mut self, kind: &str, content: Object<String, Value>) -> (Object<String, Value>, BTreeSet<String>) {
        let unread = |error: serde_json::Error| vec![(String::new(), error.to_string())];
        let faults = |faults: Vec<content::Fault>| -> Vec<(String, String)> {
            faults.into_iter().map(|fault| (fault.field, fault.problem.to_string())).collect()
        };
        let value = Value::Object(content);
        let checked = if kind == DriverCertificate::TYPE {
            serde_json::from_value::<DriverCertificate>(value)
                .map_err(unread)
                .and_then(|certificate| Ok((certificate.subject().map_err(faults)?, BTreeSet::from([kind.to_owned()]))))
        } else {
            serde_json::from_value::<Diploma>(value)
                .map_err(unread)
                .and_then(|diploma| Ok((diploma.subject().map_err(faults)?, diploma.types(kind).into_iter().collect())))
        };
        checked.unwrap_or_else(|faults| {
            // What could not even be read before it is checked is not told twice.
            if self.faults.is_empty() {
                for (field, problem) in faults {
                    let (column, problem) = self.told(&field, problem);
                    self.fault(&column, problem, "");
                }
            }
            Default::default()
        })
    }

    /// A fault of a member, at the column that it is from.
    fn told(&self, field: &str, problem: String) -> (String, String) {
        // `missing field `dateOfBirth`` of the reader, or `title[2]` of the check.
        let missing = problem.strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let name = missing.unwrap_or(field).to_owned();
        let (path, place) = match name.split_once('[') {
            Some((path, rest)) => (path, rest.split(']').next().and_then(|place| place.parse::<usize>().ok())),
            None => (name.as_str(), None),
        };
        let problem = if missing.is_some() { "it is empty".to_owned() } else { problem };
        let of_path = |member: &Member| {
            let own = member.path.join(".");
            own == path || own == format!("{path}.value")
        };
        let mut columns = self.map.columns.iter().filter(|(member, column)| {
            of_path(member) && (place.is_none() || self.given.cells.get(column).is_some_and(|cell| !cell.is_empty()))
        });
        match columns.nth(place.map_or(0, |place| place.saturating_sub(1))) {
            Some((_, column)) => (column.clone(), problem),
            None if self.map.constants.iter().any(|(member, _)| of_path(member)) => {
                (String::new(), format!("{path}, a constant of the map: {problem}"))
            }
            None if name.is_empty() => (String::new(), problem),
            None => (String::new(), format!("{name}, for which the map names no column: {problem}")),
        }
    }
}

/// Whether a text can name a type: as ELM's and ours do.
fn is_type_name(text: &str) -> bool {
    let fits = |c: char| c.is_ascii_alphanumeric();
    (1..=64).contains(&text.len()) && text.chars().all(fits) && text.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// What spreadsheets make of long numbers: 2.02601E+11.
fn is_shortened(text: &str) -> bool {
    let Some((digits, exponent)) = text.split_once(['E', 'e']) else { return false };
    let number = |text: &str| !text.is_empty() && text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | ','));
    exponent.strip_prefix('+').is_some_and(|power| !power.is_empty() && power.chars().all(|c| c.is_ascii_digit()))
        && number(digits)
}

/// What an award's files are called: its id, made safe for every file system. What had to be changed gets a part of a digest, so
/// that two awards never share a name. No dot: what follows the first one is the kind of file.
fn stem(award: &AwardId) -> String {
    let keep = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-') { c } else { '_' };
    let safe: String = award.award.chars().map(keep).take(60).collect();
    // A leading hyphen is an option to many tools.
    let safe = safe.trim_start_matches('-');
    if safe == award.award { safe.to_owned() } else { with_digest(safe, award) }
}

fn with_digest(stem: &str, award: &AwardId) -> String {
    let digest = testamur_primitives::codec::sha256(&[award.to_string().as_bytes()]);
    format!("{stem}_{}", hex::encode(&digest[..5]))
}
