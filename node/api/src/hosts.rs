//! Which names a local service answers to, and from which web pages: for services that a browser on the same machine could be
//! made to call.
//!
//! A rebound DNS name would make a hostile page "same-origin" with the service; hence the check of `Host` besides those of
//! `Origin` and `Sec-Fetch-Site`.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};

/// The names that a service answers to: `host` or `host:port`.
#[derive(Debug, Clone)]
pub struct Hosts(BTreeSet<String>);

/// Why a call is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// It names another host, or none.
    Host,
    /// A header of this name shows that a web page of another origin made it.
    Site(&'static str),
}

impl Hosts {
    /// The given names, and those that follow from the address.
    pub fn new(listen: SocketAddr, allowed: &[String]) -> Self {
        let port = listen.port();
        let mut hosts: BTreeSet<String> = allowed.iter().map(|host| host.to_ascii_lowercase()).collect();
        hosts.insert(listen.to_string());
        if listen.ip().is_loopback() || listen.ip().is_unspecified() {
            hosts.insert(format!("localhost:{port}"));
            for local in [IpAddr::from([127, 0, 0, 1]), "::1".parse().expect("an address")] {
                hosts.insert(SocketAddr::new(local, port).to_string());
            }
        }
        Self(hosts)
    }

    /// Whether `text` can be a name: `host` or `host:port`, in lower case.
    pub fn is_name(text: &str) -> bool {
        let of_name =
            |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'.' | b'-' | b':' | b'[' | b']');
        !text.is_empty() && text.len() <= 260 && text.bytes().all(of_name)
    }

    /// Whether a request names this service, and no web page of another origin sent it.
    pub fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Foreign> {
        self.check_host(uri, headers).and_then(|()| self.check_site(headers))
    }

    fn check_host(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Foreign> {
        let mut given = headers.get_all(HOST).iter();
        let header = given.next().and_then(|host| host.to_str().ok());
        let authority = uri.authority().map(|authority| authority.as_str());
        // HTTP/2 and absolute URIs carry the host in the URI; where both are given, both must be right.
        let named: Vec<&str> = authority.into_iter().chain(header).collect();
        let known = |host: &&str| self.0.contains(&host.to_ascii_lowercase());
        let right = !named.is_empty() && given.next().is_none() && named.iter().all(known);
        right.then_some(()).ok_or(Foreign::Host)
    }

    fn check_site(&self, headers: &HeaderMap) -> Result<(), Foreign> {
        let own = |site: &[u8]| matches!(site, b"same-origin" | b"none");
        if !headers.get_all("sec-fetch-site").iter().all(|site| own(site.as_bytes())) {
            return Err(Foreign::Site("Sec-Fetch-Site"));
        }
        for origin in headers.get_all(ORIGIN) {
            let origin = origin.to_str().unwrap_or_default();
            let host = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
            if !host.is_some_and(|host| self.0.contains(&host.to_ascii_lowercase())) {
                return Err(Foreign::Site("Origin"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::{HeaderName, HeaderValue};

    fn check(uri: &str, pairs: &[(&str, &str)]) -> Result<(), Foreign> {
        let hosts = Hosts::new("127.0.0.1:8090".parse().unwrap(), &["service.example".into()]);
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
        }
        hosts.check(&uri.parse().unwrap(), &headers)
    }

    #[test]
    fn only_own_names_are_answered() {
        for host in ["127.0.0.1:8090", "localhost:8090", "LOCALHOST:8090", "[::1]:8090", "service.example"] {
            assert_eq!(check("/", &[("host", host)]), Ok(()), "{host}");
            assert_eq!(check(&format!("http://{host}/"), &[]), Ok(()), "{host}");
        }
        for host in ["", "evil.example", "127.0.0.1", "127.0.0.1:80", "service.example.evil", "service.example:1"] {
            assert_eq!(check("/", &[("host", host)]), Err(Foreign::Host), "{host}");
        }
        assert_eq!(check("/", &[]), Err(Foreign::Host));
        assert_eq!(check("/", &[("host", "service.example"), ("host", "service.example")]), Err(Foreign::Host));
        assert_eq!(check("http://evil.example/", &[("host", "service.example")]), Err(Foreign::Host));
    }

    #[test]
    fn foreign_pages_are_refused_and_programs_are_not() {
        let with = |pairs: &[(&str, &str)]| {
            let own = [("host", "service.example")];
            check("/", &own.iter().chain(pairs).copied().collect::<Vec<_>>())
        };
        for good in [
            &[][..],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "same-origin"), ("origin", "http://127.0.0.1:8090")],
            &[("origin", "https://service.example")],
        ] {
            assert_eq!(with(good), Ok(()), "{good:?}");
        }
        for bad in [
            &[("sec-fetch-site", "cross-site")][..],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none"), ("sec-fetch-site", "cross-site")],
            &[("origin", "null")],
            &[("origin", "https://evil.example")],
            &[("origin", "http://127.0.0.1:8091")],
            &[("origin", "file://service.example")],
            &[("origin", "https://service.example.evil")],
        ] {
            assert!(matches!(with(bad), Err(Foreign::Site(_))), "{bad:?}");
        }
    }

    #[test]
    fn names_are_plain() {
        for name in ["a.example", "localhost:80", "[::1]:8090"] {
            assert!(Hosts::is_name(name), "{name}");
        }
        for name in ["", "A.example", "a b", "http://a", &"a".repeat(261)] {
            assert!(!Hosts::is_name(name), "{name}");
        }
    }
}
