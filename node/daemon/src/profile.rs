//! The profile of a development network: where its gateway is, so that `testamur notarise FILE` needs no options.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use testamur_primitives::hash::GenesisHash;

use crate::exit::CommandError;
use crate::{files, networks};

/// What `testamur dev` leaves under `$TESTAMUR_HOME`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    /// Format version: 1.
    pub(crate) v: u8,
    /// The network's genesis hash.
    pub(crate) network: GenesisHash,
    /// Address of its gateway.
    pub(crate) gateway: String,
    /// File with a token for it.
    pub(crate) token_file: PathBuf,
    /// Directory of the network.
    pub(crate) directory: PathBuf,
    /// Addresses of its nodes.
    #[serde(default)]
    pub(crate) nodes: Vec<String>,
}

fn path() -> Result<PathBuf, CommandError> {
    Ok(networks::home()?.join("dev.json"))
}

/// Bytes of a profile.
const PROFILE_BYTES_MAX: usize = 16 * 1024;

impl Profile {
    /// Makes this the profile that is used by default.
    pub(crate) fn install(&self) -> Result<(), CommandError> {
        files::create_private_directory(&networks::home()?)?;
        let text = serde_json::to_string_pretty(self).expect("a profile is JSON");
        files::replace(&path()?, text.as_bytes(), 0o600)
    }

    /// The installed profile, if there is one.
    pub(crate) fn installed() -> Result<Option<Self>, CommandError> {
        let path = path()?;
        if !path.exists() {
            return Ok(None);
        }
        let profile: Self = serde_json::from_slice(&files::read_at_most(&path, PROFILE_BYTES_MAX)?)
            .map_err(|e| CommandError::content(&path, e, "remove it, and start `testamur dev` again"))?;
        Ok(Some(profile))
    }
}

/// Reads a token file: its first line, readable by its owner alone.
pub(crate) fn read_token(path: &Path) -> Result<String, CommandError> {
    use std::os::unix::fs::PermissionsExt as _;
    let bytes = files::read_at_most(path, PROFILE_BYTES_MAX)?;
    let metadata = std::fs::metadata(path).map_err(|e| CommandError::file("read", path, e))?;
    let mode = metadata.permissions().mode() & 0o777;
    if metadata.is_file() && mode & 0o077 != 0 {
        let reason = format!("the token may be read by others (mode {mode:03o})");
        return Err(CommandError::content(path, reason, format!("chmod 600 {}", path.display())));
    }
    let text = String::from_utf8(bytes).unwrap_or_default();
    match text.lines().next().map(str::trim) {
        Some(token) if !token.is_empty() => Ok(token.to_owned()),
        _ => Err(CommandError::content(path, "holds no token", "write the gateway's token as its first line")),
    }
}
