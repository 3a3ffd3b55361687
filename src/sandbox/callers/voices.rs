//! Whose model a caller hears: now and then, while a model speaks, a tenth of a second of it is listened to for its
//! marker. Pure.

use crate::media::codec::{Codec, LEG_RATE_HZ};
use crate::media::rtp::RtpPacket;
use crate::sandbox::model::Tones;

/// What is being listened to.
#[derive(Debug)]
pub(super) struct VoiceEar {
    samples: Vec<i16>,
    last_sequence: Option<u16>,
    /// Packets of this voice that are let pass.
    passing: usize,
}

const WINDOW_SAMPLES: usize = LEG_RATE_HZ as usize * Tones::WINDOW_MS / 1_000;
/// A voice may begin in the midst of its first packet.
const PACKETS_BEFORE: usize = 1;
/// Nearly a second from one look to the next: hundreds of callers listen.
const PACKETS_BETWEEN: usize = 45;

impl VoiceEar {
    pub(super) fn new() -> Self {
        Self { samples: Vec::new(), last_sequence: None, passing: PACKETS_BEFORE }
    }

    /// Takes a packet with a voice in it. Gives the tones of a piece that is whole: of packets that came one after the
    /// other.
    pub(super) fn hear(&mut self, packet: &RtpPacket<'_>) -> Option<Tones> {
        let is_next = self.last_sequence.is_none_or(|last| packet.sequence == last.wrapping_add(1));
        self.last_sequence = Some(packet.sequence);
        if !is_next {
            self.samples.clear();
            self.passing = self.passing.max(PACKETS_BEFORE);
        }
        if let Some(left) = self.passing.checked_sub(1) {
            self.passing = left;
            return None;
        }
        self.samples.extend(packet.payload.iter().map(|code| Codec::Pcmu.decode(*code)));
        let window = self.samples.get(..WINDOW_SAMPLES)?;
        let tones = Tones::heard_in(window, LEG_RATE_HZ);
        self.samples.clear();
        self.passing = PACKETS_BETWEEN;
        Some(tones)
    }

    /// What comes next is another sentence.
    pub(super) fn end_voice(&mut self) {
        self.samples.clear();
        self.last_sequence = None;
        self.passing = PACKETS_BEFORE;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::codec::FRAME_SAMPLES;
    use crate::sandbox::model::Marker;

    /// What is made out of a model's sentence, of which the packets of these numbers come.
    fn heard(marker: Marker, numbers: impl IntoIterator<Item = u16>) -> Vec<Tones> {
        let mut ear = VoiceEar::new();
        let take = |sequence: u16| {
            let sample =
                |index| marker.sample(usize::from(sequence) * FRAME_SAMPLES + index, LEG_RATE_HZ) as i16;
            let payload: [u8; FRAME_SAMPLES] = std::array::from_fn(|index| Codec::Pcmu.encode(sample(index)));
            let (timestamp, marker) = (u32::from(sequence) * FRAME_SAMPLES as u32, false);
            ear.hear(&RtpPacket { ssrc: 1, sequence, timestamp, payload_type: 0, marker, payload: &payload })
        };
        numbers.into_iter().filter_map(take).collect()
    }

    #[test]
    fn a_sentence_is_listened_to_at_its_beginning_and_each_second() {
        let marker = Marker::number(7);
        assert_eq!(heard(marker, 0..6), [Tones::of(marker)]);
        assert_eq!(heard(marker, 0..150), [Tones::of(marker); 3]);
    }

    #[test]
    fn what_a_gap_has_torn_is_not_listened_to() {
        let marker = Marker::number(200);
        assert!(heard(marker, [0, 1, 2, 4, 5, 6, 8, 9]).is_empty());
        assert_eq!(heard(marker, [0, 1, 3, 4, 5, 6, 7, 8]), [Tones::of(marker)]);
    }
}
