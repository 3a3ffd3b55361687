//! A client for addresses that somebody may edit who shall not reach into the engine's own network.
//!
//! Names are resolved here, once for each connection, and only public addresses are handed to the connector, which has no
//! other way to find one (a name that resolves differently a moment later gains nothing). Redirects are not followed.

use std::error::Error;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Url};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring};

use crate::clock;
use crate::domain::is_public;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);

/// A handle; clones share connections.
#[derive(Clone)]
pub(super) struct OutsideClient {
    client: Client,
    allow_private: bool,
}

#[derive(Debug, thiserror::Error)]
#[error("the client for web services cannot be made: {0}")]
pub struct NoClient(String);

/// Why nothing is sent there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NotAllowed {
    NoAddress,
    PrivateNetwork,
}

impl OutsideClient {
    pub(super) fn new(allow_private: bool) -> Result<Self, NoClient> {
        let client = Client::builder()
            .tls_backend_preconfigured(tls_settings()?)
            .dns_resolver(Arc::new(Names { allow_private }))
            .redirect(Policy::none())
            .no_proxy()
            .connect_timeout(clock::timer_for(CONNECT_LIMIT))
            .build()
            .map_err(|error| NoClient(error.to_string()))?;
        Ok(Self { client, allow_private })
    }

    /// Names are judged where they are resolved; an address needs no resolving.
    pub(super) fn post(&self, url: &str) -> Result<RequestBuilder, NotAllowed> {
        let url = Url::parse(url).map_err(|_| NotAllowed::NoAddress)?;
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
        let is_forbidden = |address: IpAddr| !self.allow_private && !is_public(address);
        if host.parse().is_ok_and(is_forbidden) {
            return Err(NotAllowed::PrivateNetwork);
        }
        Ok(self.client.post(url))
    }
}

pub(super) fn leads_into_private_network(error: &reqwest::Error) -> bool {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<PrivateNetwork>() {
            return true;
        }
        cause = inner.source();
    }
    false
}

#[derive(Debug, thiserror::Error)]
#[error("an address in a private network")]
struct PrivateNetwork;

/// The only way for the client to find an address.
struct Names {
    allow_private: bool,
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let allowed: Vec<SocketAddr> =
                found.iter().copied().filter(|found| allow_private || is_public(found.ip())).collect();
            if allowed.is_empty() && !found.is_empty() {
                return Err(PrivateNetwork.into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

fn tls_settings() -> Result<ClientConfig, NoClient> {
    let roots = RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
    let builder =
        builder.with_safe_default_protocol_versions().map_err(|error| NoClient(error.to_string()))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
