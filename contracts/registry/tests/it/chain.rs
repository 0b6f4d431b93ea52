//! Trust chains as a reader sees them: what EBSI's own library accepts and must not be accepted (a forged accreditation,
//! a chain of one hop, a type that is accredited for another schema), and what held at which time.
//!
//! What the contract would never let into the ledger is put into the state by hand here: readers do not lean on it.

use std::collections::BTreeMap;

use crate::support::registry::*;
use crate::support::{START, key};
use testamur_primitives::codec;
use testamur_primitives::did::Did;
use testamur_primitives::hash::AttributeId;
use testamur_primitives::identity::changes::DidChange;
use testamur_primitives::issuers::accreditation::{CredentialKind, Scope, parse_schema_id, specific_types};
use testamur_primitives::issuers::chain::{TrustChain, accredited, trust_chain};
use testamur_primitives::issuers::{AttributeEntry, EndReason, IssuerType, keys};
use testamur_primitives::record::{Act, Change};
use testamur_primitives::units::UnixTime;
use testamur_registry::{Outcome, StateKey};

const NOW: u64 = START + 1_000;

type State = BTreeMap<StateKey, Vec<u8>>;

/// A chain at a time, or the slug of its refusal.
fn walk(state: &State, leaf: AttributeId, at: u64) -> Result<TrustChain, &'static str> {
    trust_chain(state, leaf, UnixTime(at)).expect("sound").map_err(|refusal| {
        assert!(!refusal.to_string().is_empty());
        refusal.code()
    })
}

fn holds(state: &State, leaf: AttributeId, at: u64) -> Result<usize, &'static str> {
    walk(state, leaf, at).map(|chain| chain.links.len())
}

/// Changes an attribute's newest entry behind the contract's back.
fn tamper(state: &mut State, id: AttributeId, change: impl FnOnce(&mut AttributeEntry)) {
    let object = keys::attribute(id);
    let mut entry: AttributeEntry = codec::from_canonical(&state[&object.head()]).expect("an entry");
    change(&mut entry);
    let bytes = codec::canonical(&entry);
    state.insert(object.entry(entry.seq), bytes.clone());
    state.insert(object.head(), bytes);
}

/// A scope as a verifier asks for it.
fn scope(schema: &str, types: &[&str], jurisdictions: &[&str]) -> Scope {
    Scope {
        schema: parse_schema_id(&schema_url(schema)).expect("an id"),
        types: specific_types(types.iter().copied()),
        jurisdictions: jurisdictions.iter().map(|code| jurisdiction(code)).collect(),
    }
}

#[test]
fn a_chain_that_holds_names_everybody_in_it() {
    let chain = Chain::new();
    let state = &chain.world.ledger.state;
    let found = walk(state, chain.ti, NOW).unwrap();
    let parties: Vec<_> = found.links.iter().map(|link| (&link.subject, link.issuer_type)).collect();
    let expected = [
        (&chain.university.did, IssuerType::Ti),
        (&chain.agency.did, IssuerType::Tao),
        (&chain.ministry.did, IssuerType::RootTao),
    ];
    assert_eq!(parties, expected);
    assert_eq!(found.issuer().entity, entity("university"));
    assert_eq!(found.root().attribute, chain.root);
    assert_eq!(holds(state, chain.tao, NOW), Ok(2));
    assert_eq!(holds(state, chain.root, NOW), Ok(1));
    assert_eq!(holds(state, chain.ti, START), Ok(3), "from the block's own time on");
    assert_eq!(holds(state, chain.ti, START - 1), Err("chain.not-in-place"));
    assert_eq!(holds(state, attribute_id("nothing"), NOW), Err("chain.unknown-attribute"));
    let by = |did: &Did, scope: Option<&Scope>| {
        accredited(state, did, scope, UnixTime(NOW)).unwrap().map(|c| c.links.len()).map_err(|r| r.code())
    };
    assert_eq!(by(&chain.university.did, None), Ok(3));
    assert_eq!(by(&ledger_did("nobody"), None), Err("chain.not-accredited"));
    for (asked, expected) in [
        (scope("degree", &["VerifiableCredential", "Degree"], &["BEL"]), Ok(3)),
        (scope("degree", &["Diploma"], &["BEL_VLG"]), Ok(3)),
        (scope("license", &["Degree"], &["BEL"]), Err("chain.schema-not-permitted")),
        (scope("degree", &["Degree", "Passport"], &["BEL"]), Err("chain.type-not-permitted")),
        (scope("degree", &["Degree"], &["LUX"]), Err("chain.jurisdiction-not-permitted")),
        (scope("degree", &["Degree"], &["BEL", "LUX"]), Err("chain.jurisdiction-not-permitted")),
        (scope("degree", &["Degree"], &[]), Err("chain.jurisdiction-not-permitted")),
    ] {
        assert_eq!(by(&chain.university.did, Some(&asked)), expected, "{asked:?}");
    }
}

#[test]
fn a_type_counts_under_its_own_schema_and_jurisdiction_only() {
    // "Degree" under one schema for Belgium, "License" under another for Luxembourg: never crossed.
    let mut chain = Chain::new();
    let scopes =
        vec![accredited_for("degree", &["Degree"], &["BEL"]), accredited_for("license", &["License"], &["LUX"])];
    for (attribute, issuer, subject) in
        [(chain.tao, &chain.ministry, &chain.agency), (chain.ti, &chain.agency, &chain.university)]
    {
        let credential =
            Credential { scopes: scopes.clone(), ..Credential::of(&chain.world.attribute(attribute), attribute) };
        let fill = chain.world.fill(attribute, credential.sign(&issuer.key));
        assert_eq!(chain.world.by(subject, NOW, fill), Ok(Outcome::AccreditationChanged));
    }
    let found = walk(&chain.world.ledger.state, chain.ti, NOW).unwrap();
    for (asked, expected) in [
        (scope("degree", &["Degree"], &["BEL"]), Ok(())),
        (scope("license", &["License"], &["LUX"]), Ok(())),
        (scope("degree", &["License"], &["BEL"]), Err("chain.type-not-permitted")),
        (scope("license", &["License"], &["BEL"]), Err("chain.jurisdiction-not-permitted")),
        (scope("degree", &["Degree", "License"], &["BEL"]), Err("chain.type-not-permitted")),
    ] {
        assert_eq!(found.permits(&asked).map_err(|r| r.code()), expected, "{asked:?}");
    }
}

#[test]
fn a_forged_accreditation_is_refused_by_name() {
    let chain = Chain::new();
    let sound = &chain.world.ledger.state;
    let place = chain.world.attribute(chain.ti);
    let good = Credential::of(&place, chain.ti);
    let agency_kid = jkt(&chain.agency.key);
    let no_signature = {
        let signed = good.sign(&chain.agency.key);
        signed[..=signed.rfind('.').unwrap()].to_owned()
    };
    let forgeries = [
        (good.sign_as(&key("forger", 0), &agency_kid), "chain.signature"),
        (no_signature, "chain.signature"),
        (good.sign_as(&chain.university.key, &agency_kid), "chain.signature"),
        (good.sign(&key("forger", 0)), "chain.key"),
        (
            Credential { issuer: chain.university.did.clone(), ..good.clone() }.sign(&chain.university.key),
            "chain.credential",
        ),
        (Credential { subject: ledger_did("other"), ..good.clone() }.sign(&chain.agency.key), "chain.credential"),
        (
            Credential { attribute: Some(attribute_id("other")), ..good.clone() }.sign(&chain.agency.key),
            "chain.credential",
        ),
        (
            Credential { kind: CredentialKind::AccreditationToAccredit, ..good.clone() }.sign(&chain.agency.key),
            "chain.credential",
        ),
        ("garbage".to_owned(), "chain.credential"),
    ];
    for (number, (credential, expected)) in forgeries.into_iter().enumerate() {
        let mut state = sound.clone();
        tamper(&mut state, chain.ti, |entry| entry.credential = Some(credential));
        assert_eq!(holds(&state, chain.ti, NOW), Err(expected), "forgery {number}");
        // The same forgery one link up spoils what hangs below it.
        assert_eq!(holds(&state, chain.tao, NOW), Ok(2));
    }
    let mut state = sound.clone();
    let tao = Credential::of(&chain.world.attribute(chain.tao), chain.tao);
    let forged = tao.sign_as(&key("forger", 0), &jkt(&chain.ministry.key));
    tamper(&mut state, chain.tao, |entry| entry.credential = Some(forged));
    assert_eq!(holds(&state, chain.ti, NOW), Err("chain.signature"), "every link is checked, not the first alone");
    let mut state = sound.clone();
    tamper(&mut state, chain.ti, |entry| (entry.credential, entry.filled) = (None, None));
    assert_eq!(holds(&state, chain.ti, NOW), Err("chain.not-in-place"));
    let mut state = sound.clone();
    state.retain(|key, _| !key.as_str().starts_with(&format!("did/{}", chain.agency.did)));
    assert_eq!(holds(&state, chain.ti, NOW), Err("chain.accreditor-unknown"));
}

#[test]
fn every_hop_counts_and_an_end_has_a_date() {
    for (which, expected_before) in [("ti", Ok(3)), ("tao", Ok(3)), ("root", Ok(3))] {
        let mut chain = Chain::new();
        let outcome = match which {
            "ti" => {
                let end = chain.world.end(chain.ti, NOW, EndReason::PrivilegeWithdrawn);
                chain.world.by(&chain.agency, NOW, end)
            }
            "tao" => {
                let end = chain.world.end(chain.tao, NOW, EndReason::PrivilegeWithdrawn);
                chain.world.by(&chain.ministry, NOW, end)
            }
            _ => {
                let (attribute, effective) = (chain.root, UnixTime(NOW));
                chain
                    .world
                    .govern(NOW, Change::EndRoot { attribute, effective, reason: EndReason::CessationOfOperation })
            }
        };
        assert!(outcome.is_ok(), "{which}: {outcome:?}");
        let state = &chain.world.ledger.state;
        assert_eq!(holds(state, chain.ti, NOW), Err("chain.ended"), "{which} ended: one hop is not a chain");
        assert_eq!(
            holds(state, chain.ti, NOW - 1),
            expected_before,
            "{which}: what was issued before stays explainable"
        );
        let ended = trust_chain(state, chain.ti, UnixTime(NOW)).unwrap().unwrap_err().to_string();
        assert!(ended.contains("privilege-withdrawn") || ended.contains("cessation-of-operation"), "{ended}");
    }
    // Fraud ends it from the time that it was obtained.
    let mut chain = Chain::new();
    let end = chain.world.end(chain.ti, START, EndReason::ObtainedByFraud);
    chain.world.by(&chain.agency, NOW, end).unwrap();
    assert_eq!(holds(&chain.world.ledger.state, chain.ti, START), Err("chain.ended"));
}

#[test]
fn an_expired_link_breaks_the_chain_at_its_date() {
    let mut chain = Chain::new();
    let renewed = Credential { until: Some(NOW + 100), ..Credential::of(&chain.world.attribute(chain.tao), chain.tao) };
    let fill = chain.world.fill(chain.tao, renewed.sign(&chain.ministry.key));
    chain.world.by(&chain.agency, NOW, fill).unwrap();
    let state = &chain.world.ledger.state;
    assert_eq!(holds(state, chain.ti, NOW + 99), Ok(3));
    assert_eq!(holds(state, chain.ti, NOW + 100), Err("chain.dates"));
    assert_eq!(holds(state, chain.ti, NOW - 1), Ok(3), "by the credential that was in place then");
}

#[test]
fn a_compromised_key_spoils_what_it_signed_from_then_on() {
    // The agency's key signed the university's accreditation at START.
    for (from, expected) in
        [(START - 1, Err("chain.key-compromised")), (START, Err("chain.key-compromised")), (START + 1, Ok(3))]
    {
        let mut chain = Chain::new();
        let next = key("agency", 1);
        let changes = vec![
            DidChange::AddMethod { method: usual(&next) },
            DidChange::DeclareCompromised { method: jkt(&chain.agency.key), from: UnixTime(from) },
        ];
        let update = chain.world.update(&chain.agency.did, changes);
        chain.world.by(&chain.agency, NOW, update).unwrap();
        assert_eq!(holds(&chain.world.ledger.state, chain.ti, NOW), expected, "from {from}");
        assert_eq!(
            holds(&chain.world.ledger.state, chain.ti, START),
            expected,
            "also for the time before it was known"
        );
        assert_eq!(holds(&chain.world.ledger.state, chain.tao, NOW), Ok(2), "the ministry signed that one");
        // Signed anew, with a good key, it holds again.
        let credential = Credential::of(&chain.world.attribute(chain.ti), chain.ti).sign(&next);
        let fill = chain.world.fill(chain.ti, credential);
        assert_eq!(chain.world.by(&chain.university, NOW + 5, fill), Ok(Outcome::AccreditationChanged));
        assert_eq!(holds(&chain.world.ledger.state, chain.ti, NOW + 5), Ok(3));
    }
    // Revoked or rolled later, without a word of compromise: what it signed holds.
    let mut chain = Chain::new();
    let changes = vec![
        DidChange::AddMethod { method: usual(&key("agency", 1)) },
        DidChange::RevokeMethod { method: jkt(&chain.agency.key) },
    ];
    let update = chain.world.update(&chain.agency.did, changes);
    chain.world.by(&chain.agency, NOW, update).unwrap();
    assert_eq!(holds(&chain.world.ledger.state, chain.ti, NOW + 9), Ok(3));
    // So it does when the whole agency has closed its DID.
    let update = chain.world.update(&chain.agency.did, vec![DidChange::Deactivate {}]);
    chain.world.by_key(&chain.agency.did, &key("agency", 1), NOW, update).unwrap();
    assert_eq!(holds(&chain.world.ledger.state, chain.ti, NOW + 9), Ok(3));
}

#[test]
fn a_parent_that_was_narrowed_takes_its_children_along() {
    for (scopes, expected) in [
        (vec![accredited_for("license", &["Degree", "Diploma"], &["BEL"])], "chain.scope-schema"),
        (vec![accredited_for("degree", &["Degree"], &["BEL"])], "chain.scope-type"),
        (vec![accredited_for("degree", &["Degree", "Diploma"], &["LUX"])], "chain.scope-jurisdiction"),
        (vec![accredited_for("degree", &["Degree", "Diploma"], &["BEL_VLG"])], "chain.scope-jurisdiction"),
    ] {
        let mut chain = Chain::new();
        let narrowed = Credential { scopes, ..Credential::of(&chain.world.attribute(chain.tao), chain.tao) };
        let fill = chain.world.fill(chain.tao, narrowed.sign(&chain.ministry.key));
        assert_eq!(chain.world.by(&chain.agency, NOW, fill), Ok(Outcome::AccreditationChanged));
        assert_eq!(holds(&chain.world.ledger.state, chain.ti, NOW), Err(expected));
        assert_eq!(holds(&chain.world.ledger.state, chain.ti, NOW - 1), Ok(3), "before it was narrowed");
        assert_eq!(holds(&chain.world.ledger.state, chain.tao, NOW), Ok(2));
    }
    // A Root TAO with scopes of its own is bound by them.
    let mut chain = Chain::new();
    let bounded = Credential {
        scopes: vec![accredited_for("degree", &["Degree"], &[])],
        ..Credential::of(&chain.world.attribute(chain.root), chain.root)
    };
    let fill = chain.world.fill(chain.root, bounded.sign(&chain.ministry.key));
    assert_eq!(chain.world.by(&chain.ministry, NOW, fill), Ok(Outcome::AccreditationChanged));
    assert_eq!(holds(&chain.world.ledger.state, chain.ti, NOW), Err("chain.scope-type"));
}

#[test]
fn circles_and_long_chains_end_nowhere() {
    let chain = Chain::new();
    // The agency's place hangs under the university's, which hangs under the agency's.
    let mut state = chain.world.ledger.state.clone();
    tamper(&mut state, chain.ti, |entry| {
        entry.issuer_type = IssuerType::Tao;
        entry.credential = Some(Credential::of(entry, chain.ti).sign(&chain.agency.key));
    });
    tamper(&mut state, chain.tao, |entry| {
        (entry.parent, entry.accreditor) = (chain.ti, chain.university.did.clone());
        entry.credential = Some(Credential::of(entry, chain.tao).sign(&chain.university.key));
    });
    assert_eq!(holds(&state, chain.ti, NOW), Err("chain.no-root"), "INV-ISSUER-2: a circle");
    assert_eq!(holds(&state, chain.tao, NOW), Err("chain.no-root"), "INV-ISSUER-2: a circle");
    // The ministry, accredited by the agency that it has accredited: it ends, at a root, and is a circle all the same.
    let mut state = chain.world.ledger.state.clone();
    tamper(&mut state, chain.ti, |entry| {
        entry.subject = chain.ministry.did.clone();
        entry.credential = Some(Credential::of(entry, chain.ti).sign(&chain.agency.key));
    });
    assert_eq!(holds(&state, chain.ti, NOW), Err("chain.no-root"), "INV-ISSUER-2: nobody is met twice");
    // A trusted issuer that accredits.
    let mut state = chain.world.ledger.state.clone();
    tamper(&mut state, chain.tao, |entry| {
        entry.issuer_type = IssuerType::Ti;
        entry.credential = Some(Credential::of(entry, chain.tao).sign(&chain.ministry.key));
    });
    assert_eq!(holds(&state, chain.ti, NOW), Err("chain.no-root"));
    // A parent that is somebody else's.
    let mut state = chain.world.ledger.state.clone();
    tamper(&mut state, chain.ti, |entry| entry.parent = chain.root);
    assert_eq!(holds(&state, chain.ti, NOW), Err("chain.no-root"));
    // A parent that is not there.
    let mut state = chain.world.ledger.state.clone();
    tamper(&mut state, chain.ti, |entry| entry.parent = AttributeId::ZERO);
    assert_eq!(holds(&state, chain.ti, NOW), Err("chain.unknown-attribute"));
}

#[test]
fn a_sixth_link_is_too_many() {
    let mut chain = Chain::new();
    let (mut above, mut parent) = (party("agency"), chain.tao);
    for name in ["tao 2", "tao 3", "tao 4"] {
        let next = party(name);
        chain.world.register(&next, START);
        parent = chain.world.accredit(&above, parent, &next, IssuerType::Tao, START);
        above = next;
    }
    assert_eq!(holds(&chain.world.ledger.state, parent, NOW), Ok(5));
    let (last, mut state) = (chain.world.attribute(parent), chain.world.ledger.state.clone());
    let sixth = party("sixth");
    let id = attribute_id(sixth.name);
    let mut entry = AttributeEntry {
        seq: 1,
        subject: sixth.did.clone(),
        accreditor: last.subject.clone(),
        parent,
        issuer_type: IssuerType::Ti,
        ..last
    };
    entry.credential = Some(Credential::of(&entry, id).sign(&above.key));
    let bytes = codec::canonical(&entry);
    state.insert(keys::attribute(id).entry(1), bytes.clone());
    state.insert(keys::attribute(id).head(), bytes);
    assert_eq!(holds(&state, id, NOW), Err("chain.no-root"), "INV-ISSUER-2: every link holds, there are too many");
}

#[test]
fn one_of_several_accreditations_suffices() {
    let mut chain = Chain::new();
    let second = attribute_id("second");
    let reserve = chain.world.reserve("second", &chain.university.did, IssuerType::Ti, chain.tao);
    chain.world.by(&chain.agency, START, reserve).unwrap();
    let degrees = Credential {
        scopes: vec![accredited_for("degree", &["Diploma"], &["BEL_VLG"])],
        ..Credential::of(&chain.world.attribute(second), second)
    };
    let fill = chain.world.fill(second, degrees.sign(&chain.agency.key));
    chain.world.by(&chain.university, START + 10, fill).unwrap();
    let asked = |chain: &Chain, scope: Option<&Scope>, at| {
        let found = accredited(&chain.world.ledger.state, &chain.university.did, scope, UnixTime(at)).unwrap();
        found.map(|c| c.issuer().attribute).map_err(|r| r.code())
    };
    assert_eq!(asked(&chain, None, NOW), Ok(chain.ti), "the first that holds");
    let end = chain.world.end(chain.ti, NOW, EndReason::Superseded);
    chain.world.by(&chain.agency, NOW, end).unwrap();
    assert_eq!(asked(&chain, None, NOW), Ok(second));
    assert_eq!(asked(&chain, Some(&scope("degree", &["Diploma"], &["BEL_VLG"])), NOW), Ok(second));
    let refused = asked(&chain, Some(&scope("degree", &["Degree"], &["BEL_VLG"])), NOW);
    assert_eq!(refused, Err("chain.type-not-permitted"), "the refusal is that of the newest");
    assert_eq!(asked(&chain, None, START + 9), Ok(chain.ti));
}

#[test]
fn who_somebody_is_is_what_is_said_now() {
    let mut chain = Chain::new();
    let prev = chain.world.attribute(chain.ti).record;
    let rename = Act::ReserveAttribute {
        attribute: chain.ti,
        subject: chain.university.did.clone(),
        issuer_type: IssuerType::Ti,
        parent: chain.tao,
        entity: entity("University of Anywhere"),
        prev: Some(prev),
    };
    chain.world.by(&chain.agency, NOW, rename).unwrap();
    let found = walk(&chain.world.ledger.state, chain.ti, START).unwrap();
    assert_eq!(found.issuer().entity, entity("University of Anywhere"));
    assert_eq!(found.issuer().filled, UnixTime(START));
}
