//! Step 4: whether the issuer was allowed to award it when the ledger witnessed it.

use serde_json::{Value, json};
use testamur_credentials::credential::Format;
use testamur_credentials::verify::Reason;
use testamur_primitives::state::evidence::Evidence;

use super::documents::{self, Kind, draft};
use super::graduation::FORMATS;
use super::world::{Institution, day, jurisdiction};
use super::{Cases, case};

pub(super) fn add(cases: &mut Cases<'_>) {
    times(cases);
    scopes(cases);
    levels(cases);
    without_proof(cases);
}

fn times(cases: &mut Cases<'_>) {
    for (who, what, reason) in [
        ("consulate", "never accredited", Reason::AccreditationNotAccredited),
        ("academy", "accredited later", Reason::AccreditationNotInPlace),
        ("institute-late", "accreditation ended before", Reason::AccreditationEnded),
        ("seminar-late", "accreditation had run out", Reason::AccreditationDates),
        ("guild-late", "accreditor's accreditation ended before", Reason::AccreditationChain),
        ("lodge", "accreditor's key was in other hands", Reason::AccreditationChain),
    ] {
        for (format, _) in FORMATS {
            let name = format!("{who}-{format}");
            let issued = cases.of(&name);
            cases.add(case(format!("{what}: {format}"), &issued.text).receipt(&name, &issued.receipt), reason);
        }
    }
    let ended = Reason::AccreditationEndedUnanchored;
    for (format, _) in FORMATS {
        let issued = cases.of(&format!("institute-{format}"));
        cases.add(case(format!("accreditation has ended, and no receipt: {format}"), &issued.text), ended);
    }
    for (who, what) in [("seminar", "accreditation has run out"), ("guild", "accreditor's accreditation has ended")] {
        let issued = cases.of(&format!("{who}-vcdm2"));
        cases.add(case(format!("{what}, and no receipt"), &issued.text), ended);
    }
    let issued = cases.of("consulate-ebsi");
    cases.add(case("never accredited, and no receipt", &issued.text), Reason::AccreditationNotAccredited);
    let issued = cases.of("academy-sd-jwt");
    cases.add(case("accredited by now, and no receipt", &issued.text), Reason::Valid);
    let asked = case("accredited by now, asked about a day before", &issued.text).at(day(19));
    cases.add(asked, Reason::AccreditationNotInPlace);
    let institute = &cases.story.cast.institute;
    let mut backdated = draft(institute, &institute.party.assertion, Kind::Master, "backdated by the institute");
    backdated.valid_from = day(2);
    let text = documents::sign(Format::Vcdm2, &backdated, &institute.party.assertion);
    cases.add(case("backdated, by an issuer whose accreditation has ended", text), ended);
}

/// A draft by an institution in every format, changed in one way.
fn all(
    cases: &mut Cases<'_>,
    by: &Institution,
    kind: Kind,
    what: &str,
    reason: Reason,
    change: &dyn Fn(&mut documents::Draft),
) {
    for (format, written) in FORMATS {
        let key = &by.party.assertion;
        let mut draft = draft(by, key, kind, &format!("{what}-{format}"));
        change(&mut draft);
        cases.add(case(format!("{what}: {format}"), documents::sign(written, &draft, key)), reason);
    }
}

fn scopes(cases: &mut Cases<'_>) {
    let cast = &cases.story.cast;
    let (university, polytechnic, authority) = (&cast.university, &cast.polytechnic, &cast.authority);
    let schema = Reason::AccreditationSchema;
    all(cases, university, Kind::Driver, "a university that trains drivers", schema, &|_| {});
    all(cases, authority, Kind::Master, "a transport authority that awards degrees", schema, &|_| {});
    let kind = Reason::AccreditationType;
    all(cases, university, Kind::Master, "a type that nobody accredited", kind, &|draft| {
        draft.types = vec!["MedicalLicence".into(), "EqfLevel7".into()];
    });
    all(cases, polytechnic, Kind::Micro(5), "short courses, and a degree beside", kind, &|draft| {
        draft.types.push("UniversityDegree".into());
    });
    all(cases, university, Kind::Micro(7), "a level and nothing else", Reason::Valid, &|draft| {
        draft.types = vec!["MicroCredential".into(), "EqfLevel7".into()];
    });
    let place = Reason::AccreditationJurisdiction;
    all(cases, university, Kind::Master, "another jurisdiction", place, &|draft| {
        draft.subject.insert("jurisdiction".into(), json!(jurisdiction("FRA")));
    });
    // Codes grow to the right by `_`: a code that only begins alike is another country's.
    for code in ["LUXA", "LU", "LUX1"] {
        let key = &university.party.assertion;
        let mut draft = draft(university, key, Kind::Master, &format!("jurisdiction {code}"));
        draft.subject.insert("jurisdiction".into(), json!(jurisdiction(code)));
        let text = documents::sign(Format::Vcdm2, &draft, key);
        // None of them is a code at all, so the schema says so first.
        cases.add(case(format!("a jurisdiction that only looks alike: {code}"), text), Reason::ReadableSchema);
    }
}

fn levels(cases: &mut Cases<'_>) {
    let cast = &cases.story.cast;
    let (university, polytechnic) = (&cast.university, &cast.polytechnic);
    let level = Reason::AccreditationLevel;
    all(cases, polytechnic, Kind::Micro(7), "short courses that claim EQF 7", level, &|_| {});
    all(cases, polytechnic, Kind::Micro(5), "EQF 7 in the content alone", level, &|draft| {
        draft.types = vec!["MicroCredential".into()];
        draft.subject.insert("eqfLevel".into(), json!(7));
    });
    for (format, written) in FORMATS.into_iter().take(3) {
        let key = &university.party.assertion;
        let mut high = draft(university, key, Kind::Bachelor, &format!("levels differ {format}"));
        high.types = vec!["UniversityDegree".into(), "EqfLevel6".into()];
        high.subject.insert("eqfLevel".into(), json!(8));
        let text = documents::sign(written, &high, key);
        cases.add(case(format!("type says EQF 6, content 8: {format}"), text), level);
        let mut both = draft(university, key, Kind::Bachelor, &format!("two levels {format}"));
        both.types.push("EqfLevel8".into());
        let text = documents::sign(written, &both, key);
        cases.add(case(format!("types of two levels: {format}"), text), level);
        let mut none = draft(university, key, Kind::Bachelor, &format!("no level {format}"));
        none.subject.remove("eqfLevel");
        let text = documents::sign(written, &none, key);
        cases.add(case(format!("a level in the types alone: {format}"), text), level);
    }
    let mut neither = draft(university, &university.party.assertion, Kind::Bachelor, "no level at all");
    neither.types = vec!["UniversityDegree".into()];
    assert_eq!(neither.subject.remove("eqfLevel"), Some(Value::from(6)));
    let text = documents::sign(Format::Vcdm2, &neither, &university.party.assertion);
    cases.add(case("a degree of no level", text), Reason::Valid);
}

/// Proofs that know the issuer and its schema, and leave out what it is accredited for.
fn without_proof(cases: &mut Cases<'_>) {
    let story = cases.story;
    let mut evidence: Evidence = story.evidence["main"].clone();
    evidence.state.retain(|entry| !entry.key.starts_with("attribute/") && !entry.key.starts_with("issuer/"));
    cases.proofs("without-accreditations", &evidence, &story.lists["main"]);
    for (format, _) in FORMATS {
        let issued = cases.of(&format!("good-es256-{format}"));
        let bare = case(format!("proofs that leave out accreditations: {format}"), &issued.text);
        cases.add(bare.proofs("without-accreditations", super::soon()), Reason::AccreditationNoProof);
    }
}
