//! DID documents and accreditations against a naive model: any sequence of acts by four legal persons and governance,
//! each answered with the same code by both; at the end the same documents and the same chains, at any time.

mod model;
mod steps;

use std::collections::BTreeSet;

use self::model::{Model, ModelCredential, ModelKey, Verdict};
use self::steps::{Edit, KEYS, PEOPLE, PLACES, Step, Use, prologue, step};
use crate::support::registry::*;
use crate::support::{START, key, notarise};
use proptest::prelude::*;
use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttributeId, RecordId};
use testamur_primitives::identity::changes::DidChange;
use testamur_primitives::identity::{self, Grant, Relationship};
use testamur_primitives::issuers::accreditation::CredentialKind;
use testamur_primitives::issuers::chain::trust_chain;
use testamur_primitives::issuers::{self, EndReason, IssuerType};
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::{Act, Change, RevocationReason};
use testamur_primitives::units::UnixTime;
use testamur_registry::Outcome;

/// The ledger and the model, side by side.
struct Pair {
    world: World,
    model: Model,
}

fn name(who: u32) -> &'static str {
    PEOPLE[who as usize]
}

fn person(who: u32) -> Did {
    ledger_did(name(who))
}

fn key_of(who: u32, number: u32) -> SigningKey {
    key(name(who), number)
}

fn fragment(who: u32, number: u32) -> String {
    jkt(&key_of(who, number))
}

impl Pair {
    /// Runs a step on both, and compares what they say.
    fn run(&mut self, step: &Step) -> Result<Verdict, TestCaseError> {
        let (found, expected) = match step {
            Step::Wait { seconds } => {
                self.model.now += seconds;
                (Ok(()), Ok(()))
            }
            Step::Admit { who, key } => {
                let found = self.govern(Change::AdmitDid { did: person(*who), jkt: fragment(*who, *key) });
                let expected = match (self.model.document(*who), self.model.admissions.get(who)) {
                    (Some(_), _) => Err("did.already-registered"),
                    (None, Some(admitted)) if admitted == key => Err("governance.already-admitted"),
                    _ => {
                        self.model.admissions.insert(*who, *key);
                        Ok(())
                    }
                };
                (found, expected)
            }
            Step::Insert { who, keys, signer, controllers } => {
                let act = Act::InsertDid {
                    methods: keys.iter().map(|number| usual(&key_of(*who, *number))).collect(),
                    controllers: controllers.iter().map(|c| person(*c)).collect(),
                    services: Vec::new(),
                    authorisation: None,
                };
                (self.sign(*who, *signer, act), self.model.insert(*who, keys, *signer, controllers))
            }
            Step::Update { author, signer, target, stale, edits } => {
                let known = identity::newest(&self.world.ledger.state, &person(*target)).expect("sound");
                let prev = known.filter(|_| !stale).map_or(nowhere(), |document| document.record);
                let changes = edits.iter().map(|edit| self.change(*target, edit)).collect();
                let act = Act::UpdateDid { did: person(*target), prev, changes };
                (self.sign(*author, *signer, act), self.model.update(*author, *signer, *target, *stale, edits))
            }
            Step::Notarise { who, signer } => {
                (self.sign(*who, *signer, notarise(1)), self.model.notarise(*who, *signer))
            }
            Step::TakeRight { who } => {
                let reason = RevocationReason::PrivilegeWithdrawn;
                let found = self.govern(Change::RevokeWriter { did: person(*who), reason });
                let held = match self.model.rights.get(who) {
                    Some(held) => *held,
                    None => self.model.active(*who).is_ok(),
                };
                let expected = if held { Ok(()) } else { Err("governance.not-a-writer") };
                if held {
                    self.model.rights.insert(*who, false);
                }
                (found, expected)
            }
            Step::GiveRight { who } => {
                let found = self.govern(Change::GrantWriter { did: person(*who) });
                let expected = match (self.model.active(*who), self.model.rights.get(who)) {
                    (Err(code), _) => Err(code),
                    (Ok(_), Some(false)) => Ok(()),
                    _ => Err("governance.already-a-writer"),
                };
                if expected.is_ok() {
                    self.model.rights.insert(*who, true);
                }
                (found, expected)
            }
            step => self.accreditation(step),
        };
        prop_assert_eq!(found, expected, "{:?} at {}", step, self.model.now);
        Ok(found)
    }

    fn accreditation(&mut self, step: &Step) -> (Verdict, Verdict) {
        let now = self.model.now;
        match step {
            Step::AccreditRoot { who, place } => {
                let change = Change::AccreditRoot {
                    did: person(*who),
                    jkt: fragment(*who, 0),
                    attribute: attribute_id(PLACES[*place]),
                    entity: entity(name(*who)),
                };
                let expected = self.model.new_place(*place, *who);
                if expected.is_ok() {
                    if self.model.document(*who).is_none() {
                        self.model.admissions.insert(*who, 0);
                    }
                    self.model.reserve(*place, *who, *who, None, IssuerType::RootTao);
                }
                (self.govern(change), expected)
            }
            Step::Reserve { author, signer, place, subject, tao, parent } => {
                let issuer_type = if *tao { IssuerType::Tao } else { IssuerType::Ti };
                let act =
                    self.world.reserve(PLACES[*place], &person(*subject), issuer_type, attribute_id(PLACES[*parent]));
                let expected = self
                    .model
                    .signs(*author, *signer, &[0])
                    .and_then(|()| self.model.new_place(*place, *subject))
                    .and_then(|()| self.model.above(*author, *subject, issuer_type, Some(*parent)));
                if expected.is_ok() {
                    self.model.reserve(*place, *subject, *author, Some(*parent), issuer_type);
                }
                (self.sign(*author, *signer, act), expected)
            }
            Step::Rename { other, signer, place, stale } => {
                let found = self.model.place(*place).cloned();
                let author = other.or(found.as_ref().map(|place| place.accreditor)).unwrap_or(0);
                let act = Act::ReserveAttribute {
                    attribute: attribute_id(PLACES[*place]),
                    subject: person(found.as_ref().map_or(1, |place| place.subject)),
                    issuer_type: found.as_ref().map_or(IssuerType::Ti, |place| place.issuer_type),
                    parent: self.parent_id(*place),
                    entity: entity("renamed"),
                    prev: Some(self.prev(*place, *stale)),
                };
                let expected = self.model.rename(author, *signer, *place, *stale);
                (self.sign(author, *signer, act), expected)
            }
            Step::Fill { other, signer, place, by, forged, life, types, stale } => {
                let found = self.model.place(*place).cloned();
                let author = other.or(found.as_ref().map(|place| place.subject)).unwrap_or(0);
                let accreditor = found.as_ref().map_or(0, |place| place.accreditor);
                let until = life.map(|life| START + 1 + life);
                let act = Act::FillAttribute {
                    attribute: attribute_id(PLACES[*place]),
                    prev: self.prev(*place, *stale),
                    credential: self.credential(*place, accreditor, *by, *forged, until, *types),
                };
                let offered = ModelCredential { by: *by, until, types: *types, filled: self.model.now };
                let expected = self
                    .model
                    .signs(author, *signer, &[0])
                    .and_then(|()| self.model.fill(author, *place, offered, *forged, *stale));
                (self.sign(author, *signer, act), expected)
            }
            Step::End { other, signer, place, fraud, at } => {
                let found = self.model.place(*place).cloned();
                let author = other.or(found.as_ref().map(|place| place.accreditor)).unwrap_or(0);
                let act = Act::EndAccreditation {
                    attribute: attribute_id(PLACES[*place]),
                    prev: self.prev(*place, false),
                    effective: UnixTime(START + at),
                    reason: if *fraud { EndReason::ObtainedByFraud } else { EndReason::Superseded },
                };
                let model = &mut self.model;
                let expected = model.signs(author, *signer, &[0]).and_then(|()| match found {
                    None => Err("issuer.unknown-attribute"),
                    Some(place) if place.issuer_type == IssuerType::RootTao => Err("issuer.type"),
                    Some(place) if place.accreditor != author => Err("issuer.not-the-accreditor"),
                    Some(_) => model.end(*place, START + at, *fraud),
                });
                (self.sign(author, *signer, act), expected)
            }
            Step::EndRoot { place, at } => {
                let change = Change::EndRoot {
                    attribute: attribute_id(PLACES[*place]),
                    effective: UnixTime(START + at),
                    reason: EndReason::CessationOfOperation,
                };
                let expected = match self.model.place(*place).map(|place| place.issuer_type) {
                    None => Err("issuer.unknown-attribute"),
                    Some(IssuerType::RootTao) => self.model.end(*place, START + at, false),
                    Some(_) => Err("issuer.type"),
                };
                (self.govern(change), expected)
            }
            _ => unreachable!("not about accreditations at {now}"),
        }
    }

    fn credential(
        &self,
        place: usize,
        accreditor: u32,
        by: u32,
        forged: bool,
        until: Option<u64>,
        types: u8,
    ) -> String {
        let found = self.model.place(place);
        let issuer_type = found.map_or(IssuerType::Ti, |place| place.issuer_type);
        let named: Vec<_> = [(1, "A"), (2, "B")].into_iter().filter(|(bit, _)| types & bit != 0).map(|t| t.1).collect();
        let credential = Credential {
            kind: CredentialKind::of_issuer(issuer_type),
            issuer: person(accreditor),
            subject: person(found.map_or(0, |place| place.subject)),
            attribute: Some(attribute_id(PLACES[place])),
            parent: Some(format!("https://x/{}", self.parent_id(place))),
            scopes: match issuer_type {
                IssuerType::RootTao => Vec::new(),
                _ => vec![accredited_for("degree", &named, &[])],
            },
            from: START,
            until,
            jkt: None,
        };
        let signer = if forged { key("forger", 0) } else { key_of(accreditor, by) };
        credential.sign_as(&signer, &fragment(accreditor, by))
    }

    fn parent_id(&self, place: usize) -> AttributeId {
        let parent = self.model.place(place).and_then(|place| place.parent);
        parent.map_or(AttributeId::ZERO, |id| attribute_id(PLACES[id]))
    }

    fn prev(&self, place: usize, stale: bool) -> RecordId {
        let entry = issuers::attribute(&self.world.ledger.state, attribute_id(PLACES[place])).expect("sound");
        entry.filter(|_| !stale).map_or(nowhere(), |entry| entry.record)
    }

    fn change(&self, target: u32, edit: &Edit) -> DidChange {
        let now = self.model.now;
        let of = |r#use: Use, from: u64, life: Option<u64>| -> Grant {
            window(USES[r#use], now + from, life.map(|life| now + from + life))
        };
        match edit {
            Edit::AddController(who) => DidChange::AddController { did: person(*who) },
            Edit::RevokeController(who) => DidChange::RevokeController { did: person(*who) },
            Edit::AddMethod { key, uses, from, life } => {
                let grants: Vec<_> = uses.iter().map(|r#use| of(*r#use, *from, *life)).collect();
                DidChange::AddMethod { method: method(&key_of(target, *key), &grants) }
            }
            Edit::AddRelationship { key, r#use, from, life } => {
                DidChange::AddRelationship { method: fragment(target, *key), grant: of(*r#use, *from, *life) }
            }
            Edit::Revoke(key) => DidChange::RevokeMethod { method: fragment(target, *key) },
            Edit::Expire { key, after } => {
                DidChange::ExpireMethod { method: fragment(target, *key), not_after: UnixTime(now + after) }
            }
            Edit::Roll { old, new, from, grace } => DidChange::RollMethod {
                old: fragment(target, *old),
                key: key_of(target, *new).public_key().to_jwk(),
                not_before: UnixTime(now + from),
                not_after: None,
                old_not_after: UnixTime(now + grace),
            },
            Edit::Compromise { key, ago } => {
                DidChange::DeclareCompromised { method: fragment(target, *key), from: UnixTime(now - ago) }
            }
            Edit::Deactivate => DidChange::Deactivate {},
        }
    }

    fn sign(&mut self, who: u32, signer: u32, act: Act) -> Verdict {
        self.world.by_key(&person(who), &key_of(who, signer), self.model.now, act).map(|_: Outcome| ())
    }

    fn govern(&mut self, change: Change) -> Verdict {
        self.world.govern(self.model.now, change).map(|_| ())
    }

    /// The same documents and the same chains, at every time at which anything happened, and now.
    fn compare(&self) -> Result<(), TestCaseError> {
        let (state, model) = (&self.world.ledger.state, &self.model);
        let documents = model.documents.values().flatten().map(|(time, _)| *time);
        let places = model.places.values().flatten().map(|(time, _)| *time);
        let times: BTreeSet<u64> =
            documents.chain(places).flat_map(|time| [time, time + 30]).chain([START - 1]).collect();
        for time in times {
            for (index, place) in PLACES.iter().enumerate() {
                let found = trust_chain(state, attribute_id(place), UnixTime(time)).expect("sound");
                let found = found.map(|chain| chain.links.len()).map_err(|refusal| refusal.code());
                prop_assert_eq!(found, model.chain(index, time).map(|links| links.len()), "{} at {}", place, time);
            }
            for who in 0..4 {
                let found = identity::as_of(state, &person(who), UnixTime(time)).expect("sound");
                let history = model.documents.get(&who).map(Vec::as_slice).unwrap_or_default();
                let then = history.iter().rev().find(|(at, _)| *at <= time).map(|(_, document)| document);
                prop_assert_eq!(found.is_some(), then.is_some());
                let (Some(found), Some(then)) = (found, then) else { continue };
                prop_assert_eq!(found.deactivated, then.closed);
                let controllers: BTreeSet<_> = found.controllers.iter().cloned().collect();
                prop_assert_eq!(controllers, then.controllers.iter().map(|c| person(*c)).collect());
                for number in 0..KEYS {
                    let usable =
                        |uses: &[Relationship]| found.usable_key(&fragment(who, number), uses, UnixTime(time)).is_ok();
                    let newest = model.document(who).expect("registered");
                    for (r#use, relationship) in USES.into_iter().enumerate() {
                        let expected = then.keys.get(&number).is_some_and(|key| {
                            let compromised = newest.keys[&number].compromised;
                            ModelKey { compromised, ..key.clone() }.check(&[r#use], time).is_ok()
                        });
                        prop_assert_eq!(usable(&[relationship]), expected, "key {} of {} at {}", number, who, time);
                    }
                }
            }
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_registries_do_what_the_model_says(steps in prop::collection::vec(step(), 20..90)) {
        let mut pair = Pair { world: World::new(), model: Model { now: START, ..Model::default() } };
        for step in prologue() {
            prop_assert_eq!(pair.run(&step)?, Ok(()), "the prologue applies");
        }
        for step in &steps {
            pair.run(step)?.ok();
        }
        pair.compare()?;
    }
}
