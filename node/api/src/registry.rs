//! Reads of the registries: from one snapshot, as of a time, and with what proves them when a client asks for it.
//!
//! The functions that read are the primitives' own. Here they run over the node's state; a client runs the same ones
//! over the evidence that it gets and comes to the same answer, or knows that it was lied to (INV-EVIDENCE-1).

use testamur_primitives::codec::from_decimal;
use testamur_primitives::did::Did;
use testamur_primitives::issuers::accreditation::instant;
use testamur_primitives::limits::{EVIDENCE_KEYS_MAX, JSON_INTEGER_MAX};
use testamur_primitives::state::evidence::{Evidence, Recorder};
use testamur_primitives::state::{StateError, StateKey, StateReader};
use testamur_primitives::units::UnixTime;

use crate::app::Api;
use crate::ledger::{ReadError, ReadResult, Registry};
use crate::limits::{FILTERED_OBJECTS_MAX, PAGE_ITEMS_MAX};
use crate::problem::{self, Problem};

/// Why a read of the registries gives no answer.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The ledger could not be read.
    Read(ReadError),
    /// The question is wrong, or there is nothing.
    Problem(Problem),
}

impl From<ReadError> for Refusal {
    fn from(error: ReadError) -> Self {
        Self::Read(error)
    }
}

impl From<StateError<ReadError>> for Refusal {
    fn from(error: StateError<ReadError>) -> Self {
        Self::Read(match error {
            StateError::Store(error) => error,
            damaged @ StateError::Damaged { .. } => ReadError::Fatal(damaged.to_string()),
        })
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Self::Problem(problem)
    }
}

/// The state of a snapshot.
pub(crate) struct Snapshot<'r>(pub(crate) &'r dyn Registry);

impl StateReader for Snapshot<'_> {
    type Error = ReadError;
    const SEALED: bool = true;

    fn get(&self, key: &StateKey) -> ReadResult<Option<Vec<u8>>> {
        self.0.get(key)
    }
}

/// The state of a snapshot while it remembers what is asked of it.
pub(crate) type Recorded<'s, 'r> = Recorder<'s, Snapshot<'r>>;

impl Api {
    /// Reads the registries on a blocking thread.
    pub(crate) async fn registry<T: Send + 'static>(
        &self,
        read: impl FnOnce(&dyn Registry) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Problem> {
        let result = self.read(move |reader| {
            let Some(registry) = reader.registry()? else { return Ok(None) };
            match read(registry.as_ref()) {
                Ok(value) => Ok(Some(Ok(value))),
                Err(Refusal::Problem(problem)) => Ok(Some(Err(problem))),
                Err(Refusal::Read(error)) => Err(error),
            }
        });
        result.await?.unwrap_or_else(|| {
            let detail = "the network's first block is still to come, and before it nothing can be proven";
            Err(Problem::new(&problem::NOT_READY, detail))
        })
    }
}

/// Does a read, and proves every key that it asked for if that is wanted.
pub(crate) fn prove<T>(
    registry: &dyn Registry,
    wanted: bool,
    read: impl FnOnce(&Recorded<'_, '_>) -> Result<T, Refusal>,
) -> Result<(T, Option<Evidence>), Refusal> {
    let snapshot = Snapshot(registry);
    let recorder = Recorder::new(&snapshot);
    let value = read(&recorder)?;
    if !wanted {
        return Ok((value, None));
    }
    let keys = recorder.into_keys();
    if keys.len() > EVIDENCE_KEYS_MAX {
        let detail = format!(
            "proof: the answer rests on {} state keys, and one proof holds {EVIDENCE_KEYS_MAX}: ask for its parts",
            keys.len()
        );
        return Err(Problem::new(&problem::QUERY, detail).into());
    }
    Ok((value, Some(registry.evidence(&keys)?)))
}

/// Reads an instant: RFC 3339, or POSIX seconds.
pub(crate) fn parse_time(text: &str) -> Option<UnixTime> {
    if let Ok(seconds) = from_decimal(text) {
        return (seconds <= JSON_INTEGER_MAX).then_some(UnixTime(seconds));
    }
    // An offset's plus sign is a space in a query that was not escaped.
    instant(&text.replace(' ', "+")).ok()
}

/// The time that a question is about, as its query says.
pub(crate) fn asked_time(at: Option<&str>) -> Result<Option<UnixTime>, Problem> {
    let malformed = || {
        let detail = "at: write a time as 2026-01-31T12:00:00Z or as POSIX seconds, or leave it out to ask about now";
        Problem::new(&problem::QUERY, detail)
    };
    at.map(|text| parse_time(text).ok_or_else(malformed)).transpose()
}

/// That time, or the newest block's. What will hold later is not decided yet, and what holds now is no answer to it.
pub(crate) fn decided_time(asked: Option<UnixTime>, registry: &dyn Registry) -> Result<UnixTime, Problem> {
    let newest = registry.header().time;
    match asked {
        Some(time) if time > newest => {
            let detail = format!(
                "at: {time} is after the newest block (time {newest}), and what holds then is not decided yet; leave at \
                 out to ask about now"
            );
            Err(Problem::new(&problem::QUERY, detail))
        }
        asked => Ok(asked.unwrap_or(newest)),
    }
}

/// All objects of an index term, up to a bound, of which `keep` says that they belong to the list now.
pub(crate) fn filtered(
    registry: &dyn Registry,
    kind: &str,
    term: &str,
    mut keep: impl FnMut(&str) -> Result<bool, Refusal>,
) -> Result<Vec<String>, Refusal> {
    let mut kept = Vec::new();
    for page in 1..=FILTERED_OBJECTS_MAX.div_ceil(PAGE_ITEMS_MAX as u64) {
        let objects = registry.objects(kind, term, page, PAGE_ITEMS_MAX)?;
        let full = objects.ids.len() == PAGE_ITEMS_MAX;
        for id in objects.ids {
            if keep(&id)? {
                kept.push(id);
            }
        }
        if !full {
            break;
        }
    }
    Ok(kept)
}

/// A page, from 1, of a list in memory.
pub(crate) fn page_of<T: Clone>(items: &[T], page: u64, size: usize) -> Vec<T> {
    let first = usize::try_from(page.saturating_sub(1)).unwrap_or(usize::MAX).saturating_mul(size);
    items.iter().skip(first).take(size).cloned().collect()
}

/// A DID that the index names.
pub(crate) fn indexed_did(id: &str) -> Result<Did, ReadError> {
    id.parse().map_err(|_| ReadError::Fatal(format!("the index names {id:?}, which is no DID")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_have_two_spellings() {
        let cases = [
            ("0", Some(0)),
            ("1800000000", Some(1_800_000_000)),
            ("1970-01-01T00:00:10Z", Some(10)),
            ("1970-01-01T01:00:10+01:00", Some(10)),
            ("1970-01-01T01:00:10 01:00", Some(10)),
            ("1970-01-01T00:00:10.999Z", Some(10)),
            ("1969-12-31T23:59:59Z", None),
            ("01", None),
            ("-1", None),
            ("", None),
            ("1e9", None),
            ("now", None),
            ("1970-01-01", None),
            ("9007199254740992", None),
            ("18446744073709551616", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_time(text), expected.map(UnixTime), "{text:?}");
        }
    }

    #[test]
    fn pages_of_a_list_have_edges() {
        let items = [1, 2, 3];
        assert_eq!(page_of(&items, 1, 2), [1, 2]);
        assert_eq!(page_of(&items, 2, 2), [3]);
        assert!(page_of(&items, 3, 2).is_empty());
        assert!(page_of(&items, u64::MAX, usize::MAX).is_empty());
    }
}
