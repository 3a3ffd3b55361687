//! The simulation can fail: each fault put in on purpose is found, and found for what it is.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sabotage::Sabotage;
use crate::scenario::Scenario;
use crate::world::World;

/// In some of these worlds the fault has something to spoil.
const SEEDS: u64 = 60;

fn finds(sabotage: Sabotage, complaint: &str) {
    let complaints = (0..SEEDS).filter_map(|seed| {
        let world = AssertUnwindSafe(|| World::new(&Scenario::drawn(seed, None), Some(sabotage)).run());
        let failure = catch_unwind(world).err()?;
        let text = failure.downcast_ref::<String>().cloned();
        Some(
            text.or_else(|| failure.downcast_ref::<&str>().map(|text| (*text).to_owned()))
                .unwrap_or_default(),
        )
    });
    let complaints: Vec<String> = complaints.collect();
    assert!(complaints.iter().any(|text| text.contains(complaint)), "{sabotage:?}: {complaints:?}");
}

#[test]
fn a_packet_that_a_route_refused_is_noticed_in_the_call() {
    finds(Sabotage::RoutesAreBypassed, "takes a packet that is not its phone's");
}

#[test]
fn another_callers_voice_in_the_calls_own_packets_is_heard() {
    finds(Sabotage::AudioIsExchanged, "hears Some(Caller(");
}

#[test]
fn another_calls_model_is_heard_by_the_caller() {
    finds(Sabotage::ModelsAreExchanged, "hears Some(Model(");
}

#[test]
fn what_is_not_given_back_is_missed() {
    finds(Sabotage::LeaseIsKept, "leases of");
    finds(Sabotage::CallStaysRegistered, "calls in the registry");
    finds(Sabotage::RouteStaysOpen, "1 routes and 1 ports of 0 calls");
    finds(Sabotage::PortIsKept, "0 routes and 1 ports of 0 calls");
    finds(
        Sabotage::DialogIsKept,
        "keeps nothing\n  left: Sizes { calls: 1, dialogs: 1, client_transactions: 0",
    );
}

#[test]
fn a_call_that_ends_twice_is_counted_twice() {
    finds(Sabotage::EndsTwice, "ends once");
}

#[test]
fn a_stream_that_begins_anew_after_a_crash_is_noticed() {
    finds(Sabotage::NumberingBeginsAnew, "does not go on in its numbers");
}
