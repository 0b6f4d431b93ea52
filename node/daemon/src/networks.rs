//! Installed networks: the trust files that this user's `testamur` goes by.
//!
//! They are `networks/<origin, '/' as '_'>.json` under `$TESTAMUR_HOME`. Nothing else decides whom a receipt is
//! believed from: not the receipt, not the node that is asked.

use std::fs;
use std::path::{Path, PathBuf};

use testamur_primitives::hash::GenesisHash;
use testamur_primitives::limits::TRUST_BYTES_MAX;
use testamur_primitives::trust::TrustFile;

use crate::exit::CommandError;
use crate::files;

/// A trust file and where it lies.
#[derive(Debug, Clone)]
pub(crate) struct Installed {
    /// Its path.
    pub(crate) path: PathBuf,
    /// Its content.
    pub(crate) trust: TrustFile,
}

/// What adding a network did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// The network was unknown before.
    New,
    /// It was there with the same content.
    Unchanged,
    /// It now pins a newer checkpoint.
    Newer,
    /// It was replaced because the caller insisted.
    Replaced,
}

/// The directory of this user's data.
pub(crate) fn home() -> Result<PathBuf, CommandError> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    set("TESTAMUR_HOME")
        .or_else(|| set("XDG_DATA_HOME").filter(|p| p.is_absolute()).map(|p| p.join("testamur")))
        .or_else(|| set("HOME").map(|p| p.join(".local/share/testamur")))
        .ok_or_else(|| {
            CommandError::failed(
                "cli.home",
                "there is no directory for installed networks: none of TESTAMUR_HOME, XDG_DATA_HOME, HOME is set",
                "set TESTAMUR_HOME, or give --trust FILE",
            )
        })
}

/// Reads a trust file.
pub(crate) fn read(path: &Path) -> Result<Installed, CommandError> {
    let bytes = files::read_at_most(path, TRUST_BYTES_MAX)?;
    let trust = TrustFile::from_json(&bytes).map_err(|error| {
        let hint = if looks_like_genesis(&bytes) {
            "this is a genesis: the trust file is the one that the network's operators publish (trust.json)"
        } else {
            "get the trust file again from the network's operators"
        };
        CommandError::content(path, error, hint)
    })?;
    Ok(Installed { path: path.to_owned(), trust })
}

fn looks_like_genesis(bytes: &[u8]) -> bool {
    testamur_primitives::genesis::Genesis::from_json(bytes).is_ok()
}

/// All installed networks by origin.
pub(crate) fn list() -> Result<Vec<Installed>, CommandError> {
    let directory = directory()?;
    let entries = match fs::read_dir(&directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(CommandError::file("read", &directory, error)),
    };
    let mut paths = Vec::new();
    for entry in entries {
        let path = entry.map_err(|e| CommandError::file("read", &directory, e))?.path();
        if path.extension().is_some_and(|e| e == "json") {
            paths.push(path);
        }
    }
    paths.sort();
    paths.iter().map(|path| read(path)).collect()
}

/// The installed network of this genesis hash. A damaged file of another network is nobody's business here.
pub(crate) fn find(network: GenesisHash) -> Result<Option<Installed>, CommandError> {
    let ending = format!("_{}.json", &network.to_string()[..32]);
    let directory = directory()?;
    let Ok(entries) = fs::read_dir(&directory) else { return Ok(None) };
    for entry in entries.flatten() {
        if entry.file_name().to_string_lossy().ends_with(&ending) {
            let installed = read(&entry.path())?;
            return Ok((installed.trust.network() == network).then_some(installed));
        }
    }
    Ok(None)
}

/// The installed network of this genesis hash, or what to do about it.
#[cfg(feature = "node")]
pub(crate) fn require(network: GenesisHash) -> Result<Installed, CommandError> {
    find(network)?.ok_or(CommandError::UnknownNetwork(network))
}

/// The installed network that a person names: its origin, or a part of it that only one has.
pub(crate) fn named(name: &str) -> Result<Installed, CommandError> {
    let mut all = list()?;
    all.retain(|n| n.trust.origin().as_str().contains(name) || n.trust.network().to_string().starts_with(name));
    match all.len() {
        1 => Ok(all.remove(0)),
        0 => Err(CommandError::failed(
            "network.unknown",
            format!("no installed network is called {name:?}"),
            "`testamur network list` shows what is installed",
        )),
        count => Err(CommandError::failed(
            "network.ambiguous",
            format!("{count} installed networks match {name:?}"),
            "give the whole origin, as `testamur network list` prints it",
        )),
    }
}

/// A trust file that a person gives: a path, or what an installed network is called.
#[cfg(feature = "node")]
pub(crate) fn given(text: &str) -> Result<Installed, CommandError> {
    let path = Path::new(text);
    if path.is_file() { read(path) } else { named(text) }
}

/// Installs a trust file. A network that is there is replaced by a newer checkpoint, or when `replace` says so.
pub(crate) fn add(trust: &TrustFile, replace: bool) -> Result<(PathBuf, Added), CommandError> {
    let directory = directory()?;
    files::create_private_directory(&directory)?;
    let path = directory.join(format!("{}.json", trust.origin().as_str().replace('/', "_")));
    let added = match path.exists() {
        false => Added::New,
        true => {
            let old = read(&path)?.trust;
            let height = |t: &TrustFile| t.pinned().map(|(header, _)| header.height);
            let contradiction = match (old.pinned(), trust.pinned()) {
                (Some((old, _)), Some((new, _))) => old.height == new.height && old != new,
                _ => false,
            };
            if contradiction {
                return Err(CommandError::failed(
                    "network.contradiction",
                    format!("two checkpoints of {} say different things of one height", trust.origin()),
                    "believe neither and report this to the network's operators: somebody signed two histories",
                ));
            }
            if old.fingerprint() == trust.fingerprint() {
                Added::Unchanged
            } else if height(trust) > height(&old) {
                Added::Newer
            } else if replace {
                Added::Replaced
            } else {
                return Err(CommandError::failed(
                    "network.older",
                    format!("{} is installed with a newer checkpoint than this file has", trust.origin()),
                    "keep the newer one, or insist with --replace",
                ));
            }
        }
    };
    if added != Added::Unchanged {
        files::replace(&path, trust.to_json().as_bytes(), 0o644)?;
    }
    Ok((path, added))
}

/// Nodes of a network: those given, else those that were of use before, else those of the development network.
#[cfg(feature = "node")]
pub(crate) fn nodes(installed: &Installed, given: &[String]) -> Result<Vec<String>, CommandError> {
    if !given.is_empty() {
        return Ok(given.to_vec());
    }
    let path = nodes_path(&installed.trust)?;
    if path.exists() {
        let bytes = files::read_at_most(&path, NODES_BYTES_MAX)?;
        let text = String::from_utf8_lossy(&bytes);
        let urls: Vec<_> = text.lines().map(str::trim).filter(|line| !line.is_empty()).map(str::to_owned).collect();
        if !urls.is_empty() {
            return Ok(urls);
        }
    }
    match crate::profile::Profile::installed()? {
        Some(profile) if profile.network == installed.trust.network() && !profile.nodes.is_empty() => Ok(profile.nodes),
        _ => Err(CommandError::failed(
            "network.no-node",
            format!("no node of {} is known here", installed.trust.origin()),
            "name one with --node URL; it is remembered",
        )),
    }
}

/// Remembers nodes that were given and of use. A convenience: a failure to write it changes nothing.
#[cfg(feature = "node")]
pub(crate) fn remember_nodes(installed: &Installed, given: &[String]) {
    if given.is_empty() {
        return;
    }
    let mut text = given.join("\n");
    text.push('\n');
    if let Ok(path) = nodes_path(&installed.trust)
        && path.parent().is_some_and(Path::is_dir)
    {
        let _ = files::replace(&path, text.as_bytes(), 0o644);
    }
}

/// Whether the keys at the beginning of every path from a trust file are in office by date: else whoever got hold of them
/// since could have made the path, and what it leads to.
#[cfg(feature = "node")]
pub(crate) fn in_office(trust: &TrustFile) -> Result<(), CommandError> {
    let epoch = trust.pinned().map_or_else(|| trust.genesis_epoch(), |(_, epoch)| epoch.clone());
    let until = epoch.validators.in_office_until();
    if crate::output::now()? <= until {
        return Ok(());
    }
    let what = format!(
        "the keys that the trust file of {} pins were in office only until {}: whoever got hold of them since could have \
         made a path from there",
        trust.origin(),
        crate::output::utc(until),
    );
    let hint = "get a newer trust file from the network's operators, compare its fingerprint by telephone, and install it \
                with `testamur network add FILE`; or insist with `testamur network update --anyway`, and compare the new \
                fingerprint then";
    Err(CommandError::failed("network.out-of-office", what, hint))
}

/// Keeps what shows that two histories were signed, and says so.
#[cfg(feature = "node")]
pub(crate) fn contradicted(contradiction: &testamur_client::path::Contradiction) -> CommandError {
    let bytes = contradiction.encode();
    let kept = home().and_then(|home| {
        let directory = home.join("contradictions");
        files::create_private_directory(&directory)?;
        let digest = hex::encode(&testamur_primitives::codec::sha256(&[&bytes])[..8]);
        let path = directory.join(format!("{}-{}-{digest}.json", contradiction.network.genesis, contradiction.height));
        files::replace(&path, &bytes, 0o644)?;
        Ok(path)
    });
    let kept = match kept {
        Ok(path) => format!("what shows it is kept in {}", path.display()),
        Err(error) => format!("what shows it could not be kept: {error}"),
    };
    let what = format!(
        "a node proves a history of {} in which the pinned block {} is another one: more than a third of its validators \
         signed both; {kept}",
        contradiction.network.origin, contradiction.height,
    );
    CommandError::failed(
        "network.contradiction",
        what,
        "believe neither, and show that file to the network's operators",
    )
}

/// Bytes of the file that remembers nodes: 64 addresses of 255 bytes.
#[cfg(feature = "node")]
const NODES_BYTES_MAX: usize = 16 * 1024;

#[cfg(feature = "node")]
fn nodes_path(trust: &TrustFile) -> Result<PathBuf, CommandError> {
    Ok(directory()?.join(format!("{}.nodes", trust.origin().as_str().replace('/', "_"))))
}

fn directory() -> Result<PathBuf, CommandError> {
    Ok(home()?.join("networks"))
}
