//! Who may call which route: every route of every service has a row here. One that has none fails the campaign, and so does
//! a row that no service has.

/// Service, method, path, and who may:
/// - `anyone`: whoever reaches the listener, whatever else he sends along;
/// - `local`: as `anyone`, but under the service's own name and not from a web page of another origin;
/// - `signed`: what is sent is signed by whoever may write it (`super::records`);
/// - `token`: any token that holds; otherwise the scopes of which the token must have one;
/// - `program`: no web page, whatever its origin.
pub(super) const TABLE: &str = "
    node     GET    /log/tile/{tile} anyone
    node     GET    /v1/records/{id} anyone
    node     GET    /v1/records/{id}/receipt anyone
    node     GET    /v1/notarisations anyone
    node     GET    /v1/blocks anyone
    node     GET    /v1/blocks/stream anyone
    node     GET    /v1/blocks/{height} anyone
    node     GET    /v1/checkpoints/latest anyone
    node     GET    /v1/checkpoints/{height} anyone
    node     GET    /v1/consistency anyone
    node     GET    /v1/history anyone
    node     GET    /v1/epochs anyone
    node     GET    /v1/network anyone
    node     GET    /v1/genesis anyone
    node     GET    /v1/status anyone
    node     GET    /log/checkpoint anyone
    node     GET    /log/policy/{epoch} anyone
    node     GET    /v1/dids anyone
    node     GET    /v1/dids/{did} anyone
    node     GET    /v1/dids/{did}/history anyone
    node     GET    /v1/issuers anyone
    node     GET    /v1/issuers/{did} anyone
    node     GET    /v1/accreditations anyone
    node     GET    /v1/accreditations/{attribute} anyone
    node     GET    /v1/trust-chains anyone
    node     GET    /v1/trust-chains/{attribute} anyone
    node     GET    /v1/schemas anyone
    node     GET    /v1/schemas/{schema} anyone
    node     GET    /v1/status-lists anyone
    node     GET    /v1/status-lists/{did}/{list} anyone
    node     GET    /v1/status-lists/{did}/{list}/bits anyone
    node     GET    /v1/status-lists/{did}/{list}/status-list-2021 anyone
    node     GET    /v1/status-lists/{did}/{list}/bitstring anyone
    node     GET    /v1/status-lists/{did}/{list}/token anyone
    node     GET    /v1/dossiers anyone
    node     GET    /v1/dossiers/{id} anyone
    node     GET    /v1/state anyone
    node     GET    /v1/attachments/{sha256} anyone
    node     GET    /v1/equivocations anyone
    node     GET    /v1/governance anyone
    node     GET    /v1/governance/proposals anyone
    node     GET    /v1/governance/proposals/{id} anyone
    node     GET    /v1/governance/set-change anyone
    node     GET    /v1/openapi.json anyone
    node     GET    /docs anyone
    node     GET    /did-registry/v5/identifiers anyone
    node     GET    /did-registry/v5/identifiers/{did} anyone
    node     GET    /trusted-issuers-registry/v5/issuers anyone
    node     GET    /trusted-issuers-registry/v5/issuers/{did} anyone
    node     GET    /trusted-issuers-registry/v5/issuers/{did}/attributes anyone
    node     GET    /trusted-issuers-registry/v5/issuers/{did}/attributes/{attribute} anyone
    node     GET    /trusted-issuers-registry/v5/issuers/{did}/attributes/{attribute}/revisions anyone
    node     GET    /trusted-issuers-registry/v5/issuers/{did}/attributes/{attribute}/revisions/{revision} anyone
    node     GET    /trusted-issuers-registry/v5/issuers/{did}/proxies anyone
    node     GET    /trusted-issuers-registry/v5/issuers/{did}/proxies/{proxy} anyone
    node     GET    /trusted-issuers-registry/v5/issuers/{did}/proxies/{proxy}/credentials/status/{list} anyone
    node     GET    /trusted-schemas-registry/v3/schemas anyone
    node     GET    /trusted-schemas-registry/v3/schemas/{schema} anyone
    node     GET    /trusted-schemas-registry/v3/schemas/{schema}/revisions anyone
    node     GET    /trusted-schemas-registry/v3/schemas/{schema}/revisions/{revision} anyone
    node     GET    /trusted-schemas-registry/v3/schemas/{schema}/revisions/{revision}/metadata anyone
    node     GET    /trusted-schemas-registry/v3/schemas/{schema}/revisions/{revision}/metadata/{metadata} anyone
    node     GET    /trusted-policies-registry/v3/policies anyone
    node     GET    /trusted-policies-registry/v3/policies/{policy} anyone
    node     GET    /trusted-policies-registry/v3/users anyone
    node     GET    /trusted-policies-registry/v3/users/{address} anyone
    node     GET    /timestamp/v4/hash-algorithms anyone
    node     GET    /timestamp/v4/hash-algorithms/{id} anyone
    node     GET    /timestamp/v4/timestamps anyone
    node     GET    /timestamp/v4/timestamps/{id} anyone
    node     GET    /timestamp/v4/records anyone
    node     GET    /timestamp/v4/records/{id} anyone
    node     GET    /timestamp/v4/records/{id}/versions anyone
    node     GET    /timestamp/v4/records/{id}/versions/{version} anyone
    node     GET    /v1/did-registry/details anyone
    node     GET    /v1/issuers-registry/details anyone
    node     GET    /v1/alive anyone
    node     GET    /1.0/identifiers/{did} anyone
    node     GET    /v1/did-registry/identifiers anyone
    node     GET    /v1/did-registry/identifiers/{did} anyone
    node     GET    /v1/issuers-registry/issuers anyone
    node     GET    /v1/issuers-registry/issuers/{did} anyone
    node     GET    /v1/issuers-registry/issuers/{did}/attributes anyone
    node     GET    /v1/issuers-registry/issuers/{did}/attributes/{attribute} anyone
    node     GET    /v1/issuers-registry/issuers/{did}/attributes/{attribute}/revisions anyone
    node     GET    /v1/issuers-registry/issuers/{did}/attributes/{attribute}/revisions/{revision} anyone
    node     GET    /v1/issuers-registry/issuers/{did}/proxies anyone
    node     GET    /v1/issuers-registry/issuers/{did}/proxies/{proxy} anyone
    node     GET    /v1/issuers-registry/issuers/{did}/proxies/{proxy}/credentials/status/{list} anyone
    node     GET    /v1/records anyone
    node     POST   /v1/records signed
    node     POST   /did-registry/v5/identifiers/{did}/actions anyone
    gateway  POST   /v1/documents notarise
    gateway  GET    /v1/documents notarise
    gateway  POST   /v1/batches notarise
    gateway  POST   /v1/hashes notarise
    gateway  POST   /v1/receipts notarise
    gateway  GET    /v1/status token
    gateway  GET    /v1/documents/{id} notarise
    gateway  DELETE /v1/documents/{id} notarise
    gateway  GET    /v1/documents/{id}/receipt notarise
    gateway  GET    /v1/documents/{id}/receipts/{place} notarise
    gateway  POST   /v1/backups operate
    gateway  POST   /v1/diplomas diplomas
    gateway  GET    /v1/diplomas/jobs/{job} diplomas
    gateway  POST   /v1/diplomas/changes diplomas
    gateway  GET    /v1/diplomas/changes diplomas|approve
    gateway  GET    /v1/diplomas/changes/{change} diplomas|approve
    gateway  DELETE /v1/diplomas/changes/{change} diplomas|approve
    gateway  POST   /v1/diplomas/changes/{change}/approval approve
    gateway  GET    /v1/diplomas/{id} diplomas
    gateway  GET    /v1/diplomas/{id}/receipt diplomas
    gateway  GET    /v1/diplomas/{id}/package diplomas
    gateway  GET    /v1/openapi.json local
    gateway  GET    /docs local
    gateway  GET    /livez anyone
    verifier POST   /v1/verify token
    verifier POST   /v1/verify/batch token
    verifier GET    /v1/samples token
    verifier GET    /v1/samples/{name} token
    verifier GET    /v1/status token
    verifier GET    /openapi.json token
    verifier GET    /docs token
    verifier GET    /healthz anyone
    admin    GET    /livez anyone
    admin    GET    /readyz anyone
    admin    GET    /metrics anyone
    admin    GET    /backup anyone
    admin    POST   /backup program
    page     GET    / anyone
    page     GET    /index.html anyone
    page     GET    /network.json anyone
    page     GET    /sw.js anyone
    page     GET    /manifest.webmanifest anyone
";

/// One row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Right {
    pub(super) service: &'static str,
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) who: &'static str,
}

/// All rows.
pub(super) fn rights() -> Vec<Right> {
    let row = |line: &'static str| {
        let mut words = line.split_whitespace();
        let mut next = || words.next().expect("a row has four words");
        Right { service: next(), method: next(), path: next(), who: next() }
    };
    TABLE.lines().filter(|line| !line.trim().is_empty()).map(row).collect()
}
