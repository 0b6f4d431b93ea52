//! Step 1: what cannot be read, what is not complete, and what only looks like a credential.

use serde_json::{Value, json};
use testamur_credentials::credential::Format;
use testamur_credentials::verify::Reason;
use testamur_primitives::codec::{base64url, canonical, sha256};
use testamur_primitives::key::SigningKey;

use super::documents::{self, Kind, Parts, draft, raw, resigned};
use super::graduation::UNPUBLISHED;
use super::world::{certificate_schema, schema_id};
use super::{Cases, Part, case};

pub(super) fn add(cases: &mut Cases<'_>) {
    unknown(cases);
    too_large(cases);
    nothing_in_it(cases);
    malformed(cases);
    twice(cases);
    incomplete(cases);
    disclosures(cases);
    schemas(cases);
}

fn key<'a>(cases: &Cases<'a>) -> &'a SigningKey {
    &cases.story.cast.university.party.assertion
}

fn unknown(cases: &mut Cases<'_>) {
    let unknown = Reason::ReadableUnknownFormat;
    cases.add(case("nothing at all", ""), unknown);
    cases.add(case("a sentence", "This is to certify that Amélie Wagner has passed."), unknown);
    cases.add(case("bytes", "").bytes(&sha256(&[b"bytes"])), unknown);
    let xml = "<?xml version=\"1.0\"?><europassCredential xmlns=\"http://data.europa.eu/snb\"/>";
    cases.add(case("an older Europass credential", xml), unknown);
    let any = Parts::of(&cases.of("good-es256-ebsi").text);
    let id_token = Parts { payload: json!({"iss": "https://idp.example", "sub": "1"}), ..any.clone() };
    cases.add(case("a JWT that is no credential", id_token.signed(key(cases))), unknown);
    let text = resigned(&any.text(), key(cases), |parts| parts.header["typ"] = json!("at+jwt"));
    cases.add(case("a JWT of another typ", text), unknown);
    let text = resigned(&any.text(), key(cases), |parts| {
        parts.payload["vc"]["@context"] = json!(["https://www.w3.org/ns/credentials/v2"]);
    });
    cases.add(case("the data model 2.0 in the claim of 1.1", text), unknown);
    let text = resigned(&cases.of("good-es256-sd-jwt").text, key(cases), |parts| {
        parts.payload["_sd_alg"] = json!("sha-512");
    });
    cases.add(case("an SD-JWT with another digest", text), unknown);
    let text = resigned(&cases.of("good-es256-vcdm2").text, key(cases), |parts| {
        let subject = parts.payload["credentialSubject"].take();
        parts.payload["credentialSubject"] = json!([subject, subject]);
    });
    cases.add(case("two subjects", text), unknown);
    let other = json!({"type": "testamur-diploma-package", "v": 2, "credential": cases.of("good-es256-vcdm2").text});
    cases.add(case("a package of a later version", text_of(&other)), unknown);
    let other = json!({"type": "open-badge", "credential": cases.of("good-es256-vcdm2").text});
    cases.add(case("another file with a credential in it", text_of(&other)), unknown);
}

fn too_large(cases: &mut Cases<'_>) {
    let large = Reason::ReadableTooLarge;
    let times = |repeat: &str, times| Part::Repeat { repeat: repeat.into(), times };
    cases.add(case("10 MB of letters", "").parts(vec![times("0123456789", 1_000_000)]), large);
    let text = |text: &str| Part::Text(text.into());
    let header = text("{\"type\":\"testamur-diploma-package\",\"v\":1,\"credential\":\"");
    cases.add(case("a package of 10 MB", "").parts(vec![header, times("QUJD", 2_500_000), text("\"}")]), large);
    let jws = vec![text("eyJhbGciOiJFUzI1NiJ9."), times("QUJD", 75_000), text(".c2ln")];
    cases.add(case("a credential of 300 kB", "").parts(jws), large);
    let link = vec![text("https://verify.example/#c="), times("QUJD", 2_000)];
    cases.add(case("a link of 8,000 characters", "").parts(link), large);
    let disclosures = vec![text(&cases.of("good-es256-sd-jwt").text), times("QUJDREVGR0g~", 30_000)];
    cases.add(case("an SD-JWT of 30,000 disclosures", "").parts(disclosures), large);
}

fn nothing_in_it(cases: &mut Cases<'_>) {
    let nothing = Reason::ReadableNoCredential;
    let receipt = cases.of("good-es256-vcdm2").receipt.clone().encode();
    cases.add(case("a receipt by itself", String::from_utf8(receipt).expect("JSON")), nothing);
    cases.add(case("a link to a page alone", "https://verify.example/"), nothing);
    cases.add(case("a link whose fragment was lost", "https://verify.example/#"), nothing);
    cases.add(case("an object of something else", "{\"name\": \"Amélie\"}"), nothing);
    cases.add(case("a package without credential", "{\"type\":\"testamur-diploma-package\",\"v\":1}"), nothing);
    let zlib = |bytes: &[u8]| base64url(&miniz_oxide::deflate::compress_to_vec_zlib(bytes, 9));
    let story = cases.story;
    let with_list = |list: String| {
        let text = story.of("good-es256-vcdm2").text.clone();
        text_of(&json!({"type": "testamur-diploma-package", "v": 1, "credential": text, "lists": [list]}))
    };
    let (bomb, torn) = (with_list(zlib(&[0; 4 * 1024 * 1024])), with_list("eAEBAgD9".into()));
    cases.add(case("a package with a list that unpacks to 4 MB", bomb), Reason::ReadableArchive);
    cases.add(case("a package with a list that does not unpack", torn), Reason::ReadableArchive);
}

fn malformed(cases: &mut Cases<'_>) {
    let bad = Reason::ReadableMalformed;
    let ebsi = cases.of("good-es256-ebsi").text.clone();
    for (name, change) in [
        (
            "iss and issuer differ",
            (|_, all| all["iss"] = json!("did:ebsi:zvHWX359A3CvfJnCYaAiAde")) as fn(&mut Value, &mut Value),
        ),
        ("jti and id differ", |_, all| all["jti"] = json!("urn:uuid:00000000-0000-4000-8000-000000000000")),
        ("sub and the subject's id differ", |_, all| {
            all["sub"] = json!("did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK")
        }),
        ("nbf and validFrom differ", |_, all| all["nbf"] = json!(1_700_000_000)),
        ("iat and issued differ", |_, all| all["iat"] = json!(1_700_000_000)),
        ("validFrom and issuanceDate differ", |vc, _| vc["issuanceDate"] = json!("2026-01-15T10:00:00Z")),
        ("a date that is none", |vc, _| vc["validFrom"] = json!("yesterday")),
        ("an id that is a number", |vc, _| vc["id"] = json!(7)),
        ("a status index that is none", |vc, _| vc["credentialStatus"][0]["statusListIndex"] = json!("0x0a")),
        ("a subject that is text", |vc, _| vc["credentialSubject"] = json!("did:key:z6Mk")),
    ] {
        let text = resigned(&ebsi, key(cases), |parts| {
            let mut vc = parts.payload["vc"].take();
            change(&mut vc, &mut parts.payload);
            parts.payload["vc"] = vc;
        });
        cases.add(case(name, text), bad);
    }
    let parts = Parts::of(&ebsi);
    let (header, payload) = (text_of(&parts.header), text_of(&parts.payload));
    let es256 = key(cases);
    let signed = |header: &str, payload: &str| raw(header, payload, "", es256);
    let array = format!("[{header}]");
    let deep = format!("{}{}{}", payload.trim_end_matches('}'), ",\"x\":", "[".repeat(20) + &"]".repeat(20) + "}}");
    let made = [
        ("a payload that is an array", signed(&header, "[]")),
        ("a payload that is cut off", signed(&header, &payload[..payload.len() - 1])),
        ("a payload that is no UTF-8", signed_bytes(&header, b"{\"a\":\"\xff\"}", es256)),
        ("JSON nested 20 deep", signed(&header, &deep)),
        ("a comment in the JSON", signed(&header, &payload.replacen('{', "{/**/", 1))),
    ];
    for (name, text) in made {
        cases.add(case(name, text), bad);
    }
    cases.add(case("a header that is an array", signed(&array, &payload)), Reason::ReadableUnknownFormat);
    let (input, signature) = ebsi.rsplit_once('.').expect("a JWS");
    cases.add(case("a part with padding", format!("{input}.{signature}==")), bad);
    assert!(signature.contains(['-', '_']), "the two alphabets differ in this signature");
    let other = signature.replace('-', "+").replace('_', "/");
    cases.add(case("a part in the other alphabet", format!("{input}.{other}")), bad);
    cases.add(case("a fourth part", format!("{ebsi}.AAAA")), bad);
    // The last letter of 64 bytes holds four bits that say nothing: only zeros are read.
    let last = if signature.ends_with('A') { 'B' } else { 'A' };
    let letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let value = letters.find(signature.chars().last().expect("a letter")).expect("base64url");
    let other = letters.as_bytes()[value | 1] as char;
    let other = if signature.ends_with(other) { last } else { other };
    cases.add(case("base64url with loose bits", format!("{input}.{}{other}", &signature[..signature.len() - 1])), bad);
    let sd_jwt = cases.of("good-es256-sd-jwt").text.clone();
    let issued = sd_jwt.split('~').next().expect("a first part").to_owned();
    cases.add(case("an SD-JWT without its ~", issued), bad);
    let compact = cases.of("good-es256-compact").text.clone();
    for (name, member, value) in [
        ("a compact credential whose status is text", "st", json!("diplomas-1")),
        ("a compact credential whose titles are text", "ti", json!("Master")),
        ("a compact credential whose level is text", "eq", json!("7")),
    ] {
        let text = resigned(&compact, key(cases), |parts| parts.payload[member] = value);
        cases.add(case(name, text), bad);
    }
    let text = resigned(&cases.of("good-es256-vcdm2").text, key(cases), |parts| parts.payload["vc"] = json!({}));
    cases.add(case("the data model 2.0 with a claim of 1.1", text), bad);
    let package = json!({"type": "testamur-diploma-package", "v": 1, "credential": ebsi, "note": "hello"});
    cases.add(case("a package with a member of its own", text_of(&package)), bad);
    cases.add(case("a damaged link", format!("https://verify.example/#c=%zz{compact}")), bad);
}

fn signed_bytes(header: &str, payload: &[u8], key: &SigningKey) -> String {
    let input = format!("{}.{}", base64url(header.as_bytes()), base64url(payload));
    format!("{input}.{}", base64url(&key.sign(input.as_bytes())))
}

fn twice(cases: &mut Cases<'_>) {
    let twice = Reason::ReadableDuplicateMembers;
    for format in ["ebsi", "vcdm2", "compact"] {
        let parts = Parts::of(&cases.of(&format!("good-es256-{format}")).text);
        let (header, payload) = (text_of(&parts.header), text_of(&parts.payload));
        let again = header.replacen('{', "{\"alg\":\"none\",", 1);
        let text = raw(&again, &payload, &parts.tail, key(cases));
        cases.add(case(format!("an algorithm twice: {format}"), text), twice);
        let again = payload.replacen('{', "{\"exp\":1,\"exp\":4000000000,", 1);
        let text = raw(&header, &again, &parts.tail, key(cases));
        cases.add(case(format!("an end twice: {format}"), text), twice);
    }
    let parts = Parts::of(&cases.of("good-es256-vcdm2").text);
    let payload = text_of(&parts.payload);
    let inner = payload.replacen("\"familyName\":", "\"familyName\":\"Wagner\",\"familyName\":", 1);
    cases.add(case("a name twice, deep inside", raw(&text_of(&parts.header), &inner, "", key(cases))), twice);
    let escaped = payload.replacen("\"familyName\":", "\"f\\u0061milyName\":\"Wagner\",\"familyName\":", 1);
    cases.add(case("a name twice, once escaped", raw(&text_of(&parts.header), &escaped, "", key(cases))), twice);
    let disclosure = base64url(b"[\"c2FsdHNhbHRzYWx0c2FsdA\",\"grade\",{\"value\":\"1\",\"value\":\"20\"}]");
    let text = resigned(&cases.of("good-es256-sd-jwt").text, key(cases), |parts| {
        let digest = base64url(&sha256(&[disclosure.as_bytes()]));
        parts.payload["_sd"].as_array_mut().expect("a list").push(json!(digest));
        parts.tail = format!("{}{disclosure}~", parts.tail);
    });
    cases.add(case("a member twice in a disclosure", text), twice);
    let package = format!(
        "{{\"type\":\"testamur-diploma-package\",\"v\":1,\"credential\":\"{0}\",\"credential\":\"{0}\"}}",
        cases.of("good-es256-ebsi").text
    );
    cases.add(case("a package with two credentials", package), twice);
}

/// What is taken out of a payload.
type Loss = fn(&mut Value);

fn incomplete(cases: &mut Cases<'_>) {
    let missing = Reason::ReadableIncomplete;
    let ebsi: [(&str, Loss); 6] = [
        ("issuer", |all| remove(&mut all["vc"], "issuer")),
        ("credentialSchema", |all| remove(&mut all["vc"], "credentialSchema")),
        ("credentialSubject", |all| remove(&mut all["vc"], "credentialSubject")),
        ("iss", |all| remove(all, "iss")),
        ("its own types", |all| all["vc"]["type"] = json!(["VerifiableCredential", "VerifiableAttestation"])),
        ("the general type", |all| all["vc"]["type"] = json!(["UniversityDegree", "EqfLevel6"])),
    ];
    for (what, change) in ebsi {
        let text = resigned(&cases.of("good-es256-ebsi").text, key(cases), |parts| change(&mut parts.payload));
        cases.add(case(format!("without {what}: ebsi"), text), missing);
    }
    for (format, member) in [
        ("vcdm2", "issuer"),
        ("vcdm2", "credentialSubject"),
        ("vcdm2", "credentialSchema"),
        ("sd-jwt", "iss"),
        ("sd-jwt", "credentialSchema"),
        ("compact", "sc"),
        ("compact", "ty"),
    ] {
        let text = resigned(&cases.of(&format!("good-es256-{format}")).text, key(cases), |parts| {
            remove(&mut parts.payload, member);
            if member == "ty" {
                remove(&mut parts.payload, "eq");
            }
        });
        cases.add(case(format!("without {member}: {format}"), text), missing);
    }
    for format in ["ebsi", "vcdm2", "sd-jwt", "compact"] {
        let text = resigned(&cases.of(&format!("good-es256-{format}")).text, key(cases), |parts| {
            remove(&mut parts.header, "kid");
        });
        cases.add(case(format!("without kid: {format}"), text), missing);
    }
}

fn disclosures(cases: &mut Cases<'_>) {
    let refused = Reason::ReadableDisclosure;
    let whole = cases.of("good-es256-sd-jwt").text.clone();
    let other = cases.of("good-eddsa-sd-jwt").text.clone();
    let of = |text: &str, at: usize| text.split('~').nth(at).expect("a disclosure").to_owned();
    cases.add(case("a disclosure of another diploma", format!("{whole}{}~", of(&other, 1))), refused);
    cases.add(case("a disclosure twice", format!("{whole}{}~", of(&whole, 1))), refused);
    let forged = base64url(b"[\"c2FsdHNhbHRzYWx0c2FsdA\",\"title\",[{\"language\":\"en\",\"text\":\"Doctor\"}]]");
    cases.add(case("a disclosure that somebody wrote", format!("{whole}{forged}~")), refused);
    cases.add(case("a disclosure that is no JSON", format!("{whole}AAAA~")), refused);
    cases.add(case("an empty disclosure", format!("{whole}~")), refused);
    for (name, member, value) in [
        ("a disclosure that names another issuer", "iss", json!("did:ebsi:zvHWX359A3CvfJnCYaAiAde")),
        ("a disclosure that overwrites a field in the open", "jurisdiction", json!("https://example.org/x")),
        ("a disclosure that puts off the end", "exp", json!(4_000_000_000u64)),
    ] {
        let disclosure = base64url(&canonical(&json!(["c2FsdHNhbHRzYWx0c2FsdA", member, value])));
        let text = resigned(&whole, key(cases), |parts| {
            let digest = base64url(&sha256(&[disclosure.as_bytes()]));
            parts.payload["_sd"].as_array_mut().expect("a list").push(json!(digest));
            parts.tail = format!("{}{disclosure}~", parts.tail);
        });
        cases.add(case(name, text), refused);
    }
    let compact = cases.of("good-es256-compact").text.clone();
    cases.add(case("a compact credential with a disclosure", format!("{compact}{}~", of(&whole, 1))), refused);
}

fn schemas(cases: &mut Cases<'_>) {
    let against = Reason::ReadableSchema;
    let university = &cases.story.cast.university;
    let changes: [(&str, &str, Option<Value>); 8] = [
        ("a birth date that is none", "dateOfBirth", Some(json!("17.05.2001"))),
        ("no family name", "familyName", None),
        ("no title", "title", None),
        ("a level that does not exist", "eqfLevel", Some(json!(9))),
        ("a level that is text", "eqfLevel", Some(json!("7"))),
        ("credits as a number", "ects", Some(json!(180))),
        ("a member that the schema does not know", "shoeSize", Some(json!("42"))),
        ("an empty name", "givenName", Some(json!(""))),
    ];
    for (number, (name, member, value)) in changes.into_iter().enumerate() {
        let mut draft = draft(university, key(cases), Kind::Master, name);
        match value {
            None => draft.subject.remove(member),
            Some(value) => draft.subject.insert(member.into(), value),
        };
        let format = [Format::Vcdm2, Format::Ebsi, Format::SdJwt][number % 3];
        // Of an SD-JWT nothing may be missing either, as long as nothing is kept back.
        cases.add(case(name, documents::sign(format, &draft, key(cases))), against);
    }
    let mut compact = draft(university, key(cases), Kind::Master, "compact against the schema");
    compact.subject.insert("familyName".into(), json!("x".repeat(130)));
    let text = documents::sign(Format::Compact, &compact, key(cases));
    cases.add(case("a family name of 130 letters: compact", text), against);
    let unknown = Reason::ReadableSchemaUnknown;
    for (name, format) in [("vcdm2", Format::Vcdm2), ("ebsi", Format::Ebsi), ("compact", Format::Compact)] {
        let mut draft = draft(university, key(cases), Kind::Master, &format!("unknown schema {name}"));
        draft.schema = UNPUBLISHED;
        // The issuer is not accredited for it, either; that a schema is unknown alone would be "cannot tell".
        cases.add(
            case(format!("a schema that nobody published: {name}"), documents::sign(format, &draft, key(cases))),
            Reason::AccreditationSchema,
        );
    }
    for format in ["vcdm2", "ebsi"] {
        let text = resigned(&cases.of(&format!("good-es256-{format}")).text, key(cases), |parts| {
            let credential = if format == "ebsi" { &mut parts.payload["vc"] } else { &mut parts.payload };
            credential["credentialSchema"]["id"] = json!("https://schemas.example/diploma.json");
        });
        cases.add(case(format!("a schema of somebody's server: {format}"), text), unknown);
    }
    let text = resigned(&cases.of("good-es256-vcdm2").text, key(cases), |parts| {
        let known = parts.payload["credentialSchema"].take();
        let mut other = known.clone();
        other["id"] =
            json!(format!("https://ledger.example/trusted-schemas-registry/v3/schemas/0x{}", hex::encode([7; 32])));
        parts.payload["credentialSchema"] = json!([known, other]);
    });
    cases.add(case("a second schema that nobody published", text), unknown);
    let text = resigned(&cases.of("good-es256-vcdm2").text, key(cases), |parts| {
        let id = schema_id(&certificate_schema());
        parts.payload["credentialSchema"]["id"] =
            json!(format!("https://ledger.example/trusted-schemas-registry/v3/schemas/0x{id}"));
    });
    cases.add(case("a diploma under the schema of another thing", text), against);
}

fn remove(object: &mut Value, member: &str) {
    object.as_object_mut().expect("an object").remove(member).expect("it was there");
}

fn text_of(value: &Value) -> String {
    String::from_utf8(canonical(value)).expect("JSON")
}
