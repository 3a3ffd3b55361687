#![expect(clippy::disallowed_methods, reason = "a test needs some origin of time")]

use super::*;

const DAY: Duration = Duration::from_secs(86_400);

fn second(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_764_000_000_000 + seconds * 1_000)
}

fn engine() -> Health {
    Health::new(Fingerprints::new("of the store"))
}

fn key(name: &str) -> (Secret, ProjectId) {
    (Secret::new(name), ProjectId::new("acme"))
}

fn report(health: &mut Health, name: &str, failure: Failure, now: Instant, wall: Timestamp) {
    let (key, project) = key(name);
    health.report(&key, &project, failure, now, wall);
}

fn failure_of(health: &Health, name: &str, now: Instant) -> Option<Failure> {
    let (key, project) = key(name);
    health.failure_of(&key, &project, now)
}

/// Everything unsaved is written, and the other engine reads it.
fn share(from: &mut Health, to: &mut Health, now: Instant, wall: Timestamp) -> Vec<KeyTrouble> {
    let stored = from.unsaved();
    stored.iter().for_each(|trouble| from.saved(trouble));
    let reading = to.begin_reading();
    to.learn(reading, stored.clone(), now, wall);
    stored
}

#[test]
fn k8_the_quota_pause_doubles_up_to_five_minutes_and_is_forgotten_after_a_while() {
    let (mut health, mut now) = (engine(), Instant::now());
    for seconds in [60, 120, 240, 300, 300] {
        report(&mut health, "k", Failure::Quota, now, second(0));
        let last = now + Duration::from_secs(seconds - 1);
        assert_eq!(failure_of(&health, "k", last), Some(Failure::Quota));
        now += Duration::from_secs(seconds);
        assert_eq!(failure_of(&health, "k", now), None);
    }
    now += QUOTA_FORGOTTEN_AFTER;
    report(&mut health, "k", Failure::Quota, now, second(0));
    assert_eq!(failure_of(&health, "k", now + QUOTA_PAUSE_FIRST), None);
}

#[test]
fn k8_several_calls_that_hit_the_same_quota_count_once() {
    let (mut health, now) = (engine(), Instant::now());
    for _ in 0..5 {
        report(&mut health, "k", Failure::Quota, now, second(0));
    }
    assert_eq!((failure_of(&health, "k", now + QUOTA_PAUSE_FIRST), health.unsaved().len()), (None, 1));
}

#[test]
fn k11_a_revoked_key_does_not_harm_another_key_of_its_project_but_a_spent_quota_does() {
    let (mut health, now) = (engine(), Instant::now());
    report(&mut health, "bad", Failure::KeyBad, now, second(0));
    assert_eq!(failure_of(&health, "bad", now + DAY), Some(Failure::KeyBad));
    assert_eq!(failure_of(&health, "good", now + DAY), None);
    report(&mut health, "bad", Failure::Quota, now, second(0));
    assert_eq!(failure_of(&health, "good", now), Some(Failure::Quota));
}

#[test]
fn k8_what_one_engine_hears_another_knows_and_an_operator_ends_it_for_both() {
    let (mut first, mut second_engine, now) = (engine(), engine(), Instant::now());
    report(&mut first, "k", Failure::KeyBad, now, second(0));
    let stored = share(&mut first, &mut second_engine, now, second(1));
    assert_eq!((stored.len(), first.unsaved().len()), (1, 0));
    assert_eq!(failure_of(&second_engine, "k", now + DAY), Some(Failure::KeyBad));
    for engine in [&mut first, &mut second_engine] {
        let reading = engine.begin_reading();
        engine.learn(reading, Vec::new(), now, second(2));
        assert_eq!(failure_of(engine, "k", now), None);
    }
}

#[test]
fn k8_the_second_pause_doubles_also_on_an_engine_that_only_read_of_the_first() {
    let (mut first, mut other, now) = (engine(), engine(), Instant::now());
    report(&mut first, "k", Failure::Quota, now, second(0));
    share(&mut first, &mut other, now, second(0));
    let after_the_first = now + QUOTA_PAUSE_FIRST;
    report(&mut other, "k", Failure::Quota, after_the_first, second(60));
    assert_eq!(failure_of(&other, "k", after_the_first + QUOTA_PAUSE_FIRST), Some(Failure::Quota));
}

#[test]
fn a_reading_that_began_before_a_trouble_was_saved_does_not_end_it() {
    let (mut health, now) = (engine(), Instant::now());
    let reading = health.begin_reading();
    report(&mut health, "k", Failure::KeyBad, now, second(0));
    health.unsaved().iter().for_each(|trouble| health.saved(trouble));
    health.learn(reading, Vec::new(), now, second(0));
    assert_eq!(failure_of(&health, "k", now), Some(Failure::KeyBad));
}

#[test]
fn k8_a_clock_that_was_set_back_lengthens_no_pause() {
    let (mut first, mut other, mut now) = (engine(), engine(), Instant::now());
    let a_day_back = Timestamp::from_millis(second(0).as_millis() - 86_400_000);
    report(&mut first, "k", Failure::Quota, now, second(0));
    let stored = share(&mut first, &mut other, now, a_day_back);
    for _ in 0..4 {
        now += QUOTA_PAUSE_FIRST / 4;
        let reading = other.begin_reading();
        other.learn(reading, stored.clone(), now, a_day_back);
    }
    assert_eq!(failure_of(&other, "k", now), None);
}

#[test]
fn k8_the_first_to_write_a_trouble_down_is_right_until_it_is_over() {
    let quota = |since: u64, length: u64| KeyTrouble {
        fingerprint: KeyFingerprint::new("f"),
        failure: Failure::Quota,
        since: second(since),
        until: Some(second(since + length)),
    };
    let (stored, newer) = (quota(100, 60), quota(110, 60));
    assert!(!stored.gives_way_to(&newer, second(110)));
    assert!(stored.gives_way_to(&newer, second(160)));
    assert!(stored.gives_way_to(&newer, second(50)), "the clock was set back");
    assert_eq!((stored.is_forgotten(second(161)), stored.is_forgotten(second(160 + 3_600))), (false, true));
}

#[test]
fn k8_troubles_are_shown_by_key_and_by_project_while_they_last() {
    let fingerprints = Fingerprints::new("of the store");
    let (mut health, now) = (engine(), Instant::now());
    report(&mut health, "bad", Failure::KeyBad, now, second(0));
    report(&mut health, "any", Failure::Quota, now, second(0));
    let all = health.unsaved();
    let failure = |name: &str, wall| {
        let (key, project) = key(name);
        let troubles = Troubles::at(wall, all.clone());
        troubles.of(&PoolKey { key, project }, &fingerprints).map(|trouble| trouble.failure)
    };
    assert_eq!(failure("bad", second(0)), Some(Failure::KeyBad));
    assert_eq!(failure("good", second(0)), Some(Failure::Quota));
    assert_eq!((failure("good", second(60)), failure("bad", second(60))), (None, Some(Failure::KeyBad)));
}
