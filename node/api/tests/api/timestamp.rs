//! EBSI's timestamp API over the notary's public digests and dossiers.

use serde_json::{Value, json};
use testamur_primitives::codec::{base64url, sha256};
use testamur_primitives::commitment::Form;
use testamur_primitives::dossiers::{DossierChange, Owner};
use testamur_primitives::record::{Act, Bytes};
use testamur_primitives::units::UnixTime;

use crate::client::get;
use crate::ebsi::{address, hex, problem};
use crate::ledger::{GENESIS_TIME, PUBLIC_BASE};
use crate::world::World;

#[test]
fn public_digests_and_dossiers_are_timestamps_and_records() {
    let world = World::new();
    let digest = sha256(&[br#"{"test":"some data"}"#]);
    let record = world.node.ledger.record("ts", Form::Digest, vec![Bytes(vec![1; 32]), Bytes(digest.to_vec())]);
    let height = world.node.ledger.commit(vec![record.clone()]);
    let place = "/timestamp/v4";
    let id = "uEiAQjTSfJoekQZpuNe43jEm11_VFCSNagLOqsk81Tnf-aQ";
    let timestamp = get(world.node.address, &format!("{place}/timestamps/{id}")).text();
    let stand_in = hex(&sha256(&[record.author().as_str().as_bytes()])[..20]);
    let found: Value = serde_json::from_str(&timestamp).unwrap();
    let by = found["timestampedBy"].as_str().unwrap();
    assert!(by.eq_ignore_ascii_case(&format!("0x{stand_in}")), "{by}");
    let past = world.now() - GENESIS_TIME;
    let expected = format!(
        r#"{{"hash":"mEiCFEY+9nffGmiCIEU1angy1JvIkLayCumzH2TfYLqCLDw","timestampedBy":"{by}","blockNumber":{height},"timestamp":"2027-01-15T08:{:02}:{:02}.000Z","data":"0x","transactionHash":"0x{}"}}"#,
        past / 60,
        past % 60,
        record.id()
    );
    assert_eq!(timestamp, expected);
    let list = world.json(&format!("{place}/timestamps"));
    assert_eq!(
        (list["total"].as_u64(), &list["items"][1]),
        (Some(2), &json!({"timestampId": id, "href": format!("{PUBLIC_BASE}{place}/timestamps/{id}")}))
    );
    problem(
        &get(world.node.address, &format!("{place}/timestamps/uEiA{}", "A".repeat(43))),
        404,
        "Timestamp Not Found",
    );
    problem(&get(world.node.address, &format!("{place}/timestamps/x")), 400, "Bad Request");

    let algorithm = get(world.node.address, &format!("{place}/hash-algorithms/0")).text();
    assert_eq!(
        algorithm,
        r#"{"outputLengthBits":256,"ianaName":"sha-256","oid":"2.16.840.1.101.3.4.2.1","status":"active","multihash":"sha2-256"}"#
    );
    let algorithms = world.json(&format!("{place}/hash-algorithms"));
    assert_eq!((algorithms["total"].as_u64(), &algorithms["items"][0]["hashAlgorithmId"]), (Some(6), &json!(0)));
    problem(&get(world.node.address, &format!("{place}/hash-algorithms/6")), 404, "Hash Algorithm Not Found");
    problem(&get(world.node.address, &format!("{place}/hash-algorithms/x")), 400, "Bad Request");

    let dossier = world.open_dossier(&[[1; 32]]);
    let owner = Owner { did: world.ministry.did.clone(), not_before: UnixTime(GENESIS_TIME), not_after: None };
    let alg = testamur_primitives::commitment::DigestAlgorithm::Sha2_256;
    let mut prev = dossier;
    for change in [
        DossierChange::AppendDigests { alg, entries: vec![Bytes(vec![2; 32])] },
        DossierChange::AddVersion { alg, entries: vec![Bytes(vec![3; 32])] },
        DossierChange::AddOwner { owner },
    ] {
        prev = world.by(&world.city, Act::UpdateDossier { dossier, prev, change });
    }
    let revoke = DossierChange::RevokeOwner { did: world.city.did.clone() };
    world.by(&world.city, Act::UpdateDossier { dossier, prev, change: revoke });
    let id = format!("u{}", base64url(dossier.as_bytes()));
    let record = world.json(&format!("{place}/records/{id}"));
    let digest = |byte: &str| format!("0x{}", byte.repeat(32));
    assert_eq!(record["firstVersionTimestamps"], json!([digest("01"), digest("02")]));
    assert_eq!((&record["lastVersionTimestamps"], &record["totalVersions"]), (&json!([digest("03")]), &json!(2)));
    assert!(record["ownerIds"][0].as_str().unwrap().eq_ignore_ascii_case(&address(&world.ministry)));
    assert!(record["revokedOwnerIds"][0].as_str().unwrap().eq_ignore_ascii_case(&address(&world.city)));
    let versions = world.json(&format!("{place}/records/{id}/versions"));
    assert_eq!((versions["total"].as_u64(), &versions["items"][1]["versionId"]), (Some(2), &json!(1)));
    assert_eq!(
        get(world.node.address, &format!("{place}/records/{id}/versions/0")).text(),
        format!(r#"{{"hashes":["{}","{}"],"info":[]}}"#, digest("01"), digest("02"))
    );
    problem(&get(world.node.address, &format!("{place}/records/{id}/versions/2")), 404, "Version Not Found");
    problem(&get(world.node.address, &format!("{place}/records/u{}", base64url(&[9; 32]))), 404, "Record Not Found");
    problem(&get(world.node.address, &format!("{place}/records/x")), 400, "Bad Request");
    let total = |query: &str| world.json(&format!("{place}/records{query}"))["total"].as_u64().unwrap();
    assert_eq!(total(""), 1);
    assert_eq!(
        (total(&format!("?owner={}", address(&world.ministry))), total(&format!("?owner={}", address(&world.agency)))),
        (1, 0)
    );
    assert_eq!(
        (total(&format!("?first-version={}", digest("01"))), total(&format!("?first-version={}", digest("03")))),
        (1, 0)
    );
    problem(&get(world.node.address, &format!("{place}/records?owner=x")), 400, "Bad Request");
    problem(&get(world.node.address, &format!("{place}/records?first-version=x")), 400, "Bad Request");
}
