//! Step 3: who issued it, and whose key it was then.

use serde_json::json;
use testamur_credentials::credential::Format;
use testamur_credentials::package::Package;
use testamur_credentials::proofs::Proofs;
use testamur_credentials::verify::Reason;
use testamur_primitives::did::Did;
use testamur_primitives::key::{JwsAlgorithm, SigningKey};
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::units::UnixTime;

use super::documents::{self, Kind, altered, draft, resigned};
use super::graduation::FORMATS;
use super::world::{day, key_of_tomorrow};
use super::{Cases, Part, case};
use crate::chain::{Chain, members, seed, set_of};

pub(super) fn add(cases: &mut Cases<'_>) {
    registered(cases);
    foreign(cases);
    proofs(cases);
    keys(cases);
}

fn registered(cases: &mut Cases<'_>) {
    let nobody = &cases.story.cast.nobody;
    for (format, kind) in FORMATS {
        let draft = draft(nobody, &nobody.party.assertion, Kind::Master, &format!("nobody-{format}"));
        let text = documents::sign(kind, &draft, &nobody.party.assertion);
        cases.add(case(format!("an issuer that nobody registered: {format}"), text), Reason::IssuerNotRegistered);
    }
}

fn foreign(cases: &mut Cases<'_>) {
    let foreign = Reason::IssuerForeignDid;
    let (cast, key) = (&cases.story.cast, &cases.story.cast.university.party.assertion);
    let own = SigningKey::ed25519(&seed("own issuer", 1));
    let did_key = Did::key(&own.public_key());
    for (format, kind) in FORMATS.into_iter().take(3) {
        let mut draft = draft(&cast.university, key, Kind::Master, &format!("did-key-{format}"));
        draft.issuer = did_key.clone();
        draft.kid = did_key.key_id().expect("a did:key");
        draft.alg = JwsAlgorithm::EdDSA;
        let text = documents::sign(kind, &draft, &own);
        if format == "vcdm2" {
            let forged = altered(&text, |parts| parts.payload["credentialSubject"]["familyName"] = json!("X"));
            cases.add(case("a did:key as issuer, altered", forged), Reason::SignatureInvalid);
        }
        cases.add(case(format!("a did:key as issuer: {format}"), text), foreign);
    }
    for issuer in ["did:web:university.example", "did:ion:EiClkZMDxPKqC9c-umQfTkR8", "https://university.example"] {
        let text = resigned(&cases.of("polytechnic-vcdm2").text, key, |parts| {
            parts.payload["issuer"] = json!(issuer);
            parts.header["kid"] = json!(format!("{issuer}#key-1"));
        });
        cases.add(case(format!("an issuer of another kind: {issuer}"), text), foreign);
    }
}

/// Proofs that are missing, of another network, or lies.
fn proofs(cases: &mut Cases<'_>) {
    let story = cases.story;
    let good = story.evidence["main"].clone();
    let other = Chain::new("other");
    let mut put = |name: &'static str, change: &dyn Fn(&mut Evidence)| {
        let mut evidence = good.clone();
        change(&mut evidence);
        cases.proofs(name, &evidence, &story.lists["main"]);
    };
    put("of-another-network", &|evidence| {
        evidence.network.genesis = other.genesis.hash();
        evidence.state.truncate(1);
    });
    put("with-a-value-changed", &|evidence| {
        evidence.state.truncate(40);
        let first = evidence.state.iter_mut().find(|entry| entry.value.is_some()).expect("a value");
        first.value = first.value.as_deref().map(|value| value.replacen("\"v\":1", "\"v\":2", 1));
    });
    put("with-too-few-witnesses", &|evidence| {
        evidence.state.truncate(1);
        evidence.note = two_cosignatures(&evidence.note);
    });
    put("of-other-validators", &|evidence| {
        evidence.state.truncate(1);
        evidence.validators = set_of(&members(&[1, 2, 3, 4]));
    });
    put("that-say-too-little", &|evidence| evidence.state.retain(|entry| entry.key.starts_with("schema/")));
    for format in ["vcdm2", "compact"] {
        let text = &cases.of(&format!("good-es256-{format}")).text;
        let soon = super::soon();
        for (proofs, reason) in [
            ("of-another-network", Reason::IssuerOtherNetwork),
            ("with-a-value-changed", Reason::IssuerEvidence),
            ("with-too-few-witnesses", Reason::IssuerEvidence),
            ("of-other-validators", Reason::IssuerEvidence),
            ("that-say-too-little", Reason::IssuerNoProof),
        ] {
            cases.add(case(format!("proofs {proofs}: {format}"), text).proofs(proofs, soon), reason);
        }
    }
    let package =
        Package { credential: cases.of("good-es256-ebsi").text.clone(), receipt: None, proofs: Proofs::default() };
    let package = String::from_utf8(package.encode()).expect("JSON");
    let bare = case("a package without proofs", "").parts(vec![Part::Text(package.clone())]).without_proofs();
    cases.add(bare, Reason::IssuerNoProof);
    let torn = package.replacen("\"type\"", "\"evidence\":{\"v\":1},\"type\"", 1);
    let torn = case("a package with a torn proof", "").parts(vec![Part::Text(torn)]).without_proofs();
    cases.add(torn, Reason::IssuerEvidence);
}

/// The note with the first two of its cosignatures.
fn two_cosignatures(note: &str) -> String {
    let (body, lines) = note.split_once("\n\n").expect("a note");
    let (ours, others): (Vec<_>, Vec<_>) = lines.lines().partition(|line| line.contains("validator-"));
    let kept: Vec<_> = ours.into_iter().take(2).chain(others).collect();
    format!("{body}\n\n{}\n", kept.join("\n"))
}

fn keys(cases: &mut Cases<'_>) {
    let (story, cast) = (cases.story, &cases.story.cast);
    let tomorrow = key_of_tomorrow();
    for (format, kind) in FORMATS {
        let draft = draft(&cast.university, &tomorrow, Kind::Master, &format!("tomorrow-{format}"));
        let text = documents::sign(kind, &draft, &tomorrow);
        cases.add(case(format!("a key that begins on day 200: {format}"), text), Reason::IssuerKeyNotYetValid);
    }
    let control = &cast.university.party.control;
    for (format, kind) in FORMATS {
        let draft = draft(&cast.university, control, Kind::Master, &format!("control-{format}"));
        let text = documents::sign(kind, &draft, control);
        cases.add(case(format!("a key for registry records: {format}"), text), Reason::IssuerKeyPurpose);
    }
    for (format, _) in FORMATS {
        let name = format!("conservatory-late-old-key-{format}");
        let issued = cases.of(&name);
        let late = case(format!("a rolled key, used afterwards: {format}"), &issued.text);
        cases.add(late.receipt(&name, &issued.receipt), Reason::IssuerKeyEnded);
        let issued = cases.of(&format!("conservatory-{format}"));
        let unanchored = case(format!("a rolled key, and no receipt: {format}"), &issued.text);
        cases.add(unanchored, Reason::IssuerKeyEndedUnanchored);
    }
    let issued = cases.of("conservatory-vcdm2");
    let early = case("a rolled key, asked about a day before", &issued.text).at(UnixTime(day(19).0));
    cases.add(early, Reason::IssuerKeyEndedUnanchored);
    for format in ["sd-jwt", "ebsi"] {
        let issued = cases.of(&format!("abbey-{format}"));
        let closed = case(format!("a closed issuer, and no receipt: {format}"), &issued.text);
        cases.add(closed, Reason::IssuerKeyEndedUnanchored);
    }
    // The date that a credential gives itself proves nothing.
    let conservatory = &cast.conservatory;
    let mut backdated = draft(conservatory, &conservatory.party.assertion, Kind::Master, "backdated");
    backdated.valid_from = day(2);
    let text = documents::sign(Format::Ebsi, &backdated, &conservatory.party.assertion);
    cases.add(case("backdated, with a key that has ended", text), Reason::IssuerKeyEndedUnanchored);
    for (format, _) in FORMATS {
        let name = format!("college-late-{format}");
        let issued = cases.of(&name);
        let after = case(format!("a compromised key, used after that: {format}"), &issued.text);
        cases.add(after.receipt(&name, &issued.receipt), Reason::IssuerKeyCompromised);
        let issued = cases.of(&format!("college-{format}"));
        let unanchored = case(format!("a compromised key, and no receipt: {format}"), &issued.text);
        cases.add(unanchored, Reason::IssuerKeyCompromised);
    }
    // Before the compromise was declared nobody could know, and whoever shows only that shows nothing of today.
    let issued = cases.of("college-late-vcdm2");
    let name = "college-late-vcdm2";
    let then = case("a compromised key, and proofs from before that was known", &issued.text);
    cases.add(then.receipt(name, &issued.receipt).proofs("early", story.first), Reason::StatusStale);
}
