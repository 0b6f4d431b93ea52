//! `testamur completions`: for bash, zsh, fish and others.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::Cli;
use crate::exit::{CommandError, Exit};

/// Arguments of `completions`.
#[derive(Debug, Args)]
#[command(after_help = "For bash: testamur completions bash > ~/.local/share/bash-completion/completions/testamur")]
pub(crate) struct Completions {
    /// The shell
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub(crate) fn run(&self) -> Result<Exit, CommandError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "testamur", &mut script);
        // A closed pipe is no error; there is nobody to tell.
        let _ = std::io::Write::write_all(&mut std::io::stdout(), &script);
        Ok(Exit::Ok)
    }
}
