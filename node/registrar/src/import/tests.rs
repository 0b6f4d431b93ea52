use super::*;

const MAP: &str = r#"
registrar = "student"
award = "award"
type = { text = "UniversityDegree" }
holder_did = "wallet"
[columns]
givenName = "given"
familyName = "family"
dateOfBirth = "born"
title.en = "title"
eqfLevel = "eqf"
ects = "ects"
grade.value = "grade"
awardingDate = "awarded"
languages = "languages"
[constants]
jurisdiction = "LUX"
grade.scale.en = "0 to 20"
"#;

const HEADER: &str = "award,student,given,family,born,title,eqf,ects,grade,awarded,languages,wallet";
const ROW: &str = "B-1,S-1,Ξένια,Παπαδοπούλου,2001-04-22,Bachelor of Science,6,180,\"14,5\",2026-06-30,fr;en,";

fn map() -> Map {
    Map::parse(MAP).unwrap()
}

fn csv(rows: &[&str]) -> String {
    format!("{HEADER}\n{}\n", rows.join("\n"))
}

fn import(text: &str) -> Import {
    read(text.as_bytes(), Kind::Csv, &map()).unwrap()
}

/// The one fault of a row in which one cell was changed.
fn fault(from: &str, to: &str) -> String {
    assert!(ROW.contains(from));
    let import = import(&csv(&[&ROW.replace("B-1", "B-0").replace("S-1", "S-0"), &ROW.replace(from, to)]));
    assert_eq!((import.drafts.len(), import.rows), (1, 2), "the good row stays: {:?}", import.faults);
    let texts: Vec<_> = import.faults.iter().map(ToString::to_string).collect();
    assert_eq!(texts.len(), 1, "{texts:?}");
    assert!(texts[0].starts_with("row 3"), "{texts:?}");
    texts[0].clone()
}

#[test]
fn a_row_becomes_a_draft() {
    let import = import(&csv(&[ROW]));
    assert_eq!(import.faults, []);
    let (row, draft) = &import.drafts[0];
    assert_eq!((*row, draft.award.to_string(), draft.stem.as_str()), (2, "S-1/B-1".into(), "B-1"));
    assert_eq!(draft.content["familyName"], "Παπαδοπούλου");
    assert_eq!(draft.content["jurisdiction"], "https://publications.europa.eu/resource/authority/atu/LUX");
    assert_eq!(draft.content["grade"]["value"], "14,5");
    assert_eq!(draft.content["grade"]["scale"][0]["text"], "0 to 20");
    assert_eq!(draft.content["languages"], serde_json::json!(["fr", "en"]));
    assert_eq!(draft.types.iter().map(String::as_str).collect::<Vec<_>>(), ["EqfLevel6", "UniversityDegree"]);
    assert_eq!(draft.holder, None);
}

/// INV-IMPORT-1: every fault names row and column, and says what to do.
#[test]
fn every_fault_names_row_and_column_and_what_to_do() {
    for (from, to, column, part) in [
        ("2001-04-22", "22/04/2001", "born", "dates = "),
        ("2001-04-22", "22.04.01", "born", "four digits"),
        ("2001-04-22", "2001-02-30", "born", "no such day"),
        ("2001-04-22", "gestern", "born", "write it as 2026-06-30"),
        ("2001-04-22", "", "born", "it is empty"),
        ("2001-04-22", "2026-07-01", "awarded", "not after"),
        ("Παπαδοπούλου", "", "family", "it is empty"),
        ("Παπαδοπούλου", "Παπα\u{fffd}", "family", "letter was lost"),
        ("Παπαδοπούλου", "Παπα\u{202e}x", "family", "invisible character"),
        ("Bachelor of Science", "", "title", "it is empty"),
        (",6,", ",six,", "eqf", "whole number"),
        (",6,", ",9,", "eqf", "1 to 8"),
        (",180,", ",many,", "ects", "number such as"),
        ("fr;en", "French", "languages", "language tag"),
        ("S-1", "2.02601E+11", "student", "shortened"),
        ("B-1", "", "award", "id is empty"),
        ("fr;en,", "fr;en,did:web:x", "wallet", "did:key"),
    ] {
        let told = fault(from, to);
        assert!(told.contains(&format!("column {column:?}")) && told.contains(part), "{from} -> {to}: {told}");
    }
}

#[test]
fn rows_of_other_lengths_and_doubles_are_told() {
    assert!(fault("fr;en,", "fr;en").contains("has 11 cells, and the header has 12"));
    let import = import(&csv(&[ROW, &ROW.replace("14,5", "15"), "", ",,,,,,,,,,,", &ROW.replace("S-1", "S-2")]));
    assert_eq!((import.drafts.len(), import.rows), (2, 3), "empty rows do not count");
    assert_eq!(import.faults.len(), 1);
    assert!(import.faults[0].to_string().starts_with("row 3: is for the same award as row 2"), "{}", import.faults[0]);
    // Two awards of one name: their files must not be called alike.
    assert_ne!(import.drafts[0].1.stem, import.drafts[1].1.stem);
}

#[test]
fn every_encoding_that_spreadsheets_write_is_read_or_told() {
    let western = csv(&[&ROW.replace("Ξένια", "Zoë").replace("Παπαδοπούλου", "Müller-L’Œuvre")]);
    let (bytes, ..) = encoding_rs::WINDOWS_1252.encode(&western);
    let guessed = read(&bytes, Kind::Csv, &map()).unwrap();
    assert_eq!(guessed.drafts[0].1.content["familyName"], "Müller-L’Œuvre");
    // INV-IMPORT-2.
    assert!(
        guessed.notes.iter().any(|note| note.contains("row 2, column \"family\": Müller-L’Œuvre")),
        "{:?}",
        guessed.notes
    );
    let declared = map().with_encoding(Some("windows-1252".into()));
    assert_eq!(read(&bytes, Kind::Csv, &declared).unwrap().drafts, guessed.drafts);
    // Greek in its own eight bits looks Western only by mistake.
    let (greek, ..) = encoding_rs::Encoding::for_label(b"windows-1253").unwrap().encode("Ξένια ΅");
    assert!(matches!(read(&greek, Kind::Csv, &map()), Err(ImportError::Doubtful(_))));
    let with_mark = [b"\xef\xbb\xbf", csv(&[ROW]).as_bytes()].concat();
    assert_eq!(read(&with_mark, Kind::Csv, &map()).unwrap().drafts, import(&csv(&[ROW])).drafts);
    let wide: Vec<u8> = [0xfeff].into_iter().chain(csv(&[ROW]).encode_utf16()).flat_map(u16::to_le_bytes).collect();
    assert_eq!(read(&wide, Kind::Csv, &map()).unwrap().drafts, import(&csv(&[ROW])).drafts);
    assert_eq!(read(b"PK\x03\x04\0\0", Kind::Csv, &map()).unwrap_err(), ImportError::NotText);
    let wrong = map().with_encoding(Some("utf-8".into()));
    assert!(matches!(read(&bytes, Kind::Csv, &wrong), Err(ImportError::Encoding("UTF-8"))));
    let odd = map().with_encoding(Some("ebcdic".into()));
    assert!(matches!(read(&bytes, Kind::Csv, &odd), Err(ImportError::UnknownEncoding(_))));
}

#[test]
fn delimiters_are_told_from_the_header() {
    let expected = import(&csv(&[ROW])).drafts;
    for delimiter in [";", "\t"] {
        let row = ROW.replace("\"14,5\"", "\u{1}").replace("fr;en", "\u{2}").replace(',', delimiter);
        let row = row.replace('\u{1}', "\"14,5\"").replace('\u{2}', "\"fr;en\"");
        let text = format!("{}\r\n{row}\r\n", HEADER.replace(',', delimiter));
        assert_eq!(import(&text).drafts, expected, "{delimiter:?}");
        assert_eq!(import(&format!("sep={delimiter}\r\n{text}")).drafts, expected);
    }
}

#[test]
fn files_and_maps_that_do_not_fit_are_refused_as_a_whole() {
    let refused = |text: &str| read(text.as_bytes(), Kind::Csv, &map()).unwrap_err();
    assert_eq!(refused(""), ImportError::Empty);
    assert!(matches!(refused(&format!("{HEADER},award\n")), ImportError::DoubleColumn(name) if name == "award"));
    let error = refused(&csv(&[ROW]).replacen("born", "Born", 1));
    assert!(error.to_string().contains("does not have: born; it has: award"), "{error}");
    assert!(!error.hint().is_empty());
    for (from, to, part) in [
        ("title.en", "title", "needs its language"),
        ("familyName", "surname", "no member of a diploma"),
        ("award = \"award\"", "", "missing field `award`"),
        ("[constants]", "[constants]\nects = \"180\"", "under columns and under constants"),
        ("[columns]", "schema = \"degree\"\n[columns]", "schema \"degree\""),
        ("[columns]", "colour = \"red\"\n[columns]", "unknown field"),
    ] {
        let error = Map::parse(&MAP.replace(from, to)).unwrap_err();
        assert!(error.to_string().contains(part), "{to}: {error}");
    }
}

#[test]
fn json_says_the_same_as_a_table() {
    let json = r#"[{"award":"B-1","student":"S-1","given":"Ξένια","family":"Παπαδοπούλου","born":"2001-04-22",
        "title":"Bachelor of Science","eqf":6,"ects":"180","grade":"14,5","awarded":"2026-06-30","languages":"fr;en"},
        7, {"award":"B-2","student":1.5},
        {"award":"B-3","student":"S-3","given":"A","family":"B","born":"2001-01-01","title":"T","awarded":"2026-06-30",
         "content":{"activities":[{"title":[{"language":"en","text":"Algebra"}],"ects":"6"}]}}]"#;
    let import = read(json.as_bytes(), Kind::of("x", json.as_bytes()), &map()).unwrap();
    assert_eq!(import.drafts[0].1.row(), self::import(&csv(&[ROW])).drafts[0].1.row());
    assert_eq!(import.drafts[1].1.content["activities"][0]["ects"], "6");
    let told: Vec<_> = import.faults.iter().map(ToString::to_string).collect();
    assert!(told[0].starts_with("row 2: is no object") && told[1].starts_with("row 3, column \"student\""), "{told:?}");
}

#[test]
fn file_names_are_safe_and_never_shared() {
    let stems = ["B-1", "b-1", "../../etc/passwd", "-rf", "é", "a.b", "a b"].map(|award| {
        let import = import(&csv(&[&ROW.replace("B-1", award)]));
        import.drafts[0].1.stem.clone()
    });
    assert_eq!(stems[0], "B-1");
    for (place, stem) in stems.iter().enumerate() {
        assert!(stem.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')), "{stem}");
        assert!(!stem.starts_with('-') && stems[..place].iter().all(|other| other != stem), "{stem}");
    }
    let both = import(&csv(&[ROW, &ROW.replace("B-1", "b-1")])).drafts;
    assert_ne!(both[0].1.stem.to_lowercase(), both[1].1.stem.to_lowercase());
}

#[test]
fn the_sample_graduation_is_whole() {
    let map = Map::parse(include_str!("../../../../genesis/graduation/map.toml")).unwrap();
    let graduates = include_bytes!("../../../../genesis/graduation/graduates.csv");
    let import = read(graduates, Kind::Csv, &map).unwrap();
    assert_eq!((import.faults.as_slice(), import.drafts.len()), (&[][..], 50));
}
