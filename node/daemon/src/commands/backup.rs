//! `testamur backup`: a consistent copy of a node's ledger, made by the node itself while it runs.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use testamur_client::admin::{Admin, BACKUP_PAUSE, Backup as Written, BackupState};
use testamur_client::error::ClientError;

use crate::config::NodeConfig;
use crate::exit::{CommandError, Exit};
use crate::output::{Output, Tone};
use crate::progress::Progress;
use crate::service;

/// Arguments of `backup`.
#[derive(Debug, Args)]
#[command(after_help = "\
The node writes the copy itself, so the directory is on the node's machine and gets the node's owner. In it are the \
ledger and nothing else: no keys (back them up once, encrypted), and never the double-sign guard. Where the file system \
allows, files are shared with the node's own until these change: copy the directory to another disk.

`testamur restore` puts it to use, on this machine or another.")]
pub(crate) struct Backup {
    /// The directory to make
    directory: PathBuf,
    /// The node's config.toml: its admin listener is asked
    #[arg(long, value_name = "FILE", conflicts_with = "admin", required_unless_present = "admin")]
    config: Option<PathBuf>,
    /// The admin listener itself
    #[arg(long, value_name = "ADDRESS")]
    admin: Option<SocketAddr>,
}

impl Backup {
    /// Has the node make it, and waits.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        let listener = match (&self.config, self.admin) {
            (_, Some(admin)) => admin,
            (Some(config), None) => NodeConfig::read(config)?.admin.listen,
            (None, None) => unreachable!("clap requires --config or --admin"),
        };
        let directory =
            std::path::absolute(&self.directory).map_err(|e| CommandError::file("find", &self.directory, e))?;
        let name = directory
            .to_str()
            .ok_or_else(|| CommandError::Usage(format!("{} is not UTF-8", directory.display())))?
            .to_owned();
        let admin = Admin::new(&format!("http://{listener}")).map_err(|e| refused(&e))?;
        let written = service::runtime()?.block_on(back_up(&admin, &name, output))?;
        output.result(&written, || {
            format!(
                "{} {}\n  height   {}, header {}\n  records  {}\n  size     {} files, {} bytes, written in {} ms\n  \
                 without  keys and the double-sign guard: keep your keys' own backup",
                output.paint(Tone::Good, "Backup in"),
                written.directory,
                written.height,
                written.header,
                written.log_size,
                written.files,
                written.bytes,
                written.took_ms,
            )
        });
        Ok(Exit::Ok)
    }
}

async fn back_up(admin: &Admin, directory: &str, output: &Output) -> Result<Written, CommandError> {
    admin.begin_backup(directory).await.map_err(|e| refused(&e))?;
    let mut progress = Progress::new(output);
    let began = std::time::Instant::now();
    loop {
        match admin.backup().await.map_err(|e| refused(&e))? {
            BackupState::Running { .. } => {
                progress.show(|| format!("writing {directory}, {} s", began.elapsed().as_secs()));
                tokio::time::sleep(BACKUP_PAUSE).await;
            }
            BackupState::Done(written) => return Ok(written),
            BackupState::Failed { detail, .. } => {
                let hint =
                    "name a directory that is not there yet, on a disk with room, that the node's user may write";
                return Err(CommandError::failed("backup.failed", detail, hint));
            }
            BackupState::None => {
                let hint = "see its log, and ask again when it runs";
                return Err(CommandError::failed("backup.lost", "the node was started anew meanwhile", hint));
            }
        }
    }
}

fn refused(error: &ClientError) -> CommandError {
    let hint = match error {
        ClientError::Unreachable { .. } => {
            "start the node: it makes the backup itself; it listens on admin.listen of its configuration"
        }
        _ => "wait for the backup that is under way, or see the node's log",
    };
    CommandError::failed("backup.refused", error, hint)
}
