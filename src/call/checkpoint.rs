//! What must survive a crash of the session. The supervisor keeps the newest; a new machine is built from it.

use std::time::Instant;

use crate::media::sdp::Negotiation;
use crate::voice::{ResumeHandle, Start, TranscriptItem};

use super::io::ToolDone;
use super::lifecycle::Lifecycle;
use super::talk::Talk;

/// Items kept for seeding a fresh model session; older ones fall off.
const TRANSCRIPT_ITEMS_MAX: usize = 60;
const TOOLS_MAX: usize = 16;
/// Who says more than this to a tool hardly says it twice in the same words.
const TOOL_ARGS_BYTES_MAX: usize = 8 * 1024;

/// A plain copy of the machine's durable state. It is sent when it changed, never per frame.
#[derive(Debug, Clone)]
pub struct Checkpoint {
    pub(super) setup: super::Setup,
    pub(super) lifecycle: Lifecycle,
    pub(super) talk: Talk,
    pub(super) negotiation: Negotiation,
    pub(super) connected_at: Option<Instant>,
    pub(super) held: bool,
    pub(super) memory: Memory,
    pub(super) offer_open: bool,
    pub(super) waiting_answer: Option<Vec<u8>>,
}

/// What a new model session needs in order to go on where the old one stopped.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    handle: Option<ResumeHandle>,
    /// A rebuild has tried this handle already; if it fails again, it is not worth a second try.
    handle_used: bool,
    transcript: Vec<TranscriptItem>,
    /// Answered since the handle was made: a model that goes on from there asks for them again.
    tools: Vec<ToolDone>,
}

impl Memory {
    pub(super) fn new_handle(&mut self, handle: ResumeHandle) {
        self.handle = Some(handle);
        self.handle_used = false;
        self.tools.clear();
    }

    pub(super) fn remember_tool(&mut self, done: ToolDone) {
        if done.call.args.to_string().len() > TOOL_ARGS_BYTES_MAX {
            return;
        }
        if self.tools.len() == TOOLS_MAX {
            self.tools.remove(0);
        }
        self.tools.push(done);
    }

    pub(super) fn tools(&self) -> &[ToolDone] {
        &self.tools
    }

    pub(super) fn remember(&mut self, item: TranscriptItem) {
        if self.transcript.len() == TRANSCRIPT_ITEMS_MAX {
            self.transcript.remove(0);
        }
        self.transcript.push(item);
    }

    /// How a rebuilt session opens the model: by handle once, then seeded from our own transcript. Before the greeting
    /// there is nothing to go on with, and only a fresh session greets.
    pub(super) fn take_start(&mut self, greeted: bool) -> Start {
        match &self.handle {
            _ if !greeted => Start::Fresh,
            Some(handle) if !self.handle_used => {
                self.handle_used = true;
                Start::Resume { handle: handle.handle.clone() }
            }
            _ => Start::Seeded { history: self.transcript.clone() },
        }
    }

    pub(super) fn transcript(&self) -> &[TranscriptItem] {
        &self.transcript
    }
}
