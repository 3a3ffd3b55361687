//! Who heard whom: measured in the audio of both ends, not taken from what the engine believes.

use crate::sandbox::model::{HeardTone, Marker, SessionReport};
use crate::sandbox::phone::Tape;

use super::stage::Person;

const PHONE_RATE_HZ: u32 = 8_000;
/// The stand-in measures a tone this exactly.
const TONE_TOLERANCE_HZ: f64 = 15.0;

/// What was measured of one call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    /// The person heard its own model's marker, and that model heard the person's tone.
    pub(super) heard_own: bool,
    /// Anybody else's marker at the phone, or anybody else's tone at the model.
    pub(super) heard_foreign: bool,
    /// A session of the model was opened with this owner's key.
    pub(super) key_used: bool,
}

impl Verdict {
    pub(super) fn holds(self) -> bool {
        self.heard_own && !self.heard_foreign && self.key_used
    }

    /// `sessions` are all that the stand-in saw; the person's own are those opened with its key.
    pub(super) fn of(person: &Person, other: &Person, tape: &Tape, sessions: &[SessionReport]) -> Self {
        let own: Vec<_> = sessions.iter().filter(|session| session.key_hint == person.key_hint).collect();
        let own_markers: Vec<Marker> =
            own.iter().filter_map(|session| session.marker).map(Marker::number).collect();
        let own_tones: Vec<f32> = own_markers.iter().flat_map(|marker| marker.tones_hz()).collect();
        let at_phone = Marker::tones_heard_in(&tape.heard, PHONE_RATE_HZ);
        let at_model: Vec<&HeardTone> = own.iter().flat_map(|session| &session.heard_tones).collect();
        let model_hears =
            |wanted: f64| at_model.iter().any(|tone| (f64::from(tone.hz) - wanted).abs() < TONE_TOLERANCE_HZ);
        let own_marker_heard = own_markers.iter().any(|marker| marker.heard_in(&tape.heard, PHONE_RATE_HZ));
        Self {
            heard_own: own_marker_heard && model_hears(person.tone_hz),
            heard_foreign: at_phone.iter().any(|tone| !own_tones.contains(tone))
                || model_hears(other.tone_hz),
            key_used: !own.is_empty(),
        }
    }
}
