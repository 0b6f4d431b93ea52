//! `testamur bench --registries`: what reads of the registries cost, and what a hundred times as many objects change.
//!
//! Four validators, filled through their HTTP API by consensus, as everybody fills a ledger: a Root TAO, its agency, and
//! DIDs that the agency lets in, some of them trusted issuers, some of these with a status list. At 1, 10 and 100 per
//! cent of the wanted numbers the same is measured; growth is what the last has over the first.

mod fill;
mod reads;
mod report;
mod world;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use testamur_client::author::Author;
use testamur_primitives::hash::AttributeId;
use testamur_primitives::issuers::chain::trust_chain;
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::trust::TrustFile;
use tokio::runtime::Runtime;

use super::limits::MachineLimits;
use super::{Bench, Latency, Machine, Network, failed, load, process, read_authors, sign};
use crate::exit::CommandError;
use crate::keystore::{Access, Key, KeyKind};
use crate::output::Output;
use crate::setup::key_path;
use fill::Filler;
use reads::{Known, Question, Reads, gzipped_bytes, without_lists_and_epochs};
use report::{Bundle, Stage};
pub(super) use report::{Report, table};
use world::World;

/// Shares of the wanted numbers, in per cent, at which everything is measured.
const STAGES: [u64; 3] = [1, 10, 100];
/// Heights of one record each that are measured one after another at each stage.
const SINGLE_HEIGHTS: usize = 40;

/// How much is on the ledger in the end, and how long it is read.
#[derive(Debug, Args)]
pub(super) struct Size {
    /// Measure reads of the registries, and what their growth changes
    #[arg(long)]
    pub(super) registries: bool,
    /// DIDs in the end
    #[arg(long, requires = "registries", default_value_t = 20_000, value_parser = clap::value_parser!(u64).range(100..=1_000_000))]
    dids: u64,
    /// Trusted issuers among them
    #[arg(long, requires = "registries", default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(100..=100_000))]
    issuers: u64,
    /// Status lists, one of an issuer, of 131,072 entries each
    #[arg(long, requires = "registries", default_value_t = 200, value_parser = clap::value_parser!(u64).range(100..=10_000))]
    lists: u64,
    /// Seconds of each kind of reads at each stage, many at once and then one by one
    #[arg(long, requires = "registries", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=600))]
    read_s: u16,
    /// Connections that read
    #[arg(long, requires = "registries", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=200))]
    readers: u16,
}

impl Size {
    /// What must hold between the numbers.
    pub(super) fn check(&self) -> Result<(), CommandError> {
        if self.lists <= self.issuers && self.issuers <= self.dids {
            return Ok(());
        }
        Err(CommandError::Usage("--lists may not be more than --issuers, nor those more than --dids".into()))
    }
}

impl Bench {
    /// Fills the ledger and measures at each stage.
    pub(super) fn measure_registries(
        &self,
        network: &Network<'_>,
        runtime: &Runtime,
        limits: MachineLimits,
        output: &Output,
    ) -> Result<Report, CommandError> {
        let Network { dir, trust, nodes } = *network;
        let genesis = trust.genesis();
        let world = World::new(trust.network(), genesis.did_method(), &genesis.public_base())?;
        let filler = Filler { runtime, nodes: &nodes.api, connections: self.connections.into() };
        output.note("a Root TAO and its agency");
        filler.one_by_one(&world.beginnings(&operator(dir, trust)?)?)?;
        let authors = read_authors(dir, trust.network())?;
        let mut known = Known::default();
        let mut stages: Vec<Stage> = Vec::new();
        for share in STAGES {
            let part = |of: u64| of * share / 100;
            let (dids, issuers, lists) = (part(self.size.dids), part(self.size.issuers), part(self.size.lists));
            let before = stages.last().map_or((0, 0, 0), |stage| (stage.dids, stage.issuers, stage.lists));
            output.note(format!("filling: {dids} DIDs, {issuers} issuers, {lists} status lists"));
            let filled = filler.fill(&world, (before.0..dids, before.1..issuers, before.2..lists))?;
            known.dids.extend((before.0..dids).map(|number| world.did(number).to_string()));
            known.attributes.extend((before.1..issuers).map(|number| world.attribute(number).to_string()));
            output.note("measuring");
            let shared = Arc::new(std::mem::take(&mut known));
            let stage = self.stage((dids, issuers, lists), filled, network, runtime, &authors, &shared)?;
            known = Arc::into_inner(shared).expect("all who read have ended");
            stages.push(stage);
        }
        Ok(Report::new(Machine::this(), limits, nodes.api.len(), stages))
    }

    fn stage(
        &self,
        (dids, issuers, lists): (u64, u64, u64),
        filled: fill::Filled,
        Network { dir, trust, nodes }: &Network<'_>,
        runtime: &Runtime,
        authors: &[Author],
        known: &Arc<Known>,
    ) -> Result<Stage, CommandError> {
        let mut rss_bytes = 0;
        for child in &nodes.children {
            rss_bytes = rss_bytes.max(process::resident_bytes(child.id()).map_err(failed)?);
        }
        let mut times = Vec::new();
        for record in sign(authors, SINGLE_HEIGHTS)? {
            times.extend(runtime.block_on(load::pace(&nodes.api[..1], vec![record], 1.0)).map_err(failed)?);
        }
        times.sort_by(f64::total_cmp);
        let reads = Reads {
            node: nodes.api[0],
            pid: nodes.children[0].id(),
            connections: self.size.readers.into(),
            time: Duration::from_secs(self.size.read_s.into()),
        };
        let measure = |question| runtime.block_on(reads.measure(question, known)).map_err(failed);
        let (alive, plain) = (measure(Question::Alive)?, measure(Question::Plain)?);
        let (proven, chain) = (measure(Question::Proven)?, measure(Question::Chain)?);
        let bundle = runtime.block_on(reads.bundle(known)).map_err(failed)?;
        Ok(Stage {
            dids,
            issuers,
            lists,
            filled,
            single: Latency::of(&times),
            rss_bytes,
            disk_bytes: disk_bytes(&dir.join("node-0")),
            alive,
            plain,
            proven,
            chain,
            bundle: check_bundle(&bundle, trust)?,
            load_average: process::load_average(),
        })
    }
}

/// A bundle that a reader would not accept is no figure.
fn check_bundle(bundle: &[u8], trust: &TrustFile) -> Result<Bundle, CommandError> {
    #[derive(serde::Deserialize)]
    struct Read {
        at: testamur_primitives::units::UnixTime,
        holds: bool,
        links: Vec<Link>,
        evidence: Evidence,
    }
    #[derive(serde::Deserialize)]
    struct Link {
        attribute: AttributeId,
    }
    let read: Read = serde_json::from_slice(bundle).map_err(|e| failed(format!("bundle: {e}")))?;
    let [issuer, _, _] = read.links.as_slice() else {
        return Err(failed(format!("bundle: {} links in it, not 3", read.links.len())));
    };
    let state = read.evidence.verify(trust).map_err(|e| failed(format!("bundle: {e}")))?;
    let chain = trust_chain(&state, issuer.attribute, read.at).map_err(|e| failed(format!("bundle: {e:?}")))?;
    let chain = chain.map_err(|e| failed(format!("bundle: {e}")))?;
    assert!(read.holds && chain.links.len() == 3, "the node and its reader run the same functions over the same state");
    let rest = without_lists_and_epochs(bundle).map_err(failed)?;
    Ok(Bundle {
        links: read.links.len(),
        keys: read.evidence.state.len(),
        bytes: bundle.len(),
        gzip_bytes: gzipped_bytes(bundle),
        gzip_bytes_without_lists_and_epochs: gzipped_bytes(&rest),
    })
}

/// The operator of the measured network.
fn operator(dir: &Path, trust: &TrustFile) -> Result<Author, CommandError> {
    let access = Access { passphrase: None, insecure_dev: true };
    let path = key_path(&dir.join("operator-0"), KeyKind::Operator);
    let key = Key::read(&path, KeyKind::Operator, &access).map_err(|e| failed(e.to_string()))?;
    Ok(Author::new(key.into_signing(), trust.network()))
}

/// Bytes of all files below a directory; what cannot be read counts nothing, since a database drops files as it likes.
fn disk_bytes(dir: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(dir) else { return 0 };
    let bytes = |entry: std::fs::DirEntry| match entry.file_type() {
        Ok(kind) if kind.is_dir() => disk_bytes(&entry.path()),
        _ => entry.metadata().map_or(0, |metadata| metadata.len()),
    };
    entries.flatten().map(bytes).sum()
}
