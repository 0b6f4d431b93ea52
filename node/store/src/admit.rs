//! Whether a record would be taken into a block now: asked before it is queued, so that its author gets the reason.

use testamur_primitives::units::UnixTime;
use testamur_registry::{ApplyError, CheckedRecord, Execution, Rejection};

use crate::block::context;
use crate::error::StoreError;
use crate::ledger::Ledger;
use crate::window::Window;

impl Ledger {
    /// Applies one record to the newest state, as the next block at time `now` (or the tip's, if that is later) would,
    /// and forgets the result, but for the key that its signature verified with: the record remembers it, and no block
    /// verifies it again while the state names that key. The outer error is this node's own failure.
    pub fn admit(&self, record: &mut CheckedRecord, now: UnixTime) -> Result<Result<(), Rejection>, StoreError> {
        let view = self.view()?;
        self.health().guard(|| {
            let time = now.max(view.tip.header.time);
            let window = Window { snapshot: &view.snapshot, time };
            // Sealed values, not proven ones: this is asked for every record, and the block decides anyway.
            let mut execution = Execution::new(&view.snapshot, &window, context(&view.tip, time))?;
            match execution.apply_and_remember(record) {
                Ok(_) => Ok(Ok(())),
                Err(ApplyError::Rejected(rejection)) => Ok(Err(rejection)),
                Err(ApplyError::State(error)) => Err(error.into()),
            }
        })
    }
}
