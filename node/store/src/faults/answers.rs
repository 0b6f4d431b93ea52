//! A ledger with something in every column, and everything that a store answers about it.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use testamur_primitives::block::encode_value;
use testamur_primitives::codec::sha256;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};
use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttachmentHash, RecordId};
use testamur_primitives::units::{Epoch, Height, LogIndex, LogSize, Round, UnixTime};
use testamur_registry::{StateKey, StateReader as _};

use crate::schema::Column;
use crate::testing::{TestIssuer, TestNetwork, raw_rows};
use crate::{EntryPosition, Ledger, RecordQuery, StoreError, Undecided};

/// A network, and what one can ask about its ledger.
pub(super) struct World {
    pub(super) network: TestNetwork,
    ids: Vec<RecordId>,
    digests: Vec<[u8; 32]>,
    state: Vec<StateKey>,
    objects: Vec<(String, String)>,
    timestamps: Vec<[u8; 32]>,
    attachments: Vec<AttachmentHash>,
    height: u64,
    size: u64,
}

/// The SHA-256 of each answer, by question.
pub(super) type Answers = BTreeMap<String, [u8; 32]>;

/// Makes a ledger: part of it in tables of several levels, part in the write-ahead log alone. `look` sees it before it is
/// closed: opening it again would move the log into tables.
pub(super) fn build<T>(directory: &Path, look: impl FnOnce(&World, &Ledger) -> T) -> (World, T) {
    let network = TestNetwork::new();
    let open = || network.open(directory, 0).expect("a new ledger opens");
    let ledger = open();
    let mut ids = network.grow(&ledger, 3, 90);
    registries(&network, &ledger);
    ledger.compact().expect("it can be merged");
    ids.extend(network.grow(&ledger, 2, 40));
    // What the log of this process held is in tables of the first level when the next one opens.
    drop(ledger);
    let ledger = open();
    ids.extend(network.grow(&ledger, 3, 30));
    undecided(&network, &ledger);
    let world = describe(network, &ledger, ids);
    let seen = look(&world, &ledger);
    (world, seen)
}

fn registries(network: &TestNetwork, ledger: &Ledger) {
    let at = |seconds| UnixTime(ledger.tip().header.time.0 + seconds);
    let issuer = TestIssuer::new(1);
    issuer.onboard(network, ledger, 1, at(1));
    let time = at(1);
    let (first, attachment) = issuer.status(network, "degrees", 1, None, time, &[]);
    network.commit_with(ledger, time, &[Arc::clone(&first)], &[attachment]);
    let time = at(1);
    let (second, attachment) = issuer.status(network, "degrees", 2, Some(first.record().id()), time, &[7]);
    network.commit_with(ledger, time, &[second], &[attachment]);
}

fn undecided(network: &TestNetwork, ledger: &Ledger) {
    let time = UnixTime(ledger.tip().header.time.0 + 1);
    let block = ledger.propose(network.validators[0].address, time, &[]).expect("a proposal").block;
    let bytes = encode_value(block.bytes(), &[[0u8; 0]; 0]).into();
    let proposer = network.validators[0].address;
    let undecided = Undecided { round: Round(0), proposer, value_id: block.value_id(), bytes };
    ledger.put_undecided(ledger.tip().next_height(), &undecided).expect("it is stored");
}

/// What can be asked: keys of the rows as they are now.
pub(super) fn describe(network: TestNetwork, ledger: &Ledger, ids: Vec<RecordId>) -> World {
    let keys = |column: Column| raw_rows(ledger, column.name()).into_iter().map(|(key, _)| key);
    let state = keys(Column::StateKeys).map(|key| String::from_utf8(key).expect("text").parse().expect("a key"));
    let digests = keys(Column::Digests).filter(|key| key.len() == 43);
    let list = |key: Vec<u8>| {
        let mut parts = key.split(|byte| *byte == 0).map(|part| String::from_utf8_lossy(part).into_owned());
        (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
    };
    let mut objects: Vec<_> = keys(Column::ObjectIds).map(list).collect();
    objects.dedup();
    let hash = |key: Vec<u8>| AttachmentHash::from_bytes(key.try_into().expect("32 bytes"));
    let tip = ledger.tip();
    World {
        ids,
        digests: digests.map(|key| key[1..33].try_into().expect("32 bytes")).collect(),
        state: state.collect(),
        objects,
        timestamps: keys(Column::Timestamps).map(|key| key.try_into().expect("32 bytes")).collect(),
        attachments: keys(Column::Attachments).map(hash).collect(),
        height: tip.height().0,
        size: tip.header.log_size.0,
        network,
    }
}

/// A question: its name, and how a ledger answers it, as text.
type Question<'w> = (String, Box<dyn Fn(&Ledger) -> Result<String, StoreError> + 'w>);

impl World {
    /// Height of the newest block.
    pub(super) fn height(&self) -> Height {
        Height(self.height)
    }

    /// Everything that a store can be asked, about blocks up to `height`.
    fn questions(&self) -> Vec<Question<'_>> {
        let mut all: Vec<Question<'_>> = Vec::new();
        macro_rules! ask {
            ($name:expr, $ledger:ident => $answer:expr) => {
                all.push(($name, Box::new(move |$ledger: &Ledger| Ok(format!("{:?}", $answer)))))
            };
        }
        for height in (0..=self.height).map(Height) {
            ask!(format!("block {height}"), l => l.view()?.block_bytes(height)?);
            ask!(format!("checkpoint {height}"), l => l.view()?.checkpoint(height)?);
            ask!(format!("ids of block {height}"), l => l.view()?.block_ids(height)?);
            ask!(format!("decided {height}"), l => {
                let decided = l.view()?.decided(height)?;
                decided.map(|d| (d.bytes, d.attachments, d.certificate.to_string()))
            });
            ask!(format!("history {height}"), l => {
                let proof = l.view()?.history(height, Height(self.height))?;
                proof.map(|p| (p.from.hash, p.to.hash, p.path))
            });
        }
        for id in &self.ids {
            ask!(format!("receipt {id}"), l => l.view()?.receipt(id)?);
        }
        for (place, digest) in self.digests.iter().enumerate().step_by(5) {
            let document = DocumentDigest::new(DigestAlgorithm::Sha2_256, digest.to_vec()).expect("32 bytes");
            ask!(format!("digest {place}"), l => l.view()?.notarisations(&document, EntryPosition::default(), 10)?);
        }
        for writer in &self.network.writers {
            let author = Did::key(&writer.public_key());
            let query = RecordQuery { author: Some(author.clone()), limit: 100, ..Default::default() };
            ask!(format!("records of {author}"), l => l.view()?.records(&query)?);
        }
        let since = Some(UnixTime(crate::testing::GENESIS_TIME.0 + 20));
        let query = RecordQuery { time_from: since, limit: 100, ..Default::default() };
        ask!("records since".into(), l => l.view()?.records(&query)?);
        for tile in 0..=self.size >> 8 {
            let width = (self.size - (tile << 8)).min(256) as u16;
            ask!(format!("tile {tile}"), l => l.view()?.tile(0, tile, width)?);
            ask!(format!("entries {tile}"), l => l.view()?.entry_bundle(tile, width)?);
        }
        ask!("tile 1/0".into(), l => l.view()?.tile(1, 0, (self.size >> 8) as u16)?);
        for size in [1, 100, 256, self.size - 1] {
            ask!(format!("consistency {size}"), l => {
                let proof = l.view()?.consistency(LogSize(size), LogSize(self.size))?;
                proof.map(|p| (p.from_root, p.to_root, p.path))
            });
            ask!(format!("inclusion {size}"), l => l.view()?.inclusion(LogIndex(size - 1), LogSize(self.size))?);
        }
        ask!("epochs".into(), l => l.view()?.epochs(Epoch(0), 100)?);
        ask!("headers".into(), l => l.view()?.headers(Height(self.height), 100)?);
        for key in &self.state {
            ask!(format!("proof of {key}"), l => l.view()?.prove_state(key)?);
            ask!(format!("state {key}"), l => l.view()?.state().get(key)?);
        }
        for (kind, term) in &self.objects {
            ask!(format!("objects {kind} {term}"), l => {
                let page = l.view()?.objects(kind, term, 1, 50)?;
                (page.ids, page.total)
            });
        }
        for id in self.timestamps.iter().step_by(7) {
            ask!(format!("timestamp {}", id[0]), l => {
                let found = l.view()?.timestamp(id)?;
                found.map(|t| (t.notarisation, t.algorithm, t.digest))
            });
        }
        ask!("timestamps".into(), l => {
            let page = l.view()?.timestamps(1, 100)?;
            (page.ids, page.total)
        });
        for hash in &self.attachments {
            ask!(format!("attachment {hash}"), l => l.view()?.attachment(hash)?);
        }
        all
    }

    /// Everything that the store answers, once.
    pub(super) fn answers(&self, ledger: &Ledger) -> Result<Answers, StoreError> {
        let answer = |(name, ask): Question<'_>| Ok((name, sha256(&[ask(ledger)?.as_bytes()])));
        self.questions().into_iter().map(answer).collect()
    }

    /// Asks everything, from question `first` on and round, until the store refuses; names the first answer that is
    /// another than in `truth`. Blocks above `height` are left out.
    pub(super) fn compare(&self, ledger: &Ledger, truth: &Answers, first: u64) -> Result<(), Compared> {
        let mut questions = self.questions();
        let first = first as usize % questions.len();
        questions.rotate_left(first);
        for (name, ask) in questions {
            let text = ask(ledger).map_err(|_| Compared::Refused)?;
            if truth.get(&name) != Some(&sha256(&[text.as_bytes()])) {
                let shown: String = text.chars().take(400).collect();
                return Err(Compared::Wrong(format!("{name}: {shown}")));
            }
        }
        Ok(())
    }

    /// As [`World::compare`], of one question.
    pub(super) fn compare_one(&self, ledger: &Ledger, truth: &Answers, number: u64) -> Result<(), Compared> {
        let questions = self.questions();
        let (name, ask) = &questions[number as usize % questions.len()];
        let text = ask(ledger).map_err(|_| Compared::Refused)?;
        if truth.get(name) == Some(&sha256(&[text.as_bytes()])) {
            return Ok(());
        }
        let shown: String = text.chars().take(400).collect();
        Err(Compared::Wrong(format!("{name}: {shown}")))
    }

    /// As [`World::compare`], of a ledger that has lost its newest blocks: those it has are the right ones.
    pub(super) fn compare_prefix(&self, ledger: &Ledger, truth: &Answers) -> Result<(), Compared> {
        let tip = ledger.tip().height().0;
        let questions = self.questions().into_iter();
        let kept = (0..=tip).flat_map(|height| [format!("block {height}"), format!("checkpoint {height}")]);
        let kept: std::collections::BTreeSet<_> = kept.collect();
        for (name, ask) in questions.filter(|(name, _)| kept.contains(name)) {
            let text = ask(ledger).map_err(|_| Compared::Refused)?;
            if truth.get(&name) != Some(&sha256(&[text.as_bytes()])) {
                return Err(Compared::Wrong(name));
            }
        }
        Ok(())
    }
}

/// Why answers are not all as before.
pub(super) enum Compared {
    /// The store says itself that something is wrong.
    Refused,
    /// It does not.
    Wrong(String),
}
