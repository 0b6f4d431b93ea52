//! `testamur page`: the page on which anybody checks a diploma, served here or written to a folder.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use serde::Serialize;
use testamur_api::server::Tls;
use testamur_page::{Bundle, BundleError, Network, NodeAddress, PageConfig, Service, policy};

use crate::config::Log;
use crate::exit::{CommandError, Exit};
use crate::networks::{self, Installed};
use crate::output::{Output, Tone};
use crate::profile::Profile;
use crate::service::{self, StopSignals};

/// Arguments of `page`.
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
The page verifies in the visitor's browser: what is checked comes neither here nor to a node. It asks the given nodes alone; \
name at least two, so that one that is away or lies is noticed. `testamur page export` writes the same as files for any web \
server; they work below any path. `testamur page hash` names the build, which is the same for everybody."
)]
pub(crate) struct Page {
    #[command(subcommand)]
    command: Option<PageCommand>,
    #[command(flatten)]
    deployment: Deployment,
    /// Where to listen
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8791")]
    listen: SocketAddr,
    /// Certificate chain, PEM
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    tls_cert: Option<PathBuf>,
    /// Its key, PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    tls_key: Option<PathBuf>,
    /// Visitors come by TLS, through a proxy that speaks it
    #[arg(long, conflicts_with = "tls_cert")]
    behind_tls: bool,
    /// Stop when the process that started this one is gone
    #[arg(long, hide = true)]
    end_with_parent: bool,
}

/// Subcommands of `page`.
#[derive(Debug, Subcommand)]
enum PageCommand {
    /// Write the page and its network.json to an empty folder, for a web server of your own
    Export {
        /// The folder
        dir: PathBuf,
        #[command(flatten)]
        deployment: Deployment,
    },
    /// Print the hash of the built-in page, or of one that lies in a folder
    Hash {
        /// A folder: a build of verifier-web, or an export
        dir: Option<PathBuf>,
    },
}

/// Which page, for which network.
#[derive(Debug, Args)]
struct Deployment {
    /// The network: an installed one (its origin, or a part of it) or a trust file [default: the one that is installed]
    #[arg(long, value_name = "NETWORK")]
    network: Option<PathBuf>,
    /// A node that the page asks; may be given several times [default: those of the development network]
    #[arg(long, value_name = "URL")]
    node: Vec<String>,
    /// The network's name as visitors read it [default: its origin]
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Take the page from this folder, a build of verifier-web, in place of the built-in one
    #[arg(long, value_name = "DIR")]
    bundle: Option<PathBuf>,
}

impl Deployment {
    fn bundle(&self) -> Result<Bundle, CommandError> {
        bundle(self.bundle.as_deref())
    }

    fn network(&self, output: &Output) -> Result<Network, CommandError> {
        let profile = Profile::installed()?;
        let Installed { trust, .. } = match &self.network {
            Some(path) if path.is_file() => networks::read(path)?,
            Some(name) => networks::named(&name.to_string_lossy())?,
            None => match profile.as_ref().map(|profile| networks::find(profile.network)).transpose()?.flatten() {
                Some(installed) => installed,
                None => only(networks::list()?)?,
            },
        };
        let nodes = match (self.node.as_slice(), profile) {
            ([], Some(profile)) if profile.network == trust.network() => profile.nodes,
            (given, _) => given.to_vec(),
        };
        if nodes.is_empty() {
            output.note("no node is named (--node URL): diplomas are judged by the proofs that come with them");
        }
        network(self.name.as_deref().unwrap_or(trust.origin().as_str()), &trust, &nodes)
    }
}

fn only(mut installed: Vec<Installed>) -> Result<Installed, CommandError> {
    match installed.len() {
        1 => Ok(installed.remove(0)),
        0 => Err(CommandError::failed(
            "network.none",
            "no network is installed here, and a page is for one",
            "name a trust file: --network trust.json",
        )),
        count => Err(CommandError::failed(
            "network.ambiguous",
            format!("{count} networks are installed, and a page is for one"),
            "name it with --network; `testamur network list` shows them",
        )),
    }
}

/// The page in a folder, or the one that this binary has.
pub(crate) fn bundle(folder: Option<&Path>) -> Result<Bundle, CommandError> {
    let found = folder.map_or_else(Bundle::built_in, Bundle::read);
    found.map_err(|error| {
        let hint = match error {
            BundleError::NotBuilt => "run npm ci && npm run build in verifier-web, then build again",
            _ => "name a build of verifier-web (its folder dist), or an export",
        };
        CommandError::failed("page.bundle", error, hint)
    })
}

/// The configuration of a page.
pub(crate) fn network(
    name: &str,
    trust: &testamur_primitives::trust::TrustFile,
    nodes: &[String],
) -> Result<Network, CommandError> {
    let parse = |text: &String| {
        text.parse::<NodeAddress>().map_err(|error| {
            CommandError::failed("page.node", format!("{text:?} is no address of a node: {error}"), "check --node")
        })
    };
    let nodes = nodes.iter().map(parse).collect::<Result<Vec<_>, _>>()?;
    Network::new(name, trust, &nodes)
        .map_err(|error| CommandError::failed("page.network", error, "check --name and --node"))
}

/// What is told of a page that is served.
#[derive(Serialize)]
struct Served {
    url: String,
    bundle_sha256: String,
    files: usize,
    nodes: Vec<String>,
}

impl Page {
    /// Runs the subcommand.
    pub(crate) fn run(mut self, output: &Output) -> Result<Exit, CommandError> {
        match self.command.take() {
            Some(PageCommand::Export { dir, deployment }) => export(&dir, &deployment, output),
            Some(PageCommand::Hash { dir }) => hash(dir.as_deref(), output),
            None => self.serve(output),
        }
    }

    fn serve(self, output: &Output) -> Result<Exit, CommandError> {
        if self.end_with_parent {
            service::end_with_parent()?;
        }
        let (bundle, network) = (self.deployment.bundle()?, self.deployment.network(output)?);
        let tls = match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => {
                let tls = Tls::from_pem_files(cert, key);
                Some(tls.map_err(|e| CommandError::failed("page.tls", e, "check --tls-cert and --tls-key"))?)
            }
            _ => None,
        };
        if tls.is_some() || self.behind_tls {
            for node in network.nodes().iter().filter(|node| node.is_mixed_content()) {
                output.note(format!("browsers do not let a page that came by TLS ask {node}: the node needs TLS, too"));
            }
        }
        service::start_log(&Log::default())?;
        let config = PageConfig { listen: self.listen, tls, behind_tls: self.behind_tls, bundle, network };
        service::runtime()?.block_on(serve(config, output))
    }
}

async fn serve(config: PageConfig, output: &Output) -> Result<Exit, CommandError> {
    let mut signals = StopSignals::listen()?;
    let scheme = if config.tls.is_some() { "https" } else { "http" };
    let mut served = Served {
        url: String::new(),
        bundle_sha256: config.bundle.hash(),
        files: config.bundle.files().count(),
        nodes: config.network.nodes().iter().map(ToString::to_string).collect(),
    };
    let service = Service::bind(config)
        .await
        .map_err(|error| CommandError::failed("page.start", error, "give another --listen"))?;
    served.url = format!("{scheme}://{}/", service.local_address());
    output.result(&served, || {
        let nodes: String = served.nodes.iter().map(|node| format!("  asks     {node}\n")).collect();
        format!(
            "{} {}\n{nodes}  bundle   sha256 {}",
            output.paint(Tone::Good, "SERVING"),
            served.url,
            served.bundle_sha256
        )
    });
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let serving = tokio::spawn(service.serve(async move {
        // An error means that the sender is gone: that is a stop as well.
        let _ = stopped.await;
    }));
    signals.recv().await;
    let _ = stop.send(());
    tokio::select! {
        _ = serving => Ok(Exit::Ok),
        _ = signals.recv() => Ok(Exit::Operational),
    }
}

#[derive(Serialize)]
struct Exported {
    directory: PathBuf,
    bundle_sha256: String,
    headers: Vec<(String, String)>,
}

fn export(dir: &Path, deployment: &Deployment, output: &Output) -> Result<Exit, CommandError> {
    let (bundle, network) = (deployment.bundle()?, deployment.network(output)?);
    testamur_page::export(&bundle, &network, dir).map_err(|error| {
        CommandError::failed("page.export", error, "choose a folder that is empty or not there yet")
    })?;
    let headers = policy::headers(network.nodes(), true)
        .iter()
        .map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let exported = Exported { directory: dir.to_owned(), bundle_sha256: bundle.hash(), headers };
    output.result(&exported, || {
        let headers: String = exported.headers.iter().map(|(name, value)| format!("  {name}: {value}\n")).collect();
        format!(
            "{} {} files to {}\n  bundle   sha256 {}\n\n\
             index.html carries its policy, but for frame-ancestors, which browsers take from a header alone. Have your server\n\
             send, with every file:\n\n{headers}\n\
             and Cache-Control: no-cache with all but assets/. The network is in network.json; change nothing else.",
            output.paint(Tone::Good, "WROTE"),
            bundle.files().count() + 1,
            dir.display(),
            exported.bundle_sha256,
        )
    });
    Ok(Exit::Ok)
}

#[derive(Serialize)]
struct Hashed {
    bundle_sha256: String,
    files: usize,
    bytes: usize,
}

fn hash(dir: Option<&Path>, output: &Output) -> Result<Exit, CommandError> {
    let bundle = bundle(dir)?;
    let hashed = Hashed { bundle_sha256: bundle.hash(), files: bundle.files().count(), bytes: bundle.size() };
    output.result(&hashed, || hashed.bundle_sha256.clone());
    Ok(Exit::Ok)
}
