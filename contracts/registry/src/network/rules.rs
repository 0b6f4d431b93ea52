//! What operators may change about the network: checked when proposed and again when executed.

use std::collections::BTreeSet;

use testamur_primitives::commitment::DigestAlgorithm;
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{ValidatorRegistration, ValidatorSet, changes_max};
use testamur_primitives::genesis::Parameters;
use testamur_primitives::hash::Address;
use testamur_primitives::key::PublicKey;
use testamur_primitives::limits::{VALIDATORS_MAX, VALIDATORS_MIN};
use testamur_primitives::record::{Algorithm, Change};
use testamur_primitives::units::Height;

use super::members::{SetChange, changed_set, keys_of};
use super::state::{KeyUse, ParametersEntry, ProtocolEntry};
use super::{keys, reads};
use crate::execute::{ApplyError, BlockContext};
use crate::governance::{self, Governance};
use crate::limits::{ACTIVATION_HEIGHTS_MAX, PAGE_HOSTS_MAX};
use crate::rejection::GovernanceRejection;
use crate::state::{StateError, StateReader};

/// What a change of the network says by itself: forms, possession of keys, nobody named twice.
pub(crate) fn check_form(change: &Change) -> Result<(), GovernanceRejection> {
    match change {
        Change::ChangeValidators { add, remove, rotate, from } => {
            check_set_change_form(SetChange { add, remove, rotate, from: *from })
        }
        Change::SetParameters { parameters, .. } => parameters.check().map_err(GovernanceRejection::Parameters),
        Change::SetPageHosts { hosts } => check_hosts(hosts),
        _ => Ok(()),
    }
}

fn check_set_change_form(change: SetChange<'_>) -> Result<(), GovernanceRejection> {
    let SetChange { add, remove, rotate, .. } = change;
    let named = add.len() + remove.len() + rotate.len();
    if named == 0 {
        return Err(GovernanceRejection::NothingChanges);
    }
    // Before the signatures are verified: what no set allows costs nothing.
    check_named(named, VALIDATORS_MAX)?;
    let mut addresses = BTreeSet::new();
    let all = add.iter().map(|new| new.registration.address()).chain(remove.iter().copied());
    for address in all.chain(rotate.iter().map(|rotation| rotation.validator)) {
        if !addresses.insert(address) {
            return Err(GovernanceRejection::NamedTwice(address.to_string()));
        }
    }
    let added = add.iter().map(|new| (&new.registration, &new.possession, new.registration.address()));
    let rotated = rotate.iter().map(|rotation| (&rotation.registration, &rotation.possession, rotation.validator));
    for (registration, possession, address) in added.chain(rotated) {
        let fail = |reason| GovernanceRejection::Registration { name: registration.name.clone(), reason };
        registration.check().map_err(fail)?;
        possession.verify(registration, address).map_err(fail)?;
    }
    Ok(())
}

/// A set of n validators vouches for the next one as long as at most ⌊(n−1)/3⌋ of them change at once.
fn check_named(named: usize, validators: usize) -> Result<(), GovernanceRejection> {
    let most = changes_max(validators);
    if named > most { Err(GovernanceRejection::TooManyAtOnce { named, most }) } else { Ok(()) }
}

fn check_hosts(hosts: &[String]) -> Result<(), GovernanceRejection> {
    if hosts.len() > PAGE_HOSTS_MAX {
        return Err(GovernanceRejection::Hosts("at most 16"));
    }
    if hosts.iter().collect::<BTreeSet<_>>().len() != hosts.len() {
        return Err(GovernanceRejection::Hosts("one is named twice"));
    }
    if hosts.iter().all(|host| is_host(host)) {
        Ok(())
    } else {
        Err(GovernanceRejection::Hosts(
            "each is a host name of a-z 0-9 . -, and perhaps a port, such as verify.example",
        ))
    }
}

/// `host` or `host:port`, as in a URL of that page.
fn is_host(text: &str) -> bool {
    let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let port_ok = |port: &str| !port.starts_with('0') && port.parse::<u16>().is_ok() && !port.starts_with('+');
    host.len() <= 253 && host.split('.').all(label) && port.is_none_or(port_ok)
}

/// A height from which something is to hold: not so far ahead that nothing else could be decided any more.
fn check_from(context: &BlockContext, from: Height) -> Result<(), GovernanceRejection> {
    let most = Height(context.height.0.saturating_add(ACTIVATION_HEIGHTS_MAX));
    if from > most { Err(GovernanceRejection::FromTooFar { from, most }) } else { Ok(()) }
}

/// A change of the set: enough validators afterwards, few enough at once, nobody's key or name again.
pub(crate) fn check_set_change<R: StateReader>(
    state: &R,
    context: &BlockContext,
    governance: &Governance,
    change: SetChange<'_>,
) -> Result<(), ApplyError<R::Error>> {
    // INV-NETWORK-4: one change of the set is under way at most.
    if reads::pending_set_change(state)?.is_some() || reads::scheduled_epoch(state, context.height)?.is_some() {
        return Err(GovernanceRejection::SetChangePending.into());
    }
    check_from(context, change.from)?;
    let newest = reads::epoch(state)?;
    let SetChange { add, remove, rotate, .. } = change;
    // INV-NETWORK-2: the old set vouches for the new one.
    check_named(add.len() + remove.len() + rotate.len(), newest.validators.len())?;
    let size = (newest.validators.len() + add.len()).saturating_sub(remove.len());
    if !(VALIDATORS_MIN..=VALIDATORS_MAX).contains(&size) {
        return Err(GovernanceRejection::SetSize(size).into());
    }
    let set = reads::validator_set(state, &newest)?;
    let member = |address: Address| set.by_address(address).ok_or(GovernanceRejection::ValidatorUnknown(address));
    for address in remove {
        member(*address)?;
    }
    for rotation in rotate {
        let (current, given) = (member(rotation.validator)?, &rotation.registration);
        if given.name != current.name {
            return Err(
                GovernanceRejection::Renamed { current: current.name.clone(), given: given.name.clone() }.into()
            );
        }
        if given.consensus_key() == current.consensus_key() {
            return Err(GovernanceRejection::OldKey(given.name.clone()).into());
        }
        let may_stay = [None, Some(current.log_key().as_slice()), Some(current.peer_key().as_slice())];
        check_registration(state, context, governance, given, may_stay)?;
    }
    for new in add {
        let given = &new.registration;
        // INV-NETWORK-3: a name is one validator's for ever.
        if super::name_use(state, &given.name)?.is_some() {
            return Err(GovernanceRejection::NameInUse(given.name.clone()).into());
        }
        check_registration(state, context, governance, given, [None; 3])?;
    }
    changed_set(state, &newest, change).map(|_: ValidatorSet| ())
}

/// Keys that nobody has or had, but for those that may stay as they are; and not ended.
fn check_registration<R: StateReader>(
    state: &R,
    context: &BlockContext,
    governance: &Governance,
    registration: &ValidatorRegistration,
    may_stay: [Option<&[u8]>; 3],
) -> Result<(), ApplyError<R::Error>> {
    let (name, not_after) = (registration.name.clone(), registration.not_after);
    if not_after <= context.time {
        return Err(GovernanceRejection::NotAfter { name, not_after, time: context.time }.into());
    }
    for ((key, r#use), stays) in keys_of(registration).into_iter().zip(may_stay) {
        if stays == Some(key) {
            continue;
        }
        let kind = match r#use {
            KeyUse::Consensus => "consensus",
            KeyUse::Log => "log",
            KeyUse::Peer => "peer",
        };
        let in_use = || GovernanceRejection::ValidatorKeyInUse { name: name.clone(), kind };
        let bytes = key.try_into().map_err(|_| in_use())?;
        // INV-NETWORK-3: a key is one validator's for ever; INV-GOVERNANCE-4: and nobody else's.
        if super::key_use(state, key)?.is_some()
            || governance::rules::role_of(state, governance, &PublicKey::Ed25519(bytes))?.is_some()
        {
            return Err(in_use().into());
        }
    }
    Ok(())
}

/// Whether a key is or was a validator's, or is to become one's by the change that waits.
pub(crate) fn is_validators_key<R: StateReader>(state: &R, key: &PublicKey) -> Result<bool, StateError<R::Error>> {
    let PublicKey::Ed25519(key) = key else { return Ok(false) };
    if super::key_use(state, key)?.is_some() {
        return Ok(true);
    }
    let Some(change) = reads::pending_set_change(state)? else { return Ok(false) };
    let added = change.add.iter().map(|new| &new.registration);
    let mut all = added.chain(change.rotate.iter().map(|rotation| &rotation.registration));
    Ok(all.any(|registration| keys_of(registration).iter().any(|(taken, _)| *taken == key.as_slice())))
}

/// Parameters that differ, when no others are to come.
pub(crate) fn check_parameters<R: StateReader>(
    state: &R,
    context: &BlockContext,
    parameters: &Parameters,
    from: Height,
) -> Result<(), ApplyError<R::Error>> {
    if let Some(next) = reads::ahead::<ParametersEntry, _>(state, &keys::parameters(), context.height)? {
        return Err(GovernanceRejection::ParametersPending(next.from.unwrap_or(next.height)).into());
    }
    check_from(context, from)?;
    if reads::parameters(state)?.parameters == *parameters {
        return Err(GovernanceRejection::NothingChanges.into());
    }
    Ok(())
}

/// A later protocol, when no other is to come.
pub(crate) fn check_protocol<R: StateReader>(
    state: &R,
    context: &BlockContext,
    protocol: u32,
    from: Height,
) -> Result<(), ApplyError<R::Error>> {
    if let Some(next) = reads::ahead::<ProtocolEntry, _>(state, &keys::protocol(), context.height)? {
        return Err(GovernanceRejection::ProtocolPending(next.from.unwrap_or(next.height)).into());
    }
    check_from(context, from)?;
    let current = reads::protocol(state)?.protocol;
    // INV-NETWORK-5: protocols only go up.
    if protocol <= current {
        return Err(GovernanceRejection::Protocol { given: protocol, current }.into());
    }
    Ok(())
}

/// An algorithm that can be done without.
pub(crate) fn check_retirement<R: StateReader>(
    state: &R,
    context: &BlockContext,
    governance: &Governance,
    algorithm: Algorithm,
    from: Height,
) -> Result<(), ApplyError<R::Error>> {
    check_from(context, from)?;
    let retired: BTreeSet<_> = reads::retirements(state)?.iter().map(|retirement| retirement.algorithm).collect();
    if retired.contains(&algorithm) {
        return Err(GovernanceRejection::AlreadyRetired(algorithm).into());
    }
    match algorithm {
        // INV-NETWORK-6: some digest algorithm, and every operator's kind of key, stays in use.
        Algorithm::Digest(_) => {
            let left = DigestAlgorithm::ALL.into_iter().map(Algorithm::Digest).filter(|a| !retired.contains(a)).count();
            if left <= 1 { Err(GovernanceRejection::LastDigestAlgorithm(algorithm).into()) } else { Ok(()) }
        }
        Algorithm::Key(kind) => {
            let uses = |did: &Did| did.to_key().is_ok_and(|key| key.kind() == kind);
            match governance.operators.iter().find(|operator| uses(&operator.did)) {
                Some(operator) => {
                    let operator = operator.did.clone();
                    Err(GovernanceRejection::OperatorsKind { operator, kind: algorithm }.into())
                }
                None => Ok(()),
            }
        }
    }
}

/// Other hosts than now.
pub(crate) fn check_page_hosts<R: StateReader>(state: &R, hosts: &[String]) -> Result<(), ApplyError<R::Error>> {
    if reads::page_hosts(state)? == hosts { Err(GovernanceRejection::NothingChanges.into()) } else { Ok(()) }
}
