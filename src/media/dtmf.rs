//! Keys pressed on a phone, as RFC 4733 events: each key once in, whatever is lost or repeated, and keys out.
//!
//! All packets of one event carry the time stamp of its start, a duration that grows, and the last three the end bit.
//! A receiver that goes by the time stamp needs any one of them to know the key.

use std::collections::VecDeque;

const KEYS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', '*', '#', 'A', 'B', 'C', 'D'];
const END: u8 = 0x80;
/// −10 dBm0, what a phone's own keypad sends.
const VOLUME: u8 = 10;
const FRAME_TICKS: u16 = 160;
/// 100 ms of tone; exchanges want at least 40.
const TONE_FRAMES: u16 = 5;
const END_PACKETS: u16 = 3;
/// 60 ms more in which ordinary audio flows before the next key.
const PAUSE_FRAMES: u16 = 3;
/// An event that seems this much older than the last one (5 s) belongs to a new time line, not to the past.
const REORDERED_TICKS: u32 = 40_000;
/// A duration field that is full is followed by a further segment of the same key (RFC 4733, 2.5.1.3).
const FULL_DURATION: u16 = u16::MAX;

/// A key as one of `0`–`9`, `*`, `#`, `A`–`D`; its event number, and back.
fn key_of(event: u8) -> Option<char> {
    KEYS.get(usize::from(event)).copied()
}

fn event_of(key: char) -> Option<u8> {
    KEYS.iter().position(|&known| known == key.to_ascii_uppercase()).map(|event| event as u8)
}

/// Hears keys.
#[derive(Default)]
pub struct DtmfReceiver {
    last: Option<HeardEvent>,
}

#[derive(Clone, Copy)]
struct HeardEvent {
    timestamp: u32,
    event: u8,
    duration: u16,
    ended: bool,
}

impl DtmfReceiver {
    /// The key, when this packet is the first we see of its event.
    pub fn receive(&mut self, timestamp: u32, payload: &[u8]) -> Option<char> {
        let &[event, flags, high, low, ..] = payload else { return None };
        let key = key_of(event)?;
        let now = HeardEvent {
            timestamp,
            event,
            duration: u16::from_be_bytes([high, low]),
            ended: flags & END != 0,
        };
        match self.last {
            Some(last) if last.timestamp == timestamp => {
                self.last = Some(last.updated(now));
                None
            }
            Some(last) if last.is_newer_than(timestamp) => None,
            Some(last) if last.goes_on_in(now) => {
                self.last = Some(now);
                None
            }
            _ => {
                self.last = Some(now);
                Some(key)
            }
        }
    }
}

impl HeardEvent {
    fn updated(self, now: Self) -> Self {
        Self { duration: self.duration.max(now.duration), ended: self.ended || now.ended, ..self }
    }

    fn is_newer_than(self, timestamp: u32) -> bool {
        (1..REORDERED_TICKS).contains(&self.timestamp.wrapping_sub(timestamp))
    }

    fn goes_on_in(self, next: Self) -> bool {
        let end_of_segment = self.timestamp.wrapping_add(u32::from(FULL_DURATION));
        !self.ended && self.event == next.event && next.timestamp == end_of_segment
    }
}

/// Presses keys, one frame at a time.
#[derive(Default)]
pub struct DtmfSender {
    keys: VecDeque<u8>,
    pressed: Option<PressedKey>,
    pause_frames: u16,
}

struct PressedKey {
    event: u8,
    frames_sent: u16,
}

/// What goes out instead of an audio frame. All frames of a key go under the time stamp of its first, the marked one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DtmfFrame {
    pub payload: [u8; 4],
    pub marker: bool,
}

/// A string that cannot be dialled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DtmfRefused {
    #[error("{0:?} is not a key; use 0-9, *, # and A-D")]
    UnknownKey(char),
    #[error("more than {} keys wait to be sent; wait until they are", DtmfSender::MAX_WAITING)]
    TooMany,
}

impl DtmfSender {
    pub const MAX_WAITING: usize = 64;

    /// Queues all keys of `keys` or none.
    pub fn press(&mut self, keys: &str) -> Result<(), DtmfRefused> {
        if let Some(stranger) = keys.chars().find(|key| event_of(*key).is_none()) {
            return Err(DtmfRefused::UnknownKey(stranger));
        }
        if self.keys.len() + keys.len() > Self::MAX_WAITING {
            return Err(DtmfRefused::TooMany);
        }
        self.keys.extend(keys.chars().filter_map(event_of));
        Ok(())
    }

    pub fn is_idle(&self) -> bool {
        self.keys.is_empty() && self.pressed.is_none()
    }

    /// Call once per 20 ms; `None` means that audio is to be sent.
    pub fn next_frame(&mut self) -> Option<DtmfFrame> {
        if self.pressed.is_none() {
            self.press_next();
        }
        let key = self.pressed.as_mut()?;
        let frame = key.next_frame();
        if key.is_done() {
            self.pressed = None;
            self.pause_frames = PAUSE_FRAMES;
        }
        Some(frame)
    }

    fn press_next(&mut self) {
        if self.pause_frames > 0 {
            self.pause_frames -= 1;
            return;
        }
        self.pressed = self.keys.pop_front().map(|event| PressedKey { event, frames_sent: 0 });
    }
}

impl PressedKey {
    fn next_frame(&mut self) -> DtmfFrame {
        self.frames_sent += 1;
        let ended = self.frames_sent > TONE_FRAMES;
        let [high, low] = (self.frames_sent.min(TONE_FRAMES) * FRAME_TICKS).to_be_bytes();
        DtmfFrame {
            payload: [self.event, if ended { END | VOLUME } else { VOLUME }, high, low],
            marker: self.frames_sent == 1,
        }
    }

    fn is_done(&self) -> bool {
        self.frames_sent == TONE_FRAMES + END_PACKETS
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Entropy;

    const ALL_KEYS: &str = "0123456789*#ABCD";

    /// What is sent until all keys are, frame by frame.
    fn frames_of(keys: &str) -> Vec<Option<DtmfFrame>> {
        let mut sender = DtmfSender::default();
        sender.press(keys).unwrap();
        let mut frames = Vec::new();
        while !sender.is_idle() {
            frames.push(sender.next_frame());
        }
        frames
    }

    /// The events among them under the time stamps a stream gives them.
    fn packets_of(keys: &str, mut timestamp: u32) -> Vec<(u32, [u8; 4])> {
        let mut event_timestamp = timestamp;
        let mut packets = Vec::new();
        for frame in frames_of(keys) {
            if let Some(frame) = frame {
                event_timestamp = if frame.marker { timestamp } else { event_timestamp };
                packets.push((event_timestamp, frame.payload));
            }
            timestamp = timestamp.wrapping_add(u32::from(FRAME_TICKS));
        }
        packets
    }

    fn heard(packets: impl IntoIterator<Item = (u32, [u8; 4])>) -> String {
        let mut receiver = DtmfReceiver::default();
        packets.into_iter().filter_map(|(timestamp, payload)| receiver.receive(timestamp, &payload)).collect()
    }

    #[test]
    fn every_key_pressed_is_heard_once() {
        assert_eq!(heard(packets_of(ALL_KEYS, u32::MAX - 5_000)), ALL_KEYS);
    }

    #[test]
    fn every_key_is_heard_once_although_seven_of_its_eight_packets_are_lost() {
        let mut entropy = Entropy::from_number(4);
        for _ in 0..50 {
            let packets = packets_of(ALL_KEYS, 77);
            let survivors = packets.chunks(8).map(|key| key[entropy.below(8) as usize]);
            assert_eq!(heard(survivors), ALL_KEYS);
        }
    }

    #[test]
    fn repeats_and_reordered_packets_do_not_press_a_key_again() {
        let packets = packets_of("12", 0);
        let shuffled = [0, 0, 3, 1, 7, 8, 2, 9, 7, 15, 8, 0].map(|n: usize| packets[n]);
        assert_eq!(heard(shuffled), "12");
    }

    #[test]
    fn the_same_key_twice_is_two_keys() {
        assert_eq!(heard(packets_of("55", 0)), "55");
    }

    #[test]
    fn an_event_lasts_100_ms_ends_three_times_and_is_followed_by_a_pause() {
        let frames = frames_of("1#");
        let first: Vec<DtmfFrame> = frames.iter().copied().map_while(|frame| frame).collect();
        let durations: Vec<u16> =
            first.iter().map(|f| u16::from_be_bytes([f.payload[2], f.payload[3]])).collect();
        assert_eq!(durations, [160, 320, 480, 640, 800, 800, 800, 800]);
        assert!(first.iter().all(|frame| frame.payload[0] == 1));
        assert_eq!(first.iter().filter(|frame| frame.payload[1] & END != 0).count(), 3);
        assert_eq!(first.iter().filter(|frame| frame.marker).count(), 1);
        assert_eq!(frames[8..11], [None; 3], "the pause");
        let second = frames[11].unwrap();
        assert_eq!((second.payload[0], second.marker), (11, true));
    }

    #[test]
    fn a_key_held_for_longer_than_the_field_can_say_is_one_key() {
        let mut receiver = DtmfReceiver::default();
        assert_eq!(receiver.receive(0, &[7, 10, 0xFF, 0xFF]), Some('7'));
        assert_eq!(receiver.receive(65_535, &[7, 10, 0, 160]), None);
        assert_eq!(receiver.receive(65_535, &[7, 138, 0, 160]), None);
    }

    #[test]
    fn after_the_senders_clock_jumped_back_keys_are_heard_again() {
        let mut receiver = DtmfReceiver::default();
        assert_eq!(receiver.receive(1_000_000, &[1, 10, 0, 160]), Some('1'));
        assert_eq!(receiver.receive(500, &[2, 10, 0, 160]), Some('2'));
    }

    #[test]
    fn events_that_are_no_keys_and_cut_packets_are_ignored() {
        let mut receiver = DtmfReceiver::default();
        assert_eq!(receiver.receive(0, &[16, 10, 0, 160]), None, "flash");
        assert_eq!(receiver.receive(0, &[255; 4]), None);
        assert_eq!(receiver.receive(0, &[1, 10, 0]), None);
        assert_eq!(receiver.receive(0, &[]), None);
    }

    #[test]
    fn what_cannot_be_dialled_is_refused_whole() {
        let mut sender = DtmfSender::default();
        assert_eq!(sender.press("12x"), Err(DtmfRefused::UnknownKey('x')));
        assert_eq!(sender.press(&"1".repeat(65)), Err(DtmfRefused::TooMany));
        assert!(sender.is_idle());
        assert_eq!(sender.next_frame(), None);
        assert_eq!(sender.press("1a"), Ok(()), "small letters are keys too");
    }
}
