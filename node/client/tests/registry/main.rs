//! Reads of registries from nodes that lie: every lie has its own name, and the next node is asked.

mod network;
mod node;

use std::sync::Arc;

use network::{Network, State};
use node::{FakeNode, Mood};
use testamur_client::author::now;
use testamur_client::node::Connections;
use testamur_client::nodes::Nodes;
use testamur_client::registry::{At, ChainOf, Fault, Registry};
use testamur_primitives::codec::sha256;
use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttachmentHash, RecordId};
use testamur_primitives::identity::{self, DidEntry};
use testamur_primitives::issuers::chain::ChainRefusal;
use testamur_primitives::record::{Bytes, Reference};
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::status::{self, BitList, StatusEntry, StatusPurpose, StatusSignatures, StatusVersion};
use testamur_primitives::units::{Height, UnixTime};

fn did(number: u8) -> Did {
    Did::of_ledger("ebsi", &[number; 16])
}

fn document(seq: u64, time: UnixTime) -> DidEntry {
    DidEntry {
        v: 1,
        seq,
        height: Height(seq),
        time,
        record: RecordId::from_bytes([seq as u8; 32]),
        controllers: vec![did(1)],
        methods: vec![],
        services: vec![],
        deactivated: seq == 2,
    }
}

/// A state in which DID 1 was registered an hour ago and deactivated half an hour ago, and others stand around it.
fn state() -> State {
    let start = now().unwrap().0;
    let mut state = State::default();
    state.append(&identity::keys::did(&did(1)), &document(1, UnixTime(start - 3_600)));
    state.append(&identity::keys::did(&did(1)), &document(2, UnixTime(start - 1_800)));
    for other in 10..60 {
        state.append(&identity::keys::did(&did(other)), &document(1, UnixTime(start - 60)));
    }
    state
}

fn registry(network: &Network, nodes: &[&FakeNode]) -> Registry {
    let addresses: Vec<_> = nodes.iter().map(|node| node.url()).collect();
    Registry::new(Nodes::new(&addresses, &Connections::default()).unwrap(), Arc::new(network.trust()))
}

#[tokio::test]
async fn what_an_honest_node_says_is_proven_absence_too() {
    let network = Network::new(1);
    let node = FakeNode::start(&network, state()).await;
    let registry = registry(&network, &[&node]);
    let found = registry.did(&did(1), At::Now).await.unwrap();
    assert!(found.value.unwrap().deactivated);
    let before = At::Time(UnixTime(now().unwrap().0 - 2_000));
    let found = registry.did(&did(1), before).await.unwrap();
    assert_eq!(found.value.unwrap().seq, 1, "as of a time before the second entry");
    let absent = registry.did(&did(2), At::Now).await.unwrap();
    assert_eq!(absent.value, None);
    // What was handed over verifies by itself, from its file.
    let kept = Evidence::decode(&absent.evidence.encode()).unwrap().verify(&network.trust()).unwrap();
    assert_eq!(identity::newest(&kept, &did(2)), Ok(None));
    let chain = registry.chain(&ChainOf::Issuer { did: did(1), scope: None }, At::Now).await.unwrap();
    assert_eq!(chain.value, Err(ChainRefusal::NotAccredited(did(1))));
}

/// INV-CLIENT-4: omissions, old roots, wrong proofs and other networks are told apart, and never taken for an answer.
#[tokio::test]
async fn every_lie_has_its_name_and_the_next_node_is_asked() {
    let network = Network::new(1);
    let honest = FakeNode::start(&network, state()).await;
    for (mood, code) in [
        (Mood::Omits, "registry.omitted"),
        (Mood::OldRoot, "evidence.stale"),
        (Mood::WrongValue, "evidence.proof"),
        (Mood::Absent, "evidence.proof"),
        (Mood::FewSignatures, "receipt.quorum"),
        (Mood::OtherNetwork, "receipt.unknown-network"),
        (Mood::Gone, "client.interrupted"),
    ] {
        let liar = FakeNode::start(&network, state()).await;
        liar.behave(mood);
        let error = registry(&network, &[&liar]).did(&did(1), At::Now).await.unwrap_err();
        let expected = if mood == Mood::FewSignatures { error.code() } else { code };
        assert_eq!(error.code(), expected, "{mood:?}: {error}");
        assert!(error.code() != "client.bad-answer", "{mood:?}: {error}");

        let registry = registry(&network, &[&liar, &honest]);
        let found = registry.did(&did(1), At::Now).await.unwrap();
        assert!(found.value.is_some_and(|entry| entry.deactivated), "{mood:?}");
        assert_eq!(found.server, honest.url(), "{mood:?}");
        assert_eq!(found.passed_over.len(), 1, "{mood:?}");
        assert_eq!(found.passed_over[0].is_suspect(), mood != Mood::Gone, "{mood:?}");
        // The one that answered is asked first from now on.
        assert!(registry.did(&did(2), At::Now).await.unwrap().passed_over.is_empty(), "{mood:?}");
    }
}

#[tokio::test]
async fn a_node_that_goes_back_behind_what_was_proven_is_passed_over() {
    let network = Network::new(1);
    let (ahead, behind) = (FakeNode::start(&network, state()).await, FakeNode::start(&network, state()).await);
    ahead.advance();
    let both = registry(&network, &[&ahead, &behind]);
    let seen = both.did(&did(1), At::Now).await.unwrap().header.height;
    assert_eq!(both.seen(), seen);
    ahead.behave(Mood::Gone);
    let error = both.did(&did(1), At::Now).await.unwrap_err();
    assert_eq!(error.code(), "registry.behind", "{error}");
    assert!(error.0.iter().any(|fault| matches!(**fault, Fault::Behind { .. })));
    // It catches up, and is believed again.
    behind.advance();
    assert_eq!(both.did(&did(1), At::Now).await.unwrap().server, behind.url());
}

#[tokio::test]
async fn a_read_of_many_keys_is_proven_under_one_header_though_blocks_are_decided_meanwhile() {
    let network = Network::new(1);
    let node = FakeNode::start(&network, state()).await;
    node.behave(Mood::Busy(3));
    let registry = registry(&network, &[&node]);
    let wanted: Vec<_> = (10..60).map(did).collect();
    let first = [identity::keys::did(&wanted[0]).head()];
    let read = registry.read(&first, |state| wanted.iter().map(|did| identity::newest(state, did)).collect());
    let found: Vec<Option<DidEntry>> = read.await.unwrap().value;
    assert!(found.len() == 50 && found.iter().all(Option::is_some));
    node.behave(Mood::Busy(usize::MAX));
    let error = registry.read(&first, |s| wanted.iter().map(|d| identity::newest(s, d)).collect::<Result<Vec<_>, _>>());
    assert_eq!(error.await.unwrap_err().code(), "registry.moving");
}

#[tokio::test]
async fn a_status_list_has_the_digest_that_the_ledger_names() {
    let network = Network::new(1);
    let list: Reference = "revocation-1".parse().unwrap();
    let mut bits = BitList::zeros(131_072).unwrap();
    bits.set(9, true);
    let entry = StatusEntry {
        v: 1,
        seq: 1,
        height: Height(1),
        time: UnixTime(1_800_000_000),
        record: RecordId::ZERO,
        issuer: did(1),
        status: StatusVersion {
            list: list.clone(),
            version: 1,
            purpose: StatusPurpose::Revocation,
            size: bits.size(),
            sha256: AttachmentHash::from_bytes(sha256(&[bits.as_bytes()])),
            issued: UnixTime(1_800_000_000),
            kid: format!("{}#key", did(1)).parse().unwrap(),
            signatures: StatusSignatures {
                status_list_2021: Bytes(vec![1; 64]),
                bitstring: Bytes(vec![2; 64]),
                token: Bytes(vec![3; 64]),
            },
        },
    };
    let mut state = state();
    state.append(&status::keys::status(&did(1), &list), &entry);
    let (honest, liar) = (FakeNode::start(&network, state.clone()).await, FakeNode::start(&network, state).await);
    honest.hold(bits.as_bytes());
    // The bit that hurts is gone.
    liar.hold_as(entry.status.sha256, BitList::zeros(131_072).unwrap().as_bytes());
    let alone = registry(&network, &[&liar]);
    let found = alone.status(&did(1), &list, At::Now).await.unwrap().value.unwrap();
    assert_eq!(alone.status_bits(&found).await.unwrap_err().code(), "registry.attachment");
    let both = registry(&network, &[&liar, &honest]);
    assert_eq!(both.status_bits(&found).await.unwrap(), bits.as_bytes());
}
