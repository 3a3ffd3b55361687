//! What the operating system asks of a running command.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopOrReload {
    /// SIGINT or SIGTERM.
    Stop,
    /// SIGHUP.
    Reload,
}

/// Listens from its making on, so that no signal is missed between two looks.
pub(super) struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> StopOrReload {
        tokio::select! {
            _ = self.interrupt.recv() => StopOrReload::Stop,
            _ = self.terminate.recv() => StopOrReload::Stop,
            _ = self.hangup.recv() => StopOrReload::Reload,
        }
    }

    /// For commands that end with their terminal: whichever comes.
    pub(super) async fn any(&mut self) {
        self.next().await;
    }

    /// For commands that have nothing to read again.
    pub(super) async fn stop(&mut self) {
        while self.next().await == StopOrReload::Reload {}
    }
}
