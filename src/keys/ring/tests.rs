#![expect(clippy::disallowed_methods, reason = "a test needs some origin of time")]

use std::time::Duration;

use super::*;

fn ring(sessions_per_project: u32) -> KeyRing {
    let pool =
        KeyPool::from_variables([("GOOGLE_API_KEY", "default"), ("GOOGLE_API_KEY_2", "second")]).unwrap();
    ring_of(pool, sessions_per_project)
}

fn ring_of(pool: KeyPool, sessions_per_project: u32) -> KeyRing {
    let limits = KeyLimits { sessions_per_project, ..KeyLimits::default() };
    KeyRing::new(pool, limits, Fingerprints::new("of the store"))
}

fn lease(ring: &mut KeyRing, key: Option<&str>, call: &str) -> Result<Granted, Refusal> {
    lease_at(ring, key, call, Instant::now())
}

/// The store has whatever is asked for: this ring is alone.
fn lease_at(ring: &mut KeyRing, key: Option<&str>, call: &str, now: Instant) -> Result<Granted, Refusal> {
    ring.handle(Input::Ask { call: CallId::new(call), owner_key: key.map(Secret::new) }, now);
    settle(ring, now).expect("the store has answered")
}

fn release(ring: &mut KeyRing, lease: &LeaseId) -> bool {
    let before = ring.leases();
    ring.handle(Input::Return(lease.clone()), Instant::now());
    settle(ring, Instant::now());
    ring.leases() < before
}

fn settle(ring: &mut KeyRing, now: Instant) -> Option<Result<Granted, Refusal>> {
    let mut answered = None;
    while let Some(output) = ring.poll_output() {
        let news = match output {
            Output::Answer { answer, .. } => {
                answered = Some(answer);
                continue;
            }
            Output::Slot(SlotOrder::Claim { slot, .. }) => SlotNews::Claimed(slot),
            Output::Slot(SlotOrder::GiveBack { slot }) => SlotNews::GivenBack(slot),
            Output::Slot(SlotOrder::See { project }) => SlotNews::Seen { project, taken: Vec::new() },
            Output::LeaseLost { call, .. } => panic!("{call} lost its lease to nobody"),
        };
        ring.handle(Input::Slot(news), now);
    }
    answered
}

#[test]
fn k7_every_call_runs_with_its_owners_key_and_gives_the_lease_back() {
    let mut ring = ring(10);
    let (first, second) =
        (lease(&mut ring, Some("default"), "c1").unwrap(), lease(&mut ring, Some("second"), "c2").unwrap());
    assert_eq!((first.key.expose(), second.key.expose()), ("default", "second"));
    assert_eq!((first.source, second.source), (KeySource::Own, KeySource::Own));
    assert!(release(&mut ring, &first.lease) && release(&mut ring, &second.lease));
    assert!(!release(&mut ring, &second.lease), "giving back twice frees nobody else's slot");
    assert!(ring.leases() == 0);
}

#[test]
fn k7_a_project_past_its_limit_refuses_and_takes_calls_again_after_a_release() {
    let mut ring = ring(2);
    let first = lease(&mut ring, Some("second"), "c1").unwrap();
    lease(&mut ring, Some("second"), "c2").unwrap();
    let refusal = lease(&mut ring, Some("second"), "c3").unwrap_err();
    assert_eq!(refusal.outcome(), Outcome::RefusedCapacity);
    assert!(refusal.to_string().contains("all 2 model sessions"), "{refusal}");
    release(&mut ring, &first.lease);
    assert!(lease(&mut ring, Some("second"), "c3").is_ok());
}

#[test]
fn k7_a_limit_of_zero_is_no_limit() {
    let mut ring = ring(0);
    for call in 0..1_000 {
        lease(&mut ring, None, &call.to_string()).unwrap();
    }
    assert_eq!(ring.leases(), 1_000);
}

#[test]
fn k7_a_call_that_asks_again_holds_one_slot() {
    let mut ring = ring(1);
    lease(&mut ring, Some("second"), "c1").unwrap();
    lease(&mut ring, Some("second"), "c1").unwrap();
    assert_eq!(ring.leases(), 1);
}

#[test]
fn k6_an_owner_without_a_key_borrows_the_default_but_leaves_a_session_for_its_holder() {
    let mut ring = ring(2);
    let borrowed = lease(&mut ring, None, "c1").unwrap();
    assert_eq!(borrowed.source, KeySource::Default { why: WhyDefault::NoOwnKey });
    assert_eq!(lease(&mut ring, Some(""), "c2"), Err(Refusal::DefaultFull { why: WhyDefault::NoOwnKey }));
    assert_eq!(lease(&mut ring, Some("default"), "c3").unwrap().source, KeySource::Own);
}

#[test]
fn k6_without_a_usable_default_the_call_is_refused_with_the_reason() {
    let mut empty = ring_of(KeyPool::default(), 10);
    let refusal = lease(&mut empty, None, "c1").unwrap_err();
    assert_eq!(refusal.outcome(), Outcome::RefusedNoKey);
    assert!(refusal.to_string().contains("GOOGLE_API_KEY"), "{refusal}");

    let mut ring = ring(10);
    ring.report_failure(&Secret::new("default"), Failure::KeyBad, Instant::now(), Timestamp::from_millis(0));
    let refusal = lease(&mut ring, None, "c1").unwrap_err();
    assert_eq!(refusal, Refusal::DefaultUnhealthy { why: WhyDefault::NoOwnKey, default: Failure::KeyBad });
    assert_eq!(ring.leases(), 0);
}

#[test]
fn k8_calls_of_a_refused_keys_owner_use_the_default_until_it_recovers() {
    let mut ring = ring(10);
    let (now, key) = (Instant::now(), Secret::new("second"));
    ring.report_failure(&key, Failure::Quota, now, Timestamp::from_millis(0));
    let why = WhyDefault::OwnKey(Failure::Quota);
    assert_eq!(lease_at(&mut ring, Some("second"), "c1", now).unwrap().source, KeySource::Default { why });
    let later = now + Duration::from_secs(60);
    assert_eq!(lease_at(&mut ring, Some("second"), "c1", later).unwrap().source, KeySource::Own);
    ring.report_failure(&key, Failure::KeyBad, later, Timestamp::from_millis(0));
    ring.unsaved_troubles().iter().for_each(|trouble| ring.trouble_saved(trouble));
    let reading = ring.begin_reading_troubles();
    ring.learn_troubles(reading, Vec::new(), later, Timestamp::from_millis(0));
    assert_eq!(lease_at(&mut ring, Some("second"), "c1", later).unwrap().source, KeySource::Own);
}

#[test]
fn k2_a_stored_key_outside_the_pool_is_used_as_its_own_project() {
    let mut ring = ring(10);
    let granted = lease(&mut ring, Some("retired"), "c1").unwrap();
    assert_eq!((granted.key.expose(), granted.source), ("retired", KeySource::Own));
    assert!(granted.project.as_str().starts_with("key-"));
}

#[test]
fn k1_a_reread_pool_keeps_the_leases_of_running_calls() {
    let mut ring = ring(10);
    let granted = lease(&mut ring, Some("second"), "c1").unwrap();
    ring.replace_pool(KeyPool::default());
    assert_eq!(ring.leases(), 1);
    assert!(release(&mut ring, &granted.lease));
}

#[test]
fn no_debug_text_shows_a_key() {
    let mut ring = ring(10);
    let granted = lease(&mut ring, Some("AIzaSy-secret-key-of-thirty-nine-chars"), "c1").unwrap();
    assert!(!format!("{granted:?}").contains("secret-key"));
}
