//! The connection's life: opened, set up, live, lost or renewed. Losses and renewals end in the same place: a new
//! connection under a new epoch, resumed by handle where there is one, else seeded with our own transcript.

use std::time::{Duration, Instant};

use super::recovery::{Decision, Life};
use super::{Output, TurnEnd, VoiceEvent, VoiceSession};
use crate::voice::config::ResumeHandle;
use crate::voice::failure::{ConnectFailure, FailureClass, Loss, Phase, classify, describe};
use crate::voice::transcript::{Heard, Speaker};
use crate::voice::wire::client;
use crate::voice::wire::server::{ErrorStatus, GoAway, SessionResumptionUpdate};

#[derive(Debug)]
pub(super) enum Link {
    /// Nobody has asked for a connection yet.
    Idle,
    Connecting {
        deadline: Instant,
    },
    SettingUp {
        deadline: Instant,
    },
    Live(Live),
    /// A planned renewal waits for the old socket: two at once make the server end both.
    Closing {
        deadline: Instant,
    },
    /// Until the next attempt.
    Waiting {
        until: Instant,
    },
    Ended,
}

#[derive(Debug)]
pub(super) struct Live {
    since: Instant,
    /// Renewed at the first quiet moment from here on …
    renew_from: Instant,
    /// … and at the latest here.
    renew_by: Instant,
    pub(super) turns: u32,
}

/// What the model knows of the conversation at the start of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Opening {
    Fresh,
    Resumed,
    Seeded,
}

const UNKNOWN_TIME_LEFT: Duration = Duration::from_secs(5);
/// We go before the server cuts us off.
const RENEWAL_MARGIN: Duration = Duration::from_secs(3);
/// How long an aged connection may look for a quiet moment.
const RENEWAL_WINDOW: Duration = Duration::from_secs(60);
const MAX_GARBAGE_IN_A_ROW: u32 = 50;
const MAX_HANDLE_BYTES: usize = 4 * 1024;

const SEED_NOTE: &str = "(The connection was lost for a moment; this is what was said so far.)";
const CARRY_ON: &str = "(The connection was lost for a moment. Carry on where the conversation stopped: do not \
                        greet again and do not mention the interruption.)";

impl VoiceSession {
    pub(super) fn begin(&mut self, now: Instant) {
        if matches!(self.link, Link::Idle) {
            self.connect(now);
        }
    }

    pub(super) fn connected(&mut self, epoch: u32, now: Instant) {
        if epoch != self.epoch || !matches!(self.link, Link::Connecting { .. }) {
            return;
        }
        self.link = Link::SettingUp { deadline: self.patience(now, self.limits.setup) };
        let handle = self.recovery.handle.as_ref().filter(|_| self.opening == Opening::Resumed);
        let handle = handle.map(|handle| handle.handle.as_str());
        let seeded = self.opening == Opening::Seeded && !self.transcript.is_empty();
        let setup = client::setup(&self.config, self.traits, handle, seeded);
        self.send(setup);
    }

    pub(super) fn connect_failed(&mut self, epoch: u32, failure: ConnectFailure, now: Instant) {
        if epoch == self.epoch && matches!(self.link, Link::Connecting { .. }) {
            self.lost(&Loss::Refused(failure), now);
        }
    }

    pub(super) fn closed(&mut self, epoch: u32, code: Option<u16>, reason: String, now: Instant) {
        if epoch != self.epoch {
            return;
        }
        match self.link {
            Link::Closing { .. } => self.connect(now),
            Link::Connecting { .. } | Link::SettingUp { .. } | Link::Live(_) => {
                self.lost(&Loss::Closed { code, reason }, now);
            }
            Link::Idle | Link::Waiting { .. } | Link::Ended => {}
        }
    }

    pub(super) fn server_error(&mut self, error: ErrorStatus, now: Instant) {
        self.drop_socket();
        self.lost(&Loss::Error(error), now);
    }

    pub(super) fn unreadable(&mut self, epoch: u32, now: Instant) {
        if !self.listens_to(epoch) {
            return;
        }
        self.garbage += 1;
        self.garbage_in_a_row += 1;
        if self.garbage_in_a_row >= MAX_GARBAGE_IN_A_ROW {
            self.drop_socket();
            self.lost(&Loss::Unreadable, now);
        }
    }

    /// Only what the current connection says before it is given up counts.
    pub(super) fn listens_to(&self, epoch: u32) -> bool {
        epoch == self.epoch && matches!(self.link, Link::SettingUp { .. } | Link::Live(_))
    }

    pub(super) fn setup_complete(&mut self, now: Instant) {
        if !matches!(self.link, Link::SettingUp { .. }) {
            return;
        }
        self.recovery.outage_ends(now);
        if !self.was_ready {
            // While the far end rang nobody waited.
            self.recovery.forgive();
        }
        let renew_from = now + self.traits.connection_age;
        self.link =
            Link::Live(Live { since: now, renew_from, renew_by: renew_from + RENEWAL_WINDOW, turns: 0 });
        self.announce();
        self.continue_conversation();
        self.say_unsaid();
        self.greet_if_due();
    }

    fn announce(&mut self) {
        let first = !std::mem::replace(&mut self.was_ready, true);
        if first {
            self.event(VoiceEvent::Ready);
        }
        if !first || !self.begun_fresh {
            self.event(VoiceEvent::Resumed { fresh: self.opening != Opening::Resumed });
        }
    }

    /// Gives a seeded session its memory, and lets the model answer what it still owes.
    fn continue_conversation(&mut self) {
        if self.opening == Opening::Fresh {
            return;
        }
        let history = self.transcript.history();
        if self.opening == Opening::Seeded && !history.is_empty() {
            self.send(client::history(&history, SEED_NOTE));
        }
        let caller_spoke_last = history.last().is_some_and(|item| item.speaker == Speaker::Caller);
        if std::mem::take(&mut self.turn.owed) || caller_spoke_last {
            let words = history.iter().rev().take_while(|item| item.speaker == Speaker::Caller);
            let mut words: Vec<&str> = words.map(|item| item.text.as_str()).collect();
            words.reverse();
            self.request_speech(&carry_on(self.opening, &words.join(" ")));
        }
    }

    pub(super) fn go_away(&mut self, warning: &GoAway, now: Instant) {
        if let Link::Live(live) = &mut self.link {
            let left = warning.time_left.unwrap_or(UNKNOWN_TIME_LEFT).saturating_sub(RENEWAL_MARGIN);
            live.renew_from = now;
            live.renew_by = live.renew_by.min(now + left);
        }
    }

    /// An empty or unresumable update keeps the last good handle.
    pub(super) fn new_handle(&mut self, update: SessionResumptionUpdate) {
        let handle = update.new_handle.unwrap_or_default();
        if !update.resumable || handle.is_empty() || handle.len() > MAX_HANDLE_BYTES {
            return;
        }
        let handle = ResumeHandle { handle, model: self.config.model_id().to_owned() };
        self.recovery.handle = Some(handle.clone());
        self.event(VoiceEvent::Handle(handle));
    }

    pub(super) fn stop(&mut self, heard: Option<Heard>) {
        self.close_transcript(heard);
        if !matches!(self.link, Link::Idle) {
            self.drop_socket();
        }
        self.link = Link::Ended;
    }

    pub(super) fn link_timeout(&self) -> Option<Instant> {
        match &self.link {
            Link::Idle | Link::Ended => None,
            Link::Connecting { deadline } | Link::SettingUp { deadline } | Link::Closing { deadline } => {
                Some(*deadline)
            }
            Link::Waiting { until } => Some(*until),
            Link::Live(live) if self.is_quiet() => Some(live.renew_from.min(live.renew_by)),
            Link::Live(live) => Some(live.renew_by),
        }
    }

    pub(super) fn check_link(&mut self, now: Instant) {
        if self.link_timeout().is_none_or(|at| at > now) {
            return;
        }
        match self.link {
            Link::Connecting { .. } => {
                self.drop_socket();
                self.lost(&Loss::Refused(ConnectFailure::TimedOut), now);
            }
            Link::SettingUp { .. } => {
                self.drop_socket();
                self.lost(&Loss::SetupTimedOut, now);
            }
            Link::Closing { .. } | Link::Waiting { .. } => self.connect(now),
            Link::Live(_) => self.renew(now),
            Link::Idle | Link::Ended => {}
        }
    }

    /// Replaces an ageing connection while nobody speaks.
    fn renew(&mut self, now: Instant) {
        self.recovery.outage_begins(now);
        self.leave_conversation();
        self.drop_socket();
        self.event(VoiceEvent::Reconnecting);
        self.link = Link::Closing { deadline: now + self.limits.close };
    }

    fn connect(&mut self, now: Instant) {
        self.recovery.outage_begins(now);
        self.epoch += 1;
        self.garbage_in_a_row = 0;
        self.opening = self.choose_opening();
        self.link = Link::Connecting { deadline: self.patience(now, self.limits.connect) };
        self.outputs.push_back(Output::Connect { epoch: self.epoch });
    }

    /// A session in which nothing was said yet begins anew, so that the greeting is heard once.
    fn choose_opening(&mut self) -> Opening {
        if self.begun_fresh && self.transcript.is_empty() && !self.turn.ever_heard {
            self.recovery.handle = None;
            return Opening::Fresh;
        }
        if self.recovery.handle.is_some() { Opening::Resumed } else { Opening::Seeded }
    }

    /// The first connection may take its full time; later ones only what the caller has left of patience.
    fn patience(&self, now: Instant, limit: Duration) -> Instant {
        let deadline = now + limit;
        if self.was_ready { deadline.min(self.recovery.budget_ends(now)) } else { deadline }
    }

    fn lost(&mut self, loss: &Loss, now: Instant) {
        let life = self.life(now);
        let verdict = classify(life.phase, loss);
        self.leave_conversation();
        match self.recovery.lost(verdict, life, now) {
            Decision::GiveUp(class) => self.fail(class, describe(loss)),
            Decision::ConnectAt(at) => {
                if life.phase == Phase::Live {
                    self.event(VoiceEvent::Reconnecting);
                }
                self.link = Link::Waiting { until: at };
            }
        }
    }

    fn life(&self, now: Instant) -> Life {
        let (phase, healthy) = match &self.link {
            Link::SettingUp { .. } => (Phase::Setup, false),
            Link::Live(live) => (Phase::Live, live.turns > 0 && now >= live.since + self.limits.stable),
            Link::Idle
            | Link::Connecting { .. }
            | Link::Closing { .. }
            | Link::Waiting { .. }
            | Link::Ended => (Phase::Upgrade, false),
        };
        Life { phase, resumed: self.opening == Opening::Resumed, healthy }
    }

    fn fail(&mut self, class: FailureClass, reason: String) {
        self.drop_socket();
        self.link = Link::Ended;
        self.event(VoiceEvent::Failed { class, reason });
    }

    /// Ends what was under way with the old connection and notes what the model still owes the caller.
    fn leave_conversation(&mut self) {
        if !matches!(self.link, Link::Live(_)) {
            return;
        }
        let was_open = self.turn.open;
        // What is queued plays on.
        self.close_transcript(None);
        self.turn = self.turn.after_loss();
        self.tools.connection_lost();
        if was_open {
            self.event(VoiceEvent::TurnEnded { reason: TurnEnd::Lost });
        }
    }

    fn drop_socket(&mut self) {
        self.outputs.push_back(Output::CloseSocket { epoch: self.epoch });
    }
}

fn carry_on(opening: Opening, last_words: &str) -> String {
    // A seed holds the words already; a restored session may have been saved before they were said.
    if opening == Opening::Resumed && !last_words.is_empty() {
        return format!("{CARRY_ON}\nThe caller's last words were: {last_words}");
    }
    CARRY_ON.to_owned()
}
