//! `testamur diploma issue`: from the university's books to diplomas in force, in files.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use testamur_credentials::credential::Format;
use testamur_primitives::hash::RecordId;
use testamur_primitives::units::{Height, UnixTime};
use testamur_registrar::import::{self, Fault, Import, Kind, Map};
use testamur_registrar::issue::{IssuePreview, Sorted};
use testamur_registrar::limits::{FAULTS_SHOWN_MAX, MAP_BYTES_MAX, TABLE_BYTES_MAX};
use testamur_registrar::store::{Award, AwardKey, Draft};
use testamur_registrar::{Office, OfficeError, Options, Progress};

use crate::entity::office;
use crate::entity::options::{HomeOptions, LedgerOptions};
use crate::exit::{CommandError, Exit};
use crate::output::{Output, Tone, rfc3339, utc};
use crate::{files, service};

/// Rows that a dry run shows.
const SHOWN: usize = 5;

/// A format, as command lines name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FormatName {
    /// SD-JWT VC: the graduate chooses what to show
    SdJwt,
    /// W3C Verifiable Credentials 2.0 (vc+jwt)
    Vcdm2,
    /// EBSI's JWT
    Ebsi,
}

impl From<FormatName> for Format {
    fn from(name: FormatName) -> Self {
        match name {
            FormatName::SdJwt => Self::SdJwt,
            FormatName::Vcdm2 => Self::Vcdm2,
            FormatName::Ebsi => Self::Ebsi,
        }
    }
}

/// A file of graduates, and how it is read.
#[derive(Debug, Args)]
pub(crate) struct Graduates {
    /// The graduates: CSV or JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) from: PathBuf,
    /// How its columns become diplomas: a TOML file
    #[arg(long, value_name = "FILE")]
    pub(crate) map: PathBuf,
    /// The file's encoding, such as windows-1252 [default: told from its bytes]
    #[arg(long, value_name = "NAME")]
    encoding: Option<String>,
}

impl Graduates {
    /// Reads both files.
    pub(crate) fn read(&self) -> Result<(Import, Map), CommandError> {
        let refuse = |path: &Path, e: import::ImportError| {
            CommandError::failed(e.code(), format!("{}: {e}", path.display()), e.hint())
        };
        let map = files::read_at_most(&self.map, MAP_BYTES_MAX)?;
        let map = String::from_utf8(map).map_err(|_| refuse(&self.map, import::ImportError::Map("no UTF-8".into())))?;
        let map = Map::parse(&map).map_err(|e| refuse(&self.map, e))?.with_encoding(self.encoding.clone());
        let bytes = files::read_at_most(&self.from, TABLE_BYTES_MAX)?;
        let kind = Kind::of(&self.from.to_string_lossy(), &bytes);
        let import = import::read(&bytes, kind, &map).map_err(|e| {
            let path = if e.code() == "import.map" { &self.map } else { &self.from };
            refuse(path, e)
        })?;
        Ok((import, map))
    }
}

/// Arguments of `diploma issue`.
#[derive(Debug, Args)]
#[command(after_help = "\
An award (the graduate's id and the award's id in your books) gets one diploma: running this again issues what is new, \
writes files that are missing, and goes on where it was broken off. A row that changed is refused: correct the diploma \
with `testamur diploma correct`. Nothing is issued unless every row is good, or --skip-invalid says otherwise.")]
pub(crate) struct Issue {
    #[command(flatten)]
    graduates: Graduates,
    /// The folder that the diplomas are written to
    #[arg(long, short, value_name = "DIR", default_value = "diplomas")]
    out: PathBuf,
    /// Show what would be issued; sign and send nothing
    #[arg(long)]
    dry_run: bool,
    /// Issue the good rows although others are not
    #[arg(long)]
    skip_invalid: bool,
    /// Make no PDFs
    #[arg(long)]
    no_pdf: bool,
    /// The format; may be given several times [default: the map's, else sd-jwt]
    #[arg(long, value_enum, value_name = "NAME")]
    format: Vec<FormatName>,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// What came of it.
#[derive(Serialize)]
struct Done {
    issued: usize,
    already: usize,
    skipped: usize,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    faults: Vec<Fault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    record: Option<RecordId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<UnixTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<Height>,
    out: PathBuf,
    files: usize,
}

impl Issue {
    /// Runs it.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        service::runtime()?.block_on(self.issue(output))
    }

    async fn issue(self, output: &Output) -> Result<Exit, CommandError> {
        let (import, map) = self.graduates.read()?;
        let office = office::open(&self.home, &self.ledger, output).await?;
        let bar = Bar::new(output);
        let options = self.options(&map, &office);
        if !self.dry_run {
            for finished in office.resume_issuing(&|p| bar.show(p)).await? {
                bar.clear();
                output.note(format!("begun earlier and done now: {} diplomas", finished.job.diplomas.len()));
            }
        }
        let Import { drafts, mut faults, notes, rows, .. } = import;
        let Sorted { new, same, changed } = office.sort(drafts)?;
        faults.extend(changed.iter().map(|(row, _)| Fault {
            row: *row,
            column: None,
            problem: "was issued with other content".into(),
            hint: "an issued diploma is never overwritten: correct it with `testamur diploma correct --from`".into(),
        }));
        let preview = if new.is_empty() { None } else { Some(office.preview_issue(&new, &options).await?) };
        let unfit: Vec<_> = preview.iter().flat_map(|preview| preview.faults.clone()).collect();
        faults.extend(unfit.iter().map(|(row, problem)| Fault {
            row: *row,
            column: None,
            problem: problem.clone(),
            hint: String::new(),
        }));
        faults.sort();
        if self.dry_run {
            let (already, preview) = (same.len(), preview.as_ref());
            Trial { rows, new: &new, already, faults: &faults, notes: &notes, preview }.show(output);
            return Ok(if faults.is_empty() { Exit::Ok } else { Exit::Operational });
        }
        if !faults.is_empty() && !self.skip_invalid {
            return Err(refused(&faults, rows));
        }
        notes.iter().skip(1).for_each(|note| output.note(note));
        let mut good: Vec<(usize, Draft)> = new;
        good.retain(|(row, _)| unfit.iter().all(|(other, _)| other != row));
        let mut keys: Vec<AwardKey> = same.iter().map(|(_, award)| award.key).collect();
        keys.extend(good.iter().map(|(_, draft)| office.store().key_of(&draft.award)));
        let mut finished = None;
        while !good.is_empty() && finished.is_none() {
            let drafts = good.iter().map(|(_, draft)| draft.clone()).collect();
            match office.issue(drafts, &options, &|p| bar.show(p)).await {
                Ok(done) => finished = Some(done),
                Err(OfficeError::Drafts(unmade)) => {
                    // What only shows when a page is laid out: a letter that no font has, a text that does not fit.
                    let reason = |draft: &Draft| unmade.iter().find(|(award, _)| *award == draft.award);
                    let found = good.iter().filter_map(|(row, draft)| {
                        let (_, problem) = reason(draft)?;
                        Some(Fault { row: *row, column: None, problem: problem.clone(), hint: String::new() })
                    });
                    faults.extend(found.collect::<Vec<_>>());
                    if !self.skip_invalid {
                        bar.clear();
                        return Err(refused(&faults, rows));
                    }
                    good.retain(|(_, draft)| reason(draft).is_none());
                    let left: Vec<_> = good.iter().map(|(_, draft)| office.store().key_of(&draft.award)).collect();
                    keys.retain(|key| left.contains(key) || same.iter().any(|(_, award)| award.key == *key));
                }
                Err(error) => {
                    bar.clear();
                    return Err(error.into());
                }
            }
        }
        let issued: Vec<AwardKey> = finished.iter().flat_map(|f| f.job.diplomas.iter().map(|d| d.award)).collect();
        let mut summary = Summary::new(&issued);
        let written =
            office.write_files(&keys, &self.out, &|p| bar.show(p), |award, names| summary.add(award, names))?;
        bar.clear();
        summary.write(&self.out)?;
        let done = Done {
            issued: issued.len(),
            already: same.len(),
            skipped: faults.iter().map(|fault| fault.row).collect::<std::collections::BTreeSet<_>>().len(),
            faults,
            record: finished.as_ref().map(|f| f.record),
            time: finished.as_ref().map(|f| f.time),
            height: finished.as_ref().map(|f| f.height),
            out: self.out,
            files: written.made,
        };
        output.result(&done, || told(&done, output));
        Ok(Exit::Ok)
    }

    fn options(&self, map: &Map, office: &Office) -> Options {
        let mut formats: std::collections::BTreeSet<Format> = self.format.iter().map(|name| (*name).into()).collect();
        for more in [&map.formats, &office.settings().formats] {
            if formats.is_empty() {
                formats = more.clone();
            }
        }
        Options { formats, print: !self.no_pdf }
    }
}

/// What a dry run found.
struct Trial<'a> {
    rows: usize,
    new: &'a [(usize, Draft)],
    already: usize,
    faults: &'a [Fault],
    notes: &'a [String],
    preview: Option<&'a IssuePreview>,
}

impl Trial<'_> {
    fn show(&self, output: &Output) {
        let Self { rows, new, already, faults, notes, preview } = *self;
        let json = serde_json::json!({
            "rows": rows, "new": new.len(), "already": already, "faults": faults, "notes": notes, "preview": preview,
        });
        output.result(&json, || {
            let mut text = format!("{}\n", output.paint(Tone::Strong, "DRY RUN: nothing was signed or sent"));
            notes.iter().for_each(|note| text.push_str(&format!("  {note}\n")));
            text.push_str(&format!("  {rows} rows: {} to issue, {already} issued already, ", new.len()));
            text.push_str(&format!("{} faults\n", faults.len()));
            if let Some(preview) = preview {
                for (types, count) in &preview.types {
                    text.push_str(&format!("  {count:>6}  {types}\n"));
                }
                text.push_str(&format!(
                    "  On the ledger: {} record{} with {} salted commitments under one root; no name, no date, no grade.\n",
                    preview.records,
                    if preview.records == 1 { "" } else { "s" },
                    preview.commitments,
                ));
                if !preview.lists.is_empty() {
                    let names: Vec<_> = preview.lists.iter().map(ToString::to_string).collect();
                    text.push_str(&format!("  Status lists that are begun: {}\n", names.join(", ")));
                }
            }
            for (row, draft) in new.iter().take(SHOWN) {
                let text_of = |name: &str| draft.content.get(name).and_then(|v| v.as_str()).unwrap_or_default().to_owned();
                let title = draft.content.get("title").and_then(|t| t[0]["text"].as_str()).unwrap_or_default();
                text.push_str(&format!(
                    "  row {row}: {} {}, born {}, {title} ({})\n",
                    text_of("givenName"),
                    text_of("familyName"),
                    text_of("dateOfBirth"),
                    draft.award,
                ));
            }
            if new.len() > SHOWN {
                text.push_str(&format!("  … and {} more\n", new.len() - SHOWN));
            }
            text.push_str(&lines(faults));
            text
        });
    }
}

fn told(done: &Done, output: &Output) -> String {
    let mut text = match (done.time, done.height) {
        (Some(time), Some(height)) => format!(
            "{} {} diplomas, anchored by one record in block {height} at {}; each was verified again\n",
            output.paint(Tone::Good, "ISSUED:"),
            done.issued,
            utc(time)
        ),
        _ => "Nothing new to issue.\n".to_owned(),
    };
    if done.already > 0 {
        text.push_str(&format!("  {} were issued already\n", done.already));
    }
    if !done.faults.is_empty() {
        text.push_str(&format!("  {} rows were skipped:\n{}", done.skipped, lines(&done.faults)));
    }
    text.push_str(&format!("  {} files written to {}\n", done.files, done.out.display()));
    text
}

fn lines(faults: &[Fault]) -> String {
    let mut text: String = faults.iter().take(FAULTS_SHOWN_MAX).map(|fault| format!("  {fault}\n")).collect();
    if faults.len() > FAULTS_SHOWN_MAX {
        text.push_str(&format!("  … and {} more\n", faults.len() - FAULTS_SHOWN_MAX));
    }
    text
}

/// The error for a file with rows that cannot be issued.
pub(crate) fn refused(faults: &[Fault], rows: usize) -> CommandError {
    let bad: std::collections::BTreeSet<_> = faults.iter().map(|fault| fault.row).collect();
    CommandError::failed(
        "import.rows",
        format!("{} of {rows} rows cannot be issued, so nothing was:\n{}", bad.len(), lines(faults).trim_end()),
        "correct them and run it again, or issue the others with --skip-invalid",
    )
}

/// What was issued, for the books: ids, no names.
struct Summary<'a> {
    issued: &'a [AwardKey],
    lines: Vec<String>,
}

impl<'a> Summary<'a> {
    fn new(issued: &'a [AwardKey]) -> Self {
        Self { issued, lines: Vec::new() }
    }

    fn add(&mut self, award: &Award, names: &[String]) {
        let Some(diploma) = Office::issued_edition(award).and_then(|edition| award.edition(edition)) else { return };
        let result = if diploma.edition == 1 && self.issued.contains(&award.key) { "issued" } else { "already issued" };
        let digest = diploma.copies.values().next().map(|copy| hex::encode(copy.digest)).unwrap_or_default();
        let cell = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        self.lines.push(format!(
            "{},{},{result},{},{},{digest},{}",
            cell(&award.id.registrar),
            cell(&award.id.award),
            diploma.state.name(),
            diploma.issued.map(rfc3339).unwrap_or_default(),
            cell(names.first().map_or("", String::as_str)),
        ));
    }

    fn write(mut self, folder: &Path) -> Result<(), CommandError> {
        self.lines.sort();
        let text = format!("registrar,award,result,state,issued,sha256,file\n{}\n", self.lines.join("\n"));
        files::replace(&folder.join("summary.csv"), text.as_bytes(), 0o600)
    }
}

/// A line on a terminal that says how far the work is; nothing elsewhere.
pub(crate) struct Bar {
    shown: bool,
}

impl Bar {
    /// For where a command prints.
    pub(crate) fn new(output: &Output) -> Self {
        Self { shown: !output.is_json() && !output.is_quiet() && std::io::stderr().is_terminal() }
    }

    /// Shows it.
    pub(crate) fn show(&self, progress: Progress) {
        if self.shown {
            let Progress { doing, done, of } = progress;
            let filled = (done.min(of) * 30).checked_div(of).unwrap_or(0);
            let (full, rest) = ("#".repeat(filled), ".".repeat(30 - filled));
            // Whoever does not see it loses nothing.
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K[{full}{rest}] {doing} {done} of {of}");
        }
    }

    /// Takes it away.
    pub(crate) fn clear(&self) {
        if self.shown {
            let _ = write!(std::io::stderr().lock(), "\r\u{1b}[K");
        }
    }
}
