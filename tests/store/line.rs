//! A line between the driver and its server that a test can cut, slow down and narrow.
//!
//! It reads the length of each message (the first four bytes), and knows nothing else of the protocol. Every request
//! has one answer, as long as the driver polls its server's state (`serverMonitoringMode=poll`).

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, watch};

/// How late answers are on a slow line.
const DELAY: Duration = Duration::from_millis(20);
/// No server takes more.
const MAX_MESSAGE_BYTES: usize = 48 * 1024 * 1024;
const HEADER_BYTES: usize = 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Open,
    Slow,
    /// Connections stand, nothing passes.
    Silent,
    /// Connections are closed and refused.
    Cut,
}

pub(crate) struct Line {
    pub(crate) address: SocketAddr,
    state: watch::Sender<State>,
    /// Raised by each cut: a line may be cut and open again before anybody looks.
    cuts: watch::Sender<u64>,
    server: watch::Sender<String>,
}

/// What each connection heeds.
#[derive(Clone)]
struct Rules {
    state: watch::Receiver<State>,
    cuts: watch::Receiver<u64>,
    server: watch::Receiver<String>,
    /// Held from a request to its answer, where the server can do only one thing at a time.
    turn: Option<Arc<Mutex<()>>>,
}

impl Line {
    pub(crate) async fn to(server: String, one_at_a_time: bool) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a loopback port");
        let address = listener.local_addr().expect("it is bound");
        let (state, seen_state) = watch::channel(State::Open);
        let (cuts, seen_cuts) = watch::channel(0);
        let (server, seen_server) = watch::channel(server);
        let turn = one_at_a_time.then(|| Arc::new(Mutex::new(())));
        let rules = Rules { state: seen_state, cuts: seen_cuts, server: seen_server, turn };
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                tokio::spawn(rules.clone().connect(client));
            }
        });
        Self { address, state, cuts, server }
    }

    pub(crate) fn set(&self, state: State) {
        self.state.send_replace(state);
        if state == State::Cut {
            self.cuts.send_modify(|cuts| *cuts += 1);
        }
    }

    /// Whoever connects from now on reaches this server.
    pub(crate) fn lead_to(&self, server: String) {
        self.server.send_replace(server);
    }
}

impl Rules {
    /// An error only means that one of the two has hung up.
    async fn connect(self, client: TcpStream) {
        let mut cuts = self.cuts.clone();
        cuts.mark_unchanged();
        if *self.state.borrow() == State::Cut {
            return;
        }
        tokio::select! {
            ended = self.carry(client) => drop(ended),
            cut = cuts.changed() => drop(cut),
        }
    }

    async fn carry(mut self, mut client: TcpStream) -> io::Result<()> {
        let server = self.server.borrow().clone();
        let mut server = TcpStream::connect(server).await?;
        client.set_nodelay(true)?;
        server.set_nodelay(true)?;
        loop {
            let request = read_message(&mut client).await?;
            self.let_pass().await;
            let turn = self.turn.clone();
            let _turn = match &turn {
                Some(turn) => Some(turn.lock().await),
                None => None,
            };
            server.write_all(&request).await?;
            let reply = read_message(&mut server).await?;
            client.write_all(&reply).await?;
        }
    }

    async fn let_pass(&mut self) {
        // The line is gone with its test; then nobody waits any more.
        let passes = self.state.wait_for(|state| *state != State::Silent).await;
        if passes.is_ok_and(|state| *state == State::Slow) {
            tokio::time::sleep(DELAY).await;
        }
    }
}

async fn read_message(from: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut message = vec![0; HEADER_BYTES];
    from.read_exact(&mut message).await?;
    let length = u32::from_le_bytes([message[0], message[1], message[2], message[3]]) as usize;
    assert!((HEADER_BYTES..=MAX_MESSAGE_BYTES).contains(&length), "{length} is no length of a message");
    message.resize(length, 0);
    from.read_exact(&mut message[HEADER_BYTES..]).await?;
    Ok(message)
}
