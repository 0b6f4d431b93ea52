//! Diplomas: what every verifier must say of them, and what it is to look at.
//!
//! The cases are data (`tests/vectors/diplomas`, described in its README), so that other implementations run them too. Reason and
//! verdict of each are written down here by hand; the other steps are what the pipeline says, kept as golden vectors.

mod accreditations;
mod anchors;
mod dates;
mod documents;
mod graduation;
mod holders;
mod issuers;
mod papers;
mod readable;
mod runner;
mod signatures;
mod statuses;
mod tokens;
mod valid;
mod world;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use testamur_credentials::print::PrintDigest;
use testamur_credentials::verify::{Outcome, Reason, Verdict};
use testamur_primitives::codec::{base64_standard, base64url};
use testamur_primitives::key::SigningKey;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::status::BitList;
use testamur_primitives::units::UnixTime;

use self::graduation::Story;
pub use self::runner::{DiplomaCase, FOLDER, Part, PrintCase, Runner, TABLES, expand, name_of, steps};
use self::world::day;
use crate::vectors::{Files, json as file};

/// Every key of the story that signs credentials, by its DID URL.
pub fn keys() -> BTreeMap<String, &'static SigningKey> {
    static CAST: LazyLock<world::Cast> = LazyLock::new(world::Cast::new);
    let all = CAST.registered().into_iter().chain([&CAST.nobody]);
    all.flat_map(|one| one.keys().map(|key| (one.kid(key).to_string(), key))).collect()
}

/// The file of the cases that a reason decides.
pub fn table_of(reason: Reason) -> &'static str {
    if reason == Reason::Valid { TABLES[0] } else { TABLES[reason.step().number()] }
}

/// The verdict that a deciding reason gives.
fn verdict_of(reason: Reason) -> &'static str {
    match reason.outcome() {
        _ if reason == Reason::Valid => name_of(Verdict::Valid),
        Outcome::Failed => name_of(Verdict::NotValid),
        _ => name_of(Verdict::CannotTell),
    }
}

/// A case in the making. What is not said is: all proofs of day 27, no receipt, an hour later.
#[derive(Debug, Clone)]
struct New {
    name: String,
    input: Vec<Part>,
    receipt: Option<(String, Vec<u8>)>,
    proofs: Option<&'static str>,
    lists: bool,
    tokens: BTreeMap<String, Vec<Part>>,
    trust: &'static str,
    now: UnixTime,
    at: Option<UnixTime>,
    print: Option<PrintCase>,
}

/// An hour after the proofs of day 27.
fn soon() -> UnixTime {
    UnixTime(day(27).0 + 3_600)
}

fn case(name: impl Into<String>, text: impl Into<String>) -> New {
    New {
        name: name.into(),
        input: vec![Part::Text(text.into())],
        receipt: None,
        proofs: Some("main"),
        lists: true,
        tokens: BTreeMap::new(),
        trust: "trust",
        now: soon(),
        at: None,
        print: None,
    }
}

impl New {
    fn bytes(self, bytes: &[u8]) -> Self {
        self.parts(vec![Part::Base64 { base64: base64_standard(bytes) }])
    }

    fn parts(self, input: Vec<Part>) -> Self {
        Self { input, ..self }
    }

    /// With the receipt that it was issued with. Receipts that are alike share a file by this name.
    fn receipt(self, name: &str, receipt: &Receipt) -> Self {
        self.receipt_bytes(name, receipt.clone().encode())
    }

    fn receipt_bytes(self, name: &str, bytes: Vec<u8>) -> Self {
        Self { receipt: Some((name.to_owned(), bytes)), ..self }
    }

    fn proofs(self, name: &'static str, now: UnixTime) -> Self {
        Self { proofs: Some(name), now, ..self }
    }

    fn without_proofs(self) -> Self {
        Self { proofs: None, lists: false, ..self }
    }

    fn without_lists(self) -> Self {
        Self { lists: false, ..self }
    }

    fn token(mut self, url: &str, token: Vec<Part>) -> Self {
        self.tokens.insert(url.to_owned(), token);
        self
    }

    fn trust(self, trust: &'static str) -> Self {
        Self { trust, ..self }
    }

    fn now(self, now: UnixTime) -> Self {
        Self { now, ..self }
    }

    fn at(self, at: UnixTime) -> Self {
        Self { at: Some(at), ..self }
    }

    fn print(self, digest: PrintDigest, whole: bool) -> Self {
        Self { print: Some(PrintCase { digest, whole }), ..self }
    }
}

/// The cases, and the files that they name.
struct Cases<'a> {
    story: &'a Story,
    files: Files,
    tables: BTreeMap<&'static str, Vec<DiplomaCase>>,
    runner: Runner,
    wrong: Vec<String>,
}

impl<'a> Cases<'a> {
    fn new(story: &'a Story) -> Self {
        let mut cases =
            Self { story, files: Files::new(), tables: BTreeMap::new(), runner: Runner::default(), wrong: Vec::new() };
        for (name, trust) in [("trust", story.trust()), ("trust-late", story.pinned())] {
            cases.files.insert(format!("{name}.json"), trust.to_json().into_bytes());
        }
        for (name, evidence) in &story.evidence {
            cases.proofs(name, evidence, &story.lists[name]);
        }
        cases
    }

    /// Adds proofs by a name.
    fn proofs(&mut self, name: &str, evidence: &Evidence, lists: &[BitList]) {
        let zlib = |bits: &BitList| base64url(&miniz_oxide::deflate::compress_to_vec_zlib(bits.as_bytes(), 6));
        let lists: Vec<_> = lists.iter().map(zlib).collect();
        self.files.insert(format!("evidence-{name}.json"), evidence.encode());
        self.files.insert(format!("lists-{name}.json"), file(&lists));
    }

    fn of(&self, name: &str) -> &'a graduation::Issued {
        self.story.of(name)
    }

    /// Adds a case with the reason that decides it, which has the verdict in it.
    fn add(&mut self, new: New, reason: Reason) {
        let receipt = new.receipt.map(|(name, bytes)| {
            let path = format!("receipts/{name}.json");
            let before = self.files.insert(path.clone(), bytes.clone());
            assert!(before.is_none_or(|before| before == bytes), "two receipts are called {name}");
            path
        });
        let file = |kind: &str| new.proofs.map(|name| format!("{kind}-{name}.json"));
        let mut case = DiplomaCase {
            name: new.name,
            input: new.input,
            receipt,
            evidence: file("evidence"),
            lists: if new.lists { file("lists") } else { None },
            tokens: new.tokens,
            trust: format!("{}.json", new.trust),
            now: new.now.0,
            at: new.at.map(|at| at.0),
            print: new.print,
            verdict: verdict_of(reason).to_owned(),
            reason: reason.code().to_owned(),
            steps: Vec::new(),
        };
        let load = |path: &str| self.files.get(path).unwrap_or_else(|| panic!("no file {path}")).clone();
        let report = self.runner.judge(&case, &load);
        case.steps = steps(&report);
        if (name_of(report.verdict), report.reason) != (case.verdict.as_str(), reason) {
            self.wrong.push(format!(
                "{}: {} and not {}: {:?}",
                case.name,
                report.reason.code(),
                case.reason,
                case.steps
            ));
        }
        let known = self.tables.values().flatten().any(|other| other.name == case.name);
        assert!(!known, "two cases are called {}", case.name);
        self.tables.entry(table_of(reason)).or_default().push(case);
    }
}

/// Writes all cases, and what they need.
pub(super) fn write(files: &mut Files) {
    let story = Story::told();
    let mut cases = Cases::new(&story);
    let parts: [fn(&mut Cases<'_>); 10] = [
        valid::add,
        readable::add,
        signatures::add,
        issuers::add,
        accreditations::add,
        statuses::add,
        anchors::add,
        dates::add,
        holders::add,
        papers::add,
    ];
    parts.into_iter().for_each(|add| add(&mut cases));
    assert!(
        cases.wrong.is_empty(),
        "{} of the cases get another answer:\n{}",
        cases.wrong.len(),
        cases.wrong.join("\n")
    );
    for (table, cases) in &cases.tables {
        cases.iter().for_each(|case| assert!(case.steps.len() == 8, "{}", case.name));
        files.insert(format!("{FOLDER}/{table}.json"), file(cases));
    }
    files.extend(cases.files.into_iter().map(|(path, bytes)| (format!("{FOLDER}/{path}"), bytes)));
}
