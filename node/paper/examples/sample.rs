//! Prints sample diplomas into a folder: `cargo run --release -p testamur-paper --example sample -- FOLDER [COUNT]`. With a count
//! it measures how long that many take on one core.

use std::time::Instant;

use serde_json::{Value, json};
use testamur_paper::{Attachment, Issuer, PrintJob, Relationship, Text, attach, render};
use testamur_primitives::units::UnixTime;

fn text(language: &str, text: &str) -> Text {
    Text { language: language.to_owned(), text: text.to_owned() }
}

fn samples() -> Vec<(&'static str, &'static str, Value)> {
    let activity = |n: usize| json!({ "title": [{ "language": "en", "text": format!("Course {n}: Foundations of Distributed Systems") }], "ects": "6", "grade": "15.5/20", "date": "2024-07-01" });
    vec![
        (
            "bachelor",
            "en",
            json!({
                "givenName": "Zoë Maria", "familyName": "Müller-Ångström", "dateOfBirth": "2001-03-12",
                "title": [{ "language": "en", "text": "Bachelor of Science in Computer Science" }, { "language": "fr", "text": "Bachelor en informatique" }],
                "eqfLevel": 6, "iscedF": "0613", "ects": "180",
                "grade": { "value": "16.5", "scale": [{ "language": "en", "text": "Out of 20; 10 is the pass mark" }] },
                "languages": ["fr", "en"], "awardingDate": "2026-07-10", "place": "Esch-sur-Alzette",
                "activities": (1..=42).map(activity).collect::<Vec<_>>(),
            }),
        ),
        (
            "doctorate",
            "de",
            json!({
                "givenName": "Ελευθερία Μαρία", "familyName": "Παπαδοπούλου-Ἀγγέλου", "dateOfBirth": "1994-01-01",
                "title": [{ "language": "el", "text": "Διδακτορικό Δίπλωμα στη Θεωρητική Φυσική" }, { "language": "de", "text": "Doktor der Naturwissenschaften (Dr. rer. nat.) in Theoretischer Physik" }],
                "eqfLevel": 8, "iscedF": "0533",
                "thesis": { "title": [{ "language": "en", "text": "On the Non-Perturbative Renormalisation of Gauge Theories with Compact Extra Dimensions and Its Consequences for the Spectrum of Bound States" }] },
                "languages": ["de"], "awardingDate": "2026-06-01", "place": "Wien",
            }),
        ),
        (
            "master",
            "fr",
            json!({
                "givenName": "Владимир Ѣ", "familyName": "Ковале́нко z\u{324}\u{30c}y\u{308}\u{304}", "dateOfBirth": "1999-12-31",
                "title": [{ "language": "fr", "text": "Master en droit européen" }, { "language": "uk", "text": "Магістр європейського права" }, { "language": "en", "text": "Master of Laws in European Law" }],
                "eqfLevel": 7, "iscedF": "0421", "ects": "120", "programme": [{ "language": "fr", "text": "Droit de l’Union" }],
                "grade": { "value": "14", "scale": [{ "language": "fr", "text": "Sur 20" }], "classification": [{ "language": "fr", "text": "bien" }] },
                "languages": ["fr"], "awardingDate": "2026-07-01", "place": "Luxembourg",
            }),
        ),
        (
            "driver",
            "en",
            json!({
                "givenName": "Jürgen", "familyName": "Öztürk", "dateOfBirth": "1980-05-06",
                "title": [{ "language": "en", "text": "Certificate of Training for Drivers of Vehicles Carrying Dangerous Goods" }],
                "certificateNumber": "LU-ADR-000123", "classes": ["1", "7", "2–9 tanks"], "awardingDate": "2026-02-03", "expiryDate": "2031-02-02",
            }),
        ),
    ]
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let folder = arguments.next().expect("a folder");
    let count: usize = arguments.next().map_or(0, |count| count.parse().expect("a number"));
    let issuer = Issuer {
        names: vec![text("en", "University of the Moselle"), text("fr", "Université de la Moselle")],
        did: "did:ebsi:zsSgDXeYPhZ3AuKhTFneDf1".to_owned(),
        logo: std::fs::read(format!("{folder}/logo.png")).ok(),
    };
    let compact: String = (0..880u32)
        .map(|n| char::from(b"ABCDEFGHabcdefgh0123456789-_"[(n.wrapping_mul(2_654_435_761) >> 9) as usize % 28]))
        .collect();
    for (name, language, content) in samples() {
        let content = content.as_object().expect("an object");
        let job = PrintJob { content, issuer: &issuer, language, heading: None, compact: &compact };
        let print = render(&job).expect("the sample can be printed");
        let file = |name: &str, relationship, bytes: &[u8]| Attachment {
            name: name.to_owned(),
            media_type: "application/json".to_owned(),
            description: "Sample".to_owned(),
            relationship,
            modified: UnixTime(1_780_000_000),
            bytes: bytes.to_vec(),
        };
        let files = [
            file("credential.json", Relationship::Source, compact.as_bytes()),
            file("receipt.json", Relationship::Data, b"{\"v\":1}"),
        ];
        let whole = attach(&print, &files).expect("files can be attached");
        println!("{name}: {} bytes, with attachments {}", print.len(), whole.len());
        std::fs::write(format!("{folder}/{name}.print.pdf"), &print).expect("written");
        std::fs::write(format!("{folder}/{name}.pdf"), &whole).expect("written");
        if count > 0 {
            let begin = Instant::now();
            for n in 0..count {
                let compact = format!("{compact}{n}");
                assert!(!render(&PrintJob { compact: &compact, ..job }).expect("printed").is_empty());
            }
            println!("  {:.2} ms each", begin.elapsed().as_secs_f64() * 1000.0 / count as f64);
        }
    }
}
