//! The shell of one session: frames off the websocket into it, its outputs onto the websocket, one timer.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role, WebSocketConfig};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::refusal::Refusal;
use super::session::{Frame, Input, Output, Session};
use super::settings::bounded_ms;
use super::state::{Admitted, State, lock};
use crate::clock;

const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// A client that reads nothing for so long is given up.
const SEND_PATIENCE: Duration = Duration::from_secs(30);
/// How long the client's own close frame is waited for.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);

/// tokio's clock, so that a paused runtime pauses the stand-in, too.
pub(super) fn now() -> Instant {
    clock::of_real(tokio::time::Instant::now().into_std())
}

/// Serves an upgraded connection to its end.
pub(super) async fn run(stream: TcpStream, early: Vec<u8>, admitted: Admitted, state: &State) {
    let limits = WebSocketConfig::default()
        .max_message_size(Some(MAX_MESSAGE_BYTES))
        .max_frame_size(Some(MAX_MESSAGE_BYTES));
    let socket = WebSocketStream::from_partially_read(stream, early, Role::Server, Some(limits)).await;
    let mut connection = Connection { socket, session: Arc::clone(&admitted.session), admitted, state };
    connection.serve().await;
}

struct Connection<'a> {
    socket: WebSocketStream<TcpStream>,
    session: Arc<Mutex<Session>>,
    admitted: Admitted,
    state: &'a State,
}

/// What woke the connection up.
enum Event {
    Received(Option<Result<Message, Error>>),
    Commanded(super::faults::Fault),
    Due,
    PingDue,
}

impl Connection<'_> {
    async fn serve(&mut self) {
        self.feed(Input::Connected);
        let ping_interval = bounded_ms(self.state.settings.timing.ping_interval_ms.max(1));
        let mut next_ping = tokio::time::Instant::now() + ping_interval;
        while self.send_outputs().await {
            match self.next_event(next_ping).await {
                Event::Received(message) => self.on_message(message),
                Event::Commanded(fault) => self.feed(Input::Inject(fault)),
                Event::Due => self.feed(Input::Timer),
                Event::PingDue => {
                    next_ping += ping_interval;
                    if !self.send(Message::Ping(Vec::new().into())).await {
                        return;
                    }
                }
            }
        }
    }

    async fn next_event(&mut self, next_ping: tokio::time::Instant) -> Event {
        let due = lock(&self.session).next_timeout();
        let wait = due.map(|due| due.saturating_duration_since(now())).unwrap_or_default();
        tokio::select! {
            message = self.socket.next() => Event::Received(message),
            Some(fault) = self.admitted.commands.recv() => Event::Commanded(fault),
            () = sleep(clock::timer_for(wait)), if due.is_some() => Event::Due,
            () = sleep_until(next_ping) => Event::PingDue,
        }
    }

    fn on_message(&mut self, message: Option<Result<Message, Error>>) {
        match message {
            Some(Ok(Message::Text(text))) => self.feed(Input::Frame(text.as_bytes())),
            Some(Ok(Message::Binary(bytes))) => self.feed(Input::Frame(&bytes)),
            Some(Ok(Message::Close(frame))) => {
                let (code, reason) =
                    frame.map_or((None, String::new()), |f| (Some(f.code.into()), f.reason.to_string()));
                self.feed(Input::Gone { code, reason });
            }
            Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => {}
            Some(Err(error)) => self.feed(Input::Gone { code: None, reason: error.to_string() }),
            None => self.feed(Input::Gone { code: None, reason: String::new() }),
        }
    }

    fn feed(&self, input: Input<'_>) {
        lock(&self.session).handle(input, now());
        self.state.moved.notify_waiters();
    }

    /// Sends what the session has to say; `false` when the connection is over.
    async fn send_outputs(&mut self) -> bool {
        while let Some(output) = self.poll_output() {
            if !self.apply(output).await {
                return false;
            }
        }
        let goes_on = lock(&self.session).is_open();
        if !goes_on {
            self.leave();
        }
        self.flush().await && goes_on
    }

    async fn apply(&mut self, output: Output) -> bool {
        match output {
            Output::Send(Frame::Binary(bytes)) => return self.send(Message::Binary(bytes.into())).await,
            Output::Send(Frame::Text(text)) => return self.send(Message::Text(text.into())).await,
            Output::Open { wanted, handle, model } => {
                let identity = &self.admitted.identity;
                let (marker, resumption) = self.state.open(identity, wanted, handle.as_deref(), model, now());
                self.feed(Input::Opened { marker, resumption });
            }
            Output::Keep { name, memory } => {
                self.state.keep(&self.admitted.identity.session, name, memory);
            }
            Output::Close(refusal) => {
                self.leave();
                self.close(refusal).await;
                return false;
            }
            Output::Cut => {
                self.leave();
                return false;
            }
        }
        true
    }

    /// Before the client learns of the end: it may come back with its handle at once.
    fn leave(&self) {
        self.state.leave(&self.admitted.identity, now());
    }

    fn poll_output(&self) -> Option<Output> {
        lock(&self.session).poll_output()
    }

    async fn send(&mut self, message: Message) -> bool {
        matches!(timeout(SEND_PATIENCE, self.socket.feed(message)).await, Ok(Ok(())))
    }

    async fn flush(&mut self) -> bool {
        matches!(timeout(SEND_PATIENCE, self.socket.flush()).await, Ok(Ok(())))
    }

    async fn close(&mut self, refusal: Refusal) {
        let frame = CloseFrame { code: CloseCode::from(refusal.code), reason: refusal.reason.into() };
        let closing = async {
            if self.socket.close(Some(frame)).await.is_ok() {
                while let Some(Ok(_)) = self.socket.next().await {}
            }
        };
        // Whether the client answers or not, the connection is over.
        timeout(CLOSE_PATIENCE, closing).await.ok();
    }
}
