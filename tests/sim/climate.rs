//! What all calls of a world have in common: the way between the two sides, the habits of the gateway, and how much
//! the engine has to give.

use std::net::{IpAddr, Ipv4Addr};

use clearline::call::registry::RegistryLimits;
use clearline::domain::{Entropy, Secret};
use clearline::keys::{Failure, KeyLimits, KeyPool};

use crate::network::Weather;
use crate::world::GATEWAY_SIP;

/// Gateways with a media server of its own tell its address in their SDP.
const MEDIA_SERVER: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 77));
const OWNERS: usize = 4;
const DEFAULT_KEY: &str = "default-key";

pub(crate) struct Climate {
    pub(crate) weather: Weather,
    /// All phones send under one SSRC.
    pub(crate) shares_ssrc: bool,
    /// All phones send from one address and port, as a gateway with one media socket does.
    pub(crate) shares_address: bool,
    pub(crate) media_host: IpAddr,
    /// The phones' SDP may name private or wrong addresses.
    pub(crate) lies: bool,
    /// Late calls may get the ports of early ones.
    pub(crate) ports: u16,
    pub(crate) registry: RegistryLimits,
    pub(crate) keys: KeyLimits,
    pub(crate) owners: Vec<Owner>,
    refused_keys: Vec<(Secret, Failure)>,
    /// Nothing but time ends a call, and no key is refused: there is room for all.
    pub(crate) is_crowded: bool,
}

/// Whose calls they are.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub(crate) key: Option<Secret>,
}

impl Climate {
    pub(crate) fn drawn(calls: usize, is_crowded: bool, entropy: &mut Entropy) -> Self {
        let one_in = |entropy: &mut Entropy, n| entropy.below(n) == 0;
        let shares_address = one_in(entropy, 4);
        let mut climate = Self {
            weather: Weather::drawn(entropy),
            shares_ssrc: one_in(entropy, 2),
            shares_address,
            media_host: if one_in(entropy, 2) { GATEWAY_SIP.ip() } else { MEDIA_SERVER },
            lies: !shares_address && one_in(entropy, 2),
            ports: calls as u16,
            registry: RegistryLimits { calls_max: calls, inbound_reserve: 0, ..RegistryLimits::default() },
            keys: KeyLimits { sessions_per_project: 0, ..KeyLimits::default() },
            owners: (0..OWNERS).map(Owner::number).collect(),
            refused_keys: Vec::new(),
            is_crowded,
        };
        if !is_crowded {
            climate.be_stingy(calls, entropy);
        }
        climate
    }

    pub(crate) fn pool(&self) -> KeyPool {
        let own = self.owners.iter().filter_map(|owner| owner.key.as_ref());
        let names: Vec<String> = (2..2 + OWNERS).map(|number| format!("GOOGLE_API_KEY_{number}")).collect();
        let variables = names.iter().map(String::as_str).zip(own.map(Secret::expose));
        KeyPool::from_variables(variables.chain([("GOOGLE_API_KEY", DEFAULT_KEY)])).expect("plain names")
    }

    /// What the model says to a key.
    pub(crate) fn failure_of(&self, key: &Secret) -> Option<Failure> {
        self.refused_keys.iter().find(|(refused, _)| refused == key).map(|(_, failure)| *failure)
    }

    /// Too few of something for all calls at once, and keys that the model does not take.
    fn be_stingy(&mut self, calls: usize, entropy: &mut Entropy) {
        let some = |entropy: &mut Entropy| 1 + entropy.below(calls as u64) as usize;
        if entropy.below(6) == 0 {
            self.ports = some(entropy) as u16;
        }
        if entropy.below(6) == 0 {
            self.registry.calls_max = some(entropy);
            self.registry.inbound_reserve = entropy.below(3) as usize;
        }
        if entropy.below(6) == 0 {
            self.keys.sessions_per_project = 1 + entropy.below(3) as u32;
        }
        let keys = self.owners.iter().filter_map(|owner| owner.key.clone()).chain([Secret::new(DEFAULT_KEY)]);
        for key in keys.collect::<Vec<_>>() {
            if entropy.below(12) == 0 {
                let failure = if entropy.below(2) == 0 { Failure::KeyBad } else { Failure::Quota };
                self.refused_keys.push((key, failure));
            }
        }
    }
}

impl Owner {
    /// The last one has no key and lives on the default one.
    fn number(number: usize) -> Self {
        let has_key = number + 1 < OWNERS;
        Self { key: has_key.then(|| Secret::new(format!("key-of-owner-{number}"))) }
    }
}
