//! Whether the server answers, looked at again and again: without it, an engine that takes no calls because the store is
//! away would never ask the store again.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{sleep, timeout_at};

use super::server::Server;
use crate::clock;

const PAUSE: Duration = Duration::from_secs(1);

/// Until nobody asks any more.
pub(super) async fn run(server: Arc<Server>, tell: watch::Sender<bool>) {
    while !tell.is_closed() {
        let answers = answers(&server).await;
        if tell.send_replace(answers) != answers {
            log_change(&server.name, answers);
        }
        tokio::select! {
            () = tell.closed() => return,
            () = sleep(clock::timer_for(PAUSE)) => {}
        }
    }
}

/// Ends when the server does not answer any more.
pub(super) async fn silence(server: &Server) {
    while answers(server).await {
        sleep(clock::timer_for(PAUSE)).await;
    }
}

async fn answers(server: &Server) -> bool {
    matches!(timeout_at(server.deadline(), server.ping()).await, Ok(Ok(())))
}

fn log_change(server: &str, answers: bool) {
    if answers {
        tracing::info!(%server, "MongoDB answers again");
    } else {
        tracing::error!(%server, "MongoDB does not answer; what must be written waits, calls that need it are refused");
    }
}
