//! The OpenAPI 3.1 description of the gateway and a readable page of it, without scripts or third parties.

use serde_json::{Value, json};
use testamur_api::problem::Kind;

use crate::limits::{FILES_MAX, HASHES_MAX};
use crate::problem::KINDS;

/// A route as it is described.
struct Route {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    description: String,
    body: Option<&'static [&'static str]>,
    has_options: bool,
    needs_token: bool,
    success: &'static str,
}

fn routes() -> Vec<Route> {
    let sent: &[&str] = &["multipart/form-data", "application/octet-stream"];
    let json: &[&str] = &["application/json"];
    vec![
        Route {
            method: "post",
            path: "/v1/documents",
            summary: "Notarise documents",
            description: format!(
                "The body is one document of any size, or a multipart form with 1 to {FILES_MAX} files in fields named \
                 `file`. Documents are hashed while they arrive and not stored. One document is answered with its receipt, \
                 several with an array of receipts in their order. All of them are under one record: all or none."
            ),
            body: Some(sent),
            has_options: true,
            needs_token: true,
            success: "The receipt, or an array of receipts; each has verified.",
        },
        Route {
            method: "post",
            path: "/v1/hashes",
            summary: "Notarise digests",
            description: format!(
                "An array of 1 to {HASHES_MAX} digests: strings, or objects `{{\"alg\":…,\"digest\":…}}`, in hexadecimal or \
                 unpadded base64url. Answered with an array of receipts in their order."
            ),
            body: Some(json),
            has_options: true,
            needs_token: true,
            success: "An array of receipts; each has verified.",
        },
        Route {
            method: "post",
            path: "/v1/receipts",
            summary: "Ask again after an unknown outcome",
            description: "The body is the answer with code `gateway.outcome-unknown`, or its member `pending` alone. \
                          The gateway keeps nothing: this works after a restart, and at another gateway of the network."
                .into(),
            body: Some(json),
            has_options: false,
            needs_token: true,
            success: "An array of receipts; each has verified.",
        },
        Route {
            method: "get",
            path: "/v1/status",
            summary: "Author, network, readiness",
            description: "Whose records the gateway signs, for which network, and whether a node of it answers now."
                .into(),
            body: None,
            has_options: false,
            needs_token: true,
            success: "The gateway's status.",
        },
        Route {
            method: "get",
            path: "/livez",
            summary: "Whether the process runs",
            description: "For load balancers; any Host header will do.".into(),
            body: None,
            has_options: false,
            needs_token: false,
            success: "It runs.",
        },
        Route {
            method: "get",
            path: "/v1/openapi.json",
            summary: "This description",
            description: "OpenAPI 3.1.".into(),
            body: None,
            has_options: false,
            needs_token: false,
            success: "The description.",
        },
        Route {
            method: "get",
            path: "/docs",
            summary: "This description as a page",
            description: "HTML without scripts.".into(),
            body: None,
            has_options: false,
            needs_token: false,
            success: "The page.",
        },
    ]
}

/// The OpenAPI document as JSON text.
pub(crate) fn document() -> String {
    let mut paths = serde_json::Map::new();
    for route in routes() {
        let mut operation = json!({
            "summary": route.summary,
            "description": route.description,
            "responses": {
                "200": {"description": route.success},
                "default": {
                    "description": "A problem (RFC 9457).",
                    "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
                },
            },
            "security": if route.needs_token { json!([{"token": []}]) } else { json!([]) },
        });
        if let Some(types) = route.body {
            let content: serde_json::Map<_, _> =
                types.iter().map(|kind| ((*kind).to_owned(), schema_of(kind))).collect();
            operation["requestBody"] = json!({"required": true, "content": content});
        }
        if route.has_options {
            operation["parameters"] = json!([
                {"name": "alg", "in": "query", "description": "Digest algorithm, sha2-256 unless given.", "schema": {
                    "enum": ["sha2-256", "sha2-384", "sha2-512", "sha3-256", "sha3-384", "sha3-512"]}},
                {"name": "public", "in": "query",
                 "description": "1: plain digests, which anybody can find by hash; at most 512 of one algorithm. Otherwise salted.",
                 "schema": {"enum": ["0", "1"]}},
            ]);
        }
        paths.insert(route.path.to_owned(), json!({route.method: operation}));
    }
    let codes: Vec<&str> = KINDS.iter().map(|kind| kind.code).collect();
    let document = json!({
        "openapi": "3.1.0",
        "info": {"title": "Testamur gateway", "version": env!("CARGO_PKG_VERSION"),
                 "description": "Documents in, receipts out: the author's side of a Testamur network."},
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            "schemas": {"Problem": {
                "type": "object",
                "required": ["type", "title", "status", "detail", "code", "request_id"],
                "properties": {
                    "type": {"type": "string"},
                    "title": {"type": "string"},
                    "status": {"type": "integer"},
                    "detail": {"type": "string"},
                    "code": {"type": "string", "examples": codes},
                    "request_id": {"type": "string"},
                    "record": {"type": "string", "description": "Id of the record, when one was sent."},
                    "pending": {"type": "object", "description": "What to ask again with; it holds the salts."},
                },
            }},
        },
    });
    document.to_string()
}

fn schema_of(kind: &str) -> Value {
    match kind {
        "multipart/form-data" => json!({"schema": {"type": "object", "required": ["file"], "properties": {
            "file": {"type": "array", "items": {"type": "string", "format": "binary"}}}}}),
        "application/json" => json!({"schema": {}}),
        _ => json!({"schema": {"type": "string", "format": "binary"}}),
    }
}

/// The page: routes, then codes. All text is this crate's own.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Testamur gateway</title>\
         <meta name=\"viewport\" content=\"width=device-width\"></head><body>\
         <h1>Testamur gateway</h1><p>Documents in, receipts out. The same as <a href=\"/v1/openapi.json\">OpenAPI 3.1</a>.</p>\
         <pre>curl -H \"Authorization: Bearer TOKEN\" -F file=@contract.pdf HOST/v1/documents -o contract.pdf.receipt.json</pre>",
    );
    for route in routes() {
        let token = if route.needs_token { " (needs a token)" } else { "" };
        page.push_str(&format!(
            "<h2><code>{} {}</code></h2><p><b>{}</b>{token}. {}</p>",
            route.method.to_uppercase(),
            route.path,
            escape(route.summary),
            escape(&route.description),
        ));
        if route.has_options {
            page.push_str(
                "<p>Query: <code>alg</code> (sha2-256 unless given; sha2-384, sha2-512, sha3-256, sha3-384, sha3-512), \
                 <code>public=1</code> (plain digests that anybody can find by hash; otherwise salted).</p>",
            );
        }
    }
    page.push_str("<h2>Problems</h2><dl>");
    for Kind { code, status, title, description } in KINDS {
        page.push_str(&format!(
            "<dt id=\"problem-{code}\"><code>{code}</code> ({}) {}</dt><dd>{}</dd>",
            status.as_u16(),
            escape(title),
            escape(description),
        ));
    }
    page.push_str("</dl></body></html>");
    page
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
