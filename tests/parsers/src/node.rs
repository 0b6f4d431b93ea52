//! Parsers of the node's crates.

use std::path::{Path, PathBuf};

use testamur_client::bulk::chunk::Chunk;
use testamur_client::bulk::container::Container;
use testamur_client::bulk::format::{self, ContainerId, Index, Kind, Settings};
use testamur_consensus::parsers::PARSERS;
use testamur_gateway::hashes;
use testamur_primitives::commitment::DigestAlgorithm;
use testamur_registrar::import::{self, Map};
use testamur_tests::fuzz::Target;
use testamur_tests::vectors::folder;

pub(crate) fn targets() -> Vec<Target> {
    let consensus = PARSERS.iter().map(|p| Target { name: p.name, run: p.run, corpus: p.corpus });
    consensus.chain(TARGETS).collect()
}

const TARGETS: [Target; 7] = [
    Target { name: "container", run: container, corpus: containers },
    Target { name: "container-chunk", run: chunk, corpus: chunks },
    Target { name: "container-index", run: index, corpus: indexes },
    Target { name: "container-settings", run: settings, corpus: all_settings },
    Target { name: "gateway-hashes", run: gateway_hashes, corpus: all_hashes },
    Target { name: "graduates", run: graduates, corpus: tables },
    Target { name: "graduates-map", run: map, corpus: || vec![MAP.as_bytes().to_vec()] },
];

const TABLE: &str = include_str!("../../../genesis/graduation/graduates.csv");
const MAP: &str = include_str!("../../../genesis/graduation/map.toml");

/// The vectors' container of three chunks and 1,024 documents more.
fn sample() -> PathBuf {
    folder().join("containers/listed.receipts")
}

/// Kind and body of each section of the sample.
fn sections() -> Vec<(Kind, Vec<u8>)> {
    let file = std::fs::File::open(sample()).expect("the vectors");
    let length = file.metadata().expect("its length").len();
    let header = std::fs::read(sample()).expect("the vectors");
    let id = format::parse_header(&header[..format::HEADER_BYTES as usize]).expect("a container");
    let (mut at, mut found) = (format::HEADER_BYTES, Vec::new());
    while at < length {
        let section = format::read_section(&file, id, at, length).expect("the sample is whole");
        at = section.next;
        found.push((section.kind, section.body));
    }
    found
}

fn bodies(kind: Kind) -> Vec<Vec<u8>> {
    sections().into_iter().filter(|(found, _)| *found == kind).map(|(_, body)| body).collect()
}

fn kind(byte: u8) -> Kind {
    [Kind::Settings, Kind::Chunk, Kind::Index, Kind::Record, Kind::Ledger, Kind::End][usize::from(byte) % 6]
}

/// An input is sections without checksums: kind, length, body. They are written as a file whose checksums are right, so that
/// what lies behind those is reached.
fn container(bytes: &[u8]) {
    // A file of memory: this is about readers, not about disks.
    let path = Path::new("/dev/shm").join(format!("testamur-{}-{:?}", std::process::id(), std::thread::current().id()));
    let id = ContainerId([7; 16]);
    let mut file = format::header(id).to_vec();
    let mut rest = bytes;
    while let Some((&first, after)) = rest.split_first() {
        let Some((length, after)) = after.split_first_chunk::<4>() else { break };
        let length = u32::from_be_bytes(*length) as usize;
        let (body, after) = after.split_at(length.min(after.len()));
        file.extend(format::section(id, file.len() as u64, kind(first), body));
        rest = after;
    }
    for content in [&file[..], bytes] {
        std::fs::write(&path, content).expect("memory is there");
        if let Ok(container) = Container::open(&path) {
            assert!(container.count() > 0, "an empty batch is none");
        }
    }
    std::fs::remove_file(&path).expect("it was written");
}

fn containers() -> Vec<Vec<u8>> {
    let joined = |sections: &[(Kind, Vec<u8>)]| {
        let each = |(kind, body): &(Kind, Vec<u8>)| {
            let place = (*kind as u8) - 1;
            [&[place][..], &u32::try_from(body.len()).expect("short").to_be_bytes(), body].concat()
        };
        sections.iter().flat_map(each).collect::<Vec<u8>>()
    };
    // Chunks are not read on opening: without them inputs are short.
    let mut short = sections();
    short.retain(|(kind, _)| *kind != Kind::Chunk);
    vec![joined(&short)]
}

fn chunk(bytes: &[u8]) {
    if let Ok(chunk) = Chunk::parse(bytes.to_vec()) {
        assert_eq!(chunk.entries().count(), chunk.count());
        let root = chunk.computed_root();
        let last = chunk.count() - 1;
        if let Some(without) = chunk.without(last) {
            let without = Chunk::parse(without).expect("a chunk without a document is one");
            assert_eq!(without.computed_root(), root, "an erased document leaves the root");
        }
        assert_eq!(chunk.into_body(), bytes);
    }
}

/// Short ones: a chunk of eight documents is like one of a thousand.
fn chunks() -> Vec<Vec<u8>> {
    let mut columns = testamur_client::bulk::chunk::Columns::default();
    for number in 0..8u8 {
        let (algorithm, name) =
            (DigestAlgorithm::ALL[usize::from(number) % 6], vec![b'a' + number; usize::from(number)]);
        columns.push(algorithm, &vec![number; algorithm.digest_bytes()], &name).expect("it has room");
    }
    let (plain, derived) = (columns.seal_with(0, None), columns.seal_with(1024, Some(&[9; 32])));
    let listed = Chunk::parse(derived.body().to_vec()).expect("a chunk").without(3).expect("it has salts");
    vec![plain.body().to_vec(), derived.body().to_vec(), listed]
}

fn index(bytes: &[u8]) {
    if let Some(index) = Index::decode(bytes) {
        assert_eq!(index.encode(), bytes, "an index has one form");
    }
    let _ = format::parse_header(bytes);
    if let Ok(text) = core::str::from_utf8(bytes)
        && let Some(name) = format::parse_name(text)
    {
        assert_eq!(
            format::parse_name(&format::display_name(&name)).as_deref(),
            Some(&name[..]),
            "a name is shown whole"
        );
    }
}

fn indexes() -> Vec<Vec<u8>> {
    let mut corpus = bodies(Kind::Index);
    corpus.push(format::header(ContainerId([7; 16])).to_vec());
    corpus.push(br"letters/\x5cx41\xff.pdf".to_vec());
    corpus
}

fn settings(bytes: &[u8]) {
    if let Some(settings) = Settings::decode(bytes) {
        assert_eq!(settings.encode(), bytes, "settings have one form");
    }
}

fn all_settings() -> Vec<Vec<u8>> {
    bodies(Kind::Settings)
}

fn gateway_hashes(bytes: &[u8]) {
    for digest in hashes::parse(bytes, DigestAlgorithm::Sha2_256).unwrap_or_default() {
        assert_eq!(digest.as_bytes().len(), digest.algorithm().digest_bytes());
    }
}

fn all_hashes() -> Vec<Vec<u8>> {
    let hex = "00ff".repeat(16);
    let objects = format!(r#"[{{"alg":"sha3-256","digest":"{hex}"}},{{"digest":"{}"}}]"#, "A".repeat(43));
    vec![format!(r#"["{hex}","{}"]"#, hex.to_uppercase()).into_bytes(), objects.into_bytes()]
}

/// Whatever a table holds: an error, or every row either a draft or at fault.
fn graduates(bytes: &[u8]) {
    let map = Map::parse(MAP).expect("the sample's map");
    match import::read(bytes, import::Kind::of("graduates", bytes), &map) {
        Err(error) => assert!(error.code().starts_with("import."), "{error}"),
        Ok(import) => assert!(import.drafts.len() <= import.rows, "more drafts than rows"),
    }
}

/// Small tables: a few rows in three encodings and two dialects.
fn tables() -> Vec<Vec<u8>> {
    let text = TABLE.lines().take(3).collect::<Vec<_>>().join("\r\n");
    let latin = text.chars().map(|c| u8::try_from(u32::from(c)).unwrap_or(b'?')).collect();
    let wide = [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
    let semicolons = format!("\u{feff}{}", text.replace(',', ";"));
    vec![text.into_bytes(), latin, wide, semicolons.into_bytes(), b"[{\"name\":\"A\"},{}]".to_vec()]
}

fn map(bytes: &[u8]) {
    if let Ok(text) = core::str::from_utf8(bytes) {
        let _ = Map::parse(text);
    }
}
