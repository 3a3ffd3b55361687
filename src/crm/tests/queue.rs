#![expect(clippy::disallowed_methods, reason = "a test needs some instant to start its virtual clock from")]

use std::time::{Duration, Instant};

use crate::crm::{Answer, Found, Input, Limits, Outcome, Output, Progress, Settled, Step, Uploads};
use crate::domain::{CallId, Entropy, UploadState};

pub(super) const LIMITS: Limits =
    Limits { parallel: 4, amend: true, held_max: 100, look_every: Duration::from_secs(5) };

fn http(status: u16) -> Answer {
    Answer::Http {
        status,
        retry_after: None,
        content_type: None,
        body: br#"{"url":"https://crm/1"}"#.to_vec(),
    }
}

/// The machine with a shell that notes everything at once.
struct Desk {
    uploads: Uploads,
    now: Instant,
    posted: Vec<(CallId, Step)>,
    looks: u32,
    progress: std::collections::BTreeMap<CallId, Progress>,
}

impl Desk {
    fn new(limits: Limits) -> Self {
        let now = Instant::now();
        let uploads = Uploads::new(limits, Entropy::from_number(7), now);
        let mut desk = Self { uploads, now, posted: Vec::new(), looks: 0, progress: Default::default() };
        desk.tell(Input::Tick);
        desk
    }

    fn due(&mut self, names: &[&str], has_recording: bool, holds_recording: bool) {
        let progress = Progress::due(has_recording);
        let found = names.iter().map(|name| {
            self.progress.insert(CallId::new(name), progress.clone());
            Found { call: CallId::new(name), progress: progress.clone(), holds_recording }
        });
        let found = Input::Found(found.collect());
        self.tell(found);
    }

    fn tell(&mut self, input: Input) {
        self.uploads.handle(input, self.now);
        while let Some(output) = self.uploads.poll_output() {
            match output {
                Output::Look => {
                    self.looks += 1;
                    self.tell(Input::Looked { more: false });
                }
                Output::Release { .. } => {}
                Output::Post { call, step, .. } => self.posted.push((call, step)),
                Output::Settle { call, settled } => self.note(call, &settled),
            }
        }
    }

    fn note(&mut self, call: CallId, settled: &Settled) {
        let progress = self.progress.remove(&call).expect("an entry").settle(settled);
        self.progress.insert(call.clone(), progress.clone());
        self.tell(Input::Noted { call, progress });
    }

    /// What has been posted since the last time.
    fn posted(&mut self) -> Vec<(String, Step)> {
        std::mem::take(&mut self.posted).into_iter().map(|(call, step)| (call.to_string(), step)).collect()
    }

    fn answer(&mut self, name: &str, answer: Answer) {
        self.tell(Input::Answered { call: CallId::new(name), answer });
    }

    fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.uploads.next_timeout().filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.tell(Input::Tick);
        }
        self.now = until;
        self.tell(Input::Tick);
    }

    fn state(&self, name: &str) -> UploadState {
        self.progress[&CallId::new(name)].state
    }
}

fn posts(of: &[(&str, Step)]) -> Vec<(String, Step)> {
    of.iter().map(|(call, step)| ((*call).to_owned(), *step)).collect()
}

#[test]
fn u4_the_recording_goes_first_and_its_url_with_the_call_data() {
    let mut desk = Desk::new(LIMITS);
    desk.due(&["a"], true, true);
    assert_eq!(desk.posted(), posts(&[("a", Step::Recording)]));
    desk.answer("a", http(201));
    assert_eq!(desk.posted(), posts(&[("a", Step::CallData)]));
    desk.answer("a", http(200));
    assert_eq!((desk.state("a"), desk.posted(), desk.uploads.held()), (UploadState::Done, vec![], 0));
}

#[test]
fn u5_no_more_than_the_bound_are_under_way_and_one_call_never_overtakes_itself() {
    let mut desk = Desk::new(Limits { parallel: 2, ..LIMITS });
    desk.due(&["a", "b", "c"], false, true);
    assert_eq!(desk.posted(), posts(&[("a", Step::CallData), ("b", Step::CallData)]));
    desk.answer("b", http(200));
    assert_eq!(desk.posted(), posts(&[("c", Step::CallData)]));
    desk.pass(Duration::from_secs(60));
    assert_eq!(desk.posted(), [], "two are under way");
}

#[test]
fn u5_while_the_crm_is_down_one_probe_goes_at_most_every_twenty_seconds_and_its_success_wakes_all() {
    let mut desk = Desk::new(LIMITS);
    desk.due(&["a", "b", "c", "d", "e", "f"], false, true);
    assert_eq!(desk.posted().len(), 4);
    for name in ["a", "b", "c", "d"] {
        desk.answer(name, Answer::Unreachable("refused".into()));
    }
    for _ in 0..20 {
        desk.pass(Duration::from_secs(20));
        let probes = desk.posted();
        assert_eq!(probes.len(), 1, "{probes:?}");
        let probe = probes[0].0.clone();
        desk.pass(Duration::from_secs(300));
        assert_eq!(desk.posted(), [], "one probe at a time");
        desk.answer(&probe, http(503));
    }
    assert_eq!(desk.uploads.health().call_data.as_deref(), Some("the CRM answers 503"));
    desk.pass(Duration::from_secs(20));
    let probe = desk.posted().remove(0).0;
    desk.answer(&probe, http(200));
    assert_eq!(desk.posted().len(), 4, "all that the bound allows");
    assert_eq!(desk.uploads.health().call_data, None);
}

#[test]
fn u5_what_the_crm_refuses_is_parked_and_a_person_can_have_it_tried_again() {
    let mut desk = Desk::new(LIMITS);
    desk.due(&["a"], true, true);
    desk.answer("a", http(413));
    assert_eq!(desk.posted(), posts(&[("a", Step::Recording), ("a", Step::CallData)]), "it goes without");
    desk.answer("a", http(200));
    assert_eq!((desk.state("a"), desk.uploads.held()), (UploadState::Parked, 0));
    let parked = desk.progress[&CallId::new("a")].clone();
    assert!(parked.reason().is_some_and(|reason| reason.starts_with("the CRM answers 413")));
    let progress = parked.retried();
    assert_eq!(progress.state, UploadState::Amendable);
    desk.progress.insert(CallId::new("a"), progress.clone());
    let found = Found { call: CallId::new("a"), progress, holds_recording: true };
    desk.tell(Input::Found(vec![found]));
    desk.answer("a", http(200));
    desk.answer("a", http(200));
    assert_eq!(desk.posted(), posts(&[("a", Step::Recording), ("a", Step::Amendment)]));
    assert_eq!(desk.state("a"), UploadState::Done);
}

#[test]
fn u5_call_data_that_is_refused_stays_parked_with_its_recording() {
    let mut desk = Desk::new(LIMITS);
    desk.due(&["a"], true, true);
    desk.answer("a", http(200));
    desk.answer("a", http(422));
    assert_eq!((desk.state("a"), desk.uploads.held()), (UploadState::Parked, 0));
    assert_eq!(desk.progress[&CallId::new("a")].clone().retried().state, UploadState::Due);
}

#[test]
fn u5_a_recording_that_fails_by_itself_does_not_hold_its_call_data_back() {
    let mut desk = Desk::new(LIMITS);
    desk.due(&["a"], true, true);
    // Others are taken in between, so that it is not the endpoint.
    for round in 0..20 {
        if desk.posted.last().is_some_and(|(call, step)| call.as_str() == "a" && *step == Step::CallData) {
            break;
        }
        desk.answer("a", http(500));
        let other = format!("b{round}");
        desk.due(&[&other], true, true);
        desk.pass(Duration::from_secs(1));
        desk.answer(&other, http(200));
        desk.answer(&other, http(200));
        desk.pass(Duration::from_secs(25));
    }
    assert_eq!(desk.posted.last().map(|(_, step)| *step), Some(Step::CallData));
    desk.answer("a", http(200));
    assert_eq!(desk.state("a"), UploadState::Amendable, "the recording is still to come");
}

#[test]
fn u5_call_data_goes_ahead_when_only_recordings_cannot_be_sent() {
    let mut desk = Desk::new(LIMITS);
    desk.due(&["a", "b"], true, true);
    let mut told = Vec::new();
    for _ in 0..40 {
        for (call, step) in desk.posted() {
            let answer = if step == Step::Recording { http(503) } else { http(200) };
            if step == Step::CallData {
                told.push(call.clone());
            }
            desk.answer(&call, answer);
        }
        desk.pass(Duration::from_secs(5));
    }
    told.sort();
    assert_eq!(told, ["a", "b"]);
    assert_eq!((desk.state("a"), desk.state("b")), (UploadState::Amendable, UploadState::Amendable));
}

/// Answers whatever is posted in a span of time, and gives what was.
fn answer_all(desk: &mut Desk, span: Duration, answer: impl Fn(Step) -> Answer) -> Vec<(String, Step)> {
    let (end, mut all) = (desk.now + span, Vec::new());
    while desk.now < end {
        loop {
            let posted = desk.posted();
            if posted.is_empty() {
                break;
            }
            for (call, step) in posted {
                desk.answer(&call, answer(step));
                all.push((call, step));
            }
        }
        desk.pass(Duration::from_secs(1));
    }
    all
}

fn told(step: Step, posted: &[(String, Step)]) -> usize {
    posted.iter().filter(|(_, posted)| *posted == step).count()
}

#[test]
fn u5_a_crm_that_is_out_of_reach_for_minutes_is_told_of_no_call_without_its_recording() {
    let mut desk = Desk::new(LIMITS);
    desk.due(&["a", "b", "c", "d", "e"], true, true);
    let outage = answer_all(&mut desk, Duration::from_secs(600), |_| Answer::Unreachable("refused".into()));
    assert_eq!(told(Step::CallData, &outage), 0, "{outage:?}");
    let after = answer_all(&mut desk, Duration::from_secs(60), |_| http(200));
    assert_eq!((told(Step::CallData, &after), told(Step::Amendment, &after)), (5, 0), "{after:?}");
}

#[test]
fn u5_of_a_crm_that_answers_503_to_everything_one_call_finds_out_and_no_other_goes_without() {
    let mut desk = Desk::new(LIMITS);
    desk.due(&["a", "b", "c", "d", "e"], true, true);
    answer_all(&mut desk, Duration::from_secs(600), |_| http(503));
    let after = answer_all(&mut desk, Duration::from_secs(60), |_| http(200));
    assert_eq!((told(Step::CallData, &after), told(Step::Amendment, &after)), (5, 1), "{after:?}");
}

#[test]
fn u5_call_data_that_has_not_reached_the_crm_without_its_recording_goes_with_it_and_is_not_amended() {
    let mut desk = Desk::new(LIMITS);
    let call = CallId::new("a");
    desk.due(&["a"], true, false);
    assert!(desk.progress[&call].went_without, "noted before it is sent");
    desk.answer("a", Answer::Unreachable("refused".into()));
    assert!(!desk.progress[&call].went_without, "taken back");
    // Its engine is back.
    let mut desk = Desk { progress: desk.progress, ..Desk::new(LIMITS) };
    let progress = desk.progress[&call].clone();
    desk.tell(Input::Found(vec![Found { call, progress, holds_recording: true }]));
    let posted = answer_all(&mut desk, Duration::from_secs(5), |_| http(200));
    assert_eq!(posted, posts(&[("a", Step::Recording), ("a", Step::CallData)]));
    assert_eq!(desk.state("a"), UploadState::Done);
}

#[test]
fn u5_call_data_that_may_have_gone_without_its_recording_is_the_same_when_it_is_sent_again() {
    let mut desk = Desk::new(LIMITS);
    let call = CallId::new("a");
    desk.due(&["a"], true, false);
    desk.answer("a", Answer::Broken("no answer in time".into()));
    let mut desk = Desk { progress: desk.progress, ..Desk::new(LIMITS) };
    let progress = desk.progress[&call].clone();
    let progress = progress.settle(&Settled {
        step: Step::Recording,
        sent_url: None,
        unsent: None,
        outcome: Outcome::Taken { url: Some("https://crm/1".into()) },
    });
    desk.progress.insert(call.clone(), progress.clone());
    desk.tell(Input::Found(vec![Found { call: call.clone(), progress, holds_recording: true }]));
    assert_eq!(desk.progress[&call].url_told_with(Step::CallData), None);
    let posted = answer_all(&mut desk, Duration::from_secs(5), |_| http(200));
    assert_eq!(posted, posts(&[("a", Step::CallData), ("a", Step::Amendment)]));
    assert_eq!(desk.state("a"), UploadState::Done);
}

#[test]
fn s5_call_data_whose_mark_cannot_be_noted_is_not_sent() {
    let mut desk = Desk::new(LIMITS);
    let call = CallId::new("a");
    desk.progress.insert(call.clone(), Progress::due(false));
    let found = Found { call: call.clone(), progress: Progress::due(false), holds_recording: true };
    for input in [Input::Found(vec![found]), Input::NotNoted { call: call.clone() }] {
        desk.uploads.handle(input, desk.now);
        let marks = std::iter::from_fn(|| desk.uploads.poll_output()).collect::<Vec<_>>();
        assert!(marks.iter().all(|output| matches!(output, Output::Settle { .. })), "{marks:?}");
    }
    desk.pass(Duration::from_secs(2));
    assert_eq!(desk.posted(), posts(&[("a", Step::CallData)]));
}

#[test]
fn u5_without_amendments_the_call_data_waits_for_its_recording() {
    let mut desk = Desk::new(Limits { amend: false, ..LIMITS });
    desk.due(&["a"], true, true);
    for _ in 0..60 {
        for (call, step) in desk.posted() {
            assert_eq!(step, Step::Recording);
            desk.answer(&call, http(503));
        }
        desk.pass(Duration::from_secs(20));
    }
    desk.posted();
    desk.answer("a", http(200));
    assert_eq!(desk.posted(), posts(&[("a", Step::CallData)]));
}

#[test]
fn u5_without_amendments_a_call_waits_for_the_engine_that_has_its_recording() {
    let mut desk = Desk::new(Limits { amend: false, ..LIMITS });
    desk.due(&["a"], true, false);
    assert_eq!((desk.posted(), desk.uploads.held()), (vec![], 0));
}

#[test]
fn u5_a_call_whose_engine_is_gone_is_told_without_its_recording() {
    let mut desk = Desk::new(LIMITS);
    desk.due(&["a"], true, false);
    assert_eq!(desk.posted(), posts(&[("a", Step::CallData)]));
    desk.answer("a", http(200));
    assert_eq!(
        (desk.state("a"), desk.uploads.held()),
        (UploadState::Amendable, 0),
        "the rest is that engine's"
    );
}

#[test]
fn s5_what_cannot_be_noted_is_noted_later_and_nothing_is_sent_again() {
    let mut desk = Desk::new(LIMITS);
    desk.due(&["a"], false, true);
    desk.posted();
    desk.uploads.handle(Input::Answered { call: CallId::new("a"), answer: http(200) }, desk.now);
    for _ in 0..3 {
        let mut outputs = std::iter::from_fn(|| desk.uploads.poll_output());
        assert!(outputs.any(|output| matches!(output, Output::Settle { .. })));
        desk.uploads.handle(Input::NotNoted { call: CallId::new("a") }, desk.now);
        assert_eq!(desk.uploads.poll_output(), None, "not at once");
        desk.now += Duration::from_secs(2);
        desk.uploads.handle(Input::Tick, desk.now);
    }
    desk.tell(Input::Tick);
    assert_eq!((desk.state("a"), desk.posted()), (UploadState::Done, vec![]));
}

#[test]
fn s4_an_outbox_full_of_what_others_are_at_is_not_looked_at_without_end() {
    let mut desk = Desk::new(Limits { held_max: 2, ..LIMITS });
    for _ in 0..40 {
        desk.due(&["a", "b", "c"], false, true);
        for (call, _) in desk.posted() {
            desk.tell(Input::NotOurs { call: CallId::new(call) });
        }
        desk.pass(Duration::from_millis(50));
    }
    assert!(desk.looks <= 1 + 8, "{} looks in two seconds", desk.looks);
}

#[test]
fn s4_the_queue_has_a_bound_and_looks_again_when_there_is_room() {
    let mut desk = Desk::new(Limits { held_max: 4, ..LIMITS });
    desk.due(&["a", "b", "c", "d", "e"], false, true);
    assert_eq!(desk.uploads.held(), 4);
    desk.answer("a", http(200));
    assert_eq!(desk.looks, 1, "at the start");
    desk.answer("b", http(200));
    assert_eq!((desk.uploads.held(), desk.looks), (2, 1), "not at once");
    desk.pass(Duration::from_millis(250));
    assert_eq!(desk.looks, 2);
}
