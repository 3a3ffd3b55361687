use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use crate::domain::Rate;
use crate::domain::{GatewayId, Network, Secret};

/// What the endpoint must be told before its first message.
#[derive(Debug, Clone)]
pub struct EndpointConfig {
    /// What stands in Via and Contact: where the world reaches us.
    pub advertise: SocketAddr,
    pub user_agent: String,
    pub gateways: Vec<Gateway>,
    /// From whom INVITEs are accepted besides the gateways' own addresses.
    pub allowed_sources: Vec<Network>,
    pub limits: EndpointLimits,
    /// How long a placed call may ring before it is cancelled.
    pub ring_timeout: Duration,
}

#[derive(Debug, Clone)]
pub struct Gateway {
    pub id: GatewayId,
    /// Already resolved.
    pub address: SocketAddr,
    pub domain: String,
    pub user: String,
    pub password: Option<Secret>,
    pub register: bool,
    pub expires: Duration,
}

/// The bound of everything a peer can make grow. At a bound work is refused and counted, never queued.
#[derive(Debug, Clone)]
pub struct EndpointLimits {
    pub calls: usize,
    /// Of each kind, client and server.
    pub transactions: usize,
    /// The longest body (SDP) a call may bring.
    pub body_bytes: usize,
    /// Source addresses each token-bucket table remembers.
    pub sources: usize,
    /// Messages from gateways and allowed sources.
    pub trusted_rate: Rate,
    /// Messages from anybody else, before they are even read.
    pub stranger_rate: Rate,
    /// Answers to anybody else; past it there is silence.
    pub refusal_rate: Rate,
}

pub const DEFAULT_RING_TIMEOUT: Duration = Duration::from_secs(60);

impl EndpointLimits {
    /// Room for calls that are being refused or wound up, beside those the engine holds.
    pub fn calls_for(calls_max: usize) -> usize {
        calls_max.saturating_mul(2)
    }
}

impl Default for EndpointLimits {
    fn default() -> Self {
        Self {
            calls: 2_000,
            transactions: 20_000,
            body_bytes: 16 * 1024,
            sources: 4_096,
            trusted_rate: Rate { per_second: 4_000, burst: 8_000 },
            stranger_rate: Rate { per_second: 20, burst: 40 },
            refusal_rate: Rate { per_second: 2, burst: 5 },
        }
    }
}

impl EndpointConfig {
    pub(super) fn gateway(&self, id: &GatewayId) -> Option<&Gateway> {
        self.gateways.iter().find(|gateway| gateway.id == *id)
    }

    /// The gateway that sends from here; of several behind one address the one whose port fits too.
    pub(super) fn gateway_at(&self, source: SocketAddr) -> Option<&Gateway> {
        let here = |gateway: &&Gateway| gateway.address.ip().to_canonical() == source.ip().to_canonical();
        let mut candidates = self.gateways.iter().filter(here);
        let first = candidates.next()?;
        let exact = |gateway: &&Gateway| gateway.address.port() == source.port();
        Some([first].into_iter().chain(candidates).find(exact).unwrap_or(first))
    }

    pub(super) fn trusts(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.gateways.iter().any(|gateway| gateway.address.ip().to_canonical() == address)
            || self.allowed_sources.iter().any(|rule| rule.contains(address))
    }
}
