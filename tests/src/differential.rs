//! Mutants of the golden vectors for two implementations of verification, each with the answer of this one.
//!
//! A mutant is a case of `vectors/diplomas`, `receipts.json`, `evidence.json` or `records.json` that was changed in one place or a
//! few: in its bytes, in the JSON beneath base64url (what decodes is read further), with the issuer's signature made anew, or in
//! what stands around it (clock, proofs, receipt, page). The number of a mutant is all that it depends on: the same everywhere.
//!
//! `src/bin/differential.rs` writes them line by line; the page's verifier reads the lines and answers for itself.

use std::cell::RefCell;
use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::{Map, Value, json};
use testamur_credentials::package;
use testamur_credentials::verify::{Outcome, Report, StepName};
use testamur_primitives::codec::{self, base64_standard, base64url, from_base64url, sha256};
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};
use testamur_primitives::key::SigningKey;
use testamur_primitives::receipt::{self, Receipt, Verdict};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;

use crate::fuzz::Random;
use crate::vectors::diplomas::{self, DiplomaCase, FOLDER, Part, PrintCase, Runner, TABLES, keys, name_of, steps};
use crate::vectors::{self, EvidenceCase, ReceiptCase, RecordsFile, judge_evidence, judge_record};

/// Name under which a mutant's own file is found: no file of the vectors has it.
const OWN: &str = "mutant";
/// Seconds of a day.
const DAY: u64 = 86_400;

/// A mutant, with the answer.
#[derive(Debug, Serialize)]
pub struct Mutant {
    /// Its number.
    pub number: u64,
    /// What it is a mutant of: `diploma`, `receipt`, `evidence` or `record`.
    pub kind: &'static str,
    /// What was done to it.
    pub change: &'static str,
    /// The case, in the form of the vectors' own.
    pub case: Value,
    /// Files that the case names and that are not among the vectors, as standard base64.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<String, String>,
    /// The answer: of a diploma verdict, reason and steps of each credential found; else exit code and slug.
    pub answer: Value,
    /// Whether what was checked is signed by who it says: the answer was decided by something deeper.
    pub signed: bool,
}

/// Makes mutants.
pub struct Mutants {
    diplomas: Vec<DiplomaCase>,
    /// Places in `diplomas` of those that are small, which most mutants are made of.
    small: Vec<usize>,
    receipts: Vec<ReceiptCase>,
    evidence: Vec<EvidenceCase>,
    records: RecordsFile,
    files: RefCell<BTreeMap<String, Vec<u8>>>,
    trust: BTreeMap<String, TrustFile>,
    keys: BTreeMap<String, &'static SigningKey>,
    runner: Runner,
}

fn read(path: &str) -> Vec<u8> {
    std::fs::read(vectors::folder().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn load<T: serde::de::DeserializeOwned>(path: &str) -> T {
    serde_json::from_slice(&read(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

impl Default for Mutants {
    fn default() -> Self {
        let table = |table: &&str| load::<Vec<DiplomaCase>>(&format!("{FOLDER}/{table}.json"));
        let diplomas: Vec<_> = TABLES.iter().flat_map(table).collect();
        let of_vectors = |path: &str| read(&format!("{FOLDER}/{path}"));
        let small = |(_, case): &(usize, &DiplomaCase)| diplomas::expand(&case.input, &of_vectors).len() < 20_000;
        let small = diplomas.iter().enumerate().filter(small).map(|(place, _)| place).collect();
        Self {
            diplomas,
            small,
            receipts: load("receipts.json"),
            evidence: load("evidence.json"),
            records: load("records.json"),
            files: RefCell::default(),
            trust: BTreeMap::new(),
            keys: keys(),
            runner: Runner::default(),
        }
    }
}

impl Mutants {
    /// The mutant of a number.
    pub fn make(&mut self, number: u64) -> Mutant {
        let random = &mut Random::seeded(&[b"differential\n", &number.to_be_bytes()]);
        match random.below(20) {
            0 => self.record(number, random),
            1 | 2 => self.receipt(number, random),
            3 => self.evidence(number, random),
            _ => self.diploma(number, random),
        }
    }

    /// A file of the vectors, remembered.
    fn file(&self, path: &str) -> Vec<u8> {
        self.files.borrow_mut().entry(path.to_owned()).or_insert_with(|| read(path)).clone()
    }

    fn trust(&mut self, path: &str) -> &TrustFile {
        let trust = || TrustFile::from_json(&read(path)).expect("a trust file of the vectors");
        self.trust.entry(path.to_owned()).or_insert_with(trust)
    }

    fn record(&self, number: u64, random: &mut Random) -> Mutant {
        let good = &self.records.good[random.below(self.records.good.len())];
        let text = String::from_utf8(good.record.clone().into_bytes()).expect("text");
        let (bytes, change) = match random.below(3) {
            0 => (scribbled(text.into_bytes(), random), "bytes"),
            _ => (jws(&text, random, None).into_bytes(), "inside"),
        };
        let time = self.records.time + random.below(2 * DAY as usize) as u64 - DAY;
        let answer = judge_record(&bytes, self.records.network, time);
        // What admits a record looks at its signature last.
        let signed = answer.is_none();
        let case = json!({ "bytes": base64_standard(&bytes), "network": self.records.network, "time": time });
        Mutant { number, kind: "record", change, case, files: BTreeMap::new(), answer: json!(answer), signed }
    }

    fn receipt(&mut self, number: u64, random: &mut Random) -> Mutant {
        let mut case = self.receipts[random.below(self.receipts.len())].clone();
        let (bytes, change) = receipt_mutant(&self.file(&case.receipt), random);
        case.at = moved(case.at, random);
        let document = case.document.as_ref().map(|text| codec::from_base64_standard(text).expect("base64"));
        let at = case.at;
        let (exit, code) = judge_receipt(&bytes, document.as_deref(), self.trust(&case.trust), at);
        case.receipt = OWN.to_owned();
        let signed = matches!(exit, 0 | 5)
            || ["receipt.document-differs", "receipt.opening", "receipt.not-a-notarisation"].contains(&code.as_str());
        let files = BTreeMap::from([(OWN.to_owned(), base64_standard(&bytes))]);
        Mutant { number, kind: "receipt", change, case: json!(case), files, answer: json!([exit, code]), signed }
    }

    fn evidence(&mut self, number: u64, random: &mut Random) -> Mutant {
        let mut case = self.evidence[random.below(self.evidence.len())].clone();
        let bytes = self.file(&case.evidence);
        let (bytes, change) = match random.below(3) {
            0 => (scribbled(bytes, random), "bytes"),
            _ => (json_mutant(&bytes, random, true), "inside"),
        };
        case.at = moved(case.at, random);
        let (exit, code) = judge_evidence(&bytes, self.trust(&case.trust.clone()), &case);
        case.evidence = OWN.to_owned();
        let signed = exit == 0 || !code.starts_with("evidence.") && !code.starts_with("receipt.");
        let files = BTreeMap::from([(OWN.to_owned(), base64_standard(&bytes))]);
        Mutant { number, kind: "evidence", change, case: json!(case), files, answer: json!([exit, code]), signed }
    }

    fn diploma(&mut self, number: u64, random: &mut Random) -> Mutant {
        // One in fifty may be of any size: a file of many megabytes says little that a small one does not.
        let place = if random.below(50) == 0 {
            random.below(self.diplomas.len())
        } else {
            self.small[random.below(self.small.len())]
        };
        let mut case = self.diplomas[place].clone();
        let mut own: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        let input = diplomas::expand(&case.input, &|path| self.file(&format!("{FOLDER}/{path}")));
        let change = match random.below(12) {
            0 => {
                case.input = bytes(&scribbled(input, random));
                "bytes"
            }
            1 | 2 => {
                case.input = bytes(&self.text(input, random, false));
                "inside"
            }
            3..=6 => {
                case.input = bytes(&self.text(input, random, true));
                "signed anew"
            }
            7 => self.around(&mut case, random),
            8 => {
                let Some(path) = &case.receipt else { return self.clocked(number, case, random) };
                let (receipt, _) = receipt_mutant(&self.file(&format!("{FOLDER}/{path}")), random);
                own.insert(OWN.to_owned(), receipt);
                case.receipt = Some(OWN.to_owned());
                "receipt"
            }
            9 if !case.tokens.is_empty() => {
                let keys: Vec<_> = case.tokens.keys().cloned().collect();
                let url = &keys[random.below(keys.len())];
                let token = diplomas::expand(&case.tokens[url], &|path| self.file(&format!("{FOLDER}/{path}")));
                let token = String::from_utf8(token).expect("tokens are text");
                let signed = random.below(3) > 0;
                let token = jws(&token, random, signed.then_some(&self.keys));
                case.tokens.insert(url.clone(), vec![Part::Text(token)]);
                "status token"
            }
            9 if random.below(20) == 0 => {
                let Some(packed) = self.packed(&case, &input, random) else {
                    return self.clocked(number, case, random);
                };
                case.input = bytes(&packed);
                (case.evidence, case.receipt, case.lists) = (None, None, None);
                "package"
            }
            _ => return self.clocked(number, case, random),
        };
        self.judged(number, case, change, own)
    }

    /// The case at another time.
    fn clocked(&mut self, number: u64, mut case: DiplomaCase, random: &mut Random) -> Mutant {
        case.now = moved(case.now, random);
        if random.below(3) == 0 {
            case.at = Some(moved(case.at.unwrap_or(case.now), random));
        }
        self.judged(number, case, "clock", BTreeMap::new())
    }

    /// Another surrounding: other proofs, none, another page.
    fn around(&self, case: &mut DiplomaCase, random: &mut Random) -> &'static str {
        let other = &self.diplomas[random.below(self.diplomas.len())];
        match random.below(6) {
            0 => case.evidence.clone_from(&other.evidence),
            1 => case.lists.clone_from(&other.lists),
            2 => case.receipt.clone_from(&other.receipt),
            3 => case.trust.clone_from(&other.trust),
            4 => case.tokens.clone_from(&other.tokens),
            _ => {
                case.print = match &case.print {
                    Some(PrintCase { digest, whole }) if random.below(2) == 0 => {
                        Some(PrintCase { digest: digest.clone(), whole: !whole })
                    }
                    Some(_) => None,
                    None => other.print.clone(),
                };
            }
        }
        "around"
    }

    /// A credential's text changed inside, or as bytes where it is none.
    fn text(&self, input: Vec<u8>, random: &mut Random, sign: bool) -> Vec<u8> {
        let keys = sign.then_some(&self.keys);
        match String::from_utf8(input) {
            Ok(text) if text.starts_with("ey") => {
                let (issued, tail) = text.find('~').map_or((text.as_str(), ""), |at| text.split_at(at));
                if !tail.is_empty() && !sign {
                    return (issued.to_owned() + &tail_mutant(tail, random)).into_bytes();
                }
                (jws(issued, random, keys) + tail).into_bytes()
            }
            Ok(text) if text.starts_with('{') => {
                let semantic = random.below(2) == 0;
                json_mutant(text.as_bytes(), random, semantic)
            }
            Ok(text) => scribbled(text.into_bytes(), random),
            Err(error) => scribbled(error.into_bytes(), random),
        }
    }

    /// A package of the case, mostly changed somewhere.
    fn packed(&self, case: &DiplomaCase, input: &[u8], random: &mut Random) -> Option<Vec<u8>> {
        let packed = self.package(case, input)?;
        Some(if random.below(4) == 0 { packed } else { json_mutant(&packed, random, false) })
    }

    /// A package of a credential and of all that is at hand beside it. None of what is no text, or has no state at hand.
    fn package(&self, case: &DiplomaCase, input: &[u8]) -> Option<Vec<u8>> {
        let text = core::str::from_utf8(input).ok().filter(|text| text.starts_with("ey"))?;
        let file = |path: &String| self.file(&format!("{FOLDER}/{path}"));
        // What is no JSON cannot stand in a package.
        let json = |bytes: &Vec<u8>| serde_json::from_slice::<serde::de::IgnoredAny>(bytes).is_ok();
        let receipt = match &case.receipt {
            Some(path) => Some(Some(file(path)).filter(json)?),
            None => None,
        };
        let members = [
            ("credential", Some(codec::canonical(&text))),
            ("evidence", Some(file(case.evidence.as_ref()?))),
            ("lists", case.lists.as_ref().map(file)),
            ("receipt", receipt),
            ("type", Some(codec::canonical(&package::TYPE))),
            ("v", Some(b"1".to_vec())),
        ];
        let mut packed = Vec::new();
        for (name, value) in members {
            let Some(value) = value else { continue };
            packed.extend_from_slice(if packed.is_empty() { b"{" } else { b"," });
            packed.extend_from_slice(format!("\"{name}\":").as_bytes());
            packed.extend_from_slice(&value);
        }
        packed.push(b'}');
        Some(packed)
    }

    /// The golden cases as somebody would hand them to a page: each one file with its proofs in a package, where it can be, else
    /// with none. Cases about what a page is never told (status tokens, another time, a page without its PDF) are left out.
    pub fn as_files(&mut self) -> Vec<Mutant> {
        let mut all = Vec::new();
        for (number, mut case) in self.diplomas.clone().into_iter().enumerate() {
            if !case.tokens.is_empty() || case.at.is_some() || case.print.is_some() {
                continue;
            }
            let input = diplomas::expand(&case.input, &|path| self.file(&format!("{FOLDER}/{path}")));
            match self.package(&case, &input) {
                Some(packed) => {
                    case.input = bytes(&packed);
                    case.receipt = None;
                }
                None => case.input = bytes(&input),
            }
            (case.evidence, case.lists) = (None, None);
            all.push(self.judged(number as u64, case, "file", BTreeMap::new()));
        }
        all
    }

    fn judged(
        &mut self,
        number: u64,
        mut case: DiplomaCase,
        change: &'static str,
        own: BTreeMap<String, Vec<u8>>,
    ) -> Mutant {
        let files = &self.files;
        let load = |path: &str| match own.get(path) {
            Some(bytes) => bytes.clone(),
            None => {
                let path = format!("{FOLDER}/{path}");
                files.borrow_mut().entry(path.clone()).or_insert_with(|| read(&path)).clone()
            }
        };
        let reports = self.runner.judge_all(&case, &load);
        let passed = |name| reports.iter().any(|report| report.step(name).outcome == Outcome::Passed);
        let signed = passed(StepName::Signature);
        let answer = |report: &Report| json!({ "verdict": name_of(report.verdict), "reason": report.reason, "steps": steps(report) });
        let answer = reports.iter().map(answer).collect();
        // What the case was before says nothing about what it is now.
        (case.verdict, case.reason, case.steps) = Default::default();
        let files = own.into_iter().map(|(path, bytes)| (path, base64_standard(&bytes))).collect();
        Mutant { number, kind: "diploma", change, case: json!(case), files, answer: Value::Array(answer), signed }
    }
}

fn bytes(input: &[u8]) -> Vec<Part> {
    match core::str::from_utf8(input) {
        Ok(text) => vec![Part::Text(text.to_owned())],
        Err(_) => vec![Part::Base64 { base64: base64_standard(input) }],
    }
}

/// Exit code and slug, as `testamur verify` gives them. A document counts only where SHA-256 is what it is compared by.
fn judge_receipt(bytes: &[u8], document: Option<&[u8]>, trust: &TrustFile, at: u64) -> (i32, String) {
    let receipt = match Receipt::decode(bytes) {
        Ok(receipt) => receipt,
        Err(error) => return (if error.is_cannot_tell() { 4 } else { 3 }, error.code().to_owned()),
    };
    let comparable = matches!(receipt.digest_algorithm(), None | Some(DigestAlgorithm::Sha2_256));
    let digest = document.filter(|_| comparable).map(|document| {
        DocumentDigest::new(DigestAlgorithm::Sha2_256, sha256(&[document]).to_vec()).expect("32 bytes")
    });
    match receipt::verify(&receipt, digest.as_ref(), trust, UnixTime(at)) {
        Verdict::Confirmed(_) => (0, "confirmed".into()),
        Verdict::OutOfOffice(_) => (5, "out-of-office".into()),
        Verdict::NotValid(error) => (3, error.code().into()),
        Verdict::CannotTell(error) => (4, error.code().into()),
    }
}

/// Another time: near by, days away, or one that a clock never shows.
fn moved(time: u64, random: &mut Random) -> u64 {
    match random.below(8) {
        0..=2 => time,
        3 => time + random.below(3 * DAY as usize) as u64,
        4 => time.saturating_sub(random.below(3 * DAY as usize) as u64),
        5 => time + random.below(400) as u64 * DAY,
        6 => time.saturating_sub(random.below(60) as u64 * DAY),
        _ => [0, 1, (1 << 53) - 1][random.below(3)],
    }
}

/// Bytes changed in one place or a few, as the fuzzer does.
fn scribbled(input: Vec<u8>, random: &mut Random) -> Vec<u8> {
    crate::fuzz::changed(input.clone(), &[input], random)
}

/// A JWS with its header or payload changed; signed anew if there is a key by its `kid`.
fn jws(text: &str, random: &mut Random, keys: Option<&BTreeMap<String, &'static SigningKey>>) -> String {
    let parts: Vec<_> = text.trim_end().split('.').collect();
    let [header, payload, signature] = parts.as_slice() else {
        return String::from_utf8_lossy(&scribbled(text.as_bytes().to_vec(), random)).into_owned();
    };
    let (Ok(header), Ok(payload)) = (from_base64url(header), from_base64url(payload)) else { return text.to_owned() };
    let key = keys.and_then(|keys| {
        let header: Map<String, Value> = serde_json::from_slice(&header).ok()?;
        keys.get(header.get("kid")?.as_str()?)
    });
    let (mut new_header, mut new_payload) = (header, payload);
    let semantic = random.below(3) > 0;
    if random.below(6) == 0 {
        new_header = json_mutant(&new_header, random, semantic);
    } else {
        new_payload = json_mutant(&new_payload, random, semantic);
    }
    let input = format!("{}.{}", base64url(&new_header), base64url(&new_payload));
    match key {
        Some(key) => format!("{input}.{}", base64url(&key.sign(input.as_bytes()))),
        None => format!("{input}.{signature}"),
    }
}

/// The disclosures and the holder's proof behind an SD-JWT, changed.
fn tail_mutant(tail: &str, random: &mut Random) -> String {
    let mut parts: Vec<String> = tail.split('~').map(str::to_owned).collect();
    let at = random.below(parts.len());
    let other = parts[random.below(parts.len())].clone();
    match random.below(5) {
        0 => drop(parts.remove(at)),
        1 => parts.insert(at, other),
        2 => parts.swap(at, random.below(tail.split('~').count())),
        3 => parts[at] = String::from_utf8_lossy(&scribbled(parts[at].clone().into_bytes(), random)).into_owned(),
        _ => {
            if let Ok(inside) = from_base64url(&parts[at]) {
                parts[at] = base64url(&json_mutant(&inside, random, true));
            }
        }
    }
    parts.join("~")
}

/// A receipt, changed; mostly with its digest made anew, since everything else would end there.
fn receipt_mutant(bytes: &[u8], random: &mut Random) -> (Vec<u8>, &'static str) {
    if random.below(4) == 0 {
        return (scribbled(bytes.to_vec(), random), "bytes");
    }
    let Ok(Value::Object(mut value)) = serde_json::from_slice(&json_mutant(bytes, random, true)) else {
        return (bytes.to_vec(), "none");
    };
    value.remove("digest");
    let Ok(bare) = serde_json_canonicalizer::to_vec(&value) else { return (bytes.to_vec(), "none") };
    let digest = sha256(&[b"testamur/receipt/v1\n", &bare]);
    value.insert("digest".into(), json!(base64_standard(&digest)));
    (serde_json_canonicalizer::to_vec(&value).unwrap_or_else(|_| bytes.to_vec()), "digest made anew")
}

/// JSON text with one value, member or spelling changed: as values if `semantic`, else in its text.
fn json_mutant(text: &[u8], random: &mut Random, semantic: bool) -> Vec<u8> {
    if semantic && let Ok(mut value) = serde_json::from_slice::<Value>(text) {
        let donor = value.clone();
        for _ in 0..=random.below(2) {
            alter(&mut value, &donor, random);
        }
        return serde_json::to_vec(&value).expect("JSON");
    }
    retouched(text, random)
}

/// What a value may be exchanged for.
fn odd(random: &mut Random) -> Value {
    let all = [
        json!(null),
        json!(true),
        json!(0),
        json!(1),
        json!(-1),
        json!(1.5),
        json!(9_007_199_254_740_993_u64),
        json!(u64::MAX),
        json!(""),
        json!("x"),
        json!("2027-01-15T08:00:00Z"),
        json!("revocation"),
        json!("did:key:z"),
        json!("\u{202e}\u{0}é"),
        json!([]),
        json!({}),
        json!([[]]),
        json!({ "type": "x" }),
    ];
    all[random.below(all.len())].clone()
}

/// Changes one value somewhere below.
fn alter(value: &mut Value, donor: &Value, random: &mut Random) {
    let deeper = random.below(6) > 0;
    match value {
        Value::Object(members) if deeper && !members.is_empty() => {
            let name = members.keys().nth(random.below(members.len())).expect("in range").clone();
            match random.below(12) {
                0 => drop(members.remove(&name)),
                1 => drop(members.insert("x".into(), odd(random))),
                2 => {
                    let value = members.remove(&name).expect("it is there");
                    members.insert(name + "x", value);
                }
                _ => alter(&mut members[&name], donor, random),
            }
        }
        Value::Array(values) if deeper && !values.is_empty() => {
            let at = random.below(values.len());
            match random.below(8) {
                0 => drop(values.remove(at)),
                1 => values.insert(at, values[at].clone()),
                2 => values.rotate_left(1),
                _ => alter(&mut values[at], donor, random),
            }
        }
        Value::Number(number) if deeper => {
            let before = number.as_u64().unwrap_or_default();
            let step = [1, 60, DAY, 30 * DAY, 4_000 * DAY][random.below(5)];
            *value = match random.below(3) {
                0 => json!(before.saturating_add(step)),
                1 => json!(before.saturating_sub(step)),
                _ => json!(before as f64 + [0.0, 0.5][random.below(2)]),
            };
        }
        Value::String(text) if deeper => {
            *text = match random.below(4) {
                0 => text.chars().rev().collect(),
                1 => text.clone() + ["x", "0", " ", "=", "#"][random.below(5)],
                2 => text.chars().take(random.below(text.chars().count() + 1)).collect(),
                _ => text.char_indices().map(|(at, c)| if at % 7 == 3 { c.to_ascii_uppercase() } else { c }).collect(),
            };
        }
        _ if random.below(2) == 0 => *value = somewhere(donor, random).clone(),
        _ => *value = odd(random),
    }
}

/// A value somewhere below.
fn somewhere<'a>(value: &'a Value, random: &mut Random) -> &'a Value {
    let below: Vec<&Value> = match value {
        Value::Object(members) => members.values().collect(),
        Value::Array(values) => values.iter().collect(),
        _ => Vec::new(),
    };
    if below.is_empty() || random.below(4) == 0 { value } else { somewhere(below[random.below(below.len())], random) }
}

/// JSON text changed as text, where two readers most easily differ: spellings of numbers and characters, names twice, spaces.
fn retouched(text: &[u8], random: &mut Random) -> Vec<u8> {
    let Ok(text) = core::str::from_utf8(text) else { return text.to_vec() };
    let places = |wanted: fn(u8) -> bool| -> Vec<usize> {
        text.bytes().enumerate().filter(|(_, byte)| wanted(*byte)).map(|(at, _)| at).collect()
    };
    let pick = |places: Vec<usize>, random: &mut Random| places.get(random.below(places.len())).copied();
    let splice = |at: usize, take: usize, with: &str| format!("{}{with}{}", &text[..at], &text[at + take..]);
    let changed = match random.below(8) {
        // A number in another spelling.
        0 | 1 => pick(places(|byte| byte.is_ascii_digit()), random).map(|at| {
            let with = [".0", "e0", "E+0", ".5", "e400", "0", "-", "00"][random.below(8)];
            splice(at + 1, 0, with)
        }),
        // A letter as an escape, or an escape that is none.
        2 | 3 => pick(places(|byte| byte.is_ascii_lowercase()), random).map(|at| {
            let letter = text.as_bytes()[at];
            let with = match random.below(6) {
                0 => "\\ud800".to_owned(),
                1 => "\\x".to_owned(),
                2 => "\\ud83d\\ude00".to_owned(),
                3 => "\u{7f}".to_owned(),
                _ => format!("\\u{letter:04x}"),
            };
            splice(at, 1, &with)
        }),
        // A member twice, or an unknown one.
        4 => pick(places(|byte| byte == b'{'), random).map(|at| {
            let rest = &text[at + 1..];
            let name = rest.find(':').map_or("\"x\"", |colon| &rest[..colon]);
            let name = if name.starts_with('"') && !name.contains(['{', ',']) { name } else { "\"x\"" };
            let value = ["null", "1", "\"x\"", "{}"][random.below(4)];
            let comma = if rest.starts_with('}') { "" } else { "," };
            splice(at + 1, 0, &format!("{name}:{value}{comma}"))
        }),
        // White space, of JSON and not.
        5 => pick(places(|byte| matches!(byte, b':' | b',' | b'{' | b'[')), random)
            .map(|at| splice(at + 1, 0, [" ", "\n", "\t", "\u{a0}", "\u{feff}", "\u{b}", "/**/"][random.below(7)])),
        6 => Some(format!("{text}{}", [" ", "\n", "x", "{}", "\0", ","][random.below(6)])),
        _ => Some(format!("{}{text}", [" ", "\u{feff}", "[", "\n"][random.below(4)])),
    };
    changed.unwrap_or_else(|| text.to_owned()).into_bytes()
}
