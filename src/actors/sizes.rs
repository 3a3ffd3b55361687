//! What the engine holds and what its machines have counted, for leak checks and metrics.

use crate::media::routes::DropReason;
use crate::sip::endpoint::Sizes;
use crate::telemetry::{Counter, Gauge, Metrics};

use super::Directory;
use super::books::AskOpenBooks;
use super::call_supervisor::AskLiveCalls;
use super::key_pool::AskLeases;
use super::sip_endpoint::{AskSipSizes, SipSizes};
use super::udp_router::{AskRouterSizes, RouterSizes};

/// All zero when no call is up, the transactions' timers have run out and the ports have rested.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EngineSizes {
    pub calls: usize,
    /// CallSession actors that live.
    pub sessions: usize,
    pub leases: usize,
    pub routes: usize,
    pub ports_held: usize,
    /// Their sockets stay open.
    pub ports_resting: usize,
    /// Records that are still being written.
    pub books: usize,
    /// What the SipEndpoint keeps of calls beside its machine's tables.
    pub sip_calls_kept: usize,
    pub sip: Sizes,
}

impl EngineSizes {
    pub async fn ask(directory: &Directory) -> Self {
        Answers::gather(directory).await.sizes()
    }
}

/// Sets the gauges, and the totals that the machines count by themselves.
pub async fn refresh_metrics(metrics: &Metrics, directory: &Directory) {
    let answers = Answers::gather(directory).await;
    answers.set_gauges(metrics);
    answers.set_totals(metrics);
}

/// A service that is being rebuilt holds nothing.
#[derive(Default)]
struct Answers {
    calls: usize,
    sessions: usize,
    leases: usize,
    books: usize,
    sip: SipSizes,
    routers: Vec<RouterSizes>,
}

impl Answers {
    async fn gather(directory: &Directory) -> Self {
        let mut answers = Self { sessions: directory.living_sessions(), ..Self::default() };
        if let Some(supervisor) = directory.supervisor() {
            answers.calls = supervisor.send(AskLiveCalls).await.map_or(0, |calls| calls.len());
        }
        if let Some(keys) = directory.keys() {
            answers.leases = keys.send(AskLeases).await.unwrap_or_default();
        }
        if let Some(books) = directory.books() {
            answers.books = books.send(AskOpenBooks).await.unwrap_or_default();
        }
        if let Some(sip) = directory.sip() {
            answers.sip = sip.send(AskSipSizes).await.unwrap_or_default();
        }
        for router in directory.routers() {
            answers.routers.push(router.send(AskRouterSizes).await.unwrap_or_default());
        }
        answers
    }

    fn sizes(&self) -> EngineSizes {
        EngineSizes {
            calls: self.calls,
            sessions: self.sessions,
            leases: self.leases,
            routes: self.routers.iter().map(|router| router.routes).sum(),
            ports_held: self.ports_held(),
            ports_resting: self.routers.iter().map(|router| router.ports_resting).sum(),
            books: self.books,
            sip_calls_kept: self.sip.calls_kept,
            sip: self.sip.held,
        }
    }

    fn ports_held(&self) -> usize {
        self.routers.iter().map(|router| router.ports_held).sum()
    }

    fn set_gauges(&self, metrics: &Metrics) {
        let set = |gauge, size: usize| metrics.set(gauge, i64::try_from(size).unwrap_or(i64::MAX));
        set(Gauge::CallsActive, self.calls);
        set(Gauge::MediaPortsInUse, self.ports_held());
        set(Gauge::KeyLeases, self.leases);
        set(Gauge::SipDialogs, self.sip.held.dialogs);
        set(Gauge::SipTransactions, self.sip.held.client_transactions + self.sip.held.server_transactions);
        set(Gauge::GatewaysRegistered, self.sip.registered);
    }

    fn set_totals(&self, metrics: &Metrics) {
        let sip = &self.sip.counters;
        metrics.set_total(Counter::SipMalformed, sip.malformed);
        metrics.set_total(Counter::SipRefusedSources, sip.strangers_refused + sip.strangers_ignored);
        metrics.set_total(Counter::RtpForeign, self.dropped(&FOREIGN));
        metrics.set_total(Counter::RtpLate, self.dropped(&[DropReason::Late]));
        metrics.set_total(Counter::RtpUnknown, self.dropped(&UNKNOWN));
        let dropped = self.routers.iter().map(|router| router.packets.dropped_in_all()).sum();
        metrics.set_total(Counter::RtpDropped, dropped);
    }

    fn dropped(&self, reasons: &[DropReason]) -> u64 {
        let of_router = |router: &RouterSizes| -> u64 {
            reasons.iter().map(|&reason| router.packets.dropped(reason)).sum()
        };
        self.routers.iter().map(of_router).sum()
    }
}

const FOREIGN: [DropReason; 3] = [DropReason::Foreign, DropReason::Misdirected, DropReason::Forged];
const UNKNOWN: [DropReason; 3] = [DropReason::Unknown, DropReason::Malformed, DropReason::NotMedia];
