//! Prints, and the files that people send.

mod hostile;
mod opened;
mod printed;
mod tools;

use serde_json::{Map, Value, json};
use testamur_paper::{Attachment, Issuer, PaperError, PrintJob, Relationship, Text, attach, render};
use testamur_primitives::units::UnixTime;

/// A compact credential of the largest size.
fn compact() -> String {
    let letters = b"ABCDEFGHIJKLMNOPabcdefghijklmnop0123456789-_";
    (0..900u32).map(|n| char::from(letters[(n.wrapping_mul(2_654_435_761) >> 9) as usize % letters.len()])).collect()
}

fn object(value: Value) -> Map<String, Value> {
    value.as_object().expect("an object").clone()
}

/// A master of law with three scripts in it.
fn master() -> Map<String, Value> {
    object(json!({
        "givenName": "Ελευθερία", "familyName": "Ковале́нко-Ångström", "dateOfBirth": "1999-12-31",
        "title": [{ "language": "fr", "text": "Master en droit européen" }, { "language": "uk", "text": "Магістр європейського права" }],
        "eqfLevel": 7, "iscedF": "0421", "ects": "120", "programme": "LAW-M",
        "grade": { "value": "14", "scale": [{ "language": "fr", "text": "Sur 20" }] },
        "thesis": { "title": [{ "language": "en", "text": "Proportionality" }] },
        "languages": ["fr", "lb"], "awardingDate": "2026-07-01", "place": "Luxembourg",
        "activities": [{ "title": [{ "language": "fr", "text": "Droit comparé" }], "ects": "6", "grade": { "value": "15" } }, { "title": [{ "language": "fr", "text": "Séminaire" }] }],
    }))
}

fn issuer() -> Issuer {
    let name = |language: &str, text: &str| Text { language: language.to_owned(), text: text.to_owned() };
    Issuer {
        names: vec![name("fr", "Université de la Moselle"), name("de", "Universität der Mosel")],
        did: "did:ebsi:zsSgDXeYPhZ3AuKhTFneDf1".to_owned(),
        logo: None,
    }
}

fn try_print(content: &Map<String, Value>) -> Result<Vec<u8>, PaperError> {
    render(&PrintJob { content, issuer: &issuer(), language: "fr", heading: None, compact: &compact() })
}

fn print(content: &Map<String, Value>) -> Vec<u8> {
    try_print(content).expect("it can be printed")
}

fn file(name: &str, relationship: Relationship, bytes: &str) -> Attachment {
    Attachment {
        name: name.to_owned(),
        media_type: "text/plain".to_owned(),
        description: "A file".to_owned(),
        relationship,
        modified: UnixTime(1_783_728_000),
        bytes: bytes.as_bytes().to_vec(),
    }
}

const RECEIPT: &str = r#"{"v":1,"type":"testamur-receipt"}"#;
const CREDENTIAL: &str = "eyJhbGciOiJFUzI1NiJ9.eyJhIjoxfQ.c2ln~";

/// What a university hands out.
fn diploma(print: &[u8]) -> Vec<u8> {
    let files = [
        file("compact.txt", Relationship::Alternative, "eyJ.eyJ.compact"),
        file("credential.sd-jwt", Relationship::Source, CREDENTIAL),
        file("receipt.json", Relationship::Data, RECEIPT),
    ];
    attach(print, &files).expect("files can be attached")
}
