//! The chain drawn as a tree: from the Root TAO down to the DID that was asked for, and what lies below it.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;
use testamur_client::credentials::JURISDICTIONS;
use testamur_client::registry::{At, Read, Registry};
use testamur_primitives::did::Did;
use testamur_primitives::hash::AttributeId;
use testamur_primitives::issuers::accreditation::Scope;
use testamur_primitives::issuers::chain::{ChainRefusal, trust_chain};
use testamur_primitives::issuers::{self, AttributeEntry, memory};
use testamur_primitives::limits::CHAIN_LINKS_MAX;
use testamur_primitives::schemas::multibase;
use testamur_primitives::state::evidence::ProvenState;
use testamur_primitives::units::UnixTime;

use super::{name_of, warn_of};
use crate::entity::desk::unproven;
use crate::entity::options::{HomeOptions, LedgerOptions, parse_did};
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::output::{Output, Tone, now, parse_time, utc};

/// Accreditations drawn below one: more would be no picture any more.
const BELOW_MAX: usize = 100;

/// Arguments of `trust show`.
#[derive(Debug, Args)]
pub(crate) struct Show {
    /// Whose chain [default: the home's]
    #[arg(value_parser = parse_did)]
    did: Option<Did>,
    /// As of this time: 2027-01-31T12:00:00Z, a date, or seconds since 1970 [default: now]
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    at: Option<UnixTime>,
    /// Keep the proof of the chain in this file: it verifies offline against the trust file
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// An accreditation in the picture.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Branch {
    attribute: AttributeId,
    did: Did,
    name: String,
    r#type: &'static str,
    /// `in-force`, or why not: a name of `chain.*`.
    state: String,
    /// The same for a person.
    explanation: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_from: Option<UnixTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    valid_until: Option<UnixTime>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<UnixTime>,
    #[serde(rename = "for")]
    scopes: Vec<String>,
    /// Whether it is one of the DID that was asked for.
    asked: bool,
    below: Vec<Branch>,
}

#[derive(Serialize)]
struct Shown {
    did: Did,
    at: UnixTime,
    height: u64,
    time: u64,
    node: String,
    accreditations: Vec<Branch>,
}

impl Show {
    pub(super) async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let home = if self.did.is_some() { None } else { Some(self.home.open()?) };
        let did = self.did.clone().unwrap_or_else(|| home.as_ref().expect("opened above").did().clone());
        let registry = self.ledger.connect(home.as_ref()).await?;
        let found = tree(&registry, &did, self.at.into()).await?;
        warn_of(&found.passed_over, output);
        if let Some(path) = &self.evidence {
            files::replace(path, &found.evidence.encode(), 0o644)?;
        }
        let shown = Shown {
            at: self.at.unwrap_or(now()?.max(found.header.time)),
            height: found.header.height.0,
            time: found.header.time.0,
            node: found.server,
            accreditations: found.value,
            did,
        };
        output.result(&shown, || {
            let proven = format!(
                "As of {}, proven by block {} of {}, from {}.",
                utc(shown.at),
                shown.height,
                utc(UnixTime(shown.time)),
                shown.node,
            );
            if shown.accreditations.is_empty() {
                return format!(
                    "{} {}\n  No accreditation was ever reserved for it. {proven}",
                    output.paint(Tone::Warning, "NOT ACCREDITED"),
                    shown.did,
                );
            }
            format!("{}\n{proven}", draw(&shown.accreditations, output))
        });
        Ok(Exit::Ok)
    }
}

/// The accreditations of a DID, each under those above it, with those that it gave.
pub(crate) async fn tree(
    registry: &Registry,
    did: &Did,
    at: At,
) -> Result<testamur_client::registry::Proven<Vec<Branch>>, CommandError> {
    // Lists are a node's word; each accreditation on them is then proven like any other.
    let mut below = Vec::new();
    let mut accreditors = vec![did.clone()];
    for _ in 1..CHAIN_LINKS_MAX {
        let mut next = Vec::new();
        for accreditor in &accreditors {
            let listed = registry.accreditations_by(accreditor, BELOW_MAX).await.unwrap_or_default();
            for id in listed {
                if below.len() < BELOW_MAX && !below.contains(&id) {
                    below.push(id);
                    let entry = registry.attribute(id, at).await.map_err(|e| unproven(&e))?.value;
                    next.extend(entry.map(|entry| entry.subject));
                }
            }
        }
        next.retain(|subject| subject != did);
        accreditors = next;
    }
    let first = [issuers::keys::issuer(did).head()];
    let proven = registry.read(&first, |state| forest(state, did, &below, at)).await.map_err(|e| unproven(&e))?;
    Ok(proven)
}

fn forest(state: &ProvenState, did: &Did, below: &[AttributeId], at: At) -> Read<Vec<Branch>> {
    let own = issuers::issuer(state, did)?.map_or_else(Vec::new, |issuer| issuer.attributes);
    let mut roots: Vec<Branch> = Vec::new();
    for id in own.iter().chain(below) {
        // From the accreditation up to its root, then woven in from the root down.
        let mut path = Vec::new();
        let mut next = *id;
        while path.len() < CHAIN_LINKS_MAX && next != AttributeId::ZERO {
            let entry = match at {
                At::Now => issuers::attribute(state, next)?,
                At::Time(time) => issuers::attribute_at(state, next, time)?,
            };
            let Some(entry) = entry else { break };
            let parent = entry.parent;
            path.push(branch(state, next, &entry, did, at)?);
            next = parent;
        }
        weave(&mut roots, path);
    }
    Ok(roots)
}

fn weave(into: &mut Vec<Branch>, mut path: Vec<Branch>) {
    let Some(top) = path.pop() else { return };
    let place = match into.iter().position(|branch| branch.attribute == top.attribute) {
        Some(place) => place,
        None => {
            into.push(top);
            into.len() - 1
        }
    };
    weave(&mut into[place].below, path);
}

fn branch(state: &ProvenState, id: AttributeId, entry: &AttributeEntry, asked: &Did, at: At) -> Read<Branch> {
    let chain = trust_chain(state, id, at.resolve(state))?;
    let credential = entry.credential.as_deref().and_then(|jwt| memory::read(jwt).ok());
    let (name, explanation) = match &chain {
        Ok(_) => ("in-force".to_owned(), "in force".to_owned()),
        Err(ChainRefusal::NotInPlace(_)) if entry.credential.is_none() => {
            ("reserved".to_owned(), "reserved, its subject has not filled it yet".to_owned())
        }
        Err(refusal) => (refusal.code().to_owned(), refusal.to_string()),
    };
    let unlimited = credential.as_ref().is_some_and(|credential| credential.is_unlimited());
    let scopes = credential.as_ref().map_or_else(Vec::new, |credential| credential.scopes.iter().map(scope).collect());
    Ok(Branch {
        attribute: id,
        did: entry.subject.clone(),
        name: name_of(&entry.entity),
        r#type: entry.issuer_type.ebsi_name(),
        state: name,
        explanation,
        valid_from: credential.as_ref().map(|c| c.valid_from),
        valid_until: credential.as_ref().and_then(|c| c.valid_until),
        ended: entry.ended.map(|ended| ended.effective),
        scopes: if unlimited { vec!["everything".into()] } else { scopes },
        asked: entry.subject == *asked,
        below: Vec::new(),
    })
}

fn scope(scope: &Scope) -> String {
    let types: Vec<_> = scope.types.iter().map(String::as_str).collect();
    let places: Vec<_> = scope.jurisdictions.iter().map(|j| j.strip_prefix(JURISDICTIONS).unwrap_or(j)).collect();
    let places = if places.is_empty() { String::new() } else { format!(" in {}", places.join(", ")) };
    format!("{} of schema {}{places}", types.join(", "), multibase(scope.schema))
}

/// Draws accreditations, each below the one that it rests on.
pub(crate) fn draw(branches: &[Branch], output: &Output) -> String {
    let mut text = String::new();
    for branch in branches {
        draw_one(branch, "", "", output, &mut text);
    }
    text
}

fn draw_one(branch: &Branch, first: &str, rest: &str, output: &Output, text: &mut String) {
    let tone = match branch.state.as_str() {
        "in-force" => Tone::Good,
        "reserved" => Tone::Warning,
        _ => Tone::Bad,
    };
    let name =
        if branch.asked { output.paint(Tone::Strong, &branch.name) } else { output.paint(Tone::Faint, &branch.name) };
    *text += &format!("{first}{}  {name}  {}\n", branch.r#type, output.paint(tone, &branch.explanation));
    let bar = if branch.below.is_empty() { "  " } else { "│ " };
    let mut row = |words: String| *text += &format!("{rest}{bar}{words}\n");
    row(branch.did.to_string());
    for scope in &branch.scopes {
        row(format!("for {scope}"));
    }
    let day = |time: UnixTime| utc(time).split(' ').next().unwrap_or_default().to_owned();
    let until = branch.valid_until.map_or_else(|| "without end".to_owned(), |until| format!("until {}", day(until)));
    let from = branch.valid_from.map_or_else(String::new, |from| format!("from {} {until}, ", day(from)));
    row(format!("{from}accreditation {}", branch.attribute));
    if let Some(ended) = branch.ended {
        row(format!("ends {}", utc(ended)));
    }
    let count = branch.below.len();
    for (number, below) in branch.below.iter().enumerate() {
        let last = number + 1 == count;
        let (first, next) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        draw_one(below, &format!("{rest}{first}"), &format!("{rest}{next}"), output, text);
    }
}
