//! `testamur diploma export|list|show`: what was issued, from the archive.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use testamur_primitives::units::UnixTime;
use testamur_registrar::files::format_name;
use testamur_registrar::store::{Award, AwardKey, State};
use testamur_registrar::{Office, OfficeError};

use super::issue::Bar;
use crate::entity::office;
use crate::entity::options::{HomeOptions, LedgerOptions};
use crate::exit::{CommandError, Exit};
use crate::output::{Output, Tone, utc};
use crate::service;

/// Arguments of `diploma export`.
#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The award's id, or REGISTRAR/AWARD; may be given several times
    #[arg(value_name = "ID", required_unless_present = "all")]
    id: Vec<String>,
    /// Everything that was issued
    #[arg(long, conflicts_with = "id")]
    all: bool,
    /// The folder to write to
    #[arg(long, short, value_name = "DIR", default_value = ".")]
    out: PathBuf,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

#[derive(Serialize)]
struct Exported {
    diplomas: usize,
    written: usize,
    already_there: usize,
    files: Vec<String>,
    out: PathBuf,
}

impl Export {
    /// Delivers the files again, the same bytes.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let office = service::runtime()?.block_on(office::open(&self.home, &self.ledger, output))?;
        let mut keys: Vec<AwardKey> = Vec::new();
        if self.all {
            office.store().each_award(|award| {
                if Office::issued_edition(&award).is_some() {
                    keys.push(award.key);
                }
            })?;
        }
        for id in &self.id {
            keys.push(find(&office, id)?.key);
        }
        let bar = Bar::new(output);
        let mut files = Vec::new();
        let written =
            office.write_files(&keys, &self.out, &|p| bar.show(p), |_, names| files.extend_from_slice(names))?;
        bar.clear();
        files.sort();
        let done = Exported {
            diplomas: keys.len(),
            written: written.made,
            already_there: written.there,
            files,
            out: self.out,
        };
        output.result(&done, || {
            format!(
                "{} {} of {} diplomas to {}{}\n",
                output.paint(Tone::Good, "Wrote"),
                match done.written {
                    1 => "1 file".to_owned(),
                    n => format!("{n} files"),
                },
                done.diplomas,
                done.out.display(),
                match done.already_there {
                    0 => String::new(),
                    n => format!("; {n} were there already, with the same bytes"),
                },
            )
        });
        Ok(Exit::Ok)
    }
}

/// The one award of a name.
pub(crate) fn find(office: &Office, id: &str) -> Result<Award, CommandError> {
    let mut found = office.store().find(id)?;
    match (found.pop(), found.len()) {
        (Some(award), 0) => Ok(award),
        (None, _) => Err(OfficeError::Unknown(id.to_owned()).into()),
        (Some(last), _) => {
            let names: Vec<_> = found.iter().chain([&last]).map(|award| award.id.to_string()).collect();
            Err(CommandError::failed(
                "diploma.ambiguous",
                format!("{id} is the award of several graduates: {}", names.join(", ")),
                "say REGISTRAR/AWARD",
            ))
        }
    }
}

/// Arguments of `diploma list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only those in this state: issued, suspended, revoked, replaced, prepared
    #[arg(long, value_name = "STATE", value_parser = parse_state)]
    state: Option<State>,
    /// Also show names: only where nobody looks over your shoulder
    #[arg(long)]
    names: bool,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `diploma show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The award's id, or REGISTRAR/AWARD
    #[arg(value_name = "ID")]
    id: String,
    /// Also show what it attests
    #[arg(long)]
    names: bool,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

fn parse_state(text: &str) -> Result<State, String> {
    let all = [State::Issued, State::Suspended, State::Revoked, State::Replaced, State::Prepared];
    let known = all.into_iter().find(|state| state.name() == text);
    known.ok_or_else(|| format!("a state is one of {}", all.map(State::name).join(", ")))
}

/// An edition of a diploma, as it is listed.
#[derive(Serialize)]
struct Line {
    registrar: String,
    award: String,
    edition: u32,
    state: State,
    #[serde(skip_serializing_if = "Option::is_none")]
    issued: Option<UnixTime>,
    list: String,
    index: u64,
    formats: Vec<&'static str>,
    pdf: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    replaced_by: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content: Option<serde_json::Value>,
}

fn lines_of(office: &Office, award: &Award, names: bool) -> Result<Vec<Line>, CommandError> {
    let mut lines = Vec::new();
    for diploma in &award.diplomas {
        let content = if names { office.store().content(&award.diploma(diploma.edition))? } else { None };
        lines.push(Line {
            registrar: award.id.registrar.clone(),
            award: award.id.award.clone(),
            edition: diploma.edition,
            state: diploma.state,
            issued: diploma.issued,
            list: diploma.list.to_string(),
            index: diploma.index,
            formats: diploma.copies.keys().map(|format| format_name(*format)).collect(),
            pdf: diploma.print,
            replaced_by: diploma.replaced_by,
            content: content.map(|draft| serde_json::Value::Object(draft.content)),
        });
    }
    Ok(lines)
}

fn drawn(line: &Line) -> String {
    let name = |member: &str| {
        let content = line.content.as_ref()?;
        content[member].as_str().map(|name| format!("  {name}"))
    };
    format!(
        "{:<10} {}  {}/{}{}{}{}",
        line.state.name(),
        line.issued.map_or_else(|| "not yet issued         ".to_owned(), utc),
        line.registrar,
        line.award,
        if line.edition == 1 { String::new() } else { format!(" (edition {})", line.edition) },
        name("familyName").unwrap_or_default(),
        name("givenName").unwrap_or_default(),
    )
}

impl List {
    /// Lists what was issued.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let office = service::runtime()?.block_on(office::open(&self.home, &self.ledger, output))?;
        let mut awards = Vec::new();
        office.store().each_award(|award| awards.push(award))?;
        awards.sort_by(|a, b| a.id.cmp(&b.id));
        let mut lines = Vec::new();
        for award in &awards {
            lines.extend(lines_of(&office, award, self.names)?);
        }
        lines.retain(|line| self.state.is_none_or(|state| line.state == state));
        output.result(&lines, || {
            let mut text: String = lines.iter().map(|line| format!("{}\n", drawn(line))).collect();
            text.push_str(&format!("{} diplomas", lines.len()));
            text
        });
        Ok(Exit::Ok)
    }
}

impl Show {
    /// Shows one.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let office = service::runtime()?.block_on(office::open(&self.home, &self.ledger, output))?;
        let lines = lines_of(&office, &find(&office, &self.id)?, self.names)?;
        output.result(&lines, || {
            let mut text = String::new();
            for line in &lines {
                text.push_str(&format!("{}\n", output.paint(Tone::Strong, &drawn(line))));
                text.push_str(&format!("  entry    {} of {}\n", line.index, line.list));
                text.push_str(&format!("  formats  {}\n", line.formats.join(", ")));
                text.push_str(&format!("  PDF      {}\n", if line.pdf { "yes" } else { "no" }));
                if let Some(content) = &line.content {
                    let shown = serde_json::to_string_pretty(content).expect("a content is JSON");
                    text.push_str(&format!("{shown}\n"));
                }
            }
            text
        });
        Ok(Exit::Ok)
    }
}
