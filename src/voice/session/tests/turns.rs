//! Turns, words, usage.

use super::*;

#[test]
fn a_turn_starts_with_its_first_audio_and_ends_complete() {
    let mut bench = Bench::talking();
    bench.audio();
    bench.audio();
    bench.turn_complete();
    let expected = [
        VoiceEvent::TurnStarted,
        VoiceEvent::GenerationComplete,
        VoiceEvent::TurnEnded { reason: TurnEnd::Complete },
    ];
    assert_eq!(bench.events, expected);
}

#[test]
fn a_turn_without_a_word_is_empty_and_a_rejected_one_says_why() {
    let mut bench = Bench::talking();
    bench.turn_complete();
    bench.server(
        json!({ "serverContent": { "turnComplete": true, "turnCompleteReason": "RESPONSE_REJECTED" } }),
    );
    assert_eq!(bench.ends(), [TurnEnd::Empty, TurnEnd::Rejected("RESPONSE_REJECTED".into())]);
}

#[test]
fn an_interruption_cuts_the_models_item_and_the_turn_ends_interrupted() {
    let mut bench = Bench::talking();
    bench.model_says("We open at");
    bench.caller_says(" wait");
    bench.server(json!({ "serverContent": { "interrupted": true } }));
    bench.server(json!({ "serverContent": { "outputTranscription": { "text": " nine and close" } } }));
    bench.server(json!({ "serverContent": { "turnComplete": true } }));
    bench.caller_says(" a moment");
    assert!(bench.events.contains(&VoiceEvent::Interrupted));
    assert_eq!(bench.ends(), [TurnEnd::Interrupted]);
    let history = bench.session.history();
    let texts: Vec<_> = history.iter().map(|item| (item.text.as_str(), item.interrupted)).collect();
    assert_eq!(texts, [("Good day!", false), ("We open at", true), ("wait a moment", false)]);
}

#[test]
fn each_question_stands_by_itself_before_its_answer_however_soon_that_is_cut_off() {
    let mut bench = Bench::talking();
    for (question, answer) in [(" When do you open?", "We open"), (" And on Sundays?", "On Sundays")] {
        bench.caller_says(question);
        bench.pass_ms(400);
        bench.model_says(answer);
        bench.pass_ms(60);
        bench.server(json!({ "serverContent": { "interrupted": true } }));
        bench.server(json!({ "serverContent": { "turnComplete": true } }));
    }
    let said = [
        (Speaker::Caller, "When do you open?".into()),
        (Speaker::Model, "We open".into()),
        (Speaker::Caller, "And on Sundays?".into()),
        (Speaker::Model, "On Sundays".into()),
    ];
    assert_eq!(bench.utterances(), said);
}

#[test]
fn an_interruption_leaves_of_the_models_item_what_was_heard() {
    let mut bench = Bench::talking();
    bench.model_says("We open at nine and close at five.");
    bench.interrupt_after(Heard { heard_ms: 900, said_ms: 2_000 });
    assert_eq!(bench.utterances(), [(Speaker::Model, "We open at nine".into())]);
    let interrupted = bench.fragments().iter().filter(|(_, f)| f.finished).all(|(_, f)| f.interrupted);
    assert!(interrupted);
}

#[test]
fn an_answer_nobody_heard_a_word_of_is_no_item() {
    let mut bench = Bench::talking();
    bench.model_says("We open at nine.");
    bench.interrupt_after(Heard { heard_ms: 0, said_ms: 1_000 });
    assert_eq!(bench.utterances(), []);
}

#[test]
fn a_call_that_ends_in_mid_sentence_keeps_what_both_said() {
    let mut bench = Bench::talking();
    bench.caller_says(" When do you open?");
    bench.model_says("We open at nine and close at five.");
    bench.input(Input::Stop { heard: Some(Heard { heard_ms: 900, said_ms: 2_000 }) });
    let said = [(Speaker::Caller, "When do you open?".into()), (Speaker::Model, "We open at nine".into())];
    assert_eq!(bench.utterances(), said);
}

#[test]
fn a_goodbye_that_was_heard_to_its_end_is_not_interrupted_by_the_end_of_the_call() {
    let mut bench = Bench::talking();
    bench.model_says("Goodbye.");
    bench.input(Input::Stop { heard: Some(Heard { heard_ms: 700, said_ms: 700 }) });
    let closed: Vec<_> = bench.fragments().into_iter().filter(|(_, f)| f.finished).collect();
    assert_eq!((closed.len(), closed[0].1.text.as_str(), closed[0].1.interrupted), (1, "Goodbye.", false));
}

#[test]
fn the_question_stands_before_an_answer_that_is_declared_finished_early() {
    let mut bench = Bench::talking();
    bench.caller_says(" When do you open?");
    bench.audio();
    bench.server(
        json!({ "serverContent": { "outputTranscription": { "text": "At nine.", "finished": true } } }),
    );
    let said = [(Speaker::Caller, "When do you open?".into()), (Speaker::Model, "At nine.".into())];
    assert_eq!(bench.utterances(), said);
}

#[test]
fn words_that_the_server_says_twice_stand_once() {
    let mut bench = Bench::talking();
    bench.caller_says("I need an");
    bench.caller_says("I need an appointment");
    bench.model_says("Of course.");
    bench.turn_complete();
    assert_eq!(bench.utterances()[0], (Speaker::Caller, "I need an appointment".into()));
}

#[test]
fn an_interruption_in_idle_or_twice_does_no_harm() {
    let mut bench = Bench::talking();
    for _ in 0..2 {
        bench.server(json!({ "serverContent": { "interrupted": true } }));
    }
    bench.server(json!({ "serverContent": { "turnComplete": true } }));
    bench.model_says("Yes?");
    bench.turn_complete();
    assert_eq!(bench.ends(), [TurnEnd::Interrupted, TurnEnd::Complete]);
}

#[test]
fn an_interrupted_turn_that_is_never_completed_ends_with_the_next_one() {
    let mut bench = Bench::talking();
    bench.audio();
    bench.server(json!({ "serverContent": { "interrupted": true } }));
    bench.caller_says(" at nine");
    bench.model_says("Nine it is.");
    bench.turn_complete();
    assert_eq!(bench.ends(), [TurnEnd::Interrupted, TurnEnd::Complete]);
}

#[test]
fn fragments_report_the_whole_utterance_under_one_number() {
    let mut bench = Bench::talking();
    bench.caller_says(" I need an");
    bench.caller_says(" app");
    bench.caller_says("ointment.");
    let fragments = bench.fragments();
    let fragments: Vec<_> = fragments.iter().map(|(_, f)| (f.item, f.text.as_str(), f.finished)).collect();
    assert_eq!(
        fragments,
        [(1, "I need an", false), (1, "I need an app", false), (1, "I need an appointment.", false)]
    );
}

#[test]
fn the_callers_words_close_half_a_second_into_the_answer_or_with_it() {
    let mut bench = Bench::talking();
    bench.caller_says(" When do you");
    bench.pass_ms(5_000);
    assert_eq!(bench.utterances(), []);
    bench.model_says("At nine.");
    bench.caller_says(" open?");
    bench.pass_ms(499);
    assert_eq!(bench.utterances(), []);
    bench.pass_ms(1);
    assert_eq!(bench.utterances(), [(Speaker::Caller, "When do you open?".into())]);
    bench.turn_complete();
    assert_eq!(bench.utterances()[1], (Speaker::Model, "At nine.".into()));
}

#[test]
fn thoughts_are_neither_spoken_nor_recorded() {
    let mut bench = Bench::talking();
    let parts = json!([{ "text": "The caller seems upset.", "thought": true }]);
    bench.server(json!({ "serverContent": { "modelTurn": { "parts": parts } } }));
    bench.turn_complete();
    assert!(!format!("{:?}{:?}", bench.events, bench.session.history()).contains("upset"));
    assert_eq!(bench.ends(), [TurnEnd::Empty]);
}

#[test]
fn usage_is_the_sum_over_all_reports_also_across_connections() {
    let mut bench = Bench::resumable();
    let report = json!({ "usageMetadata": { "promptTokenCount": 100, "responseTokenCount": 10, "totalTokenCount": 110,
        "responseTokensDetails": [{ "modality": "AUDIO", "tokenCount": 9 }] } });
    bench.server(report.clone());
    bench.close(1011, "");
    bench.set_up();
    bench.server(report);
    let usage = bench.session.usage();
    assert_eq!((usage.reports, usage.prompt_tokens, usage.response_audio_tokens), (2, 200, 18));
    assert!(bench.events.contains(&VoiceEvent::Usage(usage)));
}

#[test]
fn every_member_of_one_message_is_handled_in_order() {
    let mut bench = Bench::talking();
    bench.server(json!({
        "serverContent": { "inputTranscription": { "text": "Bye" }, "outputTranscription": { "text": "Goodbye" },
            "modelTurn": { "parts": [{ "inlineData": { "data": "AAAA" } }] },
            "generationComplete": true, "turnComplete": true },
        "toolCall": { "functionCalls": [{ "id": "1", "name": "end_call" }] },
        "sessionResumptionUpdate": { "newHandle": "h", "resumable": true },
        "usageMetadata": { "promptTokenCount": 7 },
    }));
    let names = bench.events.iter().map(|event| format!("{event:?}").chars().take(9).collect::<String>());
    let names: Vec<_> = names.collect();
    let expected = [
        "CallerSai",
        "TurnStart",
        "ModelSaid",
        "ToolCall ",
        "Generatio",
        "CallerSai",
        "ModelSaid",
        "TurnEnded",
        "Usage(Usa",
        "Handle(Re",
    ];
    assert_eq!(names, expected);
}

#[test]
fn a_handle_is_kept_until_a_better_one_comes() {
    let mut bench = Bench::resumable();
    for update in [
        json!({ "resumable": false }),
        json!({ "newHandle": "", "resumable": true }),
        json!({ "newHandle": "x" }),
    ] {
        bench.server(json!({ "sessionResumptionUpdate": update }));
    }
    assert_eq!(bench.session.resume_handle().map(|handle| handle.handle.as_str()), Some("h-1"));
    assert_eq!(bench.events, []);
}
