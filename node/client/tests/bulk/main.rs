//! Receipt containers: made, killed and gone on with, damaged, read; held against the batch in memory.

#[path = "../../../../contracts/credentials/tests/world/mod.rs"]
mod world;

mod containers;
mod faults;
mod folders;
mod lists;
mod rewriting;

use std::path::Path;

use testamur_client::bulk::chunk::{Chunk, Columns};
use testamur_client::bulk::container::Container;
use testamur_client::bulk::format::{Links, Order, Settings};
use testamur_client::bulk::writer::Writer;
use testamur_client::cut::Cut;
use testamur_client::digest::digest_reader;
use testamur_client::limits::CHUNK_ENTRIES;
use testamur_primitives::commitment::{BatchLeaf, DigestAlgorithm, DocumentDigest, Form};
use testamur_primitives::did::Did;
use testamur_primitives::key::SigningKey;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::{Act, Record};
use testamur_primitives::units::UnixTime;

use world::{Network, State};

/// Within the term of the test network's keys.
pub(crate) const TIME: u64 = world::START + 1_000;

pub(crate) fn settings(order: Order) -> Settings {
    let (alg, form, links) = (DigestAlgorithm::Sha2_256, Form::Commitment, Links::Skip);
    Settings { alg, exclude: vec![], form, links, order, v: 1 }
}

/// Document `i`: all algorithms, some without a name.
pub(crate) fn document(i: u64) -> (DocumentDigest, Vec<u8>) {
    let digest = digest_reader(DigestAlgorithm::ALL[i as usize % 6], &i.to_be_bytes()[..]).unwrap();
    (digest, if i % 7 == 3 { vec![] } else { format!("letters/{i:08}.pdf").into_bytes() })
}

pub(crate) fn columns(range: core::ops::Range<u64>) -> Columns {
    let mut columns = Columns::default();
    for i in range {
        let (digest, name) = document(i);
        columns.push(digest.algorithm(), digest.as_bytes(), &name).unwrap();
    }
    columns
}

/// Adds documents `writer.count() .. count`.
pub(crate) fn fill(writer: &mut Writer, count: u64) {
    while writer.count() < count {
        let first = writer.count();
        let last = count.min(first + CHUNK_ENTRIES as u64);
        let sealed = columns(first..last).seal(first, Form::Commitment).unwrap();
        writer.append(&sealed, &document(last - 1).1).unwrap();
    }
}

/// The ledger: an author's record over an act, and its receipt.
pub(crate) struct Ledger {
    pub(crate) network: Network,
    pub(crate) key: SigningKey,
}

impl Ledger {
    pub(crate) fn new() -> Self {
        Self { network: Network::new(0), key: SigningKey::ed25519(&[9; 32]) }
    }

    pub(crate) fn receipt(&self, act: Act) -> Receipt {
        let did = Did::key(&self.key.public_key());
        let receipt = self.network.receipt(&State::default(), &did, &self.key, TIME, act);
        // With its digest, as a node gives it.
        Receipt::decode(&receipt.encode()).unwrap()
    }

    pub(crate) fn cut(&self, receipt: &Receipt) -> Cut {
        let record = Record::parse(receipt.record.as_bytes()).unwrap();
        Cut::new(receipt.clone(), record.id(), &self.network.trust(), UnixTime(TIME + 60)).unwrap()
    }

    /// Signs, records and finishes a container whose documents are in.
    pub(crate) fn complete(&self, mut writer: Writer) -> Container {
        writer.seal().unwrap();
        let receipt = self.receipt(writer.act(None).unwrap());
        writer.record(&Record::parse(receipt.record.as_bytes()).unwrap()).unwrap();
        writer.ledger(&self.cut(&receipt)).unwrap();
        Container::open(&writer.finish().unwrap()).unwrap()
    }

    pub(crate) fn container(&self, path: &Path, count: u64, order: Order) -> Container {
        let mut writer = Writer::open(path, &settings(order)).unwrap();
        fill(&mut writer, count);
        self.complete(writer)
    }
}

/// A chunk's leaves, as the ledger's own type has them.
pub(crate) fn leaves(chunk: &Chunk) -> Vec<BatchLeaf> {
    let leaf = |place| {
        let (algorithm, bytes) = chunk.entry(place).digest.unwrap();
        BatchLeaf { digest: DocumentDigest::new(algorithm, bytes.to_vec()).unwrap(), salt: chunk.salt(place) }
    };
    (0..chunk.count()).map(leaf).collect()
}

/// The committed container reads as it always did: the same documents, the same receipts, byte for byte.
#[test]
fn the_golden_container_gives_its_receipts() {
    let vectors = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/vectors/containers");
    let container = Container::open(&vectors.join("listed.receipts")).unwrap();
    let cases: serde_json::Value =
        serde_json::from_slice(&std::fs::read(vectors.join("listed.json")).unwrap()).unwrap();
    container.check(2).unwrap();
    assert_eq!(cases["count"], container.count());
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    for case in cases["documents"].as_array().unwrap() {
        let index = case["index"].as_u64().unwrap();
        let (digest, name) = document(index);
        assert_eq!(
            (case["digest"].as_str(), case["alg"].as_str()),
            (Some(&*hex(digest.as_bytes())), Some(digest.algorithm().name()))
        );
        assert_eq!(case["name"].as_str().unwrap().as_bytes(), name);
        let receipt = container.receipt(index).unwrap().unwrap();
        let hash = digest_reader(DigestAlgorithm::Sha2_256, &receipt[..]).unwrap();
        assert_eq!(case["receipt_sha256"].as_str(), Some(&*hex(hash.as_bytes())), "document {index}");
    }
    let kept = std::fs::read(vectors.join("listed-1024.receipt.json")).unwrap();
    assert_eq!(container.receipt(1_024).unwrap().unwrap(), kept);
}
