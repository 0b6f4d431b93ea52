//! A stall, told to the operator: in the log and in the metrics; `readyz` asks for it.

use std::sync::Arc;
use std::time::Instant;

use crate::application::Application;
use crate::heard::Stall;
use crate::host::Shared;
use crate::limits::{STALL_INTERVAL, STALL_TOLD_INTERVAL};
use crate::metrics::{Counters, write_gauge, write_labelled};

/// What is wrong with the height under way, if anything is.
pub(crate) fn now<A: Application>(shared: &Shared<A>) -> Option<Stall> {
    shared.heard.stall(&shared.app.tip(), shared.surroundings.instant())
}

/// Tells the log when a height is not decided for too long, again now and then while that lasts, and when it is over.
pub(crate) async fn tell<A: Application>(shared: Arc<Shared<A>>) {
    let mut told: Option<(Stall, Instant)> = None;
    let mut ticks = tokio::time::interval(STALL_INTERVAL);
    loop {
        ticks.tick().await;
        match (now(&shared), &told) {
            (Some(stall), Some((before, at))) if stall.names_same(before) && at.elapsed() < STALL_TOLD_INTERVAL => {}
            (Some(stall), before) => {
                if before.as_ref().is_none_or(|(before, _)| before.height != stall.height) {
                    Counters::add(&shared.counters.stalls, 1);
                }
                tracing::error!(
                    "stalled: {stall}. See that these validators run, that all reach one another and that their clocks \
                     are right; nothing is lost, and it goes on by itself"
                );
                told = Some((stall, Instant::now()));
            }
            (None, Some((before, _))) => {
                tracing::info!(height = %before.height, "the stall is over");
                told = None;
            }
            (None, None) => {}
        }
    }
}

/// The metrics of a stall, or of none.
pub(crate) fn write(stall: Option<&Stall>, text: &mut String) {
    let seconds = stall.map_or(0, |stall| stall.lasts.as_secs());
    let help = "For how long the height under way is not decided; 0 while all is well.";
    write_gauge(text, "stalled_seconds", help, seconds);
    let labels = |names: &dyn Fn(&Stall) -> Vec<String>| stall.map(names).unwrap_or_default();
    let silent = labels(&|stall| stall.silent.clone());
    write_labelled(text, "silent", "Validators whose votes a stalled height waits for.", "validator", &silent);
    let mute = labels(&|stall| stall.without_proposal.clone());
    write_labelled(
        text,
        "without_proposal",
        "Validators that proposed nothing in a stalled height.",
        "validator",
        &mute,
    );
}
