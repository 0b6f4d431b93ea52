//! What a credential travels in: a QR code's bytes, a link, a package. What is put in comes out; what was damaged on the way
//! is said to be.

use std::sync::{Arc, LazyLock};

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use testamur_credentials::content::SAMPLES;
use testamur_credentials::credential::{Format, Holder};
use testamur_credentials::format::compact::{JURISDICTIONS, OPTIONAL};
use testamur_credentials::format::{self, BuildError, Draft, StatusPlace};
use testamur_credentials::limits::{COMPACT_BYTES_MAX, LINK_CHARS_MAX, PACKAGE_LISTS_MAX};
use testamur_credentials::link::{self, LinkError};
use testamur_credentials::package::Package;
use testamur_credentials::presentation::{self, Presentation};
use testamur_credentials::print::Print;
use testamur_credentials::proofs::Proofs;
use testamur_credentials::refusal::Refusal;
use testamur_credentials::verify::{Presented, Reason};
use testamur_primitives::codec::base64url;
use testamur_primitives::did::Did;
use testamur_primitives::hash::SchemaId;
use testamur_primitives::identity::key_id;
use testamur_primitives::key::SigningKey;
use testamur_primitives::receipt::Receipt;
use testamur_primitives::state::evidence::Evidence;
use testamur_primitives::units::UnixTime;

fn keys() -> [SigningKey; 4] {
    [
        SigningKey::ed25519(&[1; 32]),
        SigningKey::p256(&[2; 32]).unwrap(),
        SigningKey::p384(&[3; 48]).unwrap(),
        SigningKey::secp256k1(&[4; 32]).unwrap(),
    ]
}

fn draft(key: &SigningKey, kind: &str, subject: Map<String, Value>) -> Draft {
    let issuer = Did::of_ledger("ebsi", &[7; 16]);
    let level = subject.get("eqfLevel").map(|level| format!("EqfLevel{level}"));
    Draft {
        id: "urn:uuid:11111111-2222-4333-8444-555555555555".into(),
        kid: key_id(&issuer, &key.public_key()),
        issuer,
        alg: key.public_key().algorithm(),
        types: [kind.to_owned()].into_iter().chain(level).collect(),
        schema: SchemaId::from_bytes([9; 32]),
        public_base: "https://ledger.example".into(),
        subject,
        holder: Holder::Unbound,
        discarded: Some(Did::key(&SigningKey::p256(&[8; 32]).unwrap().public_key())),
        valid_from: UnixTime(1_782_460_800),
        valid_until: Some(UnixTime(1_926_237_600)),
        status: Some(StatusPlace { list: "diplomas-12".parse().unwrap(), index: 131_071 }),
        accreditation: None,
    }
}

fn sample(name: &str) -> (String, Map<String, Value>) {
    let (_, text) = SAMPLES.into_iter().find(|(known, _)| *known == name).unwrap();
    let sample: Value = serde_json::from_str(text).unwrap();
    (sample["type"].as_str().unwrap().to_owned(), sample["content"].as_object().unwrap().clone())
}

fn issue(format: Format, draft: &Draft, key: &SigningKey) -> String {
    format::build(format, draft, &mut || [7; 16]).unwrap().sign(key)
}

fn compact(name: &str, key: &SigningKey) -> String {
    let (kind, subject) = sample(name);
    issue(Format::Compact, &draft(key, &kind, subject), key)
}

#[test]
fn every_sample_fits_a_qr_code_and_a_link_under_every_key() {
    for key in &keys() {
        for (name, _) in SAMPLES {
            let text = compact(name, key);
            assert!(text.len() <= COMPACT_BYTES_MAX, "{name}: {}", text.len());
            let (kind, subject) = sample(name);
            let draft = draft(key, &kind, subject);
            let read = format::parse(&text).unwrap();
            assert_eq!(read.format, Format::Compact);
            for always in ["givenName", "familyName", "dateOfBirth", "eqfLevel", "jurisdiction"] {
                assert_eq!(read.subject.get(always), draft.subject.get(always), "{name}: {always}");
            }
            for (_, long) in OPTIONAL {
                let given = read.subject.get(long);
                assert!(
                    given.is_none() || given == draft.subject.get(long),
                    "{name}: {long} is as it was or not there"
                );
            }
            assert!(read.subject.contains_key("title"), "{name}: a title fits");
            assert_eq!(read.types, draft.types.iter().cloned().collect());
            assert_eq!((read.issuer, read.valid_until), (draft.issuer.clone(), draft.valid_until));
            let path = format!("/v1/status-lists/{}/diplomas-12/token", draft.issuer);
            assert_eq!((read.status[0].url.as_str(), read.status[0].index), (path.as_str(), 131_071));
            let link = link::make("https://verify.example", &text).unwrap();
            assert!(link.len() <= LINK_CHARS_MAX);
            assert_eq!(link::parse(&link), Ok(text.clone()));
            // A link that lost its last character is still read.
            assert_eq!(format::parse(text.trim_end_matches('~')).unwrap().jws, read.jws);
        }
    }
}

#[test]
fn what_does_not_fit_is_left_out_in_order_and_names_never() {
    let key = SigningKey::p256(&[2; 32]).unwrap();
    let (kind, mut subject) = sample("master");
    let mut most = 0;
    for chars in 0..400 {
        subject.insert("familyName".into(), json!("Ω".repeat(chars)));
        let draft = draft(&key, &kind, subject.clone());
        match format::build(Format::Compact, &draft, &mut || [0; 16]) {
            Ok(unsigned) => {
                let text = unsigned.sign(&key);
                assert!(text.len() <= COMPACT_BYTES_MAX);
                let read = format::parse(&text).unwrap();
                assert_eq!(read.subject["familyName"], subject["familyName"]);
                let titles = read.subject.get("title").map_or(0, |title| title.as_array().unwrap().len());
                assert!(titles == 3 || titles <= 1, "all titles, or the first, or none");
                most = most.max(read.subject.len());
            }
            Err(BuildError::Names { bytes, most: fits }) => {
                assert!(bytes > fits && chars > 60, "{chars} characters are too many: {bytes}");
                assert_eq!(most, 10, "with a short name, all of the table that the sample has");
                return;
            }
            Err(other) => panic!("{other}"),
        }
    }
    panic!("400 Greek letters do not fit");
}

#[test]
fn links_are_made_for_pages_and_read_as_others_mangle_them() {
    let text = compact("bachelor", &keys()[1]);
    assert_eq!(link::make("https://verify.example", "x"), Ok("https://verify.example/#c=x".into()));
    assert_eq!(link::make("https://verify.example/en/", "x"), Ok("https://verify.example/en/#c=x".into()));
    assert_eq!(link::make("http://127.0.0.1:8080", "x"), Ok("http://127.0.0.1:8080/#c=x".into()));
    for page in ["", "verify.example", "http://verify.example", "https://x/#", "https://x y", "javascript:alert(1)"] {
        assert_eq!(link::make(page, "x"), Err(LinkError::Page), "{page}");
    }
    let long = format!("https://{}.example", "x".repeat(LINK_CHARS_MAX));
    assert!(matches!(link::make(&long, &text), Err(LinkError::TooLong(_))));
    let link = link::make("https://verify.example", &text).unwrap();
    for mangled in [
        link.replace('#', "%23"),
        link.replace("#c=", "%23c%3D"),
        link.replace('~', "%7E"),
        link.replace('~', ""),
        format!("{link}&utm_source=mail"),
        format!("  {link}\r\n"),
        link.replace("/#", "/?lang=fr#"),
    ] {
        let read = presentation::read(mangled.as_bytes()).unwrap();
        assert_eq!(read.credential.digest(), format::parse(&text).unwrap().digest(), "{mangled}");
    }
    for (bad, reason) in [
        ("https://verify.example/", Reason::ReadableNoCredential),
        ("https://verify.example/#c=", Reason::ReadableNoCredential),
        ("https://verify.example/#c=%", Reason::ReadableMalformed),
        ("https://verify.example/#c=%zz", Reason::ReadableMalformed),
        ("https://verify.example/#c=%+f", Reason::ReadableMalformed),
        ("https://verify.example/#c=%é", Reason::ReadableMalformed),
        ("https://verify.example/#c=%ff", Reason::ReadableMalformed),
        ("https://verify.example/#c=hello", Reason::ReadableUnknownFormat),
    ] {
        assert_eq!(presentation::read(bad.as_bytes()).unwrap_err().reason(), reason, "{bad}");
    }
    assert_eq!(
        link::parse(&format!("https://x/#c={}", "a".repeat(7_000))).unwrap_err().reason(),
        Reason::ReadableTooLarge
    );
}

fn vector(name: &str) -> Vec<u8> {
    std::fs::read(format!("{}/../../tests/vectors/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

/// A package with a receipt, an evidence and a list of 131,072 entries of which one in a hundred is set.
fn package() -> Package {
    let key = &keys()[1];
    let (kind, subject) = sample("master");
    let mut bits = vec![0u8; 16_384];
    (0..1_311usize).for_each(|n| bits[n * 7_919 % 16_384] |= 1 << (n % 8));
    Package {
        credential: issue(Format::SdJwt, &draft(key, &kind, subject), key),
        receipt: Some(Receipt::decode(&vector("receipts/batch.json")).unwrap()),
        proofs: Proofs {
            evidence: Some(Arc::new(Evidence::decode(&vector("evidence/chain-holds.json")).unwrap())),
            lists: [bits, vec![0; 16_384], vec![0; 16_384]].into_iter().collect(),
            ..Proofs::default()
        },
    }
}

fn same(read: &Presentation, package: &Package) {
    assert_eq!(read.text, package.credential);
    assert_eq!(read.receipt, package.receipt.clone().map(Ok));
    assert_eq!(read.proofs.evidence, package.proofs.evidence);
    assert_eq!(read.proofs.lists, package.proofs.lists);
    assert_eq!(read.evidence_error, None);
}

#[test]
fn a_package_is_read_as_it_was_made() {
    let package = package();
    let file = package.encode();
    assert!(file.len() < 96 * 1024, "{} bytes", file.len());
    let whole: Value = serde_json::from_slice(&file).unwrap();
    assert_eq!(serde_json::to_vec(&whole).unwrap(), file, "members in order, no spaces");
    same(&presentation::read(&file).unwrap(), &package);
    // INV-PACKAGE-1: the same bytes are the same evidence; others, of any difference, are read.
    let [first, again] = [(); 2].map(|()| presentation::read(&file).unwrap().proofs.evidence.unwrap());
    assert!(Arc::ptr_eq(&first, &again));
    let mut other = package.clone();
    let mut evidence = (*first).clone();
    evidence.state.pop();
    other.proofs.evidence = Some(Arc::new(evidence));
    other.proofs.lists = [vec![1; 16_384]].into_iter().collect();
    same(&presentation::read(&other.encode()).unwrap(), &other);
    same(&presentation::read(&file).unwrap(), &package);
    // Spaces around the members, and a byte order mark, are what editors leave.
    let spaced = String::from_utf8(file.clone()).unwrap().replacen("{\"", "\u{feff}{\n \"", 1) + "\n";
    same(&presentation::read(spaced.as_bytes()).unwrap(), &package);
    let bare = Package { receipt: None, proofs: Proofs::default(), ..package.clone() };
    same(&presentation::read(&bare.encode()).unwrap(), &bare);
    let untyped = json!({ "credential": package.credential, "receipt": whole["receipt"], "note": "ours" });
    let read = presentation::read(untyped.to_string().as_bytes()).unwrap();
    assert_eq!(read.receipt, package.receipt.map(Ok));
}

#[test]
fn damaged_packages_say_what_is_damaged() {
    let whole: Value = serde_json::from_slice(&package().encode()).unwrap();
    let read = |change: &dyn Fn(&mut Map<String, Value>)| {
        let mut file = whole.clone();
        change(file.as_object_mut().unwrap());
        presentation::read(file.to_string().as_bytes())
    };
    let refused = |change: &dyn Fn(&mut Map<String, Value>)| read(change).unwrap_err().reason();
    assert_eq!(refused(&|file| drop(file.remove("credential"))), Reason::ReadableNoCredential);
    assert_eq!(refused(&|file| drop(file.insert("credential".into(), json!(5)))), Reason::ReadableMalformed);
    assert_eq!(refused(&|file| drop(file.insert("type".into(), json!("other")))), Reason::ReadableUnknownFormat);
    assert_eq!(refused(&|file| drop(file.insert("v".into(), json!(2)))), Reason::ReadableUnknownFormat);
    assert_eq!(refused(&|file| drop(file.insert("issuer".into(), json!("me")))), Reason::ReadableMalformed);
    let lists = |lists: Value| refused(&move |file| drop(file.insert("lists".into(), lists.clone())));
    assert_eq!(lists(json!(["!"])), Reason::ReadableMalformed);
    assert_eq!(lists(json!([5])), Reason::ReadableMalformed);
    assert_eq!(lists(json!(["AAAA"])), Reason::ReadableArchive);
    assert_eq!(lists(json!(vec![whole["lists"][0].clone(); PACKAGE_LISTS_MAX + 1])), Reason::ReadableMalformed);
    let bomb = base64url(&miniz_oxide::deflate::compress_to_vec_zlib(&vec![0; 64 << 20], 9));
    assert!(bomb.len() < 100_000);
    assert_eq!(lists(json!([bomb])), Reason::ReadableArchive, "64 MiB of zeros");

    let receipt = read(&|file| file["receipt"]["index"] = json!(77)).unwrap();
    assert!(receipt.receipt.unwrap().is_err(), "a broken receipt is not one that is missing");
    let evidence = read(&|file| file["evidence"]["state"] = json!(7)).unwrap();
    assert!(evidence.proofs.evidence.is_none() && evidence.evidence_error.is_some());
    let presented = Presented::new(Ok(&evidence), &Print::None);
    assert!(presented.evidence_error.is_some());
    assert!(presented.with_proofs(&Proofs::NONE).evidence_error.is_none(), "the ledger's own take its place");
    let text = whole.to_string();
    let doubled = text.replacen('{', "{\"v\":1,", 1);
    assert_eq!(presentation::read(doubled.as_bytes()).unwrap_err().reason(), Reason::ReadableDuplicateMembers);
    for cut in [1, 100, text.len() / 2, text.len() - 1] {
        assert!(presentation::read(&text.as_bytes()[..cut]).is_err(), "{cut}");
    }
    let receipt = presentation::read(&vector("receipts/batch.json")).unwrap_err();
    assert_eq!(receipt.reason(), Reason::ReadableNoCredential, "a receipt by itself");
    assert_eq!(presentation::read(b"{}").unwrap_err(), Refusal::NoCredential);
    assert_eq!(presentation::read(&[0xff; 10]).unwrap_err().reason(), Reason::ReadableUnknownFormat);
    assert_eq!(presentation::read(&vec![b'x'; 10 << 20]).unwrap_err().reason(), Reason::ReadableTooLarge);
    assert_eq!(presentation::read(&vec![b'{'; 10 << 20]).unwrap_err().reason(), Reason::ReadableTooLarge);
    assert_eq!(presentation::read(&vec![b'['; 100_000]).unwrap_err().reason(), Reason::ReadableUnknownFormat);
}

#[test]
fn a_credential_by_itself_is_read_as_people_pass_it_on() {
    let package = package();
    let text = &package.credential;
    let wrapped: String =
        text.as_bytes().chunks(76).map(|line| format!("{}\r\n", str::from_utf8(line).unwrap())).collect();
    for given in [text.clone(), format!("\n {text} \n"), format!("\"{text}\""), wrapped, format!("\u{feff}{text}")] {
        let read = presentation::read(given.as_bytes()).unwrap();
        assert_eq!(&read.text, text);
        assert!(read.receipt.is_none() && read.proofs.evidence.is_none());
    }
}

fn name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Z][a-z]{1,20}",
        "[А-Я][а-я]{1,15}",
        "[Α-Ω][α-ω]{1,15}",
        "[A-Za-z\u{300}-\u{36f}]{1,12}",
        "[\"\\\\ \u{1f600}]{1,4}"
    ]
}

fn code() -> impl Strategy<Value = String> {
    prop_oneof![
        "[A-Z]{3}(_[A-Z0-9]{2})?".prop_map(|code| format!("{JURISDICTIONS}{code}")),
        Just("urn:elsewhere".to_owned())
    ]
}

static FILE: LazyLock<Vec<u8>> = LazyLock::new(|| package().encode());

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// INV-FORMAT-1: whatever the content, the key, the dates and the place, every format says what was drafted.
    #[test]
    fn what_is_built_is_read_back(
        (given, family, place) in (name(), name(), name()),
        (level, jurisdiction, index) in (0u64..12, code(), 0u64..1 << 21),
        from in 1u64..253_402_300_000, life in proptest::option::of(1u64..1_000_000),
        key in 0usize..4, with_level_type in any::<bool>(),
    ) {
        let key = &keys()[key];
        let subject = json!({
            "givenName": given, "familyName": family, "eqfLevel": level, "jurisdiction": jurisdiction, "place": place,
            "title": [{ "language": "fr", "text": place }], "thesis": { "title": [{ "language": "en", "text": given }] },
        });
        let mut draft = draft(key, "MicroCredential", subject.as_object().unwrap().clone());
        draft.types.truncate(if with_level_type { 2 } else { 1 });
        draft.valid_from = UnixTime(from);
        draft.valid_until = life.map(|life| UnixTime((from + life).min(253_402_300_799))).filter(|end| *end > draft.valid_from);
        draft.status.as_mut().unwrap().index = index;
        for format in [Format::SdJwt, Format::Vcdm2, Format::Ebsi, Format::Compact] {
            let text = issue(format, &draft, key);
            let read = format::parse(&text).unwrap();
            prop_assert_eq!(read.jws.verify_signature(&key.public_key()), Ok(()));
            let (format_of, issuer, kid) = (read.format, &read.issuer, &read.kid);
            prop_assert_eq!((format_of, issuer, kid), (format, &draft.issuer, &draft.kid));
            prop_assert_eq!(&read.types, &draft.types.iter().cloned().collect());
            prop_assert_eq!(&read.schemas, &[draft.schema]);
            prop_assert_eq!((read.valid_from, read.valid_until), (Some(draft.valid_from), draft.valid_until));
            prop_assert!(read.status.iter().all(|pointer| pointer.index == index));
            prop_assert_eq!(read.status.len(), if matches!(format, Format::Vcdm2 | Format::Ebsi) { 2 } else { 1 });
            let mut expected = draft.subject.clone();
            if format == Format::Compact {
                prop_assert!(text.len() <= COMPACT_BYTES_MAX);
                expected.retain(|name, _| read.subject.contains_key(name));
                prop_assert!(expected.contains_key("familyName") && expected.contains_key("eqfLevel"));
            }
            let mut subject = read.subject.clone();
            subject.remove("holderBinding");
            prop_assert_eq!(subject, expected);
        }
    }

    /// Nothing that is handed in brings a reader down.
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400), cut in 0usize..60_000, at in 0usize..60_000, byte in any::<u8>()) {
        let _ = presentation::read(&bytes);
        let mut file = FILE.clone();
        file.truncate(cut.max(1));
        let length = file.len();
        file[at % length] = byte;
        let _ = presentation::read(&file);
    }
}
