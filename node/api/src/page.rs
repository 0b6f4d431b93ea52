//! The OpenAPI document as one page for reading: no script, nothing from anywhere else, and a policy that says so.

use core::fmt::Write as _;

use serde_json::Value;
use testamur_primitives::codec::{base64_standard, sha256};

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:62rem;margin:0 auto;padding:1rem}\
h1{line-height:1.2}h2{margin-top:2.5rem;border-bottom:1px solid #8888}\
h3{margin-top:2rem;overflow-wrap:anywhere}\
code,pre{font-family:ui-monospace,monospace;font-size:.92em;overflow-wrap:anywhere}\
.method{display:inline-block;min-width:3.5em;font-weight:700}\
table{border-collapse:collapse;width:100%;margin:.5rem 0}\
th,td{text-align:left;vertical-align:top;padding:.25rem .75rem .25rem 0;border-bottom:1px solid #8884}\
nav ul{list-style:none;padding:0}nav li{margin:.15rem 0}\
dt{font-weight:600;margin-top:.5rem}dd{margin:0 0 0 1.5rem}";

/// The page and its content security policy.
pub(crate) fn render(document: &Value) -> (String, String) {
    let mut page = Page { html: String::new(), document };
    page.whole();
    let style_hash = base64_standard(&sha256(&[STYLE.as_bytes()]));
    let policy = format!(
        "default-src 'none'; style-src 'sha256-{style_hash}'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
    );
    (page.html, policy)
}

struct Page<'d> {
    html: String,
    document: &'d Value,
}

impl Page<'_> {
    fn raw(&mut self, html: &str) {
        self.html.push_str(html);
    }

    /// Text from the document: escaped, with `code` spans.
    fn text(&mut self, text: &str) {
        for (place, part) in text.split('`').enumerate() {
            let escaped = escape(part);
            if place % 2 == 1 {
                write!(self.html, "<code>{escaped}</code>").expect("writing to a string");
            } else {
                self.html.push_str(&escaped);
            }
        }
    }

    fn paragraphs(&mut self, text: &str) {
        for paragraph in text.split("\n\n").filter(|p| !p.is_empty()) {
            self.raw("<p>");
            self.text(paragraph);
            self.raw("</p>\n");
        }
    }

    fn whole(&mut self) {
        let document = self.document;
        let title = text_of(&document["info"]["title"]);
        let head = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"><style>{STYLE}</style></head><body>\n\
             <h1>{title} {version}</h1>\n",
            title = escape(title),
            version = escape(text_of(&document["info"]["version"])),
        );
        self.raw(&head);
        self.paragraphs(text_of(&document["info"]["description"]));
        self.raw("<p>For machines: <a href=\"/v1/openapi.json\">openapi.json</a> (OpenAPI 3.1).</p>\n");
        self.contents();
        for tag in array(&document["tags"]) {
            let name = text_of(&tag["name"]);
            self.raw(&format!("<section><h2 id=\"{0}\">{0}</h2>\n", escape(name)));
            self.paragraphs(text_of(&tag["description"]));
            for (path, method, operation) in operations(document, name) {
                self.operation(path, method, operation);
            }
            self.raw("</section>\n");
        }
        self.schemas();
        self.problems();
        self.raw("</body></html>\n");
    }

    fn contents(&mut self) {
        let document = self.document;
        self.raw("<nav><ul>\n");
        for tag in array(&document["tags"]) {
            for (path, method, operation) in operations(document, text_of(&tag["name"])) {
                let line = format!(
                    "<li><span class=\"method\">{}</span> <a href=\"#{}\"><code>{}</code></a> ",
                    method.to_uppercase(),
                    operation_id(path, method),
                    escape(path)
                );
                self.raw(&line);
                self.text(text_of(&operation["summary"]));
                self.raw("</li>\n");
            }
        }
        self.raw(
            "<li><a href=\"#schemas\">Schemas</a></li><li><a href=\"#problems\">Problem codes</a></li></ul></nav>\n",
        );
    }

    fn operation(&mut self, path: &str, method: &str, operation: &Value) {
        let heading = format!(
            "<h3 id=\"{}\"><span class=\"method\">{}</span> <code>{}</code></h3>\n<p><strong>",
            operation_id(path, method),
            method.to_uppercase(),
            escape(path)
        );
        self.raw(&heading);
        self.text(text_of(&operation["summary"]));
        self.raw("</strong></p>\n");
        self.paragraphs(text_of(&operation["description"]));
        let parameters = array(&operation["parameters"]);
        if !parameters.is_empty() {
            self.raw(
                "<table><thead><tr><th>Parameter</th><th>In</th><th>Type</th><th>Meaning</th></tr></thead><tbody>\n",
            );
            for parameter in parameters {
                let required = if parameter["required"] == Value::Bool(true) { " (required)" } else { "" };
                let row = format!(
                    "<tr><td><code>{}</code>{required}</td><td>{}</td><td>{}</td><td>",
                    escape(text_of(&parameter["name"])),
                    escape(text_of(&parameter["in"])),
                    type_of(&parameter["schema"]),
                );
                self.raw(&row);
                self.text(text_of(&parameter["description"]));
                self.raw("</td></tr>\n");
            }
            self.raw("</tbody></table>\n");
        }
        if let Some(body) = operation.get("requestBody") {
            self.raw("<p>Body: ");
            self.text(text_of(&body["description"]));
            self.contents_of(&body["content"]);
            self.raw("</p>\n");
        }
        self.raw("<table><thead><tr><th>Status</th><th>Meaning</th></tr></thead><tbody>\n");
        let responses = operation["responses"].as_object();
        let mut responses: Vec<_> = responses.into_iter().flatten().collect();
        responses.sort_by_key(|(status, _)| status.as_str());
        for (status, response) in responses {
            self.raw(&format!("<tr><td>{}</td><td>", escape(status)));
            self.text(text_of(&response["description"]));
            self.contents_of(&response["content"]);
            self.raw("</td></tr>\n");
        }
        self.raw("</tbody></table>\n");
    }

    fn contents_of(&mut self, content: &Value) {
        for (media_type, content) in content.as_object().into_iter().flatten() {
            let line = format!(" <code>{}</code> {}", escape(media_type), type_of(&content["schema"]));
            self.raw(&line);
        }
    }

    fn schemas(&mut self) {
        self.raw("<section><h2 id=\"schemas\">Schemas</h2>\n");
        let document = self.document;
        for (name, schema) in document["components"]["schemas"].as_object().into_iter().flatten() {
            self.raw(&format!("<h3 id=\"schema-{0}\">{0}</h3>\n", escape(name)));
            self.paragraphs(text_of(&schema["description"]));
            let Some(members) = schema["properties"].as_object() else {
                self.raw(&format!("<p>{}</p>\n", type_of(schema)));
                continue;
            };
            self.raw("<table><thead><tr><th>Member</th><th>Type</th><th>Meaning</th></tr></thead><tbody>\n");
            for (member, schema) in members {
                self.raw(&format!("<tr><td><code>{}</code></td><td>{}</td><td>", escape(member), type_of(schema)));
                self.text(text_of(&schema["description"]));
                self.raw("</td></tr>\n");
            }
            self.raw("</tbody></table>\n");
        }
        self.raw("</section>\n");
    }

    fn problems(&mut self) {
        self.raw("<section><h2 id=\"problems\">Problem codes</h2>\n<p>Of the API, then of the ledger's rules.</p>\n");
        self.raw("<table><thead><tr><th>Code</th><th>Status</th><th>Meaning</th></tr></thead><tbody>\n");
        let document = self.document;
        for problem in array(&document["x-problem-codes"]).iter().chain(array(&document["x-rejection-codes"])) {
            let code = escape(text_of(&problem["code"]));
            let number = problem["number"].as_u64().map_or_else(String::new, |n| format!(" ({n})"));
            let row = format!(
                "<tr id=\"problem-{code}\"><td><code>{code}</code>{number}</td><td>{}</td><td>",
                problem["status"]
            );
            self.raw(&row);
            self.text(text_of(&problem["description"]));
            self.raw("</td></tr>\n");
        }
        self.raw("</tbody></table></section>\n");
    }
}

/// A schema in a few words, with links to named ones.
fn type_of(schema: &Value) -> String {
    if let Some(name) = schema["$ref"].as_str().and_then(|r| r.rsplit('/').next()) {
        return format!("<a href=\"#schema-{0}\">{0}</a>", escape(name));
    }
    if let Some(choices) = schema["oneOf"].as_array().or(schema["anyOf"].as_array()) {
        return choices.iter().map(type_of).collect::<Vec<_>>().join(" or ");
    }
    let named = |name: &str| match name {
        "array" => format!("array of {}", type_of(&schema["items"])),
        name => escape(name),
    };
    let name = match &schema["type"] {
        Value::String(name) => named(name),
        Value::Array(names) => names.iter().map(|n| named(text_of(n))).collect::<Vec<_>>().join(" or "),
        _ => return String::new(),
    };
    let choices: Vec<_> =
        array(&schema["enum"]).iter().map(|c| format!("<code>{}</code>", escape(text_of(c)))).collect();
    if choices.is_empty() { name } else { choices.join(", ") }
}

fn operations<'d>(document: &'d Value, tag: &'d str) -> impl Iterator<Item = (&'d str, &'d str, &'d Value)> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let all = paths.flat_map(|(path, item)| {
        item.as_object()
            .into_iter()
            .flatten()
            .map(move |(method, operation)| (path.as_str(), method.as_str(), operation))
    });
    all.filter(move |(_, _, operation)| array(&operation["tags"]).iter().any(|t| t == tag))
}

fn operation_id(path: &str, method: &str) -> String {
    let safe = |c: char| if c.is_ascii_alphanumeric() { c } else { '-' };
    format!("{method}{}", path.chars().map(safe).collect::<String>())
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn text_of(value: &Value) -> &str {
    value.as_str().unwrap_or("")
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::ApiConfig;

    #[test]
    fn the_page_has_no_script_nothing_foreign_and_every_problem() {
        let hostile = Some("https://x.example/\"><script>alert(1)</script>".to_owned());
        let document = crate::openapi::document(&ApiConfig { public_url: hostile, ..ApiConfig::default() });
        let (html, policy) = render(&document);
        for absent in ["<script", "http://", "https://", "javascript:", "src="] {
            assert!(!html.contains(absent), "{absent}");
        }
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"));
        for kind in crate::problem::KINDS {
            assert!(html.contains(&format!("id=\"problem-{}\"", kind.code)), "{}", kind.code);
        }
        for fragment in html.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
            assert!(html.contains(&format!("id=\"{fragment}\"")), "#{fragment} leads nowhere");
        }
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(escape("<a href=\"x\" t='y'>&"), "&lt;a href=&quot;x&quot; t=&#39;y&#39;&gt;&amp;");
    }
}
