//! What must be true of a world when all is over.

use std::time::{Duration, Instant};

use clearline::call::Finish;
use clearline::domain::Outcome;
use clearline::sip::endpoint::Sizes;

use crate::call::{Call, Rebuild};
use crate::climate::Climate;
use crate::engine::{Engine, Over};
use crate::phone::Phone;
use crate::phones::Phones;
use crate::plan::{Claim, Plan};
use crate::tally::{Seen, Tally};
use crate::trouble::Move;

/// In which the model must be heard again after a session was rebuilt: set up, first audio, the way to the phone.
const BACK_WITHIN: Duration = Duration::from_millis(1_500);
/// What was under way to the phone when the session died is no sign of life of the new one.
const STILL_UNDER_WAY: Duration = Duration::from_millis(300);
/// A call this long has been greeted, whatever befell its session.
const GREETED_WITHIN: Duration = Duration::from_millis(3_500);
/// An ACK that is lost twice is repeated by then.
const AGREED_WITHIN: Duration = Duration::from_secs(5);
/// Who is new in address and name at once is believed after half a second, by two packets in sequence that may need
/// more than one try, and then there is the way back …
const CUT_OFF: Duration = Duration::from_secs(1);
/// … but where comfort noise comes five times a second, and some of it is lost.
const CUT_OFF_IN_NOISE: Duration = Duration::from_secs(4);
/// The caller's turn is over after half a second; until the model has said so nobody knows what it owes.
const TURN_ENDS_WITHIN: Duration = Duration::from_secs(1);
/// Before the latch knows better, audio goes where a wrong SDP says, for so many packets.
const STRAYS_MAX: u64 = 150;
/// In a hundred frames of a signal so many may be spliced, where the weather is bad or the stream jumps.
const UNCLEAR_PERCENT: u64 = 5;
const HEARD_WELL: u64 = 10;

pub(crate) fn judge(climate: &Climate, engine: &mut Engine, phones: &Phones, now: Instant) -> Tally {
    everything_is_back(engine, phones, now);
    let mut tally = Tally::default();
    for (number, finishes) in engine.finishes.iter().enumerate() {
        assert!(finishes.len() <= 1, "call {number} ends once: {finishes:?}");
    }
    let finished = engine.finishes.iter().flatten();
    assert_eq!(finished.clone().count(), engine.offered, "every call has one outcome");
    finished.for_each(|finish| tally.end(finish.outcome));
    for (number, over) in &engine.over {
        let finish = &engine.finishes[*number][0];
        let strays = phones.strays.get(number).copied().unwrap_or(0);
        Case { climate, over, phone: &phones.phones[*number], finish, strays }.judge(&mut tally);
    }
    tally.count(Seen::Worlds, 1);
    tally.count(Seen::Calls, engine.offered as u64);
    let of_phones = phones.phones.iter().map(|phone| &phone.tally);
    let of_calls = engine.over.values().flat_map(|over| [&over.call.tally, &over.call.model.tally]);
    for part in of_phones.chain(of_calls).chain([&engine.tally, &engine.office.tally, &phones.tally]) {
        tally.add(part);
    }
    tally
}

/// Ports have rested and are free; nothing else is held.
fn everything_is_back(engine: &mut Engine, phones: &Phones, now: Instant) {
    assert_eq!(engine.endpoint.sizes(), Sizes::default(), "the engine's signalling keeps nothing");
    assert_eq!(phones.endpoint.sizes(), Sizes::default(), "nobody believes to be in a call");
    assert_eq!(engine.office.calls(), 0, "the registry keeps nothing");
    assert_eq!(engine.office.leases(), 0, "every lease is back");
    assert!(engine.routes.is_empty(), "every route is closed");
    assert_eq!(engine.routes.ports().held(), 0, "every port is back");
    let capacity = engine.routes.ports().capacity();
    let free = std::iter::from_fn(|| engine.routes.acquire_port(now)).count();
    assert_eq!(free, capacity, "every port has rested");
}

/// One call that has talked, or tried to.
struct Case<'a> {
    climate: &'a Climate,
    over: &'a Over,
    phone: &'a Phone,
    finish: &'a Finish,
    strays: u64,
}

impl Case<'_> {
    fn judge(&self, tally: &mut Tally) {
        let (number, greetings) = (self.number(), self.call().greetings);
        assert!(greetings <= 1, "call {number} was greeted {greetings} times");
        self.the_outcome_is_explained();
        self.both_sides_agree();
        self.the_caller_hears_the_model(tally);
        self.the_model_hears_the_caller(tally);
        self.nobody_is_cut_off();
        self.audio_goes_to_its_phone_only();
        let again = self.call().rebuilds.iter().enumerate();
        let again = again.filter(|(index, rebuild)| self.is_heard_again(*index, rebuild)).count();
        tally.count(Seen::HeardAgainAfterRebuild, again as u64);
    }

    fn call(&self) -> &Call {
        &self.over.call
    }

    fn number(&self) -> usize {
        self.call().number
    }

    fn plan(&self) -> &Plan {
        &self.phone.plan
    }

    fn model_is_troubled(&self) -> bool {
        let refused = self.climate.failure_of(&self.call().granted.key);
        !self.plan().trouble.model.is_empty() || refused.is_some()
    }

    /// When it ended for whichever side was first.
    fn end(&self) -> Instant {
        self.phone.ended_at.map_or(self.over.at, |at| at.min(self.over.at))
    }

    /// How long both sides took it for connected.
    fn talked(&self) -> Option<(Instant, Duration)> {
        let (call, phone) = self.call().connected_at.zip(self.phone.connected_at)?;
        let since = call.max(phone);
        (since < self.end()).then(|| (since, self.end() - since))
    }

    fn the_outcome_is_explained(&self) {
        let (outcome, was_connected) = (self.finish.outcome, self.call().connected_at.is_some());
        let lost_packets = self.climate.weather.loss_permille > 0;
        let is_explained = match outcome {
            Outcome::Completed => was_connected,
            Outcome::Canceled => !was_connected,
            Outcome::ModelFailed => self.model_is_troubled(),
            Outcome::EngineLost => !self.plan().trouble.crashes.is_empty(),
            // The phone's user would not take the call.
            Outcome::NoAnswer => !was_connected && self.plan().we_dial,
            // A call that was never acknowledged, or not reached at all.
            Outcome::TrunkFailed | Outcome::Unreachable => lost_packets,
            Outcome::Transferred
            | Outcome::Machine
            | Outcome::Busy
            | Outcome::Rejected
            | Outcome::InvalidNumber
            | Outcome::TrunkAuth
            | Outcome::MediaFailed
            | Outcome::RefusedNoKey
            | Outcome::RefusedCapacity
            | Outcome::RefusedPolicy => false,
        };
        let finish = self.finish;
        assert!(is_explained, "call {} ended as {finish:?} (connected: {was_connected})", self.number());
    }

    /// Who is connected for the one is connected for the other.
    fn both_sides_agree(&self) {
        let Some(since) = self.phone.connected_at.filter(|at| *at + AGREED_WITHIN < self.end()) else {
            return;
        };
        let (number, talked) = (self.number(), self.end() - since);
        let is_connected = self.call().connected_at.is_some();
        assert!(is_connected, "phone {number} was connected for {talked:?}, and its call never was");
    }

    fn the_caller_hears_the_model(&self, tally: &mut Tally) {
        let ear = &self.phone.ear;
        let is_long = self.talked().is_some_and(|(_, talked)| talked >= GREETED_WITHIN);
        let must_hear = is_long && !self.model_is_troubled();
        assert!(!must_hear || ear.own_frames > 0, "caller {} hears nothing", self.number());
        tally.count(Seen::CallersWhoHeardTheModel, u64::from(ear.own_frames > 0));
        self.hears_clearly("caller", ear.own_frames, ear.unclear_frames, tally);
    }

    fn the_model_hears_the_caller(&self, tally: &mut Tally) {
        let ear = &self.call().model.ear;
        let trouble = &self.plan().trouble;
        let is_undisturbed = !self.model_is_troubled()
            && trouble.crashes.is_empty()
            && !trouble.has_move(Move::RebindUnderAnotherSsrc);
        let has_spoken = self.talked().zip(self.phone.connected_at).is_some_and(|((since, _), answered)| {
            let spoken = answered + self.plan().has_spoken_after();
            since + Duration::from_secs(1) < spoken && spoken + Duration::from_millis(500) < self.end()
        });
        let hears = ear.own_frames >= HEARD_WELL;
        assert!(!(is_undisturbed && has_spoken) || hears, "model {} hears nothing", self.number());
        tally.count(Seen::ModelsWhoHeardTheCaller, u64::from(ear.own_frames > 0));
        self.hears_clearly("model", ear.own_frames, ear.unclear_frames, tally);
    }

    fn hears_clearly(&self, who: &str, own: u64, unclear: u64, tally: &mut Tally) {
        tally.count(Seen::UnclearFrames, unclear);
        let is_smooth = self.climate.weather.is_calm() && self.plan().trouble.deeds.is_empty();
        let most = if is_smooth { 0 } else { 2 + own * UNCLEAR_PERCENT / 100 };
        let number = self.number();
        assert!(unclear <= most, "{who} {number} hears {unclear} unclear frames and {own} clear ones");
    }

    /// From the answer to the end no side is without the other's packets for long, whatever happens to addresses,
    /// numbers and sessions.
    fn nobody_is_cut_off(&self) {
        let longest = if self.plan().comfort_noise { CUT_OFF_IN_NOISE } else { CUT_OFF };
        let Some((since, talked)) = self.talked().filter(|(_, talked)| *talked >= longest) else { return };
        let (number, talk) = (self.number(), (since, self.end()));
        let pauses = self.phone.pauses.as_slice();
        let silence = self.over.media.reception.longest_gap(talk, pauses);
        assert!(silence < longest, "the engine does not hear phone {number} for {silence:?} of {talked:?}");
        // What goes to the address they all share arrives wherever it is meant to.
        let pauses = if self.climate.shares_address { &[] } else { pauses };
        let gap = self.phone.reception.longest_gap(talk, pauses);
        assert!(gap < longest, "phone {number} gets nothing for {gap:?} of {talked:?}");
    }

    fn audio_goes_to_its_phone_only(&self) {
        let most = if self.plan().claim == Claim::Wrong { STRAYS_MAX } else { 0 };
        let strays = self.strays;
        assert!(strays <= most, "{strays} packets of call {} went to other phones", self.number());
    }

    /// After a rebuild that left something unsaid, the model is heard again in time, unless the call ended, its session
    /// died again, the model failed or the caller spoke before.
    fn is_heard_again(&self, index: usize, rebuild: &Rebuild) -> bool {
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
