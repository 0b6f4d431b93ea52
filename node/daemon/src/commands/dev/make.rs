//! The network that `dev` makes at its first start.

use std::path::Path;

use serde::Deserialize;
use testamur_gateway::tokens::{Token, Tokens};
use testamur_primitives::genesis::Parameters;
use testamur_primitives::units::UnixTime;

use crate::exit::CommandError;
use crate::files;
use crate::keystore::Protection;
use crate::output::now;
use crate::setup::layout::Ports;
use crate::setup::{LegalPerson, Made, Plan, make_network};

/// `genesis/dev.json`: what development networks are made from.
const TEMPLATE: &str = include_str!("../../../../../genesis/dev.json");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Template {
    domain: String,
    name: String,
    term_years: u64,
    validators: Vec<LegalPerson>,
    operators: Vec<LegalPerson>,
    approvals_required: u32,
    authors: usize,
}

/// Makes validators, operator, author with its gateway, and a token.
pub(super) fn network(dir: &Path, count: usize, ports: Ports, heartbeat_s: u32) -> Result<Made, CommandError> {
    let template: Template = serde_json::from_str(TEMPLATE).expect("genesis/dev.json is read by a test");
    let time = now()?;
    let plan = Plan {
        domain: template.domain,
        name: template.name,
        time,
        validators: template.validators.into_iter().cycle().take(count).collect(),
        operators: template.operators,
        approvals_required: template.approvals_required,
        authors: template.authors,
        not_after: UnixTime(time.0 + template.term_years * 365 * 24 * 3600),
        parameters: Parameters { heartbeat_s, ..Parameters::default() },
        ports,
        public_base: format!("http://{}", ports.api(0)),
        protection: Protection::InsecureDev,
    };
    make_network(&plan, dir, |root, _| {
        let refused = |e: testamur_gateway::tokens::TokensError| CommandError::failed("dev.token", e, "");
        let token = Token::generate().map_err(refused)?;
        let mut tokens = Tokens::new();
        tokens.add("dev".parse().expect("a label"), &token, time).map_err(refused)?;
        tokens.save(&root.join("gateway/tokens.json")).map_err(refused)?;
        files::create(&root.join("token"), token.as_str().as_bytes(), 0o600)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names of members below a schema's and a document's object, in step.
    fn compare(schema: &serde_json::Value, root: &serde_json::Value, document: &serde_json::Value, place: &str) {
        let schema = match schema.get("$ref").and_then(|r| r.as_str()) {
            Some(reference) => root.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference} is not defined")),
            None => schema,
        };
        match document {
            serde_json::Value::Object(members) => {
                for (name, value) in members {
                    let member = &schema["properties"][name];
                    assert!(!member.is_null(), "the schema does not know {place}/{name}");
                    compare(member, root, value, &format!("{place}/{name}"));
                }
                for name in schema["required"].as_array().expect("an object's required members") {
                    assert!(members.contains_key(name.as_str().expect("a name")), "{place} lacks {name}");
                }
            }
            serde_json::Value::Array(items) => items.iter().for_each(|i| compare(&schema["items"], root, i, place)),
            _ => assert!(schema["properties"].is_null() && schema["items"].is_null(), "{place} has members"),
        }
    }

    #[test]
    fn a_network_is_made_from_the_template_and_fits_the_schema() {
        let directory = tempfile::tempdir().unwrap();
        let dir = directory.path().join("network");
        let ports = Ports { host: "127.0.0.1".parse().unwrap(), base: 8080 };
        let made = network(&dir, 4, ports, 60).unwrap();
        assert_eq!(made.trust.genesis().validators.len(), 4);
        let again = network(&dir, 4, ports, 60).unwrap_err();
        assert!(again.to_string().contains("is there already"), "{again}");
        let read =
            |path: &Path| -> serde_json::Value { serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap() };
        let schema: serde_json::Value =
            serde_json::from_str(include_str!("../../../../../genesis/schema.json")).unwrap();
        compare(&schema, &schema, &read(&dir.join("genesis.json")), "genesis");
        for file in ["token", "gateway/author.key", "operator-0/operator.key", "node-3/keys/consensus.key"] {
            use std::os::unix::fs::PermissionsExt as _;
            let mode = std::fs::metadata(dir.join(file)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{file}");
        }
    }
}
