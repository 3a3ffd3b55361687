//! From the first ring to the one named outcome: which phase a call is in, and who may end it.
//!
//! ```text
//! inbound    Ringing ──model ready──▶ Answering ──confirmed──▶ Talking ─┐
//! outbound   Dialing ──────────────────answered──────────────▶ Talking ─┼─hang-up─▶ Ending ─▶ Over
//!            any phase ──dialog ended────────────────────────────────────────────────────────▶ Over
//! ```

use std::time::{Duration, Instant};

use super::{Ending, Finish};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// Inbound: the caller hears ringing while the model is set up.
    Ringing,
    /// Inbound: we picked up; the far end has not confirmed yet.
    Answering,
    /// Outbound: the far end has not picked up yet.
    Dialing,
    Talking,
    /// We hung up and wait for signalling to confirm it.
    Ending,
    Over,
}

/// Signalling retransmits a BYE by itself for half a minute; the call's resources need not wait that long.
const HANG_UP_CONFIRMATION: Duration = Duration::from_secs(2);

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lifecycle {
    pub(super) phase: Phase,
    /// Both sides were connected at some time.
    pub(super) talked: bool,
    /// What we decided before signalling could confirm it; it outranks the dialog's own ending.
    pub(super) decided: Option<Finish>,
    pub(super) ending_deadline: Option<Instant>,
}

impl Lifecycle {
    pub(super) fn new(phase: Phase) -> Self {
        Self { phase, talked: false, decided: None, ending_deadline: None }
    }

    pub(super) fn connected(&mut self) {
        self.phase = Phase::Talking;
        self.talked = true;
    }

    pub(super) fn is_active(&self) -> bool {
        !matches!(self.phase, Phase::Ending | Phase::Over)
    }

    /// We end the call. The first reason stands, whatever else goes wrong afterwards.
    pub(super) fn hang_up(&mut self, finish: Finish, now: Instant) {
        self.decided.get_or_insert(finish);
        self.phase = Phase::Ending;
        self.ending_deadline = Some(now + HANG_UP_CONFIRMATION);
    }

    /// The dialog is over; gives the call's last word, once.
    pub(super) fn dialog_ended(&mut self, ending: &Ending) -> Option<Finish> {
        if self.phase == Phase::Over {
            return None;
        }
        self.phase = Phase::Over;
        self.ending_deadline = None;
        let told = Finish::from_ending(ending, self.talked);
        Some(self.decided.take().unwrap_or(told))
    }

    /// Signalling did not confirm our hang-up in time: the call is over all the same.
    pub(super) fn ending_timed_out(&mut self, now: Instant) -> Option<Finish> {
        if self.ending_deadline? > now {
            return None;
        }
        self.dialog_ended(&Ending::WeHungUp)
    }
}
