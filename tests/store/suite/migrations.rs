//! Documents of older versions and of other programs, brought to this version: once, whoever comes, and back.

use std::time::Duration;

use clearline::domain::{PhoneNumber, Role, UserId};
use clearline::store::migrate::{Claimant, Direction, LATEST, Migrator, Ran, Standing, Tally};
use clearline::store::{
    AUDIT_LOG, Document, MAX_PAGE, MIGRATIONS, NUMBERS, Numbers, OpenError, Query, Store, USERS, Users,
};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::bench::Bench;
use crate::migrating::clearline;

pub(super) const SOON: Duration = Duration::from_millis(50);
pub(super) const LONGER_THAN_ANY_TEST: Duration = Duration::from_secs(3_600);

pub(super) fn migrator(store: &Store) -> Migrator {
    Migrator::new(store.clone(), Claimant::new())
}

/// As a program writes them that knows nothing of us.
pub(crate) async fn foreign_numbers(store: &Store, count: usize) {
    let insert = async |at: usize| {
        let number =
            json!({ "number": format!("030 {:06}", 100_000 + at), "country_code": "49", "sip_id": at });
        store.insert(&NUMBERS, &format!("n{at:04}"), number).await.unwrap();
    };
    join_all((0..count).map(insert)).await;
}

pub(crate) async fn is_found(store: &Store, at: usize) -> bool {
    let dialled = PhoneNumber::new(format!("+4930{:06}", 100_000 + at));
    let found = Numbers::new(store.clone()).find(&dialled).await.unwrap();
    found.one().is_some_and(|found| found.record.id.as_str() == format!("n{at:04}"))
}

pub(crate) async fn claims(store: &Store) -> Vec<Document> {
    store.find(&MIGRATIONS, Query::all(MAX_PAGE)).await.unwrap().documents
}

pub(super) async fn claim_ids(store: &Store) -> Vec<String> {
    claims(store).await.into_iter().map(|claim| claim.id).collect()
}

async fn body(store: &Store, collection: &'static clearline::store::Collection, id: &str) -> Value {
    store.get(collection, id).await.unwrap().unwrap().body
}

fn changed(ran: &[Ran]) -> Vec<(u32, Direction, u64)> {
    ran.iter().map(|ran| (ran.number, ran.direction, ran.tally.changed)).collect()
}

pub(crate) async fn numbers_of_another_program_are_found_by_dialling_once_they_are_migrated(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    foreign_numbers(&store, 3).await;
    for (id, number) in [("hotline", json!({ "number": "hotline" })), ("none", json!({ "sip_id": 7 }))] {
        store.insert(&NUMBERS, id, number).await.unwrap();
    }
    assert!(!is_found(&store, 1).await, "its forms are not there yet");
    let ran = migrator(&store).up().await.unwrap();
    let tally = Tally { looked_at: 5, changed: 3, passed_over: 2 };
    assert_eq!(ran.iter().find(|ran| ran.number == 2).map(|ran| ran.tally), Some(tally));
    for at in 0..3 {
        assert!(is_found(&store, at).await, "{at}");
    }
    let kept = body(&store, &NUMBERS, "n0001").await;
    assert_eq!((&kept["sip_id"], &kept["number"]), (&json!(1), &json!("030 100001")), "what it had stays");
    assert_eq!(body(&store, &NUMBERS, "none").await, json!({ "sip_id": 7 }));
    let entries = store.find(&AUDIT_LOG, Query::equals("subject.id", "n0001", 9)).await.unwrap().documents;
    let entry = &entries[0].body;
    assert_eq!((&entry["action"], &entry["state"]), (&json!("number.migrate"), &json!("done")));
    assert_eq!(entry["detail"], json!({ "members": "forms, id", "migration": "2" }));
}

pub(crate) async fn users_of_an_older_system_get_what_they_lack_and_keep_the_rest(bench: &mut impl Bench) {
    let store = bench.open().await;
    let mira =
        json!({ "name": "mira", "role": "admin", "google_api_key": "AIza-1", "email": "m@example.org" });
    let ben = json!({ "id": "u2", "name": "ben", "role": "agent", "tenant_id": "u1", "enabled": false,
                      "google_api_key": "dev-s-t-sealed", "google_api_key_fingerprint": "f2" });
    let odd = json!({ "id": "u3", "name": "odd", "role": "janitor" });
    for (id, user) in [("u1", &mira), ("u2", &ben), ("u3", &odd)] {
        store.insert(&USERS, id, user.clone()).await.unwrap();
    }
    migrator(&store).up().await.unwrap();
    let users = Users::new(store.clone());
    let user = users.get(&UserId::new("u1")).await.unwrap().unwrap();
    assert_eq!((user.role, user.enabled), (Role::Admin, true));
    assert_eq!(user.tenant_id.map(|tenant| tenant.to_string()), Some("u1".to_owned()));
    assert!(user.google_api_key_fingerprint.is_some());
    assert_eq!(body(&store, &USERS, "u1").await["email"], "m@example.org");
    let mut known = body(&store, &USERS, "u2").await;
    let members = known.as_object_mut().unwrap();
    assert_eq!(members.remove("folded_name"), Some(json!("ben")));
    assert!(members.remove("audit").is_some());
    assert_eq!(known, ben, "it lacked nothing else");
    assert_eq!(body(&store, &USERS, "u3").await, odd, "it is no user of ours, and stays as it is");
}

pub(crate) async fn what_was_migrated_is_not_migrated_again_and_changes_nothing_when_it_is(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    foreign_numbers(&store, 2).await;
    let numbers: Vec<u32> = migrator(&store).up().await.unwrap().iter().map(|ran| ran.number).collect();
    assert_eq!(numbers, (1..=LATEST).collect::<Vec<_>>());
    let (before, ids) = (store.get(&NUMBERS, "n0000").await.unwrap(), claim_ids(&store).await);
    assert_eq!(migrator(&bench.open().await).up().await.unwrap(), []);
    assert_eq!(claim_ids(&store).await, ids);
    migrator(&store).to(1).await.unwrap();
    let again = migrator(&store).up().await.unwrap();
    assert_eq!(changed(&again), [(2, Direction::Up, 0), (3, Direction::Up, 0), (4, Direction::Up, 0)]);
    assert_eq!(store.get(&NUMBERS, "n0000").await.unwrap(), before);
}

pub(crate) async fn of_two_engines_at_once_one_runs_each_migration(bench: &mut impl Bench) {
    let stores = [bench.open().await, bench.open().await];
    foreign_numbers(&stores[0], 80).await;
    let (first, second) = stores.each_ref().map(migrator).into();
    let (one, other) = tokio::join!(first.up(), second.up());
    let mut ran: Vec<u32> = [one.unwrap(), other.unwrap()].concat().iter().map(|ran| ran.number).collect();
    ran.sort_unstable();
    assert_eq!(ran, (1..=LATEST).collect::<Vec<_>>(), "each of them by one of the two");
    assert_eq!(claim_ids(&stores[0]).await, ["0001:0001", "0002:0001", "0003:0001", "0004:0001"]);
    let page = stores[0].find(&NUMBERS, Query::all(MAX_PAGE)).await.unwrap().documents;
    assert!(page.iter().all(|number| number.version == 2), "each number was changed once");
}

/// As an engine on another machine leaves it: nobody here can know whether that runs.
async fn begun_elsewhere(store: &Store) {
    let claim = json!({
        "migration": 2, "generation": 1, "name": "number_forms", "direction": "up", "state": "begun",
        "by": { "run": "elsewhere", "pid": 1 }, "clearline": "0.1.0",
        "looked_at": 0, "changed": 0, "passed_over": 0,
    });
    store.insert(&MIGRATIONS, "0002:0001", claim).await.unwrap();
}

pub(crate) async fn an_engine_waits_for_another_s_migration_and_takes_up_one_that_stands_still(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    foreign_numbers(&store, 1).await;
    begun_elsewhere(&store).await;
    let waiting = migrator(&store).taking_over_after(LONGER_THAN_ANY_TEST);
    let other_ends = async {
        while claims(&store).await.len() < 2 {
            tokio::time::sleep(SOON).await;
        }
        let mut claim = store.get(&MIGRATIONS, "0002:0001").await.unwrap().unwrap();
        claim.body["state"] = json!("done");
        store.compare_and_set(&MIGRATIONS, "0002:0001", claim.version, claim.body).await.unwrap();
    };
    let (ran, ()) = tokio::join!(waiting.up(), other_ends);
    assert_eq!(ran.unwrap().iter().map(|ran| ran.number).collect::<Vec<_>>(), [1, 3, 4]);
    assert!(!is_found(&store, 0).await, "it was the other's work");

    let mut claim = store.get(&MIGRATIONS, "0002:0001").await.unwrap().unwrap();
    claim.body["state"] = json!("begun");
    store.compare_and_set(&MIGRATIONS, "0002:0001", claim.version, claim.body).await.unwrap();
    let ran = migrator(&store).taking_over_after(SOON).up().await.unwrap();
    assert_eq!(changed(&ran), [(2, Direction::Up, 1)]);
    assert!(is_found(&store, 0).await);
    assert_eq!(claim_ids(&store).await, ["0001:0001", "0002:0001", "0002:0002", "0003:0001", "0004:0001"]);
}

pub(crate) async fn a_migration_stops_at_what_it_cannot_decide_and_goes_on_once_that_is_mended(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    foreign_numbers(&store, 2).await;
    store.insert(&NUMBERS, "twin", json!({ "number": "+49 30 100001" })).await.unwrap();
    let stopped = migrator(&store).up().await.unwrap_err();
    let text = stopped.to_string();
    for named in ["migration 2 (number_forms)", "voice_agent_numbers", "n0001", "twin", "change or remove"] {
        assert!(text.contains(named), "{named}: {text}");
    }
    assert!(!text.contains("100001") && !stopped.may_pass(), "{text}");
    assert!(is_found(&store, 0).await, "what was done stays");
    let status = &migrator(&store).status().await.unwrap()[1];
    assert_eq!(status.standing, Standing::Stopped);
    assert!(status.stopped_at.as_ref().is_some_and(|at| at.contains("twin")), "{status:?}");
    let twin = store.get(&NUMBERS, "twin").await.unwrap().unwrap();
    store.delete(&NUMBERS, "twin", twin.version).await.unwrap();
    let ran = migrator(&store).taking_over_after(LONGER_THAN_ANY_TEST).up().await.unwrap();
    assert_eq!(ran.iter().map(|ran| ran.number).collect::<Vec<_>>(), [2, 3, 4]);
    assert!(is_found(&store, 1).await);
}

pub(crate) async fn ways_back_are_gone_newest_first_and_none_is_begun_that_has_no_end(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    foreign_numbers(&store, 1).await;
    let plain = json!({ "id": "u1", "name": "mira", "role": "admin", "google_api_key": "AIza-1" });
    store.insert(&USERS, "u1", plain).await.unwrap();
    let migrator = migrator(&store);
    migrator.up().await.unwrap();
    let refused = migrator.to(0).await.unwrap_err().to_string();
    assert!(refused.contains("no way back from migration 1 (baseline)"), "{refused}");
    let standing = async || migrator.status().await.unwrap().iter().map(|s| s.standing).collect::<Vec<_>>();
    assert_eq!(standing().await, [Standing::Done; 4], "nothing was begun");
    assert!(migrator.to(LATEST + 1).await.unwrap_err().to_string().contains("--status"));
    let back = migrator.to(1).await.unwrap();
    let ways = [(4, Direction::Back, 0), (3, Direction::Back, 1), (2, Direction::Back, 0)];
    assert_eq!(changed(&back), ways);
    assert_eq!(
        standing().await,
        [Standing::Done, Standing::WentBack, Standing::WentBack, Standing::WentBack]
    );
    let user = body(&store, &USERS, "u1").await;
    assert_eq!((user.get("google_api_key_fingerprint"), &user["tenant_id"]), (None, &json!("u1")));
    assert!(is_found(&store, 0).await);
    assert_eq!(migrator.to(1).await.unwrap(), []);
    assert_eq!(changed(&migrator.to(2).await.unwrap()), [(2, Direction::Up, 0)]);
    assert_eq!(changed(&migrator.up().await.unwrap()), [(3, Direction::Up, 1), (4, Direction::Up, 0)]);
}

pub(crate) async fn a_store_that_a_newer_version_has_migrated_is_refused_until_it_went_back(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    let newer = |direction| json!({ "migration": 99, "direction": direction, "state": "done", "new": [1] });
    store.insert(&MIGRATIONS, "0099:0001", newer("up")).await.unwrap();
    let refused = bench.try_open().await.err().expect("it is newer");
    assert!(matches!(refused, OpenError::Migrated { found: 99, known: LATEST, .. }), "{refused}");
    assert!(refused.to_string().contains(&format!("migrate --to {LATEST}")) && !refused.may_pass());
    store.insert(&MIGRATIONS, "0099:0002", newer("back")).await.unwrap();
    assert!(bench.try_open().await.is_ok());
}

pub(crate) async fn a_migration_whose_store_is_away_says_so_and_is_run_once_it_is_back(
    bench: &mut impl Bench,
) {
    let store = bench.open().await;
    foreign_numbers(&store, 1).await;
    let migrator = migrator(&store);
    bench.take_away();
    let away = migrator.up().await.unwrap_err();
    assert!(away.may_pass(), "{away}");
    bench.bring_back();
    // As the engine does; a server may need a moment to be found again.
    while let Err(error) = migrator.up().await {
        assert!(error.may_pass(), "{error}");
    }
    assert!(is_found(&store, 0).await);
}

pub(crate) async fn two_processes_that_migrate_at_once_do_it_once(bench: &mut impl Bench) {
    let store = bench.open().await;
    foreign_numbers(&store, 200).await;
    let migrate = || clearline(bench, &["migrate", "--json"]).spawn().expect("the binary runs");
    let mut ran: Vec<u64> = Vec::new();
    for process in [migrate(), migrate()] {
        let output = tokio::task::spawn_blocking(|| process.wait_with_output()).await.unwrap().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let lines: Vec<Value> = serde_json::from_slice(&output.stdout).expect("--json prints one document");
        ran.extend(lines.iter().filter_map(|line| line["number"].as_u64()));
    }
    ran.sort_unstable();
    assert_eq!(ran, (1..=u64::from(LATEST)).collect::<Vec<_>>());
    assert_eq!(claim_ids(&store).await, ["0001:0001", "0002:0001", "0003:0001", "0004:0001"]);
    let page = store.find(&NUMBERS, Query::all(MAX_PAGE)).await.unwrap().documents;
    assert!(page.iter().all(|number| number.version == 2), "each number was changed once");
}
