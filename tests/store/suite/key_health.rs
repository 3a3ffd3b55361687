//! What one engine hears from the model about a key, all engines of the store know (SPEC K8, K11).

use std::time::Duration;

use clearline::access::Scope;
use clearline::domain::{KeyFingerprint, Timestamp};
use clearline::keys::{Failure, KeyTrouble};
use clearline::store::{Audit, By, Change, Effect, Entry, GOOGLE_KEYS, KeyHealth, Subject};

use crate::bench::Bench;

fn at(second: u64) -> Timestamp {
    Timestamp::from_millis(1_764_000_000_000 + second * 1_000)
}

fn trouble(failure: Failure, since: u64) -> KeyTrouble {
    let until = (failure == Failure::Quota).then(|| at(since).after(Duration::from_secs(60)));
    KeyTrouble { fingerprint: KeyFingerprint::new("f1"), failure, since: at(since), until }
}

pub(crate) async fn engines_that_report_the_same_trouble_at_once_write_down_one(bench: &mut impl Bench) {
    let engines = [KeyHealth::new(bench.open().await), KeyHealth::new(bench.open().await)];
    let (first, second) = (trouble(Failure::Quota, 0), trouble(Failure::Quota, 1));
    let (one, other) = tokio::join!(engines[0].report(&first, at(1)), engines[1].report(&second, at(1)));
    assert_eq!((one, other), (Ok(()), Ok(())));
    let stored = engines[0].all().await.unwrap();
    assert!(stored == [first] || stored == [second], "{stored:?}");
    let after_the_pause = trouble(Failure::Quota, 61);
    engines[1].report(&after_the_pause, at(61)).await.unwrap();
    assert_eq!(engines[0].all().await.unwrap(), [after_the_pause]);
}

pub(crate) async fn a_healed_key_is_healed_for_all_and_the_healing_is_in_the_audit_log(
    bench: &mut impl Bench,
) {
    let before = KeyHealth::new(bench.open().await);
    before.report(&trouble(Failure::KeyBad, 0), at(0)).await.unwrap();
    bench.crash().await;
    let store = bench.open().await;
    let (health, audit) = (KeyHealth::new(store.clone()), Audit::new(store));
    assert_eq!(health.all().await.unwrap(), [trouble(Failure::KeyBad, 0)], "also after a crash");
    let subject = Subject::new(&GOOGLE_KEYS, "f1", "AIza-a…0001");
    let healed = async |entry: &Entry| health.heal(entry, &KeyFingerprint::new("f1")).await;
    let change = || Change::new(By::Engine, "key.heal", Effect::Removed, subject.clone());
    assert_eq!(audit.record(change(), &healed).await, Ok(true));
    assert_eq!(audit.record(change(), &healed).await, Ok(false));
    assert_eq!(health.all().await, Ok(vec![]));
    assert_eq!(audit.list(&Scope::Everything, None, None, 9).await.unwrap().documents.len(), 2);
}
