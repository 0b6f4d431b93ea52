//! Which network a deployment of the page is for: its trust file, its nodes, its name.

use core::fmt;
use std::collections::BTreeSet;

use testamur_primitives::trust::TrustFile;

use crate::limits::{ADDRESS_BYTES_MAX, NAME_CHARS_MAX, NODES_MAX};

/// Why a text is no address that the page's policy can name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NodeAddressError {
    /// Another scheme.
    #[error("it must begin with https:// or http://")]
    Scheme,
    /// The host.
    #[error("its host is no name such as node-1.example")]
    Host,
    /// An IPv6 address.
    #[error("browsers' policies cannot name IPv6 addresses: give the host's name")]
    Ipv6,
    /// The port.
    #[error("its port is not between 1 and 65535")]
    Port,
    /// The path.
    #[error("its path may hold letters, digits, '.', '_', '~' and '-' between slashes, no query, no fragment")]
    Path,
    /// Its length.
    #[error("it has more than {ADDRESS_BYTES_MAX} bytes")]
    Length,
}

/// Where a node answers: `https://host[:port][/path]` with nothing in it that means something in a policy or an attribute.
///
/// ```
/// use testamur_page::NodeAddress;
/// let node: NodeAddress = "https://Node-1.example:443/ledger/".parse()?;
/// assert_eq!(node.to_string(), "https://node-1.example/ledger");
/// assert!("https://node-1.example; script-src *".parse::<NodeAddress>().is_err());
/// # Ok::<_, testamur_page::NodeAddressError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct NodeAddress {
    text: String,
    has_path: bool,
}

impl NodeAddress {
    /// As a source of `connect-src`: a path with a slash behind it covers what lies below.
    pub(crate) fn source(&self) -> String {
        if self.has_path { format!("{}/", self.text) } else { self.text.clone() }
    }

    /// Whether browsers refuse it to a page that came by TLS: plain HTTP, but to the visitor's own machine.
    pub fn is_mixed_content(&self) -> bool {
        let host = self.text.strip_prefix("http://").map(|rest| rest.split([':', '/']).next().unwrap_or_default());
        host.is_some_and(|host| host != "localhost" && !host.ends_with(".localhost") && host != "127.0.0.1")
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl core::str::FromStr for NodeAddress {
    type Err = NodeAddressError;

    fn from_str(text: &str) -> Result<Self, NodeAddressError> {
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(NodeAddressError::Length);
        }
        let (scheme, rest, port_default) = if let Some(rest) = text.strip_prefix("https://") {
            ("https", rest, 443)
        } else if let Some(rest) = text.strip_prefix("http://") {
            ("http", rest, 80)
        } else {
            return Err(NodeAddressError::Scheme);
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        if authority.starts_with('[') {
            return Err(NodeAddressError::Ipv6);
        }
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, None),
        };
        if !is_host(host) {
            return Err(NodeAddressError::Host);
        }
        let port = port.map(parse_port).transpose()?.filter(|port| *port != port_default);
        if path == "/" {
            return Err(NodeAddressError::Path);
        }
        let path = path.strip_suffix('/').unwrap_or(path);
        if !path.is_empty() && !path.split('/').all(is_segment) {
            return Err(NodeAddressError::Path);
        }
        let mut text = format!("{scheme}://{}", host.to_ascii_lowercase());
        if let Some(port) = port {
            text += &format!(":{port}");
        }
        if !path.is_empty() {
            text += &format!("/{path}");
        }
        Ok(Self { text, has_path: !path.is_empty() })
    }
}

fn is_host(host: &str) -> bool {
    let is_label = |label: &str| {
        let plain = label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
        plain && (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-')
    };
    host.len() <= 253 && host.split('.').all(is_label)
}

fn parse_port(text: &str) -> Result<u16, NodeAddressError> {
    let digits = text.bytes().all(|b| b.is_ascii_digit()) && !text.starts_with('0');
    text.parse().ok().filter(|_| digits).ok_or(NodeAddressError::Port)
}

fn is_segment(segment: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'~' | b'-');
    !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain)
}

/// Why there is no configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NetworkError {
    /// The name.
    #[error("the network's name must have 1 to {NAME_CHARS_MAX} characters and no control characters")]
    Name,
    /// Too many nodes.
    #[error("at most {NODES_MAX} nodes can be named")]
    Nodes,
}

/// The network of a deployment.
#[derive(Debug, Clone)]
pub struct Network {
    json: String,
    nodes: Vec<NodeAddress>,
}

impl Network {
    /// Of a name that visitors see, a trust file, and nodes in the order in which they are to be asked; doubled ones count once.
    pub fn new(name: &str, trust: &TrustFile, nodes: &[NodeAddress]) -> Result<Self, NetworkError> {
        let name = name.trim();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.contains(char::is_control) {
            return Err(NetworkError::Name);
        }
        let mut seen = BTreeSet::new();
        let nodes: Vec<NodeAddress> = nodes.iter().filter(|node| seen.insert(*node)).cloned().collect();
        if nodes.len() > NODES_MAX {
            return Err(NetworkError::Nodes);
        }
        let text = |value: &str| serde_json::Value::from(value).to_string();
        let addresses: Vec<_> = nodes.iter().map(|node| text(&node.text)).collect();
        // The trust file byte for byte as it is published.
        let json = format!(
            "{{\"v\":1,\"name\":{},\"trust\":{},\"nodes\":[{}]}}\n",
            text(name),
            trust.to_json().trim(),
            addresses.join(",")
        );
        Ok(Self { json, nodes })
    }

    /// `network.json`.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The nodes that the page may ask.
    pub fn nodes(&self) -> &[NodeAddress] {
        &self.nodes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_one_way_written() {
        for (text, written, source) in [
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080", "http://127.0.0.1:8080"),
            ("https://A.example/", "https://a.example", "https://a.example"),
            ("http://a.example:80", "http://a.example", "http://a.example"),
            ("https://a.example:80", "https://a.example:80", "https://a.example:80"),
            ("https://a.example/l/1", "https://a.example/l/1", "https://a.example/l/1/"),
            ("https://localhost:1/l/", "https://localhost:1/l", "https://localhost:1/l/"),
        ] {
            let node: NodeAddress = text.parse().unwrap();
            assert_eq!((node.to_string().as_str(), node.source().as_str()), (written, source));
        }
    }

    #[test]
    fn nothing_slips_into_a_policy() {
        use NodeAddressError as E;
        for (text, error) in [
            ("", E::Scheme),
            ("a.example", E::Scheme),
            ("ftp://a.example", E::Scheme),
            ("HTTPS://a.example", E::Scheme),
            ("*", E::Scheme),
            ("'unsafe-inline'", E::Scheme),
            ("https://", E::Host),
            ("https://*", E::Host),
            ("https://*.example", E::Host),
            ("https://a.example; script-src *", E::Host),
            ("https://a.example,https://b.example", E::Host),
            ("https://a.example https://b.example", E::Host),
            ("https://a.example\n", E::Host),
            ("https://user@a.example", E::Host),
            ("https://a.example?x", E::Host),
            ("https://a.example#x", E::Host),
            ("https://a..example", E::Host),
            ("https://-a.example", E::Host),
            ("https://bücher.example", E::Host),
            ("https://a_b.example", E::Host),
            ("https://[::1]:8080", E::Ipv6),
            ("https://a.example:", E::Port),
            ("https://a.example:0", E::Port),
            ("https://a.example:080", E::Port),
            ("https://a.example:+80", E::Port),
            ("https://a.example:65536", E::Port),
            ("https://a.example:*", E::Port),
            ("https://a.example:1:2", E::Port),
            ("https://a.example/a;b", E::Path),
            ("https://a.example/a b", E::Path),
            ("https://a.example/a,b", E::Path),
            ("https://a.example/%2e", E::Path),
            ("https://a.example/..", E::Path),
            ("https://a.example/a//b", E::Path),
            ("https://a.example//", E::Path),
            ("https://a.example/a?b", E::Path),
            ("https://a.example/\"><script>", E::Path),
        ] {
            assert_eq!(text.parse::<NodeAddress>(), Err(error), "{text:?}");
        }
        let long = format!("https://a.example/{}", "a".repeat(ADDRESS_BYTES_MAX));
        assert_eq!(long.parse::<NodeAddress>(), Err(E::Length));
    }

    #[test]
    fn plain_http_to_others_is_mixed_content() {
        let mixed = |text: &str| text.parse::<NodeAddress>().unwrap().is_mixed_content();
        assert!(mixed("http://a.example") && mixed("http://10.0.0.1:8080/x") && mixed("http://localhost.example"));
        assert!(!mixed("https://a.example") && !mixed("http://127.0.0.1:1") && !mixed("http://localhost/x"));
    }
}
