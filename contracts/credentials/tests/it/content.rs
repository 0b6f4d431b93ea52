//! What passes the model is what the schemas accept (INV-CONTENT-1), and what a registrar gets wrong is named.

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use testamur_credentials::content::{
    Activity, Diploma, DriverCertificate, Fault, Grade, Problem, SAMPLES, Text, Thesis,
};
use testamur_primitives::schemas::body;

const LUX: &str = "https://publications.europa.eu/resource/authority/atu/LUX";

fn schema(name: &str) -> (String, jsonschema::Validator) {
    let path = format!("{}/../../genesis/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
    let published = body::canonical(&std::fs::read_to_string(path).unwrap()).unwrap();
    let schema: Value = serde_json::from_str(&published).unwrap();
    let linear = jsonschema::PatternOptions::regex();
    let validator = jsonschema::draft202012::options()
        .with_pattern_options(linear)
        .should_validate_formats(true)
        .build(&schema)
        .unwrap();
    (published, validator)
}

fn validate(validator: &jsonschema::Validator, subject: &Map<String, Value>) -> Result<(), String> {
    validator.validate(&json!({ "credentialSubject": subject })).map_err(|error| error.to_string())
}

fn diploma() -> Diploma {
    Diploma {
        given_name: Some("Ada".into()),
        family_name: "Lovelace".into(),
        date_of_birth: "2000-02-29".into(),
        title: vec![Text::new("en", "Bachelor of Science")],
        awarding_date: "2026-06-26".into(),
        jurisdiction: LUX.into(),
        ..Diploma::default()
    }
}

#[test]
fn the_samples_pass_the_model_and_the_schema() {
    for (name, text) in SAMPLES {
        let sample: Value = serde_json::from_str(text).unwrap();
        let content = sample["content"].clone();
        let subject = match sample["schema"].as_str().unwrap() {
            "diploma" => serde_json::from_value::<Diploma>(content.clone()).unwrap().subject(),
            "dangerous-goods" => serde_json::from_value::<DriverCertificate>(content.clone()).unwrap().subject(),
            other => panic!("{other}"),
        };
        let mut subject = subject.unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
        assert_eq!(Value::Object(subject.clone()), content, "{name}: nothing is lost");
        let (_, validator) = schema(sample["schema"].as_str().unwrap());
        validate(&validator, &subject).unwrap_or_else(|error| panic!("{name}: {error}"));
        for (member, value) in [
            ("id", json!("did:key:z6Mk")),
            ("print", json!({ "bytes": 12_345, "sha256": "ab".repeat(32) })),
            ("holderBinding", json!("none")),
        ] {
            subject.insert(member.into(), value);
        }
        validate(&validator, &subject).unwrap_or_else(|error| panic!("{name}: {error}"));
        subject.insert("issuerName".into(), json!("University of Nowhere"));
        assert!(validate(&validator, &subject).is_err(), "{name}: the issuer's name is on the ledger alone");
    }
    let scripts: String = SAMPLES.map(|(_, text)| text).concat();
    for letter in ['Ξ', 'Щ', 'ђ', 'Ħ', '\u{303}'] {
        assert!(scripts.contains(letter), "{letter}");
    }
}

/// Ids are what accreditations are made out to: a change is a new schema.
#[test]
fn the_schemas_ids_are_pinned() {
    let id = |name| body::multibase(body::id_of(&schema(name).0).unwrap());
    assert_eq!(id("diploma"), "zGhUD2ZPE5LCMhtXqrY6irfcW4BtKN1efaR3fkPB8u4xU");
    assert_eq!(id("dangerous-goods"), "zBtU7m7gQAuAobBNvsS5Ex6iYp1WWa4d7L1ws48CuJai8");
}

#[test]
fn every_fault_is_found_and_names_its_field() {
    let check = |change: &dyn Fn(&mut Diploma), field: &str, problem: Problem| {
        let mut diploma = diploma();
        change(&mut diploma);
        assert_eq!(diploma.subject(), Err(vec![Fault { field: field.into(), problem }]), "{field}");
    };
    assert!(diploma().subject().is_ok());
    check(&|d| d.family_name.clear(), "familyName", Problem::Empty);
    check(&|d| d.family_name = "x".repeat(121), "familyName", Problem::TooLong(120));
    check(&|d| d.family_name = " Curie".into(), "familyName", Problem::Space);
    for (text, code) in
        [("Cu\u{202e}rie", 0x202e), ("Cu\nrie", 10), ("Cu\u{2066}rie", 0x2066), ("Cur\u{fffd}e", 0xfffd)]
    {
        check(&|d| d.given_name = Some(text.into()), "givenName", Problem::Character(code));
    }
    for date in ["2001-02-29", "2000-2-29", "29/02/2000", "36526", "2000-02-29T00:00:00Z", "", "２０００-01-01"] {
        check(&|d| d.date_of_birth = date.into(), "dateOfBirth", Problem::Date);
    }
    check(&|d| d.date_of_birth = "2026-06-26".into(), "awardingDate", Problem::Order("dateOfBirth"));
    check(&|d| d.title.clear(), "title", Problem::Empty);
    check(&|d| d.title[0].language = "english".into(), "title[1]", Problem::Language);
    for language in ["e1", "12", "e-", "en-x_y"] {
        check(&|d| d.title[0].language = language.into(), "title[1]", Problem::Language);
    }
    check(&|d| d.title.push(Text::new("EN", "Again")), "title[2]", Problem::Double);
    for level in [0, 9] {
        check(&|d| d.eqf_level = Some(level), "eqfLevel", Problem::Level);
    }
    for code in ["6", "06130", "061x", ""] {
        check(&|d| d.isced_f = Some(code.into()), "iscedF", Problem::Isced);
    }
    for number in ["180,0", "-1", "01", "1e2", "7.555", "7.", ".5", "12345", ""] {
        check(&|d| d.ects = Some(number.into()), "ects", Problem::Decimal);
    }
    let grade = || Some(Grade { value: String::new(), ..Grade::default() });
    check(&|d| d.grade = grade(), "grade.value", Problem::Empty);
    check(&|d| d.thesis = Some(Thesis::default()), "thesis.title", Problem::Empty);
    let line = |date: &str| Activity {
        title: vec![Text::new("fr", "Algèbre")],
        date: Some(date.into()),
        ..Activity::default()
    };
    check(&|d| d.activities = vec![line("2025-01-31"), line("2025-01-32")], "activities[2].date", Problem::Date);
    check(&|d| d.languages = vec!["fr".into(), "fr".into()], "languages[2]", Problem::Double);
    check(&|d| d.supplement = Some(Default::default()), "supplement", Problem::Empty);
    check(&|d| d.certificate_number = Some("№ 5".into()), "certificateNumber", Problem::Code);
    for place in [
        "LU",
        "LUX",
        &LUX.replace("LUX", "1UX"),
        &LUX.replace("LUX", "LU7"),
        &format!("{LUX}x"),
        &format!("{LUX}_"),
        "https://example.org/atu/LUX",
        &LUX.to_lowercase(),
    ] {
        check(&|d| d.jurisdiction = place.into(), "jurisdiction", Problem::Jurisdiction);
    }
    for place in [LUX.to_owned(), format!("{LUX}_7"), format!("{LUX}_75C_A"), format!("{LUX}_{}", "9".repeat(16))] {
        assert!(Diploma { jurisdiction: place.clone(), ..diploma() }.subject().is_ok(), "{place}");
    }
    let mut several = diploma();
    several.ects = Some("many".into());
    several.eqf_level = Some(12);
    let faults = several.subject().unwrap_err();
    assert_eq!(faults.len(), 2, "all of them at once");
    for fault in faults {
        assert_eq!(fault.to_string(), format!("{}: {}", fault.field, fault.problem));
    }
    assert_eq!(
        Diploma { eqf_level: Some(7), ..diploma() }.types("UniversityDegree"),
        ["UniversityDegree", "EqfLevel7"]
    );
    assert_eq!(diploma().types("MicroCredential"), ["MicroCredential"]);
}

fn anything() -> impl Strategy<Value = String> {
    prop_oneof![
        "\\PC{0,12}",
        "[0-9.,-]{0,8}",
        "[0-9]{4}-[01][0-9]-[0-3][0-9]",
        "[a-z]{2,3}(-[A-Za-z0-9]{1,8})?",
        "[A-Za-z]{0,9}",
        Just(LUX.to_owned()),
        Just(format!("{LUX}_A1")),
        Just("x".repeat(130)),
    ]
}

proptest! {
    /// INV-CONTENT-1.
    #[test]
    fn what_passes_the_model_passes_the_schema(fields in proptest::collection::vec(anything(), 14), level in 0u8..10) {
        let (_, validator) = schema("diploma");
        let [a, b, c, d, e, f, g, h, i, j, k, l, m, n] = fields.try_into().unwrap();
        // Most fields are good, so that some contents pass.
        let mut diplomas = vec![
            Diploma { family_name: a, ..diploma() },
            Diploma { date_of_birth: b, ..diploma() },
            Diploma { title: vec![Text::new(&c, &d)], ..diploma() },
            Diploma { ects: Some(e), isced_f: Some(f), ..diploma() },
            Diploma { jurisdiction: g, eqf_level: Some(level), ..diploma() },
            Diploma { grade: Some(Grade { value: h, scale: vec![Text::new("fr", &i)], ..Grade::default() }), ..diploma() },
            Diploma { languages: vec![j], place: Some(k), ..diploma() },
            Diploma { certificate_number: Some(l), awarding_date: m, programme: Some(n), ..diploma() },
        ];
        diplomas.push(diploma());
        for diploma in diplomas {
            if let Ok(subject) = diploma.subject() {
                prop_assert_eq!(validate(&validator, &subject), Ok(()));
            }
        }
    }
}
