//! Receipts across terms of office, and what those can do who get hold of keys that have left it.
//!
//! A network of four validators takes in a fifth, and then lets one of the first four go, while another gets another
//! key. Each epoch has a receipt: as it
//! was given out, and brought under the newest checkpoint. Three of the first four keys are stolen: they still make a
//! quorum of epoch 0.

use serde_json::json;
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::note::Note;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::record::{Act, Bytes};
use testamur_primitives::units::Height;

use crate::chain::{Chain, Member, START, in_order, key, members, record};

/// A receipt, the trust file that it is held against, and the answer.
pub(super) struct Case {
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) trust: &'static str,
    pub(super) exit: i32,
    pub(super) code: &'static str,
}

/// The trust files: genesis, and the newest checkpoint.
const GENESIS: &str = "trust-terms";
const NEWEST: &str = "trust-terms-newest";
/// The last height.
const TIP: Height = Height(6);

fn notarise(chain: &Chain, number: u8) -> String {
    let act = Act::Notarise {
        alg: DigestAlgorithm::Sha2_256,
        form: Form::Digest,
        entries: vec![Bytes(vec![number; 32])],
        reference: None,
    };
    record(&chain.genesis, &key("author", 0), &format!("term-{number}"), START, act).as_str().to_owned()
}

/// Validator 0 is gone, and validator 3 has another key.
fn last_set() -> Vec<Member> {
    in_order([1, 2, 4].map(Member::new).into_iter().chain([Member::rotated(3, [33, 3, 3])]).collect())
}

/// Heights 1, 3 and 5 hold a record each, of epochs 0, 1 and 2; heights 2 and 4 end an epoch.
fn chain() -> Chain {
    let mut chain = Chain::new("terms");
    for (number, next) in [(0, members(&[0, 1, 2, 3, 4])), (1, last_set())] {
        let record = notarise(&chain, number);
        chain.append(START + 10 * u64::from(number), &[record]);
        chain.change_set(START + 10 * u64::from(number) + 5, next);
    }
    let record = notarise(&chain, 2);
    chain.append(START + 20, &[record]);
    chain.append::<&[u8]>(START + 30, &[]);
    assert_eq!(chain.tip().height, TIP);
    chain
}

/// The trust files by name.
pub(super) fn trust_files() -> [(&'static str, Vec<u8>); 2] {
    let chain = chain();
    let text = |trust: testamur_primitives::trust::TrustFile| trust.to_json().into_bytes();
    [(GENESIS, text(chain.trust())), (NEWEST, text(chain.pinned(TIP)))]
}

/// The receipts.
pub(super) fn receipts() -> Vec<Case> {
    let chain = chain();
    let mut cases = Vec::new();
    let mut add = |name: &str, receipt: &Receipt, trust, exit, code| {
        let name = format!("terms-{name}");
        cases.push(Case { name, bytes: receipt.clone().encode(), trust, exit, code });
    };
    let out = (5, "out-of-office");
    for (index, height, name, (exit, code)) in
        [(0, 1, "before", out), (1, 3, "between", out), (2, 5, "after", (0, "confirmed"))]
    {
        let receipt = chain.receipt(index, None);
        add(name, &receipt, GENESIS, 0, "confirmed");
        add(&format!("{name}-newest"), &receipt, NEWEST, exit, code);
        let mut refreshed = receipt;
        refreshed.anchors.push(json!({"kind": "rfc3161", "token": "AA"}));
        refreshed.anchors.push(serde_json::to_value(chain.anchor(Height(height), TIP)).expect("an anchor"));
        add(&format!("{name}-refreshed"), &refreshed, GENESIS, 0, "confirmed");
        add(&format!("{name}-refreshed-newest"), &refreshed, NEWEST, 0, "confirmed");
    }
    stolen(&chain, &mut add);
    cases
}

/// Three stolen keys sign a block that never was, and whatever may come after it.
fn stolen(chain: &Chain, add: &mut impl FnMut(&str, &Receipt, &'static str, i32, &'static str)) {
    let mut thief = Chain::new("terms");
    let forged = notarise(&thief, 66);
    thief.append(START, &[forged]);
    let mut receipt = thief.receipt(0, None);
    let mut note = Note::parse(receipt.note.as_bytes()).expect("our own note");
    note.signatures.retain(|line| line.name != "validator-3.example" && line.name != thief.origin().as_str());
    assert_eq!(note.signatures.len(), 3, "a quorum of four");
    receipt.note = note.to_string();
    // Whoever trusts genesis alone believes its keys for ever: that is why trust files move on.
    add("stolen-keys-under-genesis", &receipt, GENESIS, 0, "confirmed");
    add("stolen-keys", &receipt, NEWEST, 5, "out-of-office");
    // Epochs of the thieves' own: nobody in them is in office, or the way to them is not signed by who is.
    for (number, set) in [(20, [20, 21, 22, 23]), (24, [24, 25, 26, 27]), (28, [28, 29, 30, 31])] {
        thief.change_set(START + number, members(&set));
        thief.append::<&[u8]>(START + number + 1, &[]);
    }
    let anchored = |later: u64, epochs: usize| {
        let mut anchor = thief.anchor(Height(1), Height(later));
        anchor.epochs.drain(..epochs);
        Receipt { anchors: vec![serde_json::to_value(anchor).expect("an anchor")], ..receipt.clone() }
    };
    add("stolen-keys-and-an-epoch-of-theirs", &anchored(3, 0), NEWEST, 5, "out-of-office");
    add("stolen-keys-and-the-newest-epoch", &anchored(5, 0), NEWEST, 3, "receipt.certificate");
    add("stolen-keys-and-a-later-epoch", &anchored(7, 0), NEWEST, 3, "receipt.epoch");
    add("stolen-keys-and-a-later-epoch-alone", &anchored(7, 2), NEWEST, 3, "receipt.epoch");
    // The network's own newest block does not have the thieves' in its history, whatever path they put there.
    for (name, of) in [("another-block's", Height(1)), ("a-later-block's", Height(2))] {
        let anchor = serde_json::to_value(chain.anchor(of, TIP)).expect("an anchor");
        let receipt = Receipt { anchors: vec![anchor], ..receipt.clone() };
        add(&format!("stolen-keys-under-{name}-history"), &receipt, NEWEST, 3, "receipt.inclusion");
    }
    // A validator set that is not the epoch's, so that the thieves' own keys would count.
    let mut own = Chain::new("terms");
    own.epochs = vec![members(&[20, 21, 22, 23])];
    let record = notarise(&own, 67);
    own.append(START, &[record]);
    add("keys-of-nobody", &own.receipt(0, None), NEWEST, 3, "receipt.certificate");
}
