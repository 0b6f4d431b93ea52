//! The two files by which an entity gets accredited: its request, signed with its own key, and the accreditor's
//! invitation. They travel as both trust: what is in them is public, and worth nothing without the entity's keys.

use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use testamur_client::credentials::{Signer, Validity, sign_jwt};
use testamur_client::registry::At;
use testamur_primitives::codec;
use testamur_primitives::did::Did;
use testamur_primitives::hash::{AttributeId, GenesisHash, SchemaId};
use testamur_primitives::identity;
use testamur_primitives::issuers::accreditation::Scope;
use testamur_primitives::issuers::chain::TrustChain;
use testamur_primitives::issuers::{Entity, IssuerType};
use testamur_primitives::key::{Jwk, JwsAlgorithm, PublicKey};
use testamur_primitives::record::Act;
use testamur_primitives::units::UnixTime;

use super::Use;
use super::desk::{CLOCK_MARGIN_S, Desk, unproven};
use crate::exit::CommandError;
use crate::files;
use crate::output::now;

/// Bytes of a request or an invitation: two credentials of 32 KiB.
const EXCHANGE_BYTES_MAX: usize = 256 * 1024;
/// Seconds in which an invited entity registers its DID: the authorisation is for that alone.
const ONBOARDING_S: u64 = 30 * 24 * 3600;
/// Seconds of a year.
pub(crate) const YEAR_S: u64 = 365 * 24 * 3600;

/// What an entity asks an accreditor for.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The network it is on.
    pub(crate) net: GenesisHash,
    /// The entity.
    pub(crate) iss: Did,
    /// When it was signed.
    pub(crate) iat: UnixTime,
    /// The key that registers the DID, and signed this.
    pub(crate) jwk: Jwk,
    /// As what it wants to be accredited.
    pub(crate) r#as: IssuerType,
    /// Who it is.
    pub(crate) entity: Entity,
    /// What it wants to be accredited for; empty for what the accreditor thinks right.
    pub(crate) wanted: Vec<Wanted>,
}

/// A scope as it stands in a request.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    schema: SchemaId,
    types: Vec<String>,
    jurisdictions: Vec<String>,
}

impl From<&Scope> for Wanted {
    fn from(scope: &Scope) -> Self {
        Self {
            schema: scope.schema,
            types: scope.types.iter().cloned().collect(),
            jurisdictions: scope.jurisdictions.iter().cloned().collect(),
        }
    }
}

impl From<&Wanted> for Scope {
    fn from(wanted: &Wanted) -> Self {
        Self {
            schema: wanted.schema,
            types: wanted.types.iter().cloned().collect(),
            jurisdictions: wanted.jurisdictions.iter().cloned().collect(),
        }
    }
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestFile {
    v: u8,
    r#type: String,
    request: String,
}

#[derive(Deserialize)]
struct RequestHeader {
    alg: String,
    kid: String,
}

/// What an accreditor answers.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Invitation {
    v: u8,
    r#type: String,
    /// The network.
    pub(crate) network: GenesisHash,
    /// Who is invited.
    pub(crate) subject: Did,
    /// Who invites.
    pub(crate) accreditor: Did,
    /// The place that was reserved.
    pub(crate) attribute: AttributeId,
    /// As what.
    pub(crate) issuer_type: IssuerType,
    /// Who the subject is, as the accreditor says.
    pub(crate) entity: Entity,
    /// The authorisation by which the DID is registered; none for one that is registered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) authorisation: Option<String>,
    /// The accreditation credential.
    pub(crate) accreditation: String,
}

impl Request {
    /// Signs the request of an entity.
    pub(crate) fn sign(
        desk: &Desk,
        wanted: IssuerType,
        entity: Entity,
        scopes: &[Scope],
    ) -> Result<String, CommandError> {
        let key = desk.key(Use::Capability)?;
        let request = Self {
            net: desk.registry.trust().network(),
            iss: desk.home.did().clone(),
            iat: now()?,
            jwk: key.public_key().to_jwk(),
            r#as: wanted,
            entity,
            wanted: scopes.iter().map(Wanted::from).collect(),
        };
        let claims = serde_json::to_value(&request).expect("a request is JSON");
        let file =
            RequestFile { v: 1, r#type: "testamur-request".into(), request: sign_jwt(desk.home.did(), &key, &claims) };
        Ok(serde_json::to_string_pretty(&file).expect("a request file is JSON"))
    }

    /// Reads a request file and checks that the key in it signed it.
    pub(crate) fn read(path: &Path) -> Result<Self, CommandError> {
        let refuse = |reason: String| {
            CommandError::content(path, reason, "ask for a request that `testamur trust request` made")
        };
        let file: RequestFile = read_json(path, "testamur-request", refuse)?;
        Self::verify(&file.request).map_err(refuse)
    }

    fn verify(jwt: &str) -> Result<Self, String> {
        let (input, signature) = jwt.rsplit_once('.').ok_or("not a compact JWS")?;
        let (header, payload) = input.split_once('.').ok_or("not a compact JWS")?;
        let decode = |part: &str| codec::from_base64url(part).map_err(|e| e.to_string());
        let header: RequestHeader = codec::from_strict(&decode(header)?).map_err(|e| e.to_string())?;
        let request: Self = codec::from_strict(&decode(payload)?).map_err(|e| e.to_string())?;
        let key = PublicKey::from_jwk(&request.jwk).map_err(|e| e.to_string())?;
        let alg = JwsAlgorithm::from_name(&header.alg).ok_or("an unknown algorithm")?;
        if header.kid != identity::key_id(&request.iss, &key).as_str() {
            return Err("it is signed with another key than the one it names".into());
        }
        key.verify(alg, input.as_bytes(), &decode(signature)?)
            .map_err(|_| "its signature does not verify: it was changed on the way".to_owned())?;
        Ok(request)
    }

    /// Thumbprint of the key that may register the DID.
    pub(crate) fn jkt(&self) -> Result<String, CommandError> {
        let key = PublicKey::from_jwk(&self.jwk).map_err(|e| CommandError::failed("did.malformed-key", e, ""))?;
        Ok(identity::thumbprint(&key))
    }

    /// What it asks for.
    pub(crate) fn scopes(&self) -> Vec<Scope> {
        self.wanted.iter().map(Scope::from).collect()
    }
}

impl Invitation {
    /// Reads an invitation.
    pub(crate) fn read(path: &Path) -> Result<Self, CommandError> {
        let refuse = |reason: String| {
            CommandError::content(path, reason, "ask the accreditor for the file that `testamur trust invite` wrote")
        };
        read_json(path, "testamur-invitation", refuse)
    }

    /// The file's text.
    pub(crate) fn text(&self) -> String {
        serde_json::to_string_pretty(self).expect("an invitation is JSON")
    }

    /// Refuses an invitation that is not for this entity on its network.
    pub(crate) fn check(&self, desk: &Desk) -> Result<(), CommandError> {
        if self.network != desk.registry.trust().network() || self.subject != *desk.home.did() {
            return Err(CommandError::failed(
                "onboard.invitation",
                format!(
                    "the invitation is for {} on network {}, not for {}",
                    self.subject,
                    self.network,
                    desk.home.did()
                ),
                "ask the accreditor for the one that answers your request",
            ));
        }
        Ok(())
    }
}

/// Who is to be accredited, and how.
pub(crate) struct Subject {
    /// The DID.
    pub(crate) did: Did,
    /// Thumbprint of the key that may register it; none when it is registered.
    pub(crate) jkt: Option<String>,
    /// Who it is.
    pub(crate) entity: Entity,
    /// As what.
    pub(crate) issuer_type: IssuerType,
    /// For what; empty for all that the accreditor may.
    pub(crate) scopes: Vec<Scope>,
    /// For how long; never longer than the accreditor's own.
    pub(crate) years: u64,
}

/// Reserves a place for a subject and signs what it needs, as its accreditor. The same again gives the same invitation.
pub(crate) async fn invite(desk: &Desk, subject: Subject) -> Result<Invitation, CommandError> {
    let kind = subject.issuer_type.ebsi_name().to_ascii_lowercase();
    let id = subject.did.as_str().rsplit(':').next().unwrap_or_default();
    let path = desk.home.folder("invitations")?.join(format!("{kind}-{id}.json"));
    if path.exists() {
        let before = Invitation::read(&path)?;
        let entry = desk.registry.attribute(before.attribute, At::Now).await.map_err(|e| unproven(&e))?.value;
        if entry.as_ref().is_none_or(|entry| entry.ended.is_none()) && before.entity == subject.entity {
            if entry.is_none() {
                let own = own_accreditation(desk, &subject).await?;
                reserve(desk, &before, own.issuer().attribute).await?;
            }
            return Ok(before);
        }
    }
    let chain = own_accreditation(desk, &subject).await?;
    let own = chain.issuer();
    let scopes = if subject.scopes.is_empty() { own.accreditation.scopes.clone() } else { subject.scopes.clone() };
    if scopes.is_empty() {
        return Err(CommandError::Usage(
            "say what it is accredited for: --for SCHEMA=TYPE,TYPE (the accreditor's own accreditation sets no bounds)"
                .into(),
        ));
    }
    let clock = now()?.0;
    let from = UnixTime(clock.saturating_sub(CLOCK_MARGIN_S));
    let until = |end: u64| Some(own.accreditation.valid_until.map_or(UnixTime(end), |own| own.min(UnixTime(end))));
    let mut attribute = [0; 32];
    getrandom::fill(&mut attribute)
        .map_err(|e| CommandError::failed("key.randomness", format!("no randomness: {e}"), ""))?;
    let attribute = AttributeId::from_bytes(attribute);
    let (key, addresses) = (desk.key(Use::Assertion)?, desk.addresses());
    let signer = Signer { did: desk.home.did(), key: &key, addresses: &addresses };
    let failed = |e| CommandError::failed("entity.sign", e, "");
    let place = testamur_client::credentials::Place { did: &subject.did, attribute };
    let validity = Validity { from, until: until(clock + subject.years * YEAR_S) };
    let accreditation =
        signer.accreditation(subject.issuer_type, own.attribute, place, &scopes, validity).map_err(failed)?;
    let onboarding = Validity { from, until: until(clock + ONBOARDING_S) };
    let authorise = |jkt: &String| signer.authorisation_to_onboard(own.attribute, &subject.did, jkt, onboarding);
    let authorisation = subject.jkt.as_ref().map(authorise).transpose().map_err(failed)?;
    let invitation = Invitation {
        v: 1,
        r#type: "testamur-invitation".into(),
        network: desk.registry.trust().network(),
        subject: subject.did.clone(),
        accreditor: desk.home.did().clone(),
        attribute,
        issuer_type: subject.issuer_type,
        entity: subject.entity.clone(),
        authorisation,
        accreditation,
    };
    // Before the place is reserved: what was begun is found again under the same id.
    files::replace(&path, invitation.text().as_bytes(), 0o600)?;
    reserve(desk, &invitation, own.attribute).await?;
    Ok(invitation)
}

/// The accreditor's own accreditation, by which it may accredit the subject.
async fn own_accreditation(desk: &Desk, subject: &Subject) -> Result<TrustChain, CommandError> {
    let may = |chain: &TrustChain| {
        let link = chain.issuer();
        link.issuer_type.may_accredit(subject.issuer_type)
            && subject.scopes.iter().all(|scope| link.accreditation.covers(scope).is_ok())
    };
    let chain = desk.own_chain(may).await?.value;
    if let Ok(chain) = chain {
        return Ok(chain);
    }
    // None covers it: what stands in the way is told from the one that comes nearest.
    let any = desk.own_chain(|chain| chain.issuer().issuer_type.may_accredit(subject.issuer_type)).await?.value;
    match any {
        Ok(chain) => {
            let own = &chain.issuer().accreditation;
            let why = subject.scopes.iter().find_map(|scope| own.covers(scope).err());
            let code = why.as_ref().map_or("issuer.scope", |why| match why {
                testamur_primitives::issuers::accreditation::OutOfScope::Schema(_) => "issuer.scope-schema",
                testamur_primitives::issuers::accreditation::OutOfScope::Type(_) => "issuer.scope-type",
                testamur_primitives::issuers::accreditation::OutOfScope::Jurisdiction(_) => "issuer.scope-jurisdiction",
            });
            let why = why.map(|why| why.to_string()).unwrap_or_default();
            Err(CommandError::failed(
                code,
                format!("{} cannot accredit for this: {why}", desk.home.did()),
                "accredit for less, within its own accreditation: `testamur trust show` lists it",
            ))
        }
        Err(_) if desk.own_chain(|_| true).await?.value.is_ok() => Err(CommandError::failed(
            "issuer.type",
            format!(
                "{} is accredited to issue, not to accredit a {}",
                desk.home.did(),
                subject.issuer_type.ebsi_name()
            ),
            "only a Root TAO or a TAO accredits others",
        )),
        Err(refusal) => Err(CommandError::failed(
            refusal.code(),
            format!("{} cannot accredit a {}: {refusal}", desk.home.did(), subject.issuer_type.ebsi_name()),
            "look at its accreditations with `testamur trust show`",
        )),
    }
}

async fn reserve(desk: &Desk, invitation: &Invitation, parent: AttributeId) -> Result<(), CommandError> {
    let act = Act::ReserveAttribute {
        attribute: invitation.attribute,
        subject: invitation.subject.clone(),
        issuer_type: invitation.issuer_type,
        parent,
        entity: invitation.entity.clone(),
        prev: None,
    };
    desk.submit(Use::Capability, &format!("reserve an accreditation for {}", invitation.subject), act, None).await?;
    Ok(())
}

fn read_json<T: DeserializeOwned>(
    path: &Path,
    expected: &str,
    refuse: impl Fn(String) -> CommandError,
) -> Result<T, CommandError> {
    let bytes = files::read_at_most(path, EXCHANGE_BYTES_MAX)?;
    let value: serde_json::Value = serde_json::from_slice(&bytes).map_err(|e| refuse(e.to_string()))?;
    if value["v"] != 1 || value["type"] != expected {
        return Err(refuse(format!("not a file of type {expected}")));
    }
    serde_json::from_value(value).map_err(|e| refuse(e.to_string()))
}
