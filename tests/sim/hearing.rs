//! What each side of a call must have heard of the other: most of what was due to it, clearly, and soon again after a
//! session was rebuilt. Excused are only times of known trouble.

use std::time::{Duration, Instant};

use crate::call::Rebuild;
use crate::judge::{CUT_OFF, CUT_OFF_IN_NOISE, Case};
use crate::plan::Claim;
use crate::tally::{Seen, Tally};
use crate::trouble::Move;

/// In which the model must be heard again after a session was rebuilt: set up, first audio, the way to the phone.
const BACK_WITHIN: Duration = Duration::from_millis(1_500);
/// What was under way to the phone when the session died is no sign of life of the new one; and what is due so shortly
/// before an end may not be heard before it.
const STILL_UNDER_WAY: Duration = Duration::from_millis(300);
/// The caller's turn is over after half a second; until the model has said so nobody knows what it owes.
const TURN_ENDS_WITHIN: Duration = Duration::from_secs(1);
/// In a hundred frames of a signal so many may be spliced, where the weather is bad or the stream jumps.
const UNCLEAR_PERCENT: u64 = 5;
/// Of what is due so much must be heard, less what the network may lose …
const HEARD_PERCENT: u64 = 95;
/// … after so many frames: what is due is counted from when it came, and is a little longer under way.
const FORGIVEN_FRAMES: u64 = 4;

impl Case<'_> {
    pub(crate) fn the_caller_hears_the_model(&self, tally: &mut Tally) {
        let ear = &self.phone.ear;
        let due = self.count_due(self.call().model.due.at(), |_| true);
        self.hears_enough("caller", ear.own_frames, due);
        tally.count(Seen::CallersWhoHeardTheModel, u64::from(ear.own_frames > 0));
        tally.count(Seen::FramesDueToCallers, due);
        self.hears_clearly("caller", ear.own_frames, ear.unclear_frames, tally);
    }

    pub(crate) fn the_model_hears_the_caller(&self, tally: &mut Tally) {
        let model = &self.call().model;
        let ear = &model.ear;
        let listens = |at: Instant| model.listens.hold((at, at + STILL_UNDER_WAY));
        let due = self.count_due(&self.phone.spoken_at, listens);
        self.hears_enough("model", ear.own_frames, due);
        let is_undisturbed = self.plan().trouble.crashes.is_empty() && !self.model_is_troubled();
        let (number, connections) = (self.number(), model.connections);
        assert!(!is_undisturbed || connections <= 1, "call {number} went to its model {connections} times");
        tally.count(Seen::ModelsWhoHeardTheCaller, u64::from(ear.own_frames > 0));
        tally.count(Seen::FramesDueToModels, due);
        self.hears_clearly("model", ear.own_frames, ear.unclear_frames, tally);
    }

    /// How many of the frames can be held against the engine.
    fn count_due(&self, frames: &[Instant], is_listened_to: impl Fn(Instant) -> bool) -> u64 {
        let Some((since, _)) = self.talked() else { return 0 };
        let searches = self.searches(since);
        let is_due = |at: &&Instant| {
            let is_searched = searches.iter().any(|(from, to)| (*from..*to).contains(*at));
            **at >= since && **at + STILL_UNDER_WAY <= self.end() && !is_searched && is_listened_to(**at)
        };
        frames.iter().filter(is_due).count() as u64
    }

    /// While the engine may still be looking for a far end that has moved, or that its SDP does not tell.
    fn searches(&self, since: Instant) -> Vec<(Instant, Instant)> {
        let found_within = if self.plan().comfort_noise { CUT_OFF_IN_NOISE } else { CUT_OFF };
        let is_elsewhere = |what: Move| matches!(what, Move::Rebind | Move::RebindUnderAnotherSsrc);
        let moves = self.phone.moves.iter().filter(|(_, what)| is_elsewhere(*what)).map(|(at, _)| *at);
        let hidden = (self.plan().claim != Claim::True).then_some(since);
        moves.chain(hidden).map(|at| (at, at + found_within)).collect()
    }

    fn hears_enough(&self, who: &str, own: u64, due: u64) {
        let permille = 10 * HEARD_PERCENT - self.climate.weather.loss_permille;
        let least = due.saturating_sub(FORGIVEN_FRAMES) * permille / 1_000;
        let number = self.number();
        assert!(own >= least, "{own} frames were heard of {due} that were due to the {who} of call {number}");
    }

    fn hears_clearly(&self, who: &str, own: u64, unclear: u64, tally: &mut Tally) {
        tally.count(Seen::UnclearFrames, unclear);
        let is_smooth = self.climate.weather.is_calm() && self.plan().trouble.deeds.is_empty();
        let most = if is_smooth { 0 } else { 2 + own * UNCLEAR_PERCENT / 100 };
        let number = self.number();
        assert!(unclear <= most, "{who} {number} hears {unclear} unclear frames and {own} clear ones");
    }

    /// After a rebuild that left something unsaid, the model is heard again in time, unless the call ended, its session
    /// died again, the model failed or the caller spoke before.
    pub(crate) fn is_heard_again(&self, index: usize, rebuild: &Rebuild) -> bool {
        let until = rebuild.at + BACK_WITHIN;
        let died_again = self.call().rebuilds.get(index + 1).is_some_and(|next| next.at <= until);
        let is_excused = died_again
            || !rebuild.owed_speech
            || self.model_is_troubled()
            || self.plan().trouble.has_move(Move::Rebind)
            || self.plan().trouble.has_move(Move::RebindUnderAnotherSsrc)
            || self.phone.speaks_between(rebuild.at - TURN_ENDS_WITHIN, until)
            || self.end() <= until
            || self.phone.connected_at.is_none();
        if is_excused {
            return false;
        }
        let is_sign = |at: &Instant| *at > rebuild.at + STILL_UNDER_WAY && *at <= until;
        let is_back = self.phone.loud_at.iter().any(is_sign);
        let (number, after) = (self.number(), rebuild.at - self.call().started_at);
        assert!(is_back, "call {number}, rebuilt {after:?} after its start, stays silent");
        true
    }
}
