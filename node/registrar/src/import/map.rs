//! The map: how the columns of a table become the members of a diploma.
//!
//! ```toml
//! registrar = "student"            # column of the graduate's id; or { text = "…" } for all rows
//! award = "award"                  # column of the award's id
//! type = "type"                    # column of the type; or { text = "UniversityDegree" }
//! schema = "diploma"               # diploma, dangerous-goods, or an id (z…)
//! formats = ["sd-jwt"]             # sd-jwt, vcdm2, ebsi
//! holder_did = "wallet"            # column of the graduate's own DID, if there is one
//! encoding = "windows-1252"        # of the file: utf-8, utf-16le, windows-1252; told from its bytes if left out
//! delimiter = ";"                  # told from the header if left out
//! dates = "day/month/year"         # what 03/04/2026 means
//! language = "fr"                  # of the printed page's fixed texts
//!
//! [columns]                        # member = column
//! givenName = "given_name"
//! title.en = "title_en"            # a text has a language
//!
//! [constants]                      # member = text, the same in all rows
//! jurisdiction = "LUX"
//! ```

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use testamur_credentials::content::DriverCertificate;
use testamur_credentials::credential::Format;
use testamur_primitives::hash::SchemaId;
use testamur_primitives::issuers::accreditation::parse_schema_id;
use testamur_primitives::schemas;

use super::ImportError;
use super::date::Slashes;

/// The ministry's schemas, by the names that a map may use.
const SCHEMAS: [(&str, &str); 2] = [
    ("diploma", include_str!("../../../../genesis/schemas/diploma.json")),
    ("dangerous-goods", include_str!("../../../../genesis/schemas/dangerous-goods.json")),
];

/// What begins the URIs of the EU's list of administrative territorial units.
const JURISDICTIONS: &str = "https://publications.europa.eu/resource/authority/atu/";

/// A value of every row: of a column, or the same in all.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum Source {
    /// A column's name.
    Column(String),
    /// A text.
    Text {
        /// The text.
        text: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MapFile {
    registrar: Source,
    award: Source,
    r#type: Source,
    #[serde(default)]
    schema: Option<String>,
    #[serde(default)]
    formats: BTreeSet<Format>,
    #[serde(default)]
    holder_did: Option<String>,
    #[serde(default)]
    encoding: Option<String>,
    #[serde(default)]
    delimiter: Option<char>,
    #[serde(default)]
    dates: Option<Slashes>,
    #[serde(default)]
    language: Option<String>,
    #[serde(default)]
    heading: Option<String>,
    #[serde(default)]
    columns: toml::Table,
    #[serde(default)]
    constants: toml::Table,
}

/// What kind of value a member has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// A text as it is.
    Plain,
    /// A day.
    Date,
    /// A whole number.
    Integer,
    /// A decimal, with a point.
    Decimal,
    /// Several texts in one cell.
    List,
    /// A code of an administrative unit, or its URI.
    Jurisdiction,
    /// A text in a language: the last part of its path.
    Language,
}

/// Members by their path in a map, and what they hold.
const MEMBERS: [(&str, Kind); 27] = [
    ("givenName", Kind::Plain),
    ("familyName", Kind::Plain),
    ("dateOfBirth", Kind::Date),
    ("placeOfBirth", Kind::Plain),
    ("certificateNumber", Kind::Plain),
    ("programme", Kind::Plain),
    ("studyMode", Kind::Plain),
    ("eqfLevel", Kind::Integer),
    ("iscedF", Kind::Plain),
    ("ects", Kind::Decimal),
    ("grade.value", Kind::Plain),
    ("thesis.grade.value", Kind::Plain),
    ("languages", Kind::List),
    ("classes", Kind::List),
    ("awardingDate", Kind::Date),
    ("expiryDate", Kind::Date),
    ("place", Kind::Plain),
    ("jurisdiction", Kind::Jurisdiction),
    ("title", Kind::Language),
    ("grade.scale", Kind::Language),
    ("grade.classification", Kind::Language),
    ("thesis.title", Kind::Language),
    ("supplement.learningOutcomes", Kind::Language),
    ("supplement.programmeRequirements", Kind::Language),
    ("supplement.accessToFurtherStudy", Kind::Language),
    ("supplement.professionalStatus", Kind::Language),
    ("supplement.additionalInformation", Kind::Language),
];

/// A member of the content: where it stands, what it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) path: Vec<String>,
    pub(super) kind: Kind,
    /// Of a text in a language.
    pub(super) language: Option<String>,
}

impl Member {
    fn parse(path: &str) -> Result<Self, ImportError> {
        let split = |path: &str| path.split('.').map(str::to_owned).collect();
        if let Some((_, kind)) = MEMBERS.iter().find(|(known, kind)| *known == path && *kind != Kind::Language) {
            return Ok(Self { path: split(path), kind: *kind, language: None });
        }
        let known = path.rsplit_once('.').filter(|(text, _)| MEMBERS.contains(&(text, Kind::Language)));
        match known {
            Some((text, language)) => {
                Ok(Self { path: split(text), kind: Kind::Language, language: Some(language.to_owned()) })
            }
            None => Err(ImportError::Member(path.to_owned())),
        }
    }

    /// As the map names it.
    pub(super) fn name(&self) -> String {
        let mut name = self.path.join(".");
        if let Some(language) = &self.language {
            name.push('.');
            name.push_str(language);
        }
        name
    }
}

/// A map, read.
#[derive(Debug, Clone)]
pub struct Map {
    pub(super) registrar: Source,
    pub(super) award: Source,
    pub(super) kind: Source,
    pub(super) schema: Option<SchemaId>,
    /// The formats that it asks for; none for the usual.
    pub formats: BTreeSet<Format>,
    pub(super) holder_did: Option<String>,
    pub(super) encoding: Option<String>,
    pub(super) delimiter: Option<char>,
    pub(super) dates: Option<Slashes>,
    pub(super) language: Option<String>,
    pub(super) heading: Option<String>,
    pub(super) columns: Vec<(Member, String)>,
    pub(super) constants: Vec<(Member, String)>,
}

impl Map {
    /// Reads a map.
    pub fn parse(text: &str) -> Result<Self, ImportError> {
        let file: MapFile = toml::from_str(text).map_err(|error| ImportError::Map(error.to_string()))?;
        let schema = file.schema.as_deref().map(schema_of).transpose()?;
        let members = |table: &toml::Table| -> Result<Vec<(Member, String)>, ImportError> {
            let mut flat = BTreeMap::new();
            flatten("", table, &mut flat)?;
            flat.into_iter().map(|(path, value)| Ok((Member::parse(&path)?, value))).collect()
        };
        let (columns, constants) = (members(&file.columns)?, members(&file.constants)?);
        if let Some((double, _)) = columns.iter().find(|(member, _)| constants.iter().any(|(other, _)| other == member))
        {
            return Err(ImportError::Map(format!("{} stands under columns and under constants", double.name())));
        }
        Ok(Self {
            registrar: file.registrar,
            award: file.award,
            kind: file.r#type,
            schema,
            formats: file.formats,
            holder_did: file.holder_did,
            encoding: file.encoding,
            delimiter: file.delimiter,
            dates: file.dates,
            language: file.language,
            heading: file.heading,
            columns,
            constants,
        })
    }

    /// The same, for a file of this encoding.
    #[must_use]
    pub fn with_encoding(mut self, encoding: Option<String>) -> Self {
        self.encoding = encoding.or(self.encoding);
        self
    }

    /// Every column that it names.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        [&self.registrar, &self.award, &self.kind]
            .into_iter()
            .filter_map(|source| if let Source::Column(name) = source { Some(name.as_str()) } else { None })
            .chain(self.holder_did.as_deref())
            .chain(self.columns.iter().map(|(_, column)| column.as_str()))
    }

    /// The schema of a type.
    pub(super) fn schema_for(&self, kind: &str) -> Result<SchemaId, ImportError> {
        match self.schema {
            Some(schema) => Ok(schema),
            None if kind == DriverCertificate::TYPE => schema_of("dangerous-goods"),
            None => schema_of("diploma"),
        }
    }
}

/// A jurisdiction's URI, from its code or as it is.
pub(super) fn jurisdiction(code: &str) -> String {
    if code.contains(':') { code.to_owned() } else { format!("{JURISDICTIONS}{code}") }
}

fn schema_of(name: &str) -> Result<SchemaId, ImportError> {
    let unknown = || ImportError::Schema(name.to_owned());
    match SCHEMAS.iter().find(|(known, _)| *known == name) {
        Some((_, text)) => {
            let canonical = schemas::body::canonical(text).map_err(|_| unknown())?;
            schemas::id_of(&canonical).map_err(|_| unknown())
        }
        None => parse_schema_id(name).ok_or_else(unknown),
    }
}

/// `title.en = "x"` and `[title] en = "x"` are the same to TOML and to people.
fn flatten(prefix: &str, table: &toml::Table, flat: &mut BTreeMap<String, String>) -> Result<(), ImportError> {
    for (name, value) in table {
        let path = if prefix.is_empty() { name.clone() } else { format!("{prefix}.{name}") };
        match value {
            toml::Value::Table(inner) => flatten(&path, inner, flat)?,
            toml::Value::String(text) => {
                flat.insert(path, text.clone());
            }
            toml::Value::Integer(number) => {
                flat.insert(path, number.to_string());
            }
            _ => return Err(ImportError::Map(format!("{path} must be a text"))),
        }
    }
    Ok(())
}
