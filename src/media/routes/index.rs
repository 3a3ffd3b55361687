//! Which streams are heard on any port: tells a misdirected packet from a forged one, and routes nothing.

use std::collections::HashMap;
use std::hash::Hash;
use std::net::SocketAddr;

use super::counters::DropReason;

/// Counts, because calls may share an SSRC, and even an SSRC and a source.
#[derive(Debug, Default)]
pub(super) struct PeerIndex {
    by_ssrc: HashMap<u32, usize>,
    by_stream: HashMap<(u32, SocketAddr), usize>,
}

impl PeerIndex {
    pub(super) fn insert(&mut self, ssrc: u32, source: SocketAddr) {
        *self.by_ssrc.entry(ssrc).or_default() += 1;
        *self.by_stream.entry((ssrc, source)).or_default() += 1;
    }

    pub(super) fn remove(&mut self, ssrc: u32, source: SocketAddr) {
        decrement(&mut self.by_ssrc, ssrc);
        decrement(&mut self.by_stream, (ssrc, source));
    }

    /// Why a packet that its port refuses was sent there, if another call's stream explains it.
    pub(super) fn explain(&self, ssrc: u32, source: SocketAddr) -> Option<DropReason> {
        if self.by_stream.contains_key(&(ssrc, source)) {
            return Some(DropReason::Misdirected);
        }
        self.by_ssrc.contains_key(&ssrc).then_some(DropReason::Forged)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_ssrc.is_empty() && self.by_stream.is_empty()
    }
}

fn decrement<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: K) {
    if let Some(count) = counts.get_mut(&key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(&key);
        }
    }
}
