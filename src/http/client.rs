//! Where a request comes from: behind a proxy that is trusted, the client that the proxy names.

use std::net::{IpAddr, Ipv4Addr};

use actix_web::dev::ServiceRequest;
use actix_web::http::header::HeaderMap;
use actix_web::{HttpMessage, HttpRequest};

use super::api::HttpSettings;
use crate::domain::Network;

/// Known of every request before anything else is done with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Client {
    pub(super) address: IpAddr,
    /// It came, or came to the proxy, over TLS.
    pub(super) is_secure: bool,
}

impl Client {
    /// As it was found out before anything else was done with the request.
    pub(super) fn that_sent(request: &HttpRequest) -> Self {
        request.extensions().get::<Self>().copied().unwrap_or(Self::UNKNOWN)
    }

    /// Of a request that nobody looked at.
    pub(super) const UNKNOWN: Self = Self { address: IpAddr::V4(Ipv4Addr::UNSPECIFIED), is_secure: false };

    pub(super) fn of(request: &ServiceRequest, settings: &HttpSettings) -> Self {
        let peer = request.peer_addr().map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), |peer| peer.ip());
        let is_trusted = |address: IpAddr| is_trusted(address, &settings.trusted_proxies);
        let is_tls = settings.tls.is_some();
        if !is_trusted(peer) {
            return Self { address: peer.to_canonical(), is_secure: is_tls };
        }
        let headers = request.headers();
        let address = forwarded_for(headers).find(|address| !is_trusted(*address)).unwrap_or(peer);
        let is_secure = is_tls || last(headers, "x-forwarded-proto").is_some_and(|proto| proto == "https");
        Self { address: address.to_canonical(), is_secure }
    }
}

fn is_trusted(address: IpAddr, trusted: &[Network]) -> bool {
    trusted.iter().any(|network| network.contains(address))
}

/// Nearest first. What stands beyond something unreadable is nobody's word.
fn forwarded_for(headers: &HeaderMap) -> impl Iterator<Item = IpAddr> {
    let lines: Vec<&str> =
        headers.get_all("x-forwarded-for").filter_map(|value| value.to_str().ok()).collect();
    let addresses: Vec<&str> = lines.iter().flat_map(|line| line.split(',')).collect();
    let nearest_first: Vec<_> = addresses.into_iter().rev().map(|text| text.trim().parse().ok()).collect();
    nearest_first.into_iter().map_while(|address| address)
}

fn last<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get_all(name).last()?.to_str().ok()?.rsplit(',').next().map(str::trim)
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn settings(trusted: &[&str]) -> HttpSettings {
        HttpSettings {
            listen: "127.0.0.1:0".parse().unwrap(),
            tls: None,
            allowed_origins: Vec::new(),
            trusted_proxies: trusted.iter().map(|text| text.parse().unwrap()).collect(),
            session: std::time::Duration::ZERO,
        }
    }

    fn client(trusted: &[&str], headers: &[(&'static str, &str)]) -> (String, bool) {
        let request = TestRequest::default().peer_addr("10.0.0.1:4000".parse().unwrap());
        let request =
            headers.iter().fold(request, |request, (name, value)| request.insert_header((*name, *value)));
        let client = Client::of(&request.to_srv_request(), &settings(trusted));
        (client.address.to_string(), client.is_secure)
    }

    #[test]
    fn nobody_but_a_trusted_proxy_is_believed() {
        let headers = [("x-forwarded-for", "203.0.113.7"), ("x-forwarded-proto", "https")];
        assert_eq!(client(&[], &headers), ("10.0.0.1".into(), false));
        assert_eq!(client(&["10.0.0.0/8"], &headers), ("203.0.113.7".into(), true));
    }

    #[test]
    fn what_the_client_itself_wrote_before_the_proxies_is_not_believed() {
        let headers = [("x-forwarded-for", "198.51.100.1, 203.0.113.7, 10.0.0.2")];
        assert_eq!(client(&["10.0.0.0/8"], &headers).0, "203.0.113.7");
        let odd = [("x-forwarded-for", "198.51.100.1, nonsense, 10.0.0.2")];
        assert_eq!(client(&["10.0.0.0/8"], &odd).0, "10.0.0.1");
    }
}
