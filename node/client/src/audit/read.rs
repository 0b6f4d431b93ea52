//! The look at one node: what it shows against what was seen, then every new block and record of it, then some old ones.

use testamur_primitives::block::Block;
use testamur_primitives::checkpoint::verify_certificate;
use testamur_primitives::hash::RecordId;
use testamur_primitives::header::Header;
use testamur_primitives::merkle::{self, leaf_hash};
use testamur_primitives::note::Note;
use testamur_primitives::receipt::{self, Verdict};
use testamur_primitives::stream::StreamedBlock;
use testamur_primitives::units::{Height, UnixTime};

use super::archive::{Seen, digest_of};
use super::fork::Proven;
use super::watched::Progress;
use super::{Auditor, Claim, Finding, Kind, Stop};
use crate::batch::random_bytes;
use crate::error::ClientError;
use crate::limits::AUDIT_BLOCKS_MAX;
use crate::path::{Newest, PathError};

/// A block as a node gave it, read.
struct Given {
    block: Block,
    certificate: Note,
}

impl Given {
    fn read(given: StreamedBlock) -> Option<Self> {
        Some(Self { block: Block::decode(&given.block).ok()?, certificate: given.certificate })
    }

    fn seen(&self) -> Seen {
        let leaves: Vec<_> = self.block.records.iter().map(|record| leaf_hash(record.as_bytes())).collect();
        Seen { header: self.block.header.clone(), note: self.certificate.to_string(), records: digest_of(&leaves) }
    }
}

impl Auditor {
    /// A node that gives no usable answer.
    pub(super) fn unusable(&self, place: usize, error: &ClientError) -> Finding {
        Finding::new(Kind::Unavailable, &self.nodes[place].address, None, error.to_string())
    }

    fn found(&self, place: usize, kind: Kind, height: Height, what: impl Into<String>) -> Finding {
        Finding::new(kind, &self.nodes[place].address, Some(height), what)
    }

    /// Looks at one node; the first thing that is wrong with it ends the look.
    pub(super) async fn look(
        &mut self,
        place: usize,
        claim: &Claim,
        progress: &mut Progress,
        told: &mut impl FnMut(&str, Height, Height),
    ) -> Result<(), Stop> {
        let newest = match &claim.newest {
            Ok(newest) => newest,
            Err(error) => return self.unproven(place, error, progress),
        };
        let shown = newest.header.height;
        self.compare(place, newest).await?;
        if shown < progress.seen {
            let what = format!("it shows block {shown} as its newest, and showed block {} before", progress.seen);
            return Err(self.found(place, Kind::Shrink, shown, what).into());
        }
        progress.seen = shown;
        let before = progress.read;
        while progress.read < shown {
            told(&self.nodes[place].address, progress.read, shown);
            self.read_on(place, newest, progress).await?;
        }
        if self.archive.height() == shown {
            self.links = newest.links.clone().into();
        }
        self.consistent(place, newest, before).await?;
        self.read_again(place, newest, progress, before).await
    }

    /// A newest checkpoint that is not proven.
    fn unproven(&self, place: usize, error: &PathError, progress: &Progress) -> Result<(), Stop> {
        let address = &self.nodes[place].address;
        let finding = match error {
            PathError::Client(error) => self.unusable(place, error),
            PathError::OtherNetwork { .. } => Finding::new(Kind::OtherNetwork, address, None, error.to_string()),
            PathError::NoBlock { .. } if progress.seen > Height(0) => {
                let what = format!("it shows no block at all, and showed block {} before", progress.seen);
                self.found(place, Kind::Shrink, Height(0), what)
            }
            PathError::NoBlock { .. } if self.archive.height() == Height(0) => return Ok(()),
            PathError::Behind { height, .. } if *height < progress.seen => {
                let what = format!("it shows block {height} as its newest, and showed block {} before", progress.seen);
                self.found(place, Kind::Shrink, *height, what)
            }
            PathError::NoBlock { .. } | PathError::Behind { .. } => {
                Finding::new(Kind::Behind, address, None, error.to_string())
            }
            PathError::Broken { .. } | PathError::Short { .. } | PathError::Malformed { .. } => {
                Finding::new(Kind::Unsigned, address, None, error.to_string())
            }
            PathError::Contradiction { contradiction, .. } => {
                let mut finding = self.found(place, Kind::Fork, contradiction.height, String::new());
                self.told(&mut finding, contradiction)?;
                finding
            }
        };
        Err(finding.into())
    }

    /// INV-AUDIT-3: at every height that two nodes show, the header is one: by the newest of this one, and its history.
    async fn compare(&self, place: usize, newest: &Newest) -> Result<(), Stop> {
        let at = newest.header.height.min(self.archive.height());
        let Some(ours) = self.archive.at(at)? else { return Ok(()) };
        let theirs = self.header_under(place, newest, at).await?;
        if theirs.header == ours.header {
            return Ok(());
        }
        Err(self.fork(place, newest, theirs).await?.into())
    }

    /// Reads and verifies the next blocks of a node.
    async fn read_on(&mut self, place: usize, newest: &Newest, progress: &mut Progress) -> Result<(), Stop> {
        let from = progress.read.next();
        let mut given = self.blocks(place, from, AUDIT_BLOCKS_MAX).await?;
        // It may have decided more meanwhile: those are for the next poll.
        given.retain(|given| given.block.header.height <= newest.header.height);
        // The last one must be of the node's own history, and each the one that the next names: so none is taken that its
        // newest header does not stand on.
        let named = |pair: &[Given]| pair[1].block.header.previous == pair[0].block.header.hash();
        let loose = (1..given.len()).rev().filter(|at| !named(&given[at - 1..=*at])).map(|at| at - 1);
        for at in given.len().checked_sub(1).into_iter().chain(loose) {
            let header = &given[at].block.header;
            let theirs = self.header_under(place, newest, header.height).await?;
            if theirs.header != *header {
                self.certified(place, newest, &given[at])?;
                let note = self.nodes[place].node.checkpoint_at(header.height).await.ok().flatten();
                return Err(self.two_sides(place, newest, &given[at].seen(), theirs, note)?.into());
            }
        }
        let mut before = self.archive.at(progress.read)?.map(|seen| seen.header);
        for given in &given {
            self.accept(place, newest, before.as_ref(), given, progress)?;
            before = Some(given.block.header.clone());
        }
        Ok(())
    }

    /// Blocks of a node from a height on, each read; at least one.
    async fn blocks(&mut self, place: usize, from: Height, limit: usize) -> Result<Vec<Given>, Stop> {
        let watched = &self.nodes[place];
        let stream = watched.node.blocks(from, limit).await.map_err(|e| self.unusable(place, &e))?;
        if stream.genesis != self.trust.network() {
            return Err(self.found(place, Kind::OtherNetwork, from, "its blocks are of another network").into());
        }
        if stream.blocks.is_empty() {
            return Err(self
                .found(place, Kind::Rewrite, from, format!("it hides block {from}, which it shows"))
                .into());
        }
        let mut given = Vec::with_capacity(stream.blocks.len());
        for (block, height) in stream.blocks.into_iter().zip(from.0..) {
            let block = Given::read(block).filter(|given| given.block.header.height == Height(height));
            let what = || format!("what it gives as block {height} is none");
            given.push(block.ok_or_else(|| self.found(place, Kind::Rewrite, Height(height), what()))?);
        }
        self.blocks += given.len() as u64;
        self.records += given.iter().map(|given| given.block.records.len() as u64).sum::<u64>();
        Ok(given)
    }

    /// Verifies a block's certificate under the set of its epoch.
    fn certified(&self, place: usize, newest: &Newest, given: &Given) -> Result<(), Stop> {
        let header = &given.block.header;
        let set = newest.set_of(header.epoch, &self.trust.genesis_epoch().validators);
        let verified = set.ok_or_else(|| "its epoch is unknown".to_owned()).and_then(|set| {
            verify_certificate(self.trust.origin(), header, &given.certificate, &set).map_err(|e| e.to_string())
        });
        let what = |error| format!("the certificate that it gives of block {}: {error}", header.height);
        verified.map(drop).map_err(|error| self.found(place, Kind::Unsigned, header.height, what(error)).into())
    }

    /// One block that a node was not read up to yet.
    fn accept(
        &mut self,
        place: usize,
        newest: &Newest,
        before: Option<&Header>,
        given: &Given,
        progress: &mut Progress,
    ) -> Result<(), Stop> {
        let header = &given.block.header;
        let height = header.height;
        let ours = self.archive.at(height)?;
        self.certified(place, newest, given)?;
        if let Some(ours) = ours.as_ref().filter(|ours| ours.header != *header) {
            // Its newest header stands on what was seen, and on this block as well: a quorum signed headers that contradict
            // one another.
            let (theirs, note) = (Proven::alone(header.clone()), Some(given.certificate.clone()));
            return Err(self.two_sides(place, newest, ours, theirs, note)?.into());
        }
        let mut log = progress.log.clone();
        given.block.records.iter().for_each(|record| log.append(leaf_hash(record.as_bytes())));
        if (log.size(), log.root()) != (header.log_size.0, header.log_root) {
            let what = format!("the records that it gives of block {height} do not hash to the certified log root");
            return Err(self.rewritten(place, given, what)?.into());
        }
        if ours.is_none() {
            if let Some(what) = self.unlawful(before, header) {
                let mut finding = self.found(place, Kind::Unlawful, height, format!("block {height}: {what}"));
                self.keep(&mut finding, &evidence_of(given))?;
                return Err(finding.into());
            }
            self.archive.append(&given.seen())?;
        }
        (progress.log, progress.read) = (log, height);
        Ok(())
    }

    /// Rules that a certified header breaks, without executing anything.
    fn unlawful(&self, before: Option<&Header>, header: &Header) -> Option<&'static str> {
        if !self.archive.follows(header) {
            return Some("it does not name the block before it and the root of all headers before it");
        }
        let before = before?;
        let began = before.next_validators_hash != before.validators_hash;
        if header.validators_hash != before.next_validators_hash || header.epoch.0 != before.epoch.0 + u64::from(began)
        {
            return Some("its validator set is not the one that the block before it names");
        }
        (header.time < before.time).then_some("its time is before the time of the block before it")
    }

    fn rewritten(&self, place: usize, given: &Given, what: String) -> Result<Finding, super::AuditError> {
        let mut finding = self.found(place, Kind::Rewrite, given.block.header.height, what);
        self.keep(&mut finding, &evidence_of(given))?;
        Ok(finding)
    }

    /// The node's own proofs that an older block is of its history, and that its log only grew: since it was read before, or
    /// since any other block where nothing is new.
    async fn consistent(&self, place: usize, newest: &Newest, before: Height) -> Result<(), Stop> {
        let shown = newest.header.height;
        let before = if before < shown { before } else { Height(1 + random_below(shown.0.saturating_sub(1))?) };
        let (Some(old), Some(new)) = (self.archive.at(before)?, self.archive.at(shown)?) else { return Ok(()) };
        let theirs = self.header_under(place, newest, before).await?;
        if theirs.header != old.header {
            return Err(self.fork(place, newest, theirs).await?.into());
        }
        let (from, to) = (old.header.log_size, new.header.log_size);
        if from == to {
            return Ok(());
        }
        let proof = self.nodes[place].node.consistency(from, to).await.map_err(|e| self.unusable(place, &e))?;
        let holds = proof.is_some_and(|proof| {
            merkle::verify_consistency(from.0, old.header.log_root, to.0, new.header.log_root, &proof.path).is_ok()
        });
        let what =
            || format!("it does not prove that its log of {to} records begins with the {from} of block {before}");
        if holds { Ok(()) } else { Err(self.found(place, Kind::Rewrite, shown, what()).into()) }
    }

    /// Reads some old blocks of a node again, and one receipt: what was right once must still be served so.
    async fn read_again(
        &mut self,
        place: usize,
        newest: &Newest,
        progress: &mut Progress,
        before: Height,
    ) -> Result<(), Stop> {
        let old = before.min(progress.read);
        let mut records = Vec::new();
        if old > Height(0) && self.settings.again > 0 {
            let from = if progress.again >= old { Height(1) } else { progress.again.next() };
            let limit = self.settings.again.min(AUDIT_BLOCKS_MAX);
            for given in self.blocks(place, from, limit).await? {
                let height = given.block.header.height;
                if height > old {
                    break;
                }
                let ours = self.archive.at(height)?;
                let seen = given.seen();
                if ours.is_none_or(|ours| ours.header != seen.header || ours.records != seen.records) {
                    let what = format!("what it gives as block {height} is not what was certified");
                    return Err(self.rewritten(place, &given, what)?.into());
                }
                self.certified(place, newest, &given)?;
                records.extend(given.block.records.iter().map(|record| (record.id(), height)));
                progress.again = height;
            }
        }
        self.receipt(place, &records).await
    }

    /// One receipt of those records.
    async fn receipt(&self, place: usize, records: &[(RecordId, Height)]) -> Result<(), Stop> {
        if records.is_empty() {
            return Ok(());
        }
        let (id, height) = records[random_below(records.len() as u64)? as usize];
        let given = self.nodes[place].node.receipt(id).await.map_err(|e| self.unusable(place, &e))?;
        let ours = self.archive.at(height)?.map(|seen| seen.header.text());
        // Whether keys are in office is not the question here, so the time is the block's own.
        let time = self.archive.at(height)?.map_or(UnixTime(0), |seen| seen.header.time);
        let holds = given.is_some_and(|given| {
            let verdict = receipt::verify(&given, None, &self.trust, time);
            let is_good =
                matches!(&verdict, Verdict::Confirmed(facts) | Verdict::OutOfOffice(facts) if facts.record == id);
            is_good && Some(&given.header) == ours.as_ref()
        });
        let what = || format!("the receipt that it gives of record {id} of block {height} does not verify");
        if holds { Ok(()) } else { Err(self.found(place, Kind::Rewrite, height, what()).into()) }
    }
}

/// A number below a bound; that some are a little likelier is no matter here.
fn random_below(bound: u64) -> Result<u64, super::AuditError> {
    let number = random_bytes::<8>().map_err(|_| super::AuditError::Random)?;
    Ok(u64::from_be_bytes(number) % bound.max(1))
}

/// A block as it was given: header, certificate, records.
fn evidence_of(given: &Given) -> Vec<u8> {
    let records: Vec<_> = given.block.records.iter().map(testamur_primitives::record::Record::as_str).collect();
    let value = serde_json::json!({
        "v": 1,
        "type": "testamur-served-block",
        "header": given.block.header.text(),
        "note": given.certificate.to_string(),
        "records": records,
    });
    value.to_string().into_bytes()
}
