//! The page as a folder of static files, for a web server of somebody's own.

use std::fs;
use std::path::{Path, PathBuf};

use crate::bundle::{Bundle, INDEX, NETWORK};
use crate::network::Network;
use crate::policy::with_meta;

/// Why nothing was exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// Something is there.
    #[error("{} is not empty, and nothing is overwritten", .0.display())]
    NotEmpty(PathBuf),
    /// A page that has no place for its policy.
    #[error("index.html has no <head> to put the policy into")]
    NoHead,
    /// A file or folder.
    #[error("cannot {action} {}: {source}", path.display())]
    File {
        /// A verb.
        action: &'static str,
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
}

/// Writes the bundle, `network.json`, and the policy into `index.html`, to a folder that is empty or not there yet.
pub fn export(bundle: &Bundle, network: &Network, folder: &Path) -> Result<(), ExportError> {
    let failed = |action, path: &Path| {
        let path = path.to_owned();
        move |source| ExportError::File { action, path, source }
    };
    let page = bundle.file(INDEX).and_then(|index| core::str::from_utf8(&index.bytes).ok());
    let page = page.and_then(|index| with_meta(index, network.nodes())).ok_or(ExportError::NoHead)?;
    fs::create_dir_all(folder).map_err(failed("create", folder))?;
    if fs::read_dir(folder).map_err(failed("read", folder))?.next().is_some() {
        return Err(ExportError::NotEmpty(folder.to_owned()));
    }
    let write = |name: &str, bytes: &[u8]| {
        let path = folder.join(name);
        let parent = path.parent().unwrap_or(folder);
        fs::create_dir_all(parent).map_err(failed("create", parent))?;
        fs::write(&path, bytes).map_err(failed("write", &path))
    };
    for (name, file) in bundle.files().filter(|(name, _)| *name != INDEX) {
        write(name, &file.bytes)?;
    }
    write(NETWORK, network.json().as_bytes())?;
    // Last: a folder that was broken off has no page.
    write(INDEX, page.as_bytes())
}
