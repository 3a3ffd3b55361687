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
use crate::plan::{Claim, End, Plan};
use crate::tally::{Seen, Tally};

/// The third death within it is the last one.
const REBUILD_WINDOW: Duration = Duration::from_secs(60);
/// An ACK that is lost twice is repeated by then.
const AGREED_WITHIN: Duration = Duration::from_secs(5);
/// Who is new in address and name at once is believed after half a second, by two packets in sequence that may need
/// more than one try, and then there is the way back …
pub(crate) const CUT_OFF: Duration = Duration::from_secs(1);
/// … but where comfort noise comes five times a second, and some of it is lost.
pub(crate) const CUT_OFF_IN_NOISE: Duration = Duration::from_secs(4);
/// Before the latch knows better, audio goes where a wrong SDP says, for so many packets.
const STRAYS_MAX: u64 = 150;

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
pub(crate) struct Case<'a> {
    pub(crate) climate: &'a Climate,
    over: &'a Over,
    pub(crate) phone: &'a Phone,
    finish: &'a Finish,
    strays: u64,
}

impl Case<'_> {
    fn judge(&self, tally: &mut Tally) {
        let (number, greetings) = (self.number(), self.call().greetings);
        assert!(greetings <= 1, "call {number} was greeted {greetings} times");
        self.the_outcome_is_explained();
        self.both_sides_agree();
        self.nobody_is_cut_off();
        self.audio_goes_to_its_phone_only();
        self.the_caller_hears_the_model(tally);
        self.the_model_hears_the_caller(tally);
        let again = self.call().rebuilds.iter().enumerate();
        let again = again.filter(|(index, rebuild)| self.is_heard_again(*index, rebuild)).count();
        tally.count(Seen::HeardAgainAfterRebuild, again as u64);
    }

    pub(crate) fn call(&self) -> &Call {
        &self.over.call
    }

    pub(crate) fn number(&self) -> usize {
        self.call().number
    }

    pub(crate) fn plan(&self) -> &Plan {
        &self.phone.plan
    }

    pub(crate) fn model_is_troubled(&self) -> bool {
        !self.plan().trouble.model.is_empty() || self.model_refuses_the_key()
    }

    /// Of all that befalls models here nothing else is for good: what is lost or refused once is tried again.
    fn model_refuses_the_key(&self) -> bool {
        self.climate.failure_of(&self.call().granted.key).is_some()
    }

    /// The registry's rule: its session died a third time within the window, or before it could be rebuilt.
    fn engine_gives_up(&self) -> bool {
        let deaths = &self.call().rebuilds;
        let is_the_last_straw = |three: &[Rebuild]| three[2].at - three[0].at < REBUILD_WINDOW;
        deaths.windows(3).any(is_the_last_straw) || deaths.iter().any(|death| !death.had_checkpoint)
    }

    /// Its user hangs up while it still rings.
    fn nobody_takes_the_call(&self) -> bool {
        let gives_up = matches!(self.plan().end, End::CallerHangsUp(_));
        self.plan().we_dial && gives_up && self.phone.connected_at.is_none()
    }

    /// When it ended for whichever side was first.
    pub(crate) fn end(&self) -> Instant {
        self.phone.ended_at.map_or(self.over.at, |at| at.min(self.over.at))
    }

    /// How long both sides took it for connected.
    pub(crate) fn talked(&self) -> Option<(Instant, Duration)> {
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
            Outcome::ModelFailed => self.model_refuses_the_key(),
            Outcome::EngineLost => self.engine_gives_up(),
            Outcome::NoAnswer => !was_connected && self.nobody_takes_the_call(),
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
        assert!(
            outcome == Outcome::EngineLost || !self.engine_gives_up(),
            "call {} went on as {finish:?} after it was lost",
            self.number()
        );
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
}
