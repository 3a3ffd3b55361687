//! What the engine holds, for leak checks and metrics.

use crate::actors::call_supervisor::AskLiveCalls;
use crate::actors::key_pool::AskLeases;
use crate::actors::sip_endpoint::AskSipSizes;
use crate::actors::udp_router::AskRouterSizes;
use crate::sip::endpoint::Sizes;

use super::Engine;

/// All zero when no call is up and the transactions' timers have run out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineSizes {
    pub calls: usize,
    pub leases: usize,
    pub routes: usize,
    pub ports_held: usize,
    pub sip: Sizes,
}

impl Engine {
    pub async fn sizes(&self) -> EngineSizes {
        let mut sizes = EngineSizes::default();
        if let Some(supervisor) = self.directory.supervisor() {
            sizes.calls = supervisor.send(AskLiveCalls).await.map_or(0, |calls| calls.len());
        }
        if let Some(keys) = self.directory.keys() {
            sizes.leases = keys.send(AskLeases).await.unwrap_or_default();
        }
        if let Some(sip) = self.directory.sip() {
            sizes.sip = sip.send(AskSipSizes).await.unwrap_or_default();
        }
        for router in self.directory.routers() {
            let router = router.send(AskRouterSizes).await.unwrap_or_default();
            sizes.routes += router.routes;
            sizes.ports_held += router.ports_held;
        }
        sizes
    }
}
