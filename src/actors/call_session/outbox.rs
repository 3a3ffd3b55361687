//! What waits to be sent to the model. Control messages must arrive; audio is only worth sending while it is fresh.

use std::collections::VecDeque;

/// After a stall the uplink goes on with the newest 200 ms.
const AUDIO_FRAMES_MAX: usize = 10;
/// A session sends a handful of control messages; a peer that provokes more than this is cut off.
const CONTROL_MESSAGES_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct Outbox {
    control: VecDeque<String>,
    audio: VecDeque<String>,
    /// Emptied buffers, used again so that steady state allocates nothing.
    spare: Vec<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) struct OutboxFull;

impl Outbox {
    pub(super) fn push_control(&mut self, message: String) -> Result<(), OutboxFull> {
        if self.control.len() == CONTROL_MESSAGES_MAX {
            return Err(OutboxFull);
        }
        self.control.push_back(message);
        Ok(())
    }

    /// Queues one uplink frame, written by `write` into a recycled buffer; true when the oldest frame gave way.
    pub(super) fn push_audio(&mut self, write: impl FnOnce(&mut String)) -> bool {
        let mut frame = self.spare.pop().unwrap_or_default();
        frame.clear();
        write(&mut frame);
        let full = self.audio.len() == AUDIO_FRAMES_MAX;
        if full {
            self.spare.extend(self.audio.pop_front());
        }
        self.audio.push_back(frame);
        full
    }

    pub(super) fn pop(&mut self) -> Option<String> {
        self.control.pop_front().or_else(|| self.audio.pop_front())
    }

    pub(super) fn recycle(&mut self, buffer: String) {
        if self.spare.len() < AUDIO_FRAMES_MAX {
            self.spare.push(buffer);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_stall_only_the_newest_200_ms_of_audio_are_sent() {
        let mut outbox = Outbox::default();
        let dropped = (0..25).filter(|number| outbox.push_audio(|frame| frame.push_str(&number.to_string())));
        assert_eq!(dropped.count(), 15);
        assert_eq!(outbox.pop().as_deref(), Some("15"));
    }

    #[test]
    fn control_overtakes_audio_and_is_bounded() {
        let mut outbox = Outbox::default();
        outbox.push_audio(|frame| frame.push('a'));
        outbox.push_control("tool".into()).unwrap();
        assert_eq!(outbox.pop().as_deref(), Some("tool"));
        for _ in 0..CONTROL_MESSAGES_MAX {
            outbox.push_control(String::new()).unwrap();
        }
        assert_eq!(outbox.push_control(String::new()), Err(OutboxFull));
    }
}
