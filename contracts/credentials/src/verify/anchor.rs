//! Step 6: witnessed by the ledger, as its receipt shows; and the moment of issuance, which that is.
//!
//! A receipt counts as anchor only when the issuer itself made the record: anybody may notarise anything.

use std::sync::Arc;

use serde_json::{Value, json};
use testamur_primitives::codec::sha256;
use testamur_primitives::commitment::{DigestAlgorithm, DocumentDigest};
use testamur_primitives::receipt::{self, Facts, Receipt, ReceiptError, Verdict};
use testamur_primitives::record::{Bytes, Record};
use testamur_primitives::units::UnixTime;

use super::{Found, Reason, Verifier};
use crate::credential::Credential;

/// What the step found.
pub(super) struct Anchor {
    pub(super) found: Found,
    /// The block time of a receipt that holds and is the issuer's, of this credential.
    pub(super) issued: Option<UnixTime>,
}

/// What a receipt says without its opening: the same for all credentials of a batch.
#[derive(Debug)]
pub(super) struct Anchored {
    /// The receipt without opening and digest.
    ledger_part: Receipt,
    /// The clock it was verified at.
    clock: UnixTime,
    verdict: Verdict,
    record: Option<Record>,
    evidence: Arc<Value>,
}

impl Verifier {
    pub(super) fn anchor(
        &self,
        credential: &Credential,
        receipt: Option<Result<&Receipt, &ReceiptError>>,
        clock: UnixTime,
        at: Option<UnixTime>,
    ) -> Anchor {
        let not = |reason, evidence| Anchor { found: (reason, evidence), issued: None };
        let Some(receipt) = receipt else { return not(Reason::AnchorNone, Arc::new(Value::Null)) };
        let refused = |error: &ReceiptError| {
            let evidence = Arc::new(json!({ "error": error.code(), "detail": error.to_string() }));
            let reason = match error {
                ReceiptError::UnknownNetwork(_) => Reason::AnchorOtherNetwork,
                ReceiptError::Document(_) | ReceiptError::NotANotarisation => Reason::AnchorOtherDocument,
                error if error.is_cannot_tell() => Reason::AnchorIncomplete,
                _ => Reason::AnchorInvalid,
            };
            not(reason, evidence)
        };
        let receipt = match receipt {
            Ok(receipt) => receipt,
            Err(error) => return refused(error),
        };
        let anchored = self.anchored(receipt, clock);
        let (facts, in_office) = match &anchored.verdict {
            Verdict::Confirmed(facts) => (facts, true),
            Verdict::OutOfOffice(facts) => (facts, false),
            Verdict::NotValid(error) | Verdict::CannotTell(error) => return refused(error),
        };
        let digest = DocumentDigest::new(DigestAlgorithm::Sha2_256, credential.digest().to_vec());
        let digest = digest.expect("SHA-256 has 32 bytes");
        let record = anchored.record.as_ref().expect("a receipt that holds has a record that was read");
        if let Err(error) = receipt::check_opening(receipt.opening.as_ref(), record.act(), Some(&digest)) {
            return refused(&error);
        }
        let evidence = Arc::clone(&anchored.evidence);
        if facts.author != credential.issuer {
            return not(Reason::AnchorOtherAuthor, evidence);
        }
        let reason = match in_office {
            _ if at.is_some_and(|at| at < facts.time) => Reason::AnchorAfter,
            false => Reason::AnchorUnconfirmed,
            true => Reason::AnchorOk,
        };
        Anchor { found: (reason, evidence), issued: Some(facts.time) }
    }

    /// As [`receipt::verify`] of everything but the opening, remembered.
    fn anchored(&self, receipt: &Receipt, clock: UnixTime) -> Arc<Anchored> {
        let place = sha256(&[receipt.record.as_bytes(), receipt.header.as_bytes()]);
        let found = self.memory.receipts.get(&place);
        if let Some(found) = found.filter(|found| found.clock == clock && same_ledger_part(&found.ledger_part, receipt))
        {
            return found;
        }
        let ledger_part = Receipt { opening: None, digest: Bytes(Vec::new()), ..receipt.clone() };
        let verdict = receipt::verify(&ledger_part, None, &self.trust, clock);
        let evidence = match &verdict {
            Verdict::Confirmed(facts) | Verdict::OutOfOffice(facts) => evidence(facts),
            Verdict::NotValid(_) | Verdict::CannotTell(_) => Value::Null,
        };
        let record = Record::parse(receipt.record.as_bytes()).ok();
        let anchored = Arc::new(Anchored { ledger_part, clock, verdict, record, evidence: Arc::new(evidence) });
        // Its own text, the record read, and what was made of it for the report.
        let weight = 3 * serde_json::to_vec(&anchored.ledger_part).map_or(usize::MAX / 4, |text| text.len());
        self.memory.receipts.put(place, Arc::clone(&anchored), weight);
        anchored
    }
}

/// Whether two receipts are the same but for their openings, and the digest that covers these (INV-VERIFY-2).
fn same_ledger_part(one: &Receipt, other: &Receipt) -> bool {
    let Receipt {
        v,
        r#type,
        network,
        record,
        index,
        path,
        header,
        note,
        validators,
        epochs,
        author,
        opening: _,
        anchors,
        algorithms,
        digest: _,
    } = one;
    *v == other.v
        && *r#type == other.r#type
        && *network == other.network
        && *record == other.record
        && *index == other.index
        && *path == other.path
        && *header == other.header
        && *note == other.note
        && *validators == other.validators
        && *epochs == other.epochs
        && *author == other.author
        && *anchors == other.anchors
        && *algorithms == other.algorithms
}

fn evidence(facts: &Facts) -> Value {
    json!({
        "time": facts.time,
        "height": facts.height,
        "index": facts.index,
        "record": facts.record,
        "author": facts.author,
        "origin": facts.origin,
        "witnesses": facts.witnesses,
        "validators": facts.validators,
        "in_office_until": facts.in_office_until,
        "anchored_at": facts.anchored_at,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// INV-VERIFY-2: what is remembered of a receipt answers for another only if all of it but the opening is the same.
    #[test]
    fn receipts_differ_in_any_member_of_their_ledger_part() {
        let of = |name: &str| {
            let path = format!("{}/../../tests/vectors/receipts/{name}", env!("CARGO_MANIFEST_DIR"));
            Receipt::decode(&std::fs::read(path).unwrap()).unwrap()
        };
        let receipt = of("batch.json");
        assert!(receipt.opening.is_some());
        let opened = Receipt { opening: None, digest: Bytes(vec![7; 32]), ..receipt.clone() };
        assert!(same_ledger_part(&receipt, &receipt) && same_ledger_part(&receipt, &opened));
        let more = of("two-epochs.json");
        assert!(!more.epochs.is_empty() && more.validators != receipt.validators && more.author != receipt.author);
        let changes: [&dyn Fn(&mut Receipt); 13] = [
            &|r| r.v += 1,
            &|r| r.r#type.push('x'),
            &|r| r.network.origin.push('x'),
            &|r| r.record.push('x'),
            &|r| r.index.0 += 1,
            &|r| r.path.truncate(1),
            &|r| r.header.push('x'),
            &|r| r.note.push('x'),
            &|r| r.validators = more.validators.clone(),
            &|r| r.epochs = more.epochs.clone(),
            &|r| r.author = more.author.clone(),
            &|r| r.anchors.push(Value::Null),
            &|r| r.algorithms.tree.push('x'),
        ];
        for (number, change) in changes.into_iter().enumerate() {
            let mut other = receipt.clone();
            change(&mut other);
            assert!(!same_ledger_part(&receipt, &other), "change {number}");
            assert!(!same_ledger_part(&other, &receipt), "change {number}");
        }
    }
}
