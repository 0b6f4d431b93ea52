//! Step 5: withdrawn, and what keeps that from being known.

use serde_json::{Value, json};
use testamur_credentials::credential::Format;
use testamur_credentials::package::Package;
use testamur_credentials::verify::Reason;
use testamur_primitives::units::UnixTime;

use super::documents::{self, Kind, draft, place, resigned};
use super::graduation::FORMATS;
use super::world::{DAY, REVOKED, day};
use super::{Cases, Part, case, tokens};

pub(super) fn add(cases: &mut Cases<'_>) {
    withdrawn(cases);
    stale(cases);
    pointers(cases);
    tokens::add(cases);
}

fn withdrawn(cases: &mut Cases<'_>) {
    for (what, reason) in [
        ("revoked", Reason::StatusRevoked),
        ("suspended", Reason::StatusSuspended),
        ("replaced", Reason::StatusReplaced),
    ] {
        for (format, _) in FORMATS {
            let name = format!("{what}-{format}");
            let issued = cases.of(&name);
            cases.add(case(&name, &issued.text).receipt(&name, &issued.receipt), reason);
        }
        let issued = cases.of(&format!("{what}-ebsi"));
        // Old news of a withdrawal is news enough.
        let late = case(format!("{what}, as of three days ago"), &issued.text).now(day(30));
        cases.add(late, reason);
    }
    let issued = cases.of("reinstated-vcdm2");
    let then = case("reinstated, asked about the morning before", &issued.text).at(UnixTime(day(26).0 + 3_600));
    cases.add(then, Reason::StatusSuspended);
    let issued = cases.of("revoked-sd-jwt");
    let then = case("revoked, asked about the hour after", &issued.text).at(UnixTime(day(26).0 + 3_600));
    cases.add(then, Reason::StatusRevoked);
    let authority = &cases.story.cast.authority;
    for (format, written) in FORMATS {
        let mut draft = draft(authority, &authority.party.assertion, Kind::Driver, &format!("driver-{format}"));
        draft.status = place("certificates-1", REVOKED);
        let text = documents::sign(written, &draft, &authority.party.assertion);
        cases.add(case(format!("a revoked driver certificate: {format}"), text), Reason::StatusRevoked);
    }
}

fn stale(cases: &mut Cases<'_>) {
    let stale = Reason::StatusStale;
    for (format, _) in FORMATS {
        let issued = cases.of(&format!("good-eddsa-{format}"));
        let old = case(format!("proofs of two days ago: {format}"), &issued.text).now(day(29));
        cases.add(old, stale);
        // The package was made before the revocation, and nobody can see that from it.
        let package = Package {
            credential: cases.of(&format!("revoked-{format}")).text.clone(),
            receipt: Some(cases.of(&format!("revoked-{format}")).receipt.clone()),
            proofs: cases.story.package("early"),
        };
        let package = String::from_utf8(package.encode()).expect("JSON");
        let replayed = case(format!("a package from before the revocation: {format}"), "");
        cases.add(replayed.parts(vec![Part::Text(package)]).without_proofs(), stale);
    }
    let issued = cases.of("good-es384-vcdm2");
    let second = UnixTime(day(27).0 + DAY);
    cases.add(case("proofs of 24 hours ago", &issued.text).now(second), Reason::Valid);
    cases.add(case("proofs of 24 hours and a second ago", &issued.text).now(UnixTime(second.0 + 1)), stale);
    cases.add(case("asked about a time to come", &issued.text).at(day(28)), stale);
    let none = cases.of("polytechnic-vcdm2");
    cases.add(case("in no list, and proofs of two days ago", &none.text).now(day(29)), stale);
    // A clock that is a day slow: the proofs' own time counts.
    cases.add(case("a clock that is a day slow", &issued.text).now(day(26)), Reason::Valid);
}

fn pointers(cases: &mut Cases<'_>) {
    let university = &cases.story.cast.university;
    let key = &university.party.assertion;
    let no_proof = Reason::StatusNoProof;
    for (format, _) in FORMATS {
        let issued = cases.of(&format!("good-es256-{format}"));
        cases.add(case(format!("without the list's bits: {format}"), &issued.text).without_lists(), no_proof);
    }
    for (format, written) in FORMATS {
        let mut gone = draft(university, key, Kind::Master, &format!("unknown list {format}"));
        gone.status = place("diplomas-9", 4);
        let text = documents::sign(written, &gone, key);
        cases.add(case(format!("a list that does not exist: {format}"), text), Reason::StatusUnknownList);
        let mut beyond = draft(university, key, Kind::Master, &format!("beyond {format}"));
        beyond.status = place("diplomas-1", 131_072);
        let text = documents::sign(written, &beyond, key);
        cases.add(case(format!("the place after the last: {format}"), text), Reason::StatusIndex);
    }
    let huge = resigned(&cases.of("good-es256-sd-jwt").text, key, |parts| {
        parts.payload["status"]["status_list"]["idx"] = json!(9_007_199_254_740_991u64);
    });
    cases.add(case("a place that no list has", huge), Reason::StatusIndex);
    let authority = cases.story.cast.authority.did();
    let to =
        |url: &str| url.replace(university.did().as_str(), authority.as_str()).replace("diplomas-1", "certificates-1");
    for format in ["vcdm2", "ebsi"] {
        let text = resigned(&cases.of(&format!("good-es256-{format}")).text, key, |parts| {
            let credential = if format == "ebsi" { &mut parts.payload["vc"] } else { &mut parts.payload };
            for entry in credential["credentialStatus"].as_array_mut().expect("a list") {
                let url = to(entry["statusListCredential"].as_str().expect("text"));
                let proxy = |issuer| testamur_primitives::status::formats::proxy_id(issuer);
                let url = url.replace(&proxy(university.did()), &proxy(authority));
                entry["statusListCredential"] = json!(url);
            }
        });
        cases.add(case(format!("a list by another issuer: {format}"), text), Reason::StatusOtherIssuer);
    }
    let text = resigned(&cases.of("good-es256-sd-jwt").text, key, |parts| {
        let url = to(parts.payload["status"]["status_list"]["uri"].as_str().expect("text"));
        parts.payload["status"]["status_list"]["uri"] = json!(url);
    });
    cases.add(case("a list by another issuer: sd-jwt", text), Reason::StatusOtherIssuer);
    let unknown = Reason::StatusUnknownList;
    let text = resigned(&cases.of("good-es256-sd-jwt").text, key, |parts| {
        parts.payload["status"]["status_list"]["uri"] = json!("https://ledger.example/v1/nothing/here");
    });
    cases.add(case("an address of the ledger at which no list is", text), unknown);
    let text = resigned(&cases.of("good-es256-vcdm2").text, key, |parts| {
        let entries = &mut parts.payload["credentialStatus"];
        let first = entries[0].clone();
        *entries = Value::Array(
            (0..9)
                .map(|n| {
                    let mut entry = first.clone();
                    entry["statusListIndex"] = json!(n.to_string());
                    entry
                })
                .collect(),
        );
    });
    cases.add(case("nine places", text), unknown);
    let text = resigned(&cases.of("good-es256-vcdm2").text, key, |parts| {
        parts.payload["credentialStatus"][0]["type"] = json!("RevocationList2020Status");
    });
    cases.add(case("a kind of status that is not known", text), unknown);
    let text = resigned(&cases.of("good-es256-vcdm2").text, key, |parts| {
        parts.payload["credentialStatus"][0]["statusPurpose"] = json!("suspension");
    });
    cases.add(case("a list of another purpose than the entry says", text), Reason::StatusListOther);
    let text = resigned(&cases.of("revoked-vcdm2").text, key, |parts| {
        // Only the companion is named: the list itself is looked at all the same.
        let entries = parts.payload["credentialStatus"].as_array_mut().expect("a list");
        entries.remove(0);
    });
    cases.add(case("revoked, and names the list of suspensions alone", text), Reason::StatusRevoked);
    let mut companion = draft(university, key, Kind::Master, "named by its companion");
    companion.status = place("diplomas-1", 11);
    let text = resigned(&documents::sign(Format::SdJwt, &companion, key), key, |parts| {
        let url = parts.payload["status"]["status_list"]["uri"]
            .as_str()
            .expect("text")
            .replace("diplomas-1", "diplomas-1-replaced");
        parts.payload["status"]["status_list"]["uri"] = json!(url);
    });
    cases.add(case("names the list of replacements", text), Reason::Valid);
}
