//! What is on paper, and what cannot be.

use lopdf::{Dictionary, Document, Object};
use serde_json::{Value, json};
use testamur_credentials::content::SAMPLES;
use testamur_paper::{Issuer, PaperError, PrintJob, render};

use crate::{compact, diploma, issuer, master, object, print, try_print};

fn catalog(document: &Document) -> &Dictionary {
    document.catalog().expect("a catalog")
}

#[test]
fn the_same_job_gives_the_same_bytes() {
    let one = print(&master());
    let others: Vec<_> = (0..3).map(|_| std::thread::spawn(|| print(&master()))).collect();
    for other in others {
        assert_eq!(other.join().expect("no panic"), one);
    }
    let mut content = master();
    content.insert("place".to_owned(), json!("Esch"));
    assert_ne!(print(&content), one);
}

#[test]
fn every_sample_is_printed_in_every_language() {
    for (name, sample) in SAMPLES {
        let sample: Value = serde_json::from_str(sample).expect("JSON");
        let content = object(sample["content"].clone());
        for language in ["en", "fr", "de", "lb"] {
            let job = PrintJob { content: &content, issuer: &issuer(), language, heading: None, compact: &compact() };
            let print = render(&job).unwrap_or_else(|error| panic!("{name} in {language}: {error}"));
            assert!(print.len() < 100_000, "{name}: {} bytes", print.len());
            let document = Document::load_mem(&diploma(&print)).expect("a PDF");
            let expected = if language == "lb" { "en" } else { language };
            assert_eq!(
                catalog(&document).get(b"Lang").and_then(Object::as_str).expect("a language"),
                expected.as_bytes()
            );
        }
    }
}

/// PDF/A-3a and PDF/UA-1 are what the writer's own validator holds; here is what a reader finds of it, before and after attaching.
#[test]
fn it_is_an_archivable_accessible_document() {
    let print = print(&master());
    for pdf in [print.clone(), diploma(&print)] {
        let document = Document::load_mem(&pdf).expect("a PDF");
        let catalog = catalog(&document);
        let part = |key: &[u8]| {
            document
                .dereference(catalog.get(key).unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(key))))
                .expect("there")
                .1
        };
        assert!(part(b"StructTreeRoot").as_dict().is_ok());
        let says =
            |key: &[u8], member: &[u8]| part(key).as_dict().and_then(|d| d.get(member)).and_then(Object::as_bool).ok();
        assert_eq!(says(b"MarkInfo", b"Marked"), Some(true));
        assert_eq!(says(b"ViewerPreferences", b"DisplayDocTitle"), Some(true));
        assert!(!part(b"OutputIntents").as_array().expect("a list").is_empty());
        assert!(part(b"Outlines").as_dict().is_ok());
        let metadata = part(b"Metadata").as_stream().expect("a stream").content.clone();
        let metadata = String::from_utf8(metadata).expect("XML");
        for text in [
            "<pdfaid:part>3<",
            "<pdfaid:conformance>A<",
            "<pdfuaid:part>1<",
            "Diplôme: Ελευθερία Ковале́нко-Ångström, Master en droit européen",
        ] {
            assert!(metadata.contains(text), "{text} is not in the metadata");
        }
        let names: Vec<_> = document.get_pages().into_values().collect();
        assert_eq!(names.len(), 2, "the page and its transcript");
        for (id, object) in &document.objects {
            let Ok(dictionary) = object.as_dict() else { continue };
            if dictionary.get(b"Type").and_then(Object::as_name).ok() == Some(b"FontDescriptor") {
                assert!(dictionary.get(b"FontFile2").is_ok(), "{id:?} is a font that is not embedded");
            }
        }
    }
    let document = Document::load_mem(&diploma(&print)).expect("a PDF");
    let associated = catalog(&document).get(b"AF").and_then(Object::as_array).expect("files");
    let relationships: Vec<_> = associated
        .iter()
        .map(|file| {
            document
                .dereference(file)
                .expect("there")
                .1
                .as_dict()
                .and_then(|f| f.get(b"AFRelationship"))
                .and_then(Object::as_name)
                .expect("a name")
                .to_vec()
        })
        .collect();
    assert_eq!(relationships, [&b"Alternative"[..], b"Source", b"Data"]);
}

/// A character that the fonts lack, or one that would make the page look different from what it says, is named; never a box.
#[test]
fn what_cannot_be_printed_is_named() {
    let with = |member: &str, value: Value| {
        let mut content = master();
        content.insert(member.to_owned(), value);
        try_print(&content).expect_err("it cannot be printed").to_string()
    };
    for (character, code) in [
        ('漢', "6F22"),
        ('ع', "0639"),
        ('\u{202e}', "202E"),
        ('\u{ad}', "00AD"),
        ('\n', "000A"),
        ('\u{e000}', "E000"),
        ('😀', "1F600"),
    ] {
        let said = with("familyName", json!(format!("Mull{character}er")));
        assert!(
            said.starts_with("givenName and familyName has the character") && said.contains(&format!("U+{code}")),
            "{said}"
        );
    }
    let cases = [
        ("thesis", json!({ "title": [{ "language": "zh", "text": "論" }] }), "thesis.title has the character"),
        (
            "activities",
            json!([{ "title": [{ "language": "en", "text": "A" }], "grade": "\u{7}" }]),
            "activities[0].grade has the character",
        ),
        ("title", json!([]), "title is not as the diploma model has it"),
        ("title", json!([{ "language": "en)/X(", "text": "A" }]), "title is not as the diploma model has it"),
        (
            "title",
            json!([{ "language": "en", "text": "A".repeat(1_001) }]),
            "title is too long: at most 1000 characters",
        ),
        ("familyName", json!(""), "familyName is not as"),
        ("dateOfBirth", json!("1999-02-30"), "dateOfBirth is not as"),
        ("eqfLevel", json!(9), "eqfLevel is not as"),
        (
            "activities",
            json!(vec![json!({ "title": [{ "language": "en", "text": "A" }] }); 501]),
            "activities is too long",
        ),
    ];
    for (member, value, expected) in cases {
        let said = with(member, value);
        assert!(said.starts_with(expected), "{said}");
    }
    let mut content = master();
    content.remove("title");
    assert_eq!(try_print(&content), Err(PaperError::Missing { field: "title".to_owned() }));
}

#[test]
fn a_code_that_nobody_could_scan_is_refused() {
    let of = |bytes: usize| {
        render(&PrintJob {
            content: &master(),
            issuer: &issuer(),
            language: "en",
            heading: None,
            compact: &"x".repeat(bytes),
        })
    };
    assert!(of(900).is_ok());
    assert!(of(1_273).is_ok(), "level L holds it");
    assert_eq!(of(1_274), Err(PaperError::Code { bytes: 1_274, most: 1_273 }));
    assert!(of(0).is_err());
}

#[test]
fn a_logo_is_a_small_png() {
    let of = |logo: &[u8]| {
        let issuer = Issuer { logo: Some(logo.to_vec()), ..issuer() };
        render(&PrintJob { content: &master(), issuer: &issuer, language: "en", heading: None, compact: "x" })
    };
    // One grey dot.
    let dot = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0:~\x9bU\0\0\0\nIDATx\x9cch\0\0\0\x82\0\x81w\xcdr\xb6\0\0\0\0IEND\xaeB`\x82";
    assert!(of(dot).is_ok(), "{:?}", of(dot).err());
    let mut huge = dot.to_vec();
    huge[16..20].copy_from_slice(&100_000u32.to_be_bytes());
    for logo in [&b"GIF89a"[..], b"", &dot[..20], &huge, &[0; 200_000]] {
        assert!(matches!(of(logo), Err(PaperError::Logo(_))), "{:?}", &logo[..logo.len().min(8)]);
    }
    for end in 24..dot.len() {
        let _ = of(&dot[..end]);
    }
}

#[test]
fn long_content_goes_on_to_further_pages() {
    let long = |letter: &str| json!([{ "language": "fr", "text": format!("{letter} ").repeat(500).trim_end() }, { "language": "en", "text": letter.repeat(1_000) }]);
    let mut content = master();
    content.insert("title".to_owned(), long("W"));
    content.insert("thesis".to_owned(), json!({ "title": long("m") }));
    content.insert("activities".to_owned(), json!(vec![json!({ "title": long("W") }); 40]));
    let document = Document::load_mem(&print(&content)).expect("a PDF");
    assert!(document.get_pages().len() > 8);
}
