//! How governance stands: read from a node, proven against the installed trust file, never taken on the node's word.

use std::sync::Arc;

use testamur_client::node::Connections;
use testamur_client::nodes::Nodes;
use testamur_client::registry::{Registry, RegistryError};
use testamur_primitives::did::Did;
use testamur_primitives::epoch::ValidatorSet;
use testamur_primitives::genesis::{Genesis, Parameters};
use testamur_primitives::hash::RecordId;
use testamur_primitives::units::{Height, UnixTime};
use testamur_registry::governance::{self, Governance, Proposal, ProposalListing, ProposalStatus};
use testamur_registry::network::{self, EpochEntry, ParametersEntry, ProtocolEntry, Retirement, SetChangeEntry};
use testamur_registry::state::{self, StateError, StateReader};

use crate::commands::trust::no_block_yet;
use crate::exit::CommandError;
use crate::networks::{self, Installed};

/// Proposals that are looked at for those that wait for approvals.
const OPEN_MAX: u64 = 10;

/// What is in force, what is to come, what is proposed.
#[derive(Debug, Clone)]
pub(super) struct Standing {
    /// The newest block.
    pub(super) height: Height,
    /// Its time.
    pub(super) time: UnixTime,
    /// Who decides, and how.
    pub(super) governance: Governance,
    /// The epoch of the next block.
    pub(super) epoch: EpochEntry,
    /// Its validators.
    pub(super) validators: ValidatorSet,
    /// The epoch that begins later, and its validators.
    pub(super) scheduled: Option<(EpochEntry, ValidatorSet)>,
    /// The newest change of the set.
    pub(super) set_change: Option<SetChangeEntry>,
    /// Parameters of the next block.
    pub(super) parameters: Parameters,
    /// The newest ones, which may hold later.
    pub(super) newest_parameters: ParametersEntry,
    /// Protocol of the next block.
    pub(super) protocol: u32,
    /// The newest one, which may hold later.
    pub(super) newest_protocol: ProtocolEntry,
    /// Algorithms that are retired, or will be.
    pub(super) retired: Vec<Retirement>,
    /// The page's official addresses.
    pub(super) page_hosts: Vec<String>,
    /// How many proposals there ever were.
    pub(super) proposals: u64,
    /// Those that wait for approvals, in log order.
    pub(super) open: Vec<Proposal>,
}

impl Standing {
    fn read<R: StateReader>(reader: &R, height: Height, time: UnixTime) -> Result<Self, StateError<R::Error>> {
        let next = height.next();
        let governance = governance::governance(reader)?;
        let epoch = network::epoch_at(reader, next)?;
        let validators = network::validator_set(reader, &epoch)?;
        let scheduled = match network::scheduled_epoch(reader, next)? {
            Some(epoch) => {
                let set = network::validator_set(reader, &epoch)?;
                Some((epoch, set))
            }
            None => None,
        };
        let listing: Option<ProposalListing> = state::head(reader, &governance::keys::proposals())?;
        let proposals = listing.map_or(0, |listing| listing.seq);
        let mut open = Vec::new();
        for seq in (1..=proposals).rev().take(usize::try_from(OPEN_MAX).unwrap_or(usize::MAX)) {
            let Some((_, proposal)) = governance::proposals(reader, seq - 1, 1)?.pop() else { break };
            // All before one of an earlier version lapsed with that version.
            if proposal.entry.governance_version != governance.version {
                break;
            }
            if proposal.status(&governance, time) == ProposalStatus::Open {
                open.push(proposal);
            }
        }
        open.reverse();
        Ok(Self {
            height,
            time,
            epoch,
            validators,
            scheduled,
            set_change: network::set_change(reader)?,
            parameters: network::parameters_at(reader, next)?,
            newest_parameters: network::parameters(reader)?,
            protocol: network::protocol_at(reader, next)?,
            newest_protocol: network::protocol(reader)?,
            retired: network::retirements(reader)?,
            page_hosts: network::page_hosts(reader)?,
            proposals,
            open,
            governance,
        })
    }

    /// Name and country of an operator in office; of others the DID.
    pub(super) fn operator(&self, did: &Did) -> String {
        let found = self.governance.operators.iter().find(|operator| operator.did == *did);
        found.map_or_else(|| did.to_string(), |operator| format!("{} ({})", operator.name, operator.country))
    }

    /// The newest set: that of the scheduled epoch, if there is one.
    pub(super) fn newest_set(&self) -> &ValidatorSet {
        self.scheduled.as_ref().map_or(&self.validators, |(_, set)| set)
    }
}

/// A network's governance, and whom to ask about it.
pub(super) struct Desk {
    pub(super) installed: Installed,
    pub(super) registry: Registry,
}

impl Desk {
    /// The network that the given nodes say they are of, if its trust file is installed; without nodes the one named, or
    /// the only one, with the nodes that were of use before.
    pub(super) async fn open(nodes: &[String], name: Option<&str>) -> Result<Self, CommandError> {
        let unreachable = |e: testamur_client::error::ClientError| {
            CommandError::failed("governance.node", &e, "check --node, and whether the nodes run")
        };
        let (installed, nodes_of) = match (nodes.is_empty(), name) {
            (false, _) => {
                let nodes = Nodes::new(nodes, &Connections::default()).map_err(unreachable)?;
                let network = nodes.network().await.map_err(unreachable)?;
                let installed = networks::require(network.genesis)?;
                if let Some(name) = name
                    && networks::named(name)?.trust.network() != network.genesis
                {
                    return Err(CommandError::failed(
                        "governance.network",
                        format!("the node is of {}, not of {name}", installed.trust.origin()),
                        "check --node and --network",
                    ));
                }
                (installed, nodes)
            }
            (true, name) => {
                let installed = match name {
                    Some(name) => networks::named(name)?,
                    None => only_one()?,
                };
                let urls = networks::nodes(&installed, &[])?;
                (installed, Nodes::new(&urls, &Connections::default()).map_err(unreachable)?)
            }
        };
        networks::remember_nodes(&installed, nodes);
        let registry = Registry::new(nodes_of, Arc::new(installed.trust.clone()));
        Ok(Self { installed, registry })
    }

    /// How it stands now, proven. Before there is any block that could prove it, as genesis says: who makes one believe
    /// that there is no block yet gets a proposal that the ledger refuses.
    pub(super) async fn standing(&self) -> Result<Standing, CommandError> {
        self.read(|reader, height, time| Standing::read(&reader, height, time), Some("v1/governance?proof=true")).await
    }

    /// A proposal, proven; none if there is none.
    pub(super) async fn proposal(&self, id: RecordId) -> Result<Option<Proposal>, CommandError> {
        let bundle = format!("v1/governance/proposals/{id}?proof=true");
        self.read(|reader, _, _| governance::proposal(&reader, id), Some(&bundle)).await
    }

    /// Proposals by number after `after`, proven.
    pub(super) async fn proposals(&self, after: u64, limit: usize) -> Result<Vec<(u64, Proposal)>, CommandError> {
        self.read(|reader, _, _| governance::proposals(&reader, after, limit), None).await
    }

    /// Any read, under one header.
    pub(super) async fn read<T>(
        &self,
        read: impl Fn(AnyState<'_>, Height, UnixTime) -> Result<T, StateError<NotThere>>,
        bundle: Option<&str>,
    ) -> Result<T, CommandError> {
        if no_block_yet(&self.registry).await {
            let genesis = self.registry.trust().genesis();
            let state = genesis_state(genesis);
            let value = read(AnyState::Genesis(&state), Height(0), genesis.time);
            return value.map_err(|e| CommandError::failed("governance.state", e, ""));
        }
        let first = [governance::keys::governance().head()];
        let found = self.registry.read_bundle(bundle, &first, |state| {
            let header = state.header();
            read(AnyState::Proven(state), header.height, header.time)
        });
        Ok(found.await.map_err(|error| unproven(&error))?.value)
    }
}

fn unproven(error: &RegistryError) -> CommandError {
    CommandError::failed(error.code().to_owned(), error, "check --node, and whether the nodes run")
}

type GenesisState = std::collections::BTreeMap<testamur_registry::StateKey, Vec<u8>>;
type NotThere = testamur_primitives::state::evidence::NotProven;

/// The state that a read is over: what a node has proven, or what genesis writes.
#[derive(Clone, Copy)]
pub(super) enum AnyState<'a> {
    /// Proven keys.
    Proven(&'a testamur_primitives::state::evidence::ProvenState),
    /// All keys.
    Genesis(&'a GenesisState),
}

impl StateReader for AnyState<'_> {
    type Error = NotThere;

    fn get(&self, key: &testamur_registry::StateKey) -> Result<Option<Vec<u8>>, NotThere> {
        match self {
            Self::Proven(state) => state.get(key),
            Self::Genesis(state) => Ok(std::collections::BTreeMap::get(*state, key).cloned()),
        }
    }
}

fn genesis_state(genesis: &Genesis) -> GenesisState {
    let mut state = GenesisState::new();
    testamur_registry::genesis_writes(genesis).apply_to(&mut state);
    state
}

/// The only installed network.
fn only_one() -> Result<Installed, CommandError> {
    let mut all = networks::list()?;
    match all.len() {
        1 => Ok(all.remove(0)),
        0 => Err(CommandError::failed(
            "network.none",
            "no network is installed",
            "`testamur network add FILE` installs one",
        )),
        count => Err(CommandError::failed(
            "network.ambiguous",
            format!("{count} networks are installed"),
            "say which with --network, or name a node with --node",
        )),
    }
}
