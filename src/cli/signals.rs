//! What the operating system asks of a running command.

use tokio::signal::unix::{SignalKind, signal};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopOrReload {
    /// SIGINT or SIGTERM.
    Stop,
    /// SIGHUP.
    Reload,
}

pub(super) async fn next_signal() -> StopOrReload {
    tokio::select! {
        () = arrival(SignalKind::interrupt()) => StopOrReload::Stop,
        () = arrival(SignalKind::terminate()) => StopOrReload::Stop,
        () = arrival(SignalKind::hangup()) => StopOrReload::Reload,
    }
}

/// For commands that have nothing to read again.
pub(super) async fn wait_for_stop_signal() {
    while next_signal().await == StopOrReload::Reload {}
}

/// A signal that cannot be listened to never arrives.
async fn arrival(kind: SignalKind) {
    match signal(kind) {
        Ok(mut signals) => drop(signals.recv().await),
        Err(_) => std::future::pending().await,
    }
}
