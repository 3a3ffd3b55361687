//! Engines at work on the store: nobody goes back from under them.

use std::time::Duration;

use tokio::time::sleep;

use super::MigrateError;
use crate::clock;
use crate::domain::NodeId;
use crate::keys::{NodeSign, signs_of_life};
use crate::store::{Nodes, Store, StoreError};

/// How often it is looked whether a beat has been raised.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// An engine that was killed leaves its sign behind, so who has one is watched until it moves, for as long as engines
/// themselves wait before they take another for dead.
pub(super) async fn refuse_if_any_is_at_work(
    store: &Store,
    dead_after: Duration,
) -> Result<(), MigrateError> {
    let at_work = at_work(store, dead_after).await.map_err(MigrateError::Engines)?;
    if at_work.is_empty() {
        return Ok(());
    }
    Err(MigrateError::EnginesAtWork { names: listed(at_work.iter()), dead_after })
}

/// All of them, so that the person who stops them need not come back for each.
async fn at_work(store: &Store, dead_after: Duration) -> Result<Vec<NodeId>, StoreError> {
    let nodes = Nodes::new(store.clone());
    let first = nodes.all().await?;
    if !first.is_empty() {
        let engines = listed(first.iter().map(|sign| &sign.node));
        let at_most_s = dead_after.as_secs_f64();
        tracing::info!(engines, at_most_s, "looking whether these engines are at work");
    }
    let until = clock::now() + dead_after;
    loop {
        let is_last_look = clock::now() >= until;
        let signs = nodes.all().await?;
        let alive: Vec<&NodeSign> = signs_of_life(&first, &signs).collect();
        if alive.len() == signs.len() || is_last_look {
            return Ok(alive.into_iter().map(|sign| sign.node.clone()).collect());
        }
        sleep(clock::timer_for(LOOK_AGAIN)).await;
    }
}

fn listed<'a>(nodes: impl Iterator<Item = &'a NodeId>) -> String {
    nodes.map(NodeId::as_str).collect::<Vec<_>>().join(", ")
}
