//! The OpenAPI 3.1 description of the gateway and a readable page of it, without scripts or third parties.

use serde_json::{Value, json};
use testamur_api::problem::Kind;

use crate::diplomas::problem::DIPLOMA_KINDS;
use crate::limits::{FILES_MAX, HASHES_MAX, LISTING_DEFAULT, LISTING_MAX, ROWS_MAX};
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
    let hashes: &[&str] = &["application/json", "application/x-ndjson"];
    let rows: &[&str] = &["text/csv", "application/json"];
    vec![
        Route {
            method: "post",
            path: "/v1/documents",
            summary: "Notarise documents",
            description: format!(
                "The body is one document of any size, or a multipart form with 1 to {FILES_MAX} files in fields named \
                 `file`. Documents are hashed while they arrive and not stored. One document is answered with its receipt, \
                 several with an array of receipts in their order. All of them are under one record: all or none. The header \
                 `Testamur-Document` names the id that the receipts wait under, also for a caller that is gone before the answer."
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
                 unpadded base64url. Answered with an array of receipts in their order. As `application/x-ndjson` a stream of any length: one object a line, \
                 answered line by line with `line`, `id`, `place` and `receipt`, or `problem`; the last line is `end`."
            ),
            body: Some(hashes),
            has_options: true,
            needs_token: true,
            success: "An array of receipts; each has verified.",
        },
        Route {
            method: "post",
            path: "/v1/batches",
            summary: "Notarise the root of a batch",
            description: "For trees whose documents the caller keeps: `{\"tree\":\"rfc6962-sha256\",\"root\":…,\"count\":…,\"ref\":…}`, with the \
                          root in unpadded base64url. The batch has its record alone, with the root, the count and the reference on the \
                          ledger. Answered with the record's receipt without an opening: the caller's own openings complete it for each \
                          document (FORMATS.md). Query and headers: `async` and `Idempotency-Key` as for documents."
                .into(),
            body: Some(json),
            has_options: false,
            needs_token: true,
            success: "The receipt; it has verified.",
        },
        Route {
            method: "get",
            path: "/v1/documents",
            summary: "What was sent",
            description: format!(
                "With the same token, the latest first, as `documents`: {LISTING_DEFAULT} on a page, or `limit` (1 to {LISTING_MAX}); \
                 `next` is the address of the page that follows, as long as there is more. A page may be shorter than asked for. \
                 `state` (queued, sent, final, refused), `ref`, and `from` and `until` (times of sending, in seconds since 1970) say \
                 which."
            ),
            body: None,
            has_options: false,
            needs_token: true,
            success: "A page of requests, each as `GET /v1/documents/{id}` has it, without receipts.",
        },
        Route {
            method: "post",
            path: "/v1/receipts",
            summary: "Ask again after an unknown outcome",
            description: "The body is the answer with code `gateway.outcome-unknown`, or its member `pending` alone. \
                          It holds all that is needed: this works after a restart, and at another gateway of the network."
                .into(),
            body: Some(json),
            has_options: false,
            needs_token: true,
            success: "An array of receipts; each has verified.",
        },
        Route {
            method: "get",
            path: "/v1/documents/{id}",
            summary: "Where a request stands",
            description: "Of what was sent with the same token: queued, sent, final or refused, since when, its record; of one final document \
                          the receipt too. Times are seconds since 1970."
                .into(),
            body: None,
            has_options: false,
            needs_token: true,
            success: "Where it stands.",
        },
        Route {
            method: "delete",
            path: "/v1/documents/{id}",
            summary: "Forget a request",
            description: "Erases receipts and salts of what is final or refused, and with the salts what connects the ledger's record with \
                          the documents. Answered with 204."
                .into(),
            body: None,
            has_options: false,
            needs_token: true,
            success: "Not used: see 204.",
        },
        Route {
            method: "get",
            path: "/v1/documents/{id}/receipt",
            summary: "The receipts again",
            description: "The same bytes as the first time: of one document its receipt, of several an array in their order.".into(),
            body: None,
            has_options: false,
            needs_token: true,
            success: "The receipt, or an array of receipts.",
        },
        Route {
            method: "get",
            path: "/v1/documents/{id}/receipts/{place}",
            summary: "One receipt of several",
            description: "By its place in the request, from 0.".into(),
            body: None,
            has_options: false,
            needs_token: true,
            success: "The receipt.",
        },
        Route {
            method: "post",
            path: "/v1/backups",
            summary: "Back the archive up",
            description: "Writes a consistent copy of receipts and queue into the gateway's directory for backups, while requests go on. \
                          Answered with 201 and its name. Scope `operate`."
                .into(),
            body: None,
            has_options: false,
            needs_token: true,
            success: "201: the name of the copy, and how many values it holds.",
        },
        Route {
            method: "post",
            path: "/v1/diplomas",
            summary: "Issue diplomas",
            description: format!(
                "Rows of the university's books: a CSV table as its software exports it, or a JSON array of objects with the same \
                 columns; 1 to {ROWS_MAX}. All are signed and anchored by one record, or none. The key is registrar id and award id: \
                 rows that were issued before are answered again, a row with other content is refused. Answered with 202 and a job \
                 to ask for; with `wait=final`, or when nothing is new, with one JSON line a diploma. Scope `diplomas`."
            ),
            body: Some(rows),
            has_options: false,
            needs_token: true,
            success: "One JSON line a diploma, in the order of the rows.",
        },
        Route {
            method: "get",
            path: "/v1/diplomas/jobs/{job}",
            summary: "How far a job is",
            description: "Stages: signing, anchoring, anchored, done. Scope `diplomas`.".into(),
            body: None,
            has_options: false,
            needs_token: true,
            success: "The job and its diplomas.",
        },
        Route {
            method: "get",
            path: "/v1/diplomas/{id}",
            summary: "What was issued",
            description: "By the award's key, its id, or REGISTRAR-ID/AWARD-ID with the stroke as %2F: standing, editions, credentials. \
                          With `.pdf` after the id the printable PDF, byte for byte as it was. Scope `diplomas`."
                .into(),
            body: None,
            has_options: false,
            needs_token: true,
            success: "The diploma.",
        },
        Route {
            method: "get",
            path: "/v1/diplomas/{id}/receipt",
            summary: "The receipt of its anchor",
            description: "Of the first of its formats. Scope `diplomas`.".into(),
            body: None,
            has_options: false,
            needs_token: true,
            success: "The receipt.",
        },
        Route {
            method: "get",
            path: "/v1/diplomas/{id}/package",
            summary: "A diploma package",
            description: "Credential, receipt and fresh proofs: verifies without a network. Scope `diplomas`.".into(),
            body: None,
            has_options: false,
            needs_token: true,
            success: "The package.",
        },
        Route {
            method: "post",
            path: "/v1/diplomas/changes",
            summary: "Propose a change",
            description: "`{\"do\":\"correct\",\"rows\":[…]}`, or `{\"do\":\"revoke\",\"reason\":…,\"diplomas\":[ids]}`, suspend, reinstate. \
                          Reasons: revoke: issued-in-error, obtained-by-fraud, decision-of-authority, at-holders-request; suspend: \
                          under-investigation, decision-of-authority, at-holders-request; reinstate: investigation-closed, \
                          decision-of-authority, at-holders-request, suspended-in-error. Nothing changes before another person \
                          approves it. Scope `diplomas`, with a person's token."
                .into(),
            body: Some(json),
            has_options: false,
            needs_token: true,
            success: "201: the change, and for each diploma which fields differ.",
        },
        Route {
            method: "get",
            path: "/v1/diplomas/changes",
            summary: "Open changes",
            description: "Those that wait for approval or are under way. Scope `diplomas` or `approve`.".into(),
            body: None,
            has_options: false,
            needs_token: true,
            success: "The list.",
        },
        Route {
            method: "get",
            path: "/v1/diplomas/changes/{change}",
            summary: "A change",
            description: "Stages: proposed, approved, replacing, publishing, verifying, done; withdrawn. At the end what verification \
                          says of each diploma. Scope `diplomas` or `approve`."
                .into(),
            body: None,
            has_options: false,
            needs_token: true,
            success: "The change.",
        },
        Route {
            method: "delete",
            path: "/v1/diplomas/changes/{change}",
            summary: "Withdraw a proposal",
            description: "As long as nothing is begun. Scope `diplomas` or `approve`, with a person's token.".into(),
            body: None,
            has_options: false,
            needs_token: true,
            success: "The change.",
        },
        Route {
            method: "post",
            path: "/v1/diplomas/changes/{change}/approval",
            summary: "Approve a change",
            description: "By another person than the one who proposed it. Answered with 202 at once, with `wait=final` when it is carried \
                          out and every diploma was verified again. What is begun is completed, also after a restart. Scope `approve`."
                .into(),
            body: None,
            has_options: false,
            needs_token: true,
            success: "The change.",
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

/// What a receiver of webhooks must know.
const WEBHOOK: &str = "Sent to the address that the gateway's operator set, of queued requests and of those whose callers were told that \
    the outcome was not known. Signed as Standard Webhooks has it: `webhook-signature` holds base64(HMAC-SHA-256(secret, \
    id.timestamp.body)), with the secret's bytes from behind `whsec_`. Check it over the body as it came, refuse what is older than five \
    minutes, and note ids: a message may come twice. `examples/webhook.py` of the gateway does so. It holds no receipt, salt or digest: \
    those are asked for with the token.";

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
                {"name": "async", "in": "query",
                 "description": "1: taken into the queue and answered at once with 202, Location and where it stands; signed when it is \
                                 sent, kept until it is final.",
                 "schema": {"enum": ["0", "1"]}},
                {"name": "ref", "in": "query",
                 "description": "The caller's own name for it, such as a case: kept in the archive and found by GET /v1/documents, never on \
                                 the ledger. Never a person's name.",
                 "schema": {"type": "string", "pattern": "^[A-Za-z0-9._-]{1,64}$"}},
                {"name": "Idempotency-Key", "in": "header",
                 "description": "The same request with the same key gets the same answer and is notarised once; another request gets 422, \
                                 one whose like is under way 409.",
                 "schema": {"type": "string", "maxLength": 255}},
            ]);
            operation["responses"]["202"] = json!({"description": "With async=1: queued, under the id in Location."});
        }
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method] = operation;
    }
    let codes: Vec<&str> = KINDS.iter().chain(DIPLOMA_KINDS).map(|kind| kind.code).collect();
    let document = json!({
        "openapi": "3.1.0",
        "info": {"title": "Testamur gateway", "version": env!("CARGO_PKG_VERSION"),
                 "description": "Documents in, receipts out: the author's side of a Testamur network."},
        "paths": paths,
        "webhooks": {"settled": {"post": {
            "summary": "Something settled that nobody waited for",
            "description": WEBHOOK,
            "parameters": [
                {"name": "webhook-id", "in": "header", "description": "The same when the message is sent again.", "schema": {"type": "string"}},
                {"name": "webhook-timestamp", "in": "header", "description": "Seconds since 1970.", "schema": {"type": "string"}},
                {"name": "webhook-signature", "in": "header", "description": "`v1,` and base64.", "schema": {"type": "string"}},
            ],
            "requestBody": {"content": {"application/json": {"schema": {"type": "object", "properties": {
                "type": {"enum": ["document.final", "document.refused"]},
                "timestamp": {"type": "integer"},
                "data": {"type": "object", "description": "As `GET /v1/documents/{id}` has it, without receipt."}}}}}},
            "responses": {
                "2XX": {"description": "Taken."},
                "410": {"description": "Never to be sent again."},
                "default": {"description": "Sent again, with growing pauses, for four days."}},
        }}},
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
                    "document": {"type": "string", "description": "Id that the receipts wait under, when they will."},
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
        "application/x-ndjson" => json!({"schema": {"type": "string"}}),
        "text/csv" => json!({"schema": {"type": "string"}}),
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
                 <code>public=1</code> (plain digests that anybody can find by hash; otherwise salted), \
                 <code>ref</code> (the caller's own name for it), <code>async=1</code> (queued, answered at once). Header: <code>Idempotency-Key</code>.</p>",
            );
        }
    }
    page.push_str(&format!("<h2>Webhook</h2><p>{}</p>", escape(WEBHOOK)));
    page.push_str("<h2>Problems</h2><dl>");
    for Kind { code, status, title, description } in KINDS.iter().chain(DIPLOMA_KINDS) {
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
