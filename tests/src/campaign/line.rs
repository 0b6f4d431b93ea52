//! What a row says in the end, as one line and as JSON.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A row's result.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// `R1` to `R30`.
    pub row: String,
    /// The row's name.
    pub name: String,
    /// What was tried.
    pub runs: u64,
    /// What broke a promise.
    pub bad: u64,
    /// What could not be tried here.
    pub skipped: u64,
    /// How long it took.
    pub seconds: u64,
    /// Figures in the order they were given: name and value.
    pub metrics: Vec<(String, String)>,
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { row, name, runs, bad, skipped, seconds, metrics } = self;
        write!(f, "{row} {name} runs={runs} bad={bad} skipped={skipped} seconds={seconds} metric=")?;
        if metrics.is_empty() {
            return f.write_str("-");
        }
        for (place, (name, value)) in metrics.iter().enumerate() {
            let comma = if place == 0 { "" } else { "," };
            write!(f, "{comma}{name}:{value}")?;
        }
        Ok(())
    }
}

impl Line {
    /// Reads a line that another program printed (rows that live beside the code they attack).
    pub fn parse(text: &str) -> Option<Self> {
        let mut words = text.split_whitespace();
        let (row, name) = (words.next()?, words.next()?);
        let number = row.strip_prefix('R')?;
        if number.is_empty() || !number.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let mut line =
            Self { row: row.into(), name: name.into(), runs: 0, bad: 0, skipped: 0, seconds: 0, metrics: Vec::new() };
        for word in words {
            let (key, value) = word.split_once('=')?;
            match key {
                "runs" => line.runs = value.parse().ok()?,
                "bad" => line.bad = value.parse().ok()?,
                "skipped" => line.skipped = value.parse().ok()?,
                "seconds" => line.seconds = value.parse().ok()?,
                "metric" if value == "-" => {}
                "metric" => {
                    let pairs = value.split(',').map(|pair| pair.split_once(':'));
                    line.metrics = pairs.map(|p| p.map(|(n, v)| (n.into(), v.into()))).collect::<Option<_>>()?;
                }
                _ => return None,
            }
        }
        Some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::Line;

    #[test]
    fn a_line_is_read_as_it_is_written() {
        let text = "R1 kill-one runs=50 bad=0 skipped=1 seconds=212 metric=lost:0,ready-p99-s:2.1";
        let line = Line::parse(text).expect("a line");
        assert_eq!(line.to_string(), text);
        assert_eq!(line.metrics.len(), 2);
        for other in ["", "R1", "Rx kill runs=1", "test result: ok", "R1 a runs=many", "R1 a unknown=1"] {
            assert!(Line::parse(other).is_none() || other == "R1", "{other}");
        }
    }
}
