//! Steps 1, 2, 6, 7 and 8: what was handed in, by itself and with its receipt.

use serde_json::json;
use testamur_credentials::credential::{Credential, Format, Holder};
use testamur_credentials::format::{self, sdjwt};
use testamur_credentials::presentation;
use testamur_credentials::print::{Print, PrintDigest};
use testamur_credentials::proofs::Proofs;
use testamur_credentials::refusal::Refusal;
use testamur_credentials::verify::{Policy, Presented, Reason, Report};
use testamur_primitives::codec::{base64url, sha256};
use testamur_primitives::commitment::{DigestAlgorithm, Form};
use testamur_primitives::did::Did;
use testamur_primitives::hash::SchemaId;
use testamur_primitives::key::{Jwk, SigningKey};
use testamur_primitives::receipt::{Receipt, ReceiptError};
use testamur_primitives::record::{Act, Bytes};
use testamur_primitives::units::UnixTime;

use super::{Case, own_key, world};
use crate::world::parties::{ISSUED, NOW, World, object, policy, shown, sign, sign_text};
use crate::world::{DAY, Network};

pub(crate) fn cases() -> Vec<Case> {
    [refusals(), readable(), signatures(), prints(), anchors(), dates(), holders()].concat()
}

fn refused(refusal: &Refusal) -> Report {
    world().verifier().verify(&Presented::new(Err(refusal), &Print::None), &policy())
}

/// What a file is refused for.
fn read(bytes: &[u8]) -> Report {
    refused(&presentation::read(bytes).unwrap_err())
}

fn refusals() -> Vec<Case> {
    let world = world();
    let text = sign_text(Format::SdJwt, &world.draft(), &world.university.key);
    let (issued, disclosures) = text.split_once('~').unwrap();
    let (input, _) = issued.rsplit_once('.').unwrap();
    let (_, payload) = input.split_once('.').unwrap();
    let header = |json: &str| format!("{}.{payload}.AAAA~{disclosures}", base64url(json.as_bytes()));
    vec![
        ("plain words", Reason::ReadableUnknownFormat, read(b"a diploma")),
        ("ten megabytes", Reason::ReadableTooLarge, read(&vec![b'x'; 10_000_000])),
        ("a receipt alone", Reason::ReadableNoCredential, read(br#"{"type":"testamur-receipt"}"#)),
        ("a bomb", Reason::ReadableArchive, refused(&Refusal::Archive("unpacks to more than is read"))),
        ("half of it", Reason::ReadableMalformed, read(format!("{input}.!~").as_bytes())),
        (
            "twice the same name",
            Reason::ReadableDuplicateMembers,
            read(header(r#"{"alg":"ES256","alg":"none"}"#).as_bytes()),
        ),
        ("no kid", Reason::ReadableIncomplete, read(header(r#"{"alg":"ES256","typ":"dc+sd-jwt"}"#).as_bytes())),
        ("a foreign disclosure", Reason::ReadableDisclosure, read(format!("{text}WyJhIiwiYiIsImMiXQ~").as_bytes())),
        ("stripped", Reason::SignatureMissing, read(format!("{input}.~{disclosures}").as_bytes())),
        ("alg none", Reason::SignatureAlgorithm, read(header(r#"{"alg":"none"}"#).as_bytes())),
        ("not a DID", Reason::IssuerForeignDid, refused(&Refusal::ForeignIssuer("https://university.example".into()))),
        ("a status of the future", Reason::StatusUnknownList, refused(&Refusal::StatusUnknown("Other".into()))),
    ]
}

fn readable() -> Vec<Case> {
    let world = world();
    let mut cases = Vec::new();
    let mut draft = world.draft();
    draft.subject.insert("nickname".into(), json!("x"));
    cases.push(("a field too many", Reason::ReadableSchema, world.verify(&world.sign(Format::Vcdm2, &draft), None)));
    let mut draft = world.draft();
    draft.subject.remove("familyName");
    cases.push(("a field too few", Reason::ReadableSchema, world.verify(&world.sign(Format::Ebsi, &draft), None)));
    let mut draft = world.draft();
    draft.subject.insert("dateOfBirth".into(), json!("2001-02-30"));
    cases.push(("no such day", Reason::ReadableSchema, world.verify(&world.sign(Format::SdJwt, &draft), None)));

    let text = sign_text(Format::SdJwt, &world.draft(), &world.university.key);
    let least = format::parse(&sdjwt::disclose(&text, &["familyName"]).unwrap()).unwrap();
    assert!(least.undisclosed > 0);
    cases.push(("only the family name", Reason::Valid, world.verify(&least, None)));

    let other = SchemaId::from_bytes([0xee; 32]);
    let draft = testamur_credentials::format::Draft { schema: other, ..world.draft() };
    let report = world.verify(&world.sign(Format::Vcdm2, &draft), None);
    assert_eq!(report.steps[0].reason, Reason::ReadableSchemaUnknown);
    assert_eq!(report.steps[3].reason, Reason::AccreditationSchema);
    cases.push(("a schema of nobody", Reason::AccreditationSchema, report));

    let mut nameless = world.diploma(Format::Vcdm2);
    nameless.schemas.clear();
    cases.push(("no schema", Reason::ReadableIncomplete, world.verify(&nameless, None)));
    let mut nameless = world.diploma(Format::Vcdm2);
    nameless.types.clear();
    cases.push(("no type", Reason::ReadableIncomplete, world.verify(&nameless, None)));

    // Revised for more after issuance: what was complete then is complete.
    let mut revised = self::world();
    let credential = revised.diploma(Format::Vcdm2);
    let receipt = revised.anchor(&credential, ISSUED);
    let stricter = crate::world::parties::DIPLOMA.replacen(r#"["familyName","#, r#"["familyName", "thesis","#, 1);
    revised.publish_schema(ISSUED + DAY, &stricter);
    cases.push(("revised since, anchored", Reason::Valid, revised.verify(&credential, Some(&receipt))));
    cases.push(("revised since", Reason::ReadableSchema, revised.verify(&credential, None)));
    // A pattern that looks ahead, as no engine of bounded time does.
    let body = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","properties":{"a":{"pattern":"(?=a)b"}}}"#;
    revised.publish_schema(ISSUED + 2 * DAY, body);
    cases.push(("a schema that cannot be used", Reason::ReadableSchemaUnknown, revised.verify(&credential, None)));
    cases
}

fn signatures() -> Vec<Case> {
    let world = world();
    let good = world.diploma(Format::Vcdm2);
    let with = |change: &dyn Fn(&mut Credential)| {
        let mut credential = good.clone();
        change(&mut credential);
        world.verify(&credential, None)
    };
    let stranger = SigningKey::p256(&[99; 32]).unwrap();
    let by_stranger = sign(Format::Vcdm2, &world.draft(), &stranger);
    let mut of_stranger = world.draft();
    of_stranger.kid = testamur_primitives::identity::key_id(&of_stranger.issuer, &stranger.public_key());
    vec![
        ("one bit", Reason::SignatureInvalid, with(&|c| c.jws.signature[9] ^= 1)),
        ("half a signature", Reason::SignatureInvalid, with(&|c| c.jws.signature.truncate(32))),
        ("one letter", Reason::SignatureInvalid, with(&|c| c.jws.signing_input.push('A'))),
        (
            "another kind of key",
            Reason::SignatureAlgorithm,
            with(&|c| c.jws.alg = testamur_primitives::key::JwsAlgorithm::ES256K),
        ),
        ("by a stranger under the issuer's kid", Reason::SignatureInvalid, world.verify(&by_stranger, None)),
        (
            "by a stranger's key",
            Reason::SignatureKeyUnknown,
            world.verify(&sign(Format::Vcdm2, &of_stranger, &stranger), None),
        ),
        (
            "a kid of somebody else's",
            Reason::SignatureKeyUnknown,
            with(&|c| c.kid = format!("{}#{}", world.agency.did, c.kid.fragment()).parse().unwrap()),
        ),
        (
            "by whoever calls itself so",
            Reason::SignatureInvalid,
            with(&|c| {
                c.issuer = Did::key(&own_key().public_key());
                c.kid = c.issuer.key_id().unwrap();
                c.jws.signature[9] ^= 1;
            }),
        ),
    ]
}

fn prints() -> Vec<Case> {
    let world = world();
    let page = b"%PDF the page";
    let digest = PrintDigest { bytes: page.len() as u64, sha256: hex(&sha256(&[page])) };
    let mut draft = world.draft();
    draft.subject.insert("print".into(), serde_json::to_value(&digest).unwrap());
    let bound = world.sign(Format::SdJwt, &draft);
    let proofs = world.proofs(&bound, None, NOW);
    let with = |credential: &Credential, digest: &PrintDigest, whole| {
        let print = Print::Pdf { digest: digest.clone(), whole };
        world.verifier().verify(&Presented { print: &print, ..shown(credential, &proofs) }, &policy())
    };
    let other = PrintDigest { sha256: hex(&[7; 32]), ..digest.clone() };
    let shorter = PrintDigest { bytes: 3, ..digest.clone() };
    let invalid = {
        let mut credential = bound.clone();
        credential.jws.signature[0] ^= 1;
        with(&credential, &other, true)
    };
    vec![
        ("its own page", Reason::Valid, with(&bound, &digest, true)),
        ("another page", Reason::SignatureForeignPrint, with(&bound, &other, true)),
        ("another length", Reason::SignatureForeignPrint, with(&bound, &shorter, true)),
        ("something drawn over it", Reason::SignatureForeignPrint, with(&bound, &digest, false)),
        ("one that names no page", Reason::SignaturePrintNotBound, with(&world.diploma(Format::SdJwt), &digest, true)),
        ("a forged one in a forged page", Reason::SignatureInvalid, invalid),
    ]
}

fn anchors() -> Vec<Case> {
    let world = world();
    let (one, other) = (world.diploma(Format::Vcdm2), world.diploma(Format::Ebsi));
    let receipt = world.anchor(&one, ISSUED);
    let by = |network: &Network, did: &Did, key: &SigningKey| {
        network.batch(&world.state, did, key, ISSUED, &[one.digest()]).swap_remove(0)
    };
    let stranger = SigningKey::ed25519(&[55; 32]);
    let foreign = by(&Network::new(128), &world.university.did, &world.university.key);
    let of_stranger = by(&world.network, &Did::key(&stranger.public_key()), &stranger);
    let of_agency = by(&world.network, &world.agency.did, &world.agency.key);
    let unopened = Receipt { opening: None, ..receipt.clone() };
    let misplaced = {
        let mut opening = receipt.opening.clone().unwrap();
        opening.index += 1;
        Receipt { opening: Some(opening), ..receipt.clone() }
    };
    let uncertified =
        Receipt { note: receipt.note.lines().take(4).map(|line| format!("{line}\n")).collect(), ..receipt.clone() };
    let entries = vec![Bytes(sha256(&[b"another document"]).to_vec())];
    let act = Act::Notarise { alg: DigestAlgorithm::Sha2_256, form: Form::Digest, entries, reference: None };
    let plain = world.network.receipt(&world.state, &world.university.did, &world.university.key, ISSUED, act);
    let damaged = {
        let proofs = world.proofs(&one, None, NOW);
        let error = ReceiptError::Digest;
        let presented = Presented { receipt: Some(Err(&error)), ..shown(&one, &proofs) };
        world.verifier().verify(&presented, &policy())
    };
    let later = {
        let proofs = world.proofs(&one, Some(ISSUED), NOW + 4_000 * DAY);
        let policy = Policy { now: UnixTime(NOW + 4_000 * DAY), ..policy() };
        world.verifier().verify(&Presented { receipt: Some(Ok(&receipt)), ..shown(&one, &proofs) }, &policy)
    };
    vec![
        ("another diploma's receipt", Reason::AnchorOtherDocument, world.verify(&other, Some(&receipt))),
        ("a receipt of something else", Reason::AnchorOtherDocument, world.verify(&one, Some(&plain))),
        ("of another network", Reason::AnchorOtherNetwork, world.verify(&one, Some(&foreign))),
        ("without quorum", Reason::AnchorInvalid, world.verify(&one, Some(&uncertified))),
        ("at another place", Reason::AnchorInvalid, world.verify(&one, Some(&misplaced))),
        ("damaged", Reason::AnchorInvalid, damaged),
        ("without opening", Reason::AnchorIncomplete, world.verify(&one, Some(&unopened))),
        ("notarised by a passer-by", Reason::AnchorOtherAuthor, world.verify(&one, Some(&of_stranger))),
        ("notarised by the agency", Reason::AnchorOtherAuthor, world.verify(&one, Some(&of_agency))),
        ("witnesses long out of office", Reason::AnchorUnconfirmed, later),
        ("asked about before", Reason::AnchorAfter, world.verify_at(&one, Some(&receipt), Some(ISSUED - DAY))),
        ("asked about after", Reason::Valid, world.verify_at(&one, Some(&receipt), Some(ISSUED + DAY))),
    ]
}

fn dates() -> Vec<Case> {
    let world = world();
    let with = |from: u64, until: Option<u64>| {
        let mut draft = world.draft();
        (draft.valid_from, draft.valid_until) = (UnixTime(from), until.map(UnixTime));
        world.verify(&world.sign(Format::Ebsi, &draft), None)
    };
    let mut inverted = world.diploma(Format::Vcdm2);
    inverted.valid_until = inverted.valid_from;
    let mut certificate = world.diploma(Format::Vcdm2);
    let mut last_day = |text: &str| {
        certificate.subject.insert("expiryDate".into(), json!(text));
        world.verify(&certificate, None)
    };
    // The schema of diplomas knows no last day, so the first step says no of both; the day that is over is told in a unit test.
    let (over, to_come) = (last_day("2020-01-01"), last_day("2199-01-01"));
    vec![
        ("expired", Reason::DatesExpired, with(ISSUED, Some(NOW))),
        ("not expired by a second", Reason::Valid, with(ISSUED, Some(NOW + 1))),
        ("from tomorrow on", Reason::DatesNotYetValid, with(NOW + DAY, None)),
        ("by a clock that is a little ahead", Reason::Valid, with(NOW + 300, None)),
        ("a last day that a diploma does not have", Reason::ReadableSchema, over),
        ("nor one to come", Reason::ReadableSchema, to_come),
        ("ends before it begins", Reason::DatesInverted, world.verify(&inverted, None)),
    ]
}

fn holders() -> Vec<Case> {
    let world = world();
    let wallet = SigningKey::p256(&[77; 32]).unwrap();
    let bound =
        testamur_credentials::format::Draft { holder: Holder::Key(wallet.public_key().to_jwk()), ..world.draft() };
    let text = sign_text(Format::SdJwt, &bound, &world.university.key);
    let unbound = sign_text(Format::SdJwt, &world.draft(), &world.university.key);
    let show = |text: &str, proof: &str| {
        let credential = format::parse(text).unwrap();
        let proofs = world.proofs(&credential, None, NOW);
        let text = format!("{text}{proof}");
        let presented = Presented { text: Some(&text), ..shown(&credential, &proofs) };
        world.verifier().verify(&presented, &policy())
    };
    let proof = |text: &str, key: &SigningKey, typ: &str, iat: u64| {
        let hash = base64url(&sha256(&[text.as_bytes()]));
        let claims = json!({ "iat": iat, "aud": "https://employer.example", "nonce": "1", "sd_hash": hash });
        let header = json!({ "alg": "ES256", "typ": typ });
        testamur_credentials::jws::Jws::sign(&object(header), &object(claims), key)
    };
    let good = proof(&text, &wallet, "kb+jwt", NOW);
    let mut off_curve = format::parse(&text).unwrap();
    let jwk = wallet.public_key().to_jwk();
    off_curve.holder = Holder::Key(Jwk { x: jwk.y.clone().unwrap(), ..jwk });
    let mut no_key = world.diploma(Format::Vcdm2);
    no_key.holder = Holder::Did("did:key:zNothing".parse().unwrap());
    let mut elsewhere = world.diploma(Format::Vcdm2);
    elsewhere.holder = Holder::Did("did:web:graduate.example".parse().unwrap());
    let bound_alone = show(&text, "");
    assert_eq!(bound_alone.steps[7].reason, Reason::HolderBound);
    let foreign = &wallet;
    vec![
        ("bound", Reason::Valid, bound_alone),
        ("bound, with a proof", Reason::Valid, show(&text, &good)),
        ("bound to a DID of the web", Reason::Valid, world.verify(&elsewhere, None)),
        ("a proof by another", Reason::HolderProof, show(&text, &proof(&text, &world.university.key, "kb+jwt", NOW))),
        ("a proof of another presentation", Reason::HolderProof, show(&text, &proof("other~", foreign, "kb+jwt", NOW))),
        ("a proof of another kind", Reason::HolderProof, show(&text, &proof(&text, foreign, "JWT", NOW))),
        ("a proof of tomorrow", Reason::HolderProof, show(&text, &proof(&text, foreign, "kb+jwt", NOW + DAY))),
        ("a proof of nobody's", Reason::HolderProof, show(&unbound, &proof(&unbound, foreign, "kb+jwt", NOW))),
        ("a point off its curve", Reason::HolderKey, world.verify(&off_curve, None)),
        ("a did:key of no key", Reason::HolderKey, world.verify(&no_key, None)),
    ]
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A verifier asked with no proofs at all.
pub(crate) fn without_proofs(world: &World, credential: &Credential) -> Report {
    world.verifier().verify(&shown(credential, &Proofs::NONE), &policy())
}
