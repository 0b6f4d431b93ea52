//! `testamur onboard`: the whole way from nothing to an accredited organisation, each step explained, each step resumable.
//!
//! Every step looks at the ledger first and does only what is missing. So the command can be broken off anywhere and run
//! again, and it waits for nobody: where somebody else must act, it says who and with which command, and ends.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::Serialize;
use testamur_client::credentials::Validity;
use testamur_client::registry::At;
use testamur_primitives::did::Did;
use testamur_primitives::hash::AttributeId;
use testamur_primitives::issuers::{Entity, IssuerType};
use testamur_primitives::limits::STATUS_ENTRIES_MIN;
use testamur_primitives::status::StatusPurpose;
use testamur_primitives::units::UnixTime;

use crate::commands::did::make_or_open;
use crate::commands::status::{begin, usual};
use crate::commands::trust::{Branch, answer, draw, name_of, no_block_yet, propose_root, tree};
use crate::entity::desk::{CLOCK_MARGIN_S, Desk, unproven};
use crate::entity::exchange::{Invitation, Request, YEAR_S};
use crate::entity::options::{EntityOptions, HomeOptions, LedgerOptions, ScopeOptions};
use crate::exit::{CommandError, Exit};
use crate::files;
use crate::keystore::{Access, Key, KeyKind};
use crate::output::{Output, Tone, now};
use crate::profile::Profile;
use crate::service;

/// Years of a Root TAO's own authorisation: its chain ends with it, so it is long.
const ROOT_YEARS: u64 = 20;

/// As what an organisation comes on board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Issues credentials: a trusted issuer
    University,
    /// Accredits issuers: a trusted accreditation organisation
    Agency,
    /// Begins the chain: a Root TAO, by decision of the network's operators
    Ministry,
}

impl Role {
    pub(crate) fn issuer_type(self) -> IssuerType {
        match self {
            Self::University => IssuerType::Ti,
            Self::Agency => IssuerType::Tao,
            Self::Ministry => IssuerType::RootTao,
        }
    }
}

/// Arguments of `onboard`.
#[derive(Debug, Args)]
#[command(after_help = "\
Run it again at any time: it goes on where it stands. With neither --accreditor nor --invitation, in a development \
network, the seeded agency accredits; elsewhere a request is written for your accreditor.")]
pub(crate) struct Onboard {
    /// As what
    #[arg(long = "as", value_enum)]
    role: Role,
    /// The accreditor's invitation
    #[arg(long, value_name = "FILE", conflicts_with = "accreditor")]
    invitation: Option<PathBuf>,
    /// The accreditor's home, when it is on this machine
    #[arg(long, value_name = "DIR")]
    accreditor: Option<PathBuf>,
    /// For a ministry: the key of an operator of the network, when it is on this machine
    #[arg(long, value_name = "FILE")]
    operator_key: Option<PathBuf>,
    /// Years that the accreditation holds, when the accreditor is on this machine
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=30))]
    years: u64,
    #[command(flatten)]
    entity: EntityOptions,
    #[command(flatten)]
    scope: ScopeOptions,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// What came of it.
#[derive(Serialize)]
struct Done {
    did: Did,
    home: PathBuf,
    attribute: AttributeId,
    #[serde(skip_serializing_if = "Option::is_none")]
    list: Option<String>,
    chain: Vec<Branch>,
}

/// Tells each step in a sentence.
pub(crate) struct Teller<'a> {
    output: &'a Output,
    step: usize,
    quiet: bool,
}

impl<'a> Teller<'a> {
    /// Tells everything.
    pub(crate) fn new(output: &'a Output) -> Self {
        Self { output, step: 0, quiet: false }
    }

    /// Tells nothing.
    pub(crate) fn silent(output: &'a Output) -> Self {
        Self { output, step: 0, quiet: true }
    }

    fn tell(&mut self, done: &str, why: &str) {
        self.step += 1;
        if !self.quiet {
            self.output.line(format!("{}. {}\n   {why}", self.step, self.output.paint(Tone::Good, done)));
        }
    }
}

impl Onboard {
    /// Runs it.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        service::runtime()?.block_on(self.onboard(output))
    }

    async fn onboard(self, output: &Output) -> Result<Exit, CommandError> {
        let entity = self.entity.entity()?;
        if self.home.find()?.is_none_or(|home| home.file.entity.is_none()) {
            self.entity.require()?;
        }
        let desk = make_or_open(&self.home, &self.ledger, entity, output).await?;
        let entity = match &desk.home.file.entity {
            Some(entity) => entity.clone(),
            None => self.entity.require()?,
        };
        let mut teller = Teller::new(output);
        teller.tell(
            &format!("{} has a DID: {}", name_of(&entity), desk.home.did()),
            &format!(
                "One key changes the registries, another signs credentials; both are in {}: keep a backup of it.",
                desk.home.directory().display()
            ),
        );
        let attribute = match self.role {
            Role::Ministry => self.ministry(&desk, &entity, &mut teller).await?,
            Role::University | Role::Agency => self.accredited(&desk, &entity, &mut teller, output).await?,
        };
        let list = if self.role == Role::University { Some(first_list(&desk, &mut teller).await?) } else { None };
        let found = tree(&desk.registry, desk.home.did(), At::Now).await?;
        let done = Done {
            did: desk.home.did().clone(),
            home: desk.home.directory().to_owned(),
            attribute,
            list,
            chain: found.value,
        };
        output.result(&done, || {
            format!(
                "\n{} {}\n\n{}\nThe chain above was proven by block {} and every signature in it was checked here.",
                output.paint(Tone::Good, "ON BOARD:"),
                name_of(&entity),
                draw(&done.chain, output),
                found.header.height,
            )
        });
        Ok(Exit::Ok)
    }

    /// A Root TAO: the network's operators decide.
    async fn ministry(
        &self,
        desk: &Desk,
        entity: &Entity,
        teller: &mut Teller<'_>,
    ) -> Result<AttributeId, CommandError> {
        let operator = match (&self.operator_key, Profile::installed()?) {
            (Some(path), _) => Some(path.clone()),
            (None, Some(profile)) if profile.network == desk.registry.trust().network() => {
                Some(profile.directory.join("operator-0/operator.key"))
            }
            (None, _) => None,
        };
        root(desk, entity, operator, teller).await
    }

    /// A TAO or a trusted issuer: an accreditor vouches.
    async fn accredited(
        &self,
        desk: &Desk,
        entity: &Entity,
        teller: &mut Teller<'_>,
        output: &Output,
    ) -> Result<AttributeId, CommandError> {
        let wanted = self.role.issuer_type();
        let held = desk.own_chain(|chain| chain.issuer().issuer_type == wanted).await?.value;
        if let Ok(chain) = held {
            teller.tell("The accreditation is in place", "The ledger holds it, and its chain leads to a Root TAO.");
            return Ok(chain.issuer().attribute);
        }
        let dev = Profile::installed()?.filter(|p| p.network == desk.registry.trust().network());
        let invitation = match (&self.invitation, &self.accreditor, dev) {
            (Some(path), _, _) => Invitation::read(path)?,
            (None, Some(directory), _) => self.invited_by(desk, entity, directory.clone(), output).await?,
            (None, None, Some(dev)) if dev.directory.join("world/agency/entity.json").exists() => {
                let seeded = if wanted == IssuerType::Ti { "world/agency" } else { "world/ministry" };
                self.invited_by(desk, entity, dev.directory.join(seeded), output).await?
            }
            (None, None, _) => return Err(self.ask(desk, entity)?),
        };
        accept(desk, &invitation, teller).await?;
        Ok(invitation.attribute)
    }

    async fn invited_by(
        &self,
        desk: &Desk,
        entity: &Entity,
        directory: PathBuf,
        output: &Output,
    ) -> Result<Invitation, CommandError> {
        let accreditor = Desk::open(&self.home.at(directory), &self.ledger, output).await?;
        invited(desk, entity, self.role.issuer_type(), &accreditor, &self.scope, self.years).await
    }

    /// Nobody here can vouch: a request is left for somebody who can.
    fn ask(&self, desk: &Desk, entity: &Entity) -> Result<CommandError, CommandError> {
        let text = Request::sign(desk, self.role.issuer_type(), entity.clone(), &self.scope.scopes())?;
        let path = desk.home.directory().join("request.json");
        files::replace(&path, text.as_bytes(), 0o644)?;
        Ok(CommandError::failed(
            "onboard.waiting",
            format!("an accreditor must vouch now. The request for it is {}", path.display()),
            format!(
                "send it there (`testamur trust invite request.json` answers it), then run this again with --invitation FILE; \
                 or name the accreditor's home on this machine with --accreditor DIR. The home is {}",
                desk.home.directory().display()
            ),
        ))
    }
}

/// Asks an accreditor on this machine.
pub(crate) async fn invited(
    desk: &Desk,
    entity: &Entity,
    wanted: IssuerType,
    accreditor: &Desk,
    scope: &ScopeOptions,
    years: u64,
) -> Result<Invitation, CommandError> {
    let path = desk.home.directory().join("request.json");
    let text = Request::sign(desk, wanted, entity.clone(), &scope.scopes())?;
    files::replace(&path, text.as_bytes(), 0o644)?;
    let invitation = answer(accreditor, &Request::read(&path)?, scope, years).await?;
    files::replace(&desk.home.directory().join("invitation.json"), invitation.text().as_bytes(), 0o600)?;
    Ok(invitation)
}

/// Takes an invitation: registers the DID, puts the accreditation in its place.
pub(crate) async fn accept(desk: &Desk, invitation: &Invitation, teller: &mut Teller<'_>) -> Result<(), CommandError> {
    invitation.check(desk)?;
    teller.tell(
        &format!("Invited by {}", invitation.accreditor),
        "It reserved a place on the ledger and signed two credentials: that this DID may register with this key, and what \
         it is accredited for.",
    );
    desk.register(invitation.authorisation.clone()).await?;
    teller.tell("The DID is registered", "From now on only its own keys change its document.");
    desk.fill(invitation.attribute, invitation.accreditation.clone()).await?;
    teller.tell(
        "The accreditation is in its place",
        "The ledger has checked its signature, and that it lies within the accreditor's own.",
    );
    Ok(())
}

/// Makes a Root TAO, as far as can be done here.
pub(crate) async fn root(
    desk: &Desk,
    entity: &Entity,
    operator_key: Option<PathBuf>,
    teller: &mut Teller<'_>,
) -> Result<AttributeId, CommandError> {
    let operator_key = operator_key.filter(|path| path.exists());
    // Before its first block a network can prove nothing, and idle it makes that at its heartbeat: so the first step is a
    // record that rests on genesis alone.
    if let (Some(key), true) = (&operator_key, no_block_yet(&desk.registry).await) {
        decide(desk, entity, key).await?;
    }
    let held = desk.own_chain(|chain| chain.issuer().issuer_type == IssuerType::RootTao).await?.value;
    if let Ok(chain) = held {
        teller.tell("It is a Root TAO", "The ledger holds its own authorisation.");
        return Ok(chain.issuer().attribute);
    }
    let mut place = desk.unfilled(IssuerType::RootTao).await?;
    if let (None, Some(key)) = (&place, operator_key) {
        decide(desk, entity, &key).await?;
        place = desk.unfilled(IssuerType::RootTao).await?;
    }
    let Some((attribute, _)) = place else {
        let path = ask_operators(desk, entity)?;
        return Err(CommandError::failed(
            "onboard.waiting",
            format!("the network's operators must decide now. The request for them is {}", path.display()),
            "send it to an operator (`testamur trust root request.json --key operator.key`), then run this again when \
             enough have approved",
        ));
    };
    teller.tell("The operators have decided", "A Root TAO is made by the network's governance and by nobody else.");
    desk.register(None).await?;
    teller.tell("The DID is registered", "From now on only its own keys change its document.");
    let clock = now()?.0;
    let validity = Validity {
        from: UnixTime(clock.saturating_sub(CLOCK_MARGIN_S)),
        until: Some(UnixTime(clock + ROOT_YEARS * YEAR_S)),
    };
    desk.fill(attribute, desk.sign_root(attribute, validity)?).await?;
    teller.tell("Its own authorisation is in place", "It begins the chain of trust: TAOs and issuers rest on it.");
    Ok(attribute)
}

/// Has an operator on this machine propose it.
async fn decide(desk: &Desk, entity: &Entity, operator_key: &Path) -> Result<(), CommandError> {
    let access = Access { insecure_dev: true, ..desk.access().clone() };
    let key = Key::read(operator_key, KeyKind::Operator, &access)?.into_signing();
    propose_root(&desk.registry, key, &Request::read(&ask_operators(desk, entity)?)?).await?;
    Ok(())
}

/// Writes the request that operators decide on.
fn ask_operators(desk: &Desk, entity: &Entity) -> Result<PathBuf, CommandError> {
    let path = desk.home.directory().join("request.json");
    let text = Request::sign(desk, IssuerType::RootTao, entity.clone(), &[])?;
    files::replace(&path, text.as_bytes(), 0o644)?;
    Ok(path)
}

/// The list in which an issuer's credentials can be revoked.
pub(crate) async fn first_list(desk: &Desk, teller: &mut Teller<'_>) -> Result<String, CommandError> {
    let list = usual(StatusPurpose::Revocation);
    begin(desk, &list, StatusPurpose::Revocation, STATUS_ENTRIES_MIN).await?;
    teller.tell(
        &format!("Status list {list} is published"),
        "`testamur status allocate` gives every diploma an entry in it, `testamur status revoke` withdraws one.",
    );
    Ok(list.to_string())
}

/// Whether a DID is on the ledger.
pub(crate) async fn is_registered(desk: &Desk) -> Result<bool, CommandError> {
    Ok(desk.registry.did(desk.home.did(), At::Now).await.map_err(|e| unproven(&e))?.value.is_some())
}
