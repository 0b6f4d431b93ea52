//! Results that are kept: the longest campaign of each row, with date, commit and machine.

use std::fs;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::Line;

/// A row's longest campaign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recorded {
    /// What came of it.
    pub result: Line,
    /// Day, `2026-11-22`.
    pub date: String,
    /// The commit it was run at.
    pub commit: String,
    /// Cores and what else ran on them.
    pub machine: String,
}

/// `tests/campaign.json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Results {
    /// By row, R1 first; a row with several names has several.
    pub rows: Vec<Recorded>,
}

impl Results {
    /// Where results are kept.
    pub fn path() -> PathBuf {
        PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("campaign.json")
    }

    /// What is kept so far.
    ///
    /// # Panics
    /// When the file is not what this program writes.
    pub fn read() -> Self {
        match fs::read(Self::path()) {
            Ok(bytes) => serde_json::from_slice(&bytes).expect("campaign.json is what `campaign --record` writes"),
            Err(_) => Self::default(),
        }
    }

    /// Puts a result in the place of the row's older one. One of more runs stays, unless the new one found something bad.
    pub fn put(&mut self, recorded: Recorded) {
        let key = |r: &Recorded| (r.result.row.clone(), r.result.name.clone());
        let longer = |old: &Recorded| key(old) == key(&recorded) && old.result.runs > recorded.result.runs;
        if recorded.result.bad == 0 && self.rows.iter().any(longer) {
            return;
        }
        self.rows.retain(|old| key(old) != key(&recorded));
        self.rows.push(recorded);
        self.rows.sort_by_key(|r| (r.result.row[1..].parse::<u32>().unwrap_or(u32::MAX), r.result.name.clone()));
    }

    /// Writes the file.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self) {
        let mut text = serde_json::to_string_pretty(self).expect("JSON");
        text.push('\n');
        fs::write(Self::path(), text).expect("tests/campaign.json can be written");
    }

    /// The results as a table for the documentation.
    pub fn table(&self) -> String {
        let mut table = String::from(
            "| row | runs | bad | skipped | figures | when, at |\n| --- | --- | --- | --- | --- | --- |\n",
        );
        for Recorded { result, date, commit, machine } in &self.rows {
            let figures: Vec<_> = result.metrics.iter().map(|(name, value)| format!("{name} {value}")).collect();
            let Line { row, name, runs, bad, skipped, .. } = result;
            let figures = figures.join(", ");
            table.push_str(&format!(
                "| {row} {name} | {runs} | {bad} | {skipped} | {figures} | {date}, {commit}, {machine} |\n"
            ));
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recorded(runs: u64, bad: u64) -> Recorded {
        let text = format!("R1 kills runs={runs} bad={bad} skipped=0 seconds=1 metric=-");
        let result = Line::parse(&text).expect("a line");
        Recorded { result, date: "2026-11-23".into(), commit: "abc".into(), machine: "two cores".into() }
    }

    #[test]
    fn only_a_finding_replaces_a_longer_run() {
        let mut results = Results::default();
        for (runs, bad, stays) in
            [(50, 0, 50), (1_000, 1, 1_000), (999, 0, 1_000), (1_000, 0, 1_000), (3, 1, 3), (50, 0, 50)]
        {
            results.put(recorded(runs, bad));
            assert_eq!(results.rows.len(), 1);
            assert_eq!(results.rows[0].result.runs, stays, "after {runs} runs, {bad} bad");
        }
        assert_eq!(results.rows[0].result.bad, 0);
    }
}
