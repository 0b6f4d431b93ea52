//! Steps 3 and 4: who issued it, and whether it was allowed to.

use std::sync::Arc;

use serde_json::{Value, json};
use testamur_credentials::credential::{Credential, Format};
use testamur_credentials::proofs::Proofs;
use testamur_credentials::verify::{Reason, Report};
use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttributeId, SchemaId};
use testamur_primitives::identity::Relationship;
use testamur_primitives::issuers::EndReason;
use testamur_primitives::key::SigningKey;
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::units::UnixTime;

use super::presented::without_proofs;
use super::{Case, own_key, world};
use crate::world::parties::{ISSUED, NOW, World, grant, method, policy, shown};
use crate::world::{DAY, Network, START};

pub(crate) fn cases() -> Vec<Case> {
    [proofs(), keys(), accreditations(), allowed()].concat()
}

fn with(world: &World, credential: &Credential, change: impl FnOnce(&mut Evidence)) -> Report {
    let mut proofs = world.proofs(credential, None, NOW);
    change(Arc::make_mut(proofs.evidence.as_mut().unwrap()));
    world.verifier().verify(&shown(credential, &proofs), &policy())
}

fn proofs() -> Vec<Case> {
    let world = world();
    let credential = world.diploma(Format::SdJwt);
    let without = |kind: &str| {
        with(&world, &credential, |evidence| {
            let before = evidence.state.len();
            evidence.state.retain(|proven| !proven.key.starts_with(kind));
            assert!(evidence.state.len() < before);
        })
    };
    let mut stranger = world.diploma(Format::SdJwt);
    stranger.issuer = Did::of_ledger("ebsi", &[99; 16]);
    stranger.kid = format!("{}#{}", stranger.issuer, stranger.kid.fragment()).parse().unwrap();
    let mut foreign = credential.clone();
    foreign.status.clear();
    foreign.issuer = "did:web:university.example".parse().unwrap();
    foreign.kid = "did:web:university.example#key".parse().unwrap();
    let mut other_ledger = foreign.clone();
    other_ledger.issuer = Did::of_ledger("other", &[1; 16]);
    other_ledger.kid = format!("{}#key", other_ledger.issuer).parse().unwrap();
    // Another network has the same people on it, and its own validators.
    let elsewhere = Network::new(128).proofs(&world.state, &world.lists, &credential, None, NOW, None);
    let elsewhere = world.verifier().verify(&shown(&credential, &elsewhere), &policy());
    let lying = with(&world, &credential, |evidence| {
        let value = evidence.state.iter_mut().find_map(|proven| proven.value.as_mut()).unwrap();
        *value = value.replacen("START", "start", 1) + " ";
    });
    let error = testamur_primitives::state::evidence::EvidenceError::UnknownFormat;
    let unreadable = world.verifier().verify(
        &testamur_credentials::verify::Presented { evidence_error: Some(&error), ..shown(&credential, &Proofs::NONE) },
        &policy(),
    );
    let missing = without_proofs(&world, &credential);
    assert_eq!(missing.steps[1].reason, Reason::SignatureNoProof);
    assert_eq!(missing.steps[4].reason, Reason::StatusNoProof);
    assert!(missing.steps[2].evidence.is_null(), "nothing was read of which anything could be said");
    let unproven = without("issuer/");
    let detail = unproven.steps[3].evidence["detail"].as_str().expect("what is not proven");
    assert!(detail.contains("issuer/"), "{detail}");
    vec![
        ("no proofs", Reason::IssuerNoProof, missing),
        ("proofs without the document", Reason::IssuerNoProof, without("did/")),
        ("proofs without the accreditations", Reason::AccreditationNoProof, unproven),
        ("proofs without the schema", Reason::ReadableSchemaUnknown, without("schema/")),
        ("proofs without the lists", Reason::StatusNoProof, without("status/")),
        ("of a ledger that is not installed", Reason::IssuerOtherNetwork, elsewhere),
        ("a changed value", Reason::IssuerEvidence, lying),
        ("no evidence at all", Reason::IssuerEvidence, unreadable),
        ("nobody of this name", Reason::IssuerNotRegistered, world.verify(&stranger, None)),
        ("a DID of the web", Reason::IssuerForeignDid, world.verify(&foreign, None)),
        ("a DID of another ledger", Reason::IssuerForeignDid, world.verify(&other_ledger, None)),
    ]
}

fn keys() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut case = |name, change: &dyn Fn(&mut World), anchored, unanchored| {
        let mut world = world();
        let credential = world.diploma(Format::Vcdm2);
        let receipt = world.anchor(&credential, ISSUED);
        change(&mut world);
        cases.push((name, anchored, world.verify(&credential, Some(&receipt))));
        cases.push((name, unanchored, world.verify(&credential, None)));
    };
    let ended = |at: u64| {
        move |world: &mut World| {
            world.register("university", at, |mut methods| {
                for grant in &mut methods[0].grants {
                    grant.not_after = Some(UnixTime(at));
                }
                methods[0].revoked = Some(UnixTime(at));
                methods.push(method(&SigningKey::ed25519(&[1; 32]), vec![grant(Relationship::AssertionMethod)]));
                methods
            });
        }
    };
    case("rotated since", &ended(ISSUED + DAY), Reason::Valid, Reason::IssuerKeyEndedUnanchored);
    case("rotated in that second", &ended(ISSUED), Reason::IssuerKeyEnded, Reason::IssuerKeyEndedUnanchored);
    case("rotated before", &ended(ISSUED - DAY), Reason::IssuerKeyEnded, Reason::IssuerKeyEndedUnanchored);
    let compromised = |from: u64| {
        move |world: &mut World| {
            world.register("university", NOW - DAY, |mut methods| {
                methods[0].compromised_from = Some(UnixTime(from));
                methods
            });
        }
    };
    case("compromised since", &compromised(ISSUED + 1), Reason::Valid, Reason::IssuerKeyCompromised);
    case("compromised then", &compromised(ISSUED), Reason::IssuerKeyCompromised, Reason::IssuerKeyCompromised);
    let late = |world: &mut World| {
        world.register("university", START, |mut methods| {
            for grant in &mut methods[0].grants {
                grant.not_before = UnixTime(ISSUED + DAY);
            }
            methods
        });
    };
    case("granted later", &late, Reason::IssuerKeyNotYetValid, Reason::Valid);
    let other_use = |world: &mut World| {
        world.register("university", START, |mut methods| {
            let uses = [Relationship::Authentication, Relationship::CapabilityInvocation];
            methods[0].grants = uses.map(grant).to_vec();
            methods
        });
    };
    case("a key for signing in", &other_use, Reason::IssuerKeyPurpose, Reason::IssuerKeyPurpose);
    let later = |world: &mut World| {
        let credential = world.diploma(Format::Vcdm2);
        let known = credential.kid.fragment().to_owned();
        world.register("university", START, |mut methods| {
            let key = methods.iter().position(|method| method.id == known).unwrap();
            methods.remove(key);
            methods
        });
        world.register("university", ISSUED + DAY, |mut methods| {
            methods.push(method(&own_key(), vec![grant(Relationship::AssertionMethod)]));
            methods
        });
    };
    case("a key added later", &later, Reason::IssuerKeyNotYetValid, Reason::Valid);

    cases
}

fn accreditations() -> Vec<Case> {
    let mut cases = Vec::new();
    let mut case = |name, change: &dyn Fn(&mut World), anchored, unanchored| {
        let mut world = world();
        let credential = world.diploma(Format::Ebsi);
        change(&mut world);
        let receipt = world.anchor(&credential, ISSUED);
        cases.push((name, anchored, world.verify(&credential, Some(&receipt))));
        cases.push((name, unanchored, world.verify(&credential, None)));
    };
    use Reason::*;
    let end = |name: &'static str, at: u64, effective: u64| {
        move |world: &mut World| world.end(name, at, effective, EndReason::CessationOfOperation)
    };
    case("ended since", &end("university", NOW - DAY, NOW - DAY), Valid, AccreditationEndedUnanchored);
    case(
        "ended before",
        &end("university", ISSUED - DAY, ISSUED - DAY),
        AccreditationEnded,
        AccreditationEndedUnanchored,
    );
    case(
        "ended, by what is known now, before",
        &end("university", NOW - DAY, ISSUED),
        AccreditationEnded,
        AccreditationEndedUnanchored,
    );
    case("will end", &end("university", NOW - DAY, NOW + DAY), Valid, Valid);
    case("the agency's ended since", &end("agency", NOW - DAY, NOW - DAY), Valid, AccreditationEndedUnanchored);
    case(
        "the agency's ended before",
        &end("agency", ISSUED - DAY, ISSUED - DAY),
        AccreditationChain,
        AccreditationEndedUnanchored,
    );
    let expired = |world: &mut World| {
        let scope = world.scope(&["UniversityDegree", "EqfLevel7"], &["LUX"]);
        world.accredit_at("agency", world.agency.attribute, START + 2, &[scope], START, Some(ISSUED));
    };
    case("the agency's expired before", &expired, AccreditationChain, AccreditationEndedUnanchored);
    let fresh = |time: u64, from: u64, until: Option<u64>| {
        move |world: &mut World| {
            let id = AttributeId::from_bytes([0x77; 32]);
            let scope = world.scope(&["UniversityDegree", "EqfLevel7"], &["LUX"]);
            world.end("university", START + 1, START + 1, EndReason::Superseded);
            // A new place, after the first had ended.
            world.accredit_at("university", id, time, &[scope], from, until);
            forget(world);
        }
    };
    case("accredited later", &fresh(ISSUED + DAY, START, None), AccreditationNotInPlace, Valid);
    case("before its dates", &fresh(START + 2, ISSUED + DAY, None), AccreditationDates, Valid);
    case("expired since", &fresh(START + 2, START, Some(ISSUED + DAY)), Valid, AccreditationEndedUnanchored);
    case("expired before", &fresh(START + 2, START, Some(ISSUED)), AccreditationDates, AccreditationEndedUnanchored);
    let never = |world: &mut World| {
        let did = world.university.did.clone();
        world.state.0.retain(|key, _| !key.as_str().starts_with(&format!("issuer/{did}")));
    };
    case("never", &never, AccreditationNotAccredited, AccreditationNotAccredited);
    let forged = |world: &mut World| {
        world.register("agency", START, |mut methods| {
            methods[0] = method(&SigningKey::ed25519(&[66; 32]), vec![grant(Relationship::AssertionMethod)]);
            methods
        });
    };
    case("signed by nobody of the agency", &forged, AccreditationChain, AccreditationChain);
    let narrowed = |world: &mut World| {
        let scope = world.scope(&["MicroCredential", "EqfLevel6"], &["LUX"]);
        world.accredit("university", ISSUED + DAY, &[scope]);
    };
    case("renewed for less", &narrowed, Valid, AccreditationEndedUnanchored);
    let compromised = |world: &mut World| {
        world.register("agency", NOW - DAY, |mut methods| {
            methods[0].compromised_from = Some(UnixTime(START));
            methods
        });
    };
    case("the agency's key was in other hands", &compromised, AccreditationChain, AccreditationChain);
    cases
}

/// Leaves the newest accreditation of the university as its only one.
fn forget(world: &mut World) {
    let did = world.university.did.clone();
    let keys: Vec<_> =
        world.state.0.keys().filter(|key| key.as_str().starts_with(&format!("issuer/{did}"))).cloned().collect();
    for key in keys {
        let mut value: Value = serde_json::from_slice(&world.state.0[&key]).unwrap();
        let attributes = value["attributes"].as_array().unwrap();
        value["attributes"] = json!([attributes[attributes.len() - 1]]);
        world.state.0.insert(key, testamur_primitives::codec::canonical(&value));
    }
}

/// What the accreditation is for.
fn allowed() -> Vec<Case> {
    let accredited = |scopes: &dyn Fn(&World) -> Vec<Value>| {
        let mut world = world();
        // The agency may do everything here, so that the university's own decides.
        let own = scopes(&world);
        let all = ["UniversityDegree", "MicroCredential", "Other", "EqfLevel5", "EqfLevel6", "EqfLevel7"];
        let schemas = [world.schema, SchemaId::from_bytes([5; 32])];
        let wide = schemas.map(|schema| world.scope_of(schema, &all, &[]));
        world.accredit("agency", START, &wide);
        world.accredit("university", START, &own);
        // Anchored, so that what an earlier accreditation allowed does not matter.
        let credential = world.diploma(Format::SdJwt);
        let receipt = world.anchor(&credential, ISSUED);
        world.verify(&credential, Some(&receipt))
    };
    let of = |types: &'static [&'static str], places: &'static [&'static str]| {
        accredited(&|world| vec![world.scope(types, places)])
    };
    let drafted = |change: &dyn Fn(&mut testamur_credentials::format::Draft)| {
        let world = world();
        let mut draft = world.draft();
        change(&mut draft);
        world.verify(&world.sign(Format::Vcdm2, &draft), None)
    };
    // Of two schemas that it names, the one that comes closer says why, in whichever order they stand.
    for places in [[0, 1], [1, 0]] {
        let mut world = world();
        let scope = world.scope(&["UniversityDegree", "EqfLevel6"], &["LUX"]);
        world.accredit("university", START, &[scope]);
        let mut credential = world.diploma(Format::Vcdm2);
        credential.schemas = places.map(|place| [world.schema, SchemaId::from_bytes([5; 32])][place]).into();
        let receipt = world.anchor(&credential, ISSUED);
        let report = world.verify(&credential, Some(&receipt));
        assert_eq!(report.steps[3].reason, Reason::AccreditationLevel, "{places:?}");
    }
    use Reason::*;
    vec![
        ("everywhere", Valid, of(&["UniversityDegree", "EqfLevel7"], &[])),
        (
            "another schema",
            AccreditationSchema,
            accredited(&|world| vec![world.scope_of(SchemaId::from_bytes([5; 32]), &["UniversityDegree"], &[])]),
        ),
        ("another kind", AccreditationType, of(&["MicroCredential", "EqfLevel7"], &["LUX"])),
        ("nothing in particular", AccreditationType, of(&[], &["LUX"])),
        ("another level", AccreditationLevel, of(&["UniversityDegree", "EqfLevel6"], &["LUX"])),
        ("no level", AccreditationLevel, of(&["UniversityDegree"], &["LUX"])),
        ("another country", AccreditationJurisdiction, of(&["UniversityDegree", "EqfLevel7"], &["BEL"])),
        (
            "short courses up to level 7 and degrees of level 6",
            AccreditationLevel,
            accredited(&|world| {
                vec![
                    world.scope(&["MicroCredential", "EqfLevel7"], &["LUX"]),
                    world.scope(&["UniversityDegree", "EqfLevel6"], &["LUX"]),
                ]
            }),
        ),
        (
            "a level that no type stands for",
            AccreditationLevel,
            drafted(&|draft| draft.types = vec!["UniversityDegree".into()]),
        ),
        (
            "a level in the type alone",
            AccreditationLevel,
            drafted(&|draft| {
                draft.subject.remove("eqfLevel");
            }),
        ),
        (
            "two levels",
            AccreditationLevel,
            drafted(&|draft| draft.types = vec!["UniversityDegree".into(), "EqfLevel6".into(), "EqfLevel7".into()]),
        ),
        (
            "one level said, another meant",
            AccreditationLevel,
            drafted(&|draft| draft.types = vec!["UniversityDegree".into(), "EqfLevel6".into()]),
        ),
    ]
}
