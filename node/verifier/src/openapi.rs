//! The OpenAPI 3.1 description of the verifier and a readable page of it, without scripts or third parties.

use serde_json::{Value, json};
use testamur_api::problem::Kind;
use testamur_credentials::limits::FILE_BYTES_MAX;
use testamur_credentials::verify::{Reason, StepName};

use crate::limits::{ITEM_BYTES_MAX, ITEMS_MAX};
use crate::problem::KINDS;

/// A route as it is described.
struct Route {
    method: &'static str,
    path: &'static str,
    summary: &'static str,
    description: String,
    body: &'static [&'static str],
    success: (&'static str, &'static str, &'static str),
}

fn routes() -> Vec<Route> {
    let get = |path, summary, description: &str, success| Route {
        method: "get",
        path,
        summary,
        description: description.into(),
        body: &[],
        success,
    };
    vec![
        Route {
            method: "post",
            path: "/v1/verify",
            summary: "Verify one file",
            description: format!(
                "The body is the file as it is, at most {FILE_BYTES_MAX} bytes: a PDF, a diploma package, a credential, a share \
                 link, or a zip archive of these. An archive gives several reports. A diploma that does not hold is no error: the \
                 status is 200 and the report says why."
            ),
            body: &["application/octet-stream"],
            success: ("application/json", "Answer", "The verdict, with a report for each credential of the file."),
        },
        Route {
            method: "post",
            path: "/v1/verify/batch",
            summary: "Verify many files",
            description: format!(
                "At most {ITEMS_MAX} items of at most {ITEM_BYTES_MAX} bytes: a multipart form with fields named `file`, lines of JSON, \
                 or a JSON array. A JSON item is a string (a credential or link), a package as it is, or \
                 `{{\"id\": …, \"file\": base64, \"receipt\": base64}}`, of which only `file` must be there. Answered with one line of \
                 JSON for each item, in their order; an item that is malformed has `problem` in place of `verdict`. Items are \
                 verified while they arrive; the answer begins when the last has come, or when 16 MiB of answers wait. A request that \
                 breaks off before that is a problem; after that the last line is a `problem` without `item`."
            ),
            body: &["multipart/form-data", "application/x-ndjson", "application/json"],
            success: ("application/x-ndjson", "Line", "One line of JSON for each item."),
        },
        get(
            "/v1/samples",
            "Sample requests with the answers expected",
            "Each sample is a file, the time to ask about (`at`), and the verdict and reason that a verifier with the samples' \
             trust file gives.",
            ("application/json", "Samples", "The samples."),
        ),
        get(
            "/v1/samples/{name}",
            "A sample's file",
            "The bytes to send to /v1/verify.",
            ("application/octet-stream", "File", "The file."),
        ),
        get(
            "/v1/status",
            "Ledgers and bounds",
            "Which networks are trusted here, which nodes are asked, how old proofs may be, and how much is taken at once.",
            ("application/json", "Status", "The verifier's status."),
        ),
        get(
            "/healthz",
            "Whether the process runs",
            "For watchdogs; any Host header will do, and no token is needed.",
            ("text/plain", "Text", "It runs."),
        ),
        get("/openapi.json", "This description", "OpenAPI 3.1.", ("application/json", "Any", "The description.")),
        get("/docs", "This description as a page", "HTML without scripts.", ("text/html", "Text", "The page.")),
    ]
}

/// The OpenAPI document as JSON text.
pub(crate) fn document() -> String {
    let mut paths = serde_json::Map::new();
    for route in routes() {
        let (kind, schema, meaning) = route.success;
        let mut operation = json!({
            "summary": route.summary,
            "description": route.description,
            "responses": {
                "200": {"description": meaning, "content": {kind: {"schema": reference(schema)}}},
                "default": {
                    "description": "A problem (RFC 9457).",
                    "content": {"application/problem+json": {"schema": reference("Problem")}},
                },
            },
        });
        if route.path != "/healthz" {
            operation["security"] = json!([{}, {"token": []}]);
        }
        if !route.body.is_empty() {
            let content: serde_json::Map<_, _> =
                route.body.iter().map(|kind| ((*kind).to_owned(), json!({"schema": body_schema(kind)}))).collect();
            operation["requestBody"] = json!({"required": true, "content": content});
            operation["parameters"] = json!([{
                "name": "at", "in": "query", "schema": {"type": "string"},
                "description": "Judge as of this time: RFC 3339 or seconds since 1970. Now unless given.",
            }]);
        }
        if route.path.contains("{name}") {
            operation["parameters"] =
                json!([{"name": "name", "in": "path", "required": true, "schema": {"type": "string"}}]);
        }
        paths.insert(route.path.to_owned(), json!({route.method: operation}));
    }
    json!({
        "openapi": "3.1.0",
        "info": {"title": "Testamur verifier", "version": env!("CARGO_PKG_VERSION"),
                 "description": "Verifies diplomas for programs of this machine. Nothing is stored, and nothing of a diploma is logged."},
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer",
                "description": "Needed only when the verifier is reached from other machines."}},
            "schemas": schemas(),
        },
    })
    .to_string()
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn body_schema(kind: &str) -> Value {
    match kind {
        "multipart/form-data" => json!({"type": "object", "required": ["file"], "properties": {
            "file": {"type": "array", "maxItems": ITEMS_MAX, "items": {"type": "string", "format": "binary"}}}}),
        "application/json" => json!({"type": "array", "maxItems": ITEMS_MAX, "items": reference("Item")}),
        "application/x-ndjson" => reference("Item"),
        _ => reference("File"),
    }
}

fn schemas() -> Value {
    let reasons: Vec<&str> = Reason::ALL.iter().map(|reason| reason.code()).collect();
    let steps: Vec<_> = StepName::ALL.iter().map(|step| serde_json::to_value(step).expect("a word")).collect();
    let codes: Vec<&str> = KINDS.iter().map(|kind| kind.code).collect();
    let verdict = json!({"enum": ["valid", "not-valid", "cannot-tell"]});
    let time = json!({"type": "integer", "description": "Seconds since 1970."});
    let report = json!({
        "type": "object",
        "required": ["v", "verdict", "reason", "at", "steps"],
        "properties": {
            "name": {"type": "string", "description": "Where in an archive it was."},
            "v": {"const": 1},
            "verdict": verdict,
            "reason": reference("Reason"),
            "at": time,
            "as_of": {"type": "integer", "description": "As of when the ledger's state is proven."},
            "format": {"enum": ["sd-jwt", "vcdm2", "ebsi", "compact"]},
            "steps": {"type": "array", "minItems": 8, "maxItems": 8, "items": {
                "type": "object",
                "required": ["step", "outcome", "reason", "evidence"],
                "properties": {
                    "step": {"enum": steps},
                    "outcome": {"enum": ["passed", "failed", "unknown", "not-checked"]},
                    "reason": reference("Reason"),
                    "evidence": {},
                }}},
            "subject": {"type": "object", "description": "What it attests. Absent when it was altered or cannot be read."},
        },
    });
    let decided = json!({
        "verdict": verdict,
        "reason": reference("Reason"),
        "reports": {"type": "array", "items": reference("Report")},
        "nodes": {"type": "array", "items": {"type": "object", "properties": {
            "code": {"type": "string"},
            "suspect": {"type": "boolean", "description": "It answered, and what it answered cannot be honest and up to date."},
            "message": {"type": "string"}}}},
    });
    let mut line = decided.clone();
    line["item"] = json!({"type": "integer", "description": "Place of the item, from 0."});
    line["id"] = json!({"type": "string"});
    line["problem"] =
        json!({"type": "object", "properties": {"code": {"type": "string"}, "detail": {"type": "string"}}});
    json!({
        "Any": {},
        "Text": {"type": "string"},
        "File": {"type": "string", "format": "binary"},
        "Reason": {"enum": reasons},
        "Report": report,
        "Answer": {"type": "object", "required": ["verdict", "reason", "reports"], "properties": decided},
        "Line": {"type": "object", "properties": line},
        "Item": {"oneOf": [
            {"type": "string", "description": "A credential or a share link."},
            {"type": "object", "required": ["file"], "additionalProperties": false, "properties": {
                "id": {"type": "string", "maxLength": crate::limits::ID_CHARS_MAX},
                "file": {"type": "string", "contentEncoding": "base64"},
                "receipt": {"type": "string", "contentEncoding": "base64"}}},
            {"type": "object", "required": ["type"], "description": "A diploma package as it is.",
             "properties": {"type": {"const": "testamur-diploma-package"}}},
        ]},
        "Samples": {"type": "object"},
        "Status": {"type": "object"},
        "Problem": {
            "type": "object",
            "required": ["type", "title", "status", "detail", "code", "request_id"],
            "properties": {
                "type": {"type": "string"},
                "title": {"type": "string"},
                "status": {"type": "integer"},
                "detail": {"type": "string"},
                "code": {"type": "string", "examples": codes},
                "request_id": {"type": "string"},
            },
        },
    })
}

/// The page: routes, then reasons, then problems. All text is this crate's own.
pub(crate) fn page() -> String {
    let mut page = String::from(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>Testamur verifier</title>\
         <meta name=\"viewport\" content=\"width=device-width\"></head><body>\
         <h1>Testamur verifier</h1><p>Diplomas in, verdicts out. The same as <a href=\"/openapi.json\">OpenAPI 3.1</a>.</p>\
         <pre>curl --data-binary @diploma.pdf http://127.0.0.1:8790/v1/verify</pre>",
    );
    for route in routes() {
        page.push_str(&format!(
            "<h2><code>{} {}</code></h2><p><b>{}</b>. {}</p>",
            route.method.to_uppercase(),
            escape(route.path),
            escape(route.summary),
            escape(&route.description),
        ));
    }
    page.push_str("<h2>Reasons</h2><dl>");
    for reason in Reason::ALL {
        page.push_str(&format!(
            "<dt><code>{}</code></dt><dd>{} {}</dd>",
            reason.code(),
            escape(reason.sentence()),
            escape(reason.next())
        ));
    }
    page.push_str("</dl><h2>Problems</h2><dl>");
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reference_of_the_document_leads_somewhere() {
        let document: Value = serde_json::from_str(&document()).unwrap();
        let text = document.to_string();
        let mut seen = 0;
        for (at, _) in text.match_indices("#/components/schemas/") {
            let name = text[at + "#/components/schemas/".len()..].split('"').next().unwrap();
            assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
            seen += 1;
        }
        assert!(seen > 10);
    }
}
