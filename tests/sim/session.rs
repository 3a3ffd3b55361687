//! One call's session: the call's machine, the model's protocol and the media path, joined as the CallSession actor
//! joins them. It can be thrown away at any instant; what it borrows belongs to the [`Call`](crate::call::Call).

use std::time::{Duration, Instant};

use clearline::call::{
    CallMachine, Checkpoint, Finish, Input, MediaCommand, Output, Prompt, Signal, SignalCommand, VoiceCommand,
};
use clearline::domain::Entropy;
use clearline::keys::Failure;
use clearline::media::codec::Codec;
use clearline::media::path::{CallerFrame, CallerPacket, CallerPath, FrameOrigin, ModelPath};
use clearline::media::playout::{PlayoutReader, PlayoutWriter, playout};
use clearline::media::rtp::RtpPacket;
use clearline::media::sdp::Negotiated;
use clearline::voice::{
    self, Downlink, FailureClass, SessionConfig, Timeouts, ToolDeclaration, VoiceEvent, VoiceSession,
    parse_server_message, uplink_audio_message,
};

use crate::model::{Model, News, What};
use crate::signals::Voice;

const PLAYOUT_MS_MAX: u32 = 120_000;
/// As the actor has it: the person's "hello?" right after picking up does not interrupt the greeting.
const GREETING_GUARD: Duration = Duration::from_millis(700);
/// A time-out, the loss it means, and the next attempt, which follows at once.
const RINGS_AT_ONCE_MAX: u32 = 2;
const APOLOGY_FRAMES: usize = 50;

/// What the session asks of what outlives it.
pub(crate) enum Effect {
    Signal(SignalCommand),
    Media(MediaCommand),
    Checkpoint(Box<Checkpoint>),
    KeyRefused(Failure),
    Finished(Finish),
}

pub(crate) struct Session {
    number: usize,
    machine: CallMachine,
    voice: Option<VoiceSession>,
    connected_epoch: Option<u32>,
    downlink: Downlink,
    encoder: ModelPath,
    playout: PlayoutWriter,
    caller: CallerPath,
    frame: CallerFrame,
    media: Option<Negotiated>,
    greeting_guard_ends: Option<Instant>,
    playing: bool,
    entropy: Entropy,
    effects: Vec<Effect>,
    uplink: String,
    /// How much more it does before it dies.
    fuse: Option<u32>,
}

impl Session {
    pub(crate) fn new(
        number: usize,
        machine: CallMachine,
        fuse: Option<u32>,
        entropy: Entropy,
    ) -> (Self, PlayoutReader) {
        let (writer, reader) = playout(PLAYOUT_MS_MAX);
        let session = Self {
            number,
            machine,
            voice: None,
            connected_epoch: None,
            downlink: Downlink::default(),
            encoder: ModelPath::new(Codec::Pcmu),
            playout: writer,
            caller: CallerPath::default(),
            frame: CallerFrame::SILENT,
            media: None,
            greeting_guard_ends: None,
            playing: false,
            entropy,
            effects: Vec::new(),
            uplink: String::new(),
            fuse,
        };
        (session, reader)
    }

    /// Carries out what both machines want; gives back what concerns the world outside.
    pub(crate) fn pump(&mut self, model: &mut Model, now: Instant) -> Vec<Effect> {
        while !self.is_dead() {
            if let Some(output) = self.machine.poll_output() {
                self.apply(output, now);
            } else if let Some(output) = self.voice.as_mut().and_then(VoiceSession::poll_output) {
                self.apply_voice(output, model, now);
            } else {
                break;
            }
            self.fuse = self.fuse.map(|left| left.saturating_sub(1));
        }
        std::mem::take(&mut self.effects)
    }

    pub(crate) fn handle(&mut self, input: Input, now: Instant) {
        self.machine.handle(input, now);
    }

    pub(crate) fn signal(&mut self, signal: Signal, now: Instant) {
        self.handle(Input::Signal(signal), now);
    }

    /// It died in the midst of its work.
    pub(crate) fn is_dead(&self) -> bool {
        self.fuse == Some(0)
    }

    /// Whether the caller is hearing the model, or about to.
    pub(crate) fn is_playing(&self) -> bool {
        self.playout.buffered_ms() > 0
    }

    pub(crate) fn buffered_ms(&self) -> u32 {
        self.playout.buffered_ms()
    }

    pub(crate) fn is_talking(&self) -> bool {
        self.machine.model_listens()
    }

    /// Rings the timers that are due, and checks that each ring brings time forward.
    pub(crate) fn ring_timers(&mut self, now: Instant) {
        if self.machine.next_timeout(now).is_some_and(|at| at <= now) {
            self.machine.handle(Input::Timeout, now);
            let next = self.machine.next_timeout(now);
            assert!(next.is_none_or(|next| next > now), "the call's timer rings without end");
        }
        let Some(voice) = &mut self.voice else { return };
        let mut rings = 0;
        while voice.next_timeout().is_some_and(|at| at <= now) {
            voice.handle(voice::Input::Timeout, now);
            rings += 1;
            assert!(rings <= RINGS_AT_ONCE_MAX, "the model's timer rings without end");
        }
    }

    /// Whether what the model says is played: not once the connection has been given up.
    pub(crate) fn listens_to_model(&self) -> bool {
        self.connected_epoch.is_some()
    }

    pub(crate) fn hear_model(&mut self, News { epoch, what, .. }: News, now: Instant) {
        match what {
            What::Connected => {
                self.connected_epoch = Some(epoch);
                self.downlink = Downlink::default();
                self.tell_voice(voice::Input::Connected { epoch }, now);
            }
            What::Refused(failure) => self.tell_voice(voice::Input::ConnectFailed { epoch, failure }, now),
            What::Message(_) if !self.listens_to_model() => {}
            What::Message(bytes) => self.read(&bytes, epoch, now),
            What::Closed { code, reason } => {
                self.connected_epoch = None;
                self.tell_voice(voice::Input::Closed { epoch, code, reason: reason.into() }, now);
            }
        }
    }

    /// 20 ms of both directions.
    pub(crate) fn step(&mut self, packets: &[Vec<u8>], model: &mut Model, now: Instant) {
        for packet in packets {
            self.receive(packet, now);
        }
        let report = self.caller.step(now, &mut self.frame);
        self.send_uplink(report.source, model, now);
        if !packets.is_empty() {
            self.handle(Input::PacketHeard, now);
        }
        if let Some(digit) = report.dtmf {
            self.signal(Signal::Digit { digit }, now);
        }
        let playing = self.is_playing();
        if playing != self.playing {
            self.playing = playing;
            self.handle(Input::Playing(playing), now);
        }
    }

    fn receive(&mut self, datagram: &[u8], now: Instant) {
        let Some(media) = &self.media else { return };
        let packet = RtpPacket::parse(datagram);
        if let Some(packet) = packet.and_then(|packet| CallerPacket::new(&packet, media, now)) {
            self.caller.receive(packet);
        }
    }

    fn send_uplink(&mut self, origin: FrameOrigin, model: &mut Model, now: Instant) {
        let open = self.voice.as_ref().is_some_and(VoiceSession::uplink_open);
        if !open || !self.machine.model_listens() {
            return;
        }
        let is_guarded = self.greeting_guard_ends.is_some_and(|end| now < end);
        let frame = if is_guarded { &CallerFrame::SILENT.pcm_16k } else { &self.frame.pcm_16k };
        uplink_audio_message(frame, &mut self.uplink);
        model.hear(&self.uplink, origin == FrameOrigin::Concealed, now);
    }

    fn read(&mut self, bytes: &[u8], epoch: u32, now: Instant) {
        let mut message = parse_server_message(bytes).expect("the scripted model writes well");
        let step = self.downlink.on_message(&mut message);
        if step.flush {
            self.hush();
        }
        for chunk in &step.audio {
            let mut encoded = Vec::new();
            self.encoder.encode(&chunk.pcm, chunk.rate_hz, &mut encoded).expect("24 kHz can be played");
            self.playout.push(self.playout.generation(), encoded).expect("a turn fits");
        }
        if step.end_of_turn {
            self.playout.end_of_turn();
        }
        if step.control {
            self.tell_voice(voice::Input::Control { epoch, message: Box::new(message) }, now);
        }
    }

    fn apply(&mut self, output: Output, now: Instant) {
        match output {
            Output::Signal(command) => self.effects.push(Effect::Signal(command)),
            Output::Media(command) => self.command_media(command, now),
            Output::Voice(command) => self.command_voice(command, now),
            Output::Tool(tool) => {
                let result = Err("there are no tools in this world".to_owned());
                self.handle(Input::ToolDone { id: tool.id, result }, now);
            }
            Output::Say(Prompt::Apology) => self.apologise(),
            Output::Note(_) => {}
            Output::Checkpoint(checkpoint) => self.effects.push(Effect::Checkpoint(checkpoint)),
            Output::Finished(finish) => self.effects.push(Effect::Finished(finish)),
        }
    }

    fn command_media(&mut self, command: MediaCommand, now: Instant) {
        match &command {
            MediaCommand::Hush => return self.hush(),
            MediaCommand::Connected => self.greeting_guard_ends = Some(now + GREETING_GUARD),
            MediaCommand::Expect(media) => {
                self.encoder.set_codec(media.codec);
                self.media = Some(media.clone());
            }
            MediaCommand::Press(_) => {}
        }
        self.effects.push(Effect::Media(command));
    }

    fn command_voice(&mut self, command: VoiceCommand, now: Instant) {
        let input = match command {
            VoiceCommand::Open { start, history, owes_speech } => {
                let mut voice = VoiceSession::new(persona(), start, Timeouts::default(), self.entropy.fork());
                voice.remember(history);
                if owes_speech {
                    voice.owe_speech();
                }
                self.voice = Some(voice);
                voice::Input::Begin
            }
            VoiceCommand::Close => voice::Input::Stop { heard: None },
            VoiceCommand::Greet => voice::Input::CallAnswered,
            VoiceCommand::TellModel(text) => voice::Input::CallerText(text),
            VoiceCommand::Pause => voice::Input::AudioPaused,
            VoiceCommand::AnswerTool { id, name, result } => voice::Input::ToolResult { id, name, result },
        };
        self.tell_voice(input, now);
    }

    fn apply_voice(&mut self, output: voice::Output, model: &mut Model, now: Instant) {
        match output {
            voice::Output::Connect { epoch } => {
                self.connected_epoch = None;
                model.connect(epoch, now);
            }
            voice::Output::Send(message) if self.connected_epoch.is_some() => model.receive(&message, now),
            voice::Output::Send(message) => panic!("said to nobody: {message}"),
            voice::Output::CloseSocket { .. } => {
                self.connected_epoch = None;
                model.hang_up(now);
            }
            voice::Output::Event(event) => {
                if let VoiceEvent::Failed { class, .. } = &event {
                    self.effects.extend(key_failure(*class).map(Effect::KeyRefused));
                }
                self.machine.handle(Input::Voice(event), now);
            }
        }
    }

    fn tell_voice(&mut self, input: voice::Input, now: Instant) {
        if let Some(voice) = &mut self.voice {
            voice.handle(input, now);
        }
    }

    /// A prompt of our own; here it sounds as the call's model does, because it is meant for its caller alone.
    fn apologise(&mut self) {
        self.hush();
        let codec = self.media.as_ref().map_or(Codec::Pcmu, |media| media.codec);
        let prompt = Voice::Model(self.number).encoded(codec).repeat(APOLOGY_FRAMES);
        self.playout.push(self.playout.generation(), prompt).expect("an apology fits");
        self.playout.end_of_turn();
    }

    fn hush(&mut self) {
        self.playout.flush();
        self.encoder.reset();
    }
}

fn key_failure(class: FailureClass) -> Option<Failure> {
    match class {
        FailureClass::KeyBad => Some(Failure::KeyBad),
        FailureClass::Quota => Some(Failure::Quota),
        FailureClass::Config | FailureClass::Poison | FailureClass::Transient => None,
    }
}

fn persona() -> SessionConfig {
    SessionConfig {
        greeting: Some("Good day!".into()),
        tools: vec![ToolDeclaration::end_call()],
        ..SessionConfig::new("gemini-3.8-live", "You are Mira.")
    }
}
