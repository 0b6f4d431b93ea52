//! Misbehaviour, for the faulty build alone: what a validator does that lies, or whose software is broken.
//!
//! Each lie is a failpoint that is asked at the moment of lying, so that `FAILPOINTS` can say how often (`30%return`). A file
//! named by `TESTAMUR_LIES` says the same while the process runs: it is read again when it changes. What was said twice is
//! written to that file's name with `.told` behind it, one line each: a test then knows what the others must have found.
//!
//! | name after `consensus.lie.` | what |
//! |---|---|
//! | `double-votes` | a second, different vote after each vote |
//! | `double-proposals` | a second, different block and its proposal after each proposal |
//! | `amnesia` | votes for whatever the round's proposer proposes, locked or not, prevoted or not |
//! | `silence` | neither votes nor proposals |
//! | `nil-precommits` | precommits nothing, always |
//! | `withhold-parts` | proposals whose blocks nobody gets |
//! | `bad-state-root` | proposes a block whose state root is wrong |
//! | `oversize` | proposes a block and megabytes behind it |
//! | `future-time` | proposes a block of the next hour |
//! | `replay` | proposes a block of the height before |
//!
//! A vote cannot be sent to some and not to others: the honest ones pass on all that they get. What comes nearest is a share
//! of silence, and proposals without their blocks.

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, SystemTime};

use arc_malachitebft_app_channel::app::consensus::LivenessMsg;
use arc_malachitebft_app_channel::app::engine::network::{Msg as EngineNetworkMsg, NetworkRef};
use arc_malachitebft_app_channel::app::types::SignedConsensusMsg;
use arc_malachitebft_app_channel::app::types::core::{NilOrVal, SignedMessage, VoteType};
use async_trait::async_trait;
use ractor::{Actor, ActorProcessingErr, ActorRef};
use testamur_primitives::block::{encode_value, split_value};
use testamur_primitives::checkpoint::ValueId;
use testamur_primitives::genesis::Origin;
use testamur_primitives::hash::{Address, HeaderHash, RecordId, StateRoot};
use testamur_primitives::header::Header;
use testamur_primitives::units::{Height, Round, UnixTime};

use crate::application::{AppError, Application, Prepared};
use crate::context::{EngineSignature, EngineValue, Network, Proposal, Vote};
use crate::sets::Keyring;
use crate::watch::{of_proposal, of_vote};

/// Whether this failpoint fires now.
pub(crate) fn on(name: &str) -> bool {
    static FOLLOWED: OnceLock<()> = OnceLock::new();
    FOLLOWED.get_or_init(follow_file);
    fail::eval(name, |_| ()).is_some()
}

fn lies_file() -> Option<PathBuf> {
    std::env::var_os("TESTAMUR_LIES").map(PathBuf::from)
}

/// Reads the file of lies whenever it changes.
fn follow_file() {
    let Some(path) = lies_file() else { return };
    std::thread::spawn(move || {
        let mut seen: Option<(SystemTime, String)> = None;
        loop {
            let now = std::fs::metadata(&path).and_then(|m| m.modified()).ok().zip(std::fs::read_to_string(&path).ok());
            if let Some((time, text)) = now
                && seen.as_ref().is_none_or(|(before, old)| *before != time || *old != text)
            {
                for name in fail::list().into_iter().map(|(name, _)| name).filter(|name| name.contains(".lie.")) {
                    fail::remove(name);
                }
                for line in text.split([';', '\n']).filter(|line| !line.trim().is_empty()) {
                    let (name, action) = line.trim().split_once('=').expect("a test writes name=action");
                    fail::cfg(name, action).expect("a test writes actions that there are");
                }
                seen = Some((time, text));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    });
}

/// Notes what was said twice.
fn tell(what: &str, height: Height, round: Round) {
    tracing::warn!(what, %height, %round, "LIE");
    let Some(path) = lies_file() else { return };
    let told = PathBuf::from(format!("{}.told", path.display()));
    let written = OpenOptions::new().create(true).append(true).open(told);
    written
        .and_then(|mut file| writeln!(file, "{what} {height} {round}"))
        .expect("a test gives a file that can be written");
}

/// What the host has lied about, for the proxy to go along with.
#[derive(Debug, Default)]
pub(crate) struct Lies {
    /// The second block that was proposed.
    second: Mutex<Option<(Height, Round, ValueId)>>,
}

impl Lies {
    /// The lies of this process: it has one validator.
    pub(crate) fn of_process() -> Arc<Self> {
        static LIES: OnceLock<Arc<Lies>> = OnceLock::new();
        Arc::clone(LIES.get_or_init(Arc::default))
    }

    /// Remembers the second block that was published for a round.
    pub(crate) fn published_second(&self, height: Height, round: Round, value: ValueId) {
        *self.second.lock().expect("no panic while held") = Some((height, round, value));
    }
}

/// The time to propose with.
pub(crate) fn time(now: UnixTime) -> UnixTime {
    if on("consensus.lie.future-time") { UnixTime(now.get() + 3_600) } else { now }
}

/// What is proposed in a block's place.
pub(crate) fn instead<A: Application>(
    app: &A,
    block: Arc<Prepared<A::Block>>,
) -> Result<Arc<Prepared<A::Block>>, AppError> {
    let height = block.header.height;
    if on("consensus.lie.replay")
        && let Some(old) = app.decided(Height(height.get() - 1))?
        && let Ok((bytes, _)) = split_value(&old.bytes)
        && let Some(header) = header_of(bytes)
    {
        return Ok(replaced(block, header, old.bytes.clone()));
    }
    if on("consensus.lie.bad-state-root") {
        let mut header = block.header.clone();
        header.state_root = StateRoot::from_bytes([7; 32]);
        let bytes = with_header(&block.bytes, &header);
        return Ok(replaced(block, header, bytes));
    }
    Ok(block)
}

/// A block's bytes, with more behind them.
pub(crate) fn grown(value: bytes::Bytes) -> bytes::Bytes {
    if !on("consensus.lie.oversize") {
        return value;
    }
    let mut bytes = value.to_vec();
    bytes.resize(bytes.len() + 6 * 1024 * 1024, 0);
    bytes.into()
}

fn header_of(block: &[u8]) -> Option<Header> {
    let (length, rest) = block.split_first_chunk::<4>()?;
    Header::decode(rest.get(..u32::from_be_bytes(*length) as usize)?).ok()
}

/// The same value with another header in its block.
fn with_header(value: &[u8], header: &Header) -> bytes::Bytes {
    let (block, attachments) = split_value(value).expect("a block that was just made");
    let (length, rest) = block.split_first_chunk::<4>().expect("a block that was just made");
    let text = header.encode();
    let mut bytes = (text.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(&text);
    bytes.extend_from_slice(&rest[u32::from_be_bytes(*length) as usize..]);
    encode_value(&bytes, &attachments).into()
}

fn replaced<B>(block: Arc<Prepared<B>>, header: Header, bytes: bytes::Bytes) -> Arc<Prepared<B>> {
    let Some(block) = Arc::into_inner(block) else { unreachable!("it was just made, nobody else has it") };
    let records: Vec<RecordId> = block.records;
    Arc::new(Prepared { header, bytes, attached: block.attached, records, inner: block.inner })
}

/// Stands between an engine and its network.
pub(crate) struct Proxy {
    pub(crate) network: NetworkRef<Network>,
    pub(crate) origin: Origin,
    pub(crate) address: Address,
    pub(crate) keys: Arc<Keyring>,
    pub(crate) lies: Arc<Lies>,
}

#[async_trait]
impl Actor for Proxy {
    type Msg = EngineNetworkMsg<Network>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Self::Msg>, message: Self::Msg, (): &mut ()) -> Result<(), ActorProcessingErr> {
        match message {
            EngineNetworkMsg::PublishConsensusMsg(SignedConsensusMsg::Vote(vote)) => {
                for vote in self.votes(vote) {
                    self.network.cast(EngineNetworkMsg::PublishConsensusMsg(SignedConsensusMsg::Vote(vote)))?;
                }
                if on("consensus.after-vote.abort") {
                    // Long enough for the vote to be with the others.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    std::process::abort();
                }
            }
            EngineNetworkMsg::PublishLivenessMsg(LivenessMsg::Vote(vote)) => {
                for vote in self.votes(vote) {
                    self.network.cast(EngineNetworkMsg::PublishLivenessMsg(LivenessMsg::Vote(vote)))?;
                }
            }
            EngineNetworkMsg::PublishConsensusMsg(SignedConsensusMsg::Proposal(proposal)) => {
                for proposal in self.proposals(proposal) {
                    self.network.cast(EngineNetworkMsg::PublishConsensusMsg(SignedConsensusMsg::Proposal(proposal)))?;
                }
            }
            other => self.network.cast(other)?,
        }
        Ok(())
    }
}

/// A value that nobody has.
fn invented(height: Height, round: Round) -> ValueId {
    let mut bytes = [0x11; 32];
    bytes[..8].copy_from_slice(&height.get().to_be_bytes());
    bytes[8..12].copy_from_slice(&round.0.to_be_bytes());
    ValueId {
        log_size: testamur_primitives::units::LogSize(height.get()),
        log_root: testamur_primitives::hash::TreeHash::from_bytes(bytes),
        time: UnixTime(1),
        header: HeaderHash::from_bytes(bytes),
    }
}

impl Proxy {
    /// Signs without asking the guard.
    fn sign_vote(&self, vote: Vote) -> Option<SignedMessage<Network, Vote>> {
        let (place, said) = of_vote(&vote)?;
        let signature = self.keys.at(place.height)?.sign(&place.message(&self.origin, &said)?);
        Some(SignedMessage::new(vote, EngineSignature(signature.try_into().expect("64 bytes"))))
    }

    fn votes(&self, vote: SignedMessage<Network, Vote>) -> Vec<SignedMessage<Network, Vote>> {
        if vote.message.validator.0 != self.address {
            return vec![vote];
        }
        let Some((place, said)) = of_vote(&vote.message) else { return vec![vote] };
        if on("consensus.lie.silence") {
            return Vec::new();
        }
        let other = |value: NilOrVal<EngineValue>| self.sign_vote(Vote { value, ..vote.message.clone() });
        if vote.message.kind == VoteType::Precommit && on("consensus.lie.nil-precommits") {
            return other(NilOrVal::Nil).into_iter().collect();
        }
        if on("consensus.lie.amnesia")
            && let Some(value) = proposed(place.height, place.round)
        {
            // The first vote of a slot alone leaves, and it says this.
            return other(NilOrVal::Val(EngineValue(value))).into_iter().collect();
        }
        if on("consensus.lie.double-votes") {
            let second = match said.value {
                Some(_) if place.height.get() % 2 == 0 => NilOrVal::Nil,
                _ => NilOrVal::Val(EngineValue(invented(place.height, place.round))),
            };
            let second = other(second);
            if second.is_some() {
                tell(
                    if vote.message.kind == VoteType::Prevote { "prevote" } else { "precommit" },
                    place.height,
                    place.round,
                );
            }
            return [Some(vote), second].into_iter().flatten().collect();
        }
        vec![vote]
    }

    fn proposals(&self, proposal: SignedMessage<Network, Proposal>) -> Vec<SignedMessage<Network, Proposal>> {
        let Some((place, _)) = of_proposal(&proposal.message) else { return vec![proposal] };
        if on("consensus.lie.silence") {
            return Vec::new();
        }
        let second = *self.lies.second.lock().expect("no panic while held");
        let Some((_, _, value)) = second.filter(|(height, round, _)| (*height, *round) == (place.height, place.round))
        else {
            return vec![proposal];
        };
        let other = Proposal { value: EngineValue(value), ..proposal.message.clone() };
        let signed = of_proposal(&other).and_then(|(place, said)| {
            let signature = self.keys.at(place.height)?.sign(&place.message(&self.origin, &said)?);
            Some(SignedMessage::new(other, EngineSignature(signature.try_into().expect("64 bytes"))))
        });
        if signed.is_some() {
            tell("proposal", place.height, place.round);
        }
        [Some(proposal), signed].into_iter().flatten().collect()
    }
}

static PROPOSED: Mutex<BTreeMap<(Height, Round), ValueId>> = Mutex::new(BTreeMap::new());

/// A proposal has come, or was made.
pub(crate) fn saw_proposal(height: Height, round: Round, value: ValueId) {
    let mut proposed = PROPOSED.lock().expect("no panic while held");
    proposed.insert((height, round), value);
    while proposed.len() > 256 {
        proposed.pop_first();
    }
}

fn proposed(height: Height, round: Round) -> Option<ValueId> {
    PROPOSED.lock().expect("no panic while held").get(&(height, round)).copied()
}
