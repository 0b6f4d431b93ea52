//! Credentials in every format: what was drafted, the text that is made of it, and what reading gives back.

use serde_json::{Map, Value, json};
use testamur_credentials::content::SAMPLES;
use testamur_credentials::credential::{Credential, Format, Holder};
use testamur_credentials::format::{self, Draft, StatusPlace, sdjwt};
use testamur_credentials::link;
use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttributeId, RecordId};
use testamur_primitives::identity::key_id;
use testamur_primitives::key::SigningKey;
use testamur_primitives::schemas::{body, multibase};
use testamur_primitives::units::UnixTime;

use super::{Files, json as pretty};

const BASE: &str = "https://ledger.example";
const SCHEMAS: [(&str, &str); 2] = [
    ("diploma", include_str!("../../../genesis/schemas/diploma.json")),
    ("dangerous-goods", include_str!("../../../genesis/schemas/dangerous-goods.json")),
];

/// Writes `credentials/`.
pub(super) fn write(files: &mut Files) {
    for (name, format) in
        [("sd-jwt", Format::SdJwt), ("vcdm2", Format::Vcdm2), ("ebsi", Format::Ebsi), ("compact", Format::Compact)]
    {
        files.insert(
            format!("credentials/{name}.json"),
            pretty(&json!({ "public_base": BASE, "cases": cases(format) })),
        );
    }
}

fn keys() -> [(&'static str, SigningKey); 4] {
    let valid = "a fixed scalar";
    [
        ("p256", SigningKey::p256(&[2; 32]).expect(valid)),
        ("ed25519", SigningKey::ed25519(&[1; 32])),
        ("secp256k1", SigningKey::secp256k1(&[4; 32]).expect(valid)),
        ("p384", SigningKey::p384(&[3; 48]).expect(valid)),
    ]
}

/// Every content under the first key, and one content under each other.
fn cases(format: Format) -> Vec<Value> {
    let mut cases = Vec::new();
    for (number, (key_name, key)) in keys().iter().enumerate() {
        let contents = SAMPLES.iter().filter(|(name, _)| number == 0 || *name == "master");
        cases.extend(contents.map(|(name, sample)| case(format, &format!("{name}, {key_name}"), sample, key)));
    }
    cases
}

fn case(format: Format, name: &str, sample: &str, key: &SigningKey) -> Value {
    let sample: Value = serde_json::from_str(sample).expect("a sample");
    let draft = draft(&sample, key);
    // Salt n is sixteen bytes of n, from 1.
    let mut salt = 0;
    let mut salts = || {
        salt += 1;
        [salt; 16]
    };
    let text = format::build(format, &draft, &mut salts).expect("a good draft").sign(key);
    let read = format::parse(&text).expect("what was written");
    let mut case = json!({
        "name": name,
        "jwk": key.public_key().to_jwk(),
        "draft": {
            "id": draft.id, "types": draft.types, "schema": multibase(draft.schema), "subject": draft.subject,
            "valid_from": draft.valid_from, "valid_until": draft.valid_until,
            "status": draft.status.as_ref().map(|place| json!({ "list": place.list, "index": place.index })),
            "accreditation": draft.accreditation, "discarded": draft.discarded,
        },
        "text": text,
        "digest": RecordId::from_bytes(read.digest()),
        "reads": reads(&read),
    });
    match format {
        Format::SdJwt => {
            let shown = sdjwt::disclose(&text, &["title", "awardingDate"]).expect("fields of every sample");
            case["title and awardingDate alone"] = json!(shown);
        }
        Format::Compact => case["link"] = json!(link::make("https://verify.example", &text).expect("a link")),
        Format::Vcdm2 | Format::Ebsi => {}
    }
    case
}

fn draft(sample: &Value, key: &SigningKey) -> Draft {
    let issuer = Did::of_ledger("ebsi", &[7; 16]);
    let subject: Map<String, Value> = sample["content"].as_object().expect("a content").clone();
    let kind = sample["type"].as_str().expect("a type").to_owned();
    let level = subject.get("eqfLevel").map(|level| format!("EqfLevel{level}"));
    let schema = SCHEMAS.iter().find(|(name, _)| sample["schema"] == *name).expect("a schema").1;
    let nobody = SigningKey::p256(&[8; 32]).expect("a fixed scalar").public_key();
    Draft {
        id: "urn:uuid:6c1d8d2e-0f3a-4f7e-9a53-0d5b1f2c7e11".into(),
        kid: key_id(&issuer, &key.public_key()),
        issuer,
        alg: key.public_key().algorithm(),
        types: [kind].into_iter().chain(level).collect(),
        schema: body::id_of(&body::canonical(schema).expect("our schema")).expect("our schema"),
        public_base: BASE.into(),
        // A certificate that ends, ends.
        valid_until: subject.contains_key("expiryDate").then_some(UnixTime(1_927_843_200)),
        subject,
        holder: Holder::Unbound,
        discarded: Some(Did::jwk_jcs_key(&nobody)),
        valid_from: UnixTime(1_782_460_800),
        status: Some(StatusPlace { list: "diplomas-1".parse().expect("a name"), index: 94_567 }),
        accreditation: Some(AttributeId::from_bytes([5; 32])),
    }
}

fn reads(read: &Credential) -> Value {
    let status = read.status.iter().map(|pointer| {
        json!({ "format": pointer.format.name(), "url": pointer.url, "index": pointer.index, "purpose": pointer.purpose })
    });
    json!({
        "format": read.format,
        "id": read.id,
        "issuer": read.issuer,
        "kid": read.kid,
        "types": read.types,
        "schemas": read.schemas.iter().map(|schema| multibase(*schema)).collect::<Vec<_>>(),
        "subject_id": read.subject_id,
        "subject": read.subject,
        "undisclosed": read.undisclosed,
        "holder": if read.holder == Holder::Unbound { "unbound" } else { "bound" },
        "valid_from": read.valid_from,
        "valid_until": read.valid_until,
        "status": status.collect::<Vec<_>>(),
    })
}
