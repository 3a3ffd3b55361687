//! What the writer has written and the encoder has not taken yet, by call.
//!
//! Calls that are over come first, in the order in which they ended: somebody waits for their recordings. Of those that
//! go on, the one with most to do is next, once there is enough to be worth opening its file.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::oneshot;

use crate::clock;
use crate::domain::{CallId, RecordingMade};

/// Some seconds of speech.
const WORTH_TAKING_BYTES: u64 = 64 * 1_024;
/// Between two pieces the encoder rests, as its budget wants it, and looks what is most urgent.
const PIECE_BYTES_MAX: u64 = 256 * 1_024;
/// A disk that was full is tried again then.
const RETRY_PAUSE: Duration = Duration::from_secs(30);

pub(super) type Reply = oneshot::Sender<Option<RecordingMade>>;

#[derive(Clone, Default)]
pub(super) struct Backlog(Arc<(Mutex<State>, Condvar)>);

#[derive(Default)]
struct State {
    calls: HashMap<CallId, Waiting>,
    ends: u64,
    closed: bool,
}

struct Waiting {
    spool: PathBuf,
    written: u64,
    taken: u64,
    /// Which one it was to end, and who waits for the file.
    ended: Option<(u64, Reply)>,
    not_before: Option<Instant>,
}

/// A piece of a spool file to be encoded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) call: CallId,
    pub(super) spool: PathBuf,
    pub(super) from: u64,
    pub(super) to: u64,
    /// The call is over, and this is the end of it.
    pub(super) is_last: bool,
}

impl Backlog {
    pub(super) fn grown(&self, call: &CallId, spool: &Path, written: u64) {
        self.state().waiting(call, spool).written = written;
        self.0.1.notify_one();
    }

    pub(super) fn end(&self, call: &CallId, spool: &Path, written: u64, reply: Reply) {
        let mut state = self.state();
        state.ends += 1;
        let ended = (state.ends, reply);
        let waiting = state.waiting(call, spool);
        (waiting.written, waiting.ended) = (written, Some(ended));
        self.0.1.notify_one();
    }

    /// Nothing more will come; what has ended is still encoded.
    pub(super) fn close(&self) {
        self.state().closed = true;
        self.0.1.notify_one();
    }

    /// Waits for a piece that is due; `None`: there will be none any more.
    pub(super) fn next(&self) -> Option<Piece> {
        let mut state = self.state();
        loop {
            let now = clock::now();
            if let Some(piece) = state.most_urgent(now) {
                return Some(piece);
            }
            if state.closed {
                return None;
            }
            state = match state.next_retry(now) {
                None => self.0.1.wait(state).unwrap_or_else(PoisonError::into_inner),
                Some(retry) => {
                    let pause = clock::timer_for(retry.saturating_duration_since(now));
                    self.0.1.wait_timeout(state, pause).unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }

    pub(super) fn taken(&self, piece: &Piece) {
        if let Some(waiting) = self.state().calls.get_mut(&piece.call) {
            waiting.taken = piece.to;
        }
    }

    /// It could not be done now; it is begun anew later.
    pub(super) fn failed(&self, call: &CallId) {
        if let Some(waiting) = self.state().calls.get_mut(call) {
            waiting.taken = 0;
            waiting.not_before = Some(clock::now() + RETRY_PAUSE);
        }
    }

    pub(super) fn finished(&self, call: &CallId, made: Option<RecordingMade>) {
        let waiting = self.state().calls.remove(call);
        if let Some((_, reply)) = waiting.and_then(|waiting| waiting.ended) {
            // Nobody may wait for it any more; the file is there all the same.
            drop(reply.send(made));
        }
    }

    pub(super) fn has(&self, call: &CallId) -> bool {
        self.state().calls.contains_key(call)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn waiting(&mut self, call: &CallId, spool: &Path) -> &mut Waiting {
        self.calls.entry(call.clone()).or_insert_with(|| Waiting {
            spool: spool.to_owned(),
            written: 0,
            taken: 0,
            ended: None,
            not_before: None,
        })
    }

    fn most_urgent(&self, now: Instant) -> Option<Piece> {
        let due =
            || self.calls.iter().filter(|(_, waiting)| waiting.not_before.is_none_or(|retry| retry <= now));
        let over = due().filter_map(|entry| Some((entry.1.ended.as_ref()?.0, entry)));
        let next_over = over.min_by_key(|(order, _)| *order).map(|(_, entry)| entry);
        let fullest = || {
            let worth = due().filter(|(_, waiting)| waiting.written - waiting.taken >= WORTH_TAKING_BYTES);
            worth.max_by_key(|(_, waiting)| waiting.written - waiting.taken).filter(|_| !self.closed)
        };
        let (call, waiting) = next_over.or_else(fullest)?;
        let to = waiting.written.min(waiting.taken + PIECE_BYTES_MAX);
        let is_last = waiting.ended.is_some() && to == waiting.written;
        let (call, spool) = (call.clone(), waiting.spool.clone());
        Some(Piece { call, spool, from: waiting.taken, to, is_last })
    }

    fn next_retry(&self, now: Instant) -> Option<Instant> {
        self.calls.values().filter_map(|waiting| waiting.not_before).filter(|retry| *retry > now).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(name: &str) -> CallId {
        CallId::new(name)
    }

    fn piece(name: &str, from: u64, to: u64, is_last: bool) -> Piece {
        Piece { call: call(name), spool: PathBuf::from(name), from, to, is_last }
    }

    fn grown(backlog: &Backlog, name: &str, written: u64) {
        backlog.grown(&call(name), Path::new(name), written);
    }

    fn end(backlog: &Backlog, name: &str, written: u64) -> oneshot::Receiver<Option<RecordingMade>> {
        let (reply, answer) = oneshot::channel();
        backlog.end(&call(name), Path::new(name), written, reply);
        answer
    }

    #[test]
    fn what_has_ended_comes_before_what_goes_on_and_the_rest_by_how_much_waits() {
        let backlog = Backlog::default();
        grown(&backlog, "small", WORTH_TAKING_BYTES - 1);
        grown(&backlog, "large", WORTH_TAKING_BYTES + 7);
        grown(&backlog, "larger", WORTH_TAKING_BYTES + 8);
        let answers = [end(&backlog, "first over", 10), end(&backlog, "small", 20)];
        for expected in [
            piece("first over", 0, 10, true),
            piece("small", 0, 20, true),
            piece("larger", 0, WORTH_TAKING_BYTES + 8, false),
            piece("large", 0, WORTH_TAKING_BYTES + 7, false),
        ] {
            assert_eq!(backlog.next().unwrap(), expected);
            if expected.is_last { backlog.finished(&expected.call, None) } else { backlog.taken(&expected) }
        }
        assert!(answers.into_iter().all(|mut answer| answer.try_recv() == Ok(None)));
    }

    #[test]
    fn a_long_call_is_taken_piece_by_piece() {
        let backlog = Backlog::default();
        let _answer = end(&backlog, "long", PIECE_BYTES_MAX + 5);
        let first = backlog.next().unwrap();
        assert_eq!(first, piece("long", 0, PIECE_BYTES_MAX, false));
        backlog.taken(&first);
        assert_eq!(backlog.next().unwrap(), piece("long", PIECE_BYTES_MAX, PIECE_BYTES_MAX + 5, true));
    }

    #[test]
    fn after_the_close_only_what_has_ended_is_done_and_nothing_is_tried_again() {
        let backlog = Backlog::default();
        grown(&backlog, "goes on", 10 * WORTH_TAKING_BYTES);
        let mut answers = ["fails", "over"].map(|name| end(&backlog, name, 10));
        backlog.failed(&call("fails"));
        backlog.close();
        assert_eq!(backlog.next().unwrap(), piece("over", 0, 10, true));
        backlog.finished(&call("over"), None);
        assert_eq!(backlog.next(), None);
        assert!(answers[0].try_recv().is_err(), "its spool waits for the next start");
    }
}
