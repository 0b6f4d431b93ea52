//! Four validators with the real engine, real TCP on loopback and real guards, over ledgers in memory.

mod memory;

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use memory::{Manners, Network, Node, attached};
use testamur_consensus::Role;
use testamur_primitives::genesis::Parameters;
use testamur_primitives::units::Height;

fn quick() -> Parameters {
    Parameters { heartbeat_s: 1, ..Parameters::default() }
}

/// Logs when asked to: `RUST_LOG=testamur_consensus=debug`.
fn logs() {
    let filter = tracing_subscriber::EnvFilter::from_default_env();
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_test_writer().try_init();
}

async fn same_headers(nodes: &[&Node], up_to: u64) {
    for height in 1..=up_to {
        let hashes: Vec<_> = nodes.iter().filter_map(|n| n.ledger.header_hash(Height(height))).collect();
        assert!(hashes.windows(2).all(|pair| pair[0] == pair[1]), "a fork at height {height}");
        assert!(!hashes.is_empty());
    }
}

async fn stop(nodes: Vec<Node>) {
    for node in nodes {
        node.handle.shutdown().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn records_become_final_and_a_restarted_node_catches_up_and_votes() {
    logs();
    let network = Network::new(Parameters { heartbeat_s: 60, ..Parameters::default() });
    let mut nodes = network.start_all().await;
    let mut latencies = Vec::new();
    for number in 0..20u32 {
        let node = &nodes[number as usize % 4];
        let started = Instant::now();
        let id = node.handle.submit(Bytes::from(format!("record {number}")), None).await.unwrap();
        node.holds(&id).await;
        latencies.push(started.elapsed());
    }
    println!("idle to final: {latencies:?}");
    let bad = nodes[0].handle.submit(Bytes::from_static(b"bad"), None).await;
    assert_eq!(bad.unwrap_err().to_string(), "record.bad: bad");

    let stopped = nodes.remove(3);
    stopped.handle.shutdown().await;
    for number in 20..30u32 {
        let node = &nodes[number as usize % 3];
        let started = Instant::now();
        let id = node.handle.submit(Bytes::from(format!("record {number}")), None).await.unwrap();
        node.holds(&id).await;
        println!("one of four is down: final after {:?}", started.elapsed());
    }
    let tip = nodes[0].ledger.header_hash(Height(25)).is_some();
    assert!(tip, "a block a record");
    let started = Instant::now();
    let back = network.start(3, &stopped.ledger).await;
    println!("restart took {:?}, role {:?}", started.elapsed(), *back.handle.role().borrow());
    let id = back.handle.submit(Bytes::from_static(b"after the restart"), None).await.unwrap();
    back.holds(&id).await;
    let mut role = back.handle.role();
    tokio::time::timeout(Duration::from_secs(20), role.wait_for(|r| *r == Role::Voting)).await.unwrap().unwrap();
    // Now the network needs it.
    nodes.remove(0).handle.shutdown().await;
    let id = nodes[0].handle.submit(Bytes::from_static(b"with the vote of the restarted one"), None).await.unwrap();
    let started = Instant::now();
    back.holds(&id).await;
    println!("final with the restarted node's vote after {:?}", started.elapsed());
    nodes.push(back);
    let text = nodes[0].handle.metrics();
    assert!(text.contains("testamur_consensus_blocks_committed_total") && text.ends_with("# EOF\n"));
    same_headers(&nodes.iter().collect::<Vec<_>>(), 25).await;
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn empty_heights_run_at_the_speed_of_the_engine() {
    logs();
    let network = Network::new(Parameters { heartbeat_s: 0, ..Parameters::default() });
    let nodes = network.start_all().await;
    nodes[0].reaches(5).await;
    let started = Instant::now();
    nodes[0].reaches(105).await;
    println!("empty heights a second: {:.1}", 100.0 / started.elapsed().as_secs_f64());
    same_headers(&nodes.iter().collect::<Vec<_>>(), 100).await;
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_without_its_guard_signs_nothing_until_others_have_decided() {
    logs();
    let network = Network::new(quick());
    let mut nodes = network.start_all().await;
    nodes[0].reaches(5).await;
    let lost = nodes.pop().unwrap();
    lost.handle.shutdown().await;
    std::fs::remove_dir_all(network.guard_directory(3)).unwrap();
    std::fs::remove_dir_all(network.log_directory(3)).unwrap();
    let empty = memory::MemoryLedger::new(&network.genesis);
    let back = network.start(3, &empty).await;
    assert_eq!(*back.handle.role().borrow(), Role::Following);
    let restarted_at = nodes[0].ledger.tip_height();
    let mut role = back.handle.role();
    tokio::time::timeout(Duration::from_secs(60), role.wait_for(|r| *r == Role::Voting)).await.unwrap().unwrap();
    let voting_from = back.ledger.tip_height();
    back.reaches(voting_from + 8).await;
    let name = &network.genesis.validators[3].registration.name;
    let signed = |height| back.ledger.certificate(Height(height)).unwrap().signatures.iter().any(|l| l.name == *name);
    assert!((restarted_at + 1..=voting_from).all(|height| !signed(height)), "signed without knowing its past");
    assert!((voting_from + 1..=voting_from + 8).any(signed), "votes again");
    nodes.push(back);
    same_headers(&nodes.iter().collect::<Vec<_>>(), voting_from + 8).await;
    stop(nodes).await;
}

/// Peers tell where they stand once a second: a node that waited for that at each height would fetch four of them a second.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_far_behind_an_idle_network_fetches_heights_without_a_pause_between_them() {
    logs();
    let network = Network::new(Parameters { heartbeat_s: 60, ..Parameters::default() });
    let mut nodes = network.start_all().await;
    for number in 0..120u32 {
        let id = nodes[0].handle.submit(Bytes::from(format!("a height of its own {number}")), None).await.unwrap();
        nodes[0].holds(&id).await;
    }
    let tip = nodes[0].ledger.tip_height();
    assert!(tip >= 120, "a block a record");
    let lost = nodes.pop().unwrap();
    lost.handle.shutdown().await;
    std::fs::remove_dir_all(network.guard_directory(3)).unwrap();
    std::fs::remove_dir_all(network.log_directory(3)).unwrap();
    let back = network.start(3, &memory::MemoryLedger::new(&network.genesis)).await;
    let started = Instant::now();
    tokio::time::timeout(Duration::from_secs(15), back.reaches(tip)).await.expect("not one by one");
    println!("{tip} heights fetched in {:?}", started.elapsed());
    nodes.push(back);
    same_headers(&nodes.iter().collect::<Vec<_>>(), tip).await;
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_old_backup_signs_nothing_below_what_its_guard_knows() {
    logs();
    let network = Network::new(quick());
    let mut nodes = network.start_all().await;
    nodes[3].reaches(3).await;
    let backup = nodes[3].ledger.backup();
    nodes[3].reaches(7).await;
    let stopped = nodes.pop().unwrap();
    stopped.handle.shutdown().await;
    let checked_before = backup.checked();
    // Store of height 3, guard of height 7: it follows, then votes again.
    let back = network.start(3, &backup).await;
    assert_eq!(*back.handle.role().borrow(), Role::Following);
    let mut role = back.handle.role();
    tokio::time::timeout(Duration::from_secs(30), role.wait_for(|r| *r == Role::Voting)).await.unwrap().unwrap();
    assert!(back.ledger.tip_height() >= 7);
    assert_eq!(back.ledger.checked(), checked_before, "empty blocks verify no record");
    back.reaches(back.ledger.tip_height() + 4).await;
    nodes.push(back);
    for node in &nodes {
        let text = node.handle.metrics();
        assert!(text.contains("testamur_consensus_double_votes_total 0"), "a double vote was seen");
    }
    same_headers(&nodes.iter().collect::<Vec<_>>(), 8).await;
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_records_are_verified_once_by_each_node() {
    logs();
    let network = Network::new(Parameters { heartbeat_s: 60, ..Parameters::default() });
    let nodes = network.start_all().await;
    nodes[0].reaches(1).await;
    let started = Instant::now();
    const RECORDS: usize = 8_000;
    let submit = |number: usize| {
        let handle = nodes[number % 4].handle.clone();
        async move { handle.submit(Bytes::from(format!("{number:0600}")), None).await.unwrap() }
    };
    let ids = futures::future::join_all((0..RECORDS).map(submit)).await;
    for node in &nodes {
        for id in &ids {
            node.holds(id).await;
        }
    }
    let seconds = started.elapsed().as_secs_f64();
    println!(
        "{:.0} records a second final on four nodes, in {} blocks",
        RECORDS as f64 / seconds,
        nodes[0].ledger.tip_height()
    );
    for node in &nodes {
        let checked = node.ledger.checked();
        assert!(checked < (RECORDS as u64) * 13 / 10, "{checked} checks of {RECORDS} records");
        node.pool_is_empty().await;
    }
    same_headers(&nodes.iter().collect::<Vec<_>>(), nodes[0].ledger.tip_height().min(nodes[1].ledger.tip_height()))
        .await;
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_damaged_engine_log_is_moved_aside_and_the_node_votes_on() {
    logs();
    let network = Network::new(quick());
    let mut nodes = network.start_all().await;
    nodes[0].reaches(3).await;
    // Two of four are gone: the others begin a height and cannot end it.
    let stopped: Vec<_> = nodes.drain(2..).collect();
    for node in &stopped {
        node.handle.shutdown().await;
    }
    let log = network.log_directory(0).join("engine.wal");
    let size = |path: &std::path::Path| std::fs::metadata(path).map_or(0, |m| m.len());
    let guard = network.guard_directory(0).join("guard.log");
    let before = size(&guard);
    while size(&guard) == before || size(&log) < 100 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let height = nodes[0].ledger.tip_height();
    let first = nodes.remove(0);
    first.handle.shutdown().await;
    let mut bytes = std::fs::read(&log).unwrap();
    let at = bytes.len() - 10;
    bytes[at] ^= 0x20;
    std::fs::write(&log, bytes).unwrap();

    let back = network.start(0, &first.ledger).await;
    nodes.push(network.start(2, &stopped[0].ledger).await);
    back.reaches(height + 8).await;
    assert!(network.log_directory(0).join("engine.wal.diverged-0").exists());
    nodes.push(back);
    for node in &nodes {
        assert!(node.handle.metrics().contains("testamur_consensus_double_votes_total 0"), "signed twice");
    }
    same_headers(&nodes.iter().collect::<Vec<_>>(), height + 8).await;
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn after_a_restart_of_all_an_idle_network_still_serves_the_one_behind() {
    logs();
    let network = Network::new(Parameters { heartbeat_s: 60, ..Parameters::default() });
    let mut nodes = network.start_all().await;
    nodes[3].reaches(1).await;
    nodes[3].handle.shutdown().await;
    for number in 0..3 {
        let id = nodes[0].handle.submit(Bytes::from(format!("without the fourth {number}")), None).await.unwrap();
        for node in &nodes[..3] {
            node.holds(&id).await;
        }
    }
    let tip = nodes[0].ledger.tip_height();
    for node in &nodes[..3] {
        node.handle.shutdown().await;
    }
    let ledgers: Vec<_> = nodes.drain(..).map(|n| n.ledger).collect();
    let nodes = futures::future::join_all((0..4).map(|number| network.start(number, &ledgers[number]))).await;
    let started = Instant::now();
    tokio::time::timeout(Duration::from_secs(8), nodes[3].reaches(tip)).await.expect("long before a heartbeat");
    println!("behind no more after {:?}", started.elapsed());
    let mut role = nodes[3].handle.role();
    tokio::time::timeout(Duration::from_secs(8), role.wait_for(|r| *r == Role::Voting)).await.unwrap().unwrap();
    same_headers(&nodes.iter().collect::<Vec<_>>(), tip).await;
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn attachments_become_final_with_their_record_on_every_node() {
    logs();
    let network = Network::new(Parameters { heartbeat_s: 60, ..Parameters::default() });
    let nodes = network.start_all().await;
    for number in 0..8u8 {
        let list = Bytes::from(vec![number; 262_144]);
        let wrong = Bytes::from(vec![number + 1; 262_144]);
        let (node, record) = (&nodes[usize::from(number) % 4], attached(&list, number.into()));
        for bad in [None, Some(wrong)] {
            let error = node.handle.submit(record.clone(), bad).await.unwrap_err();
            assert!(error.to_string().starts_with("status.attachment"), "{error}");
        }
        let id = node.handle.submit(record, Some(list.clone())).await.unwrap();
        for node in &nodes {
            node.holds(&id).await;
            assert!(node.ledger.holds_attachment(&list), "final and not there");
        }
    }
    // More of them at once than one block takes.
    let lists: Vec<_> = (100..115u8).map(|number| Bytes::from(vec![number; 262_144])).collect();
    let submit = |list: &Bytes| nodes[0].handle.submit(attached(list, 0), Some(list.clone()));
    let ids = futures::future::join_all(lists.iter().map(submit)).await;
    for (id, list) in ids.into_iter().map(Result::unwrap).zip(&lists) {
        for node in &nodes {
            node.holds(&id).await;
            assert!(node.ledger.holds_attachment(list));
        }
    }
    for node in &nodes {
        node.pool_is_empty().await;
        assert_eq!((node.handle.pool().bytes, node.ledger.lacks()), (0, 0));
    }
    same_headers(&nodes.iter().collect::<Vec<_>>(), nodes[0].ledger.tip_height()).await;
    stop(nodes).await;
}

/// INV-ATTACH-1. A proposal without the attachment, or with another, is voted for by nobody who has not got it: the
/// round is lost, an honest proposer's round is decided, and everybody has the bits.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_withheld_or_changed_attachment_is_never_decided() {
    logs();
    let network = Network::new(Parameters { heartbeat_s: 60, ..Parameters::default() });
    let nodes = network.start_all().await;
    let unattached = || -> u64 {
        let name = "testamur_consensus_proposals_unattached_total ";
        let metrics = nodes[1..].iter().map(|node| node.handle.metrics());
        let values = metrics.map(|text| text.lines().find_map(|line| line.strip_prefix(name)?.parse().ok()));
        values.map(|value: Option<u64>| value.expect("it is counted")).sum()
    };
    // Each of both for as many heights as take turns. A turn passes with an empty block where the record comes late to
    // the proposer: until others had one with a record of each kind.
    let (mut seen, mut lost_rounds, mut number) = ([false; 2], 0, 0u8);
    while seen != [true; 2] {
        assert!(number < 64, "the proposer that withholds or changes had its turns, and was seen to: {seen:?}");
        let which = usize::from(number / 4 % 2);
        nodes[0].ledger.behaves([Manners::Withholds, Manners::Changes][which]);
        let (list, before) = (Bytes::from(vec![number; 16_384]), unattached());
        let id = nodes[1].handle.submit(attached(&list, number.into()), Some(list.clone())).await.unwrap();
        for node in &nodes[1..] {
            node.holds(&id).await;
            assert!(node.ledger.holds_attachment(&list), "decided without the attachment");
        }
        seen[which] |= unattached() > before;
        lost_rounds += nodes[1].ledger.round(Height(nodes[1].ledger.tip_height()));
        number += 1;
    }
    assert!(lost_rounds > 0, "what was seen was not decided");
    same_headers(&nodes[1..].iter().collect::<Vec<_>>(), nodes[1].ledger.tip_height()).await;
    stop(nodes).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_node_that_was_down_fetches_the_attachments_it_lacks() {
    logs();
    let network = Network::new(Parameters { heartbeat_s: 60, ..Parameters::default() });
    let mut nodes = network.start_all().await;
    nodes[3].reaches(1).await;
    let stopped = nodes.pop().unwrap();
    stopped.handle.shutdown().await;
    let lists: Vec<_> = (0..12u8).map(|number| Bytes::from(vec![number; 65_536])).collect();
    for list in &lists {
        let id = nodes[0].handle.submit(attached(list, 0), Some(list.clone())).await.unwrap();
        for node in &nodes {
            node.holds(&id).await;
        }
    }
    // Of some, only one node still has the bits when the block is asked for; of others nobody, for a while.
    let (few, late) = (&lists[..4], &lists[4..6]);
    for (number, node) in nodes.iter().enumerate() {
        few.iter().filter(|_| number > 0).chain(late).for_each(|list| node.ledger.forget_attachment(list));
    }
    let back = network.start(3, &stopped.ledger).await;
    back.reaches(nodes[0].ledger.tip_height()).await;
    let wait = |lacking: usize| {
        let ledger = Arc::clone(&back.ledger);
        async move {
            while ledger.lacks() > lacking {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait(late.len())).await.expect("fetched what somebody has");
    for list in &lists {
        assert_eq!(back.ledger.holds_attachment(list), !late.contains(list));
    }
    nodes[1].ledger.restore_attachments(late);
    tokio::time::timeout(Duration::from_secs(30), wait(0)).await.expect("asks until somebody has it");
    assert!(lists.iter().all(|list| back.ledger.holds_attachment(list)));
    nodes.push(back);
    stop(nodes).await;
}
