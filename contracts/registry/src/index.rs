//! Terms by which the objects of the registries are listed: "all schemas", "the DIDs of this controller".
//!
//! The state is read by key and proves nothing about lists. So a node keeps an index beside it, derived from what each
//! block writes by the pure function here, and `testamur check` derives it again. What is listed is proven one by one.
//!
//! | state key | kind | terms |
//! |---|---|---|
//! | `did/<did>/1` | `did` | `all` |
//! | `did/<did>/<n>` | `did` | `controller:<did>` for each controller, `method:<fragment>` for each method |
//! | `issuer/<did>/1` | `issuer` | `all` |
//! | `attribute/<id>/1` | `attribute` | `subject:<did>`, `accreditor:<did>`, `type:<root-tao, tao or ti>` |
//! | `schema/<id>/1` | `schema` | `all` |
//! | `status/<did>:<list>/1` | `status` | `issuer:<did>` |
//! | `dossier/<id>/1` | `dossier` | `all` |
//! | `dossier/<id>/<n>` | `dossier` | `owner:<did>` for each owner |
//! | `address/<hex>/1` | `user` | `all` |
//!
//! A term stays when what it rests on is over (a controller that was taken out): who lists looks at the object itself.

use testamur_primitives::codec::{self, CodecError};
use testamur_primitives::dossiers::DossierEntry;
use testamur_primitives::identity::DidEntry;
use testamur_primitives::issuers::{AttributeEntry, IssuerType};
use testamur_primitives::state::StateKey;
use testamur_primitives::status::StatusEntry;

/// A list that an object stands in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Term {
    /// Kind of the objects.
    pub kind: &'static str,
    /// What they have in common; without a zero byte.
    pub term: String,
}

/// The terms that a written value gives its object, perhaps one twice; none for heads and for kinds that are not listed.
/// The object's id is the middle part of the key ([`object_id`]).
pub fn terms(key: &StateKey, value: &[u8]) -> Result<Vec<Term>, CodecError> {
    let mut parts = key.as_str().split('/');
    let (Some(object), Some(_), Some(place)) = (parts.next(), parts.next(), parts.next()) else {
        return Ok(Vec::new());
    };
    if place == "head" {
        return Ok(Vec::new());
    }
    let first = place == "1";
    let mut terms = Vec::new();
    let mut add = |kind, term: String| terms.push(Term { kind, term });
    match object {
        "did" => {
            if first {
                add("did", "all".into());
            }
            let entry: DidEntry = codec::from_canonical(value)?;
            entry.controllers.iter().for_each(|did| add("did", format!("controller:{did}")));
            entry.methods.iter().for_each(|method| add("did", format!("method:{}", method.id)));
        }
        "issuer" if first => add("issuer", "all".into()),
        "attribute" if first => {
            let entry: AttributeEntry = codec::from_canonical(value)?;
            add("attribute", format!("subject:{}", entry.subject));
            add("attribute", format!("accreditor:{}", entry.accreditor));
            let issuer_type = match entry.issuer_type {
                IssuerType::RootTao => "type:root-tao",
                IssuerType::Tao => "type:tao",
                IssuerType::Ti => "type:ti",
            };
            add("attribute", issuer_type.into());
        }
        "schema" if first => add("schema", "all".into()),
        "status" if first => {
            let entry: StatusEntry = codec::from_canonical(value)?;
            add("status", format!("issuer:{}", entry.issuer));
        }
        "dossier" => {
            if first {
                add("dossier", "all".into());
            }
            let entry: DossierEntry = codec::from_canonical(value)?;
            entry.owners.iter().for_each(|owner| add("dossier", format!("owner:{}", owner.did)));
        }
        "address" if first => add("user", "all".into()),
        _ => {}
    }
    Ok(terms)
}

/// The id of a key's object: a DID, hexadecimal digits, or for a status list `<did>:<list>`.
pub fn object_id(key: &StateKey) -> &str {
    key.as_str().split('/').nth(1).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use testamur_primitives::did::Did;
    use testamur_primitives::hash::{AttributeId, RecordId, SchemaId};
    use testamur_primitives::identity::VerificationMethod;
    use testamur_primitives::key::SigningKey;
    use testamur_primitives::units::{Height, UnixTime};
    use testamur_primitives::{dossiers, identity, issuers, schemas};

    use super::*;

    fn did(text: &str) -> Did {
        text.parse().expect("a DID")
    }

    fn listed(key: &StateKey, value: &[u8]) -> Vec<(String, String)> {
        terms(key, value).unwrap().into_iter().map(|t| (t.kind.to_owned(), t.term)).collect()
    }

    fn expected(terms: &[(&str, &str)]) -> Vec<(String, String)> {
        terms.iter().map(|(kind, term)| ((*kind).to_owned(), (*term).to_owned())).collect()
    }

    #[test]
    fn documents_stand_under_their_controllers_and_methods() {
        let (subject, controller) = (did("did:ebsi:zvHWX359A3CvfJnCYaAiAde"), did("did:ebsi:z24acuDqgwY9qHjzEQ1r6YvF"));
        let key = SigningKey::ed25519(&[7; 32]).public_key();
        let entry = DidEntry {
            v: 1,
            seq: 1,
            height: Height(3),
            time: UnixTime(1_800_000_000),
            record: RecordId::ZERO,
            controllers: vec![subject.clone(), controller.clone()],
            methods: vec![VerificationMethod {
                id: identity::thumbprint(&key),
                key: key.to_jwk(),
                grants: Vec::new(),
                revoked: None,
                compromised_from: None,
            }],
            services: Vec::new(),
            deactivated: false,
        };
        let object = identity::keys::did(&subject);
        let value = codec::canonical(&entry);
        let later = expected(&[
            ("did", &format!("controller:{subject}")),
            ("did", &format!("controller:{controller}")),
            ("did", &format!("method:{}", identity::thumbprint(&key))),
        ]);
        assert_eq!(listed(&object.entry(2), &value), later);
        assert_eq!(listed(&object.entry(1), &value), [expected(&[("did", "all")]), later].concat());
        assert_eq!(listed(&object.head(), &value), []);
        assert_eq!(object_id(&object.entry(1)), subject.as_str());
        assert!(terms(&object.entry(2), b"{}").is_err(), "a value that no rule wrote");
    }

    #[test]
    fn only_first_entries_list_the_others() {
        let schema = schemas::key(SchemaId::from_bytes([1; 32]));
        assert_eq!(listed(&schema.entry(1), b"anything"), expected(&[("schema", "all")]));
        assert_eq!(listed(&schema.entry(2), b"anything"), []);
        let issuer = issuers::keys::issuer(&did("did:ebsi:zvHWX359A3CvfJnCYaAiAde"));
        assert_eq!(listed(&issuer.entry(1), b""), expected(&[("issuer", "all")]));
        assert_eq!(listed(&issuers::keys::attribute(AttributeId::ZERO).entry(2), b""), []);
        let user = identity::keys::address(&[9; 20]);
        assert_eq!(listed(&user.entry(1), b""), expected(&[("user", "all")]));
        assert_eq!(listed(&user.entry(2), b""), []);
        let unlisted: StateKey = "writer/did:key:z6Mk/1".parse().unwrap();
        assert_eq!(listed(&unlisted, b""), []);
        assert!(terms(&dossiers::key(RecordId::ZERO).entry(1), b"").is_err());
    }
}
