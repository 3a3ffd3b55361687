#![expect(clippy::disallowed_methods, reason = "a test needs some instant to start its virtual clock from")]

use std::time::{Duration, Instant};

use crate::crm::Answer;
use crate::crm::notifications::{
    Deliveries, DeliveryInput, DeliveryLimits, DeliveryOutput, Sent, Settlement,
};
use crate::domain::{CallId, Entropy, NotificationId};

pub(super) const LIMITS: DeliveryLimits =
    DeliveryLimits { parallel: 2, held_max: 100, look_every: Duration::from_secs(5) };

fn http(status: u16) -> Answer {
    Answer::Http { status, retry_after: None, content_type: None, body: Vec::new() }
}

/// The machine with a shell that notes everything at once.
struct Desk {
    deliveries: Deliveries,
    now: Instant,
    posted: Vec<String>,
    settled: Vec<Settlement>,
    looks: u32,
}

impl Desk {
    fn new(limits: DeliveryLimits) -> Self {
        let now = Instant::now();
        let deliveries = Deliveries::new(limits, Entropy::from_number(7), now);
        let mut desk = Self { deliveries, now, posted: Vec::new(), settled: Vec::new(), looks: 0 };
        desk.tell(DeliveryInput::Tick);
        desk
    }

    fn tell(&mut self, input: DeliveryInput) {
        self.deliveries.handle(input, self.now);
        while let Some(output) = self.deliveries.poll_output() {
            match output {
                DeliveryOutput::Look => {
                    self.looks += 1;
                    self.tell(DeliveryInput::Looked { more: false });
                }
                DeliveryOutput::Release { .. } => {}
                DeliveryOutput::Post { call } => self.posted.push(call.to_string()),
                DeliveryOutput::Settle { call, settlement, .. } => {
                    self.settled.push(settlement);
                    self.tell(DeliveryInput::Noted { call });
                }
            }
        }
    }

    fn found(&mut self, names: &[&str]) {
        self.tell(DeliveryInput::Found(names.iter().map(CallId::new).collect()));
    }

    /// What has been posted since the last time.
    fn posted(&mut self) -> Vec<String> {
        std::mem::take(&mut self.posted)
    }

    fn answer(&mut self, name: &str, answer: Answer, is_last: bool) {
        let sent = Sent { id: NotificationId::new(name), trouble: None, is_last };
        self.tell(DeliveryInput::Answered { call: CallId::new(name), sent, answer });
    }

    fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(at) = self.deliveries.next_timeout().filter(|at| *at <= until) {
            self.now = at.max(self.now);
            self.tell(DeliveryInput::Tick);
        }
        self.now = until;
        self.tell(DeliveryInput::Tick);
    }
}

#[test]
fn i10_of_a_call_one_is_on_its_way_at_a_time_until_none_is_left() {
    let mut desk = Desk::new(LIMITS);
    desk.found(&["a"]);
    desk.found(&["a"]);
    assert_eq!(desk.posted(), ["a"]);
    desk.answer("a", http(200), false);
    assert_eq!(desk.posted(), ["a"], "the next one");
    desk.found(&["a"]);
    desk.answer("a", http(200), true);
    assert_eq!(desk.posted(), ["a"], "one more has become due meanwhile");
    desk.answer("a", http(200), true);
    assert_eq!((desk.posted(), desk.deliveries.held()), (vec![], 0));
}

#[test]
fn i10_no_more_than_the_bound_are_under_way() {
    let mut desk = Desk::new(LIMITS);
    desk.found(&["a", "b", "c"]);
    assert_eq!(desk.posted(), ["a", "b"]);
    desk.answer("b", http(200), true);
    assert_eq!(desk.posted(), ["c"]);
}

#[test]
fn i10_a_subscriber_that_is_down_is_probed_at_most_every_twenty_seconds_and_its_success_wakes_all() {
    let mut desk = Desk::new(LIMITS);
    desk.found(&["a", "b", "c", "d"]);
    for name in desk.posted() {
        desk.answer(&name, http(503), true);
    }
    assert_eq!(desk.deliveries.trouble(), Some("the subscriber answers 503"));
    for _ in 0..10 {
        desk.pass(Duration::from_secs(20));
        let [probe] = &desk.posted()[..] else { panic!("one probe") };
        desk.pass(Duration::from_secs(300));
        assert_eq!(desk.posted(), [] as [String; 0], "one probe at a time");
        desk.answer(probe, http(503), true);
    }
    desk.pass(Duration::from_secs(20));
    let probe = desk.posted().remove(0);
    desk.answer(&probe, http(204), true);
    assert_eq!((desk.posted().len(), desk.deliveries.trouble()), (2, None), "all that the bound allows");
}

#[test]
fn i10_a_subscriber_that_asks_for_time_is_given_it() {
    let mut desk = Desk::new(LIMITS);
    desk.found(&["a"]);
    desk.posted();
    let busy = Answer::Http {
        status: 429,
        retry_after: Some(Duration::from_secs(90)),
        content_type: None,
        body: Vec::new(),
    };
    desk.answer("a", busy, true);
    desk.pass(Duration::from_secs(89));
    assert_eq!(desk.posted(), [] as [String; 0]);
    desk.pass(Duration::from_secs(2));
    assert_eq!(desk.posted(), ["a"]);
}

#[test]
fn i10_what_is_refused_is_parked_and_holds_up_nothing_behind_it() {
    let mut desk = Desk::new(LIMITS);
    desk.found(&["a"]);
    desk.answer("a", http(410), false);
    assert_eq!(desk.settled, [Settlement::Refused { why: "the subscriber answers 410".into() }]);
    assert_eq!(desk.posted(), ["a", "a"], "the call's next one");
    desk.answer("a", http(307), true);
    assert!(matches!(desk.settled[1], Settlement::Refused { .. }));
    assert_eq!((desk.posted(), desk.deliveries.held()), (vec![], 0));
}

#[test]
fn i10_an_outage_is_written_down_once() {
    let mut desk = Desk::new(LIMITS);
    desk.found(&["a"]);
    let why = "the subscriber answers 500".to_owned();
    let sent = Sent { id: NotificationId::new("a"), trouble: Some(why), is_last: true };
    desk.tell(DeliveryInput::Answered { call: CallId::new("a"), sent, answer: http(500) });
    assert_eq!((&desk.settled[..], desk.deliveries.held()), (&[][..], 1));
}

#[test]
fn s5_what_cannot_be_noted_is_noted_later_and_nothing_is_posted_again() {
    let mut desk = Desk::new(LIMITS);
    desk.found(&["a"]);
    desk.posted();
    let sent = Sent { id: NotificationId::new("a"), trouble: None, is_last: true };
    let answered = DeliveryInput::Answered { call: CallId::new("a"), sent, answer: http(200) };
    desk.deliveries.handle(answered, desk.now);
    for _ in 0..3 {
        let mut outputs = std::iter::from_fn(|| desk.deliveries.poll_output());
        assert!(outputs.any(|output| matches!(output, DeliveryOutput::Settle { .. })));
        desk.deliveries.handle(DeliveryInput::NotNoted { call: CallId::new("a") }, desk.now);
        assert_eq!(desk.deliveries.poll_output(), None, "not at once");
        desk.now += Duration::from_secs(2);
        desk.deliveries.handle(DeliveryInput::Tick, desk.now);
    }
    desk.tell(DeliveryInput::Tick);
    assert_eq!((desk.posted(), desk.deliveries.held()), (vec![], 0));
}

#[test]
fn s4_the_queue_has_a_bound_and_looks_again_when_there_is_room() {
    let mut desk = Desk::new(DeliveryLimits { held_max: 4, ..LIMITS });
    desk.found(&["a", "b", "c", "d", "e"]);
    assert_eq!((desk.deliveries.held(), desk.looks), (4, 1));
    desk.answer("a", http(200), true);
    desk.answer("b", http(200), true);
    desk.pass(Duration::from_millis(250));
    assert_eq!((desk.deliveries.held(), desk.looks), (2, 2));
}

#[test]
fn s3_an_engine_that_stops_begins_nothing_and_notes_what_was_answered() {
    let mut desk = Desk::new(LIMITS);
    desk.found(&["a"]);
    desk.tell(DeliveryInput::Stop);
    assert_eq!((desk.posted(), desk.deliveries.under_way()), (vec!["a".to_owned()], 1));
    desk.found(&["b"]);
    desk.answer("a", http(200), false);
    desk.pass(Duration::from_secs(60));
    assert_eq!((desk.posted(), desk.deliveries.under_way()), (vec![], 0));
    assert_eq!(desk.settled, [Settlement::Delivered]);
}
