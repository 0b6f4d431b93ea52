//! What a field may hold. The bounds are the schema's.

use core::fmt;

use serde::Serialize;
use serde_json::{Map, Value};
use time::Date;
use time::macros::format_description;

use super::{Grade, Supplement, Text};
use crate::format::compact::JURISDICTIONS;

/// Characters of a name.
const NAME_CHARS_MAX: usize = 120;
/// Characters of a line: a place, a programme.
const LINE_CHARS_MAX: usize = 200;
/// Characters of a title.
const TEXT_CHARS_MAX: usize = 500;
/// Characters of a text of the supplement.
const LONG_TEXT_CHARS_MAX: usize = 5_000;
/// Languages of a text.
const TEXTS_MAX: usize = 32;
/// Languages of instruction.
const LANGUAGES_MAX: usize = 16;
/// Lines of a transcript: eight years with sixty a year.
pub(super) const ACTIVITIES_MAX: usize = 500;
/// Classes of dangerous goods.
const CLASSES_MAX: usize = 16;
/// Characters of a code.
const CODE_CHARS_MAX: usize = 64;
/// Characters of a grade.
const GRADE_CHARS_MAX: usize = 64;

/// A field that cannot be taken as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fault {
    /// Which: its name in the subject; entries of lists are counted from 1.
    pub field: String,
    /// What is wrong.
    pub problem: Problem,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl core::error::Error for Fault {}

/// What can be wrong with a field. Nothing of it repeats the field's text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Problem {
    /// Nothing in it.
    #[error("it is empty")]
    Empty,
    /// Too much in it.
    #[error("it is longer than the {0} that fit")]
    TooLong(usize),
    /// Invisible characters that change what is seen.
    #[error("it has the invisible character U+{0:04X}; write it anew without")]
    Character(u32),
    /// White space around it.
    #[error("it begins or ends with white space")]
    Space,
    /// No date.
    #[error("it is not a date of the form 2026-06-30")]
    Date,
    /// Dates the wrong way round.
    #[error("it is not after {0}")]
    Order(&'static str),
    /// No level.
    #[error("an EQF level is a number from 1 to 8")]
    Level,
    /// No field of education.
    #[error("an ISCED-F code has two to four digits")]
    Isced,
    /// No decimal.
    #[error("it is not a number such as 180 or 7.5, below 10,000, with at most two decimals and a point before them")]
    Decimal,
    /// No language.
    #[error("it is not a language tag such as fr or pt-BR")]
    Language,
    /// A second one.
    #[error("it stands there twice")]
    Double,
    /// No code.
    #[error("it is not a number or code of A-Z a-z 0-9 . / _ - that begins with a letter or digit")]
    Code,
    /// No class.
    #[error("it is not a class of dangerous goods such as 3 or 4.1, or tanks")]
    Class,
    /// No jurisdiction.
    #[error(
        "it is not a unit of the EU's list, such as https://publications.europa.eu/resource/authority/atu/LUX; its code is \
         in capital letters"
    )]
    Jurisdiction,
}

/// Collects what is wrong.
#[derive(Default)]
pub(super) struct Check(Vec<Fault>);

impl Check {
    fn fault(&mut self, field: &str, problem: Problem) {
        self.0.push(Fault { field: field.to_owned(), problem });
    }

    fn require(&mut self, field: &str, holds: bool, problem: Problem) {
        if !holds {
            self.fault(field, problem);
        }
    }

    /// Everything, or what is wrong with it.
    pub(super) fn finish<T: Serialize>(self, content: &T) -> Result<Map<String, Value>, Vec<Fault>> {
        match serde_json::to_value(content) {
            Ok(Value::Object(subject)) if self.0.is_empty() => Ok(subject),
            _ => Err(self.0),
        }
    }

    fn characters(&mut self, field: &str, text: &str, chars_max: usize) {
        if text.is_empty() {
            return self.fault(field, Problem::Empty);
        }
        self.require(field, text.chars().count() <= chars_max, Problem::TooLong(chars_max));
        if let Some(found) = text.chars().find(|found| is_deceptive(*found)) {
            self.fault(field, Problem::Character(u32::from(found)));
        }
        self.require(field, text.trim() == text, Problem::Space);
    }

    pub(super) fn name(&mut self, field: &str, name: Option<&str>) {
        if let Some(name) = name {
            self.characters(field, name, NAME_CHARS_MAX);
        }
    }

    pub(super) fn line(&mut self, field: &str, line: Option<&str>) {
        if let Some(line) = line {
            self.characters(field, line, LINE_CHARS_MAX);
        }
    }

    pub(super) fn count(&mut self, field: &str, count: usize, most: usize) {
        self.require(field, count <= most, Problem::TooLong(most));
    }

    pub(super) fn texts(&mut self, field: &str, texts: &[Text]) {
        self.require(field, !texts.is_empty(), Problem::Empty);
        self.some_texts(field, texts, TEXT_CHARS_MAX);
    }

    fn some_texts(&mut self, field: &str, texts: &[Text], chars_max: usize) {
        self.count(field, texts.len(), TEXTS_MAX);
        for (number, text) in texts.iter().enumerate() {
            let name = format!("{field}[{}]", number + 1);
            self.require(&name, is_language(&text.language), Problem::Language);
            let again = texts[..number].iter().any(|other| other.language.eq_ignore_ascii_case(&text.language));
            self.require(&name, !again, Problem::Double);
            self.characters(&name, &text.text, chars_max);
        }
    }

    pub(super) fn supplement(&mut self, supplement: &Supplement) {
        let sections = [
            ("supplement.learningOutcomes", &supplement.learning_outcomes),
            ("supplement.programmeRequirements", &supplement.programme_requirements),
            ("supplement.accessToFurtherStudy", &supplement.access_to_further_study),
            ("supplement.professionalStatus", &supplement.professional_status),
            ("supplement.additionalInformation", &supplement.additional_information),
        ];
        self.require("supplement", sections.iter().any(|(_, texts)| !texts.is_empty()), Problem::Empty);
        for (field, texts) in sections {
            // A supplement is written in paragraphs.
            let lines: Vec<_> =
                texts.iter().map(|text| Text::new(&text.language, &text.text.replace(['\n', '\t'], " "))).collect();
            self.some_texts(field, &lines, LONG_TEXT_CHARS_MAX);
        }
    }

    pub(super) fn grade(&mut self, field: &str, grade: Option<&Grade>) {
        let Some(grade) = grade else { return };
        self.characters(&format!("{field}.value"), &grade.value, GRADE_CHARS_MAX);
        self.some_texts(&format!("{field}.scale"), &grade.scale, TEXT_CHARS_MAX);
        self.some_texts(&format!("{field}.classification"), &grade.classification, TEXT_CHARS_MAX);
    }

    pub(super) fn languages(&mut self, field: &str, languages: &[String]) {
        self.count(field, languages.len(), LANGUAGES_MAX);
        for (number, language) in languages.iter().enumerate() {
            let name = format!("{field}[{}]", number + 1);
            self.require(&name, is_language(language), Problem::Language);
            self.require(&name, !languages[..number].contains(language), Problem::Double);
        }
    }

    pub(super) fn classes(&mut self, field: &str, classes: &[String]) {
        self.require(field, !classes.is_empty(), Problem::Empty);
        self.count(field, classes.len(), CLASSES_MAX);
        for (number, class) in classes.iter().enumerate() {
            let name = format!("{field}[{}]", number + 1);
            let is_class = match class.as_bytes() {
                [b'1'..=b'9'] | [b'1'..=b'9', b'.', b'1'..=b'9'] => true,
                other => other == b"tanks",
            };
            self.require(&name, is_class, Problem::Class);
            self.require(&name, !classes[..number].contains(class), Problem::Double);
        }
    }

    pub(super) fn date(&mut self, field: &str, date: Option<&str>) {
        if let Some(date) = date {
            self.require(field, parse_date(date).is_some(), Problem::Date);
        }
    }

    /// Two dates of which the second is later.
    pub(super) fn dates(&mut self, first: (&'static str, &str), second: (&str, &str)) {
        let dates = [parse_date(first.1), parse_date(second.1)];
        for (field, date) in [first.0, second.0].into_iter().zip(dates) {
            if date.is_none() && !self.0.iter().any(|fault| fault.field == field) {
                self.fault(field, Problem::Date);
            }
        }
        if let [Some(earlier), Some(later)] = dates {
            self.require(second.0, earlier < later, Problem::Order(first.0));
        }
    }

    pub(super) fn level(&mut self, field: &str, level: Option<u8>) {
        self.require(field, level.is_none_or(|level| (1..=8).contains(&level)), Problem::Level);
    }

    pub(super) fn isced(&mut self, field: &str, code: Option<&str>) {
        let is_code = |code: &str| (2..=4).contains(&code.len()) && code.bytes().all(|digit| digit.is_ascii_digit());
        self.require(field, code.is_none_or(is_code), Problem::Isced);
    }

    pub(super) fn decimal(&mut self, field: &str, number: Option<&str>) {
        let is_decimal = |number: &str| {
            let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
            let digits =
                |text: &str, most| (1..=most).contains(&text.len()) && text.bytes().all(|d| d.is_ascii_digit());
            digits(whole, 4) && (whole == "0" || !whole.starts_with('0')) && digits(fraction, 2)
        };
        self.require(field, number.is_none_or(is_decimal), Problem::Decimal);
    }

    pub(super) fn code(&mut self, field: &str, code: Option<&str>) {
        let is_code = |code: &str| {
            code.len() <= CODE_CHARS_MAX
                && code.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric)
                && code.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'/' | b'_' | b'-'))
        };
        self.require(field, code.is_none_or(is_code), Problem::Code);
    }

    pub(super) fn jurisdiction(&mut self, field: &str, uri: &str) {
        let is_part = |(number, part): (usize, &str)| {
            let capital = part.bytes().all(|byte| byte.is_ascii_uppercase() || (number > 0 && byte.is_ascii_digit()));
            capital && if number == 0 { part.len() == 3 } else { (1..=16).contains(&part.len()) }
        };
        let is_unit = uri
            .strip_prefix(JURISDICTIONS)
            .is_some_and(|code| code.split('_').count() <= 5 && code.split('_').enumerate().all(is_part));
        self.require(field, is_unit, Problem::Jurisdiction);
    }
}

/// A date of the calendar, in the one form.
fn parse_date(text: &str) -> Option<Date> {
    let is_form = text.len() == 10 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-');
    is_form.then(|| Date::parse(text, format_description!("[year]-[month]-[day]")).ok())?
}

/// A tag of BCP 47, by its form: a language of two or three letters, and subtags.
fn is_language(tag: &str) -> bool {
    let mut parts = tag.split('-');
    let is_first =
        |part: &str| (2..=3).contains(&part.len()) && part.bytes().all(|letter| letter.is_ascii_alphabetic());
    let is_other =
        |part: &str| (1..=8).contains(&part.len()) && part.bytes().all(|letter| letter.is_ascii_alphanumeric());
    tag.split('-').count() <= 5 && parts.next().is_some_and(is_first) && parts.all(is_other)
}

/// Characters that are not seen themselves but change what is seen, or that are no text: controls, line ends, overrides and
/// isolates of direction, tags, byte order marks, noncharacters, private use.
fn is_deceptive(found: char) -> bool {
    found.is_control()
        || matches!(u32::from(found),
            0x00ad | 0x061c | 0x180e | 0x200b | 0x200e | 0x200f | 0x2028..=0x202e | 0x2060..=0x206f
            | 0xe000..=0xf8ff | 0xfdd0..=0xfdef | 0xfeff | 0xfff0..=0xffff | 0x1_bca0..=0x1_bca3 | 0xe_0000..=0xe_00ff | 0xe_01f0..=0x10_ffff)
        || matches!(u32::from(found) & 0xffff, 0xfffe | 0xffff)
}
