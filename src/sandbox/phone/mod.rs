//! A softphone: dials, answers, says what it is told, and records what it hears. The other end of the demo's calls, of
//! the loopback tests, and of the load test.
//!
//! One task per phone, one call at a time, built from the same pure machines as the engine (SIP endpoint, SDP
//! negotiation, jitter buffer) on sockets of its own. It is told what to do by [`Phone`] and reports [`PhoneEvent`]s.

mod audio;
mod leg;
mod task;

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::media::codec::Codec;

pub use audio::{Tape, tone};

/// Commands and events of one phone never come close to this.
const QUEUE_SIZE: usize = 256;

#[derive(Debug, Clone)]
pub struct PhoneSettings {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    /// Where calls are sent: the engine's SIP address.
    pub server: SocketAddr,
    /// What the phone calls itself.
    pub user: String,
    pub codec: Codec,
    /// Picks up by itself after this long; `None` lets it ring.
    pub answers_after: Option<Duration>,
    /// Repeats everything random.
    pub seed: u64,
    /// The media address put into SDP, when it shall be a wrong one.
    pub claimed_media: Option<SocketAddr>,
}

impl PhoneSettings {
    pub fn new(user: impl Into<String>, server: SocketAddr) -> Self {
        Self {
            listen: SocketAddr::new(server.ip(), 0),
            server,
            user: user.into(),
            codec: Codec::Pcmu,
            answers_after: Some(Duration::from_millis(300)),
            seed: 1,
            claimed_media: None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PhoneEvent {
    Ringing,
    Connected,
    /// The far end began to speak, or fell silent for a while.
    HeardSpeech,
    HeardSilence,
    Digit(char),
    /// Everything given to [`Phone::say`] has been sent.
    Said,
    Ended {
        reason: String,
    },
}

#[derive(Debug)]
enum Command {
    Dial { number: String },
    Say(Vec<i16>),
    Press(String),
    HangUp,
}

/// A running phone. Dropping it ends its task without a word to the far end.
pub struct Phone {
    pub address: SocketAddr,
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<PhoneEvent>,
    tape: Arc<Mutex<Tape>>,
    task: JoinHandle<()>,
}

impl Phone {
    /// Must be called inside a tokio runtime.
    pub fn start(settings: PhoneSettings) -> io::Result<Self> {
        let (commands, command_queue) = mpsc::channel(QUEUE_SIZE);
        let (event_queue, events) = mpsc::channel(QUEUE_SIZE);
        let tape = Arc::new(Mutex::new(Tape::default()));
        let task = task::PhoneTask::open(settings, event_queue, Arc::clone(&tape))?;
        let address = task.address();
        let task = tokio::spawn(task.run(command_queue));
        Ok(Self { address, commands, events, tape, task })
    }

    pub async fn dial(&self, number: impl Into<String>) {
        self.command(Command::Dial { number: number.into() }).await;
    }

    /// Queues 8 kHz samples to be spoken.
    pub async fn say(&self, samples: Vec<i16>) {
        self.command(Command::Say(samples)).await;
    }

    pub async fn press(&self, keys: impl Into<String>) {
        self.command(Command::Press(keys.into())).await;
    }

    pub async fn hang_up(&self) {
        self.command(Command::HangUp).await;
    }

    /// The next thing that happens; `None` when the phone is gone.
    pub async fn next_event(&mut self) -> Option<PhoneEvent> {
        self.events.recv().await
    }

    /// Waits until `wanted` happens and gives true, or false when the call ends first.
    pub async fn wait_for(&mut self, wanted: &PhoneEvent) -> bool {
        while let Some(event) = self.next_event().await {
            if event == *wanted {
                return true;
            }
            if matches!(event, PhoneEvent::Ended { .. }) {
                return false;
            }
        }
        false
    }

    /// What was said and heard so far.
    pub fn tape(&self) -> Tape {
        self.tape.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn command(&self, command: Command) {
        // A phone that is gone has told so by the end of its events.
        drop(self.commands.send(command).await);
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        self.task.abort();
    }
}
