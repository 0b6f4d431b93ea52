//! One step of the archive: everything in it, or nothing. And the only place where places are spelled.

use std::sync::Arc;

use serde::Serialize;
use testamur_primitives::codec;
use testamur_primitives::commitment::{DocumentDigest, Opening};
use testamur_primitives::hash::RecordId;
use testamur_primitives::receipt::ReceiptStencil;
use testamur_primitives::record::Reference;
use testamur_primitives::units::UnixTime;

use super::{Delivery, InFlight, Shared, State, StoreError, Submission, SubmissionId, Used, entries, to_json};

pub(super) fn submission_place(id: SubmissionId) -> Vec<u8> {
    [b"s", &id.as_bytes()[..]].concat()
}

pub(super) fn digests_place(id: SubmissionId) -> Vec<u8> {
    [b"h", &id.as_bytes()[..]].concat()
}

pub(super) fn opening_place(id: SubmissionId, place: u32) -> Vec<u8> {
    [b"o", &id.as_bytes()[..], &place.to_be_bytes()].concat()
}

fn queue_place(number: u64) -> Vec<u8> {
    [b"q", &number.to_be_bytes()[..]].concat()
}

pub(super) fn record_place(kind: u8, record: RecordId) -> Vec<u8> {
    [&[kind], &record.as_bytes()[..]].concat()
}

pub(super) fn used_place(place: &[u8; 32]) -> Vec<u8> {
    [b"i", &place[..]].concat()
}

pub(super) fn delivery_place(id: SubmissionId) -> Vec<u8> {
    [b"w", &id.as_bytes()[..]].concat()
}

/// Deliveries in the order in which they are due.
pub(super) fn due_place(due: UnixTime, id: SubmissionId) -> Vec<u8> {
    [b"d", &due.0.to_be_bytes()[..], id.as_bytes()].concat()
}

/// Where the list of a caller's submissions begins, or of those of one name. Neither name can be read from it.
pub(super) fn list_prefix(shared: &Shared, caller: &Reference, reference: Option<&Reference>) -> Vec<u8> {
    let name = match reference {
        None => shared.keys.name("caller", &[caller.as_str()]),
        Some(reference) => shared.keys.name("reference", &[caller.as_str(), reference.as_str()]),
    };
    [b"l", &name[..16]].concat()
}

/// By how much a step changes the queue, in documents.
#[derive(Debug, Default, Clone, Copy)]
pub(super) struct QueueChange {
    pub(super) joined: u64,
    pub(super) left: u64,
}

/// Values sealed for their places, as the writer takes them.
#[derive(Debug, Default)]
pub(super) struct Sealed {
    /// Places that must be empty before.
    pub(super) new: Vec<Vec<u8>>,
    pub(super) puts: Vec<(Vec<u8>, Vec<u8>)>,
    pub(super) drops: Vec<Vec<u8>>,
}

/// A step that is being put together. Values are sealed here, by whoever makes the step, and not by the one writer.
pub struct Step {
    shared: Arc<Shared>,
    sealed: Result<Sealed, StoreError>,
    pub(super) queue: QueueChange,
}

impl core::fmt::Debug for Step {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("Step(…)")
    }
}

impl Step {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared), sealed: Ok(Sealed::default()), queue: QueueChange::default() }
    }

    pub(super) fn finish(self) -> Result<Sealed, StoreError> {
        self.sealed
    }

    /// Where a submission is listed.
    fn list_places(&self, submission: &Submission) -> Vec<Vec<u8>> {
        let Submission { id, caller, reference, .. } = submission;
        let place = |reference| [&list_prefix(&self.shared, caller, reference)[..], id.as_bytes()].concat();
        let named = reference.as_ref().map(|reference| place(Some(reference)));
        core::iter::once(place(None)).chain(named).collect()
    }

    /// Begins a submission, and uses its idempotency key up: the step is refused when that was used before.
    pub fn begin(&mut self, submission: &Submission, fingerprint: Option<&str>) {
        self.new_place(submission_place(submission.id));
        if let (Some(place), Some(fingerprint)) = (&submission.repeatable, fingerprint) {
            self.new_place(used_place(place));
            self.put_json(used_place(place), &Used { id: submission.id, fingerprint: fingerprint.to_owned() });
        }
        for place in self.list_places(submission) {
            self.put_bytes(place, b"");
        }
        self.put(submission);
    }

    /// Writes where a submission stands.
    pub fn put(&mut self, submission: &Submission) {
        self.put_json(submission_place(submission.id), submission);
    }

    /// Puts a submission into the queue. Its state must be [`State::Queued`].
    pub fn enqueue(&mut self, submission: &Submission, digests: &[DocumentDigest]) {
        let State::Queued { number } = submission.state else {
            unreachable!("only what is queued is put into the queue")
        };
        self.put_bytes(digests_place(submission.id), &entries::pack(digests));
        self.put_json(queue_place(number), &submission.id);
        self.queue.joined += u64::from(submission.count);
    }

    /// Takes a submission out of the queue; its digests are in its openings from now on.
    pub fn dequeue(&mut self, submission: &Submission, number: u64) {
        self.drop_place(queue_place(number));
        self.drop_place(digests_place(submission.id));
        self.queue.left += u64::from(submission.count);
    }

    /// Keeps the opening of a document.
    pub fn put_opening(&mut self, id: SubmissionId, place: u32, opening: &Opening) {
        // As receipts have it: a receipt is cut without reading what it is put into.
        self.put_bytes(opening_place(id, place), &codec::canonical(opening));
    }

    /// Keeps a signed record (INV-KEPT-2).
    pub fn put_in_flight(&mut self, record: RecordId, in_flight: &InFlight) {
        self.put_json(record_place(b'r', record), in_flight);
    }

    /// A record is not on its way any more.
    pub fn drop_in_flight(&mut self, record: RecordId) {
        self.drop_place(record_place(b'r', record));
    }

    /// Keeps the ledger's part of a record's receipts.
    pub fn put_ledger_part(&mut self, record: RecordId, part: &ReceiptStencil) {
        self.put_bytes(record_place(b'b', record), &part.to_bytes());
    }

    /// Lets go of all openings of a submission: with its salts goes what could show which documents it had.
    pub fn drop_openings(&mut self, submission: &Submission) {
        (0..submission.count).for_each(|place| self.drop_place(opening_place(submission.id, place)));
    }

    /// Lets go of a submission as if it had never come.
    pub fn forget(&mut self, submission: &Submission) {
        self.drop_openings(submission);
        self.drop_place(submission_place(submission.id));
        self.drop_place(delivery_place(submission.id));
        for place in self.list_places(submission) {
            self.drop_place(place);
        }
        if let Some(place) = &submission.repeatable {
            self.drop_place(used_place(place));
        }
    }

    /// Keeps a message until it is delivered. Where it stood in the order before is found out when its turn comes.
    pub fn put_delivery(&mut self, delivery: &Delivery) {
        self.put_json(delivery_place(delivery.id), delivery);
        self.put_bytes(due_place(delivery.due, delivery.id), b"");
    }

    /// A turn that is over.
    pub(crate) fn drop_due(&mut self, due: UnixTime, id: SubmissionId) {
        self.drop_place(due_place(due, id));
    }

    /// A message was delivered, or never will be.
    pub fn drop_delivery(&mut self, id: SubmissionId) {
        self.drop_place(delivery_place(id));
    }

    fn put_json<T: Serialize>(&mut self, place: Vec<u8>, value: &T) {
        self.put_bytes(place, &to_json(value));
    }

    fn put_bytes(&mut self, place: Vec<u8>, value: &[u8]) {
        let Ok(sealed) = &mut self.sealed else { return };
        match self.shared.seal(&place, value) {
            Ok(value) => sealed.puts.push((place, value)),
            Err(error) => self.sealed = Err(error),
        }
    }

    fn new_place(&mut self, place: Vec<u8>) {
        if let Ok(sealed) = &mut self.sealed {
            sealed.new.push(place);
        }
    }

    fn drop_place(&mut self, place: Vec<u8>) {
        if let Ok(sealed) = &mut self.sealed {
            sealed.drops.push(place);
        }
    }
}
