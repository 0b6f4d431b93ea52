//! The rules once more, as plainly as possible, over numbers and lists.

use std::collections::{BTreeMap, BTreeSet};

use testamur_primitives::issuers::IssuerType;

use super::steps::{Edit, Use};
use crate::support::START;

#[derive(Debug, Clone)]
pub(crate) struct ModelKey {
    pub(crate) uses: Vec<(Use, u64, Option<u64>)>,
    pub(crate) revoked: Option<u64>,
    pub(crate) compromised: Option<u64>,
}

impl ModelKey {
    pub(crate) fn check(&self, any_of: &[Use], time: u64) -> Result<(), &'static str> {
        if self.compromised.is_some_and(|from| from <= time) {
            return Err("compromised");
        }
        let mut granted = false;
        let mut to_come = false;
        for &(r#use, from, until) in &self.uses {
            if any_of.contains(&r#use) {
                granted = true;
                to_come |= from > time;
                if from <= time && until.is_none_or(|end| end > time) {
                    return Ok(());
                }
            }
        }
        match (self.revoked, granted, to_come) {
            (Some(revoked), _, _) if revoked <= time => Err("revoked"),
            (_, false, _) => Err("not-granted"),
            (_, _, true) => Err("not-yet-valid"),
            _ => Err("expired"),
        }
    }

    pub(crate) fn end(&mut self, time: u64) {
        for (_, from, until) in &mut self.uses {
            let end = until.unwrap_or(u64::MAX).min(time);
            *until = Some(end.max(*from));
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        self.revoked.is_none() && self.compromised.is_none()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct ModelDocument {
    pub(crate) controllers: BTreeSet<u32>,
    pub(crate) keys: BTreeMap<u32, ModelKey>,
    pub(crate) closed: bool,
}

#[derive(Debug, Clone)]
pub(crate) struct ModelCredential {
    pub(crate) by: u32,
    pub(crate) until: Option<u64>,
    /// Bits of the types; 0 for everything.
    pub(crate) types: u8,
    pub(crate) filled: u64,
}

#[derive(Debug, Clone)]
pub(crate) struct ModelPlace {
    pub(crate) subject: u32,
    pub(crate) accreditor: u32,
    pub(crate) parent: Option<usize>,
    pub(crate) issuer_type: IssuerType,
    pub(crate) reserved: u64,
    pub(crate) credential: Option<ModelCredential>,
    pub(crate) ended: Option<u64>,
}

/// The rules once more, as plainly as possible. Histories are lists of everything that ever was.
#[derive(Default)]
pub(crate) struct Model {
    pub(crate) now: u64,
    pub(crate) admissions: BTreeMap<u32, u32>,
    pub(crate) documents: BTreeMap<u32, Vec<(u64, ModelDocument)>>,
    pub(crate) rights: BTreeMap<u32, bool>,
    pub(crate) places: BTreeMap<usize, Vec<(u64, ModelPlace)>>,
}

pub(crate) type Verdict = Result<(), &'static str>;

impl Model {
    pub(crate) fn document(&self, who: u32) -> Option<&ModelDocument> {
        self.documents.get(&who).and_then(|history| history.last()).map(|(_, document)| document)
    }

    pub(crate) fn active(&self, who: u32) -> Result<&ModelDocument, &'static str> {
        let document = self.document(who).ok_or("did.not-registered")?;
        if document.closed { Err("did.deactivated") } else { Ok(document) }
    }

    pub(crate) fn place(&self, place: usize) -> Option<&ModelPlace> {
        self.places.get(&place).and_then(|history| history.last()).map(|(_, place)| place)
    }

    pub(crate) fn signs(&self, who: u32, signer: u32, any_of: &[Use]) -> Verdict {
        let found = self.active(who)?.keys.get(&signer).ok_or("did.unknown-key")?;
        found.check(any_of, self.now).map_err(refused)
    }

    pub(crate) fn can_act(&self, document: &ModelDocument) -> bool {
        let lasts = |key: &ModelKey| {
            key.is_open()
                && key
                    .uses
                    .iter()
                    .any(|&(r#use, from, until)| r#use == 0 && until.is_none_or(|end| end > from && end > self.now))
        };
        !document.closed && document.keys.values().any(lasts)
    }

    pub(crate) fn not_locked_out(&self, who: u32, document: &ModelDocument) -> Verdict {
        let someone = document.controllers.iter().any(|&controller| {
            if controller == who {
                self.can_act(document)
            } else {
                self.document(controller).is_some_and(|other| self.can_act(other))
            }
        });
        if document.closed || someone { Ok(()) } else { Err("did.locked-out") }
    }

    pub(crate) fn insert(
        &mut self,
        who: u32,
        keys: &BTreeSet<u32>,
        signer: u32,
        controllers: &BTreeSet<u32>,
    ) -> Verdict {
        if self.document(who).is_some() {
            return Err("did.already-registered");
        }
        if !keys.contains(&signer) {
            return Err("did.unknown-key");
        }
        match self.admissions.get(&who) {
            None => return Err("did.not-authorised"),
            Some(admitted) if *admitted != signer => return Err("did.other-key"),
            Some(_) => {}
        }
        for &controller in controllers.iter().filter(|c| **c != who) {
            self.active(controller)?;
        }
        let fresh = ModelKey { uses: vec![(0, START, None), (1, START, None)], revoked: None, compromised: None };
        let document = ModelDocument {
            controllers: if controllers.is_empty() { [who].into() } else { controllers.clone() },
            keys: keys.iter().map(|key| (*key, fresh.clone())).collect(),
            closed: false,
        };
        self.not_locked_out(who, &document)?;
        self.documents.entry(who).or_default().push((self.now, document));
        Ok(())
    }

    pub(crate) fn update(&mut self, author: u32, signer: u32, target: u32, stale: bool, edits: &[Edit]) -> Verdict {
        self.signs(author, signer, &[0])?;
        let old = self.active(target)?;
        if !old.controllers.contains(&author) {
            return Err("did.not-a-controller");
        }
        if stale {
            return Err("did.stale");
        }
        let mut new = old.clone();
        for edit in edits {
            if new.closed || !self.edit(&mut new, edit) {
                return Err("did.change");
            }
        }
        for &controller in new.controllers.difference(&old.controllers).filter(|c| **c != target) {
            self.active(controller)?;
        }
        self.not_locked_out(target, &new)?;
        self.documents.get_mut(&target).expect("registered").push((self.now, new));
        Ok(())
    }

    /// Whether the edit applies.
    pub(crate) fn edit(&self, document: &mut ModelDocument, edit: &Edit) -> bool {
        let now = self.now;
        match edit {
            Edit::AddController(who) => document.controllers.insert(*who),
            Edit::RevokeController(who) => document.controllers.remove(who),
            Edit::AddMethod { key, uses, from, life } => {
                let window = |r#use: &Use| (*r#use, now + from, life.map(|life| now + from + life));
                let new = ModelKey { uses: uses.iter().map(window).collect(), revoked: None, compromised: None };
                !document.keys.contains_key(key) && document.keys.insert(*key, new).is_none()
            }
            Edit::AddRelationship { key, r#use, from, life } => match document.keys.get_mut(key) {
                Some(key) if key.is_open() => {
                    key.uses.push((*r#use, now + from, life.map(|life| now + from + life)));
                    true
                }
                _ => false,
            },
            Edit::Revoke(key) => match document.keys.get_mut(key) {
                Some(key) if key.revoked.is_none_or(|at| at > now) => {
                    key.end(now);
                    key.revoked = Some(now);
                    true
                }
                _ => false,
            },
            Edit::Expire { key, after } => match document.keys.get_mut(key) {
                Some(key) if key.is_open() && *after > 0 => {
                    let later = key.uses.iter().any(|(_, _, until)| until.is_none_or(|end| end > now + after));
                    key.end(now + after);
                    later
                }
                _ => false,
            },
            Edit::Roll { old, new, from, grace } => {
                let Some(key) = document.keys.get_mut(old).filter(|key| key.is_open()) else { return false };
                let live: BTreeSet<Use> =
                    key.uses.iter().filter(|(_, _, end)| end.is_none_or(|end| end > now)).map(|u| u.0).collect();
                key.end(now + grace);
                key.revoked = Some(now + grace);
                let uses = live.iter().map(|r#use| (*r#use, now + from, None)).collect();
                let fresh = ModelKey { uses, revoked: None, compromised: None };
                !live.is_empty() && !document.keys.contains_key(new) && document.keys.insert(*new, fresh).is_none()
            }
            Edit::Compromise { key, ago } => match document.keys.get_mut(key) {
                Some(key) if key.compromised.is_none_or(|declared| declared > now - ago) => {
                    key.compromised = Some(now - ago);
                    if key.revoked.is_none_or(|at| at > now) {
                        key.end(now);
                        key.revoked = Some(now);
                    }
                    true
                }
                _ => false,
            },
            Edit::Deactivate => {
                document.closed = true;
                for key in document.keys.values_mut().filter(|key| key.revoked.is_none_or(|at| at > now)) {
                    key.end(now);
                    key.revoked = Some(now);
                }
                true
            }
        }
    }

    pub(crate) fn notarise(&self, who: u32, signer: u32) -> Verdict {
        self.signs(who, signer, &[0, 1])?;
        if self.rights.get(&who) == Some(&false) { Err("notary.writer-revoked") } else { Ok(()) }
    }

    pub(crate) fn new_place(&self, place: usize, subject: u32) -> Verdict {
        if self.place(place).is_some() {
            return Err("issuer.attribute-taken");
        }
        match self.document(subject) {
            Some(document) if document.closed => Err("did.deactivated"),
            _ => Ok(()),
        }
    }

    /// The right of an accreditor over a subject, by its place.
    pub(crate) fn above(&self, author: u32, subject: u32, issuer_type: IssuerType, parent: Option<usize>) -> Verdict {
        if subject == author {
            return Err("issuer.self-accreditation");
        }
        if parent.and_then(|id| self.place(id)).is_some_and(|parent| parent.subject != author) {
            return Err("issuer.not-the-accreditor");
        }
        self.parent(subject, issuer_type, parent).map(|_| ())
    }

    pub(crate) fn parent(
        &self,
        subject: u32,
        issuer_type: IssuerType,
        parent: Option<usize>,
    ) -> Result<ModelPlace, &'static str> {
        let id = parent.ok_or("issuer.parent")?;
        let chain = self.chain(id, self.now).map_err(|_| "issuer.parent")?;
        let accreditor = self.place(id).expect("it has a chain");
        if accreditor.issuer_type == IssuerType::Ti || issuer_type == IssuerType::RootTao {
            return Err("issuer.type");
        }
        if chain.iter().any(|id| self.place(*id).expect("a link").subject == subject) {
            return Err("issuer.circle");
        }
        if chain.len() == 5 { Err("issuer.too-deep") } else { Ok(accreditor.clone()) }
    }

    pub(crate) fn fill(
        &mut self,
        author: u32,
        place: usize,
        offered: ModelCredential,
        forged: bool,
        stale: bool,
    ) -> Verdict {
        let ModelCredential { by, until, mut types, .. } = offered;
        let found = self.place(place).ok_or("issuer.unknown-attribute")?.clone();
        if found.ended.is_some() {
            return Err("issuer.ended");
        }
        if found.subject != author {
            return Err("issuer.not-the-subject");
        }
        if stale {
            return Err("issuer.stale");
        }
        let signer = self.active(found.accreditor)?.keys.get(&by).ok_or("issuer.credential-key")?;
        signer.check(&[1], self.now).map_err(|_| "issuer.credential-key")?;
        if forged {
            return Err("issuer.signature");
        }
        if until.is_some_and(|end| end <= self.now) {
            return Err("issuer.dates");
        }
        if found.issuer_type == IssuerType::RootTao {
            types = 0;
        } else {
            let above = self.parent(found.subject, found.issuer_type, found.parent)?;
            let above = above.credential.expect("its chain holds");
            if above.until.is_some_and(|end| until.is_none_or(|own| own > end)) {
                return Err("issuer.dates");
            }
            if !covers(above.types, types) {
                return Err("issuer.scope-type");
            }
        }
        let credential = Some(ModelCredential { by, until, types, filled: self.now });
        self.places.get_mut(&place).expect("there").push((self.now, ModelPlace { credential, ..found }));
        Ok(())
    }

    pub(crate) fn end(&mut self, place: usize, at: u64, may_be_past: bool) -> Verdict {
        let found = self.place(place).expect("looked up").clone();
        if found.ended.is_some_and(|ended| ended <= self.now || ended <= at) {
            return Err("issuer.ended");
        }
        if at < self.now && (!may_be_past || at < found.reserved) {
            return Err("issuer.end-date");
        }
        self.places.get_mut(&place).expect("there").push((self.now, ModelPlace { ended: Some(at), ..found }));
        Ok(())
    }

    /// The places from one up to its Root TAO's, as of a time.
    pub(crate) fn chain(&self, leaf: usize, at: u64) -> Result<Vec<usize>, &'static str> {
        let (mut links, mut subjects, mut next): (Vec<usize>, Vec<u32>, _) = (Vec::new(), Vec::new(), Some(leaf));
        let mut below: Option<(IssuerType, u8)> = None;
        loop {
            let newest = next.and_then(|id| self.place(id)).ok_or("chain.unknown-attribute")?;
            let id = next.expect("just found");
            if newest.ended.is_some_and(|ended| ended <= at) {
                return Err("chain.ended");
            }
            let then = self.places[&id].iter().rev().find(|(time, _)| *time <= at);
            let (_, entry) = then.ok_or("chain.not-in-place")?;
            let may =
                below.is_none_or(|(child, _)| entry.issuer_type != IssuerType::Ti && child != IssuerType::RootTao);
            if links.len() == 5 || subjects.contains(&entry.subject) || !may {
                return Err("chain.no-root");
            }
            let credential = entry.credential.as_ref().ok_or("chain.not-in-place")?;
            if credential.until.is_some_and(|end| end <= at) {
                return Err("chain.dates");
            }
            self.signed_well(entry.accreditor, credential)?;
            if below.is_some_and(|(_, types)| !covers(credential.types, types)) {
                return Err("chain.scope-type");
            }
            links.push(id);
            subjects.push(entry.subject);
            if entry.issuer_type == IssuerType::RootTao {
                return Ok(links);
            }
            below = Some((entry.issuer_type, credential.types));
            next = entry.parent;
        }
    }

    /// Whether the accreditor's key was good when the ledger took the credential, by all that is known now.
    pub(crate) fn signed_well(&self, accreditor: u32, credential: &ModelCredential) -> Verdict {
        let history = &self.documents[&accreditor];
        let (_, then) = history.iter().rev().find(|(time, _)| *time <= credential.filled).expect("registered then");
        let mut key = then.keys[&credential.by].clone();
        key.compromised = self.document(accreditor).expect("registered").keys[&credential.by].compromised;
        key.check(&[1], credential.filled).map_err(|reason| match reason {
            "compromised" => "chain.key-compromised",
            _ => "chain.key",
        })
    }
}

/// Whether types lie within those of an accreditor; 0 allows everything.
pub(crate) fn covers(own: u8, asked: u8) -> bool {
    own == 0 || asked & !own == 0
}

pub(crate) fn refused(reason: &'static str) -> &'static str {
    match reason {
        "compromised" => "did.key-compromised",
        "revoked" => "did.key-revoked",
        "not-granted" => "did.key-not-granted",
        "not-yet-valid" => "did.key-not-yet-valid",
        _ => "did.key-expired",
    }
}

impl Model {
    pub(crate) fn reserve(
        &mut self,
        place: usize,
        subject: u32,
        accreditor: u32,
        parent: Option<usize>,
        issuer_type: IssuerType,
    ) {
        let reserved = self.now;
        let new = ModelPlace { subject, accreditor, parent, issuer_type, reserved, credential: None, ended: None };
        self.places.insert(place, vec![(reserved, new)]);
    }

    pub(crate) fn rename(&mut self, author: u32, signer: u32, place: usize, stale: bool) -> Verdict {
        let found = self.place(place).cloned();
        if found.as_ref().is_some_and(|place| place.issuer_type == IssuerType::RootTao) {
            return Err("issuer.type");
        }
        self.signs(author, signer, &[0])?;
        let found = found.ok_or("issuer.unknown-attribute")?;
        if found.ended.is_some() {
            return Err("issuer.ended");
        }
        if found.accreditor != author {
            return Err("issuer.not-the-accreditor");
        }
        if stale {
            return Err("issuer.stale");
        }
        self.above(author, found.subject, found.issuer_type, found.parent)?;
        self.places.get_mut(&place).expect("there").push((self.now, found));
        Ok(())
    }
}
