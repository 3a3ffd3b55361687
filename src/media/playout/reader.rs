//! The end that the router's clock holds.

use std::sync::Arc;

use rtrb::Consumer;

use super::{BYTES_PER_MS, Entry, Generation, Shared};
use crate::media::codec::FRAME_SAMPLES;

/// Hands out one frame every 20 ms, never waiting for one.
pub struct PlayoutReader {
    queue: Consumer<Entry>,
    shared: Arc<Shared>,
    /// What the last mark taken from the queue announced; the audio behind it belongs to it.
    generation: Generation,
    /// The block that is being played, and how much of it was.
    block: Box<[u8]>,
    offset: usize,
    taken_bytes: u32,
    heard_bytes: u32,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrameSource {
    Speech,
    Silence,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Gathering the first audio of a turn.
    BeforeTurn,
    /// The queue ran dry in mid-turn: gathering again, still the same turn.
    Rebuffering,
    Playing,
}

/// Gathered before a turn begins to sound, so that the model's uneven delivery is not heard as stutter.
const PREBUFFER_MS: u32 = 60;
const PREBUFFER_BYTES: usize = (PREBUFFER_MS * BYTES_PER_MS) as usize;

impl PlayoutReader {
    pub(super) fn new(queue: Consumer<Entry>, shared: Arc<Shared>) -> Self {
        Self {
            queue,
            shared,
            generation: Generation::default(),
            block: Box::default(),
            offset: 0,
            taken_bytes: 0,
            heard_bytes: 0,
            state: State::BeforeTurn,
        }
    }

    /// Fills `frame` with the next 20 ms, and what is missing with the `silence` byte.
    pub fn next_frame(&mut self, frame: &mut [u8; FRAME_SAMPLES], silence: u8) -> FrameSource {
        frame.fill(silence);
        self.discard_interrupted();
        if self.state != State::Playing && !self.may_start() {
            return FrameSource::Silence;
        }
        self.start();
        let filled = self.fill(frame);
        self.shared.taken.set(self.generation, self.taken_bytes);
        self.shared.heard.set(self.generation, self.heard_bytes);
        if filled > 0 { FrameSource::Speech } else { FrameSource::Silence }
    }

    /// Throws away everything in front of the current generation's mark.
    fn discard_interrupted(&mut self) {
        let current = self.shared.generation();
        while self.generation != current {
            self.block = Box::default();
            self.offset = 0;
            self.state = State::BeforeTurn;
            match self.queue.pop() {
                Ok(Entry::Begin(generation)) => self.begin(generation),
                Ok(Entry::Audio(_) | Entry::EndOfTurn) => {}
                Err(_) => return,
            }
        }
    }

    fn begin(&mut self, generation: Generation) {
        self.generation = generation;
        self.taken_bytes = 0;
        self.heard_bytes = 0;
        self.state = State::BeforeTurn;
    }

    /// Enough is there, or no more will come: the turn is complete or its writer is gone.
    fn may_start(&mut self) -> bool {
        let waiting = self.queue.slots();
        if self.generation != self.shared.generation() || waiting == 0 {
            return false;
        }
        let abandoned = self.queue.is_abandoned();
        let Ok(entries) = self.queue.read_chunk(waiting) else { return false };
        let (first, second) = entries.as_slices();
        let mut bytes = 0;
        for entry in first.iter().chain(second) {
            match entry {
                Entry::Audio(block) => bytes += block.len(),
                Entry::EndOfTurn => return true,
                Entry::Begin(_) => {}
            }
            if bytes >= PREBUFFER_BYTES {
                return true;
            }
        }
        abandoned
    }

    fn start(&mut self) {
        if self.state == State::BeforeTurn {
            self.heard_bytes = 0;
        }
        self.state = State::Playing;
    }

    fn fill(&mut self, frame: &mut [u8; FRAME_SAMPLES]) -> usize {
        let mut filled = 0;
        while filled < frame.len() && self.state == State::Playing {
            if self.offset == self.block.len() {
                self.take_next_entry();
                continue;
            }
            let length = (frame.len() - filled).min(self.block.len() - self.offset);
            frame[filled..filled + length].copy_from_slice(&self.block[self.offset..self.offset + length]);
            filled += length;
            self.offset += length;
            self.taken_bytes = self.taken_bytes.wrapping_add(length as u32);
            self.heard_bytes = self.heard_bytes.saturating_add(length as u32);
        }
        filled
    }

    fn take_next_entry(&mut self) {
        match self.queue.pop() {
            Ok(Entry::Audio(block)) => {
                self.block = block;
                self.offset = 0;
            }
            Ok(Entry::Begin(generation)) => self.begin(generation),
            Ok(Entry::EndOfTurn) => self.state = State::BeforeTurn,
            Err(_) => self.state = State::Rebuffering,
        }
    }
}
