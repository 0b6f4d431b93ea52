//! Making networks: keys, registrations with proofs of possession, a genesis, and the nodes' configuration.

pub(crate) mod layout;
pub(crate) mod registration;

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use testamur_primitives::did::Did;
use testamur_primitives::genesis::{Genesis, GenesisValidator, Operator, Parameters};
use testamur_primitives::trust::TrustFile;
use testamur_primitives::units::UnixTime;

use crate::commands::gateway::config_text;
use crate::exit::CommandError;
use crate::files;
use crate::keystore::{Key, KeyKind, Protection};
use layout::{Ports, node_config};
use registration::Registration;

/// A legal person in a plan: `NAME,CC`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LegalPerson {
    /// Its legal name.
    pub(crate) name: String,
    /// ISO 3166-1 alpha-2.
    pub(crate) country: String,
}

impl std::str::FromStr for LegalPerson {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, country) = text.rsplit_once(',').ok_or("expected NAME,CC such as \"Ministry of Justice,EE\"")?;
        let (name, country) = (name.trim().to_owned(), country.trim().to_owned());
        if name.is_empty() || country.len() != 2 || !country.bytes().all(|b| b.is_ascii_uppercase()) {
            return Err("expected NAME,CC with a two-letter country code in capitals".into());
        }
        Ok(Self { name, country })
    }
}

/// All that a network is made from.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// First part of the origin.
    pub(crate) domain: String,
    /// Second part of the origin.
    pub(crate) name: String,
    /// Time of height 0.
    pub(crate) time: UnixTime,
    /// Who runs each validator.
    pub(crate) validators: Vec<LegalPerson>,
    /// Who votes on changes.
    pub(crate) operators: Vec<LegalPerson>,
    /// How many of them must approve.
    pub(crate) approvals_required: u32,
    /// Authors that may write from the start and get a key.
    pub(crate) authors: usize,
    /// Until when validators' keys are in office.
    pub(crate) not_after: UnixTime,
    /// Timing and sizes.
    pub(crate) parameters: Parameters,
    /// Where everybody listens.
    pub(crate) ports: Ports,
    /// What absolute URLs in registries begin with.
    pub(crate) public_base: String,
    /// How keys are written.
    pub(crate) protection: Protection,
}

/// A network that was made.
#[derive(Debug)]
pub(crate) struct Made {
    /// Its trust file (genesis alone).
    pub(crate) trust: TrustFile,
    /// The authors' DIDs.
    pub(crate) authors: Vec<Did>,
}

/// Makes a network under `directory`, which must not be there or be empty. `extra` may add files before the directory
/// gets its name. Everything appears at once: a crash leaves a hidden directory beside it, never half a network.
pub(crate) fn make_network(
    plan: &Plan,
    directory: &Path,
    extra: impl FnOnce(&Path, &Made) -> Result<(), CommandError>,
) -> Result<Made, CommandError> {
    check_vacant(directory)?;
    let name = directory
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .ok_or_else(|| CommandError::Usage(format!("{} is not a directory that can be made", directory.display())))?;
    let draft = directory.with_file_name(format!(".{name}.{}", std::process::id()));
    files::create_private_directory(&draft)?;
    let made = write_network(plan, &draft).and_then(|made| extra(&draft, &made).map(|()| made));
    let made = match made {
        Ok(made) => made,
        Err(error) => {
            // The draft holds nothing that was there before, and no key in it is in use yet.
            let _ = fs::remove_dir_all(&draft);
            return Err(error);
        }
    };
    fs::rename(&draft, directory).map_err(|e| CommandError::file("create", directory, e))?;
    Ok(made)
}

fn check_vacant(directory: &Path) -> Result<(), CommandError> {
    let mut entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(CommandError::file("read", directory, error)),
    };
    if entries.next().is_none() {
        return Ok(());
    }
    Err(CommandError::content(
        directory,
        "is there already and not empty, and nothing is overwritten",
        "choose another --dir",
    ))
}

fn write_network(plan: &Plan, root: &Path) -> Result<Made, CommandError> {
    let mut operators = Vec::new();
    for (i, person) in plan.operators.iter().enumerate() {
        let did = write_key(&root.join(format!("operator-{i}")), KeyKind::Operator, &plan.protection)?.did();
        operators.push(Operator { did, name: person.name.clone(), country: person.country.clone() });
    }
    let mut validators = Vec::new();
    for (i, person) in plan.validators.iter().enumerate() {
        let node = root.join(format!("node-{i}"));
        files::create_private_directory(&node)?;
        let registration = Registration {
            name: format!("validator-{i}.{}.{}", plan.name, plan.domain),
            operator: person.clone(),
            // A validator is run by an operator of the network where there is one of that name, else by somebody else.
            did: plan.operators.iter().position(|o| o == person).map(|at| operators[at].did.clone()),
            not_after: plan.not_after,
        };
        validators.push(registration.write_keys(&node.join("keys"), &node.join("guard"), &plan.protection)?);
    }
    let mut authors = Vec::new();
    for i in 0..plan.authors {
        let place = if i == 0 { root.join("gateway") } else { root.join(format!("author-{i}")) };
        authors.push(write_key(&place, KeyKind::Author, &plan.protection)?.did());
    }
    let genesis = Genesis {
        v: 1,
        domain: plan.domain.clone(),
        name: plan.name.clone(),
        time: plan.time,
        protocol: 1,
        parameters: plan.parameters.clone(),
        validators,
        operators,
        approvals_required: plan.approvals_required,
        writers: authors.clone(),
        did_method: None,
        public_base: Some(plan.public_base.clone()),
        status_history_days: None,
        predecessor: None,
    };
    let genesis = write_genesis(genesis, &root.join("genesis.json"))?;
    let names: Vec<_> = genesis.validators.iter().map(|v| v.registration.name.clone()).collect();
    let insecure = matches!(plan.protection, Protection::InsecureDev);
    for i in 0..names.len() {
        let config = node_config(&plan.ports, &names, i, insecure);
        files::create(&root.join(format!("node-{i}/config.toml")), config.as_bytes(), 0o600)?;
    }
    if plan.authors > 0 {
        let nodes: Vec<_> = (0..names.len()).map(|i| plan.ports.api(i)).collect();
        let config = config_text(plan.ports.gateway(names.len()), &nodes, insecure);
        files::create(&root.join("gateway/config.toml"), config.as_bytes(), 0o600)?;
    }
    let trust = TrustFile::from_genesis(genesis);
    files::create(&root.join("trust.json"), trust.to_json().as_bytes(), 0o644)?;
    Ok(Made { trust, authors })
}

/// Writes a genesis, spaced for people to read, after it passed every rule.
pub(crate) fn write_genesis(genesis: Genesis, path: &Path) -> Result<Genesis, CommandError> {
    let mut text = serde_json::to_string_pretty(&genesis).expect("a genesis is JSON");
    text.push('\n');
    let genesis = Genesis::from_json(text.as_bytes())
        .map_err(|e| CommandError::failed("genesis.refused", e, "correct the arguments"))?;
    files::create(path, text.as_bytes(), 0o644)?;
    Ok(genesis)
}

/// Makes a key at `<directory>/<kind>.key`.
pub(crate) fn write_key(directory: &Path, kind: KeyKind, protection: &Protection) -> Result<Key, CommandError> {
    files::create_private_directory(directory)?;
    let key = Key::generate(kind)?;
    key.write(&key_path(directory, kind), protection)?;
    Ok(key)
}

/// `<directory>/<kind>.key`.
pub(crate) fn key_path(directory: &Path, kind: KeyKind) -> PathBuf {
    directory.join(format!("{}.key", kind.name()))
}

/// Checks the registrations of validators that were made elsewhere; for `testamur genesis assemble`.
pub(crate) fn read_registration(path: &Path) -> Result<GenesisValidator, CommandError> {
    let bytes = files::read_at_most(path, 64 * 1024)?;
    testamur_primitives::codec::from_strict(&bytes)
        .map_err(|e| CommandError::content(path, e, "expected a file that `testamur genesis register` wrote"))
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// The trust file of a network that is made below a directory.
    pub(crate) fn trust(directory: &Path) -> TrustFile {
        let person = LegalPerson { name: "Ministry".into(), country: "EE".into() };
        let ports = Ports { host: "127.0.0.1".parse().expect("an address"), base: 8_080 };
        let plan = Plan {
            domain: "ledger.example".into(),
            name: "test".into(),
            time: UnixTime(1_800_000_000),
            validators: vec![person.clone(); 4],
            operators: vec![person],
            approvals_required: 1,
            authors: 0,
            not_after: UnixTime(1_900_000_000),
            parameters: Parameters::default(),
            ports,
            public_base: "https://ledger.example".into(),
            protection: Protection::InsecureDev,
        };
        make_network(&plan, &directory.join("network"), |_, _| Ok(())).expect("a plan that holds").trust
    }
}
