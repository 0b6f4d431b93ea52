//! The desk's refusals as problems: the same codes as at the command line, each with its status and what to do.

use axum::http::StatusCode;
use testamur_api::problem::Kind;
use testamur_registrar::OfficeError;
use testamur_registrar::changes::ChangeError;

use crate::problem::GatewayProblem;

macro_rules! kinds {
    ($($code:literal, $status:ident, $title:literal, $description:literal;)*) => {
        /// Every kind of problem of the desk. What a code means is the same over HTTP and at the command line.
        pub const DIPLOMA_KINDS: &[Kind] =
            &[$(Kind { code: $code, status: StatusCode::$status, title: $title, description: $description }),*];
    };
}

kinds! {
    "diplomas.absent", NOT_FOUND, "no desk here", "This gateway has no university's desk behind it. Its operator sets `diplomas_home` in its configuration.";
    "diplomas.map", CONFLICT, "no map", "The gateway does not know which column means what. Its operator sets `diplomas_map` in its configuration.";
    "diplomas.rows", BAD_REQUEST, "rows refused", "A row cannot be issued: the detail names row and column. Nothing was issued; correct the rows and send them again.";
    "diplomas.too-many", PAYLOAD_TOO_LARGE, "too many rows", "Send fewer rows in one request.";
    "diplomas.format", NOT_FOUND, "not in that form", "The diploma was not issued in that form.";
    "diplomas.busy", SERVICE_UNAVAILABLE, "desk busy", "The desk has as much to do as it takes. Nothing was done; try again after Retry-After seconds.";
    "diplomas.failed", INTERNAL_SERVER_ERROR, "the desk failed", "The desk could not do its work. What was signed is kept and goes on at the next start. Quote the request id when you report it.";
    "diplomas.ledger", SERVICE_UNAVAILABLE, "the ledger does not answer", "No node gave an answer that holds, or the outcome of a record is not known yet. What was signed is kept; send the same request again.";
    "diplomas.refused", BAD_GATEWAY, "the ledger refused the record", "The ledger's rules refuse what the desk has signed, for instance because its accreditation has ended. The university's operator must act.";
    "diploma.draft", BAD_REQUEST, "cannot be issued", "What is asked for cannot be issued as it is: the detail says why. Nothing was issued.";
    "diploma.changed", CONFLICT, "issued with other content", "The award was issued with other content. An issued diploma is never overwritten: propose a correction, POST /v1/diplomas/changes.";
    "diploma.unknown", NOT_FOUND, "no such diploma", "Nothing was issued here under this id.";
    "diploma.no-job", NOT_FOUND, "no such job", "There is no job of this id.";
    "diploma.not-accredited", CONFLICT, "not accredited for this", "The university is not accredited for what is asked. Nothing was signed.";
    "diploma.not-verified", INTERNAL_SERVER_ERROR, "does not verify", "A diploma that was just issued does not verify; it is not handed out. The university's operator must act.";
    "staff.unknown", FORBIDDEN, "no person of the desk", "The person of this token is not, or no longer, at the desk. Whoever joins runs `testamur diploma staff add`.";
    "staff.too-few", CONFLICT, "a second person is missing", "A change takes two persons, and the desk has fewer. Each runs `testamur diploma staff add NAME` once, with a passphrase of their own.";
    "staff.name-taken", CONFLICT, "name taken", "The name is, or was, somebody's at this desk.";
    "staff.key-taken", CONFLICT, "key taken", "The key is, or was, somebody's at this desk.";
    "staff.key", BAD_REQUEST, "no key", "That is no Ed25519 public key.";
    "staff.full", CONFLICT, "desk full", "The desk has as many persons as it takes.";
    "staff.last-two", CONFLICT, "two must remain", "Two persons must remain: let somebody join first.";
    "change.unknown", NOT_FOUND, "no such change", "There is no change of this id at this desk.";
    "change.ambiguous", BAD_REQUEST, "several changes", "Several changes begin so: send the whole id.";
    "change.malformed", BAD_REQUEST, "malformed change", "The body is not a change: `do` is correct, revoke, suspend or reinstate; withdrawals have a `reason` of the closed list and `diplomas`, corrections have `rows`.";
    "change.nothing", BAD_REQUEST, "nothing to change", "No diploma is named, or every row is the one that was issued.";
    "change.too-many", PAYLOAD_TOO_LARGE, "too many diplomas", "Make several changes of it.";
    "change.too-many-open", CONFLICT, "too many open changes", "Approve or withdraw some first.";
    "change.twice", BAD_REQUEST, "an award twice", "Name each award once.";
    "change.not-issued", NOT_FOUND, "not issued", "Nothing was issued for an award that is named.";
    "change.ambiguous-award", BAD_REQUEST, "several awards", "The name fits several awards: write it as REGISTRAR-ID/AWARD-ID, or send the award's key.";
    "change.state", CONFLICT, "not in that standing", "The diploma's standing does not allow it: only what is in force is corrected or suspended, only what is suspended is reinstated.";
    "change.unchanged", BAD_REQUEST, "nothing corrected", "A row is the one that was issued: leave it out.";
    "change.busy", CONFLICT, "another change is open", "Another open change is about the same award: let it be approved, or withdraw it.";
    "change.altered", CONFLICT, "altered", "The change is not the one that was proposed. Propose it again, and find out who wrote to the desk's home.";
    "change.same-person", FORBIDDEN, "the same person", "Whoever proposed a change does not approve it: ask another person of the desk.";
    "change.signature", FORBIDDEN, "not that person's consent", "The consent is not this person's to this change.";
    "change.clock", CONFLICT, "clocks differ", "The consent's time is not this machine's: set the clock.";
    "change.expired", GONE, "proposal expired", "A proposal can be approved for 30 days: propose it again.";
    "change.not-approved", CONFLICT, "not approved", "Another person of the desk must approve it first: POST /v1/diplomas/changes/{id}/approval.";
    "change.approved", CONFLICT, "approved before", "It was approved before: GET /v1/diplomas/changes/{id} tells how far it is.";
    "change.withdrawn", CONFLICT, "withdrawn", "It was withdrawn: propose it again.";
    "change.begun", CONFLICT, "approved already", "It is approved: it can no longer be withdrawn.";
    "change.verification", INTERNAL_SERVER_ERROR, "verification says something else", "After the change a diploma does not answer as it must. The change stays open and goes on at the next start; the university's operator must look.";
    "change.list-moving", SERVICE_UNAVAILABLE, "the list moves", "Somebody else publishes the same status list all the time. The change stays open; try again.";
    "change.no-list", INTERNAL_SERVER_ERROR, "no status list", "The diploma's status list is not on the ledger.";
}

fn kind(code: &str) -> Option<&'static Kind> {
    DIPLOMA_KINDS.iter().find(|kind| kind.code == code)
}

/// A problem of one of the codes above.
pub fn problem(code: &str, detail: impl Into<String>) -> GatewayProblem {
    let kind = kind(code).or_else(|| kind("diplomas.failed")).expect("it stands in the table");
    GatewayProblem::new(kind, detail)
}

/// The problem of a change that was not made.
pub fn of_change(error: &ChangeError) -> GatewayProblem {
    match error {
        ChangeError::Office(error) => of_office(error),
        ChangeError::Store(_) | ChangeError::Random => failed(error.code()),
        _ => problem(error.code(), error.to_string()),
    }
}

/// The problem of what the office did not do.
pub fn of_office(error: &OfficeError) -> GatewayProblem {
    match error {
        OfficeError::Registry(_) | OfficeError::Unsettled { .. } => problem("diplomas.ledger", error.to_string()),
        OfficeError::Refused { .. } | OfficeError::Expired(_) => {
            problem("diplomas.refused", format!("{error} ({})", error.code()))
        }
        OfficeError::Store(_) => failed(error.code()),
        _ if kind(error.code()).is_some() => problem(error.code(), error.to_string()),
        _ => failed(error.code()),
    }
}

fn failed(code: &str) -> GatewayProblem {
    // The code says which part; what the disk says is for the operator, who finds it in the log.
    tracing::error!(code, "the desk failed");
    problem("diplomas.failed", format!("the desk could not do its work ({code})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_and_none_is_the_gateways_own() {
        let mut codes: Vec<_> = DIPLOMA_KINDS.iter().chain(crate::problem::KINDS).map(|kind| kind.code).collect();
        let count = codes.len();
        codes.sort_unstable();
        codes.dedup();
        assert_eq!(codes.len(), count);
        assert_eq!(problem("no such code", "x").code(), "diplomas.failed");
    }
}
