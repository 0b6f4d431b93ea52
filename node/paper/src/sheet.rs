//! The content of a credential as what stands on the page, in order, each text shaped.

use serde_json::{Map, Value};
use testamur_credentials::content::Text;
use time::format_description::well_known::Iso8601;

use crate::job::PrintJob;
use crate::limits::{ACTIVITIES_MAX, CELL_CHARS_MAX, LANGUAGES_MAX};
use crate::type_setting::{Face, Paragraph};
use crate::words::Words;
use crate::{PaperError, limits};

/// A text with its language, when that is not the page's.
#[derive(Debug, Clone)]
pub(crate) struct Tongue {
    pub(crate) paragraph: Paragraph,
    pub(crate) language: Option<String>,
}

/// A row of the details: what it is, and the values.
#[derive(Debug)]
pub(crate) struct Detail {
    pub(crate) label: Paragraph,
    pub(crate) values: Vec<Tongue>,
}

/// Everything that is printed.
#[derive(Debug)]
pub(crate) struct Sheet {
    pub(crate) words: &'static Words,
    /// Title of the document, for its metadata.
    pub(crate) title: String,
    /// The graduate, for the transcript's head.
    pub(crate) name: Paragraph,
    /// Legal names of the issuer.
    pub(crate) issuers: Vec<Tongue>,
    pub(crate) heading: Paragraph,
    pub(crate) certifies: Paragraph,
    pub(crate) born: Option<Paragraph>,
    pub(crate) awarded: Paragraph,
    pub(crate) degrees: Vec<Tongue>,
    pub(crate) details: Vec<Detail>,
    pub(crate) given: Paragraph,
    /// Rows of the transcript: course, date, credits, grade. The first holds the columns' names.
    pub(crate) activities: Vec<[Tongue; 4]>,
    /// The date of the award: the document's own.
    pub(crate) date: time::Date,
}

impl Sheet {
    pub(crate) fn new(job: &PrintJob<'_>) -> Result<Self, PaperError> {
        let words = Words::of(job.language);
        let read = Reader { words, content: job.content };
        // Not everybody has a given name.
        let names = [read.optional("givenName")?, Some(read.required("familyName")?)];
        let name = names.into_iter().flatten().collect::<Vec<_>>().join(" ");
        // In the issuer's own order: the first is the title, the others say it in other languages.
        let degrees = read.texts_as_given(job.content, "title")?;
        let first = degrees.first().ok_or_else(|| missing("title"))?.text.clone();
        let date = read.date("awardingDate")?.ok_or_else(|| missing("awardingDate"))?;
        let certificate = !job.content.contains_key("eqfLevel");
        let usual = if certificate { words.certificate } else { words.diploma };
        let heading = job.heading.unwrap_or(usual);
        let birthplace = read.optional("placeOfBirth")?.map(|place| format!(", {place}")).unwrap_or_default();
        let born = read.date("dateOfBirth")?.map(|date| format!("{} {}{birthplace}", words.born, words.date(date)));
        let given = match read.optional("place")? {
            Some(place) => format!("{} {place}, {} {}", words.given_at, words.given_on, words.date(date)),
            None => words.date(date),
        };
        if job.issuer.names.is_empty() || job.issuer.names.len() > LANGUAGES_MAX {
            return Err(missing("the issuer's name"));
        }
        let issuers = job.issuer.names.iter().zip([Face::SerifBold].into_iter().chain(std::iter::repeat(Face::Serif)));
        let degree_faces = [Face::SerifBold].into_iter().chain(std::iter::repeat(Face::Serif));
        Ok(Self {
            words,
            title: format!("{heading}: {name}, {first}"),
            name: Paragraph::new(Face::SerifBold, &name, "givenName and familyName")?,
            issuers: issuers
                .map(|(name, face)| read.tongue(face, name, "the issuer's name"))
                .collect::<Result<_, _>>()?,
            heading: Paragraph::new(Face::Serif, heading, "heading")?,
            certifies: Paragraph::new(Face::Serif, words.certifies, "fixed text")?,
            born: born.map(|born| Paragraph::new(Face::Serif, &born, "placeOfBirth")).transpose()?,
            awarded: Paragraph::new(Face::Serif, if certificate { words.holds } else { words.awarded }, "fixed text")?,
            degrees: degrees
                .iter()
                .zip(degree_faces)
                .map(|(d, face)| read.tongue(face, d, "title"))
                .collect::<Result<_, _>>()?,
            details: read.details()?,
            given: Paragraph::new(Face::Serif, &given, "place")?,
            activities: read.activities()?,
            date,
        })
    }
}

/// Reads members in the model's form.
struct Reader<'a> {
    words: &'static Words,
    content: &'a Map<String, Value>,
}

impl Reader<'_> {
    fn optional(&self, member: &'static str) -> Result<Option<&str>, PaperError> {
        match self.content.get(member) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
            Some(_) => Err(form(member, "a text")),
        }
    }

    fn required(&self, member: &'static str) -> Result<&str, PaperError> {
        self.optional(member)?.ok_or_else(|| missing(member))
    }

    fn date(&self, member: &'static str) -> Result<Option<time::Date>, PaperError> {
        self.optional(member)?.map(|text| date(text, member)).transpose()
    }

    /// Texts of a member in several languages, the page's own first.
    fn texts(&self, within: &Map<String, Value>, member: &str) -> Result<Vec<Text>, PaperError> {
        let mut texts = self.texts_as_given(within, member)?;
        texts.sort_by_key(|text| text.language.split('-').next() != Some(self.words.language));
        Ok(texts)
    }

    fn texts_as_given(&self, within: &Map<String, Value>, member: &str) -> Result<Vec<Text>, PaperError> {
        let Some(value) = within.get(member) else { return Ok(Vec::new()) };
        let texts: Vec<Text> = match value {
            Value::String(text) => vec![Text { language: self.words.language.to_owned(), text: text.clone() }],
            value => serde_json::from_value(value.clone())
                .map_err(|_| form(member, "a list of texts with their languages"))?,
        };
        if texts.len() > LANGUAGES_MAX {
            return Err(PaperError::TooLong { field: member.to_owned(), most: LANGUAGES_MAX, unit: "languages" });
        }
        if texts.is_empty() || texts.iter().any(|t| t.text.trim().is_empty() || !is_tag(&t.language)) {
            return Err(form(member, "a list of texts with their languages"));
        }
        Ok(texts)
    }

    fn tongue(&self, face: Face, text: &Text, field: &str) -> Result<Tongue, PaperError> {
        let other = text.language.split('-').next() != Some(self.words.language);
        Ok(Tongue {
            paragraph: Paragraph::new(face, &text.text, field)?,
            language: other.then(|| text.language.clone()),
        })
    }

    /// A text in the page's language.
    fn own(&self, face: Face, text: &str, field: &str) -> Result<Tongue, PaperError> {
        Ok(Tongue { paragraph: Paragraph::new(face, text, field)?, language: None })
    }

    fn details(&self) -> Result<Vec<Detail>, PaperError> {
        let words = self.words;
        let mut details = Vec::new();
        let mut push = |label: &str, values: Vec<Tongue>| {
            let label = Paragraph::new(Face::Sans, label, "fixed text")?;
            if !values.is_empty() {
                details.push(Detail { label, values });
            }
            Ok::<_, PaperError>(())
        };
        let one = |text: Option<String>, field: &str| {
            text.map(|text| self.own(Face::Serif, &text, field))
                .transpose()
                .map(|tongue| tongue.into_iter().collect::<Vec<_>>())
        };
        let many = |texts: Vec<Text>, field: &str| {
            texts.iter().map(|text| self.tongue(Face::Serif, text, field)).collect::<Result<Vec<_>, _>>()
        };
        push(words.number, one(self.optional("certificateNumber")?.map(str::to_owned), "certificateNumber")?)?;
        push(words.classes, one(self.list("classes")?.map(|classes| classes.join(", ")), "classes")?)?;
        push(words.programme, many(self.texts(self.content, "programme")?, "programme")?)?;
        push(words.mode, many(self.texts(self.content, "studyMode")?, "studyMode")?)?;
        let level = match self.content.get("eqfLevel") {
            None => None,
            Some(level) => Some(
                level
                    .as_u64()
                    .filter(|l| (1..=8).contains(l))
                    .ok_or_else(|| form("eqfLevel", "a number from 1 to 8"))?,
            ),
        };
        push(words.level, one(level.map(|level| format!("{level}, {}", words.level_of)), "eqfLevel")?)?;
        push(words.field, one(self.optional("iscedF")?.map(str::to_owned), "iscedF")?)?;
        push(words.credits, one(self.optional("ects")?.map(|credits| format!("{credits} ECTS")), "ects")?)?;
        push(words.grade, self.grade(self.content, "grade")?)?;
        if let Some(thesis) = self.object("thesis")? {
            let mut values = many(self.texts(thesis, "title")?, "thesis.title")?;
            values.extend(self.grade(thesis, "thesis.grade")?);
            push(words.thesis, values)?;
        }
        let languages = self.list("languages")?.map(|tags| {
            let names: Vec<_> = tags.iter().map(|tag| words.language_name(tag)).collect();
            names.join(", ")
        });
        push(words.taught_in, one(languages, "languages")?)?;
        push(words.expires, one(self.date("expiryDate")?.map(|date| words.date(date)), "expiryDate")?)?;
        Ok(details)
    }

    /// A grade: value and classification, then what the scale is.
    fn grade(&self, within: &Map<String, Value>, field: &'static str) -> Result<Vec<Tongue>, PaperError> {
        let Some(grade) = within.get("grade") else { return Ok(Vec::new()) };
        let grade = grade.as_object().ok_or_else(|| form(field, "an object"))?;
        let value = grade.get("value").and_then(Value::as_str).ok_or_else(|| missing(&format!("{field}.value")))?;
        let classification = self.texts(grade, "classification")?;
        let first = classification.first().map(|c| format!("{value}, {}", c.text));
        let mut tongues = vec![self.own(Face::Serif, first.as_deref().unwrap_or(value), field)?];
        for scale in self.texts(grade, "scale")?.iter().take(2) {
            tongues.push(self.tongue(Face::Sans, scale, field)?);
        }
        Ok(tongues)
    }

    fn activities(&self) -> Result<Vec<[Tongue; 4]>, PaperError> {
        let Some(value) = self.content.get("activities") else { return Ok(Vec::new()) };
        let list = value.as_array().ok_or_else(|| form("activities", "a list"))?;
        if list.len() > ACTIVITIES_MAX {
            return Err(PaperError::TooLong { field: "activities".to_owned(), most: ACTIVITIES_MAX, unit: "entries" });
        }
        if list.is_empty() {
            return Ok(Vec::new());
        }
        let head = [self.words.course, self.words.date, "ECTS", self.words.grade];
        let head = head.map(|text| self.own(Face::SerifBold, text, "fixed text"));
        let [course, when, credits, grade] = head;
        let mut rows = vec![[course?, when?, credits?, grade?]];
        for (index, activity) in list.iter().enumerate() {
            let field = |member: &str| format!("activities[{index}].{member}");
            let activity = activity.as_object().ok_or_else(|| form("activities", "a list of objects"))?;
            let titles = self.texts(activity, "title")?;
            let title = titles.first().ok_or_else(|| missing(&field("title")))?;
            let cell = |member: &str| match activity.get(member) {
                // A cell without content would be no cell to a reader that cannot see the page.
                None => Ok("\u{2013}".to_owned()),
                Some(Value::String(text)) => Ok(text.clone()),
                Some(Value::Object(grade)) => grade
                    .get("value")
                    .and_then(Value::as_str)
                    .map(str::to_owned)
                    .ok_or_else(|| form(member, "a text, or an object with a value")),
                Some(_) => Err(form(member, "a text")),
            };
            let narrow = |member: &str| {
                let text = cell(member)?;
                if text.chars().count() > CELL_CHARS_MAX {
                    return Err(PaperError::TooLong { field: field(member), most: CELL_CHARS_MAX, unit: "characters" });
                }
                self.own(Face::Sans, &text, &field(member))
            };
            let title = self.tongue(Face::Serif, title, &field("title"))?;
            rows.push([title, narrow("date")?, narrow("ects")?, narrow("grade")?]);
        }
        Ok(rows)
    }

    fn object(&self, member: &'static str) -> Result<Option<&Map<String, Value>>, PaperError> {
        match self.content.get(member) {
            None => Ok(None),
            Some(value) => Ok(Some(value.as_object().ok_or_else(|| form(member, "an object"))?)),
        }
    }

    /// A list of texts.
    fn list(&self, member: &'static str) -> Result<Option<Vec<&str>>, PaperError> {
        let Some(value) = self.content.get(member) else { return Ok(None) };
        let list = value.as_array().ok_or_else(|| form(member, "a list of texts"))?;
        if list.len() > limits::LIST_ENTRIES_MAX {
            return Err(PaperError::TooLong {
                field: member.to_owned(),
                most: limits::LIST_ENTRIES_MAX,
                unit: "entries",
            });
        }
        let texts: Option<Vec<_>> = list.iter().map(Value::as_str).collect();
        let texts = texts.ok_or_else(|| form(member, "a list of texts"))?;
        Ok((!texts.is_empty()).then_some(texts))
    }
}

fn missing(field: &str) -> PaperError {
    PaperError::Missing { field: field.to_owned() }
}

fn form(field: &str, expected: &'static str) -> PaperError {
    PaperError::Form { field: field.to_owned(), expected }
}

fn date(text: &str, field: &str) -> Result<time::Date, PaperError> {
    let full = text.len() == 10;
    full.then(|| time::Date::parse(text, &Iso8601::DATE).ok())
        .flatten()
        .ok_or_else(|| form(field, "a date, YYYY-MM-DD"))
}

/// Letters, digits and hyphens: what may stand in the PDF's language attributes.
fn is_tag(tag: &str) -> bool {
    (2..=35).contains(&tag.len()) && tag.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
