//! What a change changes, and when, in words that the one who signs can check: before → after.

use serde::Serialize;
use testamur_primitives::did::Did;
use testamur_primitives::epoch::{ValidatorRegistration, quorum};
use testamur_primitives::genesis::{GenesisValidator, Operator};
use testamur_primitives::hash::Address;
use testamur_primitives::record::{Change, OperatorRotation, ValidatorRotation};
use testamur_primitives::units::Height;
use testamur_registry::governance::Proposal;

use super::standing::Standing;
use crate::output::utc;

/// What a change changes, and when.
#[derive(Debug, Default, Serialize)]
pub(super) struct Preview {
    /// The change in a few words.
    pub(super) what: String,
    /// What is another afterwards.
    rows: Vec<Row>,
    /// From when on.
    when: String,
    /// What to know besides.
    notes: Vec<String>,
    /// Names of operators that have approved it, with this approval where there is one.
    approved: Vec<String>,
    /// How many must approve.
    approvals_required: u32,
    /// Names of operators that have not.
    missing: Vec<String>,
}

/// Something that is another afterwards.
#[derive(Debug, Serialize)]
struct Row {
    what: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    before: Option<String>,
    after: String,
}

impl Preview {
    /// What a change would do to how things stand now.
    pub(super) fn new(change: &Change, standing: &Standing) -> Self {
        let mut preview = Self { when: "at once, with the last approval".into(), ..Self::default() };
        preview.approvals_required = standing.governance.approvals_required;
        match change {
            Change::ChangeValidators { add, remove, rotate, from } => {
                preview.validators(add, remove, rotate, *from, standing);
            }
            Change::ChangeOperators { add, remove, rotate, approvals_required } => {
                preview.operators(add, remove, rotate, *approvals_required, standing);
            }
            Change::WithdrawSetChange {} => preview.withdrawal(standing),
            Change::SetParameters { parameters, from } => {
                preview.what = "change the parameters".into();
                let json = |value| serde_json::to_value(value).expect("parameters are JSON");
                let (before, after) = (json(&standing.newest_parameters.parameters), json(parameters));
                for name in PARAMETERS {
                    if before[name] != after[name] {
                        preview.row(name, Some(before[name].to_string()), after[name].to_string());
                    }
                }
                preview.from(*from, standing);
            }
            Change::SetProtocol { protocol, from } => {
                preview.what = format!("go on to protocol {protocol}");
                preview.row("protocol", Some(standing.newest_protocol.protocol.to_string()), protocol.to_string());
                preview.from(*from, standing);
                preview.notes.push(format!(
                    "every node needs a release that knows protocol {protocol} before then: one that does not stops"
                ));
            }
            Change::RetireAlgorithm { algorithm, from } => {
                preview.what = format!("retire {algorithm}");
                preview.row(algorithm.name(), Some("in use".into()), "refused in new records".into());
                preview.from(*from, standing);
                preview.notes.push("records of before, and their receipts, stay what they are".into());
            }
            Change::SetPageHosts { hosts } => {
                preview.what = "name the official addresses of the page".into();
                preview.row("official pages", Some(list(&standing.page_hosts)), list(hosts));
            }
            Change::GrantWriter { did } => {
                preview.what = "let an author write".into();
                preview.row("author", None, did.to_string());
            }
            Change::RevokeWriter { did, reason } => {
                preview.what = "take an author's right to write".into();
                preview.row("author", None, did.to_string());
                let reason = serde_json::to_value(reason).expect("a reason is JSON");
                preview.row("because of", None, reason.as_str().unwrap_or_default().to_owned());
                preview.notes.push("what it has notarised stays".into());
            }
            Change::AdmitDid { did, jkt } => {
                preview.what = "let a DID register".into();
                preview.row("DID", None, did.to_string());
                preview.row("by the key", None, jkt.clone());
            }
            Change::AccreditRoot { did, entity, attribute, .. } => {
                preview.what = "accredit a Root TAO".into();
                let name = entity.names.first().map_or("", |name| name.name.as_str());
                preview.row("Root TAO", None, format!("{name} ({}), {did}", entity.country));
                preview.row("accreditation", None, attribute.to_string());
                preview.notes.push("whom it accredits, and they in turn, may issue what employers believe".into());
            }
            Change::EndRoot { attribute, effective, reason } => {
                preview.what = "end the accreditation of a Root TAO".into();
                preview.row("accreditation", None, attribute.to_string());
                preview.row("because of", None, reason.name().into());
                preview.when = format!("from {} on", utc(*effective));
                preview.notes.push("nobody that it accredited is trusted after that".into());
            }
        }
        preview
    }

    /// Says who has approved it, and who has not; `also` are those about to.
    pub(super) fn approvals(mut self, standing: &Standing, proposal: Option<&Proposal>, also: Option<&Did>) -> Self {
        let approved = |did: &Did| {
            also == Some(did) || proposal.is_some_and(|proposal| proposal.approvals.iter().any(|a| a.operator == *did))
        };
        let (yes, no): (Vec<_>, Vec<_>) = standing.governance.operators.iter().partition(|o| approved(&o.did));
        let name = |operator: &&Operator| format!("{} ({})", operator.name, operator.country);
        self.approved = yes.iter().map(name).collect();
        self.missing = no.iter().map(name).collect();
        self
    }

    /// Approvals that are still needed.
    pub(super) fn needed(&self) -> usize {
        (self.approvals_required as usize).saturating_sub(self.approved.len())
    }

    /// The lines, indented by two.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let mut line = |label: &str, value: &str| text += &format!("  {label:<18}{value}\n");
        for Row { what, before, after } in &self.rows {
            match before {
                Some(before) => line(what, &format!("{before} → {after}")),
                None => line(what, after),
            }
        }
        line("when", &self.when);
        for note in &self.notes {
            line("note", note);
        }
        let (m, n) = (self.approvals_required, self.approved.len() + self.missing.len());
        line("approved by", &format!("{} of {n}, {m} are needed: {}", self.approved.len(), list(&self.approved)));
        match self.needed() {
            0 => line("", "that is enough: it takes effect"),
            needed => line("still to approve", &format!("{needed} of {}", list(&self.missing))),
        }
        text
    }

    fn row(&mut self, what: &'static str, before: Option<String>, after: String) {
        self.rows.push(Row { what, before, after });
    }

    fn counts(&mut self, what: &'static str, before: usize, after: usize) {
        self.row(what, Some(before.to_string()), after.to_string());
    }

    /// From a height on, and what that means by the clock: an idle network makes a block every heartbeat.
    fn from(&mut self, from: Height, standing: &Standing) {
        self.when = when(from, standing);
    }

    fn validators(
        &mut self,
        add: &[GenesisValidator],
        remove: &[Address],
        rotate: &[ValidatorRotation],
        from: Height,
        standing: &Standing,
    ) {
        self.what = "change the validators".into();
        let set = standing.newest_set();
        let before = set.validators().len();
        let after = (before + add.len()).saturating_sub(remove.len());
        self.counts("validators", before, after);
        self.counts("needed for a block", quorum(before), quorum(after));
        self.counts("may fail", before - quorum(before), after.saturating_sub(quorum(after)));
        for new in add {
            self.row("joins", None, described(&new.registration));
        }
        for address in remove {
            let name = set.by_address(*address).map(|v| format!("{}: {} ({})", v.name, v.operator, v.country));
            self.row("leaves", None, name.unwrap_or_else(|| address.to_string()));
        }
        for ValidatorRotation { validator, registration, .. } in rotate {
            let old = set.by_address(*validator).map(|v| format!("{}, until {}", v.name, utc(v.not_after)));
            self.row("other keys", old, described(registration));
        }
        self.from(from, standing);
        if !add.is_empty() {
            let names: Vec<_> = add.iter().map(|new| new.registration.name.clone()).collect();
            self.when = format!("{}, and not before {} follows the ledger and has said so", self.when, list(&names));
        }
        if !remove.is_empty() || !rotate.is_empty() {
            self.notes
                .push("destroy the keys that leave office; receipts of before want `testamur refresh` then".into());
        }
    }

    fn withdrawal(&mut self, standing: &Standing) {
        self.what = "end the change of the validators that waits".into();
        match standing.set_change.as_ref().filter(|change| change.is_waiting()) {
            Some(change) => {
                let names: Vec<_> = change.awaited().map(|new| new.registration.name.clone()).collect();
                self.row("it waits for", None, list(&names));
            }
            None => self.notes.push("no change waits".into()),
        }
    }

    fn operators(
        &mut self,
        add: &[Operator],
        remove: &[Did],
        rotate: &[OperatorRotation],
        approvals_required: Option<u32>,
        standing: &Standing,
    ) {
        self.what = "change the operators".into();
        let before = standing.governance.operators.len();
        self.counts("operators", before, (before + add.len()).saturating_sub(remove.len()));
        let m = standing.governance.approvals_required;
        self.counts("must approve", m as usize, approvals_required.unwrap_or(m) as usize);
        for operator in add {
            self.row("takes office", None, format!("{} ({}), {}", operator.name, operator.country, operator.did));
        }
        for did in remove {
            self.row("leaves office", None, format!("{}, {did}", standing.operator(did)));
        }
        for OperatorRotation { did, successor } in rotate {
            self.row("another key", Some(format!("{}, {did}", standing.operator(did))), successor.to_string());
        }
        if !remove.is_empty() || !rotate.is_empty() {
            self.notes.push("a key that leaves office never comes back; all other open proposals lapse".into());
        }
    }
}

/// The parameters, by their names in genesis.
const PARAMETERS: [&str; 6] = [
    "heartbeat_s",
    "block_bytes_max",
    "clock_tolerance_s",
    "propose_timeout_ms",
    "vote_timeout_ms",
    "round_timeout_ms",
];

/// From which block on, and when that is.
pub(super) fn when(from: Height, standing: &Standing) -> String {
    let ahead = from.0.saturating_sub(standing.height.0);
    let heartbeat = u64::from(standing.parameters.heartbeat_s);
    if ahead <= 2 {
        return "two blocks after the last approval".into();
    }
    let idle = duration(ahead.saturating_mul(heartbeat));
    format!(
        "from block {from} on: {ahead} blocks from now, {idle} at most; or two blocks after the last approval, if that is later"
    )
}

fn duration(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        7_200..172_800 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

fn described(registration: &ValidatorRegistration) -> String {
    let ValidatorRegistration { name, operator, country, not_after, .. } = registration;
    let key = hex::encode(registration.consensus_key());
    format!("{name}: {operator} ({country}), key {}…, until {}", &key[..key.len().min(16)], utc(*not_after))
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".into() } else { names.join(", ") }
}
