//! Every parser of bytes that others write, as a target for fuzzing, with inputs to begin from.
//!
//! A target must answer any bytes without panicking, and what it accepts must be what was written: read and written again it is
//! the same. `tests/fuzz` runs the targets guided by coverage; [`mutated`] gives seeded inputs for a short run on any machine.

use testamur_credentials::presentation;
use testamur_credentials::status::Token;
use testamur_credentials::{format, link, package};
use testamur_primitives::block::Block;
use testamur_primitives::codec::{from_base64url, sha256};
use testamur_primitives::issuers::accreditation::Accreditation;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::Record;
use testamur_primitives::schemas;
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::status::formats::TokenFormat;
use testamur_primitives::stream::{self, Frame};

use crate::vectors::diplomas::{self, DiplomaCase, FOLDER, TABLES};
use crate::vectors::folder;

mod ledger;
mod parts;
mod tries;

pub use parts::Target;
use parts::{CUT, jws};
pub use tries::{Inputs, Tried, try_all};

/// All targets of the crates that this one links.
pub fn targets() -> Vec<Target> {
    [&TARGETS[..], &ledger::TARGETS].concat()
}

/// The genesis of the vectors, in its canonical form.
pub fn sample_genesis() -> Vec<u8> {
    ledger::texts("genesis.json", "canonical").remove(0)
}

const TARGETS: [Target; 14] = [
    Target { name: "credential", run: credential, corpus: texts },
    Target { name: "credential-inside", run: |bytes| credential(&jws(bytes)), corpus: insides },
    Target { name: "presentation", run: presented, corpus: inputs },
    Target { name: "package", run: packaged, corpus: packages },
    Target { name: "link", run: linked, corpus: links },
    Target { name: "file", run: opened, corpus: files },
    Target { name: "receipt", run: receipt, corpus: receipts },
    Target { name: "evidence", run: evidence, corpus: small_evidence },
    Target { name: "status-list-2021", run: |bytes| token(TokenFormat::StatusList2021, bytes), corpus: tokens },
    Target { name: "bitstring", run: |bytes| token(TokenFormat::Bitstring, bytes), corpus: tokens },
    Target { name: "token-status-list", run: |bytes| token(TokenFormat::TokenStatusList, bytes), corpus: tokens },
    Target { name: "accreditation", run: accreditation, corpus: insides },
    Target { name: "record-and-schema", run: record_and_schema, corpus: small_evidence },
    Target { name: "ledger-stream", run: ledger_stream, corpus: streams },
];

fn credential(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Ok(credential) = format::parse(text) {
        let issued = text.split('~').next().unwrap_or_default();
        assert_eq!(credential.jws.compact(), issued, "what is read is what was signed");
        assert!(
            !credential.types.is_empty() || !credential.issuer.is_of_ledger(),
            "a credential of a ledger has types"
        );
    }
}

fn presented(bytes: &[u8]) {
    if let Ok(read) = presentation::read(bytes) {
        let again = presentation::Presentation::of_text(&read.text).expect("what was read is read again");
        assert_eq!(again.credential.digest(), read.credential.digest());
    }
}

fn packaged(bytes: &[u8]) {
    let Ok(read) = package::read(bytes) else { return };
    let receipt = read.receipt.and_then(Result::ok);
    let written = package::Package { credential: read.text.clone(), receipt, proofs: read.proofs.clone() }.encode();
    let again = package::read(&written).expect("what is written is read");
    assert_eq!((again.text, again.proofs.lists), (read.text, read.proofs.lists));
}

fn linked(bytes: &[u8]) {
    let Ok(text) = core::str::from_utf8(bytes) else { return };
    if let Ok(compact) = link::parse(text) {
        let _ = format::parse(&compact);
    }
}

fn opened(bytes: &[u8]) {
    for found in testamur_paper::check::find(bytes, None) {
        let _ = found.network();
    }
    let _ = testamur_paper::compact_of(bytes);
}

fn receipt(bytes: &[u8]) {
    if let Ok(receipt) = Receipt::decode(bytes) {
        assert_eq!(receipt.encode(), bytes, "a receipt has one form");
    }
}

fn evidence(bytes: &[u8]) {
    if let Ok(evidence) = Evidence::decode(bytes) {
        assert_eq!(evidence.encode(), bytes, "evidence has one form");
    }
}

fn token(format: TokenFormat, bytes: &[u8]) {
    for text in [jws(bytes), bytes.to_vec()] {
        let Ok(text) = core::str::from_utf8(&text) else { continue };
        if let Ok(token) = Token::parse(format, text) {
            assert_eq!(token.get(token.size()), None, "there is nothing after the end");
            assert!(token.size() == 0 || token.get(token.size() - 1).is_some());
        }
    }
}

fn accreditation(bytes: &[u8]) {
    for text in [jws(bytes), bytes.to_vec()] {
        if let Ok(text) = core::str::from_utf8(&text) {
            let _ = Accreditation::parse(text);
        }
    }
}

/// As it is, and under a hash that fits: a mutation of the bytes before it would be found by that alone.
fn ledger_stream(bytes: &[u8]) {
    let mended = [bytes, &[b'Z', 0, 0, 0, 32], &sha256(&[bytes])].concat();
    for bytes in [bytes, &mended] {
        let Ok(frames) = stream::decode(bytes) else { continue };
        let mut again = Vec::new();
        let mut encoder = stream::Encoder::begin(&mut again);
        frames[..frames.len() - 1].iter().for_each(|frame| encoder.frame(frame, &mut again));
        encoder.end(&mut again);
        assert_eq!(again, bytes, "INV-STREAM-1");
        if let Ok(read) = stream::read_blocks(bytes) {
            for streamed in &read.blocks {
                let _ = Block::decode(&streamed.block);
            }
        }
    }
}

fn record_and_schema(bytes: &[u8]) {
    let _ = Record::parse(bytes);
    if let Ok(text) = core::str::from_utf8(bytes)
        && let Ok(canonical) = schemas::body::canonical(text)
    {
        schemas::body::check(&canonical).expect("what is to be published can be");
    }
}

fn cases() -> Vec<DiplomaCase> {
    let read = |table: &str| std::fs::read(folder().join(FOLDER).join(format!("{table}.json"))).expect("the vectors");
    let parse = |table: &str| -> Vec<DiplomaCase> { serde_json::from_slice(&read(table)).expect("cases") };
    TABLES.iter().flat_map(|table| parse(table)).collect()
}

fn load(path: &str) -> Vec<u8> {
    std::fs::read(folder().join(FOLDER).join(path)).expect("a file of the vectors")
}

fn inputs() -> Vec<Vec<u8>> {
    let inputs = cases().into_iter().map(|case| diplomas::expand(&case.input, &load));
    inputs.filter(|input| input.len() < 100_000).collect()
}

fn texts() -> Vec<Vec<u8>> {
    inputs().into_iter().filter(|input| input.starts_with(b"ey")).collect()
}

/// The parts of credentials, in the clear.
fn insides() -> Vec<Vec<u8>> {
    let inside = |text: Vec<u8>| {
        let text = String::from_utf8(text).ok()?;
        let (issued, tail) = text.find('~').map_or((text.as_str(), ""), |at| text.split_at(at));
        let mut parts = issued.split('.').map(|part| from_base64url(part).ok());
        let (header, payload) = (parts.next()??, parts.next()??);
        Some([header.as_slice(), &[CUT], &payload, &[CUT], tail.as_bytes()].concat())
    };
    texts().into_iter().filter_map(inside).collect()
}

fn packages() -> Vec<Vec<u8>> {
    inputs().into_iter().filter(|input| input.starts_with(b"{")).collect()
}

fn links() -> Vec<Vec<u8>> {
    inputs().into_iter().filter(|input| input.starts_with(b"https://")).collect()
}

fn files() -> Vec<Vec<u8>> {
    inputs().into_iter().filter(|input| input.starts_with(b"%PDF") || input.starts_with(b"PK")).collect()
}

fn receipts() -> Vec<Vec<u8>> {
    let names: std::collections::BTreeSet<_> = cases().into_iter().filter_map(|case| case.receipt).collect();
    names.iter().step_by(7).map(|path| load(path)).collect()
}

/// Two blocks without the end, and the beginning of a snapshot's state.
fn streams() -> Vec<Vec<u8>> {
    let blocks = std::fs::read(folder().join("blocks.stream")).expect("the vectors");
    let mut state = Vec::new();
    let mut encoder = stream::Encoder::begin(&mut state);
    for frame in [
        Frame::Genesis(b"{}"),
        Frame::Block(b"block"),
        Frame::Certificate(b"note"),
        Frame::Attachment(b"bits"),
        Frame::State { key: b"writer/a/1", value: b"{}" },
        Frame::Tree { key: b"key", node: b"node", value: b"{}" },
    ] {
        encoder.frame(&frame, &mut state);
    }
    vec![blocks[..blocks.len() - 37].to_vec(), state]
}

/// Evidence of many keys.
fn evidence_file() -> Vec<u8> {
    load("evidence-main.json")
}

/// Evidence of one key, so that a mutation has few places to be lost in.
fn small_evidence() -> Vec<Vec<u8>> {
    let mut evidence = Evidence::decode(&evidence_file()).expect("evidence of the vectors");
    evidence.state.truncate(2);
    let schema = include_bytes!("../../genesis/schemas/diploma.json").to_vec();
    vec![evidence.encode(), schema]
}

fn tokens() -> Vec<Vec<u8>> {
    let parts = cases().into_iter().flat_map(|case| case.tokens.into_values());
    let texts = parts.map(|parts| diplomas::expand(&parts, &load)).filter(|text| text.len() < 100_000);
    let inside = |text: Vec<u8>| {
        let text = String::from_utf8(text).ok()?;
        let mut parts = text.split('.').map(|part| from_base64url(part).ok());
        let (header, payload) = (parts.next()??, parts.next()??);
        Some([header.as_slice(), &[CUT], &payload].concat())
    };
    texts.filter_map(inside).collect()
}

/// The input of a number, changed in one to four ways: of an even one what the target accepts, of an odd one what fuzzing
/// kept. The same everywhere, for the same seed.
pub fn mutated(inputs: &Inputs, name: &str, seed: u64, number: u64) -> Vec<u8> {
    let mut random = Random::seeded(&[b"fuzz\n", name.as_bytes(), &seed.to_be_bytes(), &number.to_be_bytes()]);
    let among = if number.is_multiple_of(2) || inputs.kept().is_empty() { inputs.own() } else { inputs.kept() };
    let input = among[random.below(among.len())].clone();
    changed(input, inputs.all(), &mut random)
}

/// An input changed in one to four ways, with parts of others.
pub fn changed(mut input: Vec<u8>, corpus: &[Vec<u8>], random: &mut Random) -> Vec<u8> {
    for _ in 0..=random.below(4) {
        let at = random.below(input.len() + 1);
        let end = (at + 1 + random.below(32)).min(input.len());
        match random.below(8) {
            0 if at < input.len() => input[at] ^= 1 << random.below(8),
            1 if at < input.len() => input[at] = random.below(256) as u8,
            2 if at < end => drop(input.drain(at..end)),
            3 if at < end => {
                let again = input[at..end].to_vec();
                input.splice(at..at, again);
            }
            4 => {
                let other = &corpus[random.below(corpus.len())];
                let from = random.below(other.len() + 1);
                let part = other[from..(from + random.below(64)).min(other.len())].to_vec();
                input.splice(at..at, part);
            }
            5 => {
                let words: [&[u8]; 12] = [
                    b"{",
                    b"}",
                    b"[",
                    b"]",
                    b"\"",
                    b"~",
                    b".",
                    b"null",
                    b"9007199254740993",
                    b"-1e999",
                    b"\\u0000",
                    &[CUT],
                ];
                input.splice(at..at, words[random.below(words.len())].iter().copied());
            }
            6 => input.truncate(at),
            _ if at < end => input[at..end].reverse(),
            _ => {}
        }
    }
    input
}

/// Numbers that follow from a seed: four bytes each, then those of its hash.
pub struct Random {
    seed: [u8; 32],
    at: usize,
}

impl Random {
    /// Numbers that follow from these bytes.
    pub fn seeded(parts: &[&[u8]]) -> Self {
        Self { seed: sha256(parts), at: 0 }
    }

    /// A number below another; zero if that is zero.
    pub fn below(&mut self, most: usize) -> usize {
        if self.at + 4 > self.seed.len() {
            (self.seed, self.at) = (sha256(&[&self.seed]), 0);
        }
        let bytes = self.seed[self.at..self.at + 4].try_into().expect("4 bytes");
        self.at += 4;
        u32::from_be_bytes(bytes) as usize % most.max(1)
    }
}
