//! One call's session: the call's machine, the model's protocol and the media path, joined as the CallSession actor
//! joins them. It can be thrown away at any instant; what it borrows belongs to the [`Call`](crate::call::Call).

use std::time::Instant;

use clearline::call::{
    CallMachine, Checkpoint, Finish, Input, MediaCommand, Output, Signal, SignalCommand, VoiceCommand,
};
use clearline::domain::Entropy;
use clearline::media::codec::Codec;
use clearline::media::path::{CallerFrame, CallerPacket, CallerPath, ModelPath};
use clearline::media::playout::{PlayoutReader, PlayoutWriter, playout};
use clearline::media::rtp::RtpPacket;
use clearline::media::sdp::Negotiated;
use clearline::voice::{
    self, Downlink, SessionConfig, Timeouts, ToolDeclaration, VoiceSession, parse_server_message,
    uplink_audio_message,
};

use crate::model::{Model, News};

const PLAYOUT_MS_MAX: u32 = 120_000;

/// What the session asks of what outlives it.
pub(crate) enum Effect {
    Signal(SignalCommand),
    Media(MediaCommand),
    Checkpoint(Box<Checkpoint>),
    Finished(Finish),
}

pub(crate) struct Session {
    machine: CallMachine,
    voice: Option<VoiceSession>,
    is_connected: bool,
    downlink: Downlink,
    encoder: ModelPath,
    playout: PlayoutWriter,
    caller: CallerPath,
    frame: CallerFrame,
    media: Option<Negotiated>,
    playing: bool,
    entropy: Entropy,
    effects: Vec<Effect>,
}

impl Session {
    pub(crate) fn new(machine: CallMachine, entropy: Entropy) -> (Self, PlayoutReader) {
        let (writer, reader) = playout(PLAYOUT_MS_MAX);
        let session = Self {
            machine,
            voice: None,
            is_connected: false,
            downlink: Downlink::default(),
            encoder: ModelPath::new(Codec::Pcmu),
            playout: writer,
            caller: CallerPath::default(),
            frame: CallerFrame::SILENT,
            media: None,
            playing: false,
            entropy,
            effects: Vec::new(),
        };
        (session, reader)
    }

    /// Carries out what both machines want; gives back what concerns the world outside.
    pub(crate) fn pump(&mut self, model: &mut Model, now: Instant) -> Vec<Effect> {
        loop {
            if let Some(output) = self.machine.poll_output() {
                self.apply(output, now);
            } else if let Some(output) = self.voice.as_mut().and_then(VoiceSession::poll_output) {
                self.apply_voice(output, model, now);
            } else {
                return std::mem::take(&mut self.effects);
            }
        }
    }

    pub(crate) fn handle(&mut self, input: Input, now: Instant) {
        self.machine.handle(input, now);
    }

    pub(crate) fn signal(&mut self, signal: Signal, now: Instant) {
        self.handle(Input::Signal(signal), now);
    }

    /// Whether the caller is hearing the model, or about to.
    pub(crate) fn is_playing(&self) -> bool {
        self.playout.buffered_ms() > 0
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
        if let Some(voice) = self.voice.as_mut()
            && voice.next_timeout().is_some_and(|at| at <= now)
        {
            voice.handle(voice::Input::Timeout, now);
        }
    }

    pub(crate) fn hear_model(&mut self, news: News, now: Instant) {
        let Some(epoch) = self.voice.as_ref().map(VoiceSession::epoch) else { return };
        match news {
            News::Connected => {
                self.is_connected = true;
                self.downlink = Downlink::default();
                self.tell_voice(voice::Input::Connected { epoch }, now);
            }
            News::Message(bytes) => self.read(&bytes, epoch, now),
        }
    }

    /// 20 ms of both directions.
    pub(crate) fn step(&mut self, packets: &[Vec<u8>], model: &mut Model, now: Instant) {
        for packet in packets {
            self.receive(packet, now);
        }
        let report = self.caller.step(now, &mut self.frame);
        self.send_uplink(model, now);
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

    fn send_uplink(&self, model: &mut Model, now: Instant) {
        if self.machine.model_listens() && self.voice.as_ref().is_some_and(VoiceSession::uplink_open) {
            let mut message = String::new();
            uplink_audio_message(&self.frame.pcm_16k, &mut message);
            model.receive(&message, now);
        }
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
            Output::Media(MediaCommand::Hush) => self.hush(),
            Output::Media(command) => {
                if let MediaCommand::Expect(media) = &command {
                    self.encoder.set_codec(media.codec);
                    self.media = Some(media.clone());
                }
                self.effects.push(Effect::Media(command));
            }
            Output::Voice(command) => self.command_voice(command, now),
            Output::Say(_) | Output::Note(_) => {}
            Output::Checkpoint(checkpoint) => self.effects.push(Effect::Checkpoint(checkpoint)),
            Output::Finished(finish) => self.effects.push(Effect::Finished(finish)),
        }
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
            VoiceCommand::Close => voice::Input::Stop,
            VoiceCommand::Greet => voice::Input::CallAnswered,
            VoiceCommand::TellModel(text) => voice::Input::CallerText(text),
            VoiceCommand::Pause => voice::Input::AudioPaused,
            VoiceCommand::AnswerTool { id, name, result } => voice::Input::ToolResult { id, name, result },
        };
        self.tell_voice(input, now);
    }

    fn apply_voice(&mut self, output: voice::Output, model: &mut Model, now: Instant) {
        match output {
            voice::Output::Connect { .. } => {
                self.is_connected = false;
                model.connect(now);
            }
            voice::Output::Send(message) if self.is_connected => model.receive(&message, now),
            voice::Output::Send(message) => panic!("said to nobody: {message}"),
            voice::Output::CloseSocket { .. } => {
                self.is_connected = false;
                model.disconnect();
            }
            voice::Output::Event(event) => self.machine.handle(Input::Voice(event), now),
        }
    }

    fn tell_voice(&mut self, input: voice::Input, now: Instant) {
        if let Some(voice) = &mut self.voice {
            voice.handle(input, now);
        }
    }

    fn hush(&mut self) {
        self.playout.flush();
        self.encoder.reset();
    }
}

fn persona() -> SessionConfig {
    SessionConfig {
        greeting: Some("Good day!".into()),
        tools: vec![ToolDeclaration::end_call()],
        ..SessionConfig::new("gemini-3.8-live", "You are Mira.")
    }
}
