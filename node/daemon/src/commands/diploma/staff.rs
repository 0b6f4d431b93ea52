//! `testamur diploma staff`: the persons of the desk, of whom a change takes two.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use testamur_primitives::key::SigningKey;
use testamur_primitives::record::Bytes;
use testamur_registrar::Office;
use testamur_registrar::changes::{Action, Change, ChangeError, ChangeFile, Consent, Role};
use testamur_registrar::staff::PersonName;

use crate::entity::office;
use crate::entity::options::{HomeOptions, LedgerOptions};
use crate::exit::{CommandError, Exit};
use crate::keystore::{Access, Key, KeyKind, Passphrase, Protection};
use crate::output::{Output, Tone, now, utc};
use crate::service;

impl From<ChangeError> for CommandError {
    fn from(error: ChangeError) -> Self {
        Self::failed(error.code().to_owned(), &error, error.hint())
    }
}

/// Who acts, and what opens that person's key.
#[derive(Debug, Clone, Args)]
pub(crate) struct PersonOptions {
    /// Who you are at the desk
    #[arg(long, value_name = "NAME")]
    pub(crate) by: PersonName,
    #[command(flatten)]
    sealed: SealOptions,
}

/// What seals a person's key.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct SealOptions {
    /// File whose first line is your own passphrase: nobody else at the desk knows it
    #[arg(long, value_name = "FILE", env = "TESTAMUR_STAFF_PASSPHRASE_FILE", hide_env_values = true)]
    staff_passphrase_file: Option<PathBuf>,
}

impl SealOptions {
    fn passphrase(&self) -> Result<Option<Passphrase>, CommandError> {
        self.staff_passphrase_file.as_deref().map(Passphrase::from_file).transpose()
    }
}

impl PersonOptions {
    /// The person's own key.
    pub(crate) fn key(&self, home: &HomeOptions) -> Result<SigningKey, CommandError> {
        let home = home.open()?;
        let path = home.folder("staff")?.join(format!("{}.key", self.by));
        if !path.exists() {
            return Err(CommandError::failed(
                "staff.no-key",
                format!("there is no key of {} in this home", self.by),
                "`testamur diploma staff add NAME` makes one; `staff list` names the persons",
            ));
        }
        let access = Access { passphrase: self.sealed.passphrase()?, insecure_dev: home.file.insecure_dev };
        Ok(Key::read(&path, KeyKind::Staff, &access)?.into_signing())
    }

    /// Proposes a change as this person.
    pub(crate) fn propose(
        &self,
        office: &Office,
        home: &HomeOptions,
        change: Change,
    ) -> Result<ChangeFile, CommandError> {
        let time = now()?;
        let consent = Consent::sign(&change, Role::Proposer, &self.by, time, &self.key(home)?);
        Ok(office.propose(change, consent, time)?)
    }
}

/// Subcommands of `diploma staff`.
#[derive(Debug, Subcommand)]
pub(crate) enum Staff {
    /// Make your key and join the desk; from the third person on two others consent
    Add(Add),
    /// Propose that somebody leaves the desk
    Remove(Remove),
    /// List the persons
    List(List),
}

/// Arguments of `diploma staff add`.
#[derive(Debug, Args)]
pub(crate) struct Add {
    /// Your name at the desk, such as anna.muster
    name: PersonName,
    /// Who proposes it, from the third person on
    #[arg(long, value_name = "NAME")]
    by: Option<PersonName>,
    /// That person's passphrase
    #[arg(long, value_name = "FILE", requires = "by")]
    by_passphrase_file: Option<PathBuf>,
    #[command(flatten)]
    sealed: SealOptions,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `diploma staff remove`.
#[derive(Debug, Args)]
pub(crate) struct Remove {
    /// Who leaves
    name: PersonName,
    #[command(flatten)]
    person: PersonOptions,
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

/// Arguments of `diploma staff list`.
#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    home: HomeOptions,
    #[command(flatten)]
    ledger: LedgerOptions,
}

impl Staff {
    /// Runs the subcommand.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        service::runtime()?.block_on(async {
            match self {
                Self::Add(command) => command.run(output).await,
                Self::Remove(command) => command.run(output).await,
                Self::List(command) => command.run(output).await,
            }
        })
    }
}

impl Add {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let home = self.home.open()?;
        let office = office::open(&self.home, &self.ledger, output).await?;
        let staff = office.staff()?;
        let by = match (staff.is_open(), self.by) {
            (true, _) => None,
            (false, Some(by)) => {
                Some(PersonOptions { by, sealed: SealOptions { staff_passphrase_file: self.by_passphrase_file } })
            }
            (false, None) => {
                return Err(CommandError::Usage(
                    "this desk has its persons: somebody of them proposes who joins, another approves: give --by NAME"
                        .into(),
                ));
            }
        };
        let protection = match self.sealed.passphrase()? {
            Some(passphrase) => Protection::Passphrase(passphrase.check_new()?),
            None if home.file.insecure_dev => Protection::InsecureDev,
            None => {
                return Err(CommandError::failed(
                    "key.passphrase",
                    "your key needs a passphrase of your own",
                    "give --staff-passphrase-file FILE",
                ));
            }
        };
        let path = home.folder("staff")?.join(format!("{}.key", self.name));
        // A key that was made before a crash is taken up again: nobody could use it meanwhile.
        let public = if path.exists() {
            let access = Access { passphrase: self.sealed.passphrase()?, insecure_dev: home.file.insecure_dev };
            let public = Bytes(Key::read(&path, KeyKind::Staff, &access)?.public().as_bytes().to_vec());
            staff.check_join(&self.name, &public).map_err(ChangeError::from)?;
            public
        } else {
            let key = Key::generate(KeyKind::Staff)?;
            let public = Bytes(key.public().as_bytes().to_vec());
            staff.check_join(&self.name, &public).map_err(ChangeError::from)?;
            key.write(&path, &protection)?;
            public
        };
        let Some(by) = by else {
            office.found_staff(&self.name, public, now()?)?;
            let count = office.staff()?.present_count();
            output.result(&serde_json::json!({ "person": self.name, "joined": true, "persons": count }), || {
                let more = if count < 2 { " A change takes two: somebody else runs this as well." } else { "" };
                format!("{} is at the desk.{more}", output.paint(Tone::Good, self.name.as_str()))
            });
            return Ok(Exit::Ok);
        };
        let change = office.draw_up(Action::Join { name: self.name, key: public }, now()?).await?;
        super::change::show_proposed(&office, &by.propose(&office, &self.home, change)?, output)
    }
}

impl Remove {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let office = office::open(&self.home, &self.ledger, output).await?;
        let change = office.draw_up(Action::Leave { name: self.name }, now()?).await?;
        super::change::show_proposed(&office, &self.person.propose(&office, &self.home, change)?, output)
    }
}

impl List {
    async fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let office = office::open(&self.home, &self.ledger, output).await?;
        let staff = office.staff()?;
        output.result(&staff.persons(), || {
            if staff.persons().is_empty() {
                return "Nobody yet: `testamur diploma staff add NAME`, twice, since a change takes two.".into();
            }
            let line = |person: &testamur_registrar::staff::Person| {
                let left = person.left.map_or_else(String::new, |left| format!(", left {}", utc(left)));
                format!("{}  since {}{left}\n", person.name, utc(person.since))
            };
            staff.persons().iter().map(line).collect()
        });
        Ok(Exit::Ok)
    }
}
