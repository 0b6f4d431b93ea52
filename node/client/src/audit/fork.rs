//! Two certified histories: where they part, and the evidence of it.

use testamur_primitives::checkpoint::verify_certificate;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::hash::TreeHash;
use testamur_primitives::header::Header;
use testamur_primitives::note::Note;
use testamur_primitives::receipt::ReceiptNetwork;
use testamur_primitives::trust::PinnedCheckpoint;
use testamur_primitives::units::{Epoch, Height};

use super::archive::Seen;
use super::{Auditor, Finding, Kind, Stop};
use crate::path::{Contradiction, Newest, proves_header};

/// A header of a node's history, proven under its newest one.
pub(super) struct Proven {
    pub(super) header: Header,
    path: Vec<TreeHash>,
}

impl Proven {
    /// A header that has a certificate of its own.
    pub(super) fn alone(header: Header) -> Self {
        Self { header, path: Vec::new() }
    }
}

impl Newest {
    /// The set of an epoch on the way to it.
    pub(super) fn set_of(&self, epoch: Epoch, genesis: &ValidatorSet) -> Option<ValidatorSet> {
        if epoch == Epoch(0) {
            return Some(genesis.clone());
        }
        self.steps.iter().find(|step| step.epoch.epoch == epoch).map(|step| step.epoch.validators.clone())
    }
}

impl Auditor {
    /// The header at a height of the history that a node's newest header is the end of.
    pub(super) async fn header_under(&self, place: usize, newest: &Newest, at: Height) -> Result<Proven, Stop> {
        if at == newest.header.height {
            return Ok(Proven { header: newest.header.clone(), path: Vec::new() });
        }
        let watched = &self.nodes[place];
        let answer = watched.node.history(at, newest.header.height).await.map_err(|e| self.unusable(place, &e))?;
        let hides = |what: &str| {
            let what = format!("{what} that block {at} leads to its newest block {}", newest.header.height);
            Finding::new(Kind::Rewrite, &watched.address, Some(at), what)
        };
        let answer = answer.ok_or_else(|| hides("it does not prove"))?;
        let header = Header::decode(answer.from_text.as_bytes()).map_err(|_| hides("it gives no header and says"))?;
        let holds = header.height == at && proves_header(&answer.path, &header.hash(), at, &newest.header);
        if holds { Ok(Proven { header, path: answer.path }) } else { Err(hides("its proof does not hold").into()) }
    }

    /// A node's history has another header at `at` than was seen first: finds where the two part, and keeps what shows it.
    pub(super) async fn fork(&self, place: usize, newest: &Newest, at: Proven) -> Result<Finding, Stop> {
        let (mut same, mut parted) = (Height(0), at);
        while parted.header.height.0 - same.0 > 1 {
            let middle = Height(same.0 + (parted.header.height.0 - same.0) / 2);
            let Some(ours) = self.archive.at(middle)? else { break };
            // A node that stops answering now has shown enough: the evidence is a longer one then.
            let Ok(theirs) = self.header_under(place, newest, middle).await else { break };
            if theirs.header == ours.header {
                same = middle;
            } else {
                parted = theirs;
            }
        }
        let height = parted.header.height;
        let Some(ours) = self.archive.at(height)? else {
            return Ok(Finding::new(Kind::Fork, &self.nodes[place].address, Some(height), "two histories"));
        };
        let note = self.nodes[place].node.checkpoint_at(height).await.ok().flatten();
        Ok(self.two_sides(place, newest, &ours, parted, note)?)
    }

    /// The finding and the evidence that `ours`, certified, is not what the node's newest header is the end of: `theirs` is,
    /// perhaps with a certificate of its own.
    pub(super) fn two_sides(
        &self,
        place: usize,
        newest: &Newest,
        ours: &Seen,
        theirs: Proven,
        note: Option<Note>,
    ) -> Result<Finding, super::AuditError> {
        let height = theirs.header.height;
        let genesis = self.trust.genesis_epoch().validators;
        let set = |header: &Header| newest.set_of(header.epoch, &genesis);
        let checkpoint = |header: &Header, note: &str| {
            let validators = set(header)?;
            Some(PinnedCheckpoint { header: header.text(), note: note.to_owned(), validators })
        };
        // Best is their certificate of the very height: it names who signed both.
        let direct = note.filter(|note| {
            set(&theirs.header)
                .is_some_and(|set| verify_certificate(self.trust.origin(), &theirs.header, note, &set).is_ok())
        });
        let epochs = usize::try_from(theirs.header.epoch.0).unwrap_or(usize::MAX).min(newest.links.len());
        let (other, links, under) = match &direct {
            Some(note) => (checkpoint(&theirs.header, &note.to_string()), newest.links[..epochs].to_vec(), None),
            None => (Some(newest.pin()), newest.links.clone(), Some((theirs.header.text(), theirs.path))),
        };
        let under = under.filter(|_| newest.header.height > height);
        let (other_pinned, history) = under.map_or((None, Vec::new()), |(text, path)| (Some(text), path));
        let mut finding = Finding::new(Kind::Fork, &self.nodes[place].address, Some(height), String::new());
        let (Some(other), Some(pinned)) = (other, checkpoint(&ours.header, &ours.note)) else {
            finding.what = format!("it proves a history in which block {height} is another than the one seen before");
            return Ok(finding);
        };
        let shown = Contradiction {
            v: 1,
            r#type: "testamur-contradiction".into(),
            network: ReceiptNetwork { genesis: self.trust.network(), origin: self.trust.origin().to_string() },
            height,
            pinned,
            other,
            epochs: links,
            other_pinned,
            history,
        };
        self.told(&mut finding, &shown)?;
        Ok(finding)
    }

    /// Words and evidence of two certified histories.
    pub(super) fn told(&self, finding: &mut Finding, shown: &Contradiction) -> Result<(), super::AuditError> {
        let height = shown.height;
        finding.what = match shown.verify(&self.trust) {
            Ok(both) if !both.is_empty() => {
                let names: Vec<_> = both.iter().map(|v| format!("{} ({})", v.name, v.operator)).collect();
                format!("two certified blocks {height}; signed both: {}", names.join(", "))
            }
            Ok(_) => format!("two certified histories that differ in block {height}"),
            Err(error) => format!("another history from block {height} on; the evidence is incomplete: {error}"),
        };
        self.keep(finding, &shown.encode())
    }
}
