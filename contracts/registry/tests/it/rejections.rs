//! Codes of rejections are part of the protocol: the table here may grow, and no line of it may change.

use std::collections::BTreeSet;

use testamur_primitives::commitment::DigestAlgorithm;
use testamur_primitives::did::Did;
use testamur_primitives::hash::{Address, AttributeId, RecordId, SchemaId};
use testamur_primitives::identity::KeyRefusal;
use testamur_primitives::issuers::accreditation::OutOfScope;
use testamur_primitives::issuers::chain::ChainRefusal;
use testamur_primitives::key::KeyKind;
use testamur_primitives::record::{Algorithm, RecordError, RevocationReason};
use testamur_primitives::units::{Height, UnixTime};
use testamur_registry::rejection::CODES;
use testamur_registry::{
    AdmissionRejection, DidRejection, DossierRejection, GovernanceRejection, IssuerRejection, NetworkRejection,
    NotaryRejection, Rejection, SchemaRejection, StatusRejection,
};

const TIME: UnixTime = UnixTime(5);

fn did() -> Did {
    "did:ebsi:zAuthor".parse().expect("a DID")
}

fn id() -> RecordId {
    RecordId::from_bytes([7; 32])
}

fn place() -> AttributeId {
    AttributeId::from_bytes([8; 32])
}

fn schema() -> SchemaId {
    SchemaId::from_bytes([9; 32])
}

fn refusal() -> ChainRefusal {
    ChainRefusal::NotAccredited(did())
}

const KIND: Algorithm = Algorithm::Key(KeyKind::P256);
const DIGEST: Algorithm = Algorithm::Digest(DigestAlgorithm::Sha2_256);

type Row = (Rejection, &'static str, u16, &'static str);

fn notary_and_governance() -> Vec<Row> {
    use GovernanceRejection as G;
    let revoked = |reason| NotaryRejection::WriterRevoked { did: did(), reason, time: TIME };
    vec![
        (RecordError::Type.into(), "record.type", 104, "typ must be"),
        (AdmissionRejection::DuplicateRecord.into(), "admission.duplicate", 150, "ask for its receipt"),
        (AdmissionRejection::DuplicateJti.into(), "admission.duplicate", 150, "give every record its own"),
        (AdmissionRejection::AlgorithmRetired(KIND).into(), "admission.algorithm-retired", 151, "kind P-256"),
        (NotaryRejection::AlgorithmRetired(DIGEST).into(), "notary.algorithm-retired", 202, "algorithm sha2-256"),
        (NotaryRejection::NotAWriter(did()).into(), "notary.not-a-writer", 200, "ask its operators"),
        (revoked(RevocationReason::KeyCompromise).into(), "notary.writer-revoked", 201, "at 5 (key-compromise)"),
        (
            revoked(RevocationReason::CessationOfOperation).into(),
            "notary.writer-revoked",
            201,
            "(cessation-of-operation)",
        ),
        (revoked(RevocationReason::PrivilegeWithdrawn).into(), "notary.writer-revoked", 201, "(privilege-withdrawn)"),
        (revoked(RevocationReason::Superseded).into(), "notary.writer-revoked", 201, "(superseded)"),
        (DossierRejection::Unknown(id()).into(), "dossier.unknown", 220, "the record that opened it"),
        (DossierRejection::NotAnOwner(did()).into(), "dossier.not-an-owner", 221, "ask an owner"),
        (DossierRejection::Stale { current: id() }.into(), "dossier.stale", 222, "sign anew with that as prev"),
        (DossierRejection::Owner { did: did(), reason: "is one" }.into(), "dossier.owner", 223, "is one"),
        (DossierRejection::Content("too much").into(), "dossier.content", 224, "too much"),
        (G::NotAnOperator(did()).into(), "governance.not-an-operator", 250, "only operators"),
        (G::VersionMismatch { given: 1, current: 2 }.into(), "governance.version-mismatch", 251, "sign anew"),
        (G::ProposalUnknown(id()).into(), "governance.proposal-unknown", 252, "07070707"),
        (G::ProposalExpired { expires: TIME, time: TIME }.into(), "governance.proposal-expired", 253, "propose anew"),
        (G::AlreadyApproved(did()).into(), "governance.already-approved", 254, "another operator"),
        (G::AlreadyExecuted(TIME).into(), "governance.already-executed", 255, "nothing is left"),
        (G::AlreadyAWriter(did()).into(), "governance.already-a-writer", 256, "already a writer"),
        (G::NotAWriter(did()).into(), "governance.not-a-writer", 257, "nothing to revoke"),
        (G::ProposalLapsed { bound: 1, current: 2 }.into(), "governance.proposal-lapsed", 258, "propose anew"),
        (G::ProposalLife.into(), "governance.proposal-life", 259, "7776000 s"),
        (G::UnusableDid(did()).into(), "governance.unusable-did", 260, "knows did:key"),
        (G::KeyInUse(did()).into(), "governance.key-in-use", 261, "a key of its own"),
        (G::KeyCompromised(did()).into(), "governance.key-compromised", 262, "to a new DID"),
        (G::Thumbprint.into(), "governance.thumbprint", 263, "43 characters"),
        (G::AlreadyAdmitted(did()).into(), "governance.already-admitted", 264, "it can register now"),
    ]
}

fn members() -> Vec<Row> {
    use GovernanceRejection as G;
    use NetworkRejection as N;
    let (address, height, name) = (Address::from_bytes([6; 32]), Height(9), || "v.example".to_owned());
    let key_in_use = G::ValidatorKeyInUse { name: name(), kind: "peer" };
    vec![
        (G::NothingChanges.into(), "governance.nothing-changes", 265, "name at least one thing"),
        (G::FromTooFar { from: height, most: Height(8) }.into(), "governance.from-too-far", 266, "name one up to 8"),
        (
            G::Registration { name: name(), reason: "why" }.into(),
            "governance.registration",
            267,
            "v.example is refused: why",
        ),
        (G::TooManyAtOnce { named: 2, most: 1 }.into(), "governance.too-many-at-once", 268, "at most 1"),
        (G::SetSize(3).into(), "governance.set-size", 269, "add one before another leaves"),
        (G::Set("why").into(), "governance.set", 270, "refused: why"),
        (G::SetChangePending.into(), "governance.set-change-pending", 271, "or withdraw it"),
        (G::NoSetChange.into(), "governance.no-set-change", 272, "nothing to withdraw"),
        (G::ValidatorUnknown(address).into(), "governance.validator-unknown", 273, "`testamur governance show`"),
        (G::NamedTwice(name()).into(), "governance.named-twice", 274, "v.example is named twice"),
        (G::NameInUse(name()).into(), "governance.name-in-use", 275, "a name of its own"),
        (key_in_use.into(), "governance.validator-key-in-use", 276, "the peer key of validator v.example"),
        (G::OldKey(name()).into(), "governance.old-key", 277, "make a new one"),
        (G::Renamed { current: name(), given: "w".into() }.into(), "governance.renamed", 278, "keeps its name"),
        (
            G::NotAfter { name: name(), not_after: TIME, time: TIME }.into(),
            "governance.not-after",
            279,
            "register them for longer",
        ),
        (G::OperatorUnknown(did()).into(), "governance.operator-unknown", 280, "only such are removed"),
        (G::AlreadyAnOperator(did()).into(), "governance.already-an-operator", 281, "operator's already"),
        (G::FormerOperator(did()).into(), "governance.former-operator", 282, "make a new key"),
        (G::OperatorMalformed(did()).into(), "governance.operator-malformed", 283, "two capital letters"),
        (G::OperatorCount(0).into(), "governance.operator-count", 284, "1 to 256"),
        (
            G::Threshold { approvals_required: 2, operators: 4 }.into(),
            "governance.threshold",
            285,
            "2 approvals of 4 operators: more than half",
        ),
        (
            G::RetiredKind { did: did(), kind: KIND }.into(),
            "governance.retired-kind",
            286,
            "take a key of another kind",
        ),
        (G::Parameters("why").into(), "governance.parameters", 287, "refused: why"),
        (G::ParametersPending(height).into(), "governance.parameters-pending", 288, "from height 9 on"),
        (G::Protocol { given: 1, current: 1 }.into(), "governance.protocol", 289, "only go up"),
        (G::ProtocolPending(height).into(), "governance.protocol-pending", 290, "from height 9 on"),
        (G::AlreadyRetired(KIND).into(), "governance.already-retired", 291, "P-256 is retired already"),
        (G::LastDigestAlgorithm(DIGEST).into(), "governance.last-digest-algorithm", 292, "sha2-256 is the last"),
        (
            G::OperatorsKind { operator: did(), kind: KIND }.into(),
            "governance.operators-kind",
            293,
            "rotate the operators'",
        ),
        (G::Hosts("why").into(), "governance.hosts", 294, "refused: why"),
        (N::NotAwaited(address).into(), "network.not-awaited", 500, "operators must first decide"),
        (N::Key(address).into(), "network.key", 501, "not signed by the consensus key"),
        (N::AlreadySynced(address).into(), "network.already-synced", 502, "published synced already"),
        (N::Height { given: height, current: height }.into(), "network.height", 503, "has reached"),
        (N::NotAfter { validator: address, not_after: TIME }.into(), "network.not-after", 504, "must withdraw"),
    ]
}

fn dids() -> Vec<Row> {
    use DidRejection as D;
    let key = |reason| D::Key { kid: "did:ebsi:zAuthor#k".into(), reason };
    vec![
        (D::NotRegistered(did()).into(), "did.not-registered", 300, "register it first"),
        (D::Deactivated(did()).into(), "did.deactivated", 301, "use another DID"),
        (key(KeyRefusal::Unknown).into(), "did.unknown-key", 302, "the kid is <did>#<RFC 7638 thumbprint>"),
        (key(KeyRefusal::NotGranted).into(), "did.key-not-granted", 303, "not granted for this use"),
        (key(KeyRefusal::NotYetValid).into(), "did.key-not-yet-valid", 304, "not valid yet"),
        (key(KeyRefusal::Expired).into(), "did.key-expired", 305, "expired"),
        (key(KeyRefusal::Revoked).into(), "did.key-revoked", 306, "revoked"),
        (key(KeyRefusal::Compromised).into(), "did.key-compromised", 307, "compromised"),
        (D::AlreadyRegistered(did()).into(), "did.already-registered", 308, "by update-did"),
        (D::Form { did: did(), method: "ebsi".into() }.into(), "did.form", 309, "did:ebsi:z + base58btc"),
        (D::NotAController { author: did(), did: did() }.into(), "did.not-a-controller", 310, "only its controllers"),
        (D::Stale { current: id() }.into(), "did.stale", 311, "sign anew with that as prev"),
        (D::NotAuthorised(did()).into(), "did.not-authorised", 312, "VerifiableAuthorisationToOnboard"),
        (D::Authorisation("why".into()).into(), "did.authorisation", 313, "refused: why"),
        (D::OtherKey("jkt".into()).into(), "did.other-key", 314, "must be signed for jkt"),
        (D::LockedOut.into(), "did.locked-out", 315, "keep a capabilityInvocation key"),
        (D::Limit { what: "keys", most: 64 }.into(), "did.limit", 316, "too many keys: at most 64"),
        (D::MalformedKey.into(), "did.malformed-key", 317, "on its curve"),
        (D::Window("begins late").into(), "did.window", 318, "begins late"),
        (D::Change { index: 3, reason: "why" }.into(), "did.change", 319, "change 3: why"),
        (D::Document("why").into(), "did.document", 320, "the document is refused: why"),
    ]
}

fn issuers() -> Vec<Row> {
    use IssuerRejection as I;
    let scope = |what| I::Scope(what);
    vec![
        (I::Unknown(place()).into(), "issuer.unknown-attribute", 350, "reserves it first"),
        (I::Taken(place()).into(), "issuer.attribute-taken", 351, "choose another"),
        (I::NotTheAccreditor(did()).into(), "issuer.not-the-accreditor", 352, "not the accreditor"),
        (I::NotTheSubject(did()).into(), "issuer.not-the-subject", 353, "only the subject fills it"),
        (I::Stale { current: id() }.into(), "issuer.stale", 354, "sign anew with that as prev"),
        (I::Parent(refusal()).into(), "issuer.parent", 355, "was never accredited"),
        (I::Type("why").into(), "issuer.type", 356, "why"),
        (I::SelfAccreditation.into(), "issuer.self-accreditation", 357, "nobody accredits itself"),
        (I::Circle(did()).into(), "issuer.circle", 358, "in a circle"),
        (I::TooDeep.into(), "issuer.too-deep", 359, "more than 5 links"),
        (I::Credential("why".into()).into(), "issuer.credential", 360, "refused: why"),
        (I::CredentialKey(KeyRefusal::Expired).into(), "issuer.credential-key", 361, "the key has expired"),
        (I::Signature.into(), "issuer.signature", 362, "not the accreditor's"),
        (scope(OutOfScope::Schema(schema())).into(), "issuer.scope-schema", 363, "09090909"),
        (scope(OutOfScope::Type("Degree".into())).into(), "issuer.scope-type", 364, "type Degree"),
        (scope(OutOfScope::Jurisdiction("LUX".into())).into(), "issuer.scope-jurisdiction", 365, "jurisdiction LUX"),
        (I::Dates("why").into(), "issuer.dates", 366, "why"),
        (I::Ended.into(), "issuer.ended", 367, "has ended"),
        (I::EndDate("why").into(), "issuer.end-date", 368, "why"),
        (I::Entity("why").into(), "issuer.entity", 369, "why"),
        (I::Limit.into(), "issuer.limit", 370, "256 accreditations"),
    ]
}

fn schemas_and_status() -> Vec<Row> {
    use SchemaRejection as S;
    use StatusRejection as T;
    vec![
        (S::TooLarge(40_000).into(), "schema.too-large", 400, "split it"),
        (S::Malformed("why".into()).into(), "schema.malformed", 401, "why"),
        (S::Draft.into(), "schema.draft", 402, "draft/2020-12"),
        (S::RemoteReference("https://x".into()).into(), "schema.remote-reference", 403, "copy it in"),
        (S::Id { expected: schema() }.into(), "schema.id", 404, "09090909"),
        (S::NotAccredited { did: did(), refusal: refusal() }.into(), "schema.not-accredited", 405, "never accredited"),
        (S::NotTheOwner(did()).into(), "schema.not-the-owner", 406, "first publisher"),
        (S::Stale { current: id() }.into(), "schema.stale", 407, "sign anew with that as prev"),
        (S::Unknown(schema()).into(), "schema.unknown", 408, "leave prev out"),
        (S::Unchanged.into(), "schema.unchanged", 409, "already"),
        (T::NotAccredited { did: did(), refusal: refusal() }.into(), "status.not-accredited", 450, "never accredited"),
        (T::Size.into(), "status.size", 451, "a multiple of 8"),
        (T::Version { expected: 2 }.into(), "status.version", 452, "version is 2"),
        (T::Changed.into(), "status.changed", 453, "begin another list"),
        (T::Stale { current: id() }.into(), "status.stale", 454, "sign anew with that as prev"),
        (T::Unknown.into(), "status.unknown", 455, "leave prev out"),
        (T::Key(KeyRefusal::NotGranted).into(), "status.key", 456, "not granted"),
        (T::OtherIssuer.into(), "status.other-issuer", 457, "own issuer"),
        (T::Issued.into(), "status.issued", 458, "within a day"),
        (T::Attachment.into(), "status.attachment", 459, "send them with the record"),
        (T::Signature("token").into(), "status.signature", 460, "over the token"),
        (T::Name.into(), "status.name", 461, "begins with a letter"),
    ]
}

#[test]
fn every_code_is_pinned_and_every_message_says_what_to_do() {
    let table = [notary_and_governance(), members(), dids(), issuers(), schemas_and_status()].concat();
    for (rejection, slug, number, words) in &table {
        assert_eq!(rejection.code(), (*slug, *number));
        let message = rejection.to_string();
        assert!(message.contains(words), "{slug}: {message}");
    }
    let pinned: BTreeSet<_> = table.iter().map(|(_, slug, number, _)| (*number, *slug)).skip(1).collect();
    let listed: Vec<_> = CODES.iter().map(|(slug, number)| (*number, *slug)).collect();
    assert_eq!(listed, pinned.into_iter().collect::<Vec<_>>(), "the list of codes is the table");
    // The source names no code that is not in the list.
    let source = include_str!("../../src/rejection/codes.rs");
    for (number, slug) in listed {
        let arm = format!("=> (\"{slug}\", {number})");
        assert!(source.contains(&arm), "no rejection has the code {slug}");
    }
    assert_eq!(source.matches("=> (\"").count(), CODES.len(), "a code is not in the list");
}
