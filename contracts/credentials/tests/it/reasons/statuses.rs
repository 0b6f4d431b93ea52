//! Step 5: lists of the ledger, and tokens of other servers.

use serde_json::{Value, json};
use testamur_credentials::credential::{Credential, Format, StatusPointer};
use testamur_credentials::verify::{Policy, Presented, Reason, Report, StepName};
use testamur_primitives::codec::{base64url, canonical};
use testamur_primitives::identity;
use testamur_primitives::key::SigningKey;
use testamur_primitives::status::formats::{TokenFormat, TokenSource, sign_version};
use testamur_primitives::status::{BitList, StatusPurpose};
use testamur_primitives::units::UnixTime;

use super::{Case, world};
use crate::world::parties::{ENTRIES, ISSUED, NOW, World, policy, shown, with_tokens};
use crate::world::{BASE, DAY, START};

pub(crate) fn cases() -> Vec<Case> {
    [withdrawals(), pointers(), freshness(), asked_about(), tokens()].concat()
}

fn withdrawals() -> Vec<Case> {
    let set = |lists: &[(&str, &[u64])], format| {
        let mut world = world();
        let credential = world.diploma(format);
        for (ending, entries) in lists {
            world.list(&format!("diplomas-1{ending}"), NOW - DAY, entries);
        }
        world.verify(&credential, None)
    };
    let (own, suspended, replaced) = ("", "-suspended", "-replaced");
    use Reason::*;
    let mut cases = vec![
        ("others", Valid, set(&[(own, &[6, 8]), (suspended, &[0]), (replaced, &[131_071])], Format::SdJwt)),
        ("replaced, half done", StatusReplaced, set(&[(replaced, &[7])], Format::SdJwt)),
        ("suspended and revoked", StatusRevoked, set(&[(own, &[7]), (suspended, &[7])], Format::SdJwt)),
    ];
    for format in [Format::SdJwt, Format::Vcdm2, Format::Ebsi, Format::Compact] {
        cases.push(("revoked", StatusRevoked, set(&[(own, &[7])], format)));
        cases.push(("suspended", StatusSuspended, set(&[(suspended, &[7])], format)));
        cases.push(("all at once", StatusReplaced, set(&[(own, &[7]), (suspended, &[7]), (replaced, &[7])], format)));
    }
    let mut world = world();
    let credential = world.diploma(Format::Vcdm2);
    world.list("diplomas-1", NOW - 2 * DAY, &[7]);
    world.list("diplomas-1", NOW - DAY, &[]);
    cases.push(("the newest version counts", Valid, world.verify(&credential, None)));
    // A list of suspensions under the plain name: what a bit means, the list itself says.
    let mut world = self::world();
    world.list_of("diplomas-9", START, ENTRIES, StatusPurpose::Suspension, &[7]);
    let mut draft = world.draft();
    draft.status.as_mut().unwrap().list = "diplomas-9".parse().unwrap();
    cases.push(("suspended in a plain list", StatusSuspended, world.verify(&world.sign(Format::SdJwt, &draft), None)));
    cases
}

fn pointing(world: &World, change: impl FnOnce(&mut StatusPointer)) -> Credential {
    let mut credential = world.diploma(Format::SdJwt);
    change(&mut credential.status[0]);
    credential
}

fn pointers() -> Vec<Case> {
    let mut world = world();
    world.list_of("short", START, 8, StatusPurpose::Revocation, &[]);
    world.list_of("uneven", START, ENTRIES, StatusPurpose::Revocation, &[]);
    world.list_of("uneven-suspended", START, 8, StatusPurpose::Suspension, &[]);
    world.list_of("alone", START, ENTRIES, StatusPurpose::Revocation, &[]);
    let url = |list: &str| format!("{BASE}/v1/status-lists/{}/{list}/token", world.university.did);
    let of = |url: String| world.verify(&pointing(&world, |pointer| pointer.url = url), None);
    let at = |list: &str, index| {
        world.verify(
            &pointing(&world, |pointer| {
                (pointer.url, pointer.index) = (url(list), index);
            }),
            None,
        )
    };
    let mut none = world.diploma(Format::Vcdm2);
    none.status.clear();
    let mut many = world.diploma(Format::Vcdm2);
    many.status = vec![many.status[0].clone(); 9];
    let mut other_purpose = world.diploma(Format::Vcdm2);
    other_purpose.status[0].purpose = Some(StatusPurpose::Suspension);
    let agency = format!("{BASE}/v1/status-lists/{}/diplomas-1/token", world.agency.did);
    let without_bits = {
        let credential = world.diploma(Format::SdJwt);
        let proofs = world.proofs(&credential, None, NOW);
        let proofs = testamur_credentials::proofs::Proofs { lists: Default::default(), ..proofs };
        world.verifier().verify(&shown(&credential, &proofs), &policy())
    };
    use Reason::*;
    let report = world.verify(&none, None);
    assert_eq!(report.step(StepName::Status).reason, StatusNone);
    vec![
        ("no entry", Valid, report),
        ("a list without companions", Valid, at("alone", 7)),
        ("a companion alone", Valid, of(url("diplomas-1-suspended"))),
        ("the last entry", Valid, at("diplomas-1", ENTRIES - 1)),
        ("beyond the end", StatusIndex, at("diplomas-1", ENTRIES)),
        ("far beyond the end", StatusIndex, at("diplomas-1", u64::MAX)),
        ("beyond the end of a short one", StatusIndex, at("short", 8)),
        ("beyond the end of a companion", StatusListMalformed, at("uneven", 8)),
        ("no such list", StatusUnknownList, of(url("diplomas-2"))),
        ("no path of a list", StatusUnknownList, of(format!("{BASE}/v1/status-lists/x"))),
        ("a path of another format", StatusUnknownList, of(url("diplomas-1").replace("/token", "/bitstring"))),
        ("more than one looks at", StatusUnknownList, world.verify(&many, None)),
        ("by the agency", StatusOtherIssuer, of(agency)),
        ("of another purpose", StatusListOther, world.verify(&other_purpose, None)),
        ("without the bits", StatusNoProof, without_bits),
    ]
}

fn freshness() -> Vec<Case> {
    let world = world();
    let credential = world.diploma(Format::SdJwt);
    let proofs = world.proofs(&credential, None, NOW);
    let asked = |policy: Policy| world.verifier().verify(&shown(&credential, &proofs), &policy);
    let after = |seconds| asked(Policy { now: UnixTime(NOW + seconds), ..policy() });
    let mut withdrawn = self::world();
    withdrawn.list("diplomas-1", NOW - DAY, &[7]);
    let old = withdrawn.proofs(&credential, None, NOW);
    let later = Policy { now: UnixTime(NOW + 90 * DAY), ..policy() };
    use Reason::*;
    vec![
        ("a day old", Valid, after(DAY)),
        ("a day and a second old", StatusStale, after(DAY + 1)),
        ("a package from before the revocation", StatusStale, after(30 * DAY)),
        (
            "an hour is too old for some",
            StatusStale,
            asked(Policy { now: UnixTime(NOW + 3_601), status_age_s: 3_600, ..policy() }),
        ),
        (
            "a month is not for others",
            Valid,
            asked(Policy { now: UnixTime(NOW + 29 * DAY), status_age_s: 30 * DAY, ..policy() }),
        ),
        ("a clock that is behind", Valid, asked(Policy { now: UnixTime(START), ..policy() })),
        ("nobody knows tomorrow", StatusStale, asked(Policy { at: Some(UnixTime(NOW + 1)), ..policy() })),
        ("revoked stays revoked", StatusRevoked, withdrawn.verifier().verify(&shown(&credential, &old), &later)),
    ]
}

fn asked_about() -> Vec<Case> {
    let mut world = world();
    let credential = world.diploma(Format::SdJwt);
    let receipt = world.anchor(&credential, ISSUED);
    world.list("diplomas-1-suspended", ISSUED + 10 * DAY, &[7]);
    world.list("diplomas-1-suspended", ISSUED + 20 * DAY, &[]);
    world.list("diplomas-1", ISSUED + 30 * DAY, &[7]);
    let at = |days: u64| world.verify_at(&credential, Some(&receipt), Some(ISSUED + days * DAY));
    let mut late = self::world();
    late.list("late-1", ISSUED + DAY, &[]);
    let mut draft = late.draft();
    draft.status.as_mut().unwrap().list = "late-1".parse().unwrap();
    let early = late.sign(Format::SdJwt, &draft);
    use Reason::*;
    vec![
        ("before the suspension", Valid, at(9)),
        ("during the suspension", StatusSuspended, at(10)),
        ("at the end of the suspension", StatusSuspended, at(19)),
        ("after the suspension", Valid, at(20)),
        ("revoked from then on", StatusRevoked, at(30)),
        ("now", StatusRevoked, world.verify(&credential, Some(&receipt))),
        ("before there was the list", StatusUnknownList, late.verify_at(&early, None, Some(ISSUED))),
    ]
}

/// Where the university's own server has its list.
const URL: &str = "https://university.example/status/1";

/// A token by any key under any kid, with these claims.
fn token(format: TokenFormat, kid: &str, key: &SigningKey, claims: &Value) -> String {
    let header = json!({ "alg": format!("{:?}", key.public_key().algorithm()), "kid": kid, "typ": format.typ() });
    let input = format!("{}.{}", base64url(&canonical(&header)), base64url(&canonical(claims)));
    format!("{input}.{}", base64url(&key.sign(input.as_bytes())))
}

/// Of as many bytes, all zero but these.
fn zlib(bytes: usize, set: &[(usize, u8)]) -> String {
    let mut list = vec![0; bytes];
    set.iter().for_each(|(at, value)| list[*at] = *value);
    base64url(&miniz_oxide::deflate::compress_to_vec_zlib(&list, 6))
}

fn tokens() -> Vec<Case> {
    let world = world();
    let (did, key) = (world.university.did.clone(), &world.university.key);
    let kid = identity::key_id(&did, &key.public_key()).to_string();
    let credential = pointing(&world, |pointer| pointer.url = URL.into());
    let ask = |text: &str| -> Report {
        let proofs = with_tokens(world.proofs(&credential, None, NOW), &[(URL, text.to_owned())]);
        world.verifier().verify(&shown(&credential, &proofs), &policy())
    };
    let claims = |change: &dyn Fn(&mut Value)| {
        let mut claims =
            json!({ "sub": URL, "iat": NOW - 3_600, "status_list": { "bits": 1, "lst": zlib(16_384, &[]) } });
        change(&mut claims);
        claims
    };
    let signed = |change: &dyn Fn(&mut Value)| ask(&token(TokenFormat::TokenStatusList, &kid, key, &claims(change)));
    let list = |bits: u64, bytes: usize, set: &'static [(usize, u8)]| {
        signed(&|claims| claims["status_list"] = json!({ "bits": bits, "lst": zlib(bytes, set) }))
    };
    let stranger = SigningKey::p256(&[99; 32]).unwrap();
    let by = |kid: &str, key: &SigningKey| ask(&token(TokenFormat::TokenStatusList, kid, key, &claims(&|_| {})));
    let unasked = world.verify(&credential, None);
    let no_state = {
        let text = token(TokenFormat::TokenStatusList, &kid, key, &claims(&|_| {}));
        let proofs = with_tokens(testamur_credentials::proofs::Proofs::NONE, &[(URL, text)]);
        world.verifier().verify(&Presented { ..shown(&credential, &proofs) }, &policy())
    };
    assert_eq!(no_state.step(StepName::Status).reason, Reason::StatusNoProof);
    use Reason::*;
    let mut cases = vec![
        ("in its list", Valid, signed(&|_| {})),
        ("not asked for", StatusNoProof, unasked),
        // Entry 7, least significant first: bit 7 of byte 0, or bits 6 and 7 of byte 1, or byte 7.
        ("revoked in its own list", StatusRevoked, list(1, 16_384, &[(0, 0x80)])),
        ("the neighbour", Valid, list(1, 16_384, &[(0, 0x7f)])),
        ("suspended in its own list", StatusSuspended, list(2, 32_768, &[(1, 0x80)])),
        ("revoked among two bits", StatusRevoked, list(2, 32_768, &[(1, 0x40)])),
        ("something else among four bits", StatusRevoked, list(4, 65_536, &[(3, 0xb0)])),
        ("something else among eight bits", StatusRevoked, list(8, 131_072, &[(7, 3)])),
        ("three bits", StatusListMalformed, list(3, 65_536, &[])),
        ("no list", StatusListMalformed, ask("not a token")),
        ("a bomb", StatusListTooLarge, list(1, 3 * 1024 * 1024, &[])),
        ("a herd of eight", StatusListTooShort, list(1, 1, &[])),
        ("one too few", StatusListTooShort, list(8, 131_071, &[])),
        ("its end is reached", StatusListExpired, signed(&|claims| claims["exp"] = json!(NOW))),
        ("its life is over", StatusListExpired, signed(&|claims| claims["ttl"] = json!(3_600))),
        ("its life is not over", Valid, signed(&|claims| claims["ttl"] = json!(3_601))),
        ("of tomorrow", StatusListNotYetValid, signed(&|claims| claims["iat"] = json!(NOW + DAY))),
        ("of the day before yesterday", StatusStale, signed(&|claims| claims["iat"] = json!(NOW - 2 * DAY))),
        ("of another URL", StatusListOther, signed(&|claims| claims["sub"] = json!("https://university.example/2"))),
        ("by another issuer", StatusOtherIssuer, signed(&|claims| claims["iss"] = json!(world.agency.did))),
        ("under another's kid", StatusOtherIssuer, by(&format!("{}#key", world.agency.did), &stranger)),
        ("under a kid of nobody", StatusListSignature, by(&format!("{did}#key"), &stranger)),
        ("without a kid of a DID", StatusListSignature, by("12", key)),
        ("by a stranger", StatusListSignature, by(&kid, &stranger)),
    ];
    // The W3C's formats, derived from bits as a node does.
    for format in [TokenFormat::StatusList2021, TokenFormat::Bitstring] {
        for (purpose, index, reason) in [
            (StatusPurpose::Revocation, 8, Valid),
            (StatusPurpose::Revocation, 7, StatusRevoked),
            (StatusPurpose::Suspension, 7, StatusSuspended),
        ] {
            let mut bits = BitList::zeros(ENTRIES).unwrap();
            bits.set(index, true);
            let (name, kid) = ("one".parse().unwrap(), kid.parse().unwrap());
            let source = TokenSource {
                issuer: &did,
                list: &name,
                purpose,
                issued: UnixTime(NOW - 60),
                kid: &kid,
                alg: key.public_key().algorithm(),
                public_base: "https://university.example",
            };
            let version = sign_version(&source, 1, &bits, key).unwrap();
            let text = source.compact(format, &bits, &version.signatures).unwrap();
            let url = source.url(format);
            let ask = |named: Option<StatusPurpose>| {
                let credential = pointing(&world, |pointer| {
                    (pointer.url, pointer.format, pointer.purpose) = (url.clone(), format, named);
                });
                let proofs = with_tokens(world.proofs(&credential, None, NOW), &[(&url, text.clone())]);
                world.verifier().verify(&shown(&credential, &proofs), &policy())
            };
            cases.push(("the W3C's format", reason, ask(Some(purpose))));
            let other = match purpose {
                StatusPurpose::Revocation => StatusPurpose::Suspension,
                StatusPurpose::Suspension => StatusPurpose::Revocation,
            };
            cases.push(("the W3C's format for another purpose", StatusListOther, ask(Some(other))));
        }
    }
    cases
}
