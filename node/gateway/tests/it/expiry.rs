//! Goal: a record that expired on its way is given up only when no node has it; then what was queued is signed again, and who waited is
//! told. Method: archives as a gateway leaves them that was ended two hours ago, with real records signed then.

use testamur_client::author::{Author, now};
use testamur_client::batch::Batch;
use testamur_client::digest::digest_reader;
use testamur_gateway::store::{InFlight, State, Submission, SubmissionId};
use testamur_primitives::codec;
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::hash::GenesisHash;
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::Record;
use testamur_primitives::units::UnixTime;

use crate::fake_node::{Mood, Network};
use crate::kept::{Kept, until};

const SHA_256: DigestAlgorithm = DigestAlgorithm::Sha2_256;
/// Its hour is over, and the margin too.
const AGE_S: u64 = 2 * 3_600;

pub(crate) fn submission(number: u32, queued: bool) -> Submission {
    let time = UnixTime(now().unwrap().0 - AGE_S);
    Submission {
        id: SubmissionId::fresh().unwrap(),
        caller: "office".parse().unwrap(),
        form: Form::Commitment,
        count: 1,
        batch: None,
        reference: Some(format!("case-{number}").parse().unwrap()),
        queued,
        created: time,
        since: time,
        repeatable: None,
        state: State::Queued { number: u64::from(number) },
    }
}

/// Leaves documents in the archive as sent two hours ago, under one record. Returns it, and where they are.
async fn left_behind(kept: &Kept, network: GenesisHash, documents: &[(&str, bool)]) -> (Record, Vec<String>) {
    let author = Author::new(SigningKey::ed25519(&[77; 32]), network);
    let digests = documents.iter().map(|(text, _)| digest_reader(SHA_256, text.as_bytes()).unwrap()).collect();
    let batch = Batch::salted(digests).unwrap();
    let signed = UnixTime(now().unwrap().0 - AGE_S);
    let record = author.sign_at(batch.act(None), signed, "an-old-record".parse().unwrap()).unwrap();
    let expires = record.payload().exp;
    let store = Kept::open(&kept.path);
    let (mut step, mut parts, mut hrefs) = (store.step(), Vec::new(), Vec::new());
    for (number, (_, queued)) in documents.iter().enumerate() {
        let place = number as u64;
        let mut submission = submission(number as u32, *queued);
        submission.state = State::Sent { record: record.id(), expires };
        step.begin(&submission, None);
        step.put_opening(submission.id, 0, &batch.opening(place).unwrap());
        hrefs.push(format!("/v1/documents/{}", submission.id));
        parts.push(submission.id);
    }
    step.put_in_flight(record.id(), &InFlight { record: record.as_str().to_owned(), expires, parts });
    store.write(step).await.unwrap();
    (record, hrefs)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_expired_on_its_way_is_signed_again_or_told() {
    let kept = Kept::new();
    let network = Network::new(0).genesis.hash();
    let (record, hrefs) = left_behind(&kept, network, &[("queued", true), ("waited for", false)]).await;
    let world = kept.world().await;
    let standing = until(&world, &hrefs[0], "final").await;
    assert_ne!(standing["record"], record.id().to_string(), "another record");
    assert_eq!(standing["ref"], "case-0");
    world.confirm(&codec::canonical(&standing["receipt"]), b"queued", SHA_256);
    let standing = until(&world, &hrefs[1], "refused").await;
    assert_eq!(standing["code"], "gateway.record-expired");
    assert!(standing["detail"].as_str().unwrap().ends_with("send the documents again"), "{standing}");
    let (status, code, _) = world.send(world.get(&format!("{}/receipt", hrefs[1]))).await.problem();
    assert_eq!((status, code.as_str()), (410, "gateway.record-expired"));
    assert_eq!(world.record_count(), 1, "the old record was not sent again");
    world.stop().await;
    assert_eq!(Kept::open(&kept.path).all_in_flight().unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_entered_the_ledger_before_it_expired_is_final() {
    let kept = Kept::new();
    let network = Network::new(0).genesis.hash();
    let (record, hrefs) = left_behind(&kept, network, &[("queued", true)]).await;
    // The network is away at first: that says nothing about the record, which is not given up.
    let world = kept.world().await;
    world.nodes[0].behave(Mood::Away);
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(world.send(world.get(&hrefs[0])).await.json()["state"], "sent");
    world.ledger.lock().unwrap().commit_at(record.clone(), UnixTime(record.payload().iat.0 + 1));
    world.nodes[0].behave(Mood::Well);
    let standing = until(&world, &hrefs[0], "final").await;
    assert_eq!(standing["record"], record.id().to_string());
    world.confirm(&codec::canonical(&standing["receipt"]), b"queued", SHA_256);
    assert_eq!(world.record_count(), 1);
}
