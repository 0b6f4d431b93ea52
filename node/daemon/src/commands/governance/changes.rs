//! `testamur governance propose …`: from what an operator types to the change that is proposed.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueEnum};
use serde::de::DeserializeOwned;
use testamur_primitives::did::Did;
use testamur_primitives::genesis::{Operator, Parameters};
use testamur_primitives::hash::{Address, AttributeId};
use testamur_primitives::record::{Algorithm, Change, OperatorRotation, RevocationReason};
use testamur_primitives::units::{Height, UnixTime};

use super::standing::Standing;
use super::{Life, OperatorOptions};
use crate::commands::trust::Reason as EndReason;
use crate::exit::CommandError;
use crate::files;
use crate::output::parse_time;

/// Bytes of a validator's file: three keys, three proofs, names.
const VALIDATOR_BYTES_MAX: usize = 64 * 1024;

/// A change with who proposes it and for how long.
#[derive(Debug, Args)]
pub(crate) struct Proposing<T: Args> {
    #[command(flatten)]
    what: T,
    #[command(flatten)]
    life: Life,
    #[command(flatten)]
    operator: OperatorOptions,
}

/// Subcommands of `governance propose`.
#[derive(Debug, Subcommand)]
pub(crate) enum Propose {
    /// Let a DID write to the ledger
    GrantWriter(Proposing<GrantWriter>),
    /// Take that right away; what was written stays
    RevokeWriter(Proposing<RevokeWriter>),
    /// Let a DID register that no accredited organisation vouches for: an author such as a city
    AdmitDid(Proposing<AdmitDid>),
    /// End the accreditation of a Root TAO; `testamur trust root` makes one
    EndRoot(Proposing<EndRoot>),
    /// Let validators join, once they follow the ledger
    AddValidator(Proposing<AddValidator>),
    /// Let validators leave
    RemoveValidator(Proposing<RemoveValidator>),
    /// Give validators other keys: they keep their names
    RotateValidator(Proposing<RotateValidator>),
    /// Let validators join, leave and rotate at one block
    ChangeValidators(Proposing<ChangeValidators>),
    /// End a change of the validators that still waits for those that join
    WithdrawSetChange(Proposing<WithdrawSetChange>),
    /// Take an operator into office
    AddOperator(Proposing<AddOperator>),
    /// Let an operator leave office; its key never comes back
    RemoveOperator(Proposing<RemoveOperator>),
    /// Give an operator another key, as when its staff changes; the old one never comes back
    RotateOperator(Proposing<RotateOperator>),
    /// Change how many operators must approve
    SetApprovals(Proposing<SetApprovals>),
    /// Change timing and sizes
    SetParameters(Proposing<SetParameters>),
    /// Go on to a later protocol
    SetProtocol(Proposing<SetProtocol>),
    /// Use an algorithm no more for new records
    RetireAlgorithm(Proposing<RetireAlgorithm>),
    /// Name the official addresses of the verifier page
    SetPageHosts(Proposing<SetPageHosts>),
}

/// What an operator typed, as a change.
pub(super) trait Typed {
    /// The change, by how things stand.
    fn change(&self, standing: &Standing) -> Result<Change, CommandError>;
}

impl Propose {
    /// What is proposed, for how long, by whom.
    pub(super) fn parts(&self) -> (&dyn Typed, &Life, &OperatorOptions) {
        macro_rules! parts {
            ($($name:ident),*) => {
                match self {
                    $(Self::$name(Proposing { what, life, operator }) => (what, life, operator),)*
                }
            };
        }
        parts!(
            GrantWriter,
            RevokeWriter,
            AdmitDid,
            EndRoot,
            AddValidator,
            RemoveValidator,
            RotateValidator,
            ChangeValidators,
            WithdrawSetChange,
            AddOperator,
            RemoveOperator,
            RotateOperator,
            SetApprovals,
            SetParameters,
            SetProtocol,
            RetireAlgorithm,
            SetPageHosts
        )
    }
}

/// From which block on.
#[derive(Debug, Clone, Copy, Args)]
struct From {
    /// From this block on [default: as soon as it can be]
    #[arg(long, value_name = "BLOCK")]
    from_block: Option<u64>,
}

impl From {
    /// What is decided in a block holds two blocks later at the earliest.
    fn height(self, standing: &Standing) -> Height {
        Height(self.from_block.unwrap_or(standing.height.0 + 2))
    }
}

/// Arguments of `grant-writer`.
#[derive(Debug, Args)]
pub(crate) struct GrantWriter {
    /// The writer
    did: Did,
}

impl Typed for GrantWriter {
    fn change(&self, _: &Standing) -> Result<Change, CommandError> {
        Ok(Change::GrantWriter { did: self.did.clone() })
    }
}

/// Arguments of `revoke-writer`.
#[derive(Debug, Args)]
pub(crate) struct RevokeWriter {
    /// The writer
    did: Did,
    /// Why
    #[arg(long, value_enum)]
    reason: Reason,
}

impl Typed for RevokeWriter {
    fn change(&self, _: &Standing) -> Result<Change, CommandError> {
        Ok(Change::RevokeWriter { did: self.did.clone(), reason: self.reason.into() })
    }
}

/// Why a role ends; the closed list of the records' format.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Reason {
    /// The writer asked for it or has ceased to exist
    CessationOfOperation,
    /// The writer's key is in other hands, or may be
    KeyCompromise,
    /// The writer broke the network's rules
    PrivilegeWithdrawn,
    /// Another DID took its place
    Superseded,
}

impl core::convert::From<Reason> for RevocationReason {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::CessationOfOperation => Self::CessationOfOperation,
            Reason::KeyCompromise => Self::KeyCompromise,
            Reason::PrivilegeWithdrawn => Self::PrivilegeWithdrawn,
            Reason::Superseded => Self::Superseded,
        }
    }
}

/// Arguments of `admit-did`.
#[derive(Debug, Args)]
pub(crate) struct AdmitDid {
    /// The DID
    did: Did,
    /// RFC 7638 thumbprint of the key that will register it: `testamur did new` prints it
    #[arg(long, value_name = "THUMBPRINT")]
    jkt: String,
}

impl Typed for AdmitDid {
    fn change(&self, _: &Standing) -> Result<Change, CommandError> {
        Ok(Change::AdmitDid { did: self.did.clone(), jkt: self.jkt.clone() })
    }
}

/// Arguments of `end-root`.
#[derive(Debug, Args)]
pub(crate) struct EndRoot {
    /// Its id: `testamur trust show` prints it
    attribute: AttributeId,
    /// Why
    #[arg(long, value_enum)]
    reason: EndReason,
    /// From when on
    #[arg(long, value_name = "TIME", value_parser = parse_time)]
    from: UnixTime,
}

impl Typed for EndRoot {
    fn change(&self, _: &Standing) -> Result<Change, CommandError> {
        Ok(Change::EndRoot { attribute: self.attribute, effective: self.from, reason: self.reason.into() })
    }
}

/// Arguments of `add-validator`.
#[derive(Debug, Args)]
pub(crate) struct AddValidator {
    /// What `testamur validator new` made of it
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    from: From,
}

impl Typed for AddValidator {
    fn change(&self, standing: &Standing) -> Result<Change, CommandError> {
        set_change(&self.files, &[], &[], self.from, standing)
    }
}

/// Arguments of `remove-validator`.
#[derive(Debug, Args)]
pub(crate) struct RemoveValidator {
    /// Its name, as `testamur governance show` prints it, or its address
    #[arg(required = true, value_name = "NAME")]
    names: Vec<String>,
    #[command(flatten)]
    from: From,
}

impl Typed for RemoveValidator {
    fn change(&self, standing: &Standing) -> Result<Change, CommandError> {
        set_change(&[], &self.names, &[], self.from, standing)
    }
}

/// Arguments of `rotate-validator`.
#[derive(Debug, Args)]
pub(crate) struct RotateValidator {
    /// What `testamur validator rotate` made of it
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    #[command(flatten)]
    from: From,
}

impl Typed for RotateValidator {
    fn change(&self, standing: &Standing) -> Result<Change, CommandError> {
        set_change(&[], &[], &self.files, self.from, standing)
    }
}

/// Arguments of `change-validators`.
#[derive(Debug, Args)]
pub(crate) struct ChangeValidators {
    /// What `testamur validator new` made of one that joins
    #[arg(long, value_name = "FILE")]
    add: Vec<PathBuf>,
    /// Name or address of one that leaves
    #[arg(long, value_name = "NAME")]
    remove: Vec<String>,
    /// What `testamur validator rotate` made of one that gets other keys
    #[arg(long, value_name = "FILE")]
    rotate: Vec<PathBuf>,
    #[command(flatten)]
    from: From,
}

impl Typed for ChangeValidators {
    fn change(&self, standing: &Standing) -> Result<Change, CommandError> {
        set_change(&self.add, &self.remove, &self.rotate, self.from, standing)
    }
}

fn set_change(
    add: &[PathBuf],
    remove: &[String],
    rotate: &[PathBuf],
    from: From,
    standing: &Standing,
) -> Result<Change, CommandError> {
    Ok(Change::ChangeValidators {
        add: add.iter().map(|path| read(path, "testamur validator new")).collect::<Result<_, _>>()?,
        remove: remove.iter().map(|name| address(name, standing)).collect::<Result<_, _>>()?,
        rotate: rotate.iter().map(|path| read(path, "testamur validator rotate")).collect::<Result<_, _>>()?,
        from: from.height(standing),
    })
}

fn read<T: DeserializeOwned>(path: &Path, made_by: &str) -> Result<T, CommandError> {
    let bytes = files::read_at_most(path, VALIDATOR_BYTES_MAX)?;
    serde_json::from_slice(&bytes)
        .map_err(|e| CommandError::content(path, e, format!("give the file that `{made_by}` made on that validator")))
}

/// A validator of the newest set, by name or address.
fn address(name: &str, standing: &Standing) -> Result<Address, CommandError> {
    let set = standing.newest_set();
    let found = set.validators().iter().find(|v| v.name == name || v.address.to_string() == name);
    found.map(|validator| validator.address).ok_or_else(|| {
        let names: Vec<_> = set.validators().iter().map(|v| v.name.as_str()).collect();
        CommandError::failed(
            "governance.validator",
            format!("no validator is called {name:?}"),
            format!("one of {}", names.join(", ")),
        )
    })
}

/// `withdraw-set-change` takes none.
#[derive(Debug, Args)]
pub(crate) struct WithdrawSetChange {}

impl Typed for WithdrawSetChange {
    fn change(&self, _: &Standing) -> Result<Change, CommandError> {
        Ok(Change::WithdrawSetChange {})
    }
}

/// How many must approve from then on.
#[derive(Debug, Clone, Copy, Args)]
struct Approvals {
    /// How many operators must approve a change from then on [default: as before]
    #[arg(long, value_name = "M")]
    approvals: Option<u32>,
}

/// Arguments of `add-operator`.
#[derive(Debug, Args)]
pub(crate) struct AddOperator {
    /// Its did:key: `testamur key show` prints it
    did: Did,
    /// Its legal name
    #[arg(long)]
    name: String,
    /// ISO 3166-1 alpha-2
    #[arg(long)]
    country: String,
    #[command(flatten)]
    approvals: Approvals,
}

impl Typed for AddOperator {
    fn change(&self, _: &Standing) -> Result<Change, CommandError> {
        let (did, name, country) = (self.did.clone(), self.name.clone(), self.country.clone());
        let add = vec![Operator { did, name, country }];
        let approvals_required = self.approvals.approvals;
        Ok(Change::ChangeOperators { add, remove: vec![], rotate: vec![], approvals_required })
    }
}

/// Arguments of `remove-operator`.
#[derive(Debug, Args)]
pub(crate) struct RemoveOperator {
    /// Its did:key
    did: Did,
    #[command(flatten)]
    approvals: Approvals,
}

impl Typed for RemoveOperator {
    fn change(&self, _: &Standing) -> Result<Change, CommandError> {
        let (remove, approvals_required) = (vec![self.did.clone()], self.approvals.approvals);
        Ok(Change::ChangeOperators { add: vec![], remove, rotate: vec![], approvals_required })
    }
}

/// Arguments of `rotate-operator`.
#[derive(Debug, Args)]
pub(crate) struct RotateOperator {
    /// Its did:key in office
    did: Did,
    /// The did:key that it approves with from then on
    successor: Did,
}

impl Typed for RotateOperator {
    fn change(&self, _: &Standing) -> Result<Change, CommandError> {
        let rotate = vec![OperatorRotation { did: self.did.clone(), successor: self.successor.clone() }];
        Ok(Change::ChangeOperators { add: vec![], remove: vec![], rotate, approvals_required: None })
    }
}

/// Arguments of `set-approvals`.
#[derive(Debug, Args)]
pub(crate) struct SetApprovals {
    /// How many must approve a change: more than half of the operators, and not all
    approvals: u32,
}

impl Typed for SetApprovals {
    fn change(&self, _: &Standing) -> Result<Change, CommandError> {
        let approvals_required = Some(self.approvals);
        Ok(Change::ChangeOperators { add: vec![], remove: vec![], rotate: vec![], approvals_required })
    }
}

/// Arguments of `set-parameters`.
#[derive(Debug, Args)]
pub(crate) struct SetParameters {
    /// What changes, as `heartbeat_s=30`; the others stay
    #[arg(required = true, value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, u32)>,
    #[command(flatten)]
    from: From,
}

fn setting(text: &str) -> Result<(String, u32), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    let value = value.parse().map_err(|_| format!("{value:?} is no whole number"))?;
    Ok((key.trim().to_owned(), value))
}

impl Typed for SetParameters {
    fn change(&self, standing: &Standing) -> Result<Change, CommandError> {
        let mut json = serde_json::to_value(&standing.newest_parameters.parameters).expect("parameters are JSON");
        let members = json.as_object_mut().expect("parameters are an object");
        for (key, value) in &self.settings {
            let names: Vec<_> = members.keys().cloned().collect();
            let Some(member) = members.get_mut(key) else {
                let hint = format!("one of {}", names.join(", "));
                return Err(CommandError::failed(
                    "governance.parameter",
                    format!("no parameter is called {key:?}"),
                    hint,
                ));
            };
            *member = (*value).into();
        }
        let parameters: Parameters = serde_json::from_value(json)
            .map_err(|e| CommandError::failed("governance.parameter", e, "give whole numbers"))?;
        Ok(Change::SetParameters { parameters, from: self.from.height(standing) })
    }
}

/// Arguments of `set-protocol`.
#[derive(Debug, Args)]
pub(crate) struct SetProtocol {
    /// Its number
    protocol: u32,
    #[command(flatten)]
    from: From,
}

impl Typed for SetProtocol {
    fn change(&self, standing: &Standing) -> Result<Change, CommandError> {
        Ok(Change::SetProtocol { protocol: self.protocol, from: self.from.height(standing) })
    }
}

/// Arguments of `retire-algorithm`.
#[derive(Debug, Args)]
pub(crate) struct RetireAlgorithm {
    /// sha2-256, sha2-384, sha2-512, sha3-256, sha3-384, sha3-512, Ed25519, P-256, P-384 or secp256k1
    algorithm: Algorithm,
    #[command(flatten)]
    from: From,
}

impl Typed for RetireAlgorithm {
    fn change(&self, standing: &Standing) -> Result<Change, CommandError> {
        Ok(Change::RetireAlgorithm { algorithm: self.algorithm, from: self.from.height(standing) })
    }
}

/// Arguments of `set-page-hosts`.
#[derive(Debug, Args)]
pub(crate) struct SetPageHosts {
    /// `host` or `host:port` of each, all of them; none: there is no official page
    #[arg(value_name = "HOST")]
    hosts: Vec<String>,
}

impl Typed for SetPageHosts {
    fn change(&self, _: &Standing) -> Result<Change, CommandError> {
        Ok(Change::SetPageHosts { hosts: self.hosts.clone() })
    }
}
