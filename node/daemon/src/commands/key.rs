//! `testamur key`: make a key, show what a key file says.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use crate::exit::{CommandError, Exit};
use crate::files;
use crate::keystore::{self, Key, KeyKind, PassphraseOptions, Protection};
use crate::output::{Output, Tone};

/// Subcommands of `key`.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key
    New(New),
    /// Show the public part of a key file
    Show {
        /// The key file
        file: PathBuf,
    },
}

/// Arguments of `key new`.
#[derive(Debug, Args)]
pub(crate) struct New {
    /// What it is for
    #[arg(value_enum)]
    kind: KeyKind,
    /// Where to write it
    #[arg(long, short, value_name = "FILE")]
    out: PathBuf,
    #[command(flatten)]
    protection: ProtectionOptions,
}

/// How new keys are protected; flattened into commands that make keys.
#[derive(Debug, Args)]
pub(crate) struct ProtectionOptions {
    #[command(flatten)]
    pub(crate) passphrase: PassphraseOptions,
    /// Do not encrypt keys: for development networks, without value
    #[arg(long, conflicts_with_all = ["passphrase_file", "passphrase_fd"])]
    pub(crate) insecure_dev: bool,
}

impl ProtectionOptions {
    /// What the options say.
    pub(crate) fn protection(&self) -> Result<Protection, CommandError> {
        if self.insecure_dev {
            return Ok(Protection::InsecureDev);
        }
        self.passphrase.require()?.check_new().map(Protection::Passphrase)
    }
}

impl KeyCommand {
    /// Runs the subcommand.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let path = match self {
            Self::New(New { kind, out, protection }) => {
                let protection = protection.protection()?;
                if let Some(directory) = out.parent().filter(|p| !p.as_os_str().is_empty()) {
                    files::create_private_directory(directory)?;
                    keystore::check_directory(directory)?;
                }
                Key::generate(kind)?.write(&out, &protection)?;
                out
            }
            Self::Show { file } => file,
        };
        let public = keystore::public_part(&path)?;
        output.result(&public, || {
            format!(
                "{} key in {}\n  did         {}\n  public key  {}\n  encrypted   {}",
                output.paint(Tone::Strong, public.kind.name()),
                path.display(),
                public.did,
                public.public_key,
                if public.encrypted { "yes" } else { "NO: for development only" },
            )
        });
        Ok(Exit::Ok)
    }
}
