//! The office of an entity that issues diplomas: its archive, its key, the registries.

use std::path::Path;
use std::sync::Arc;

use serde::Deserialize;
use testamur_registrar::store::{Store, StoreError};
use testamur_registrar::{Ledger, Office, OfficeError, Settings};

use super::options::{HomeOptions, LedgerOptions};
use super::{Home, Use};
use crate::exit::CommandError;
use crate::files;
use crate::output::Output;

/// Bytes of office.toml.
const SETTINGS_BYTES_MAX: usize = 64 * 1024;
/// Bytes of a logo: on paper it is 25 mm wide.
const LOGO_BYTES_MAX: usize = 512 * 1024;

/// office.toml in the home: how this office issues. All of it may be left out.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct SettingsFile {
    /// A PNG beside this file.
    logo: Option<String>,
    /// Threads; as many as there are cores, if nothing is said.
    threads: usize,
}

impl From<OfficeError> for CommandError {
    fn from(error: OfficeError) -> Self {
        Self::failed(error.code().to_owned(), &error, error.hint())
    }
}

impl From<StoreError> for CommandError {
    fn from(error: StoreError) -> Self {
        OfficeError::Store(error).into()
    }
}

/// Opens the office of a home, and sends again what was signed earlier and not seen final.
pub(crate) async fn open(
    options: &HomeOptions,
    ledger: &LedgerOptions,
    output: &Output,
) -> Result<Office, CommandError> {
    let home = options.open()?;
    let registry = ledger.connect(Some(&home)).await?;
    let access = options.access()?;
    let key = home.key(Use::Assertion, home.thumbprint(Use::Assertion), &access)?;
    let store = Store::open(&home.archive(), &home.archive_key(&access)?, home.did())?;
    let ledger: Arc<dyn Ledger> = Arc::new(registry);
    let office = Office::new(home.did().clone(), key, ledger, store, settings(&home)?);
    for (what, outcome) in office.settle_all().await? {
        match outcome {
            Ok(_) => output.note(format!("begun earlier and done now: {what}")),
            Err(error) => output.note(format!("begun earlier, and come to nothing: {what}: {error}")),
        }
    }
    Ok(office)
}

fn settings(home: &Home) -> Result<Settings, CommandError> {
    let path = home.directory().join("office.toml");
    let mut settings = Settings::default();
    if !path.exists() {
        return Ok(settings);
    }
    let refuse = |reason: String| CommandError::content(&path, reason, "correct it, or move it away");
    let text = String::from_utf8(files::read_at_most(&path, SETTINGS_BYTES_MAX)?);
    let text = text.map_err(|_| refuse("is not UTF-8".into()))?;
    let file: SettingsFile = toml::from_str(&text).map_err(|e| refuse(e.to_string()))?;
    if let Some(logo) = file.logo {
        let logo = home.directory().join(Path::new(&logo));
        settings.logo = Some(files::read_at_most(&logo, LOGO_BYTES_MAX)?);
    }
    settings.threads = file.threads;
    Ok(settings)
}
