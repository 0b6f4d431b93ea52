//! A report as people read it: the verdict first, in one sentence; then who issued it by the ledger's word, what it attests, the
//! eight steps, and what to do next.
//!
//! Everything that stands in a credential comes from strangers: it is written on one line, without anything that steers a
//! terminal or turns the writing direction, and cut where it would bury the rest.

use serde_json::{Map, Value};
use testamur_credentials::verify::{Outcome, Reason, Report, StepName, Verdict};

use crate::output::{Output, Tone, harmless, utc};

/// Characters of a value that are shown: a thesis title has 300.
const VALUE_CHARS_MAX: usize = 400;
/// Lines of a list that are shown, such as the courses of a transcript.
const LINES_MAX: usize = 200;
/// Fields that are shown.
const FIELDS_MAX: usize = 64;
/// How wide the names of fields are.
const LABEL_WIDTH: usize = 16;

/// The fields of the model, in the order in which a person wants them, with their names.
const FIELDS: &[(&str, &str)] = &[
    ("givenName", "given names"),
    ("familyName", "family name"),
    ("dateOfBirth", "born"),
    ("title", "title"),
    ("programme", "programme"),
    ("eqfLevel", "EQF level"),
    ("iscedF", "ISCED-F field"),
    ("ects", "ECTS credits"),
    ("grade", "grade"),
    ("classes", "classes"),
    ("certificateNumber", "number"),
    ("thesis", "thesis"),
    ("languages", "languages"),
    ("studyMode", "mode of study"),
    ("awardingDate", "awarded on"),
    ("expiryDate", "expires on"),
    ("place", "place"),
    ("jurisdiction", "jurisdiction"),
    ("activities", "transcript"),
    ("supplement", "supplement"),
];

/// The answer in a word, with its colour.
pub(crate) fn verdict(verdict: Verdict, output: &Output) -> String {
    match verdict {
        Verdict::Valid => output.paint(Tone::Good, "VALID"),
        Verdict::NotValid => output.paint(Tone::Bad, "NOT VALID"),
        Verdict::CannotTell => output.paint(Tone::Warning, "CANNOT TELL"),
    }
}

/// One line: the answer, which file, why.
pub(crate) fn line(report: &Report, name: &str, output: &Output) -> String {
    let why = if report.verdict == Verdict::Valid {
        issuer(report).unwrap_or_default()
    } else {
        format!("{} ({})", sentence(report), report.reason.code())
    };
    format!("{}: {}: {why}", verdict(report.verdict, output), one_line(name))
}

/// Everything.
pub(crate) fn report(report: &Report, name: &str, output: &Output) -> String {
    let file = output.paint(Tone::Strong, &one_line(name));
    let mut text = format!("{}: {file}: {}\n", verdict(report.verdict, output), sentence(report));
    for next in next_steps(report) {
        text += &format!("  What to do: {next}\n");
    }
    text.push('\n');
    let mut row = |label: &str, value: &str| text += &format!("  {label:<LABEL_WIDTH$}{value}\n");
    if let Some(issuer) = issuer(report) {
        row("issued by", &issuer);
        if let Some(did) = evidence(report, StepName::Issuer).get("did").and_then(Value::as_str) {
            row("", &one_line(did));
        }
        for (number, link) in above(report).iter().enumerate() {
            row(if number == 0 { "accredited by" } else { "" }, link);
        }
    }
    if let Some(time) = anchored(report) {
        row("witnessed", &time);
    }
    if let Some(as_of) = report.as_of {
        row("ledger as of", &utc(as_of));
    }
    if !report.subject.is_empty() {
        text += &format!("\n  {}\n", output.paint(Tone::Strong, "It attests"));
        text += &fields(&report.subject);
    }
    text += &format!("\n  {}\n", output.paint(Tone::Strong, "What was looked at"));
    for step in &report.steps {
        let (mark, word, tone) = match step.outcome {
            Outcome::Passed => ("✓", "passed", Tone::Good),
            Outcome::Failed => ("✗", "FAILED", Tone::Bad),
            Outcome::Unknown => ("?", "unknown", Tone::Warning),
            Outcome::NotChecked => ("-", "not looked at", Tone::Strong),
        };
        let word = output.paint(tone, &format!("{mark} {word:<13}"));
        let said = match step.outcome {
            Outcome::NotChecked => String::new(),
            _ => format!("{} ({})", step.reason.sentence(), step.reason.code()),
        };
        text += format!("  {} {word} {:<15} {said}", step.step.number(), title(step.step)).trim_end();
        text.push('\n');
    }
    // Where the ledger says nothing, its part is empty; every value is on one line, so no other gap is closed.
    text.replace("\n\n\n", "\n\n")
}

/// The sentence of the reason that decides; with the date where the date is the point.
fn sentence(report: &Report) -> String {
    match (report.reason, report.as_of) {
        (Reason::StatusStale, Some(as_of)) => {
            format!("It was valid on {}; whether it was withdrawn since is not known.", utc(as_of))
        }
        (reason, _) => reason.sentence().to_owned(),
    }
}

/// What to do: of the reason that decides, and of a good answer that is bound to nobody's key.
fn next_steps(report: &Report) -> Vec<&'static str> {
    let holder = report.steps.iter().find(|step| step.step == StepName::Holder).map(|step| step.reason);
    let of_holder = holder.filter(|_| report.verdict == Verdict::Valid).map(Reason::next);
    let all = core::iter::once(report.reason.next()).chain(of_holder);
    all.filter(|next| !next.is_empty()).collect()
}

fn title(step: StepName) -> &'static str {
    match step {
        StepName::Readable => "readable",
        StepName::Signature => "not altered",
        StepName::Issuer => "who issued it",
        StepName::Accreditation => "allowed to",
        StepName::Status => "not withdrawn",
        StepName::Anchor => "witnessed",
        StepName::Dates => "dates",
        StepName::Holder => "who holds it",
    }
}

fn evidence(report: &Report, step: StepName) -> &Value {
    static NOTHING: Value = Value::Null;
    report.steps.iter().find(|found| found.step == step).map_or(&NOTHING, |found| &*found.evidence)
}

/// The issuer's name by the ledger's word; none when the ledger has none.
fn issuer(report: &Report) -> Option<String> {
    entity(evidence(report, StepName::Issuer))
}

/// Who accredited the issuer, up to the root.
fn above(report: &Report) -> Vec<String> {
    let links = evidence(report, StepName::Accreditation).get("links").and_then(Value::as_array);
    let above = links.into_iter().flatten().skip(1);
    above.filter_map(|link| Some(format!("{}{}", entity(link)?, office(link)))).take(LINES_MAX).collect()
}

fn office(link: &Value) -> &'static str {
    match link.get("as").and_then(Value::as_str) {
        Some("root-tao" | "RootTAO") => ", at the root",
        _ => "",
    }
}

/// A legal name, the official one first, and the country.
fn entity(of: &Value) -> Option<String> {
    let name = of.get("names")?.as_array()?.first()?.get("name")?.as_str()?;
    let country = of.get("country").and_then(Value::as_str).map_or_else(String::new, |c| format!(" ({})", one_line(c)));
    Some(format!("{}{country}", one_line(name)))
}

fn anchored(report: &Report) -> Option<String> {
    let evidence = evidence(report, StepName::Anchor);
    let time = evidence.get("time").and_then(Value::as_u64)?;
    let block = evidence.get("height").and_then(Value::as_u64).map_or_else(String::new, |h| format!(", block {h}"));
    Some(format!("{}{block}", utc(testamur_primitives::units::UnixTime(time))))
}

/// The fields of a subject, one a line; lists of objects one line each.
fn fields(subject: &Map<String, Value>) -> String {
    let known = FIELDS.iter().filter_map(|(name, label)| Some((*label, subject.get(*name)?)));
    let others = subject
        .iter()
        .filter(|(name, _)| *name != "print" && *name != "id" && !FIELDS.iter().any(|(known, _)| known == name))
        .map(|(name, value)| (name.as_str(), value));
    let all: Vec<_> = known.chain(others).collect();
    let mut text = String::new();
    for (label, value) in all.iter().take(FIELDS_MAX) {
        let label = cut(&one_line(label), LABEL_WIDTH * 2);
        let lines = lines(value);
        for (number, line) in lines.iter().take(LINES_MAX).enumerate() {
            let label = if number == 0 { label.as_str() } else { "" };
            text += &format!("    {label:<LABEL_WIDTH$}{}\n", cut(line, VALUE_CHARS_MAX));
        }
        if lines.len() > LINES_MAX {
            text += &format!("    {:<LABEL_WIDTH$}… and {} more\n", "", lines.len() - LINES_MAX);
        }
    }
    if all.len() > FIELDS_MAX {
        text += &format!("    … and {} more fields\n", all.len() - FIELDS_MAX);
    }
    text
}

fn lines(value: &Value) -> Vec<String> {
    match value {
        Value::Array(all) if all.iter().any(Value::is_object) => {
            let texts: Option<Vec<_>> = all.iter().map(translated).collect();
            texts.unwrap_or_else(|| all.iter().map(plain).collect())
        }
        other => vec![plain(other)],
    }
}

/// A text in a language.
fn translated(value: &Value) -> Option<String> {
    let object = value.as_object().filter(|object| object.len() == 2)?;
    let (text, language) = (object.get("text")?.as_str()?, object.get("language")?.as_str()?);
    Some(format!("{} [{}]", one_line(text), one_line(language)))
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => one_line(text),
        Value::Array(all) => {
            all.iter().map(|one| translated(one).unwrap_or_else(|| plain(one))).collect::<Vec<_>>().join(", ")
        }
        Value::Object(object) => translated(value).unwrap_or_else(|| {
            let member = |(name, value): (&String, &Value)| match name.as_str() {
                "value" | "title" => plain(value),
                name => format!("{}: {}", one_line(name), plain(value)),
            };
            object.iter().map(member).collect::<Vec<_>>().join("; ")
        }),
        other => other.to_string(),
    }
}

/// Text on one line in which nothing steers.
fn one_line(text: &str) -> String {
    harmless(text).replace('\n', "\u{fffd}")
}

fn cut(text: &str, chars_max: usize) -> String {
    match text.char_indices().nth(chars_max) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use serde_json::json;
    use testamur_credentials::verify::StepReport;
    use testamur_primitives::units::UnixTime;

    use super::*;

    fn step(step: StepName, reason: Reason, evidence: Value) -> StepReport {
        StepReport { step, outcome: reason.outcome(), reason, evidence: Arc::new(evidence) }
    }

    fn made(verdict: Verdict, reason: Reason, subject: Value, name: &str) -> Report {
        let issuer = json!({ "did": "did:ebsi:z1", "names": [{ "lang": "en", "name": name }], "country": "LU" });
        let links = json!({ "links": [
            { "names": [{ "lang": "en", "name": name }], "country": "LU", "as": "ti" },
            { "names": [{ "lang": "en", "name": "Ministry" }], "country": "LU", "as": "root-tao" },
        ] });
        Report {
            v: 1,
            verdict,
            reason,
            at: UnixTime(1_800_000_000),
            as_of: Some(UnixTime(1_800_000_000)),
            format: None,
            steps: vec![
                step(StepName::Readable, Reason::ReadableOk, Value::Null),
                step(StepName::Issuer, Reason::IssuerOk, issuer),
                step(StepName::Accreditation, Reason::AccreditationOk, links),
                step(reason.step(), reason, json!({ "time": 1_800_000_000, "height": 7 })),
                step(StepName::Holder, Reason::HolderUnbound, Value::Null),
            ],
            subject: subject.as_object().cloned().unwrap_or_default(),
        }
    }

    fn output() -> Output {
        Output::new(true, false)
    }

    #[test]
    fn the_verdict_comes_first_and_needs_no_colour() {
        let subject = json!({ "familyName": "Weber", "title": [{ "language": "fr", "text": "Master en droit" }] });
        let good = report(&made(Verdict::Valid, Reason::Valid, subject, "University"), "a.pdf", &output());
        assert!(good.starts_with("VALID: a.pdf: This credential is genuine and in force.\n"), "{good}");
        assert!(good.contains("Compare name and birth date with an identity document."), "{good}");
        assert!(good.contains("University (LU)") && good.contains("Ministry (LU), at the root"), "{good}");
        assert!(good.contains("Weber") && good.contains("Master en droit [fr]"), "{good}");
        assert!(good.contains("✓ passed"), "{good}");
        let bad = report(&made(Verdict::NotValid, Reason::StatusRevoked, json!({}), "University"), "a.pdf", &output());
        assert!(bad.starts_with("NOT VALID: a.pdf: The issuer has withdrawn it.\n  What to do: "), "{bad}");
        assert!(bad.contains("✗ FAILED") && bad.contains("(status.revoked)"), "{bad}");
        assert!(!bad.contains("Compare name"), "only what is good may be compared: {bad}");
        let old = made(Verdict::CannotTell, Reason::StatusStale, json!({}), "University");
        let old = report(&old, "a.pdf", &output());
        assert!(old.starts_with("CANNOT TELL: a.pdf: It was valid on 2027-01-15 08:00:00 UTC;"), "{old}");
    }

    #[test]
    fn strangers_text_stays_on_its_line_and_steers_nothing() {
        let evil = "x\n  8 ✓ passed\u{1b}[2J\u{202e}\u{2066}\u{61c}\u{2028}\u{7}\r\u{9b}1m";
        let subject = json!({
            "familyName": evil,
            evil: evil,
            "title": [{ "language": evil, "text": evil }],
            "grade": { "value": evil, evil: [evil, { evil: evil }] },
            "activities": [{ "title": [{ "language": "en", "text": evil }], "ects": evil }],
        });
        let evil_report = made(Verdict::Valid, Reason::Valid, subject, evil);
        let plain = made(
            Verdict::Valid,
            Reason::Valid,
            json!({ "familyName": "x", "y": "z", "title": "x", "grade": "x", "activities": "x" }),
            "x",
        );
        let text = report(&evil_report, evil, &output());
        assert_eq!(text.lines().count(), report(&plain, "x", &output()).lines().count(), "{text}");
        for text in [text, line(&evil_report, evil, &output()) + "\n"] {
            let steers = |c: char| (c.is_control() && c != '\n') || "\u{202e}\u{2066}\u{61c}\u{2028}".contains(c);
            assert!(!text.contains(steers), "{text:?}");
        }
    }

    #[test]
    fn what_is_long_is_cut() {
        let many: Vec<_> = (0..1_000).map(|n| json!({ "title": format!("course {n}") })).collect();
        let subject = json!({ "familyName": "é".repeat(10_000), "activities": many });
        let text = report(&made(Verdict::Valid, Reason::Valid, subject, "U"), "a", &output());
        assert!(text.contains("… and 800 more"), "{}", text.len());
        assert!(text.len() < 20_000, "{}", text.len());
    }
}
