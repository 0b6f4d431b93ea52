//! Tells the log when the node stops being ready, why, and what to do; and when it is ready again. The same reasons are
//! in `/readyz` and in the metric `testamur_not_ready`; genesis/OPERATORS.md has the table of them.

use std::sync::Arc;

use testamur_api::health::{Health, NotReady};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::limits::READINESS_INTERVAL;

/// Looks at the reasons now and then until the node stops.
pub(crate) fn tell_changes(health: Arc<dyn Health>, mut stopped: watch::Receiver<bool>) -> JoinHandle<()> {
    tokio::spawn(async move {
        let mut told = Vec::new();
        loop {
            tokio::select! {
                _ = stopped.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(READINESS_INTERVAL) => {}
            }
            tell(&health.problems(), &mut told);
        }
    })
}

/// One look: what is new is told with its remedy, once; what is over, too.
fn tell(problems: &[NotReady], told: &mut Vec<&'static str>) {
    for problem in problems.iter().filter(|problem| !told.contains(&problem.code())) {
        tracing::warn!(reason = problem.code(), remedy = problem.remedy(), "not ready: {problem}");
    }
    let codes: Vec<_> = problems.iter().map(NotReady::code).collect();
    if codes.is_empty() && !told.is_empty() {
        tracing::info!(reasons = told.join(", "), "ready again");
    }
    *told = codes;
}

/// The metric of the same: a row for each reason.
pub(crate) fn metric(problems: &[NotReady]) -> String {
    let name = "testamur_not_ready";
    let mut text = format!("# HELP {name} Whether the node is not ready, by reason.\n# TYPE {name} gauge\n");
    for code in NotReady::CODES {
        let stands = u8::from(problems.iter().any(|problem| problem.code() == code));
        text.push_str(&format!("{name}{{reason=\"{code}\"}} {stands}\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_a_row_a_remedy_and_is_told_once() {
        let behind = [NotReady::Behind { heights: 5 }];
        let mut told = Vec::new();
        tell(&behind, &mut told);
        assert_eq!(told, ["behind"]);
        tell(&[], &mut told);
        assert!(told.is_empty());
        let text = metric(&behind);
        assert!(text.contains("testamur_not_ready{reason=\"behind\"} 1"), "{text}");
        assert_eq!(text.matches("\"} 0").count(), NotReady::CODES.len() - 1);
    }

    /// The table that operators read, the metric and the reasons are the same.
    #[test]
    fn the_operators_table_has_every_reason_and_its_remedy() {
        let reasons = [
            NotReady::NoBlock { seconds: 9, waiting_for: "ministry".into() },
            NotReady::Stalled { what: "ministry is silent".into() },
            NotReady::DiskLow { free_bytes: 1, needed_bytes: 2 },
            NotReady::Damage("leaf 7".into()),
            NotReady::Behind { heights: 5 },
            NotReady::Attachments { missing: 3 },
            NotReady::NoQuorum { connected: 2, needed: 3 },
            NotReady::NoSource { seconds: 9, nodes: 1 },
            NotReady::Starting,
            NotReady::Stopping,
        ];
        let table: Vec<_> = include_str!("../../../../genesis/OPERATORS.md")
            .lines()
            .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
            .collect();
        assert_eq!(table.len(), NotReady::CODES.len());
        for (reason, code) in reasons.iter().zip(NotReady::CODES) {
            assert_eq!(reason.code(), code);
            let row = table.iter().find(|(of, _)| *of == code);
            let (_, seen) = row.unwrap_or_else(|| panic!("{code} has no row"));
            let (_, remedy) = seen.rsplit_once(" | ").expect("three columns");
            assert_eq!(remedy, reason.remedy(), "{code}");
        }
    }
}
