//! Faults on virtual time.

use std::time::Duration;

use serde_json::json;

use super::bench::{Bench, kind, settings, setup, setup_with};
use crate::sandbox::model::faults::{Fault, Moment};
use crate::sandbox::model::session::{Frame, Input};
use crate::sandbox::model::settings::{AgeClose, Limits, ModelSettings};

fn with(fault: Fault) -> Bench {
    Bench::ready_with(settings(), &setup(), vec![fault])
}

#[test]
fn a_setup_can_stay_unanswered_come_late_or_be_refused() {
    let mut silent = with(Fault::SetupSilent);
    silent.run_for(3_600_000);
    assert!(silent.sent.is_empty() && silent.closed.is_none());
    let mut late = with(Fault::SetupDelay { ms: 5_000 });
    late.run_for(5_000);
    assert_eq!(late.sent[0].at, Duration::from_secs(5));
    let refused = with(Fault::SetupClose { code: 1008, reason: "no".into() });
    assert_eq!(refused.closed.unwrap().code, 1008);
}

#[test]
fn a_connection_is_warned_before_it_is_closed_for_its_age() {
    let limits = Limits {
        connection_age_ms: 60_000,
        go_away_lead_ms: 9_500,
        age_close: AgeClose::Deadline,
        ..Limits::default()
    };
    let mut bench = Bench::ready_with(ModelSettings { limits, ..settings() }, &setup(), Vec::new());
    bench.run_for(70_000);
    assert_eq!(bench.sent[1].message, json!({"goAway": {"timeLeft": "9.500s"}}));
    assert_eq!(bench.sent[1].at, Duration::from_millis(50_650));
    assert!(bench.closed.unwrap().reason.starts_with("Deadline expired"));
}

#[test]
fn go_away_may_name_no_time_and_nothing_may_follow() {
    let mut bench = with(Fault::GoAway { after_ms: 1_000, time_left_ms: None, close_after_ms: None });
    bench.run_for(5_000);
    assert_eq!(bench.sent[1].message, json!({"goAway": {}}));
    assert!(bench.closed.is_none());
}

#[test]
fn a_connection_can_die_in_the_middle_of_a_turn() {
    for code in [1007, 1008, 1011] {
        let at = Moment::DuringTurn(1);
        let mut bench = with(Fault::Close { code, reason: String::new(), at });
        bench.greet();
        assert_eq!(bench.closed.unwrap().code, code);
        let chunks = bench.sent.iter().filter(|sent| kind(&sent.message) == "modelTurn").count();
        assert!((10..=13).contains(&chunks), "{chunks} of 25");
    }
    let mut cut = with(Fault::Cut { at: Moment::DuringTurn(1) });
    cut.greet();
    assert!(cut.cut && cut.closed.is_none());
}

#[test]
fn a_resume_can_be_refused_or_die_right_after() {
    for (fault, code, answered) in
        [(Fault::ResumeRefused { code: 1007 }, 1007, 0), (Fault::ResumeThenClose { code: 1011 }, 1011, 1)]
    {
        let mut bench = Bench::ready();
        bench.greet();
        let handle = json!({"handle": bench.newest_handle()});
        let resumed = bench.resume(&setup_with("sessionResumption", handle), vec![fault]);
        assert_eq!((resumed.closed.unwrap().code, resumed.sent.len()), (code, answered));
    }
}

#[test]
fn garbage_comes_between_good_messages_and_the_turn_goes_on() {
    let mut bench = with(Fault::Garbage);
    bench.greet();
    let unreadable = bench.frames.len() - bench.sent.len();
    assert!(unreadable >= 4);
    assert!(bench.sent.iter().any(|sent| kind(&sent.message) == "turnComplete"));
}

#[test]
fn frames_can_be_text_and_carry_unknown_members() {
    let text = with(Fault::TextFrames);
    assert!(matches!(text.frames[0], Frame::Text(_)));
    let unknown = with(Fault::UnknownMembers);
    assert!(unknown.sent[0].message.get("alsoNew").is_some());
}

#[test]
fn first_audio_can_be_late_bursts_steep_and_turns_empty() {
    let mut late = with(Fault::FirstAudioDelay { ms: 2_500 });
    late.greet();
    let first = late.sent.iter().find(|sent| kind(&sent.message) == "modelTurn").unwrap();
    assert_eq!(first.at, Duration::from_millis(2_800));
    let mut steep = with(Fault::Burst { factor: 100.0 });
    steep.say_text("[speak 60000]");
    steep.run_for(1_000);
    assert_eq!(steep.report().said_ms, 60_000);
    let mut empty = with(Fault::EmptyTurn { turn: Some(1) });
    empty.greet();
    assert_eq!(empty.kinds(1), ["no handle", "turnComplete", "handle"]);
}

#[test]
fn a_fault_can_befall_a_running_session() {
    let mut bench = Bench::ready();
    let close = Fault::Close { code: 1011, reason: "quota".into(), at: Moment::AfterMs(100) };
    bench.feed(Input::Inject(close));
    bench.run_for(200);
    assert_eq!(bench.closed.unwrap().reason, "quota");
}

#[test]
fn no_time_a_peer_may_set_overflows() {
    let mut bench = with(Fault::GoAway {
        after_ms: u64::MAX,
        time_left_ms: Some(u64::MAX),
        close_after_ms: Some(u64::MAX),
    });
    bench.feed(Input::Inject(Fault::FirstAudioDelay { ms: u64::MAX }));
    bench.greet();
    assert!(bench.closed.is_none());
}

#[test]
fn whatever_comes_first_must_be_a_setup_and_only_once() {
    let mut early = Bench::new(settings(), Vec::new());
    early.say_text("hello?");
    assert_eq!(early.closed.unwrap().code, 1007);
    let mut twice = Bench::ready();
    twice.send(&json!({"setup": setup()}));
    assert_eq!(twice.closed.unwrap().code, 1007);
}

#[test]
fn what_comes_before_setup_complete_is_noted_and_dropped() {
    let mut bench = Bench::new(settings(), Vec::new());
    bench.send(&json!({"setup": setup()}));
    bench.say_text("too early");
    bench.run_for(1_000);
    assert_eq!(bench.report().ordering_errors, ["message before setupComplete"]);
    assert_eq!(bench.kinds(0), ["setupComplete"]);
}

#[test]
fn the_same_seed_says_the_same() {
    let run = || {
        let mut bench = Bench::ready_with(ModelSettings::default(), &setup(), Vec::new());
        bench.greet();
        bench.sent.into_iter().map(|sent| (sent.at, sent.message)).collect::<Vec<_>>()
    };
    assert_eq!(run(), run());
}
