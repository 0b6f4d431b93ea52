//! The small world of a development network: a ministry as Root TAO, an accreditation agency, two universities of which
//! one may issue micro-credentials only, an authority that certifies drivers, a city that notarises, two schemas, status
//! lists, and fifty diplomas.
//!
//! Everything is done as users do it, by records; every step looks at the ledger first. So it is seeded once, and goes on
//! at the next start where it was broken off.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use testamur_client::node::Connections;
use testamur_client::nodes::Nodes;
use testamur_client::registry::Registry;
use testamur_primitives::did::Did;
use testamur_primitives::hash::SchemaId;
use testamur_primitives::issuers::accreditation::{Scope, specific_types};
use testamur_primitives::issuers::{Entity, IssuerType};
use testamur_primitives::record::Change;
use testamur_primitives::schemas::body::canonical;
use testamur_primitives::trust::TrustFile;
use testamur_registrar::Options;
use testamur_registrar::files::Delivery;
use testamur_registrar::import::{self, Kind, Map};

use crate::commands::onboard::{Teller, accept, first_list, invited, is_registered, root};
use crate::commands::schema::publish;
use crate::commands::trust::propose;
use crate::entity::desk::{Desk, unproven};
use crate::entity::office;
use crate::entity::options::{HomeOptions, LedgerOptions, ScopeOptions};
use crate::entity::{Home, Use};
use crate::exit::CommandError;
use crate::files;
use crate::keystore::{Access, Key, KeyKind, Protection};
use crate::output::Output;

/// `genesis/world.json`: who lives in the world.
const TEMPLATE: &str = include_str!("../../../../../genesis/world.json");
/// The ministry's schema of diplomas and micro-credentials.
const DIPLOMA_SCHEMA: &str = include_str!("../../../../../genesis/schemas/diploma.json");
/// Its schema of the certificates of those who drive dangerous goods.
const DRIVER_SCHEMA: &str = include_str!("../../../../../genesis/schemas/dangerous-goods.json");
/// The university's first graduation: fictional people with names of many languages.
const GRADUATES: &[u8] = include_bytes!("../../../../../genesis/graduation/graduates.csv");
/// How its columns become diplomas.
const GRADUATION_MAP: &str = include_str!("../../../../../genesis/graduation/map.toml");
/// Years of the accreditations in it.
const YEARS: u64 = 10;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    ministry: Entity,
    agency: Entity,
    university: Entity,
    polytechnic: Entity,
    city: Entity,
    authority: Entity,
    scopes: Scopes,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scopes {
    university: Granted,
    polytechnic: Granted,
    authority: Granted,
}

/// What somebody is accredited for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Granted {
    types: Vec<String>,
    jurisdiction: String,
}

impl Granted {
    /// As options of an accreditation for a schema.
    fn options(&self, schema: SchemaId) -> ScopeOptions {
        let types = specific_types(self.types.iter().map(String::as_str));
        let scope = vec![Scope { schema, types, jurisdictions: Default::default() }];
        ScopeOptions { scope, jurisdiction: vec![self.jurisdiction.clone()] }
    }
}

/// What DIR/world/world.json says when the world is whole.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct World {
    /// The Root TAO.
    pub(crate) ministry: Did,
    /// The TAO.
    pub(crate) agency: Did,
    /// A trusted issuer, for degrees and micro-credentials.
    pub(crate) university: Did,
    /// A trusted issuer, for micro-credentials only.
    pub(crate) polytechnic: Did,
    /// A trusted issuer of drivers' certificates, accredited by the ministry itself.
    pub(crate) authority: Did,
    /// An author that no accreditation has, admitted by governance.
    pub(crate) city: Did,
    /// The schema of diplomas.
    pub(crate) schema: SchemaId,
    /// The schema of drivers' certificates.
    pub(crate) driver_schema: SchemaId,
}

/// Bytes of world.json.
const WORLD_BYTES_MAX: usize = 16 * 1024;

impl World {
    fn path(dir: &Path) -> PathBuf {
        dir.join("world/world.json")
    }

    /// The world, if it was seeded whole.
    pub(super) fn seeded(dir: &Path) -> Option<Self> {
        serde_json::from_slice(&files::read_at_most(&Self::path(dir), WORLD_BYTES_MAX).ok()?).ok()
    }
}

struct Seeding<'a> {
    dir: &'a Path,
    trust: &'a Arc<TrustFile>,
    nodes: &'a [String],
    output: &'a Output,
}

/// Seeds what is missing.
pub(crate) async fn seed(
    dir: &Path,
    trust: &Arc<TrustFile>,
    nodes: &[String],
    output: &Output,
) -> Result<World, CommandError> {
    let seeding = Seeding { dir, trust, nodes, output };
    let template: Template = serde_json::from_str(TEMPLATE).expect("genesis/world.json is read by a test");
    let teller = &mut Teller::silent(output);

    let ministry = seeding.desk("ministry", &template.ministry).await?;
    root(&ministry, &template.ministry, Some(seeding.operator_key()), teller).await?;
    let schema = seeding.schema(&ministry, "diploma", DIPLOMA_SCHEMA).await?;
    let driver_schema = seeding.schema(&ministry, "dangerous-goods", DRIVER_SCHEMA).await?;

    let Scopes { university: degrees, polytechnic: courses, authority: drivers } = &template.scopes;
    let agency = seeding.desk("agency", &template.agency).await?;
    let mut whole = degrees.options(schema);
    whole.jurisdiction.push(courses.jurisdiction.clone());
    seeding.accredit(&agency, &template.agency, IssuerType::Tao, &ministry, &whole).await?;

    let university = seeding.desk("university", &template.university).await?;
    seeding.accredit(&university, &template.university, IssuerType::Ti, &agency, &degrees.options(schema)).await?;
    first_list(&university, teller).await?;

    let polytechnic = seeding.desk("polytechnic", &template.polytechnic).await?;
    seeding.accredit(&polytechnic, &template.polytechnic, IssuerType::Ti, &agency, &courses.options(schema)).await?;
    first_list(&polytechnic, teller).await?;

    let authority = seeding.desk("authority", &template.authority).await?;
    let drivers = drivers.options(driver_schema);
    seeding.accredit(&authority, &template.authority, IssuerType::Ti, &ministry, &drivers).await?;
    first_list(&authority, teller).await?;

    let city = seeding.desk("city", &template.city).await?;
    seeding.admit(&city).await?;

    seeding.graduate().await?;

    let did = |desk: &Desk| desk.home.did().clone();
    let world = World {
        ministry: did(&ministry),
        agency: did(&agency),
        university: did(&university),
        polytechnic: did(&polytechnic),
        authority: did(&authority),
        city: did(&city),
        schema,
        driver_schema,
    };
    let text = serde_json::to_string_pretty(&world).expect("a world is JSON");
    files::replace(&World::path(dir), text.as_bytes(), 0o644)?;
    Ok(world)
}

impl Seeding<'_> {
    /// Somebody of the world, with what was begun earlier brought to an end.
    async fn desk(&self, name: &str, entity: &Entity) -> Result<Desk, CommandError> {
        let directory = self.dir.join("world").join(name);
        let options = HomeOptions::insecure(directory.clone());
        let home = match options.find()? {
            Some(home) => home,
            None => {
                let (nodes, entity) = (self.nodes.to_vec(), Some(entity.clone()));
                Home::create(&directory, self.trust, nodes, entity, &Protection::InsecureDev)?
            }
        };
        let nodes =
            Nodes::new(self.nodes, &Connections::default()).map_err(|e| CommandError::failed("dev.world", e, ""))?;
        let desk = Desk::new(home, Registry::new(nodes, Arc::clone(self.trust)), options.access()?);
        desk.settle(self.output).await?;
        Ok(desk)
    }

    fn operator_key(&self) -> PathBuf {
        self.dir.join("operator-0/operator.key")
    }

    /// Publishes one of the ministry's schemas.
    async fn schema(&self, ministry: &Desk, name: &str, text: &str) -> Result<SchemaId, CommandError> {
        let body = canonical(text)
            .map_err(|e| CommandError::failed("dev.world", format!("genesis/schemas/{name}.json: {e}"), ""))?;
        Ok(publish(ministry, body, None).await?.hex)
    }

    async fn accredit(
        &self,
        desk: &Desk,
        entity: &Entity,
        wanted: IssuerType,
        accreditor: &Desk,
        scope: &ScopeOptions,
    ) -> Result<(), CommandError> {
        if desk.own_chain(|chain| chain.issuer().issuer_type == wanted).await?.value.is_ok() {
            return Ok(());
        }
        let invitation = invited(desk, entity, wanted, accreditor, scope, YEARS).await?;
        accept(desk, &invitation, &mut Teller::silent(self.output)).await
    }

    /// Issues the university's diplomas, and puts their files into DIR/world/university/diplomas.
    async fn graduate(&self) -> Result<(), CommandError> {
        let home = self.dir.join("world/university");
        let failed = |what: String| CommandError::failed("dev.world", what, "");
        let ledger = LedgerOptions { node: self.nodes.to_vec(), trust: Some(self.trust_file()?) };
        let office = office::open(&HomeOptions::insecure(home.clone()), &ledger, self.output).await?;
        office.resume_issuing(&|_| {}).await?;
        let map = Map::parse(GRADUATION_MAP).map_err(|e| failed(e.to_string()))?;
        let options = Options { formats: map.formats.clone(), print: true };
        let import = import::read(GRADUATES, Kind::Csv, &map).map_err(|e| failed(e.to_string()))?;
        if let Some(fault) = import.faults.first() {
            return Err(failed(format!("genesis/graduation/graduates.csv: {fault}")));
        }
        let awards: Vec<_> = import.drafts.iter().map(|(_, draft)| office.store().key_of(&draft.award)).collect();
        let new: Vec<_> = office.sort(import.drafts)?.new.into_iter().map(|(_, draft)| draft).collect();
        if !new.is_empty() {
            office.issue(new, &options, &|_| {}).await?;
        }
        let folder = home.join("diplomas");
        files::create_private_directory(&folder)?;
        let delivery = Delivery::new(&office);
        for key in awards {
            let award = office.store().award(&key)?.ok_or_else(|| failed("an award has no diploma".into()))?;
            for file in delivery.files(&award, 1)? {
                files::replace(&folder.join(&file.name), &file.bytes, 0o600)?;
            }
        }
        Ok(())
    }

    /// The trust file, for those who read it from disk.
    fn trust_file(&self) -> Result<PathBuf, CommandError> {
        let path = self.dir.join("trust.json");
        if !path.exists() {
            files::replace(&path, self.trust.to_json().as_bytes(), 0o644)?;
        }
        Ok(path)
    }

    /// Lets a DID register by decision of the operators, and registers it.
    async fn admit(&self, desk: &Desk) -> Result<(), CommandError> {
        if is_registered(desk).await? {
            return Ok(());
        }
        let admitted = desk.registry.admission(desk.home.did()).await.map_err(|e| unproven(&e))?.value;
        if admitted.is_none() {
            let access = Access { passphrase: None, insecure_dev: true };
            let key = Key::read(&self.operator_key(), KeyKind::Operator, &access)?.into_signing();
            let jkt = desk.home.thumbprint(Use::Capability).to_owned();
            propose(&desk.registry, key, Change::AdmitDid { did: desk.home.did().clone(), jkt }).await?;
        }
        desk.register(None).await?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_template_of_the_world_is_one_that_the_ledger_takes() {
        let template: Template = serde_json::from_str(TEMPLATE).unwrap();
        for schema in [DIPLOMA_SCHEMA, DRIVER_SCHEMA] {
            canonical(schema).unwrap();
        }
        let Template { ministry, agency, university, polytechnic, city, authority, .. } = &template;
        for entity in [ministry, agency, university, polytechnic, city, authority] {
            assert!(entity.names.len() >= 2 && entity.country.len() == 2);
        }
    }
}
