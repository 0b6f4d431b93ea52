//! Every bound of consensus and record gossip, each with its reason.

use std::time::Duration;

use testamur_primitives::limits::{
    ATTACHMENT_BYTES_MAX, BLOCK_ATTACHMENTS_BYTES_MAX, RECORD_BYTES_MAX, VALIDATORS_MAX,
};

/// Bytes of one proposal part: small enough that parts of two proposals interleave, large enough that 3 MiB is 24.
pub const PART_BYTES: usize = 128 * 1024;
/// Bytes of an encoded stream message: one part and its framing.
pub const PART_MESSAGE_BYTES_MAX: usize = PART_BYTES + 1024;
/// Bytes of an encoded vote or proposal: measured below 300.
pub const VOTE_MESSAGE_BYTES_MAX: usize = 1024;
/// Bytes of an encoded liveness message: a certificate of 64 votes of about 190 bytes.
pub const LIVENESS_BYTES_MAX: usize = 32 * 1024;
/// Bytes of a sync request or status.
pub const SYNC_REQUEST_BYTES_MAX: usize = 1024;
/// Bytes of a sync response: three values of the greatest length, or many usual ones, and their certificates.
pub const SYNC_RESPONSE_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Heights asked for at once; fewer are sent when they exceed the response limit.
pub const SYNC_BATCH: usize = 4;
/// How often peers are told this node's height; a node that lost messages learns it from this.
pub const SYNC_STATUS_INTERVAL: Duration = Duration::from_secs(1);
/// How long one sync request may take.
pub const SYNC_REQUEST_TIMEOUT: Duration = Duration::from_secs(10);
/// Open part streams of one publisher: its own proposal, a restream, and one more of each for a later height.
pub const STREAMS_PER_PUBLISHER_MAX: usize = 4;
/// Complete proposals held without a verdict (later heights, times ahead of our clock): 16 × 3 MiB at worst.
pub const HELD_PROPOSALS_MAX: usize = 16;
/// How far ahead of the tip a proposal may be to be held: what a busy network decides while a block is committed.
pub const HELD_HEIGHTS_MAX: u64 = 4;
/// Executed blocks kept for the current height: more than the rounds any honest height needed.
pub const PREPARED_MAX: usize = 8;
/// Longest wait of any round.
pub const TIMEOUT_MAX: Duration = Duration::from_secs(20);
/// Peers at once: two sets, and some that have left. A set changes by less than a third of its validators at a time.
pub const PEERS_MAX: usize = 3 * VALIDATORS_MAX;
/// Heights for which a validator that has left stays connected: it fetches the last blocks, a few at a time.
pub const DEPARTED_HEIGHTS: u64 = 16;
/// How long it stays at least: a busy network makes those heights in a second, and it may just be starting again.
pub const DEPARTED_WAIT: Duration = Duration::from_secs(15);
/// How soon the engine's list of peers is tried again when its network was not up.
pub const ENGINE_PEERS_RETRY: Duration = Duration::from_millis(100);
/// Connections from one address: all validators of a development network live on loopback.
pub const CONNECTIONS_PER_IP_MAX: usize = 512;
/// Bytes of all records in the pool, attachments included: about 30 blocks.
pub const POOL_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Records in the pool: the smallest useful record is about 450 bytes; the index costs about as much again.
pub const POOL_RECORDS_MAX: usize = 100_000;
/// One author's share of the pool, in percent: a busy author never locks out the others.
pub const POOL_AUTHOR_SHARE_PERCENT: usize = 50;
/// Bytes of one author's attachments in the pool: what its next four blocks can take.
pub const POOL_AUTHOR_ATTACHMENTS_BYTES_MAX: usize = 4 * BLOCK_ATTACHMENTS_BYTES_MAX;
/// Bytes of a message between nodes: the longest is a record with an attachment.
pub const GOSSIP_MESSAGE_BYTES_MAX: usize = 1 + 2 + RECORD_BYTES_MAX + ATTACHMENT_BYTES_MAX;
/// How often a node that lacks attachments asks its peers.
pub const ATTACHMENTS_ASK_INTERVAL: Duration = Duration::from_secs(1);
/// Attachments asked for at once: a megabyte under way.
pub const ATTACHMENTS_ASKED_MAX: usize = 4;
/// Bytes of a bundle of records between nodes.
pub const BUNDLE_BYTES_MAX: usize = 256 * 1024;
/// How long a bundle waits for more records: hides the cost of a message, is not felt in the time to final.
pub const BUNDLE_WAIT: Duration = Duration::from_millis(3);
/// Bundles on their way to one peer before the next must wait: backpressure.
pub const BUNDLES_IN_FLIGHT_MAX: usize = 8;
/// Bytes waiting for one peer; beyond it the oldest are dropped: the record stays in the pool of the node that
/// took it, which proposes it itself.
pub const PEER_QUEUE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Bundles being verified at once; more wait in the connection. A core verifies 10,000 records a second, and consensus
/// needs the others.
pub const BUNDLES_CHECKED_MAX: usize = 2;
/// Record-gossip connections of one key: both sides may dial at once, and a second process with the same key, which is
/// a mistake that must be heard to be named, makes as many.
pub const CONNECTIONS_PER_KEY_MAX: u32 = 4;
/// How often peers are greeted: two processes with one key are named after some greetings, before the next height or two.
pub const GREET_INTERVAL: Duration = Duration::from_millis(500);
/// How soon the log names a validator with two processes again.
pub const DUPLICATE_TOLD_AGAIN: Duration = Duration::from_secs(60);
/// First wait before dialling a lost peer again.
pub const REDIAL_FIRST: Duration = Duration::from_millis(200);
/// Longest wait before dialling a lost peer again.
pub const REDIAL_MAX: Duration = Duration::from_secs(5);
/// How long a proposer that was woken by others waits for the record that woke them.
pub const EMPTY_PROPOSAL_WAIT: Duration = Duration::from_millis(60);
/// How long after start messages from before the start may still arrive (gossip remembers five heartbeats of 1 s).
pub const STALE_GOSSIP: Duration = Duration::from_secs(10);
/// How long a node that catches up waits for its next step before it votes after all: one lying peer stops nobody.
pub const CATCH_UP_PATIENCE: Duration = Duration::from_secs(10);
/// How long a start waits for its peers' heights before it signs.
pub const PEER_TIPS_WAIT: Duration = Duration::from_millis(1500);
/// The double-sign guard's file is rewritten without old heights when it grows beyond this: about 130 heights.
pub const GUARD_FILE_BYTES_MAX: u64 = 256 * 1024;
/// Bytes of one guard entry; a message is below 700.
pub const GUARD_ENTRY_BYTES_MAX: usize = 4096;
/// Committed blocks that a slow listener of events may lag behind before it misses some.
pub const EVENTS_MAX: usize = 256;
/// How long a start waits for its port: the engine before it has up to [`ENGINE_STOP_MAX`] to let go of it, and as long
/// again where thirty other programs want the processor (measured: more than a second at a load of 30 on two cores).
pub const LISTEN_WAIT: Duration = Duration::from_secs(10);
/// An engine that lost a part and does not end by itself within this hangs: an operator must hear of it within a second.
pub const ENGINE_HANGS: Duration = Duration::from_millis(700);
/// How long the engine may take to stop before it is killed.
pub const ENGINE_STOP_MAX: Duration = Duration::from_secs(5);
/// Kept proofs of equivocation of one validator: one is enough to remove it, more show how it goes on. What comes after is
/// counted.
pub const EQUIVOCATIONS_PER_VALIDATOR_MAX: usize = 256;
/// Kept proofs of equivocation of all validators that ever were: 4 MB at about 1 KB each.
pub const EQUIVOCATIONS_MAX: usize = 4096;
/// Heights below the next one whose votes are still compared: a second vote is often later than the decision, and
/// who is behind votes on heights that are long decided.
pub const EQUIVOCATION_HEIGHTS_BELOW: u64 = 32;
/// Heights above the next one whose votes are remembered, unverified, until their set is known.
pub const EQUIVOCATION_HEIGHTS_ABOVE: u64 = 4;
/// Steps of one validator at one height that are remembered: 8 rounds; of more the newest. With the heights above, a set
/// of 64 and every place taken by who lies, 25 MB; normally 2 MB.
pub const EQUIVOCATION_STEPS_MAX: usize = 24;
/// Messages remembered of one step: the two that contradict each other, and one by which somebody tried to hide them.
pub const EQUIVOCATION_MESSAGES_MAX: usize = 3;
/// Prevotes of one validator that are remembered of a height: one a round, of more rounds than a lock can be old without
/// a newer prevote for it.
pub const HEARD_PREVOTES_MAX: usize = 64;
/// Rounds of a height whose proposals are remembered: above any that was ever needed, and 8 bytes each.
pub const HEARD_ROUNDS_MAX: usize = 4096;
/// How long a height may be under way before the node calls it a stall (longer where rounds are): two dead proposers in
/// a row cost four seconds on a busy machine, and who is on call wants to know within ten.
pub const STALL_AFTER: Duration = Duration::from_secs(6);
/// How often the node looks whether there is a stall.
pub const STALL_INTERVAL: Duration = Duration::from_millis(500);
/// How often a stall that lasts is told again.
pub const STALL_TOLD_INTERVAL: Duration = Duration::from_secs(60);
