//! Going back to an older version, and engines that are at work meanwhile.

use clearline::domain::{NodeId, StartId};
use clearline::keys::NodeSign;
use clearline::store::Nodes;
use clearline::store::migrate::LATEST;

use super::migrations::{LONGER_THAN_ANY_TEST, SOON, claim_ids, migrator};
use crate::bench::Bench;
use crate::migrating::clearline;
use crate::process::Process;
use crate::serving::AT_ANY_PORT;

fn sign(node: &str, beat: u64) -> NodeSign {
    NodeSign { node: NodeId::new(node), start: StartId::new("its-only-one"), beat }
}

pub(crate) async fn nobody_goes_back_from_under_an_engine_whose_beat_is_raised(bench: &mut impl Bench) {
    let (store, nodes) = (bench.open().await, Nodes::new(bench.open().await));
    let migrator = migrator(&store);
    migrator.up().await.unwrap();
    let ran = claim_ids(&store).await;
    let mut known = nodes.beat(&sign("at-work", 1), None).await.unwrap().version;
    let beats = async {
        for beat in 2.. {
            known = nodes.beat(&sign("at-work", beat), Some(known)).await.unwrap().version;
        }
    };
    let patient = migrator.clone().taking_engines_for_dead_after(LONGER_THAN_ANY_TEST);
    let refused = tokio::select! {
        decided = patient.to(2) => decided.unwrap_err().to_string(),
        () = beats => unreachable!("it beats for ever"),
    };
    for told in ["at work on this store: at-work.", "nothing was changed", "stop them", "node.dead_after_ms"]
    {
        assert!(refused.contains(told), "{told}: {refused}");
    }
    assert_eq!(claim_ids(&store).await, ran, "nothing was begun");
    assert_eq!(patient.to(LATEST).await.unwrap(), [], "who does not go back takes nothing away");
    nodes.beat(&sign("killed", 7), None).await.unwrap();
    let went_back = migrator.taking_engines_for_dead_after(SOON).to(2).await.unwrap();
    assert_eq!(went_back.len() as u32, LATEST - 2, "both are silent now");
}

pub(crate) async fn an_engine_keeps_everybody_from_going_back_until_it_is_killed(bench: &mut impl Bench) {
    let (folder, store) = (tempfile::tempdir().unwrap(), bench.open().await);
    let command = |arguments: &[&str], dead_after: &str| {
        let beats = ["--set", "node.beat_ms=100", "--set", dead_after];
        let mut command = clearline(bench, &[arguments, &beats].concat());
        command.current_dir(folder.path());
        command
    };
    let patiently = "node.dead_after_ms=3600000";
    let serve = [&["serve"], &AT_ANY_PORT[..]].concat();
    let serving = Process::start("clearline serve", &mut command(&serve, patiently));
    while Nodes::new(store.clone()).all().await.unwrap().is_empty() {
        tokio::time::sleep(SOON).await;
    }
    let go_back = |dead_after| {
        Process::start("clearline migrate", &mut command(&["migrate", "--to", "2"], dead_after)).finish()
    };
    let refused = go_back(patiently);
    assert_eq!(refused.status.code(), Some(1), "{}", refused.transcript);
    assert!(refused.transcript.contains("engines are at work on this store"), "{}", refused.transcript);
    serving.end_by("KILL");
    let went_back = go_back("node.dead_after_ms=400").expect_success("going back behind a dead engine");
    assert!(went_back.stdout.contains("went back from 4"), "{}", went_back.transcript);
}
