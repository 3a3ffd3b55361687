//! Settings that were changed while engines ran.

use clearline::config::Overrides;
use clearline::store::{
    Audit, By, Change, Effect, RUN_TIME_SETTINGS_ID, RunTimeSettings, SETTINGS, Store, StoreError, Subject,
};

use crate::bench::Bench;

async fn change(store: &Store, decide: impl Fn(&Overrides) -> Overrides) -> Result<(), StoreError> {
    let settings = RunTimeSettings::new(store.clone());
    let subject = Subject::new(&SETTINGS, RUN_TIME_SETTINGS_ID, "settings");
    let entry = Change::new(By::Engine, "settings.test", Effect::Changed, subject);
    let write = async |entry: &_| settings.change(entry, &decide).await;
    Audit::new(store.clone()).record(entry, write).await
}

async fn stored(store: &Store) -> Option<Overrides> {
    let found = RunTimeSettings::new(store.clone()).get().await.unwrap();
    found.map(|found| found.record)
}

pub(crate) async fn a_setting_is_kept_and_another_process_sees_it_until_it_is_taken_away(
    bench: &mut impl Bench,
) {
    let (ours, theirs) = (bench.open().await, bench.open().await);
    assert_eq!(stored(&ours).await, None);
    change(&ours, |old| Overrides { max_calls: Some(9), ..old.clone() }).await.unwrap();
    change(&theirs, |old| Overrides { requests_per_s: Some(5), ..old.clone() }).await.unwrap();
    let both = Overrides { max_calls: Some(9), requests_per_s: Some(5), ..Overrides::default() };
    assert_eq!(stored(&ours).await, Some(both.clone()));
    change(&theirs, |old| Overrides { max_calls: None, ..old.clone() }).await.unwrap();
    assert_eq!(stored(&ours).await, Some(Overrides { max_calls: None, ..both }));
}

pub(crate) async fn settings_that_are_changed_at_the_same_instant_are_all_kept(bench: &mut impl Bench) {
    let (ours, theirs) = (bench.open().await, bench.open().await);
    let (one, other) = tokio::join!(
        change(&ours, |old| Overrides { max_calls: Some(9), ..old.clone() }),
        change(&theirs, |old| Overrides { requests_per_s: Some(5), ..old.clone() }),
    );
    one.and(other).unwrap();
    let both = Overrides { max_calls: Some(9), requests_per_s: Some(5), ..Overrides::default() };
    assert_eq!(stored(&ours).await, Some(both));
}
