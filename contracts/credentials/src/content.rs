//! The diploma model: European Learning Model terms, as our own JSON Schema has them (`genesis/schemas/`).
//!
//! What a registrar exports becomes a [`Diploma`] or a [`DriverCertificate`]; [`Diploma::subject`] checks it and gives the
//! members of a credential's subject, or says of every field what is wrong with it. What passes here, the schema accepts
//! (INV-CONTENT-1).
//!
//! - Text is kept as given, in every script, and shown as given: so what would show something else than it says is refused
//!   (control characters, and those that turn the direction of writing around).
//! - Numbers that people compare as text are text: credits `"7.5"`, grades `"14,5"`. An EQF level is an integer.
//! - The issuer's name is not here. It is on the ledger, and nowhere else.

mod fields;

pub use fields::{Fault, Problem};

use fields::Check;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::format::compact::EQF_TYPE;
use crate::print::PrintDigest;

/// Contents to show and to test with, by their names: `{"type", "schema", "content"}` each.
pub const SAMPLES: [(&str, &str); 5] = [
    ("bachelor", include_str!("../samples/bachelor.json")),
    ("master", include_str!("../samples/master.json")),
    ("doctorate", include_str!("../samples/doctorate.json")),
    ("micro-credential", include_str!("../samples/micro-credential.json")),
    ("dangerous-goods", include_str!("../samples/dangerous-goods.json")),
];

/// A text in a language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// Its language: a tag of BCP 47.
    pub language: String,
    /// The text.
    pub text: String,
}

impl Text {
    /// A text in a language.
    pub fn new(language: &str, text: &str) -> Self {
        Self { language: language.to_owned(), text: text.to_owned() }
    }
}

/// A grade, on its scale.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Grade {
    /// As the institution writes it.
    pub value: String,
    /// What the scale is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scale: Vec<Text>,
    /// The overall classification: "with distinction".
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub classification: Vec<Text>,
}

/// A thesis.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Thesis {
    /// Its title.
    pub title: Vec<Text>,
    /// Its grade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
}

/// A line of the transcript.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Activity {
    /// What was learned.
    pub title: Vec<Text>,
    /// Its credits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ects: Option<String>,
    /// Its grade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
}

/// What the Diploma Supplement says beyond the diploma's other members.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Supplement {
    /// What a graduate of this programme can do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub learning_outcomes: Vec<Text>,
    /// What the programme demands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub programme_requirements: Vec<Text>,
    /// What it gives access to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub access_to_further_study: Vec<Text>,
    /// The professional status it gives.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub professional_status: Vec<Text>,
    /// Anything else.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub additional_information: Vec<Text>,
}

/// A diploma, a degree, a micro-credential.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Diploma {
    /// Given names. Not everybody has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Family name, or the only name.
    pub family_name: String,
    /// Date of birth, YYYY-MM-DD.
    pub date_of_birth: String,
    /// Place of birth.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place_of_birth: Option<String>,
    /// The issuer's number of the document.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_number: Option<String>,
    /// The qualification's title, in the issuer's languages; the first is the first.
    pub title: Vec<Text>,
    /// The programme, by its name or code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub programme: Option<String>,
    /// How it was studied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub study_mode: Option<String>,
    /// Level of the European Qualifications Framework, 1 to 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub eqf_level: Option<u8>,
    /// Field of education: a code of ISCED-F 2013.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub isced_f: Option<String>,
    /// Credits of the ECTS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ects: Option<String>,
    /// The final grade.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grade: Option<Grade>,
    /// The thesis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thesis: Option<Thesis>,
    /// The transcript.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub activities: Vec<Activity>,
    /// Languages of instruction.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub languages: Vec<String>,
    /// The supplement.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub supplement: Option<Supplement>,
    /// When it was awarded, YYYY-MM-DD.
    pub awarding_date: String,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Under whose law: a URI of the EU's authority list of administrative territorial units.
    pub jurisdiction: String,
    /// The printed diploma that belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub print: Option<PrintDigest>,
}

impl Diploma {
    /// The members of the subject, or everything that is wrong.
    pub fn subject(&self) -> Result<Map<String, Value>, Vec<Fault>> {
        let mut check = Check::default();
        check.name("givenName", self.given_name.as_deref());
        check.name("familyName", Some(&self.family_name));
        check.dates(("dateOfBirth", &self.date_of_birth), ("awardingDate", &self.awarding_date));
        check.line("placeOfBirth", self.place_of_birth.as_deref());
        check.code("certificateNumber", self.certificate_number.as_deref());
        check.texts("title", &self.title);
        check.line("programme", self.programme.as_deref());
        check.line("studyMode", self.study_mode.as_deref());
        check.level("eqfLevel", self.eqf_level);
        check.isced("iscedF", self.isced_f.as_deref());
        check.decimal("ects", self.ects.as_deref());
        check.grade("grade", self.grade.as_ref());
        if let Some(thesis) = &self.thesis {
            check.texts("thesis.title", &thesis.title);
            check.grade("thesis.grade", thesis.grade.as_ref());
        }
        check.count("activities", self.activities.len(), fields::ACTIVITIES_MAX);
        for (number, activity) in self.activities.iter().enumerate().take(fields::ACTIVITIES_MAX) {
            let field = |name: &str| format!("activities[{}].{name}", number + 1);
            check.texts(&field("title"), &activity.title);
            check.decimal(&field("ects"), activity.ects.as_deref());
            check.grade(&field("grade"), activity.grade.as_ref());
            check.date(&field("date"), activity.date.as_deref());
        }
        check.languages("languages", &self.languages);
        if let Some(supplement) = &self.supplement {
            check.supplement(supplement);
        }
        check.line("place", self.place.as_deref());
        check.jurisdiction("jurisdiction", &self.jurisdiction);
        check.finish(self)
    }

    /// The types of a credential of it: its kind (`UniversityDegree`, `MicroCredential`), and its level, which accreditations
    /// bound.
    pub fn types(&self, kind: &str) -> Vec<String> {
        let level = self.eqf_level.map(|level| format!("{EQF_TYPE}{level}"));
        [kind.to_owned()].into_iter().chain(level).collect()
    }
}

/// A driver's certificate for dangerous goods: no diploma, by the same means.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct DriverCertificate {
    /// Given names. Not everybody has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub given_name: Option<String>,
    /// Family name, or the only name.
    pub family_name: String,
    /// Date of birth, YYYY-MM-DD.
    pub date_of_birth: String,
    /// The certificate's number.
    pub certificate_number: String,
    /// What it is, in the issuer's languages.
    pub title: Vec<Text>,
    /// Classes of dangerous goods it is for: `1` to `9`, a division such as `4.1`, `tanks`.
    pub classes: Vec<String>,
    /// When it was awarded, YYYY-MM-DD.
    pub awarding_date: String,
    /// Its last day, YYYY-MM-DD.
    pub expiry_date: String,
    /// Where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
    /// Under whose law: a URI of the EU's authority list of administrative territorial units.
    pub jurisdiction: String,
    /// The printed certificate that belongs to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub print: Option<PrintDigest>,
}

impl DriverCertificate {
    /// The type of a credential of it.
    pub const TYPE: &str = "DangerousGoodsDriverCertificate";

    /// The members of the subject, or everything that is wrong.
    pub fn subject(&self) -> Result<Map<String, Value>, Vec<Fault>> {
        let mut check = Check::default();
        check.name("givenName", self.given_name.as_deref());
        check.name("familyName", Some(&self.family_name));
        check.dates(("dateOfBirth", &self.date_of_birth), ("awardingDate", &self.awarding_date));
        check.dates(("awardingDate", &self.awarding_date), ("expiryDate", &self.expiry_date));
        check.code("certificateNumber", Some(&self.certificate_number));
        check.texts("title", &self.title);
        check.classes("classes", &self.classes);
        check.line("place", self.place.as_deref());
        check.jurisdiction("jurisdiction", &self.jurisdiction);
        check.finish(self)
    }
}
