//! The formats in which verifiers read a status list, derived from its bits.
//!
//! Each token is a compact JWS whose header and payload are RFC 8785 JSON and depend on nothing but the bits, the
//! record's [`StatusVersion`], its issuer, the algorithm of its key, and the `public_base` of genesis. So a node serves
//! the issuer's own signatures over bytes that it has derived, and everybody else derives the same.
//!
//! | | read by | header `typ` | bits in the payload |
//! | --- | --- | --- | --- |
//! | [`TokenFormat::StatusList2021`] | EBSI's libraries | `JWT` | base64 of gzip, the store's own order |
//! | [`TokenFormat::Bitstring`] | W3C Bitstring Status List v1.0 | `vc+jwt` | `u` and base64url of gzip, the store's own order |
//! | [`TokenFormat::TokenStatusList`] | IETF Token Status List | `statuslist+jwt` | base64url of zlib, least significant bit first |
//!
//! - Gzip and zlib are made of stored blocks, since a compressor's output is nobody's to predict (`stored`).
//! - No token has an end (`exp`, `validUntil`, `ttl`): how fresh a list is, the state proof says, and the diplomas of a
//!   closed university do not lapse with the last list that it signed.
//! - INV-STATUS-1: of one version of a list, all three tokens set the same entries.

use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::bits::{BitList, TokenBits};
use super::stored::{gzip, zlib};
use super::{StatusPurpose, StatusSignatures, StatusVersion};
use crate::codec::{self, base64_standard, base64url, sha256};
use crate::did::{Did, DidUrl};
use crate::hash::AttachmentHash;
use crate::key::{JwsAlgorithm, PublicKey, SigningKey};
use crate::record::{Bytes, Reference};
use crate::units::UnixTime;

/// The schema that EBSI's libraries know StatusList2021 credentials by (2024-01); they hold it and never fetch it.
pub const STATUS_LIST_SCHEMA: &str = "z7DmpwC9doRxZrtQ9PBjz8qQgGWqojkGExELnrw1x8qdi";

/// A format of the list for verifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TokenFormat {
    /// W3C StatusList2021 credential in a VCDM 1.1 JWT.
    StatusList2021,
    /// W3C Bitstring Status List v1.0 credential in a VCDM 2.0 `vc+jwt`.
    Bitstring,
    /// IETF Token Status List.
    TokenStatusList,
}

impl TokenFormat {
    /// All, in the order of a record's signatures.
    pub const ALL: [Self; 3] = [Self::StatusList2021, Self::Bitstring, Self::TokenStatusList];

    /// Its name, for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::StatusList2021 => "StatusList2021 credential",
            Self::Bitstring => "Bitstring Status List credential",
            Self::TokenStatusList => "Token Status List",
        }
    }

    /// The header's `typ`.
    pub fn typ(self) -> &'static str {
        match self {
            Self::StatusList2021 => "JWT",
            Self::Bitstring => "vc+jwt",
            Self::TokenStatusList => "statuslist+jwt",
        }
    }

    /// Path of the token on any node; its id is `public_base` and this.
    pub fn path(self, issuer: &Did, list: &Reference) -> String {
        match self {
            Self::StatusList2021 => format!(
                "/trusted-issuers-registry/v5/issuers/{issuer}/proxies/{}/credentials/status/{list}",
                proxy_id(issuer)
            ),
            Self::Bitstring => format!("/v1/status-lists/{issuer}/{list}/bitstring"),
            Self::TokenStatusList => format!("/v1/status-lists/{issuer}/{list}/token"),
        }
    }

    /// The signature over this token in a record.
    pub fn signature(self, signatures: &StatusSignatures) -> &Bytes {
        match self {
            Self::StatusList2021 => &signatures.status_list_2021,
            Self::Bitstring => &signatures.bitstring,
            Self::TokenStatusList => &signatures.token,
        }
    }
}

/// The id of an issuer's only proxy in EBSI's registry: `0x` and the hexadecimal SHA-256 of a label and the DID. EBSI
/// has issuers serve their lists themselves, through a proxy; here the ledger is the proxy.
pub fn proxy_id(issuer: &Did) -> String {
    format!("0x{}", hex::encode(sha256(&[b"testamur/proxy/v1\n", issuer.as_str().as_bytes()])))
}

/// What tokens are derived from, beside the bits.
#[derive(Debug, Clone, Copy)]
pub struct TokenSource<'a> {
    /// Whose list.
    pub issuer: &'a Did,
    /// The list's name.
    pub list: &'a Reference,
    /// What a set bit means.
    pub purpose: StatusPurpose,
    /// When the tokens say they were issued.
    pub issued: UnixTime,
    /// The key they are signed with.
    pub kid: &'a DidUrl,
    /// That key's algorithm.
    pub alg: JwsAlgorithm,
    /// `public_base` of genesis.
    pub public_base: &'a str,
}

impl<'a> TokenSource<'a> {
    /// The source of a published version.
    pub fn new(status: &'a StatusVersion, issuer: &'a Did, key: &PublicKey, public_base: &'a str) -> Self {
        Self {
            issuer,
            list: &status.list,
            purpose: status.purpose,
            issued: status.issued,
            kid: &status.kid,
            alg: key.algorithm(),
            public_base,
        }
    }

    /// The token's id: the URL that credentials point to.
    pub fn url(&self, format: TokenFormat) -> String {
        format!("{}{}", self.public_base, format.path(self.issuer, self.list))
    }

    /// The JWS signing input of a token.
    pub fn signing_input(&self, format: TokenFormat, bits: &BitList) -> Result<String, StatusFault> {
        let header = Header { alg: format!("{:?}", self.alg), kid: self.kid, typ: format.typ() };
        let id = self.url(format);
        let payload = match format {
            TokenFormat::StatusList2021 => self.status_list_2021(&id, bits)?,
            TokenFormat::Bitstring => self.bitstring(&id, bits)?,
            TokenFormat::TokenStatusList => self.token_status_list(&id, bits),
        };
        Ok(format!("{}.{}", base64url(&codec::canonical(&header)), base64url(&payload)))
    }

    /// A token, complete.
    pub fn compact(
        &self,
        format: TokenFormat,
        bits: &BitList,
        signatures: &StatusSignatures,
    ) -> Result<String, StatusFault> {
        let signature = base64url(&format.signature(signatures).0);
        Ok(format!("{}.{signature}", self.signing_input(format, bits)?))
    }

    fn date(&self) -> Result<String, StatusFault> {
        let seconds = i64::try_from(self.issued.0).map_err(|_| StatusFault::Date)?;
        let time = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| StatusFault::Date)?;
        time.format(&Rfc3339).map_err(|_| StatusFault::Date)
    }

    fn status_list_2021(&self, id: &str, bits: &BitList) -> Result<Vec<u8>, StatusFault> {
        let (date, subject) = (self.date()?, format!("{id}#list"));
        let (iss, schemas) = (self.issuer.as_str(), "/trusted-schemas-registry/v3/schemas/");
        Ok(codec::canonical(&Claims2021 {
            jti: id,
            sub: &subject,
            iss,
            nbf: self.issued,
            iat: self.issued,
            vc: Credential2021 {
                context: ["https://www.w3.org/2018/credentials/v1", "https://w3id.org/vc/status-list/2021/v1"],
                id,
                r#type: ["VerifiableCredential", "VerifiableAttestation", "StatusList2021Credential"],
                issuer: iss,
                issuance_date: &date,
                issued: &date,
                valid_from: &date,
                credential_subject: ListSubject {
                    id: &subject,
                    r#type: "StatusList2021",
                    status_purpose: self.purpose.name(),
                    encoded_list: base64_standard(&gzip(bits.as_bytes())),
                },
                credential_schema: SchemaReference {
                    id: format!("{}{schemas}{STATUS_LIST_SCHEMA}", self.public_base),
                    r#type: "FullJsonSchemaValidator2021",
                },
            },
        }))
    }

    fn bitstring(&self, id: &str, bits: &BitList) -> Result<Vec<u8>, StatusFault> {
        Ok(codec::canonical(&BitstringCredential {
            context: ["https://www.w3.org/ns/credentials/v2"],
            id,
            r#type: ["VerifiableCredential", "BitstringStatusListCredential"],
            issuer: self.issuer.as_str(),
            valid_from: &self.date()?,
            credential_subject: ListSubject {
                id: &format!("{id}#list"),
                r#type: "BitstringStatusList",
                status_purpose: self.purpose.name(),
                encoded_list: format!("u{}", base64url(&gzip(bits.as_bytes()))),
            },
        }))
    }

    /// That format has no purpose: an entry says itself whether it is invalid or only suspended, which takes two bits.
    fn token_status_list(&self, sub: &str, bits: &BitList) -> Vec<u8> {
        let width = match self.purpose {
            StatusPurpose::Revocation => TokenBits::One,
            StatusPurpose::Suspension => TokenBits::Two,
        };
        let lst = base64url(&zlib(&bits.least_significant_first(width)));
        codec::canonical(&TokenClaims { sub, iat: self.issued, status_list: TokenList { bits: width as u8, lst } })
    }
}

#[derive(Serialize)]
struct Header<'a> {
    alg: String,
    kid: &'a DidUrl,
    typ: &'static str,
}

#[derive(Serialize)]
struct Claims2021<'a> {
    jti: &'a str,
    sub: &'a str,
    iss: &'a str,
    nbf: UnixTime,
    iat: UnixTime,
    vc: Credential2021<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Credential2021<'a> {
    #[serde(rename = "@context")]
    context: [&'static str; 2],
    id: &'a str,
    r#type: [&'static str; 3],
    issuer: &'a str,
    issuance_date: &'a str,
    issued: &'a str,
    valid_from: &'a str,
    credential_subject: ListSubject<'a>,
    credential_schema: SchemaReference,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct BitstringCredential<'a> {
    #[serde(rename = "@context")]
    context: [&'static str; 1],
    id: &'a str,
    r#type: [&'static str; 2],
    issuer: &'a str,
    valid_from: &'a str,
    credential_subject: ListSubject<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ListSubject<'a> {
    id: &'a str,
    r#type: &'static str,
    status_purpose: &'static str,
    encoded_list: String,
}

#[derive(Serialize)]
struct SchemaReference {
    id: String,
    r#type: &'static str,
}

#[derive(Serialize)]
struct TokenClaims<'a> {
    sub: &'a str,
    iat: UnixTime,
    status_list: TokenList,
}

#[derive(Serialize)]
struct TokenList {
    bits: u8,
    lst: String,
}

/// Why an attachment is not the one of a version, or its signatures are not the issuer's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StatusFault {
    /// Not one bit for each entry.
    #[error("the attachment has not one bit for each entry of the list")]
    Size,
    /// Other bytes.
    #[error("the attachment is not the one whose SHA-256 the record names")]
    Digest,
    /// A date that RFC 3339 cannot write.
    #[error("issued is after the year 9999")]
    Date,
    /// A signature does not verify.
    #[error("the signature over the {name} does not verify", name = .0.name())]
    Signature(TokenFormat),
}

/// Checks an attachment and the signatures over the three tokens that it gives. That the key is the issuer's and may be
/// used is the caller's to know.
pub fn verify_attachment(
    status: &StatusVersion,
    issuer: &Did,
    public_base: &str,
    bytes: &[u8],
    key: &PublicKey,
) -> Result<(), StatusFault> {
    if bytes.len() as u64 != status.size / 8 {
        return Err(StatusFault::Size);
    }
    if AttachmentHash::from_bytes(sha256(&[bytes])) != status.sha256 {
        return Err(StatusFault::Digest);
    }
    let bits = BitList::from_bytes(bytes.to_vec(), status.size).ok_or(StatusFault::Size)?;
    let source = TokenSource::new(status, issuer, key, public_base);
    for format in TokenFormat::ALL {
        let message = source.signing_input(format, &bits)?;
        key.verify(source.alg, message.as_bytes(), &format.signature(&status.signatures).0)
            .map_err(|_| StatusFault::Signature(format))?;
    }
    Ok(())
}

/// Makes a version of a list, as its issuer: signs the three tokens. The algorithm is the key's, whatever `source` says.
pub fn sign_version(
    source: &TokenSource<'_>,
    version: u64,
    bits: &BitList,
    key: &SigningKey,
) -> Result<StatusVersion, StatusFault> {
    let source = TokenSource { alg: key.public_key().algorithm(), ..*source };
    let sign = |format| Ok(Bytes(key.sign(source.signing_input(format, bits)?.as_bytes())));
    Ok(StatusVersion {
        list: source.list.clone(),
        version,
        purpose: source.purpose,
        size: bits.size(),
        sha256: bits.sha256(),
        issued: source.issued,
        kid: source.kid.clone(),
        signatures: StatusSignatures {
            status_list_2021: sign(TokenFormat::StatusList2021)?,
            bitstring: sign(TokenFormat::Bitstring)?,
            token: sign(TokenFormat::TokenStatusList)?,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::stored::tests::inflate;

    const BASE: &str = "https://ledger.example";

    struct Case {
        key: SigningKey,
        issuer: Did,
        kid: DidUrl,
        list: Reference,
    }

    impl Case {
        fn new(key: SigningKey) -> Self {
            let issuer = Did::of_ledger("ebsi", &[7; 16]);
            let kid = crate::identity::key_id(&issuer, &key.public_key());
            Self { key, issuer, kid, list: "revocation-1".parse().unwrap() }
        }

        fn source(&self, purpose: StatusPurpose) -> TokenSource<'_> {
            TokenSource {
                issuer: &self.issuer,
                list: &self.list,
                purpose,
                issued: UnixTime(1_800_000_000),
                kid: &self.kid,
                alg: self.key.public_key().algorithm(),
                public_base: BASE,
            }
        }

        fn version(&self, purpose: StatusPurpose, bits: &BitList) -> StatusVersion {
            sign_version(&self.source(purpose), 1, bits, &self.key).unwrap()
        }
    }

    fn bits() -> BitList {
        let mut bits = BitList::zeros(131_072).unwrap();
        for index in [0, 9, 65_535, 131_071] {
            assert!(bits.set(index, true));
        }
        bits
    }

    fn parts(token: &str) -> (String, String) {
        let text = |part: &str| String::from_utf8(codec::from_base64url(part).unwrap()).unwrap();
        let parts: Vec<_> = token.split('.').collect();
        (text(parts[0]), text(parts[1]))
    }

    #[test]
    fn the_tokens_of_a_small_list_are_pinned() {
        let case = Case::new(SigningKey::ed25519(&[1; 32]));
        let (did, kid) = (case.issuer.as_str(), case.kid.as_str());
        let proxy = proxy_id(&case.issuer);
        assert_eq!(proxy.len(), 66);
        let bits = BitList::from_bytes(vec![0b1000_0001, 0b0100_0000], 16).unwrap();
        let source = case.source(StatusPurpose::Revocation);
        let token = |format| parts(&source.signing_input(format, &bits).unwrap());

        let id =
            format!("{BASE}/trusted-issuers-registry/v5/issuers/{did}/proxies/{proxy}/credentials/status/revocation-1");
        let date = "2027-01-15T08:00:00Z";
        let (header, payload) = token(TokenFormat::StatusList2021);
        assert_eq!(header, format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"JWT"}}"#));
        assert_eq!(
            payload,
            format!(
                r#"{{"iat":1800000000,"iss":"{did}","jti":"{id}","nbf":1800000000,"sub":"{id}#list","vc":{{"@context":["https://www.w3.org/2018/credentials/v1","https://w3id.org/vc/status-list/2021/v1"],"credentialSchema":{{"id":"{BASE}/trusted-schemas-registry/v3/schemas/z7DmpwC9doRxZrtQ9PBjz8qQgGWqojkGExELnrw1x8qdi","type":"FullJsonSchemaValidator2021"}},"credentialSubject":{{"encodedList":"H4sIAAAAAAAA/wECAP3/gUBl+p0VAgAAAA==","id":"{id}#list","statusPurpose":"revocation","type":"StatusList2021"}},"id":"{id}","issuanceDate":"{date}","issued":"{date}","issuer":"{did}","type":["VerifiableCredential","VerifiableAttestation","StatusList2021Credential"],"validFrom":"{date}"}}}}"#
            )
        );
        let id = format!("{BASE}/v1/status-lists/{did}/revocation-1/bitstring");
        let (header, payload) = token(TokenFormat::Bitstring);
        assert_eq!(header, format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"vc+jwt"}}"#));
        assert_eq!(
            payload,
            format!(
                r#"{{"@context":["https://www.w3.org/ns/credentials/v2"],"credentialSubject":{{"encodedList":"uH4sIAAAAAAAA_wECAP3_gUBl-p0VAgAAAA","id":"{id}#list","statusPurpose":"revocation","type":"BitstringStatusList"}},"id":"{id}","issuer":"{did}","type":["VerifiableCredential","BitstringStatusListCredential"],"validFrom":"{date}"}}"#
            )
        );
        let sub = format!("{BASE}/v1/status-lists/{did}/revocation-1/token");
        let (header, payload) = token(TokenFormat::TokenStatusList);
        assert_eq!(header, format!(r#"{{"alg":"EdDSA","kid":"{kid}","typ":"statuslist+jwt"}}"#));
        assert_eq!(
            payload,
            format!(r#"{{"iat":1800000000,"status_list":{{"bits":1,"lst":"eAEBAgD9_4ECAQYAhA"}},"sub":"{sub}"}}"#)
        );
    }

    /// INV-STATUS-1: read back by a decoder of its own, every token sets the same entries.
    #[test]
    fn the_three_formats_say_the_same() {
        let case = Case::new(SigningKey::p256(&[5; 32]).unwrap());
        for purpose in [StatusPurpose::Revocation, StatusPurpose::Suspension] {
            let (bits, source) = (bits(), case.source(purpose));
            let payload = |format| -> serde_json::Value {
                serde_json::from_str(&parts(&source.signing_input(format, &bits).unwrap()).1).unwrap()
            };
            let subject = payload(TokenFormat::StatusList2021)["vc"]["credentialSubject"].clone();
            assert_eq!(subject["statusPurpose"], purpose.name());
            let encoded = codec::from_base64_standard(subject["encodedList"].as_str().unwrap()).unwrap();
            assert_eq!(inflate(&encoded), bits.as_bytes());

            let subject = payload(TokenFormat::Bitstring)["credentialSubject"].clone();
            let encoded = subject["encodedList"].as_str().unwrap().strip_prefix('u').unwrap();
            assert_eq!(inflate(&codec::from_base64url(encoded).unwrap()), bits.as_bytes());

            let list = payload(TokenFormat::TokenStatusList)["status_list"].clone();
            let bytes = inflate(&codec::from_base64url(list["lst"].as_str().unwrap()).unwrap());
            let (width, status) = match purpose {
                StatusPurpose::Revocation => (1, 1),
                StatusPurpose::Suspension => (2, 2),
            };
            assert_eq!(list["bits"], width);
            for index in 0..bits.size() {
                let at = usize::try_from(index * width).unwrap();
                let found = u64::from(bytes[at / 8] >> (at % 8)) & ((1 << width) - 1);
                assert_eq!(found == status, bits.get(index).unwrap(), "entry {index}");
                assert!(found == 0 || found == status);
            }
        }
    }

    #[test]
    fn every_kind_of_key_signs_and_nothing_else_passes() {
        let keys = [
            SigningKey::ed25519(&[1; 32]),
            SigningKey::p256(&[2; 32]).unwrap(),
            SigningKey::p384(&[3; 48]).unwrap(),
            SigningKey::secp256k1(&[4; 32]).unwrap(),
        ];
        for (key, alg) in keys.into_iter().zip(["EdDSA", "ES256", "ES384", "ES256K"]) {
            let (case, bits) = (Case::new(key), bits());
            let public = case.key.public_key();
            let good = case.version(StatusPurpose::Revocation, &bits);
            let check = |status: &StatusVersion, issuer: &Did, base: &str, bytes: &[u8]| {
                verify_attachment(status, issuer, base, bytes, &public)
            };
            assert_eq!(check(&good, &case.issuer, BASE, bits.as_bytes()), Ok(()));
            let source = TokenSource::new(&good, &case.issuer, &public, BASE);
            for format in TokenFormat::ALL {
                let token = source.compact(format, &bits, &good.signatures).unwrap();
                assert!(parts(&token).0.starts_with(&format!(r#"{{"alg":"{alg}","#)));
                let (input, signature) = token.rsplit_once('.').unwrap();
                let signature = codec::from_base64url(signature).unwrap();
                assert_eq!(public.verify(public.algorithm(), input.as_bytes(), &signature), Ok(()));
            }
            let first = Err(StatusFault::Signature(TokenFormat::StatusList2021));
            let other = Did::of_ledger("ebsi", &[8; 16]);
            assert_eq!(check(&good, &other, BASE, bits.as_bytes()), first, "a list by another issuer");
            assert_eq!(check(&good, &case.issuer, "https://other.example", bits.as_bytes()), first);
            assert_eq!(check(&good, &case.issuer, BASE, &bits.as_bytes()[1..]), Err(StatusFault::Size));
            assert_eq!(check(&good, &case.issuer, BASE, &vec![0; 10_000_000]), Err(StatusFault::Size));
            let mut bytes = bits.as_bytes().to_vec();
            bytes[5] ^= 1;
            assert_eq!(check(&good, &case.issuer, BASE, &bytes), Err(StatusFault::Digest));
            let mut bad = good.clone();
            bad.sha256 = AttachmentHash::from_bytes(sha256(&[&bytes]));
            assert_eq!(check(&bad, &case.issuer, BASE, &bytes), first, "other bits under old signatures");
            for (changed, what) in [
                (StatusVersion { purpose: StatusPurpose::Suspension, ..good.clone() }, "purpose"),
                (StatusVersion { issued: UnixTime(1_800_000_001), ..good.clone() }, "issued"),
                (StatusVersion { list: "revocation-2".parse().unwrap(), ..good.clone() }, "list"),
                (StatusVersion { kid: format!("{}#x", case.issuer).parse().unwrap(), ..good.clone() }, "kid"),
            ] {
                assert_eq!(check(&changed, &case.issuer, BASE, bits.as_bytes()), first, "{what} is signed");
            }
            for format in TokenFormat::ALL {
                let mut bad = good.clone();
                let StatusSignatures { status_list_2021, bitstring, token } = &mut bad.signatures;
                let signature = match format {
                    TokenFormat::StatusList2021 => status_list_2021,
                    TokenFormat::Bitstring => bitstring,
                    TokenFormat::TokenStatusList => token,
                };
                signature.0[40] ^= 1;
                let expected = Err(StatusFault::Signature(format));
                assert_eq!(check(&bad, &case.issuer, BASE, bits.as_bytes()), expected);
            }
            let stranger = SigningKey::ed25519(&[9; 32]).public_key();
            assert_eq!(verify_attachment(&good, &case.issuer, BASE, bits.as_bytes(), &stranger), first);
        }
    }

    #[test]
    fn odd_sizes_and_dates_are_faults_and_nothing_panics() {
        let (case, bits) = (Case::new(SigningKey::ed25519(&[1; 32])), bits());
        let good = case.version(StatusPurpose::Revocation, &bits);
        let public = case.key.public_key();
        let check =
            |status: &StatusVersion, bytes: &[u8]| verify_attachment(status, &case.issuer, BASE, bytes, &public);
        for size in [0, 131_073, 131_080, u64::MAX] {
            let bad = StatusVersion { size, ..good.clone() };
            assert_eq!(check(&bad, bits.as_bytes()), Err(StatusFault::Size), "{size}");
        }
        for issued in [253_402_300_800, u64::MAX] {
            let bad = StatusVersion { issued: UnixTime(issued), ..good.clone() };
            assert_eq!(check(&bad, bits.as_bytes()), Err(StatusFault::Date), "{issued}");
        }
    }
}
