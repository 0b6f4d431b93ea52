//! Step 7: the credential's own dates. They say when it may be relied upon, and prove nothing of when it was issued.

use std::sync::Arc;

use serde_json::{Value, json};
use testamur_primitives::units::UnixTime;
use time::Date;
use time::macros::format_description;

use super::{Found, Reason};
use crate::credential::Credential;
use crate::limits::CLOCK_SKEW_S;

pub(super) fn check(credential: &Credential, about: UnixTime) -> Found {
    let (from, until) = (credential.valid_from, credential.valid_until);
    let expiry = credential.subject.get("expiryDate").and_then(Value::as_str).and_then(day_after);
    // Whichever end comes first: the document's, or the day that its content names.
    let end = until.into_iter().chain(expiry).min();
    let evidence = Arc::new(json!({ "from": from, "until": end }));
    let reason = match (from, end) {
        (Some(from), Some(end)) if end <= from => Reason::DatesInverted,
        (_, Some(end)) if end <= about => Reason::DatesExpired,
        (Some(from), _) if from.0 > about.0.saturating_add(CLOCK_SKEW_S) => Reason::DatesNotYetValid,
        _ => Reason::DatesOk,
    };
    (reason, evidence)
}

/// Seconds from a day's beginning in UTC to its end at UTC−12.
const DAY_ENDS_S: i64 = (24 + 12) * 3_600;

/// The first second after a day, `YYYY-MM-DD`, anywhere on Earth: the day ends last at UTC−12.
fn day_after(day: &str) -> Option<UnixTime> {
    let day = Date::parse(day, format_description!("[year]-[month]-[day]")).ok()?;
    // In seconds: the last day of the calendar has no day after it, and ends all the same.
    let end = day.midnight().assume_utc().unix_timestamp() + DAY_ENDS_S;
    u64::try_from(end).ok().map(UnixTime)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_ends_when_it_is_over_everywhere() {
        assert_eq!(day_after("1970-01-01"), Some(UnixTime((24 + 12) * 3_600)));
        assert_eq!(day_after("2028-02-29"), Some(UnixTime(1_835_395_200 + 36 * 3_600)));
        assert_eq!(day_after("9999-12-31"), Some(UnixTime(253_402_214_400 + 36 * 3_600)));
        for none in ["2027-02-29", "1.1.2030", "2030-1-1", "", "2030-01-01T00:00:00Z"] {
            assert_eq!(day_after(none), None, "{none:?}");
        }
    }
}
