//! What all calls of a world have in common: the way between the two sides, the habits of the gateway, and how much
//! the engine has to give.

use std::net::{IpAddr, Ipv4Addr};

use clearline::call::registry::RegistryLimits;
use clearline::domain::{Entropy, Secret};
use clearline::keys::{Failure, KeyLimits, KeyPool};

use serde::{Deserialize, Serialize};

use crate::network::Weather;
use crate::world::GATEWAY_SIP;

/// Gateways with a media server of its own tell its address in their SDP.
const MEDIA_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77));
pub(crate) const OWNERS: usize = 4;
const DEFAULT_KEY: &str = "default-key";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Climate {
    pub(crate) weather: Weather,
    /// All phones send under one SSRC.
    pub(crate) shares_ssrc: bool,
    /// All phones send from one address and port, as a gateway with one media socket does.
    pub(crate) shares_address: bool,
    pub(crate) media_host: IpAddr,
    /// So many at once, where there are fewer than calls: late ones may get the ports of early ones.
    pub(crate) ports: Option<u16>,
    calls_max: Option<usize>,
    inbound_reserve: usize,
    /// No limit where it is 0.
    sessions_per_project: u32,
    /// By their owners' numbers.
    refused_keys: Vec<(usize, Failure)>,
}

impl Climate {
    /// And whether its phones' SDP may name private or wrong addresses.
    pub(crate) fn drawn(calls: usize, is_crowded: bool, entropy: &mut Entropy) -> (Self, bool) {
        let one_in = |entropy: &mut Entropy, n| entropy.below(n) == 0;
        let shares_address = one_in(entropy, 4);
        let mut climate = Self {
            weather: Weather::drawn(entropy),
            shares_ssrc: one_in(entropy, 2),
            shares_address,
            media_host: if one_in(entropy, 2) { GATEWAY_SIP.ip() } else { MEDIA_SERVER },
            ..Self::default()
        };
        let lies = !shares_address && one_in(entropy, 2);
        if !is_crowded {
            climate.be_stingy(calls, entropy);
        }
        (climate, lies)
    }

    pub(crate) fn registry(&self, calls: usize) -> RegistryLimits {
        let calls_max = self.calls_max.unwrap_or(calls);
        RegistryLimits { calls_max, inbound_reserve: self.inbound_reserve, ..RegistryLimits::default() }
    }

    pub(crate) fn keys(&self) -> KeyLimits {
        KeyLimits { sessions_per_project: self.sessions_per_project, ..KeyLimits::default() }
    }

    /// What the model says to a key.
    pub(crate) fn failure_of(&self, key: &Secret) -> Option<Failure> {
        let is_asked = |owner| key_of(owner).unwrap_or_else(|| Secret::new(DEFAULT_KEY)) == *key;
        self.refused_keys.iter().find(|(owner, _)| is_asked(*owner)).map(|(_, failure)| *failure)
    }

    /// Too few of something for all calls at once, and keys that the model does not take.
    fn be_stingy(&mut self, calls: usize, entropy: &mut Entropy) {
        let some = |entropy: &mut Entropy| 1 + entropy.below(calls as u64) as usize;
        if entropy.below(6) == 0 {
            self.ports = Some(some(entropy) as u16);
        }
        if entropy.below(6) == 0 {
            self.calls_max = Some(some(entropy));
            self.inbound_reserve = entropy.below(3) as usize;
        }
        if entropy.below(6) == 0 {
            self.sessions_per_project = 1 + entropy.below(3) as u32;
        }
        for owner in 0..OWNERS {
            if entropy.below(12) == 0 {
                let failure = if entropy.below(2) == 0 { Failure::KeyBad } else { Failure::Quota };
                self.refused_keys.push((owner, failure));
            }
        }
    }
}

/// No weather, room for all, keys that are taken.
impl Default for Climate {
    fn default() -> Self {
        Self {
            weather: Weather::default(),
            shares_ssrc: false,
            shares_address: false,
            media_host: GATEWAY_SIP.ip(),
            ports: None,
            calls_max: None,
            inbound_reserve: 0,
            sessions_per_project: 0,
            refused_keys: Vec::new(),
        }
    }
}

/// The last owner has no key and lives on the default one.
pub(crate) fn key_of(owner: usize) -> Option<Secret> {
    (owner + 1 < OWNERS).then(|| Secret::new(format!("key-of-owner-{owner}")))
}

pub(crate) fn pool() -> KeyPool {
    let keys: Vec<(String, Secret)> = (0..OWNERS)
        .filter_map(|owner| Some((format!("GOOGLE_API_KEY_{}", owner + 2), key_of(owner)?)))
        .collect();
    let variables = keys.iter().map(|(name, key)| (name.as_str(), key.expose()));
    KeyPool::from_variables(variables.chain([("GOOGLE_API_KEY", DEFAULT_KEY)])).expect("plain names")
}
