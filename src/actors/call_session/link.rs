//! One connection to the model: a task that reads and a task that writes, both on the session's own thread.
//!
//! The reader plays audio by itself and hands control messages to the session, waiting for their delivery; the
//! writer takes what waits in the outbox. Both carry the connection's epoch, so that nothing a replaced connection
//! still says can reach the call.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::clock;
use crate::net::voice_ws::{ReaderEvent, VoiceReader, VoiceWriter};
use crate::telemetry::{Counter, count};
use crate::voice::{Downlink, ServerMessage, parse_server_message};

use super::CallSession;
use super::outbox::Outbox;
use super::speaker::Speaker;

/// A reader that worked this many messages in a row lets the thread's other calls have their turn.
const MESSAGES_IN_A_ROW_MAX: u32 = 16;
/// A connection that takes no message for so long is given up.
const STALL_LIMIT: Duration = Duration::from_secs(10);
const GOODBYE_LIMIT: Duration = Duration::from_secs(1);

/// What the websocket's reader tells the session.
#[derive(Message)]
#[rtype(result = "()")]
pub(super) struct LinkEvent {
    pub(super) epoch: u32,
    pub(super) what: LinkNews,
}

pub(super) enum LinkNews {
    Control(Box<ServerMessage>),
    Garbage,
    Closed { code: Option<u16>, reason: String },
}

/// The outbox and the bell that wakes its writer.
#[derive(Default)]
pub(super) struct Mailbag {
    pub(super) outbox: RefCell<Outbox>,
    bell: Notify,
    hanging_up: Cell<bool>,
}

impl Mailbag {
    pub(super) fn ring(&self) {
        self.bell.notify_one();
    }

    fn is_hanging_up(&self) -> bool {
        self.hanging_up.get()
    }

    /// The writer says goodbye once it has sent what waits; the reader then sees the end.
    pub(super) fn hang_up(&self) {
        self.hanging_up.set(true);
        self.ring();
    }
}

/// A live connection. Dropping it ends both tasks; a goodbye that was asked for is still said.
pub(super) struct Link {
    reader: JoinHandle<()>,
    writer: JoinHandle<()>,
    mailbag: Rc<Mailbag>,
}

impl Link {
    pub(super) fn start(
        epoch: u32,
        (writer, reader): (VoiceWriter, VoiceReader),
        speaker: Rc<RefCell<Speaker>>,
        mailbag: Rc<Mailbag>,
        session: Addr<CallSession>,
    ) -> Self {
        let reader = actix::spawn(read(epoch, reader, speaker, Rc::clone(&mailbag), session.clone()));
        let writer = actix::spawn(write(epoch, writer, Rc::clone(&mailbag), session));
        Self { reader, writer, mailbag }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
        if !self.mailbag.is_hanging_up() {
            self.writer.abort();
        }
    }
}

async fn read(
    epoch: u32,
    mut reader: VoiceReader,
    speaker: Rc<RefCell<Speaker>>,
    mailbag: Rc<Mailbag>,
    session: Addr<CallSession>,
) {
    let mut downlink = Downlink::default();
    let mut in_a_row = 0;
    loop {
        let news = match reader.next().await {
            ReaderEvent::Frame(bytes) => play(&bytes, &mut downlink, &speaker, &mailbag),
            ReaderEvent::Closed { code, reason } => Some(LinkNews::Closed { code, reason }),
        };
        let closed = matches!(news, Some(LinkNews::Closed { .. }));
        if let Some(what) = news
            && session.send(LinkEvent { epoch, what }).await.is_err()
        {
            return;
        }
        if closed {
            return;
        }
        in_a_row += 1;
        if in_a_row == MESSAGES_IN_A_ROW_MAX {
            in_a_row = 0;
            tokio::task::yield_now().await;
        }
    }
}

/// Plays what is to be heard; gives back what the session must know. Nothing of a connection that was given up: what it
/// owes is asked of the next one, and a greeting that began on both would be heard twice.
fn play(
    bytes: &[u8],
    downlink: &mut Downlink,
    speaker: &RefCell<Speaker>,
    mailbag: &Mailbag,
) -> Option<LinkNews> {
    if mailbag.is_hanging_up() {
        return None;
    }
    let Ok(mut message) = parse_server_message(bytes) else {
        count(Counter::ModelGarbage);
        return Some(LinkNews::Garbage);
    };
    let step = downlink.on_message(&mut message);
    let mut speaker = speaker.borrow_mut();
    if step.flush {
        message.heard = speaker.heard();
        speaker.hush();
    }
    for chunk in &step.audio {
        speaker.say(&chunk.pcm, chunk.rate_hz);
    }
    if step.end_of_turn {
        speaker.end_of_turn();
    }
    step.control.then(|| LinkNews::Control(Box::new(message)))
}

async fn write(epoch: u32, mut writer: VoiceWriter, mailbag: Rc<Mailbag>, session: Addr<CallSession>) {
    loop {
        let waiting = mailbag.outbox.borrow_mut().pop();
        let Some(message) = waiting else {
            if mailbag.is_hanging_up() {
                // A connection that is broken, or takes nothing more, needs no goodbye.
                timeout(clock::timer_for(GOODBYE_LIMIT), writer.close()).await.ok();
                return;
            }
            mailbag.bell.notified().await;
            continue;
        };
        let stall_limit = clock::timer_for(STALL_LIMIT);
        if !matches!(timeout(stall_limit, writer.send_text(&message)).await, Ok(Ok(()))) {
            let reason = "the connection takes nothing more".to_owned();
            session.do_send(LinkEvent { epoch, what: LinkNews::Closed { code: None, reason } });
            return;
        }
        mailbag.outbox.borrow_mut().recycle(message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::Codec;
    use crate::media::playout::playout;

    /// A tenth of a second, and the first of its turn.
    fn speech() -> Vec<u8> {
        let data = "AAAA".repeat(1_600);
        let part = format!(r#"{{"inlineData":{{"mimeType":"audio/pcm;rate=24000","data":"{data}"}}}}"#);
        format!(r#"{{"serverContent":{{"modelTurn":{{"parts":[{part}]}}}}}}"#).into_bytes()
    }

    #[test]
    fn a_connection_that_was_given_up_is_not_heard_while_it_says_goodbye() {
        let (writer, _reader) = playout(1_000);
        let speaker = RefCell::new(Speaker::new(Codec::Pcmu, writer));
        let mailbag = Mailbag::default();
        let speak = || play(&speech(), &mut Downlink::default(), &speaker, &mailbag).is_some();
        assert!(speak() && speaker.borrow().is_playing());
        speaker.borrow_mut().hush();
        mailbag.hang_up();
        assert!(!speak() && !speaker.borrow().is_playing());
    }
}
