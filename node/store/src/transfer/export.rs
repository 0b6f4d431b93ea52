//! Writing the ledger out, at one height, while the node goes on.

use std::io::Write;

use testamur_primitives::codec::canonical;
use testamur_primitives::stream::Frame;
use testamur_primitives::units::{Height, LogSize};
use testamur_registry::tree::{NodeKind, node_row};
use testamur_registry::{StateKey, StateReader};

use super::frames::FrameWriter;
use super::{Contents, ExportError, StreamProgress, Transferred};
use crate::error::StoreError;
use crate::ledger::Ledger;
use crate::reads;
use crate::schema::{Column, place, state_value_key};
use crate::view::View;

impl Ledger {
    /// Writes the ledger as it is now, from height 1 on. Commits go on meanwhile: the export is of the tip at its begin.
    /// One block is in memory at a time. What is written is flushed, not synced: that is the caller's, who knows what
    /// `out` is.
    pub fn export(
        &self,
        out: &mut impl Write,
        contents: Contents,
        progress: impl FnMut(StreamProgress),
    ) -> Result<Transferred, ExportError> {
        let view = self.view()?;
        let written = write(&view, out, contents, progress);
        if let Err(ExportError::Store(error)) = written {
            return Err(ExportError::Store(self.health().watch::<()>(Err(error)).expect_err("it is an error")));
        }
        written
    }
}

fn write(
    view: &View<'_>,
    out: &mut impl Write,
    contents: Contents,
    mut progress: impl FnMut(StreamProgress),
) -> Result<Transferred, ExportError> {
    let (tip, mut frames) = (view.tip.height(), FrameWriter::new(out));
    frames.frame(&Frame::Genesis(&canonical(view.genesis)))?;
    for height in (1..=tip.0).map(Height) {
        let header = reads::known_header(&view.snapshot, height)?;
        let missing =
            || StoreError::damaged(place(Column::Certificates, &height.0.to_be_bytes()), "the row is missing");
        let note = reads::certificate(&view.snapshot, &header)?.ok_or_else(missing)?;
        frames.frame(&Frame::Block(&reads::block_bytes(&view.snapshot, &header)?))?;
        frames.frame(&Frame::Certificate(note.to_string().as_bytes()))?;
        for attachment in view.attachments_of(height)? {
            frames.frame(&Frame::Attachment(&attachment))?;
        }
        let (records, bytes) = (header.header.log_size, frames.bytes());
        progress(StreamProgress { height, tip: Some(tip), records, bytes });
    }
    // The state of height 0 follows from genesis.
    if contents == Contents::Snapshot && tip > Height(0) {
        write_state(view, &mut frames)?;
    }
    let (header, records) = (view.tip.hash, LogSize(view.tip.header.log_size.0));
    Ok(Transferred { height: tip, header, records, bytes: frames.end()? })
}

fn write_state<W: Write>(view: &View<'_>, frames: &mut FrameWriter<W>) -> Result<(), ExportError> {
    for row in view.snapshot.scan(Column::StateKeys, &[], &[]) {
        let (key, _) = row?;
        let damaged = |what: &str| StoreError::damaged(place(Column::StateKeys, &key), what);
        let text = std::str::from_utf8(&key).map_err(|_| damaged("malformed key"))?;
        let state_key: StateKey = text.parse().map_err(|_| damaged("malformed key"))?;
        let value = StateReader::get(&view.snapshot, &state_key)?.ok_or_else(|| damaged("it has no value"))?;
        frames.frame(&Frame::State { key: &key, value: &value })?;
    }
    for row in view.snapshot.scan(Column::StateNodes, &[], &[]) {
        let (key, node) = row?;
        let damaged = || StoreError::damaged(place(Column::StateNodes, &key), "not a node of the tree");
        let parsed = node_row(&key, &node).ok_or_else(damaged)?;
        let value = match parsed.kind {
            NodeKind::Leaf { key_hash, .. } => {
                view.snapshot.get(Column::StateValues, &state_value_key(&key_hash, parsed.version))?.unwrap_or_default()
            }
            NodeKind::Inner(_) | NodeKind::Empty => Vec::new(),
        };
        frames.frame(&Frame::Tree { key: &key, node: &node, value: &value })?;
    }
    Ok(())
}
