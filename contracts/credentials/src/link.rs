//! The share link: the compact credential in a URL's fragment, which browsers do not send to servers.
//!
//! ```text
//! https://<page>/#c=<compact credential>        at most 2,000 characters
//! ```
//! Mail scanners and chat services write `%23` for `#` and percent-encode what follows; both are read.

use crate::limits::LINK_CHARS_MAX;
use crate::refusal::Refusal;

/// Why a link cannot be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A page that a link cannot lead to.
    #[error("the page's address must begin with https:// and have no #, space or quote")]
    Page,
    /// Longer than what mail programs leave whole.
    #[error("the link would have {0} characters; at most {LINK_CHARS_MAX} arrive whole everywhere")]
    TooLong(usize),
}

/// The link to a page with a compact credential.
pub fn make(page: &str, compact: &str) -> Result<String, LinkError> {
    let is_local = ["http://127.0.0.1", "http://localhost", "http://[::1]"].iter().any(|local| page.starts_with(local));
    let is_plain = page.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b'"' | b'<' | b'>'));
    if !(page.starts_with("https://") || is_local) || !is_plain {
        return Err(LinkError::Page);
    }
    // A page by itself ends in a slash; a path or file stays as it is.
    let authority = page.split_once("://").map_or("", |(_, rest)| rest);
    let slash = if authority.contains('/') { "" } else { "/" };
    let link = format!("{page}{slash}#c={compact}");
    if link.len() > LINK_CHARS_MAX { Err(LinkError::TooLong(link.len())) } else { Ok(link) }
}

/// Whether text is a link at all.
pub fn is_link(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

/// The compact credential in a link.
pub fn parse(link: &str) -> Result<String, Refusal> {
    // Percent-encoding triples what it touches.
    if link.len() > 3 * LINK_CHARS_MAX {
        return Err(Refusal::TooLarge { bytes: link.len(), most: 3 * LINK_CHARS_MAX });
    }
    let marks = ["#c=", "%23c=", "%23c%3D", "%23c%3d"];
    let after = |mark: &str| link.find(mark).map(|at| (at, &link[at + mark.len()..]));
    let (_, rest) = marks.into_iter().filter_map(after).min_by_key(|(at, _)| *at).ok_or(Refusal::NoCredential)?;
    let end = rest.find(['&', '#']).unwrap_or(rest.len());
    decode(&rest[..end])
}

fn decode(text: &str) -> Result<String, Refusal> {
    let damaged = || Refusal::malformed("the link is damaged");
    let mut decoded = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, encoded)) = rest.split_once('%') {
        decoded.push_str(plain);
        let digits = encoded.get(..2).filter(|digits| digits.bytes().all(|digit| digit.is_ascii_hexdigit()));
        let byte = digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).filter(u8::is_ascii);
        decoded.push(char::from(byte.ok_or_else(damaged)?));
        rest = &encoded[2..];
    }
    decoded.push_str(rest);
    if decoded.is_empty() { Err(Refusal::NoCredential) } else { Ok(decoded) }
}
