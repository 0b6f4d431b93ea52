//! Status lists on somebody's server: tokens of the three formats, good ones and others.

use serde_json::{Value, json};
use testamur_credentials::verify::Reason;
use testamur_primitives::codec::{base64_standard, base64url, canonical};
use testamur_primitives::key::{JwsAlgorithm, SigningKey};
use testamur_primitives::units::UnixTime;

use super::documents::{date, resigned};
use super::world::{ENTRIES, Institution, day};
use super::{Cases, Part, case};
use crate::chain::seed;

const URL: &str = "https://status.university.example/lists/1";
const PLACE: usize = 70_001;

/// A list in the making.
struct List<'a> {
    by: &'a Institution,
    key: &'a SigningKey,
    url: &'a str,
    /// Value of [`PLACE`].
    value: u8,
    entries: u64,
    issued: UnixTime,
    until: Option<UnixTime>,
    purpose: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    StatusList2021,
    Bitstring,
    Token,
}

const KINDS: [(&str, Kind); 3] = [("ebsi", Kind::StatusList2021), ("vcdm2", Kind::Bitstring), ("sd-jwt", Kind::Token)];

impl List<'_> {
    /// The bits of entries of one bit, in the order of the format.
    fn bits(&self, least_significant_first: bool) -> Vec<u8> {
        let mut bits = vec![0; (self.entries / 8) as usize];
        if let Some(byte) = bits.get_mut(PLACE / 8) {
            *byte = if least_significant_first { self.value << (PLACE % 8) } else { (self.value << 7) >> (PLACE % 8) };
        }
        bits
    }

    fn sign(&self, kind: Kind) -> String {
        let did = self.by.did();
        let kid = self.by.kid(self.key);
        let header =
            |typ: &str| json!({"alg": format!("{:?}", self.key.public_key().algorithm()), "kid": kid, "typ": typ});
        let from = date(self.issued);
        let (header, payload) = match kind {
            Kind::StatusList2021 => {
                let mut vc = json!({
                    "@context": ["https://www.w3.org/2018/credentials/v1", "https://w3id.org/vc/status-list/2021/v1"],
                    "id": self.url, "type": ["VerifiableCredential", "StatusList2021Credential"], "issuer": did,
                    "issuanceDate": from, "issued": from, "validFrom": from,
                    "credentialSubject": {
                        "id": format!("{}#list", self.url), "type": "StatusList2021", "statusPurpose": self.purpose,
                        "encodedList": base64_standard(&gzip(&self.bits(false))),
                    },
                });
                let mut claims = json!({"jti": self.url, "iss": did, "nbf": self.issued.0, "iat": self.issued.0});
                if let Some(until) = self.until {
                    vc["expirationDate"] = json!(date(until));
                    claims["exp"] = json!(until.0);
                }
                claims["vc"] = vc;
                (header("JWT"), claims)
            }
            Kind::Bitstring => {
                let mut credential = json!({
                    "@context": ["https://www.w3.org/ns/credentials/v2"],
                    "id": self.url, "type": ["VerifiableCredential", "BitstringStatusListCredential"], "issuer": did,
                    "validFrom": from,
                    "credentialSubject": {
                        "id": format!("{}#list", self.url), "type": "BitstringStatusList",
                        "statusPurpose": self.purpose,
                        "encodedList": format!("u{}", base64url(&gzip(&self.bits(false)))),
                    },
                });
                if let Some(until) = self.until {
                    credential["validUntil"] = json!(date(until));
                }
                (header("vc+jwt"), credential)
            }
            Kind::Token => {
                let lst = base64url(&miniz_oxide::deflate::compress_to_vec_zlib(&self.bits(true), 6));
                let mut claims = json!({"sub": self.url, "iat": self.issued.0, "status_list": {"bits": 1, "lst": lst}});
                if let Some(until) = self.until {
                    claims["exp"] = json!(until.0);
                }
                (header("statuslist+jwt"), claims)
            }
        };
        sign(&header, &payload, self.key)
    }
}

fn sign(header: &Value, payload: &Value, key: &SigningKey) -> String {
    let input = format!("{}.{}", base64url(&canonical(header)), base64url(&canonical(payload)));
    format!("{input}.{}", base64url(&key.sign(input.as_bytes())))
}

/// RFC 1952 around deflate.
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut stream = vec![0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];
    stream.extend(miniz_oxide::deflate::compress_to_vec(bytes, 6));
    stream.extend(crc32(bytes).to_le_bytes());
    stream.extend((bytes.len() as u32).to_le_bytes());
    stream
}

pub(super) fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
    !bytes.iter().fold(!0, |crc: u32, byte| (0..8).fold(crc ^ u32::from(*byte), step))
}

/// A credential of each format that points to that server; the name of the kind beside.
fn pointing(cases: &Cases<'_>, url: &str, index: usize) -> Vec<(&'static str, Kind, String)> {
    let key = &cases.story.cast.university.party.assertion;
    let one = |(format, kind): (&'static str, Kind)| {
        let text = resigned(&cases.of(&format!("good-es256-{format}")).text, key, |parts| {
            let entry = json!([{
                "id": format!("{url}#{index}"),
                "type": if kind == Kind::Bitstring { "BitstringStatusListEntry" } else { "StatusList2021Entry" },
                "statusPurpose": "revocation", "statusListIndex": index.to_string(), "statusListCredential": url,
            }]);
            match kind {
                Kind::StatusList2021 => parts.payload["vc"]["credentialStatus"] = entry,
                Kind::Bitstring => parts.payload["credentialStatus"] = entry,
                Kind::Token => parts.payload["status"] = json!({"status_list": {"idx": index, "uri": url}}),
            }
        });
        (format, kind, text)
    };
    KINDS.into_iter().map(one).collect()
}

pub(super) fn add(cases: &mut Cases<'_>) {
    let cast = &cases.story.cast;
    let (university, college) = (&cast.university, &cast.college);
    let (key, other_key) = (university.key(JwsAlgorithm::EdDSA), &college.party.assertion);
    let stranger = SigningKey::p256(&seed("attacker", 2)).expect("a scalar");
    let good = || List {
        by: university,
        key,
        url: URL,
        value: 0,
        entries: ENTRIES,
        issued: day(27),
        until: None,
        purpose: "revocation",
    };
    let kinds: Vec<(&str, List<'_>, Reason)> = vec![
        ("a good list of the issuer's server", good(), Reason::Valid),
        ("a list that ends next week", List { until: Some(day(34)), ..good() }, Reason::Valid),
        ("revoked by a list of the issuer's server", List { value: 1, ..good() }, Reason::StatusRevoked),
        ("revoked by a list of last week", List { value: 1, issued: day(20), ..good() }, Reason::StatusRevoked),
        ("a list of last week", List { issued: day(20), ..good() }, Reason::StatusStale),
        ("a list that has ended", List { until: Some(day(27)), ..good() }, Reason::StatusListExpired),
        ("a list of tomorrow", List { issued: day(28), ..good() }, Reason::StatusListNotYetValid),
        (
            "a list of another address",
            List { url: "https://status.university.example/lists/2", ..good() },
            Reason::StatusListOther,
        ),
        ("a list of 1,024 entries", List { entries: 1_024, ..good() }, Reason::StatusListTooShort),
        ("a list that unpacks to 3 MB", List { entries: 24 * 1024 * 1024, ..good() }, Reason::StatusListTooLarge),
        (
            "a server's list by another issuer",
            List { by: college, key: other_key, ..good() },
            Reason::StatusOtherIssuer,
        ),
        ("a list signed with a key of nobody's", List { key: &stranger, ..good() }, Reason::StatusListSignature),
        (
            "a list signed with a key for registry records",
            List { key: &university.party.control, ..good() },
            Reason::StatusListSignature,
        ),
    ];
    for (name, list, reason) in &kinds {
        for (format, kind, text) in pointing(cases, URL, PLACE) {
            let token = vec![Part::Text(list.sign(kind))];
            cases.add(case(format!("{name}: {format}"), text).token(URL, token), *reason);
        }
    }
    for (format, kind, text) in pointing(cases, URL, PLACE) {
        let token = good().sign(kind);
        cases.add(case(format!("a list on a server, not at hand: {format}"), &text), Reason::StatusNoProof);
        for (name, token) in
            [("torn", token[..token.len() / 2].to_owned()), ("a page of an error", "<html>503</html>".to_owned())]
        {
            let torn = case(format!("a list that is {name}: {format}"), &text).token(URL, vec![Part::Text(token)]);
            cases.add(torn, Reason::StatusListMalformed);
        }
        let (input, signature) = token.rsplit_once('.').expect("a JWS");
        let first = if signature.starts_with('A') { "B" } else { "A" };
        let forged = format!("{input}.{first}{}", &signature[1..]);
        let forged =
            case(format!("a list whose signature is altered: {format}"), &text).token(URL, vec![Part::Text(forged)]);
        cases.add(forged, Reason::StatusListSignature);
    }
    for (format, kind, text) in pointing(cases, URL, ENTRIES as usize) {
        let token = vec![Part::Text(good().sign(kind))];
        cases.add(
            case(format!("the place after a server's last: {format}"), text).token(URL, token),
            Reason::StatusIndex,
        );
    }
    let large = Part::Repeat { repeat: "QUJDREVGR0g".into(), times: 600_000 };
    let (format, _, text) = pointing(cases, URL, PLACE).remove(2);
    let token = vec![Part::Text("eyJhbGciOiJFUzI1NiJ9.".into()), large, Part::Text(".c2ln".into())];
    cases.add(case(format!("a list of 6 MB: {format}"), text).token(URL, token), Reason::StatusListTooLarge);
}
