//! Nothing may grow without bound: while a world runs, everything it holds is compared with the calls there are.

use std::time::{Duration, Instant};

use clearline::call::postbox::SIGNALS_WAITING_MAX;
use clearline::sip::endpoint::Sizes;

use crate::engine::Engine;
use crate::phone::Phone;
use crate::phones::Phones;

/// So long a transaction remembers what it has done (64 × T1, and a BYE before it).
const REMEMBERED_FOR: Duration = Duration::from_secs(70);
/// INVITE, CANCEL or BYE, ACK and what crosses them.
const TRANSACTIONS_PER_CALL: usize = 4;
/// Each of a call, its transactions, and the gates.
const TIMERS_PER_CALL: usize = 1 + 2 * TRANSACTIONS_PER_CALL;
/// A turn and what was begun before it.
const PLAYOUT_MS_MAX: u32 = 5_000;
/// A turn's messages, and those of another that was not played to its end.
const MODEL_MESSAGES_MAX: usize = 100;

pub(crate) fn check(engine: &Engine, phones: &Phones, now: Instant) {
    let (alive, live) = (engine.alive(), engine.live.len());
    assert_eq!(engine.office.calls(), alive, "calls in the registry");
    assert!(engine.office.leases() <= alive, "{} leases of {alive} calls", engine.office.leases());
    let (routes, ports) = (engine.routes.len(), engine.routes.ports().held());
    assert!(routes <= live && ports <= live, "{routes} routes and {ports} ports of {live} calls");
    let is_recent = |at: Instant| at + REMEMBERED_FOR > now;
    let over = engine.over.values().filter(|over| is_recent(over.at)).count();
    let refused = engine.refused_at.iter().filter(|at| is_recent(**at)).count();
    check_signalling("engine", engine.endpoint.sizes(), alive + over + refused);
    let is_remembered = |phone: &&Phone| phone.call.is_some() || phone.ended_at.is_some_and(is_recent);
    let remembered = phones.phones.iter().filter(is_remembered).count();
    check_signalling("gateway", phones.endpoint.sizes(), remembered);
    for (number, live) in &engine.live {
        let (buffered_ms, waiting) = (live.call.buffered_ms(), live.call.signals_waiting());
        assert!(buffered_ms <= PLAYOUT_MS_MAX, "{buffered_ms} ms wait to be played to caller {number}");
        assert!(waiting <= 2 * SIGNALS_WAITING_MAX, "{waiting} signals wait for call {number}");
        assert!(live.call.speech_queued() <= MODEL_MESSAGES_MAX, "model {number} has much to say");
    }
}

fn check_signalling(whose: &str, sizes: Sizes, calls: usize) {
    let Sizes { calls: held, dialogs, client_transactions, server_transactions, sources, timers } = sizes;
    let transactions = client_transactions.max(server_transactions);
    assert!(held <= calls && dialogs <= calls, "the {whose} holds {sizes:?} for {calls} calls");
    assert!(transactions <= TRANSACTIONS_PER_CALL * calls, "the {whose} holds {sizes:?} for {calls} calls");
    assert!(sources <= 1, "the {whose} remembers {sources} sources, and there is one");
    assert!(timers <= 1 + TIMERS_PER_CALL * calls, "the {whose} holds {sizes:?} for {calls} calls");
}
