//! Every route × every caller: what is allowed must be, and nothing else.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;

use serde_json::Value;

use super::table::{Right, rights};
use crate::campaign::Run;
use crate::harness::{Network, Response, Setup, request, wait_for};

/// What a caller sends along, and whether it is a token that holds.
struct Caller {
    name: String,
    headers: Vec<(String, String)>,
    query: String,
    /// The scopes of a token that holds; none where no token does.
    scopes: Option<Vec<&'static str>>,
    /// Under another host's name, or from a web page of another origin.
    foreign: bool,
    /// From a web page of any origin.
    page: bool,
}

impl Caller {
    fn of(name: &str, headers: &[(&str, &str)]) -> Self {
        let headers: Vec<_> = headers.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        let is = |names: &[&str]| headers.iter().any(|(name, _)| names.contains(&name.as_str()));
        let foreign = is(&["host", "origin", "sec-fetch-site"]);
        let page = is(&["origin", "sec-fetch-site"]);
        Self { name: name.into(), query: String::new(), scopes: None, foreign, page, headers }
    }

    fn with(mut self, scopes: &[&'static str]) -> Self {
        self.scopes = Some(scopes.to_vec());
        self
    }

    /// Whether the table lets it in.
    fn may(&self, who: &str) -> bool {
        match who {
            "anyone" | "signed" => true,
            "local" => !self.foreign,
            "program" => !self.page,
            "token" => !self.foreign && self.scopes.is_some(),
            scopes => {
                let own = self.scopes.iter().flatten();
                !self.foreign && own.into_iter().any(|own| scopes.split('|').any(|scope| scope == *own))
            }
        }
    }
}

const SCOPES: [&str; 4] = ["notarise", "diplomas", "approve", "operate"];

/// What is wrong with a token, or with how it is sent; none of them holds.
fn faults(good: &str, expired: &str, revoked: &str) -> Vec<Caller> {
    let bearer = |text: &str| vec![("authorization".to_owned(), text.to_owned())];
    let named = |name: &str, text: String| Caller { headers: bearer(&text), ..Caller::of(name, &[]) };
    let hash = hex::encode(testamur_primitives::codec::sha256(&[b"testamur/token/v1\n", good.as_bytes()]));
    let none = base64(br#"{"alg":"none"}"#);
    let mut twice = named("two tokens", format!("Bearer {good}"));
    twice.headers.push(("authorization".into(), "Bearer other".into()));
    let mut query = Caller::of("token in the query", &[]);
    query.query = format!("access_token={good}");
    vec![
        Caller::of("nobody", &[]),
        named("empty", "Bearer ".into()),
        named("no scheme", good.into()),
        named("another scheme", format!("Basic {good}")),
        named("a wrong token", format!("Bearer {}", "A".repeat(43))),
        named("cut by one", format!("Bearer {}", &good[..good.len() - 1])),
        named("one longer", format!("Bearer {good}A")),
        named("other letters", format!("Bearer {}", swapped(good))),
        named("its hash", format!("Bearer {hash}")),
        named("two in one", format!("Bearer {good},{good}")),
        named("a JWT without algorithm", format!("Bearer {none}.{none}.")),
        named("a NUL behind it", format!("Bearer {good}%00")),
        named("expired", format!("Bearer {expired}")),
        named("revoked", format!("Bearer {revoked}")),
        Caller::of("token in a cookie", &[("cookie", &format!("token={good}; authorization=Bearer {good}"))]),
        Caller::of("token in another field", &[("x-authorization", &format!("Bearer {good}"))]),
        query,
        twice,
    ]
}

fn base64(bytes: &[u8]) -> String {
    testamur_primitives::codec::base64url(bytes)
}

fn swapped(text: &str) -> String {
    let swap = |c: char| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() };
    text.chars().map(swap).collect()
}

/// With a token that holds, in a way that no program sends it.
fn foreigners(own: SocketAddr, good: &str) -> Vec<Caller> {
    let token = format!("Bearer {good}");
    let token = ("authorization", token.as_str());
    let near = format!("{own}.evil.example");
    let all = [
        ("another origin", ("origin", "https://evil.example")),
        ("an origin without name", ("origin", "null")),
        ("a page across sites", ("sec-fetch-site", "cross-site")),
        ("a page of the same site", ("sec-fetch-site", "same-site")),
        ("another host", ("host", "evil.example")),
        ("a host that begins alike", ("host", near.as_str())),
    ];
    all.iter().map(|(name, header)| Caller::of(name, &[token, *header]).with(&SCOPES)).collect()
}

/// A path with something in each place.
pub(super) fn concrete(path: &str) -> String {
    let mut made = String::new();
    for part in path.split_inclusive(['{', '}']) {
        match part.strip_suffix('}') {
            Some(name) => {
                made.push_str(match name {
                    "height" | "epoch" | "version" | "place" => "0",
                    "did" => "did:ebsi:zfEmvX5twhXjQJiCWsukvQA",
                    "tile" => "0/000",
                    _ => "0000000000000000000000000000000000000000000000000000000000000000",
                });
            }
            None => made.push_str(part.trim_end_matches('{')),
        }
    }
    made
}

/// Operations of an OpenAPI document.
fn documented(service: &'static str, document: &Value) -> BTreeSet<(String, String, String)> {
    let paths = document["paths"].as_object().expect("an OpenAPI document has paths");
    let methods = |path: &str, item: &Value| -> Vec<_> {
        let names = item.as_object().expect("a path's item").keys();
        let names = names.filter(|name| ["get", "post", "put", "patch", "delete"].contains(&name.as_str()));
        names.map(|name| (service.to_owned(), name.to_uppercase(), path.to_owned())).collect()
    };
    paths.iter().flat_map(|(path, item)| methods(path, item)).collect()
}

struct Cells {
    tried: u64,
    wrong_allows: u64,
}

/// A caller at a route: an answer that says no, or any other.
fn refused(answer: &Response) -> bool {
    matches!(answer.status, 401 | 403 | 421)
}

pub(super) fn every_route(run: &mut Run) {
    let mut network = Network::start(&Setup { validators: 4, heartbeat_s: 1 });
    let [expired, revoked] = ["expired", "revoked"].map(|label| network.gateway_token(label, &SCOPES));
    let good = network.gateway_token("everything", &SCOPES);
    let single = SCOPES.map(|scope| (scope, network.gateway_token(scope, &[scope])));
    let file = network.root().join("gateway/tokens.json");
    let mut tokens: Value = serde_json::from_slice(&fs::read(&file).expect("tokens")).expect("JSON");
    for entry in tokens["tokens"].as_array_mut().expect("tokens") {
        match entry["label"].as_str() {
            Some("expired") => entry["expires"] = 1_000_000_000.into(),
            Some("revoked") => entry["revoked"] = 1_000_000_000.into(),
            _ => {}
        }
    }
    fs::write(&file, testamur_primitives::codec::canonical(&tokens)).expect("written");
    let (gateway, _) = network.start_gateway();
    let verifier_token = "a-token-of-the-verifier-that-nobody-guesses";
    let (verifier, page) = (network.start_verifier(Some(verifier_token)), network.start_page());
    let services = [
        ("node", network.nodes[0].api),
        ("admin", network.nodes[0].admin),
        ("gateway", gateway),
        ("verifier", verifier.address),
        ("page", page.address),
    ];
    wait_for("the gateway to answer", std::time::Duration::from_secs(60), || {
        request(gateway, "GET", "/livez", &[], &[]).ok().filter(|answer| answer.status == 200)
    });

    let rights = rights();
    routes_have_rows(run, &rights, &services, verifier_token);
    let mut cells = Cells { tried: 0, wrong_allows: 0 };
    for right in &rights {
        let address = services.iter().find(|(name, _)| *name == right.service).expect("a service").1;
        let token = if right.service == "verifier" { verifier_token } else { good.as_str() };
        let mut callers = faults(token, &expired, &revoked);
        if right.service == "gateway" {
            let alone = single.iter().map(|(scope, token)| {
                Caller::of(scope, &[("authorization", &format!("Bearer {token}"))]).with(&[scope])
            });
            callers.extend(alone);
        }
        callers.push(Caller::of("whoever may", &[("authorization", &format!("bearer {token}"))]).with(&SCOPES));
        callers.extend(foreigners(address, token));
        for caller in &callers {
            cell(run, &mut cells, right, address, caller);
        }
        other_methods(run, &mut cells, &rights, right, address);
    }
    // What is the operators' is not on the public listener, nor the gateway's on the verifier's.
    for right in rights.iter().filter(|right| right.service != "node") {
        let own = |r: &&Right| r.service == "node" && r.path == right.path;
        if right.service != "page" && !rights.iter().any(|r| own(&r)) {
            let answer = request(network.nodes[0].api, right.method, &concrete(right.path), &[], &[]);
            cells.tried += 1;
            match answer {
                Ok(answer) if answer.status == 404 => run.good(1),
                other => {
                    cells.wrong_allows += 1;
                    run.bad(&format!("{} {} answers on the public listener: {other:?}", right.method, right.path));
                }
            }
        }
    }
    outside_of_the_page(run, &mut cells, page.address);
    run.metric("routes", rights.len());
    run.metric("cells", cells.tried);
    run.metric("wrong-allows", cells.wrong_allows);
    network.check();
}

/// A route without a row, and a row without a route, is bad.
fn routes_have_rows(run: &mut Run, rights: &[Right], services: &[(&'static str, SocketAddr)], token: &str) {
    let of = |right: &Right| (right.service.to_owned(), right.method.to_owned(), right.path.to_owned());
    let token = format!("Bearer {token}");
    for (service, document) in
        [("node", "/v1/openapi.json"), ("gateway", "/v1/openapi.json"), ("verifier", "/openapi.json")]
    {
        let address = services.iter().find(|(name, _)| *name == service).expect("a service").1;
        let answer = request(address, "GET", document, &[("authorization", &token)], &[]).expect("an answer");
        assert_eq!(answer.status, 200, "{service} describes itself: {}", answer.text());
        let found = documented(service, &answer.json());
        let rows: BTreeSet<_> = rights.iter().filter(|right| right.service == service).map(of).collect();
        for (service, method, path) in found.difference(&rows) {
            run.bad(&format!("{service} {method} {path} has no row in rights/table.rs: who may call it?"));
        }
        for (service, method, path) in rows.difference(&found) {
            run.bad(&format!("{service} {method} {path} has a row in rights/table.rs and is no route"));
        }
        run.good(rows.intersection(&found).count() as u64);
    }
}

fn send(address: SocketAddr, right: &Right, method: &str, caller: &Caller) -> Response {
    let mut target = concrete(right.path);
    if !caller.query.is_empty() {
        target = format!("{target}?{}", caller.query);
    }
    let headers: Vec<(&str, &str)> = caller.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).collect();
    request(address, method, &target, &headers, &[]).unwrap_or_else(|error| {
        panic!("{method} {} {target} by {}: {error}", right.service, caller.name);
    })
}

fn cell(run: &mut Run, cells: &mut Cells, right: &Right, address: SocketAddr, caller: &Caller) {
    let answer = send(address, right, right.method, caller);
    cells.tried += 1;
    let (may, refused) = (caller.may(right.who), refused(&answer));
    let told = || {
        let Right { service, method, path, who } = right;
        format!("{service} {method} {path} ({who}) by {}: {} {}", caller.name, answer.status, answer.text())
    };
    if answer.status >= 500 && ![501, 503].contains(&answer.status) {
        run.bad(&format!("fails: {}", told()));
    } else if may == refused {
        cells.wrong_allows += u64::from(!may);
        run.bad(&format!("{}: {}", if may { "wrongly refused" } else { "wrongly allowed" }, told()));
    } else if right.service == "node" && right.method == "POST" && caller.page {
        // A web page may send such a request; it must never read the answer.
        match answer.header("access-control-allow-origin") {
            None => run.good(1),
            Some(_) => run.bad(&format!("a page may read what it wrote: {}", told())),
        }
    } else {
        run.good(1);
    }
}

/// Methods that a path does not have are not taken, from nobody.
fn other_methods(run: &mut Run, cells: &mut Cells, rights: &[Right], right: &Right, address: SocketAddr) {
    let nobody = Caller::of("nobody", &[]);
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "TRACE", "PROPFIND"] {
        let same = |r: &Right| r.service == right.service && r.path == right.path;
        let known = |method: &str| rights.iter().any(|r| same(r) && r.method == method);
        // Once for each path.
        let first = rights.iter().find(|r| same(r)) == Some(right);
        if known(method) || !first {
            continue;
        }
        let answer = send(address, right, method, &nobody);
        cells.tried += 1;
        if matches!(answer.status, 401 | 404 | 405 | 501) {
            run.good(1);
        } else {
            cells.wrong_allows += 1;
            run.bad(&format!("{} {method} {}: {} {}", right.service, right.path, answer.status, answer.text()));
        }
    }
}

/// The page serves its own files and no other.
fn outside_of_the_page(run: &mut Run, cells: &mut Cells, page: SocketAddr) {
    for target in [
        "/../Cargo.toml",
        "/..%2f..%2fetc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "//etc/passwd",
        "/assets/../../etc/passwd",
        "/assets/%00",
        "/index.html%00.js",
        "/.git/config",
        "/assets",
        "/assets/",
        "/trust.json",
        "/INDEX.HTML",
        "/network.json/",
        "/network.json%2f",
        "http://evil.example/index.html/..",
    ] {
        cells.tried += 1;
        match request(page, "GET", target, &[], &[]) {
            Ok(answer) if matches!(answer.status, 400 | 404 | 421) => run.good(1),
            other => {
                cells.wrong_allows += 1;
                run.bad(&format!("the page serves {target}: {other:?}"));
            }
        }
    }
}
