//! What a command prints: text for people on a terminal, one JSON document with `--json`, errors to stderr.

use std::fmt::Display;
use std::io::{IsTerminal as _, Write as _};

use serde::Serialize;
use testamur_primitives::units::UnixTime;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use time::macros::format_description;

use crate::exit::CommandError;

/// Where and how a command prints.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    json: bool,
    quiet: bool,
    colour: bool,
}

/// Colours with a meaning.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tone {
    /// All is well.
    Good,
    /// Needs attention.
    Warning,
    /// Something is wrong.
    Bad,
    /// Less important.
    #[cfg(feature = "node")]
    Faint,
    /// More important.
    Strong,
}

impl Output {
    /// Colour only on a terminal that wants it.
    pub(crate) fn new(json: bool, quiet: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self { json, quiet, colour: wanted && !json && std::io::stdout().is_terminal() }
    }

    /// Whether results are JSON.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// Whether only errors are printed.
    pub(crate) fn is_quiet(&self) -> bool {
        self.quiet
    }

    /// The result of a command: as JSON, or as the text that `human` makes.
    pub(crate) fn result<T: Serialize>(&self, value: &T, human: impl FnOnce() -> String) {
        if self.json {
            let json = serde_json::to_string_pretty(value).expect("results have string keys and no floats");
            print(&json);
        } else if !self.quiet {
            print(human().trim_end());
        }
    }

    /// One of many results, with `--json`: a line of its own.
    #[cfg(feature = "node")]
    pub(crate) fn json_line<T: Serialize>(&self, value: &T) {
        if self.json {
            print(&serde_json::to_string(value).expect("results have string keys and no floats"));
        }
    }

    /// A line about progress; never with `--json` or `--quiet`.
    pub(crate) fn line(&self, text: impl Display) {
        if !self.json && !self.quiet {
            print(&text.to_string());
        }
    }

    /// A line on stderr that is no error.
    #[cfg(feature = "node")]
    pub(crate) fn note(&self, text: impl Display) {
        if !self.quiet {
            complain(&format!("note: {text}"));
        }
    }

    /// An error, and what to do about it.
    pub(crate) fn error(&self, error: &CommandError) {
        if self.json {
            let body = serde_json::json!({
                "error": { "code": error.code(), "message": error.to_string(), "hint": error.hint() }
            });
            complain(&body.to_string());
            return;
        }
        complain(&format!("error: {error}"));
        if let Some(hint) = error.hint() {
            complain(&format!("  try: {hint}"));
        }
    }

    /// Text in a colour, where there are colours.
    pub(crate) fn paint(&self, tone: Tone, text: &str) -> String {
        let code = match tone {
            Tone::Good => "1;32",
            Tone::Warning => "1;33",
            Tone::Bad => "1;31",
            #[cfg(feature = "node")]
            Tone::Faint => "2",
            Tone::Strong => "1",
        };
        if self.colour { format!("\u{1b}[{code}m{}\u{1b}[0m", harmless(text)) } else { harmless(text) }
    }
}

/// Text in which nothing steers a terminal or turns the writing direction: receipts and file names come from strangers.
pub(crate) fn harmless(text: &str) -> String {
    let steers = |c: char| {
        (c.is_control() && c != '\n')
            || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{206f}')
            || matches!(c, '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
    };
    text.chars().map(|c| if steers(c) { '\u{fffd}' } else { c }).collect()
}

/// `2026-11-22 00:41:07 UTC`.
pub(crate) fn utc(time: UnixTime) -> String {
    let format = format_description!("[year]-[month]-[day] [hour]:[minute]:[second] UTC");
    date_time(time).and_then(|t| t.format(&format).ok()).unwrap_or_else(|| format!("{time} s after 1970"))
}

/// `2026-11-22T00:41:07Z`.
pub(crate) fn rfc3339(time: UnixTime) -> String {
    date_time(time).and_then(|t| t.format(&Rfc3339).ok()).unwrap_or_else(|| time.to_string())
}

fn date_time(time: UnixTime) -> Option<OffsetDateTime> {
    i64::try_from(time.0).ok().and_then(|t| OffsetDateTime::from_unix_timestamp(t).ok())
}

/// A time as people give it: RFC 3339, a date, or seconds since 1970.
pub(crate) fn parse_time(text: &str) -> Result<UnixTime, String> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Ok(UnixTime(seconds));
    }
    let date = format_description!("[year]-[month]-[day]");
    let seconds = OffsetDateTime::parse(text, &Rfc3339)
        .map(OffsetDateTime::unix_timestamp)
        .or_else(|_| time::Date::parse(text, &date).map(|day| day.midnight().assume_utc().unix_timestamp()))
        .ok()
        .and_then(|seconds| u64::try_from(seconds).ok());
    seconds
        .map(UnixTime)
        .ok_or_else(|| "expected a time such as 2027-01-31T12:00:00Z, a date, or seconds since 1970".into())
}

/// This machine's clock.
pub(crate) fn now() -> Result<UnixTime, CommandError> {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since
        .map(|s| UnixTime(s.as_secs()))
        .map_err(|_| CommandError::failed("cli.clock", "this machine's clock stands before 1970", "set the clock"))
}

fn print(text: &str) {
    // A reader that closed the pipe has seen enough: not an error.
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}

fn complain(text: &str) {
    let _ = writeln!(std::io::stderr().lock(), "{}", harmless(text));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_written_in_utc() {
        assert_eq!(utc(UnixTime(1_795_307_267)), "2026-11-22 00:27:47 UTC");
        for text in ["1795307267", "2026-11-22T00:27:47Z", "2026-11-22T01:27:47+01:00"] {
            assert_eq!(parse_time(text), Ok(UnixTime(1_795_307_267)), "{text}");
        }
        assert_eq!(parse_time("2026-11-22"), Ok(UnixTime(1_795_305_600)));
        for text in ["", "yesterday", "-1", "1960-01-01", "2026-13-01"] {
            assert!(parse_time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn strangers_text_steers_no_terminal() {
        assert_eq!(harmless("a\u{1b}[31mb\u{202e}c\nd"), "a\u{fffd}[31mb\u{fffd}c\nd");
    }
}
