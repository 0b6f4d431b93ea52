//! What browsers are told to allow the page: its own files, the configured nodes, the camera; nothing else.

use axum::http::header::{
    CONTENT_SECURITY_POLICY, HeaderName, HeaderValue, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use bytes::Bytes;

use crate::network::NodeAddress;

/// Directives that hold in a header and in a `meta` element. `default-src 'none'` covers fonts, frames, media and objects; the
/// camera's picture is no source. `testamur` is the one Trusted Types policy: it lets the service worker's own address through.
const DIRECTIVES: [&str; 9] = [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' blob:",
    "manifest-src 'self'",
    "worker-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "require-trusted-types-for 'script'; trusted-types testamur",
];

/// Browsers take this from a header alone: who exports the page must send it, or others can frame it.
const FRAMES: &str = "frame-ancestors 'none'";

/// Everything that a page can be allowed, turned off but for the camera, which reads QR codes.
const PERMISSIONS: &str = "accelerometer=(), autoplay=(), camera=(self), display-capture=(), encrypted-media=(), \
    fullscreen=(), geolocation=(), gyroscope=(), hid=(), idle-detection=(), magnetometer=(), microphone=(), midi=(), \
    payment=(), picture-in-picture=(), publickey-credentials-get=(), screen-wake-lock=(), serial=(), usb=(), \
    xr-spatial-tracking=()";

/// The content security policy of a page that asks these nodes, without what only a header can say.
fn meta_policy(nodes: &[NodeAddress]) -> String {
    let mut sources = String::from("connect-src 'self'");
    for node in nodes {
        sources.push(' ');
        sources.push_str(&node.source());
    }
    format!("{}; {sources}", DIRECTIVES.join("; "))
}

/// The content security policy of a page that asks these nodes.
///
/// ```
/// let nodes = ["https://node-1.example".parse()?, "https://b.example/ledger".parse()?];
/// let policy = testamur_page::policy::content_security_policy(&nodes);
/// assert!(policy.contains("; connect-src 'self' https://node-1.example https://b.example/ledger/; "));
/// # Ok::<_, testamur_page::NodeAddressError>(())
/// ```
pub fn content_security_policy(nodes: &[NodeAddress]) -> String {
    format!("{}; {FRAMES}", meta_policy(nodes))
}

/// The headers that every answer carries; `tls` says whether visitors come by TLS.
pub fn headers(nodes: &[NodeAddress], tls: bool) -> Vec<(HeaderName, HeaderValue)> {
    let fixed = |name, value| (HeaderName::from_static(name), HeaderValue::from_static(value));
    let policy = HeaderValue::try_from(content_security_policy(nodes)).expect("addresses are plain ASCII");
    let mut headers = vec![
        (CONTENT_SECURITY_POLICY, policy),
        fixed("cross-origin-opener-policy", "same-origin"),
        fixed("cross-origin-resource-policy", "same-origin"),
        fixed("permissions-policy", PERMISSIONS),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    if tls {
        headers.push((STRICT_TRANSPORT_SECURITY, HeaderValue::from_static("max-age=31536000")));
    }
    headers
}

const META_BEGIN: &str = "<meta http-equiv=\"Content-Security-Policy\" content=\"";
const META_END: &str = "\">";

/// The page with its policy inside, for hosts that send no headers of ours: behind the declaration of its encoding, which
/// browsers look for in the first kilobyte, and before anything that the policy is about. None when it has no such place.
pub(crate) fn with_meta(index: &str, nodes: &[NodeAddress]) -> Option<String> {
    let place = ["<meta charset=\"utf-8\">", "<meta charset=\"utf-8\" />", "<meta charset=\"UTF-8\">", "<head>"];
    let at = place.iter().find_map(|text| index.find(text).map(|at| at + text.len()))?;
    let (before, after) = index.split_at(at);
    Some(format!("{before}{META_BEGIN}{}{META_END}{after}", meta_policy(nodes)))
}

/// The page as it was built, without the policy that [`with_meta`] put into it.
pub(crate) fn without_meta(index: Bytes) -> Bytes {
    let Ok(text) = core::str::from_utf8(&index) else { return index };
    let Some((before, rest)) = text.split_once(META_BEGIN) else { return index };
    let Some((_, after)) = rest.split_once(META_END) else { return index };
    format!("{before}{after}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_goes_in_and_comes_out() {
        let nodes = ["http://127.0.0.1:8080".parse().unwrap()];
        for index in [
            "<!doctype html>\n<html><head><meta charset=\"utf-8\"><script src=\"x\"></script></head></html>",
            "<!doctype html>\n<html>\n  <head>\n    <script src=\"x\"></script></head></html>",
        ] {
            let with = with_meta(index, &nodes).unwrap();
            assert!(with.contains("connect-src 'self' http://127.0.0.1:8080\">"), "{with}");
            assert!(!with.contains("frame-ancestors"), "browsers ignore it there, and complain");
            assert!(with.find(META_BEGIN) < with.find("<script"), "{with}");
            assert_eq!(without_meta(with.into()), index);
            assert_eq!(without_meta(Bytes::from(index)), index);
        }
        assert_eq!(with_meta("<html></html>", &nodes), None);
    }
}
