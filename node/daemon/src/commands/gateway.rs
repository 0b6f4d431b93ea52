//! `testamur gateway`: an author's gateway, the tokens of those who may call it, and its archive of receipts.

mod archive;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand, ValueEnum};
use serde::{Deserialize, Serialize};
use testamur_api::server::Tls;
use testamur_gateway::diplomas::{Desk, RowsKind};
use testamur_gateway::tokens::{Scope, Token, Tokens, TokensError, load_last_used};
use testamur_gateway::webhook::{Webhook, fresh_secret};
use testamur_gateway::{Backups, Gateway as GatewayService, GatewayConfig};
use testamur_primitives::record::Reference;
use testamur_primitives::units::UnixTime;
use testamur_registrar::Options;
use testamur_registrar::import::{self, Import, Kind, Map};
use testamur_registrar::limits::MAP_BYTES_MAX;
use testamur_registrar::staff::PersonName;

use crate::config::{Log, read_toml};
use crate::entity::office;
use crate::entity::options::{HomeOptions, LedgerOptions};
use crate::exit::{CommandError, Exit};
use crate::keystore::{Access, Key, KeyKind, PassphraseOptions};
use crate::output::{Output, Tone, now, utc};
use crate::service::{self, StopSignals};
use crate::{files, networks};

/// Arguments of `gateway`.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Gateway {
    #[command(subcommand)]
    command: Option<GatewayCommand>,
    /// The gateway's config.toml
    #[arg(long, value_name = "FILE", required = true)]
    config: Option<PathBuf>,
    #[command(flatten)]
    passphrase: PassphraseOptions,
    /// Stop when the process that started this one is gone
    #[arg(long, hide = true)]
    end_with_parent: bool,
}

/// Subcommands of `gateway`.
#[derive(Debug, Subcommand)]
pub(crate) enum GatewayCommand {
    /// Tokens of callers: made here, shown once, kept as hashes
    #[command(subcommand)]
    Token(TokenCommand),
    /// Copy the archive of receipts and its key, which stays under its passphrase; the gateway must not run
    Backup(ArchiveArguments),
    /// Make the archive of receipts of a copy, where there is none
    Restore(ArchiveArguments),
    /// Make a secret for webhooks and print it
    WebhookSecret,
}

/// Arguments of `gateway backup` and `gateway restore`.
#[derive(Debug, Args)]
pub(crate) struct ArchiveArguments {
    /// The gateway's config.toml
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    #[command(flatten)]
    passphrase: PassphraseOptions,
    /// The copy; its key is beside it, under its name and .key
    copy: PathBuf,
}

/// Subcommands of `gateway token`.
#[derive(Debug, Subcommand)]
pub(crate) enum TokenCommand {
    /// Make a token and print it, once
    Add {
        /// The tokens file of the gateway (made when it is not there)
        #[arg(long, value_name = "FILE")]
        tokens: PathBuf,
        /// What it is good for; may be given several times
        #[arg(long, value_enum, default_value = "notarise")]
        scope: Vec<ScopeName>,
        /// The person of the university's desk who uses it: who proposes a change never approves it
        #[arg(long, value_name = "NAME")]
        person: Option<PersonName>,
        /// Days after which it is not taken any more
        #[arg(long, value_name = "DAYS")]
        expires: Option<u64>,
        /// Which caller it is for, such as registry-office; never a person's name
        label: Reference,
    },
    /// List labels: what each is good for, until when, and when it was used last
    List {
        /// The tokens file of the gateway
        #[arg(long, value_name = "FILE")]
        tokens: PathBuf,
    },
    /// Take a caller's token away; a running gateway refuses it within seconds, and says why
    Revoke {
        /// The tokens file of the gateway
        #[arg(long, value_name = "FILE")]
        tokens: PathBuf,
        /// Which caller
        label: Reference,
    },
    /// Take a caller's token away and forget that it was there
    Remove {
        /// The tokens file of the gateway
        #[arg(long, value_name = "FILE")]
        tokens: PathBuf,
        /// Which caller
        label: Reference,
    },
}

/// What a token is good for, as command lines name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ScopeName {
    /// Documents and hashes to receipts
    Notarise,
    /// Issuing diplomas, reading what was issued, proposing changes
    Diplomas,
    /// Approving changes that somebody else proposed
    Approve,
    /// Keeping the gateway: backups
    Operate,
}

impl From<ScopeName> for Scope {
    fn from(name: ScopeName) -> Self {
        match name {
            ScopeName::Notarise => Self::Notarise,
            ScopeName::Diplomas => Self::Diplomas,
            ScopeName::Approve => Self::Approve,
            ScopeName::Operate => Self::Operate,
        }
    }
}

/// Bytes of a file with a webhook's secret: 50 and a line end.
const SECRET_BYTES_MAX: usize = 1024;

/// Faults of rows that an answer tells one by one.
const FAULTS_TOLD: usize = 20;

/// A gateway's config.toml.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ConfigFile {
    listen: SocketAddr,
    nodes: Vec<String>,
    trust: PathBuf,
    author: PathBuf,
    tokens: PathBuf,
    passphrase_file: Option<PathBuf>,
    #[serde(default)]
    insecure_dev: bool,
    #[serde(default)]
    allowed_hosts: Vec<String>,
    #[serde(default)]
    node_roots: Vec<PathBuf>,
    tls_cert: Option<PathBuf>,
    tls_key: Option<PathBuf>,
    batch_window_ms: Option<u64>,
    /// Where receipts are kept; made, with its key beside it, when it is not there.
    receipts: Option<PathBuf>,
    /// Directory for backups that are made while the gateway runs: POST /v1/backups.
    backups: Option<PathBuf>,
    /// Who is told of what became final.
    webhook: Option<WebhookTable>,
    /// Home of the university whose diplomas are issued here; the gateway then has its archive to itself.
    diplomas_home: Option<PathBuf>,
    /// How columns become diplomas.
    diplomas_map: Option<PathBuf>,
    #[serde(default)]
    log: Log,
}

/// Table `webhook` of a gateway's config.toml.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookTable {
    url: String,
    /// File with the secret, as `testamur gateway webhook-secret` prints it.
    secret_file: PathBuf,
}

/// The config.toml of a gateway beside the nodes of a network made here.
pub(crate) fn config_text(listen: SocketAddr, nodes: &[SocketAddr], insecure_dev: bool) -> String {
    let nodes: Vec<_> = nodes.iter().map(|node| format!("    \"http://{node}\",\n")).collect();
    format!(
        "# Configuration of a Testamur gateway: one author's. Paths are relative to this file.\n\
         listen = \"{listen}\"\n\
         # Tried in this order; one that is away costs nothing but a moment.\n\
         nodes = [\n{}]\n\
         # What receipts are verified with before they are handed out.\n\
         trust = \"../trust.json\"\n\
         author = \"author.key\"\n\
         # Hashes of the callers' tokens; `testamur gateway token add` makes one.\n\
         tokens = \"tokens.json\"\n\
         # Receipts and salts are kept here, never documents; its key is beside it.\n\
         receipts = \"receipts.redb\"\n\
         # Where `POST /v1/backups` writes copies while the gateway runs; best on another disk.\n\
         # backups = \"backups\"\n\
         {}\
         # Who is told, signed, of what became final: the file holds what `testamur gateway webhook-secret` prints.\n\
         # [webhook]\n\
         # url = \"https://back-office.example/testamur\"\n\
         # secret_file = \"webhook.secret\"\n",
        nodes.concat(),
        if insecure_dev {
            "# The key is not encrypted: a development network, without value.\ninsecure_dev = true\n"
        } else {
            "# Or --passphrase-fd, or TESTAMUR_PASSPHRASE_FILE.\n# passphrase_file = \"/run/credentials/testamur/passphrase\"\n"
        },
    )
}

impl ConfigFile {
    fn read(
        path: &Path,
        passphrase: &PassphraseOptions,
    ) -> Result<(GatewayConfig, Option<DeskFiles>, Log), CommandError> {
        let file: Self = read_toml(path)?;
        let base = path.parent().unwrap_or(Path::new(""));
        let trust = networks::read(&base.join(&file.trust))?.trust;
        let mut options = passphrase.clone();
        if options.passphrase_file.is_none() {
            options.passphrase_file = file.passphrase_file.as_ref().map(|p| base.join(p));
        }
        let access = Access { passphrase: options.read()?, insecure_dev: file.insecure_dev };
        let author = Key::read(&base.join(&file.author), KeyKind::Author, &access)?;
        let tokens = Tokens::load(&base.join(&file.tokens)).map_err(|e| tokens_refused(&e))?;
        let mut config = GatewayConfig::new(file.listen, file.nodes, author.into_signing(), tokens, trust);
        config.tokens_file = Some(base.join(&file.tokens));
        if let Some(receipts) = &file.receipts {
            let receipts = base.join(receipts);
            config.store = Some(archive::open(&receipts, &access)?);
            config.backups = file.backups.as_ref().map(|directory| Backups {
                directory: base.join(directory),
                key_file: Some(archive::key_path(&receipts)),
            });
        }
        if let Some(webhook) = &file.webhook {
            let secret = base.join(&webhook.secret_file);
            let refuse =
                |reason: String| CommandError::content(&secret, reason, "`testamur gateway webhook-secret` makes one");
            let text = String::from_utf8(files::read_at_most(&secret, SECRET_BYTES_MAX)?);
            let text = text.map_err(|_| refuse("is no text".into()))?;
            let webhook = Webhook::new(&webhook.url, text.trim()).map_err(|e| refuse(e.to_string()))?;
            config.webhook = Some(webhook);
        }
        config.allowed_hosts = file.allowed_hosts;
        for root in &file.node_roots {
            config.node_roots_pem.push(files::read_at_most(&base.join(root), 1024 * 1024)?);
        }
        config.tls = match (&file.tls_cert, &file.tls_key) {
            (Some(cert), Some(key)) => Some(
                Tls::from_pem_files(&base.join(cert), &base.join(key))
                    .map_err(|e| CommandError::failed("gateway.tls", e, "check tls_cert and tls_key"))?,
            ),
            (None, None) => None,
            _ => return Err(CommandError::content(path, "tls_cert and tls_key go together", "give both or none")),
        };
        if let Some(window) = file.batch_window_ms {
            config.batch_window = Duration::from_millis(window);
        }
        let desk = file.diplomas_home.map(|home| DeskFiles {
            home: HomeOptions::of_service(base.join(home), options, file.insecure_dev),
            map: file.diplomas_map.map(|map| base.join(map)),
            ledger: LedgerOptions { node: config.nodes.clone(), trust: Some(base.join(&file.trust)) },
        });
        Ok((config, desk, file.log))
    }
}

/// Where a university's desk is.
struct DeskFiles {
    home: HomeOptions,
    map: Option<PathBuf>,
    ledger: LedgerOptions,
}

impl DeskFiles {
    async fn open(self, output: &Output) -> Result<Desk, CommandError> {
        let map = match &self.map {
            None => None,
            Some(path) => {
                let refuse = |reason: String| CommandError::content(path, reason, "correct the map");
                let text = String::from_utf8(files::read_at_most(path, MAP_BYTES_MAX)?);
                let text = text.map_err(|_| refuse("is no UTF-8".into()))?;
                Some(Map::parse(&text).map_err(|e| refuse(e.to_string()))?)
            }
        };
        let office = office::open(&self.home, &self.ledger, output).await?;
        let mut formats = map.as_ref().map(|map| map.formats.clone()).unwrap_or_default();
        if formats.is_empty() {
            formats.clone_from(&office.settings().formats);
        }
        let read = move |kind: RowsKind, bytes: &[u8]| {
            let map = map.as_ref().ok_or("the gateway has no map: its operator sets diplomas_map")?;
            let kind = match kind {
                RowsKind::Csv => Kind::Csv,
                RowsKind::Json => Kind::Json,
            };
            let Import { drafts, faults, .. } = import::read(bytes, kind, map).map_err(|e| e.to_string())?;
            if faults.is_empty() {
                return Ok(drafts.into_iter().map(|(_, draft)| draft).collect());
            }
            let told: Vec<_> = faults.iter().take(FAULTS_TOLD).map(ToString::to_string).collect();
            Err(format!("{} faults: {}", faults.len(), told.join("; ")))
        };
        Ok(Desk::new(office, Box::new(read), Options { formats, print: true }))
    }
}

fn tokens_refused(error: &TokensError) -> CommandError {
    CommandError::failed("gateway.tokens", error, "`testamur gateway token add --tokens FILE LABEL` makes a token")
}

#[derive(Serialize)]
struct TokenReport<'a> {
    label: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    created: u64,
}

/// A token as it is listed. Times are seconds since 1970.
#[derive(Serialize)]
struct ListedToken<'a> {
    label: &'a str,
    scopes: Vec<&'static str>,
    created: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    revoked: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_used: Option<u64>,
}

impl ListedToken<'_> {
    fn line(&self) -> String {
        let mut line = format!("{}  {}  since {}", self.label, self.scopes.join(", "), utc(UnixTime(self.created)));
        let times = [("expires", self.expires), ("revoked", self.revoked), ("last used", self.last_used)];
        for (what, time) in times.into_iter().filter_map(|(what, time)| Some((what, time?))) {
            line.push_str(&format!("  {what} {}", utc(UnixTime(time))));
        }
        line.push('\n');
        line
    }
}

/// What a copy of an archive holds.
#[derive(Serialize)]
struct CopyReport {
    values: u64,
}

impl Gateway {
    /// Runs the gateway, or works on its tokens.
    pub(crate) fn run(self, output: &Output) -> Result<Exit, CommandError> {
        match self.command {
            Some(GatewayCommand::Token(command)) => return command.run(output),
            Some(GatewayCommand::Backup(arguments)) => {
                let (archive, access) = arguments.archive()?;
                let values = archive::back_up(&archive, &arguments.copy, &access)?;
                output.result(&CopyReport { values }, || {
                    format!("Copied {values} values; keep the passphrase elsewhere")
                });
                return Ok(Exit::Ok);
            }
            Some(GatewayCommand::Restore(arguments)) => {
                let (archive, access) = arguments.archive()?;
                let values = archive::put_back(&arguments.copy, &archive, &access)?;
                output.result(&CopyReport { values }, || format!("Restored {values} values"));
                return Ok(Exit::Ok);
            }
            Some(GatewayCommand::WebhookSecret) => {
                let secret = fresh_secret().map_err(|e| CommandError::failed("key.randomness", e, ""))?;
                output.result(&secret, || secret.clone());
                return Ok(Exit::Ok);
            }
            None => {}
        }
        let path = self.config.ok_or_else(|| CommandError::Usage("--config is needed".into()))?;
        if self.end_with_parent {
            service::end_with_parent()?;
        }
        service::forbid_core_dumps()?;
        let (mut config, desk, log) = ConfigFile::read(&path, &self.passphrase)?;
        service::start_log(&log)?;
        service::runtime()?.block_on(async {
            if let Some(desk) = desk {
                config.desk = Some(desk.open(output).await?);
            }
            serve(config).await
        })
    }
}

async fn serve(config: GatewayConfig) -> Result<Exit, CommandError> {
    let mut signals = StopSignals::listen()?;
    let gateway = GatewayService::bind(config).await.map_err(|e| CommandError::failed("gateway.start", e, ""))?;
    tracing::info!(address = %gateway.local_address(), author = %gateway.author(), "the gateway is up");
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let serving = tokio::spawn(gateway.serve(async move {
        // An error means that the sender is gone: that is a stop as well.
        let _ = stopped.await;
    }));
    let signal = signals.recv().await;
    tracing::info!(signal, "stopping");
    let _ = stop.send(());
    tokio::select! {
        _ = serving => tracing::info!("stopped"),
        signal = signals.recv() => {
            tracing::warn!(signal, "stopped without waiting: a second signal");
            return Ok(Exit::Operational);
        }
    }
    Ok(Exit::Ok)
}

impl ArchiveArguments {
    /// Where the gateway's archive is, and what opens its key.
    fn archive(&self) -> Result<(PathBuf, Access), CommandError> {
        let file: ConfigFile = read_toml(&self.config)?;
        let base = self.config.parent().unwrap_or(Path::new(""));
        let receipts = file.receipts.ok_or_else(|| {
            CommandError::content(&self.config, "names no archive of receipts", "set receipts = \"receipts.redb\"")
        })?;
        let mut options = self.passphrase.clone();
        if options.passphrase_file.is_none() {
            options.passphrase_file = file.passphrase_file.as_ref().map(|p| base.join(p));
        }
        let access = Access { passphrase: options.read()?, insecure_dev: file.insecure_dev };
        Ok((base.join(receipts), access))
    }
}

impl TokenCommand {
    fn run(self, output: &Output) -> Result<Exit, CommandError> {
        match self {
            Self::Add { tokens: path, scope, person, expires, label } => {
                let mut tokens = if path.exists() { load(&path)? } else { Tokens::new() };
                let created = now()?;
                let token = Token::generate().map_err(|e| tokens_refused(&e))?;
                let scopes = scope.into_iter().map(Scope::from).collect();
                tokens.add_for(label.clone(), &token, created, scopes, person).map_err(|e| tokens_refused(&e))?;
                if let Some(days) = expires {
                    tokens.expire(&label, UnixTime(created.0.saturating_add(days.saturating_mul(24 * 3_600))));
                }
                tokens.save(&path).map_err(|e| tokens_refused(&e))?;
                let report = TokenReport { label: label.as_str(), token: Some(token.as_str()), created: created.0 };
                output.result(&report, || token.as_str().to_owned());
                output.note("this token is shown once; give it to the caller and keep no copy");
            }
            Self::List { tokens: path } => {
                let (tokens, used) = (load(&path)?, load_last_used(&path));
                let report: Vec<_> = tokens
                    .entries()
                    .iter()
                    .map(|entry| ListedToken {
                        label: entry.label.as_str(),
                        scopes: entry.scopes.iter().map(|scope| scope.name()).collect(),
                        created: entry.created.0,
                        expires: entry.expires.map(|time| time.0),
                        revoked: entry.revoked.map(|time| time.0),
                        last_used: used.get(&entry.label).map(|time| time.0),
                    })
                    .collect();
                output.result(&report, || report.iter().map(ListedToken::line).collect());
            }
            Self::Revoke { tokens: path, label } => {
                let (mut tokens, at) = (load(&path)?, now()?);
                if !tokens.revoke(&label, at) {
                    return Err(CommandError::failed(
                        "gateway.tokens",
                        format!("{} has no token labelled {label} that is not revoked", path.display()),
                        "`testamur gateway token list` shows the labels",
                    ));
                }
                tokens.save(&path).map_err(|e| tokens_refused(&e))?;
                let report = TokenReport { label: label.as_str(), token: None, created: at.0 };
                output.result(&report, || output.paint(Tone::Good, &format!("Revoked the token of {label}")));
            }
            Self::Remove { tokens: path, label } => {
                let mut tokens = load(&path)?;
                if !tokens.remove(&label) {
                    return Err(CommandError::failed(
                        "gateway.tokens",
                        format!("{} has no token labelled {label}", path.display()),
                        "`testamur gateway token list` shows the labels",
                    ));
                }
                tokens.save(&path).map_err(|e| tokens_refused(&e))?;
                let report = TokenReport { label: label.as_str(), token: None, created: now()?.0 };
                output.result(&report, || output.paint(Tone::Good, &format!("Removed the token of {label}")));
            }
        }
        Ok(Exit::Ok)
    }
}

fn load(path: &Path) -> Result<Tokens, CommandError> {
    Tokens::load(path).map_err(|e| tokens_refused(&e))
}
