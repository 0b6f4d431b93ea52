//! Options of every command that acts for an entity or reads the registries.

use std::path::PathBuf;
use std::sync::Arc;

use clap::Args;
use testamur_client::credentials::JURISDICTIONS;
use testamur_client::node::Connections;
use testamur_client::nodes::Nodes;
use testamur_client::registry::Registry;
use testamur_primitives::did::Did;
use testamur_primitives::hash::SchemaId;
use testamur_primitives::issuers::accreditation::{Scope, parse_schema_id, specific_types};
use testamur_primitives::issuers::{Entity, Identifier, IdentifierScheme, LegalName};
use testamur_primitives::trust::TrustFile;

use super::Home;
use crate::exit::CommandError;
use crate::keystore::{Access, PassphraseOptions, Protection};
use crate::networks;
use crate::profile::Profile;

/// Which network, and by which nodes.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct LedgerOptions {
    /// A node to ask; may be given several times [default: the home's, else the development network's]
    #[arg(long, value_name = "URL")]
    pub(crate) node: Vec<String>,
    /// Trust this file in place of the installed networks
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
}

impl LedgerOptions {
    /// Nodes of a network, verified against its trust file. A home knows both.
    pub(crate) async fn connect(&self, home: Option<&Home>) -> Result<Registry, CommandError> {
        let profile = Profile::installed()?.filter(|p| home.is_none_or(|home| home.file.network == p.network));
        let addresses = match (self.node.as_slice(), home, &profile) {
            ([], Some(home), _) if !home.file.nodes.is_empty() => home.file.nodes.clone(),
            ([], _, Some(profile)) if !profile.nodes.is_empty() => profile.nodes.clone(),
            ([], _, _) => {
                return Err(CommandError::failed(
                    "ledger.node",
                    "no node was given and no development network is installed",
                    "give --node URL, or start `testamur dev`",
                ));
            }
            (given, _, _) => given.to_vec(),
        };
        let unreachable = |e| CommandError::failed("ledger.node", e, "check --node, and whether the nodes run");
        let nodes = Nodes::new(&addresses, &Connections::default()).map_err(unreachable)?;
        let trust = match (&self.trust, home, &profile) {
            (Some(path), _, _) => networks::read(path)?.trust,
            (None, Some(home), _) => networks::require(home.file.network)?.trust,
            (None, None, Some(profile)) if self.node.is_empty() => networks::require(profile.network)?.trust,
            (None, None, _) => networks::require(nodes.network().await.map_err(unreachable)?.genesis)?.trust,
        };
        if let Some(home) = home.filter(|home| home.file.network != trust.network()) {
            return Err(CommandError::content(
                home.directory(),
                format!("is on network {}, the trust file is of {}", home.file.network, trust.network()),
                "give the trust file of the home's network",
            ));
        }
        Ok(Registry::new(nodes, Arc::new(trust)))
    }

    /// The addresses that a new home keeps.
    pub(crate) fn addresses(&self, registry: &Registry) -> Vec<String> {
        if self.node.is_empty() {
            registry.nodes().nodes().iter().map(|node| node.name().to_owned()).collect()
        } else {
            self.node.clone()
        }
    }
}

/// Whose home, and what opens its keys.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct HomeOptions {
    /// The entity's home [default: entity under $TESTAMUR_HOME]
    #[arg(long, value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseOptions,
    /// Do not encrypt new keys, accept unencrypted ones: for development networks
    #[arg(long)]
    insecure_dev: bool,
}

impl HomeOptions {
    /// Of a home elsewhere, with the same passphrase.
    pub(crate) fn at(&self, directory: PathBuf) -> Self {
        Self { home: Some(directory), ..self.clone() }
    }

    /// Of a service's configuration.
    pub(crate) fn of_service(directory: PathBuf, passphrase: PassphraseOptions, insecure_dev: bool) -> Self {
        Self { home: Some(directory), passphrase, insecure_dev }
    }

    /// Of a home with unencrypted keys.
    pub(crate) fn insecure(directory: PathBuf) -> Self {
        Self { home: Some(directory), insecure_dev: true, ..Self::default() }
    }

    /// Where it is.
    pub(crate) fn directory(&self) -> Result<PathBuf, CommandError> {
        match &self.home {
            Some(directory) => Ok(directory.clone()),
            None => Ok(networks::home()?.join("entity")),
        }
    }

    /// Opens it.
    pub(crate) fn open(&self) -> Result<Home, CommandError> {
        Home::open(&self.directory()?)
    }

    /// Opens it if it is there.
    pub(crate) fn find(&self) -> Result<Option<Home>, CommandError> {
        let directory = self.directory()?;
        if Home::exists(&directory) { Home::open(&directory).map(Some) } else { Ok(None) }
    }

    /// What opens its keys.
    pub(crate) fn access(&self) -> Result<Access, CommandError> {
        Ok(Access { passphrase: self.passphrase.read()?, insecure_dev: self.insecure_dev })
    }

    /// How new keys are written: under a passphrase; without one in a development network of this machine only.
    pub(crate) fn protection(&self, trust: &TrustFile) -> Result<Protection, CommandError> {
        if let Some(passphrase) = self.passphrase.read()? {
            return passphrase.check_new().map(Protection::Passphrase);
        }
        let dev = Profile::installed()?.is_some_and(|profile| profile.network == trust.network());
        if self.insecure_dev || dev {
            return Ok(Protection::InsecureDev);
        }
        self.passphrase.require()?.check_new().map(Protection::Passphrase)
    }
}

/// Who an entity is.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct EntityOptions {
    /// Its legal name, the official one first: LANGUAGE=NAME, such as fr=Université de Namur; may be given several times
    #[arg(long, value_name = "LANG=NAME", value_parser = parse_name)]
    pub(crate) name: Vec<LegalName>,
    /// Its country: two capital letters (ISO 3166-1)
    #[arg(long, value_name = "CC")]
    pub(crate) country: Option<String>,
    /// Its identifier in a register: eter=…, deqar=… or vat=…; may be given several times
    #[arg(long, value_name = "REGISTER=ID", value_parser = parse_identifier)]
    pub(crate) identifier: Vec<Identifier>,
}

impl EntityOptions {
    /// The entity; none when no name was given.
    pub(crate) fn entity(&self) -> Result<Option<Entity>, CommandError> {
        if self.name.is_empty() {
            return Ok(None);
        }
        let country = self.country.clone().ok_or_else(|| CommandError::Usage("--name needs --country CC".into()))?;
        Ok(Some(Entity { names: self.name.clone(), country, identifiers: self.identifier.clone() }))
    }

    /// The entity, which must be given.
    pub(crate) fn require(&self) -> Result<Entity, CommandError> {
        self.entity()?.ok_or_else(|| {
            CommandError::Usage("the legal name is needed: --name LANG=NAME --country CC, such as --name \"en=Demo University\" --country LU".into())
        })
    }
}

fn parse_name(text: &str) -> Result<LegalName, String> {
    let (lang, name) = text.split_once('=').ok_or("expected LANG=NAME, such as en=University of Example")?;
    if !(2..=35).contains(&lang.len()) || name.trim().is_empty() {
        return Err("expected LANG=NAME, such as en=University of Example".into());
    }
    Ok(LegalName { lang: lang.to_owned(), name: name.trim().to_owned() })
}

fn parse_identifier(text: &str) -> Result<Identifier, String> {
    let (scheme, value) = text.split_once('=').ok_or("expected REGISTER=ID, such as eter=LU0001")?;
    let scheme = match scheme {
        "eter" => IdentifierScheme::Eter,
        "deqar" => IdentifierScheme::Deqar,
        "vat" => IdentifierScheme::Vat,
        _ => return Err("the register is eter, deqar or vat".into()),
    };
    Ok(Identifier { scheme, value: value.to_owned() })
}

/// What somebody is accredited for.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct ScopeOptions {
    /// What it may issue or accredit: SCHEMA=TYPE,TYPE; may be given several times [default: all that its accreditor may]
    #[arg(long = "for", value_name = "SCHEMA=TYPE,…", value_parser = parse_scope)]
    pub(crate) scope: Vec<Scope>,
    /// Where: a code of the EU's list of administrative units (LUX, DEU_BY) or a URI of it; may be given several times
    /// [default: everywhere that its accreditor may]
    #[arg(long, value_name = "CODE")]
    pub(crate) jurisdiction: Vec<String>,
}

impl ScopeOptions {
    /// The scopes, for the given jurisdictions.
    pub(crate) fn scopes(&self) -> Vec<Scope> {
        let jurisdictions: Vec<_> = self.jurisdiction.iter().map(|code| jurisdiction(code)).collect();
        let mut scopes = self.scope.clone();
        for scope in &mut scopes {
            scope.jurisdictions.extend(jurisdictions.iter().cloned());
        }
        scopes
    }
}

/// A jurisdiction's URI, from its code or as it is.
pub(crate) fn jurisdiction(code: &str) -> String {
    if code.contains(':') { code.to_owned() } else { format!("{JURISDICTIONS}{code}") }
}

/// A schema's id in any of its spellings.
pub(crate) fn parse_schema(text: &str) -> Result<SchemaId, String> {
    parse_schema_id(text).ok_or_else(|| "a schema is named by its id (z… or 0x…) or its URL".into())
}

fn parse_scope(text: &str) -> Result<Scope, String> {
    // The last sign divides: a schema's URL may hold others.
    let (schema, types) = text.rsplit_once('=').ok_or("expected SCHEMA=TYPE,TYPE such as z…=UniversityDegree")?;
    let types = specific_types(types.split(',').map(str::trim).filter(|t| !t.is_empty()));
    if types.is_empty() {
        return Err("at least one type besides VerifiableCredential and VerifiableAttestation is expected".into());
    }
    Ok(Scope { schema: parse_schema(schema)?, types, jurisdictions: Default::default() })
}

/// A DID as people give it.
pub(crate) fn parse_did(text: &str) -> Result<Did, String> {
    text.replace("%3A", ":").replace("%3a", ":").parse().map_err(|e: testamur_primitives::did::DidError| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_are_read_and_refused_with_an_example() {
        let id = SchemaId::from_bytes([7; 32]);
        let text = testamur_primitives::schemas::multibase(id);
        for given in [format!("{text}=A,B"), format!("https://x/schemas/{text}=B, A"), format!("0x{id}=A,B,A")] {
            let scope = parse_scope(&given).unwrap();
            assert_eq!((scope.schema, scope.types.len()), (id, 2), "{given}");
        }
        for bad in ["", "x=A", &format!("{text}="), &format!("{text}=VerifiableCredential")] {
            assert!(parse_scope(bad).is_err(), "{bad}");
        }
        assert_eq!(jurisdiction("LUX"), "https://publications.europa.eu/resource/authority/atu/LUX");
        assert_eq!(jurisdiction("https://x/y"), "https://x/y");
        assert_eq!(parse_name("fr=Université").unwrap().lang, "fr");
        assert!(parse_name("Université").is_err() && parse_name("fr= ").is_err());
        assert!(parse_identifier("eter=LU0001").is_ok() && parse_identifier("isbn=1").is_err());
        assert!(parse_did("did%3Aebsi%3Az25").is_ok() && parse_did("ebsi:z").is_err());
    }
}
