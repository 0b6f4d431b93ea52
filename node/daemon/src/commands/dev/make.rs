//! The network that `dev` makes at its first start.

use std::path::Path;

use testamur_gateway::tokens::{Token, Tokens};
use testamur_primitives::genesis::Parameters;
use testamur_primitives::units::UnixTime;

use crate::commands::gateway::config_text;
use crate::commands::init::TERM_S;
use crate::exit::CommandError;
use crate::files;
use crate::keystore::Protection;
use crate::output::now;
use crate::setup::layout::Ports;
use crate::setup::{LegalPerson, Made, Plan, make_network};

/// Who runs the demo validators, in turn.
const OPERATORS: [(&str, &str); 4] = [
    ("Demo Ministry of Justice", "BE"),
    ("Demo Information System Authority", "EE"),
    ("Demo Agency for Administrative Modernisation", "PT"),
    ("Demo Digital and Population Data Agency", "FI"),
];

/// Makes validators, one operator, one author with its gateway, and a token.
pub(super) fn network(dir: &Path, count: usize, ports: Ports, heartbeat_s: u32) -> Result<Made, CommandError> {
    let person = |(name, country): (&str, &str)| LegalPerson { name: name.into(), country: country.into() };
    let time = now()?;
    let plan = Plan {
        domain: "testamur.example".into(),
        name: "dev".into(),
        time,
        validators: OPERATORS.into_iter().cycle().take(count).map(person).collect(),
        operators: vec![person(OPERATORS[0])],
        approvals_required: 1,
        authors: 1,
        not_after: UnixTime(time.0 + TERM_S),
        parameters: Parameters { heartbeat_s, ..Parameters::default() },
        ports,
        protection: Protection::InsecureDev,
    };
    make_network(&plan, dir, |root, _| {
        let refused = |e: testamur_gateway::tokens::TokensError| CommandError::failed("dev.token", e, "");
        let token = Token::generate().map_err(refused)?;
        let mut tokens = Tokens::new();
        tokens.add("dev".parse().expect("a label"), &token, time).map_err(refused)?;
        tokens.save(&root.join("gateway/tokens.json")).map_err(refused)?;
        files::create(&root.join("token"), token.as_str().as_bytes(), 0o600)?;
        let nodes: Vec<_> = (0..count).map(|i| ports.api(i)).collect();
        let config = config_text(ports.gateway(count), &nodes, true);
        files::create(&root.join("gateway/config.toml"), config.as_bytes(), 0o600)
    })
}
