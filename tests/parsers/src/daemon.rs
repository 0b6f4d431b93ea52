//! Files that an operator writes or moves about.

use testamur::parsers::{config, configs, key, keys, registration};
use testamur_tests::fuzz::{Target, sample_genesis};

pub(crate) const TARGETS: [Target; 3] = [
    Target { name: "config", run: config, corpus: configs },
    Target { name: "keystore", run: key, corpus: keys },
    Target { name: "registration", run: registration, corpus: registrations },
];

fn registrations() -> Vec<Vec<u8>> {
    let genesis = testamur_primitives::genesis::Genesis::from_json(&sample_genesis()).expect("a genesis");
    vec![testamur_primitives::codec::canonical(&genesis.validators[0])]
}
