//! How a node comes into office and leaves it: the one place that decides whether consensus runs or the node follows.
//!
//! A node without a validator's keys follows for ever. One with keys takes part in consensus while its validator is in
//! the set of the next height, or in one that is scheduled; otherwise it follows, and answers to governance's wish for
//! it by a `synced` record. Exactly one of the two writes to the store at any time (INV-OFFICE-1): following ends
//! between two blocks, consensus is waited for until it is gone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use testamur_consensus::{ConsensusConfig, ConsensusError, ConsensusKeys};
use testamur_primitives::hash::Address;
use testamur_primitives::key::SigningKey;
use testamur_store::Ledger;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{mpsc, watch};

use super::application::LedgerApplication;
use super::follow::Follower;
use super::membership::{AddressBook, Named, named};
use super::part::{Consensus, Part};
use super::synced::Announcer;
use crate::config::Peer;
use crate::keystore::Key;
use crate::limits::{CATCH_UP_FIRST_MAX, CONFIG_INTERVAL, LEAVE_MAX};

/// A validator's means: keys, and where it is reached.
pub(crate) struct Member {
    /// Hash of its first registration.
    pub(crate) address: Address,
    /// Signs votes.
    pub(crate) consensus: Key,
    /// Signs votes after a rotation.
    pub(crate) next_consensus: Option<Key>,
    /// Identity among peers.
    pub(crate) peer: Key,
    /// Where it listens, and its directories. The peers in it are filled in from `peers`.
    pub(crate) settings: ConsensusConfig,
    /// The other validators, as configured.
    pub(crate) peers: Vec<Peer>,
    /// Reads what may change while the node runs.
    pub(crate) reread: Box<dyn Reread>,
}

/// The part of the configuration that may change while the node runs.
pub(crate) struct Changed {
    /// The other validators.
    pub(crate) peers: Vec<Peer>,
    /// A second consensus key.
    pub(crate) next_consensus: Option<Key>,
}

/// Reads the configuration again.
pub(crate) trait Reread: Send {
    /// What it says now; none when the file was not touched since and nobody `insists`. An error is for the log: the
    /// node goes on with what it had.
    fn read(&mut self, insists: bool) -> Option<Result<Changed, String>>;
}

/// Decides what the node does, for as long as it runs.
pub(crate) struct Office {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) application: Arc<LedgerApplication>,
    pub(crate) part: Arc<Part>,
    pub(crate) follower: Follower,
    pub(crate) member: Option<Member>,
    pub(crate) report: mpsc::UnboundedSender<String>,
    pub(crate) stop: watch::Receiver<bool>,
    book: AddressBook,
    announcer: Announcer,
    /// What was last said about this node's standing, so that it is said once.
    said: Option<Named>,
    config_read: Instant,
    /// Since when no set names this validator, although its consensus runs.
    leaving_since: Option<Instant>,
    hangup: Arc<AtomicBool>,
}

/// What an office is made from.
pub(crate) struct OfficeParts {
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) application: Arc<LedgerApplication>,
    pub(crate) part: Arc<Part>,
    pub(crate) follower: Follower,
    pub(crate) member: Option<Member>,
    pub(crate) report: mpsc::UnboundedSender<String>,
    pub(crate) stop: watch::Receiver<bool>,
}

impl Office {
    /// Takes the first decision before the node serves anybody, so that a configuration that cannot work is told at the
    /// start.
    pub(crate) async fn open(parts: OfficeParts) -> Result<Self, ConsensusError> {
        let OfficeParts { ledger, application, part, follower, member, report, stop } = parts;
        let book = AddressBook::new(member.as_ref().map(|member| member.peers.clone()).unwrap_or_default());
        let announcer = Announcer::new(Arc::clone(&ledger), Arc::clone(&part));
        let mut office = Self {
            ledger,
            application,
            part,
            follower,
            member,
            report,
            stop,
            book,
            announcer,
            said: None,
            config_read: Instant::now(),
            leaving_since: None,
            hangup: Arc::default(),
        };
        office.listen_for_hangup();
        if office.standing().is_some_and(|standing| standing.takes_part()) && !office.is_far_behind().await {
            office.enter().await?;
        }
        Ok(office)
    }

    /// Runs until it is told to stop; consensus is gone when this returns.
    pub(crate) async fn run(mut self) {
        if self.member.is_none() {
            tracing::info!(nodes = ?self.part.progress.nodes, "observer: following");
        }
        let mut stop = self.stop.clone();
        while !*stop.borrow() {
            let done = match self.part.consensus() {
                Some(consensus) => self.in_office(&consensus, &mut stop).await,
                None => self.out_of_office(&mut stop).await,
            };
            if let Err(reason) = done {
                // Nobody is left to stop.
                let _ = self.report.send(reason);
                break;
            }
        }
        if let Some(consensus) = self.part.consensus() {
            consensus.shutdown().await;
        }
    }

    fn standing(&self) -> Option<Named> {
        self.member.as_ref().map(|member| named(&self.ledger, member.address))
    }

    /// One stretch of time with consensus running: until it is left, or there is something to look at.
    async fn in_office(&mut self, consensus: &Consensus, stop: &mut watch::Receiver<bool>) -> Result<(), String> {
        let mut events = self.part.events.subscribe();
        let wait = async {
            loop {
                match events.recv().await {
                    Ok(_) | Err(RecvError::Lagged(_)) => return,
                    Err(RecvError::Closed) => std::future::pending::<()>().await,
                }
            }
        };
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            () = wait => {}
            () = tokio::time::sleep(CONFIG_INTERVAL) => {}
        }
        self.reread();
        if self.book.look_again(&self.ledger) {
            self.pass_peers(consensus);
        }
        self.say_standing();
        if self.standing().is_some_and(|standing| standing.takes_part()) {
            self.leaving_since = None;
            return Ok(());
        }
        // Cut off from its peers it would never see that block; by then nobody waits for its votes any more.
        if self.leaving_since.get_or_insert_with(Instant::now).elapsed() > LEAVE_MAX && !self.part.sources.is_empty() {
            self.leave(consensus).await;
            return Ok(());
        }
        // The others may still need its last votes: it goes when they have decided a block without it (INV-LEAVE-1).
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            () = tokio::time::sleep(CONFIG_INTERVAL) => return Ok(()),
            () = consensus.left() => {}
        }
        self.leave(consensus).await;
        Ok(())
    }

    /// One step of following; into office when the time has come.
    async fn out_of_office(&mut self, stop: &mut watch::Receiver<bool>) -> Result<(), String> {
        self.say_standing();
        let takes_part = self.standing().is_some_and(|standing| standing.takes_part());
        if takes_part && self.part.progress.behind(self.ledger.tip().height()) <= 1 {
            return self.enter().await.map_err(|error| format!("consensus does not start: {error}"));
        }
        self.reread();
        if let Some(member) = &self.member {
            let keys = [Some(&member.consensus), member.next_consensus.as_ref()];
            if self.announcer.look(member.address, keys.into_iter().flatten()).await? {
                self.follower.hurry();
            }
        }
        // Dropped in the middle only when the node stops (INV-OFFICE-1).
        tokio::select! {
            _ = stop.wait_for(|stop| *stop) => Ok(()),
            done = self.follower.step() => done,
        }
    }

    /// Whether followed nodes are far ahead: catching up from them is quicker than from peers, and works where the
    /// peers of this node's own past are no longer there.
    async fn is_far_behind(&mut self) -> bool {
        if self.part.sources.is_empty() {
            return false;
        }
        // When nobody answers, the whole network may be starting: its validators must not wait for one another.
        let asked = tokio::time::timeout(CATCH_UP_FIRST_MAX, self.follower.look_around()).await;
        asked.is_ok() && self.part.progress.behind(self.ledger.tip().height()) > 1
    }

    async fn enter(&mut self) -> Result<(), ConsensusError> {
        let member = self.member.as_ref().expect("only a member has a standing");
        self.book.look_again(&self.ledger);
        let keys = ConsensusKeys {
            peer_seed: *member.peer.seed(),
            consensus: signing(&member.consensus),
            next_consensus: member.next_consensus.as_ref().map(signing),
        };
        let config = ConsensusConfig { peers: self.book.addresses(), ..member.settings.clone() };
        let consensus = testamur_consensus::start(config, keys, Arc::clone(&self.application)).await?;
        self.relay(&consensus);
        watch_fatal(&consensus, self.report.clone());
        self.part.set_consensus(Some(consensus));
        self.say_standing();
        Ok(())
    }

    async fn leave(&mut self, consensus: &Consensus) {
        tracing::warn!(
            height = self.ledger.tip().height().0,
            "this validator is no longer in the set: consensus stops, the node follows; its consensus key is of no more \
             use and should be destroyed"
        );
        self.part.set_consensus(None);
        consensus.shutdown().await;
        (self.said, self.leaving_since) = (None, None);
    }

    /// Says once how this node stands.
    fn say_standing(&mut self) {
        let (Some(standing), Some(member)) = (self.standing(), &self.member) else { return };
        if self.said.as_ref() == Some(&standing) {
            return;
        }
        let address = member.address;
        match &standing {
            Named::Now => tracing::info!(%address, "in office: this validator takes part in the next height"),
            Named::From(height) => tracing::info!(%address, %height, "in office from this height on: consensus runs"),
            Named::Not if self.part.consensus().is_some() => tracing::info!(
                %address, "this validator is in no set any more: consensus runs until the others have decided without it"
            ),
            Named::Not if self.part.sources.is_empty() => tracing::warn!(
                %address,
                "this validator is in no set, and no nodes to follow are configured: it stands still; name some in \
                 [follow]"
            ),
            Named::Not => tracing::info!(
                %address, nodes = ?self.part.progress.nodes,
                "this validator is in no set: following until the network's operators add it"
            ),
        }
        self.said = Some(standing);
    }

    fn listen_for_hangup(&self) {
        let hangup = Arc::clone(&self.hangup);
        match signal(SignalKind::hangup()) {
            Ok(mut signals) => {
                tokio::spawn(async move {
                    while signals.recv().await.is_some() {
                        hangup.store(true, Ordering::Relaxed);
                    }
                });
            }
            Err(error) => {
                tracing::warn!(%error, "SIGHUP is not listened to: the configuration is read when it changes")
            }
        }
    }

    /// Reads the configuration again when its file changed or somebody asked for it.
    fn reread(&mut self) {
        let insists = self.hangup.swap(false, Ordering::Relaxed);
        if !insists && self.config_read.elapsed() < CONFIG_INTERVAL {
            return;
        }
        self.config_read = Instant::now();
        let Some(member) = &mut self.member else { return };
        match member.reread.read(insists) {
            None => {}
            Some(Err(error)) => {
                tracing::error!(error, "the configuration cannot be read again: the node goes on with what it had");
            }
            Some(Ok(Changed { peers, next_consensus })) => {
                tracing::info!(
                    peers = peers.len(),
                    next_consensus = next_consensus.as_ref().map(|key| key.did().to_string()),
                    "the configuration was read again: peers and next_consensus hold from now on"
                );
                member.next_consensus = next_consensus;
                self.book = AddressBook::new(peers);
                self.book.look_again(&self.ledger);
                if let Some(consensus) = self.part.consensus() {
                    self.pass_peers(&consensus);
                    self.pass_key(&consensus);
                }
            }
        }
    }

    fn pass_peers(&self, consensus: &Consensus) {
        consensus.set_peers(self.book.addresses());
    }

    fn pass_key(&self, consensus: &Consensus) {
        if let Some(key) = self.member.as_ref().and_then(|member| member.next_consensus.as_ref()) {
            consensus.hold_key(signing(key));
        }
    }

    /// Passes committed blocks on to whoever listens to this node.
    fn relay(&self, consensus: &Consensus) {
        let (mut events, to) = (consensus.events(), self.part.events.clone());
        tokio::spawn(async move {
            loop {
                match events.recv().await {
                    // Nobody listens: fine.
                    Ok(block) => drop(to.send(block)),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return,
                }
            }
        });
    }
}

/// The key once more, for consensus to keep.
fn signing(key: &Key) -> SigningKey {
    SigningKey::ed25519(key.seed())
}

fn watch_fatal(consensus: &Consensus, report: mpsc::UnboundedSender<String>) {
    let mut fatal = consensus.fatal();
    tokio::spawn(async move {
        if let Ok(reason) = fatal.wait_for(Option::is_some).await {
            let reason = reason.as_ref().map_or_else(String::new, ToString::to_string);
            // Nobody is left to stop.
            let _ = report.send(format!("consensus stopped: {reason}"));
        }
    });
}
