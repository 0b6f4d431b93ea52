//! Step 7: the credential's own dates.

use serde_json::json;
use testamur_credentials::verify::Reason;
use testamur_primitives::units::UnixTime;

use super::documents::{self, Kind, date, draft, resigned};
use super::graduation::FORMATS;
use super::world::day;
use super::{Cases, case, soon};

pub(super) fn add(cases: &mut Cases<'_>) {
    let university = &cases.story.cast.university;
    let key = &university.party.assertion;
    for (format, written) in FORMATS {
        let mut ended = draft(university, key, Kind::Micro(7), &format!("expired {format}"));
        ended.valid_until = Some(day(20));
        let text = documents::sign(written, &ended, key);
        cases.add(case(format!("expired: {format}"), &text), Reason::DatesExpired);
        if format == "vcdm2" {
            cases.add(case("expired, asked about the day before", &text).at(day(19)), Reason::Valid);
        }
        let mut early = draft(university, key, Kind::Micro(7), &format!("early {format}"));
        early.valid_from = day(40);
        let text = documents::sign(written, &early, key);
        cases.add(case(format!("not valid yet: {format}"), text), Reason::DatesNotYetValid);
        let text = resigned(&cases.of(&format!("good-es256-{format}")).text, key, |parts| match format {
            "vcdm2" => parts.payload["validUntil"] = json!(date(day(8))),
            "ebsi" => {
                parts.payload["vc"]["expirationDate"] = json!(date(day(8)));
                parts.payload["exp"] = json!(day(8).0);
            }
            _ => parts.payload["exp"] = json!(day(8).0),
        });
        cases.add(case(format!("ends before it begins: {format}"), text), Reason::DatesInverted);
    }
    let mut second = draft(university, key, Kind::Micro(7), "this second");
    second.valid_until = Some(soon());
    let text = documents::sign(FORMATS[1].1, &second, key);
    cases.add(case("expires this second", &text), Reason::DatesExpired);
    cases.add(case("expires the next second", &text).now(UnixTime(soon().0 - 1)), Reason::Valid);
    let authority = &cases.story.cast.authority;
    for (format, written) in FORMATS {
        let mut card = draft(authority, &authority.party.assertion, Kind::Driver, &format!("card {format}"));
        card.subject.insert("expiryDate".into(), json!("2027-02-01"));
        let text = documents::sign(written, &card, &authority.party.assertion);
        cases.add(case(format!("a card that ran out: {format}"), text), Reason::DatesExpired);
    }
    // Until that day has ended everywhere.
    let mut card = draft(authority, &authority.party.assertion, Kind::Driver, "card of today");
    card.subject.insert("expiryDate".into(), json!("2027-02-10"));
    let text = documents::sign(FORMATS[1].1, &card, &authority.party.assertion);
    cases.add(case("a card that ran out yesterday, somewhere still today", text), Reason::Valid);
    // The last day that can be written: how people write "without end".
    let mut card = draft(authority, &authority.party.assertion, Kind::Driver, "card without end");
    card.subject.insert("expiryDate".into(), json!("9999-12-31"));
    let text = documents::sign(FORMATS[1].1, &card, &authority.party.assertion);
    cases.add(case("a card of the calendar's last day", text), Reason::Valid);
}
