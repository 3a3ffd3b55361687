//! The simulation can fail: each fault put in on purpose is found, and found for what it is.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::sabotage::Sabotage;
use crate::scenario::Scenario;
use crate::world::World;

/// In some of these worlds the fault has something to spoil.
const SEEDS: u64 = 60;

fn finds(sabotage: Sabotage, complaint: &str) {
    let mut complaints = Vec::new();
    for seed in 0..SEEDS {
        let world = AssertUnwindSafe(|| World::new(&Scenario::drawn(seed, None), Some(sabotage)).run());
        let Err(failure) = catch_unwind(world) else { continue };
        let text = failure.downcast_ref::<String>().cloned();
        let text = text.or_else(|| failure.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        if text.as_ref().is_some_and(|text| text.contains(complaint)) {
            return;
        }
        complaints.extend(text);
    }
    panic!("{sabotage:?}: {complaints:?}");
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

#[test]
fn a_call_whose_end_is_not_told_is_missed_and_so_is_one_that_is_told_wrongly() {
    finds(Sabotage::EndIsNotTold, "every call has one outcome");
    finds(Sabotage::EndsAsAnother, "ended as Finish { outcome: Machine");
}

#[test]
fn who_is_cut_off_from_the_other_is_missed() {
    finds(Sabotage::PhoneIsCutOff, "the engine does not hear phone");
    finds(Sabotage::CallerIsCutOff, "gets nothing for");
}

#[test]
fn audio_that_goes_to_another_phone_too_is_noticed() {
    finds(Sabotage::AudioIsCopied, "went to other phones");
}

#[test]
fn half_of_what_was_to_be_heard_is_not_enough() {
    finds(Sabotage::HalfOfTheModelIsSilent, "were due to the caller");
    finds(Sabotage::HalfOfTheCallerIsSilent, "were due to the model");
}

#[test]
fn a_voice_that_is_garbled_is_noticed() {
    finds(Sabotage::AudioIsGarbled, "unclear frames and");
}

#[test]
fn a_rebuilt_session_that_greets_again_or_stays_silent_is_noticed() {
    finds(Sabotage::GreetsAgain, "was greeted 2 times");
    finds(Sabotage::OwesNothing, "stays silent");
}

#[test]
fn what_grows_without_bound_is_noticed_while_it_grows() {
    finds(Sabotage::SignalsPileUp, "signals wait for call");
    finds(Sabotage::PlayoutPilesUp, "ms wait to be played");
}
