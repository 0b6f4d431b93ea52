//! How fast one core reads the registries: values without proof, and evidence of three keys.
//! `cargo run --release -p testamur-store --features testing --example registry_reads [DIDs]`

use std::time::Instant;

use testamur_primitives::did::Did;
use testamur_primitives::identity::changes::NewMethod;
use testamur_primitives::identity::{self, Grant, Relationship};
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, Change};
use testamur_primitives::state::StateKey;
use testamur_primitives::units::UnixTime;
use testamur_store::testing::{GENESIS_TIME, TestNetwork};

/// DIDs that one block admits and the next registers.
const IN_A_BLOCK: u64 = 500;
const READS: u64 = 20_000;

fn did(number: u64) -> Did {
    let mut id = [0; 16];
    id[..8].copy_from_slice(&number.to_be_bytes());
    Did::of_ledger("ebsi", &id)
}

/// Spreads numbers so that neighbouring reads are of far-away keys.
fn spread(number: u64, of: u64) -> u64 {
    number.wrapping_mul(0x9e37_79b9_7f4a_7c15) % of
}

fn main() {
    let dids: u64 = std::env::args().nth(1).map_or(2_000, |text| text.parse().expect("a number of DIDs"));
    let (network, directory) = (TestNetwork::new(), tempfile::tempdir().expect("a directory"));
    let ledger = network.open(directory.path(), 0).expect("open");
    let key = SigningKey::ed25519(&[7; 32]);
    let jkt = identity::thumbprint(&key.public_key());
    let started = Instant::now();
    for first in (0..dids).step_by(IN_A_BLOCK as usize) {
        let numbers = first..dids.min(first + IN_A_BLOCK);
        let time = UnixTime(GENESIS_TIME.0 + 10 + first);
        let admit = |number: u64| {
            let change = Change::AdmitDid { did: did(number), jkt: jkt.clone() };
            let act = Act::Propose { change, governance_version: number + 1, expires: UnixTime(time.0 + 60) };
            network.record(&network.operator, &format!("admit-{number}"), time, act)
        };
        network.commit(&ledger, time, &numbers.clone().map(admit).collect::<Vec<_>>());
        let insert = |number: u64| {
            let grants = [Relationship::AssertionMethod, Relationship::CapabilityInvocation];
            let grants = grants.map(|relationship| Grant { relationship, not_before: time, not_after: None }).to_vec();
            let methods = vec![NewMethod { key: key.public_key().to_jwk(), grants }];
            let act = Act::InsertDid { methods, controllers: Vec::new(), services: Vec::new(), authorisation: None };
            network.record_as(&identity::key_id(&did(number), &key.public_key()), &key, "insert", time, act)
        };
        network.commit(&ledger, time, &numbers.map(insert).collect::<Vec<_>>());
    }
    println!("{dids} DIDs registered in {:.1} s", started.elapsed().as_secs_f64());
    ledger.compact().expect("compact");

    let rate = |what: &str, reads: u64, read: &dyn Fn(u64)| {
        let started = Instant::now();
        (0..reads).for_each(read);
        println!("{what}: {:.0} a second", reads as f64 / started.elapsed().as_secs_f64());
    };
    rate("documents without proof, a view each", READS, &|number| {
        let view = ledger.view().expect("view");
        identity::newest(&view.state(), &did(spread(number, dids))).expect("read").expect("registered");
    });
    rate("pages of 50 DIDs", READS / 20, &|number| {
        let view = ledger.view().expect("view");
        view.objects("did", "all", 1 + spread(number, dids / 50 + 1), 50).expect("read");
    });
    let keys = |number| -> Vec<StateKey> {
        (0..3).map(|more| identity::keys::did(&did(spread(number * 3 + more, dids))).head()).collect()
    };
    rate("evidence of three keys", READS / 4, &|number| {
        let view = ledger.view().expect("view");
        view.evidence(&keys(number)).expect("read").expect("certified");
    });
    rate("evidence of three keys, as JSON", READS / 4, &|number| {
        let view = ledger.view().expect("view");
        assert!(view.evidence(&keys(number)).expect("read").expect("certified").encode().len() > 1_000);
    });
    let usage = ledger.usage();
    println!("{} KiB of tables for {} records", usage.table_bytes / 1024, ledger.tip().header.log_size);
}
