//! Connections lost and renewed.

use super::*;
use crate::voice::failure::ConnectFailure;

const HOUR: Duration = Duration::from_secs(3_600);

fn io_failure(bench: &mut Bench) {
    let epoch = bench.epoch();
    bench.input(Input::ConnectFailed { epoch, failure: ConnectFailure::Io("connection refused".into()) });
}

#[test]
fn a_lost_connection_is_resumed_by_handle_at_once_without_a_greeting() {
    let mut bench = Bench::resumable();
    bench.close(1011, "The service is currently unavailable.");
    assert_eq!((bench.events[0].clone(), bench.connects.clone()), (VoiceEvent::Reconnecting, vec![2]));
    assert!(!bench.session.uplink_open());
    bench.set_up();
    assert_eq!(bench.handle_in_setup(), Some("h-1"));
    assert_eq!(bench.events[1], VoiceEvent::Resumed { fresh: false });
    assert_eq!(bench.sent.len(), 1, "nothing was owed: {}", bench.sent_text());
    assert!(bench.session.uplink_open());
}

#[test]
fn a_sentence_cut_by_the_loss_is_carried_on() {
    let mut bench = Bench::resumable();
    bench.caller_says(" At nine?");
    bench.model_says("We op");
    bench.close(1006, "");
    assert_eq!(bench.ends(), [TurnEnd::Lost]);
    bench.set_up();
    assert!(bench.sent_text().contains("Carry on"));
}

#[test]
fn a_question_the_loss_swallowed_is_asked_again() {
    let mut bench = Bench::resumable();
    bench.caller_says(" When do you open?");
    bench.close(1006, "");
    bench.set_up();
    assert!(bench.sent_text().contains("When do you open?"), "{}", bench.sent_text());
}

#[test]
fn without_a_handle_the_new_session_is_seeded_with_what_was_said() {
    let mut bench = Bench::talking();
    bench.close(1006, "");
    bench.set_up();
    assert_eq!(bench.handle_in_setup(), None);
    assert!(bench.sent_text().contains("Good day!") && !bench.sent_text().contains("Praxis"));
    assert!(bench.events.contains(&VoiceEvent::Resumed { fresh: true }));
}

#[test]
fn a_connection_lost_before_anything_was_said_begins_anew_and_greets() {
    let mut bench = Bench::ready(Start::Fresh);
    bench.server(json!({ "sessionResumptionUpdate": { "newHandle": "h-0", "resumable": true } }));
    bench.input(Input::CallAnswered);
    bench.close(1011, "");
    bench.forget();
    bench.set_up();
    assert_eq!(bench.handle_in_setup(), None);
    assert!(bench.sent_text().contains("Praxis"));
}

#[test]
fn a_refused_handle_is_replaced_by_a_seed() {
    for (code, reason) in [(1008, "BidiGenerateContent session not found"), (1007, "Invalid session handle")]
    {
        let mut bench = Bench::resumable();
        bench.close(1006, "");
        bench.connected();
        assert_eq!(bench.handle_in_setup(), Some("h-1"));
        bench.close(code, reason);
        bench.pass_ms(400);
        bench.forget();
        bench.set_up();
        assert_eq!(bench.handle_in_setup(), None);
        assert!(bench.sent_text().contains("Good day!"));
    }
}

#[test]
fn a_rebuilt_session_whose_handle_is_refused_is_seeded_with_what_it_remembers() {
    let mut bench = Bench::new(Start::Resume { handle: "old".into() });
    bench.session.remember(vec![said(Speaker::Model, "Good day.")]);
    bench.input(Input::Begin);
    bench.connected();
    assert_eq!(bench.handle_in_setup(), Some("old"));
    bench.close(1008, "Requested entity was not found.");
    bench.pass_ms(400);
    bench.set_up();
    assert!(bench.sent_text().contains("Good day."));
    assert_eq!(bench.events, [VoiceEvent::Ready, VoiceEvent::Resumed { fresh: true }]);
}

#[test]
fn an_invalid_argument_in_the_call_drops_the_handle_and_a_second_one_gives_up() {
    let mut bench = Bench::resumable();
    bench.close(1007, "Request contains an invalid argument.");
    bench.set_up();
    assert_eq!(bench.handle_in_setup(), None);
    bench.close(1007, "Request contains an invalid argument.");
    assert_eq!(bench.failure(), Some(FailureClass::Poison));
}

#[test]
fn a_session_that_dies_each_time_it_is_resumed_goes_fresh_and_then_gives_up_in_the_budget() {
    let mut bench = Bench::resumable();
    let start = bench.now;
    let mut handles = Vec::new();
    for _ in 0..100 {
        bench.close(1011, "Internal error occurred.");
        if bench.failure().is_some() {
            break;
        }
        bench.pass_ms(2_500);
        bench.sent.clear();
        bench.set_up();
        handles.push(bench.handle_in_setup().is_some());
    }
    assert_eq!(bench.failure(), Some(FailureClass::Transient));
    assert_eq!(&handles[..4], [true, true, false, false]);
    assert!(bench.now - start < Duration::from_secs(60), "{:?}", bench.now - start);
}

#[test]
fn a_service_that_stays_away_is_given_up_within_the_callers_patience() {
    let mut bench = Bench::resumable();
    let start = bench.now;
    bench.close(1006, "");
    while bench.failure().is_none() {
        io_failure(&mut bench);
        let next = bench.session.next_timeout().unwrap_or(bench.now);
        bench.pass(next - bench.now);
    }
    assert_eq!(bench.failure(), Some(FailureClass::Transient));
    assert!(bench.now - start <= Duration::from_secs(12));
    assert!(bench.connects.len() > 5);
}

#[test]
fn a_hanging_reconnect_does_not_outlast_the_callers_patience() {
    let mut bench = Bench::resumable();
    let start = bench.now;
    bench.close(1006, "");
    bench.pass_ms(9_000);
    bench.connected();
    bench.pass_ms(20_000);
    assert_eq!(bench.failure(), Some(FailureClass::Transient));
    assert!(start + Duration::from_secs(29) == bench.now && bench.closes.contains(&2));
}

#[test]
fn ten_stable_seconds_and_a_completed_turn_forgive_what_was() {
    let mut bench = Bench::resumable();
    for _ in 0..30 {
        bench.close(1011, "");
        bench.pass_ms(1);
        bench.set_up();
        bench.pass_ms(10_000);
        bench.model_says("Yes.");
        bench.turn_complete();
    }
    assert_eq!(bench.failure(), None);
}

#[test]
fn not_implemented_is_resumed_once_and_then_taken_for_poison() {
    let text = "Operation is not implemented, or supported, or enabled.";
    let mut bench = Bench::resumable();
    bench.close(1008, text);
    bench.set_up();
    assert_eq!(bench.handle_in_setup(), Some("h-1"));
    bench.close(1008, text);
    bench.pass_ms(400);
    bench.set_up();
    assert_eq!((bench.handle_in_setup(), bench.failure()), (None, None));
    bench.close(1008, text);
    assert_eq!(bench.failure(), Some(FailureClass::Poison));
}

#[test]
fn a_key_or_quota_refused_in_the_call_ends_it_with_its_class() {
    let mut bench = Bench::resumable();
    bench.close(1011, "You exceeded your current quota, please check your plan");
    assert_eq!(bench.failure(), Some(FailureClass::Quota));
    let mut bench = Bench::resumable();
    bench.server(json!({ "error": { "code": 403, "status": "PERMISSION_DENIED", "message": "no" } }));
    assert_eq!((bench.failure(), bench.closes[0]), (Some(FailureClass::KeyBad), 1));
}

#[test]
fn nothing_of_an_old_connection_counts_once_a_new_one_was_asked_for() {
    let mut bench = Bench::resumable();
    bench.close(1006, "");
    bench.forget();
    bench.server_at(1, json!({ "setupComplete": {} }));
    bench.server_at(1, json!({ "serverContent": { "outputTranscription": { "text": "stale" } } }));
    bench.input(Input::Connected { epoch: 1 });
    bench.input(Input::ConnectFailed { epoch: 1, failure: ConnectFailure::TimedOut });
    bench.input(Input::Closed { epoch: 1, code: Some(1007), reason: "API key not valid".into() });
    assert_eq!((bench.events.len(), bench.sent.len(), bench.connects.len()), (0, 0, 0));
}

#[test]
fn garbage_is_counted_and_the_call_goes_on_unless_nothing_else_comes() {
    let mut bench = Bench::resumable();
    for _ in 0..40 {
        bench.input(Input::Garbage { epoch: 1 });
    }
    bench.audio();
    for _ in 0..49 {
        bench.input(Input::Garbage { epoch: 1 });
    }
    assert_eq!((bench.session.garbage_count(), bench.connects.len()), (89, 0));
    bench.input(Input::Garbage { epoch: 1 });
    bench.pass_ms(1);
    assert_eq!((bench.closes.clone(), bench.connects.clone()), (vec![1], vec![2]));
}

#[test]
fn a_warned_connection_is_renewed_at_once_when_all_is_quiet_the_old_socket_first() {
    let mut bench = Bench::resumable();
    bench.server(json!({ "goAway": { "timeLeft": "50s" } }));
    assert_eq!((bench.events.clone(), bench.closes.clone()), (vec![VoiceEvent::Reconnecting], vec![1]));
    assert!(bench.connects.is_empty());
    bench.close(1000, "");
    assert_eq!(bench.connects, [2]);
    bench.set_up();
    assert_eq!((bench.handle_in_setup(), bench.sent.len()), (Some("h-1"), 1));
}

#[test]
fn an_old_socket_that_does_not_close_is_waited_for_one_second() {
    let mut bench = Bench::resumable();
    bench.server(json!({ "goAway": { "timeLeft": "50s" } }));
    bench.pass_ms(999);
    assert!(bench.connects.is_empty());
    bench.pass_ms(1);
    assert_eq!(bench.connects, [2]);
}

#[test]
fn a_renewal_waits_for_the_end_of_the_turn() {
    let mut bench = Bench::resumable();
    bench.model_says("Let me explain.");
    bench.server(json!({ "goAway": { "timeLeft": "50s" } }));
    bench.pass_ms(20_000);
    assert!(bench.closes.is_empty());
    bench.turn_complete();
    assert_eq!(bench.closes, [1]);
}

#[test]
fn a_renewal_waits_three_seconds_less_than_the_warning_gave_at_the_latest() {
    for (time_left, patience_ms) in [(json!("9.5s"), 6_500), (Value::Null, 2_000), (json!("1s"), 0)] {
        let mut bench = Bench::resumable();
        bench.caller_says(" Well");
        bench.server(json!({ "goAway": { "timeLeft": time_left } }));
        if patience_ms > 0 {
            bench.pass_ms(patience_ms - 1);
            assert!(bench.closes.is_empty());
            bench.pass_ms(1);
        }
        assert_eq!(bench.closes, [1]);
    }
}

#[test]
fn an_aged_connection_is_renewed_without_a_warning() {
    let mut bench = Bench::resumable();
    bench.pass(HOUR);
    assert_eq!(bench.connects.first(), Some(&2));
}

#[test]
fn random_inputs_neither_panic_nor_leave_the_machine_without_an_end() {
    for seed in 0..300 {
        let mut entropy = Entropy::from_number(seed);
        let mut bench = Bench::new(Start::Fresh);
        bench.input(Input::Begin);
        for _ in 0..60 {
            let epoch = bench.epoch() - entropy.below(2).min(u64::from(bench.epoch())) as u32;
            match entropy.below(12) {
                0 | 1 => bench.connected(),
                2 | 3 => bench.server(json!({ "setupComplete": {} })),
                4 => bench.input(Input::Closed { epoch, code: Some(1000 + entropy.below(13) as u16), reason: String::new() }),
                5 => bench.model_says("word"),
                6 => bench.caller_says(" word"),
                7 => bench.server(json!({ "serverContent": { "interrupted": true, "turnComplete": entropy.below(2) == 0 } })),
                8 => bench.server(json!({ "toolCall": { "functionCalls": [{ "id": "1", "name": "end_call" }] } })),
                9 => bench.server(json!({ "goAway": {}, "sessionResumptionUpdate": { "newHandle": "h", "resumable": true } })),
                10 => bench.input(Input::CallAnswered),
                _ => bench.pass_ms(entropy.below(15_000)),
            }
        }
        bench.input(Input::Stop { heard: None });
        assert_eq!(bench.session.next_timeout(), None);
    }
}
