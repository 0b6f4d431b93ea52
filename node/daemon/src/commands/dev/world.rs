//! The small world of a development network: a ministry as Root TAO, an accreditation agency, two universities of which
//! one may issue certificates of short courses only, a city that notarises, a schema of diplomas, status lists.
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

use crate::commands::onboard::{Teller, accept, first_list, invited, is_registered, root};
use crate::commands::schema::publish;
use crate::commands::trust::propose;
use crate::entity::desk::{Desk, unproven};
use crate::entity::options::{HomeOptions, ScopeOptions};
use crate::entity::{Home, Use};
use crate::exit::CommandError;
use crate::files;
use crate::keystore::{Access, Key, KeyKind, Protection};
use crate::output::Output;

/// `genesis/world.json`: who lives in the world.
const TEMPLATE: &str = include_str!("../../../../../genesis/world.json");
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
    degree: String,
    short_course: String,
    jurisdictions: Jurisdictions,
    schema: serde_json::Value,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Jurisdictions {
    university: String,
    polytechnic: String,
}

/// What DIR/world/world.json says when the world is whole.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct World {
    /// The Root TAO.
    pub(super) ministry: Did,
    /// The TAO.
    pub(super) agency: Did,
    /// A trusted issuer, for degrees and short courses.
    pub(super) university: Did,
    /// A trusted issuer, for short courses only.
    pub(super) polytechnic: Did,
    /// An author that no accreditation has, admitted by governance.
    pub(super) city: Did,
    /// The schema of diplomas.
    pub(super) schema: SchemaId,
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
pub(super) async fn seed(
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
    let body = canonical(&template.schema.to_string())
        .map_err(|e| CommandError::failed("dev.world", format!("genesis/world.json: {e}"), ""))?;
    let schema = publish(&ministry, body, None).await?.hex;

    let jurisdictions = &template.jurisdictions;
    let scope = |types: &[&String], places: &[&String]| {
        let types = specific_types(types.iter().map(|text| text.as_str()));
        let scope = vec![Scope { schema, types, jurisdictions: Default::default() }];
        ScopeOptions { scope, jurisdiction: places.iter().map(|place| (*place).clone()).collect() }
    };
    let both = [&template.degree, &template.short_course];
    let agency = seeding.desk("agency", &template.agency).await?;
    let whole = scope(&both, &[&jurisdictions.university, &jurisdictions.polytechnic]);
    seeding.accredit(&agency, &template.agency, IssuerType::Tao, &ministry, &whole).await?;

    let university = seeding.desk("university", &template.university).await?;
    let degrees = scope(&both, &[&jurisdictions.university]);
    seeding.accredit(&university, &template.university, IssuerType::Ti, &agency, &degrees).await?;
    first_list(&university, teller).await?;

    let polytechnic = seeding.desk("polytechnic", &template.polytechnic).await?;
    let courses = scope(&[&template.short_course], &[&jurisdictions.polytechnic]);
    seeding.accredit(&polytechnic, &template.polytechnic, IssuerType::Ti, &agency, &courses).await?;
    first_list(&polytechnic, teller).await?;

    let city = seeding.desk("city", &template.city).await?;
    seeding.admit(&city).await?;

    let did = |desk: &Desk| desk.home.did().clone();
    let world = World {
        ministry: did(&ministry),
        agency: did(&agency),
        university: did(&university),
        polytechnic: did(&polytechnic),
        city: did(&city),
        schema,
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
        canonical(&template.schema.to_string()).unwrap();
        for entity in
            [&template.ministry, &template.agency, &template.university, &template.polytechnic, &template.city]
        {
            assert!(entity.names.len() >= 2 && entity.country.len() == 2);
        }
    }
}
