//! What the commands about diplomas are given: files, trust files, nodes.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use testamur_credentials::limits::FILE_BYTES_MAX;
use testamur_credentials::link;
use testamur_paper::check::Verifiers;
use testamur_primitives::trust::TrustFile;

use crate::exit::CommandError;
use crate::networks;
use crate::output::harmless;
#[cfg(feature = "node")]
use crate::profile::Profile;

/// The share link that was given in place of a file.
fn link_of(path: &Path) -> Option<&str> {
    path.to_str().filter(|text| link::is_link(text))
}

/// Reads a file, or standard input for `-`; a share link is what it holds. More than anything that is looked at is cut off one byte
/// later: the verdict says so.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, CommandError> {
    if let Some(link) = link_of(path) {
        return Ok(link.as_bytes().to_vec());
    }
    let limit = u64::try_from(FILE_BYTES_MAX).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        let file = std::fs::File::open(path).map_err(|error| CommandError::file("open", path, error))?;
        file.take(limit).read_to_end(&mut bytes)
    };
    read.map_err(|error| CommandError::file("read", path, error))?;
    Ok(bytes)
}

/// A file's name as it is shown.
pub(crate) fn shown(path: &Path) -> String {
    match link_of(path) {
        Some(_) => "the link".into(),
        None if path == Path::new("-") => "standard input".into(),
        None => harmless(&path.display().to_string()),
    }
}

/// Whom to believe, and whom to ask.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct TrustOptions {
    /// Believe this installed network alone: its origin, or a part of it [default: all that are installed]
    #[arg(long, value_name = "NETWORK", conflicts_with = "trust")]
    pub(crate) network: Option<String>,
    /// Believe this trust file in place of the installed networks
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
    /// Ask no node: judge by what came with the file
    #[arg(long)]
    pub(crate) offline: bool,
    /// A node to ask; may be given several times [default: those of the development network]
    #[cfg(feature = "node")]
    #[arg(long, value_name = "URL", conflicts_with = "offline")]
    pub(crate) node: Vec<String>,
}

impl TrustOptions {
    /// The trust files; the development network's first, since that is where somebody who gives no option is.
    pub(crate) fn trusted(&self) -> Result<Vec<Arc<TrustFile>>, CommandError> {
        let mut all = match (&self.trust, &self.network) {
            (Some(path), _) => vec![networks::read(path)?],
            (None, Some(name)) => vec![networks::named(name)?],
            (None, None) => networks::list()?,
        };
        #[cfg(feature = "node")]
        if let Some(profile) = Profile::installed()? {
            all.sort_by_key(|installed| installed.trust.network() != profile.network);
        }
        if all.is_empty() {
            return Err(CommandError::failed(
                "network.none",
                "no network is installed here: nothing that a diploma says can be verified",
                "get the trust file from the network's operators, then run `testamur network add FILE`",
            ));
        }
        Ok(all.drain(..).map(|installed| Arc::new(installed.trust)).collect())
    }

    /// The verifiers of the trusted networks.
    pub(crate) fn verifiers(&self) -> Result<Arc<Verifiers>, CommandError> {
        Ok(Arc::new(Verifiers::new(self.trusted()?)))
    }
}

/// The nodes to ask, with the network that they are of; none when none is known, or none shall be asked.
#[cfg(feature = "node")]
pub(crate) fn registry(
    options: &TrustOptions,
    verifiers: &Verifiers,
) -> Result<Option<testamur_client::registry::Registry>, CommandError> {
    use testamur_client::node::Connections;
    use testamur_client::nodes::Nodes;
    use testamur_client::registry::Registry;

    if options.offline {
        return Ok(None);
    }
    let trusted = |network| verifiers.trusted().iter().find(|trust| trust.network() == network);
    let profile = Profile::installed()?;
    let (addresses, trust) = match (options.node.as_slice(), profile) {
        ([], Some(profile)) if !profile.nodes.is_empty() => match trusted(profile.network) {
            Some(trust) => (profile.nodes, trust),
            // The development network is none of those asked about.
            None => return Ok(None),
        },
        ([], _) => return Ok(None),
        (given, _) => {
            let [one] = verifiers.trusted() else {
                let networks: Vec<_> = verifiers.trusted().iter().map(|trust| trust.origin().to_string()).collect();
                return Err(CommandError::failed(
                    "diploma.network",
                    format!(
                        "{} networks are installed ({}): which are the nodes of?",
                        networks.len(),
                        networks.join(", ")
                    ),
                    "name it with --network, or give its trust file with --trust",
                ));
            };
            (given.to_vec(), one)
        }
    };
    let nodes = Nodes::new(&addresses, &Connections::default())
        .map_err(|error| CommandError::failed("ledger.node", error, "check --node, and whether the nodes run"))?;
    Ok(Some(Registry::new(nodes, Arc::clone(trust))))
}
