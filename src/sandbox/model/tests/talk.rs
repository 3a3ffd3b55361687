//! Turns, barge-in, transcripts, usage and handles, on virtual time.

use std::time::Duration;

use serde_json::{Value, json};

use super::bench::{Bench, audio_message, kind, samples_in, settings, setup, setup_with};
use crate::sandbox::model::Marker;
use crate::sandbox::model::settings::{Limits, ModelSettings, Script, SpeechStyle, Voicing};

const INTERRUPTED: [&str; 3] = ["interrupted", "turnComplete", "handle"];

#[test]
fn the_setup_is_answered_after_its_delay_in_a_binary_frame() {
    let bench = Bench::ready();
    assert_eq!(bench.sent[0].at, Duration::from_millis(150));
    assert_eq!(bench.sent[0].message, json!({"setupComplete": {"sessionId": "s-1"}}));
    assert!(matches!(bench.frames[0], crate::sandbox::model::session::Frame::Binary(_)));
}

#[test]
fn a_first_user_turn_is_greeted_in_the_documented_order() {
    let mut bench = Bench::ready();
    bench.greet();
    let mut kinds = bench.kinds(1);
    kinds.retain(|kind| *kind != "outputTranscription");
    kinds.dedup();
    assert_eq!(kinds, ["no handle", "modelTurn", "generationComplete", "turnComplete", "handle"]);
    assert_eq!(bench.texts("outputTranscription"), " Hello, this is Clearline. How can I help you?");
}

#[test]
fn audio_comes_after_the_latency_in_bursts_and_the_turn_completes_when_it_was_played() {
    let mut bench = Bench::ready();
    bench.greet();
    let times = |wanted: &str| -> Vec<Duration> {
        bench.sent.iter().filter(|sent| kind(&sent.message) == wanted).map(|sent| sent.at).collect()
    };
    let chunks = times("modelTurn");
    assert_eq!((chunks.len(), chunks[0]), (25, Duration::from_millis(700)));
    assert_eq!(chunks[24] - chunks[0], Duration::from_millis(240), "one second in a quarter of it");
    assert_eq!(times("turnComplete"), [Duration::from_millis(1_700)], "held until it was played");
}

#[test]
fn what_is_heard_of_a_session_is_its_marker_at_24_khz() {
    let setup = setup_with("systemInstruction", json!({"parts": [{"text": "Be Mira. [marker 17]"}]}));
    for style in [SpeechStyle::MarkerOnly, SpeechStyle::Words] {
        let settings = ModelSettings { voicing: Voicing { style, ..Voicing::default() }, ..settings() };
        let mut bench = Bench::ready_with(settings, &setup, Vec::new());
        bench.greet();
        bench.run_for(3_000);
        let audio: Vec<i16> = bench.sent.iter().flat_map(|sent| samples_in(&sent.message)).collect();
        assert_eq!(Marker::tones_heard_in(&audio, 24_000), Marker::number(17).tones_hz(), "{style:?}");
        assert_eq!(bench.report().marker, Some(17));
    }
}

#[test]
fn the_end_of_the_callers_speech_is_answered_and_their_tone_recognised() {
    let mut bench = Bench::ready();
    bench.greet();
    bench.stream(697.0, 800);
    bench.stream(0.0, 1_000);
    bench.run_for(2_000);
    assert_eq!(bench.texts("inputTranscription"), " tone 697 Hz");
    assert!(bench.texts("outputTranscription").ends_with("I understand. Please tell me a little more."));
    let report = bench.report();
    assert_eq!((report.caller_turns, report.model_turns, report.heard_ms), (1, 2, 1_800));
    assert!(report.heard_tones.iter().any(|tone| (tone.hz - 697.0).abs() < 4.0));
}

#[test]
fn a_gap_in_the_audio_stalls_the_detection() {
    let mut bench = Bench::ready();
    bench.stream(440.0, 600);
    bench.run_for(60_000);
    assert_eq!(bench.report().model_turns, 0, "no silence was heard, so the caller is still speaking");
    bench.send(&json!({"realtimeInput": {"audioStreamEnd": true}}));
    assert_eq!(bench.report().model_turns, 1);
}

#[test]
fn barge_in_interrupts_then_completes_the_turn_without_generation_complete() {
    let mut bench = Bench::ready();
    bench.say_text("[speak 10000]");
    bench.run_for(1_500);
    let mark = bench.sent.len();
    bench.stream(440.0, 200);
    let kinds: Vec<_> = bench.kinds(mark).into_iter().skip_while(|kind| *kind != "interrupted").collect();
    assert_eq!(kinds, INTERRUPTED);
    assert!(!bench.sent.iter().any(|sent| kind(&sent.message) == "generationComplete"));
    assert_eq!(bench.report().interruptions, 1);
}

#[test]
fn the_tail_that_is_sent_but_not_yet_played_can_be_interrupted() {
    let mut bench = Bench::ready();
    bench.say_text("[speak 10000]");
    bench.run_for(4_000);
    assert_eq!(kind(&bench.sent.last().unwrap().message), "generationComplete");
    let mark = bench.sent.len();
    bench.stream(440.0, 100);
    assert_eq!(bench.kinds(mark), INTERRUPTED);
}

#[test]
fn no_interruption_lets_the_model_finish_and_answers_afterwards() {
    let setup = setup_with("realtimeInputConfig", json!({"activityHandling": "NO_INTERRUPTION"}));
    let mut bench = Bench::ready_with(settings(), &setup, Vec::new());
    bench.say_text("[speak 5000]");
    bench.run_for(1_000);
    bench.stream(440.0, 400);
    bench.stream(0.0, 1_000);
    bench.run_for(10_000);
    let report = bench.report();
    assert_eq!((report.interruptions, report.model_turns), (0, 2));
}

#[test]
fn client_content_interrupts_and_without_turns_means_stop() {
    let mut bench = Bench::ready();
    bench.say_text("[speak 10000]");
    bench.run_for(1_000);
    let mark = bench.sent.len();
    bench.send(&json!({"clientContent": {"turnComplete": false}}));
    bench.run_for(5_000);
    assert_eq!(bench.kinds(mark), INTERRUPTED);
}

#[test]
fn context_without_a_complete_turn_is_remembered_in_silence() {
    let mut bench = Bench::ready();
    let turn = json!({"role": "model", "parts": [{"text": "We spoke before."}]});
    bench.send(&json!({"clientContent": {"turns": [turn], "turnComplete": false}}));
    bench.run_for(5_000);
    assert_eq!(bench.sent.len(), 1);
    bench.say_text("go on");
    bench.run_for(3_000);
    assert!(
        !bench.texts("outputTranscription").contains("Hello"),
        "who has spoken before does not greet again"
    );
}

#[test]
fn initial_history_is_not_answered_when_the_setup_says_so() {
    let setup = setup_with("historyConfig", json!({"initialHistoryInClientContent": true}));
    let mut bench = Bench::ready_with(settings(), &setup, Vec::new());
    bench.greet();
    assert_eq!((bench.report().model_turns, bench.report().history.len()), (0, 1));
    bench.greet();
    assert_eq!(bench.report().model_turns, 1);
}

#[test]
fn with_detection_off_the_client_brackets_speech_and_the_rest_is_discarded() {
    let manual = json!({"automaticActivityDetection": {"disabled": true}});
    let mut bench = Bench::ready_with(settings(), &setup_with("realtimeInputConfig", manual), Vec::new());
    bench.stream(440.0, 500);
    assert_eq!(bench.report().heard_ms, 0);
    bench.send(&json!({"realtimeInput": {"activityStart": {}}}));
    bench.stream(440.0, 500);
    bench.send(&json!({"realtimeInput": {"activityEnd": {}}}));
    bench.run_for(2_000);
    assert_eq!((bench.report().heard_ms, bench.report().model_turns), (500, 1));
    bench.send(&json!({"realtimeInput": {"audioStreamEnd": true}}));
    assert_eq!(bench.closed.unwrap().code, 1007);
}

#[test]
fn activity_marks_are_refused_while_detection_is_automatic() {
    let mut bench = Bench::ready();
    bench.send(&json!({"realtimeInput": {"activityStart": {}}}));
    assert_eq!(bench.closed.unwrap().code, 1007);
}

#[test]
fn transcripts_come_only_when_asked_for() {
    let mut bare = setup();
    bare.as_object_mut().unwrap().retain(|name, _| !name.ends_with("Transcription"));
    let mut bench = Bench::ready_with(settings(), &bare, Vec::new());
    bench.greet();
    bench.stream(697.0, 600);
    bench.stream(0.0, 800);
    bench.run_for(3_000);
    assert_eq!(bench.texts("inputTranscription") + &bench.texts("outputTranscription"), "");
}

#[test]
fn every_turn_reports_the_whole_context_as_its_prompt() {
    let mut bench = Bench::ready();
    bench.greet();
    bench.say_text("and now?");
    bench.run_for(3_000);
    let usages: Vec<&Value> = bench
        .sent
        .iter()
        .map(|sent| &sent.message["usageMetadata"])
        .filter(|usage| usage.is_object())
        .collect();
    assert_eq!(usages.len(), 2);
    assert_eq!(usages[0]["responseTokenCount"], 25);
    assert!(usages[1]["promptTokenCount"].as_u64() >= Some(25 + 5));
}

#[test]
fn a_context_that_outgrows_its_limit_uncompressed_is_closed() {
    let limits = Limits { context_tokens: 20, ..Limits::default() };
    let mut bare = setup();
    bare.as_object_mut().unwrap().remove("contextWindowCompression");
    let mut bench = Bench::ready_with(ModelSettings { limits, ..settings() }, &bare, Vec::new());
    bench.greet();
    assert_eq!(bench.closed.unwrap().code, 1007);
}

#[test]
fn a_handle_restores_history_marker_and_the_end_of_greeting() {
    let mut bench = Bench::ready();
    bench.greet();
    let handle = bench.newest_handle();
    let history = bench.report().history;
    let mut resumed = bench.resume(&setup_with("sessionResumption", json!({"handle": handle})), Vec::new());
    assert_eq!((resumed.report().resumed, resumed.report().history), (true, history));
    assert_eq!(resumed.report().marker, Some(1));
    resumed.stream(440.0, 500);
    resumed.stream(0.0, 800);
    resumed.run_for(3_000);
    assert!(!resumed.texts("outputTranscription").contains("Hello"));
}

#[test]
fn a_handle_of_another_model_is_answered_and_then_dies() {
    let mut bench = Bench::ready();
    bench.greet();
    let mut other = setup_with("sessionResumption", json!({"handle": bench.newest_handle()}));
    other["model"] = "models/gemini-2.5-flash-native-audio-preview-12-2025".into();
    let resumed = bench.resume(&other, Vec::new());
    assert_eq!((resumed.kinds(0), resumed.closed.unwrap().code), (vec!["setupComplete"], 1011));
}

#[test]
fn an_unknown_handle_is_refused() {
    let setup = setup_with("sessionResumption", json!({"handle": "never-given"}));
    let bench = Bench::ready_with(settings(), &setup, Vec::new());
    assert_eq!(bench.closed.unwrap().reason, "BidiGenerateContent session not found");
}

#[test]
fn activity_is_signalled_to_who_asked_for_it() {
    let mut bench = Bench::ready_with(settings(), &setup_with("explicitVadSignal", json!(true)), Vec::new());
    bench.stream(440.0, 300);
    let signal = &bench.sent[1].message["voiceActivity"];
    assert_eq!((signal["type"].as_str(), signal["audioOffset"].is_string()), (Some("ACTIVITY_START"), true));
}

#[test]
fn the_script_names_what_the_caller_said_where_no_tones_were() {
    let script = Script { caller_lines: vec!["I need an appointment.".into()], ..Script::default() };
    let mut bench = Bench::ready_with(ModelSettings { script, ..settings() }, &setup(), Vec::new());
    bench.send(&audio_message(440.0, 0, 3_200));
    bench.send(&audio_message(0.0, 0, 16_000));
    bench.run_for(3_000);
    assert_eq!(bench.texts("inputTranscription"), " I need an appointment.");
}
