//! Migrations whose process is killed, or whose server goes away, in the very middle of the work.

use std::process::{Child, Command, Stdio};
use std::time::Duration;

use clearline::store::Store;
use clearline::store::migrate::{Claimant, Migrator};
use serde_json::json;

use crate::bench::{Bench, run};
use crate::embedded::Embedded;
use crate::ferretdb::FerretDb;
use crate::suite::migrations::{claims, foreign_numbers, is_found};

/// More than one group of documents.
const NUMBERS: usize = 100;
const LOOK_AGAIN: Duration = Duration::from_millis(5);

pub(crate) fn clearline(bench: &impl Bench, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
    let (name, value) = bench.variable();
    command.args(arguments).env(name, value).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// An update of one number never ends: SQLite counts on inside a trigger.
#[test]
fn a_process_that_is_killed_in_the_middle_leaves_what_the_next_one_finishes_on_the_embedded_store() {
    run::<Embedded>(async |bench| {
        let store = bench.open().await;
        foreign_numbers(&store, NUMBERS).await;
        let hook = rusqlite::Connection::open(bench.path()).expect("the file is there");
        hook.execute_batch(
            "CREATE TRIGGER held BEFORE UPDATE ON voice_agent_numbers WHEN new.id = 'n0090' BEGIN \
             SELECT count(*) FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n); \
             END",
        )
        .expect("SQLite takes it");
        let killed = clearline(bench, &["migrate"]).spawn().expect("the binary runs");
        kill_once_it_has_begun(killed, &store).await;
        hook.execute_batch("DROP TRIGGER held").expect("the lock went with the process");
        assert!(!is_found(&store, 90).await);
        the_next_one_finishes(bench, &store).await;
    });
}

#[test]
fn a_process_that_is_killed_in_the_middle_leaves_what_the_next_one_finishes_on_ferretdb() {
    run::<FerretDb>(async |bench| {
        let store = bench.open().await;
        foreign_numbers(&store, NUMBERS).await;
        bench.slow_down();
        let killed = clearline(bench, &["migrate"]).spawn().expect("the binary runs");
        kill_once_it_has_begun(killed, &store).await;
        bench.bring_back();
        assert!(!is_found(&store, NUMBERS - 1).await, "the line was too fast");
        the_next_one_finishes(bench, &store).await;
    });
}

#[test]
fn an_engine_whose_server_goes_away_in_the_middle_goes_on_when_it_is_back() {
    run::<FerretDb>(async |bench| {
        let store = bench.open().await;
        foreign_numbers(&store, NUMBERS).await;
        bench.slow_down();
        let migrator = Migrator::new(store.clone(), Claimant::new());
        let cut = async {
            until_it_has_begun(&store).await;
            bench.take_away();
        };
        let (cut_off, ()) = tokio::join!(migrator.up(), cut);
        assert!(cut_off.is_err_and(|error| error.may_pass()));
        bench.bring_back();
        while let Err(error) = migrator.up().await {
            assert!(error.may_pass(), "{error}");
        }
        all_are_found(&store).await;
    });
}

/// Its first group of numbers is done.
async fn until_it_has_begun(store: &Store) {
    while !is_found(store, 0).await {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

async fn kill_once_it_has_begun(mut process: Child, store: &Store) {
    until_it_has_begun(store).await;
    process.kill().expect("it runs");
    process.wait().expect("it is our child");
    let state = claims(store).await.last().map(|claim| claim.body["state"].clone());
    assert_eq!(state, Some(json!("begun")), "it had no time to say that it stopped");
}

async fn the_next_one_finishes(bench: &impl Bench, store: &Store) {
    let process = clearline(bench, &["migrate"]).spawn().expect("the binary runs");
    let output = tokio::task::spawn_blocking(|| process.wait_with_output()).await;
    let output = output.expect("nobody panics").expect("it is our child");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("migrated to 2 number_forms"), "{said}");
    all_are_found(store).await;
    let ids: Vec<String> = claims(store).await.into_iter().map(|claim| claim.id).collect();
    assert_eq!(ids, ["0001:0001", "0002:0001", "0002:0002", "0003:0001", "0004:0001"]);
}

async fn all_are_found(store: &Store) {
    for at in 0..NUMBERS {
        assert!(is_found(store, at).await, "{at}");
    }
}
