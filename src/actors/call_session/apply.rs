//! Carries out what the two machines of a session ask for.

use std::rc::Rc;

use actix::prelude::*;

use crate::call::{Input, MediaCommand, Note, Output, Prompt, SignalCommand, VoiceCommand};
use crate::clock;
use crate::keys::Failure;
use crate::media::wav::Wav;
use crate::net::voice_ws;
use crate::telemetry::{Counter, count};
use crate::voice::{self, FailureClass, VoiceEvent, VoiceSession};

use super::super::books::CallNote;
use super::super::key_pool::ReportKey;
use super::super::sip_endpoint::PerformSignal;
use super::super::udp_router::{AttachSession, ExpectMedia, MediaConnected, SendDigits};
use super::link::Link;
use super::{CallFinished, CallSession, CheckpointTaken};

/// Said when the model is gone for good: better than silence.
const APOLOGY: &[u8] = include_bytes!("../../../assets/prompts/apology.wav");

impl CallSession {
    pub(super) fn apply(&mut self, output: Output, ctx: &mut Context<Self>) {
        match output {
            Output::Signal(command) => self.signal(command),
            Output::Media(command) => self.command_media(command, ctx),
            Output::Voice(command) => self.command_voice(command, ctx),
            Output::Tool(tool) => self.run_tool(tool, ctx),
            Output::Say(Prompt::Apology) => self.say_apology(),
            Output::Note(note) => self.note(note),
            Output::Checkpoint(checkpoint) => {
                if let Some(supervisor) = self.directory.supervisor() {
                    let (call, epoch) = (self.call.clone(), self.epoch);
                    supervisor.do_send(CheckpointTaken { call, epoch, checkpoint });
                }
            }
            Output::Finished(finish) => {
                if let Some(supervisor) = self.directory.supervisor() {
                    let (call, epoch) = (self.call.clone(), self.epoch);
                    self.media.close_recording();
                    let quality = self.media.quality();
                    supervisor.do_send(CallFinished { call, epoch, finish, quality });
                }
                ctx.stop();
            }
        }
    }

    fn signal(&self, command: SignalCommand) {
        if let Some(sip) = self.directory.sip() {
            sip.do_send(PerformSignal { call: self.call.clone(), command });
        }
    }

    fn command_media(&mut self, command: MediaCommand, ctx: &Context<Self>) {
        let call = self.call.clone();
        let Some(router) = self.directory.router(self.router) else { return };
        match command {
            MediaCommand::Expect(media) => {
                self.media.expect(&media);
                self.speaker.borrow_mut().speak(media.codec);
                // Not before: while it rings there is nothing to be heard or played, and each message wakes a thread.
                if let Some(playout) = self.unplayed.take() {
                    let session = ctx.address().recipient();
                    router.do_send(AttachSession { call: call.clone(), session, playout });
                }
                router.do_send(ExpectMedia { call, media });
            }
            MediaCommand::Connected => {
                self.media.connected(clock::now());
                router.do_send(MediaConnected { call });
            }
            MediaCommand::Press(digits) => router.do_send(SendDigits { call, digits }),
            MediaCommand::Hush => self.speaker.borrow_mut().hush(),
        }
    }

    fn command_voice(&mut self, command: VoiceCommand, ctx: &mut Context<Self>) {
        let now = clock::now();
        let input = match command {
            VoiceCommand::Open { start, history, owes_speech } => {
                return self.open_voice(start, history, owes_speech, now);
            }
            VoiceCommand::Close => return self.close_voice(ctx),
            VoiceCommand::Greet => voice::Input::CallAnswered,
            VoiceCommand::TellModel(text) => voice::Input::CallerText(text),
            VoiceCommand::Pause => voice::Input::AudioPaused,
            VoiceCommand::AnswerTool { id, name, result } => voice::Input::ToolResult { id, name, result },
        };
        if let Some(voice) = &mut self.voice {
            voice.handle(input, now);
        }
    }

    /// What was just being said is told to the call's machine before it says its last word.
    fn close_voice(&mut self, ctx: &mut Context<Self>) {
        let heard = self.speaker.borrow().heard();
        let Some(voice) = &mut self.voice else { return };
        voice.handle(voice::Input::Stop { heard }, clock::now());
        while let Some(output) = self.voice.as_mut().and_then(VoiceSession::poll_output) {
            self.apply_voice(output, ctx);
        }
    }

    fn say_apology(&mut self) {
        let mut speaker = self.speaker.borrow_mut();
        speaker.hush();
        match Wav::parse(APOLOGY) {
            Ok(wav) => speaker.say_samples(&wav.channel(0), wav.rate_hz),
            Err(error) => tracing::error!(%error, "the apology cannot be read"),
        }
        speaker.end_of_turn();
    }

    fn note(&self, note: Note) {
        if matches!(note, Note::GreetingPlayed) {
            tracing::info!(call = %self.call, "Greeting played successfully");
        }
        if let Some(books) = self.directory.books() {
            books.do_send(CallNote { call: self.call.clone(), note });
        }
    }

    pub(super) fn apply_voice(&mut self, output: voice::Output, ctx: &mut Context<Self>) {
        match output {
            voice::Output::Connect { epoch } => self.connect_model(epoch, ctx),
            voice::Output::Send(message) => self.send_control(message),
            voice::Output::CloseSocket { .. } => self.mailbag.hang_up(),
            voice::Output::Event(event) => self.on_voice_event(event),
        }
    }

    fn on_voice_event(&mut self, event: VoiceEvent) {
        if let VoiceEvent::Failed { class, reason } = &event {
            tracing::warn!(call = %self.call, ?class, %reason, "the model failed");
            self.report_key(*class);
        }
        if matches!(event, VoiceEvent::Ready) {
            count(Counter::ModelConnections);
        }
        if matches!(event, VoiceEvent::Reconnecting) {
            count(Counter::ModelReconnections);
        }
        self.machine.handle(Input::Voice(event), clock::now());
    }

    /// The model's refusal concerns the key, or it does not.
    fn report_key(&self, class: FailureClass) {
        let failure = match class {
            FailureClass::KeyBad => Failure::KeyBad,
            FailureClass::Quota => Failure::Quota,
            FailureClass::Config | FailureClass::Poison | FailureClass::Transient => return,
        };
        count(Counter::KeyRefusedByModel);
        if let Some(keys) = self.directory.keys() {
            keys.do_send(ReportKey { key: self.key.clone(), failure });
        }
    }

    fn connect_model(&mut self, epoch: u32, ctx: &mut Context<Self>) {
        self.drop_link();
        let (endpoint, key) = (self.model.clone(), self.key.clone());
        let timeout = self.timeouts.connect;
        let connecting = async move { voice_ws::connect(&endpoint, &key, timeout).await };
        let connected = connecting.into_actor(self).map(move |result, session, ctx| match result {
            Ok(connection) => {
                let (speaker, mailbag) = (session.speaker.clone(), session.mailbag.clone());
                session.link = Some(Link::start(epoch, connection, speaker, mailbag, ctx.address()));
                session.handle_voice(voice::Input::Connected { epoch }, ctx);
            }
            Err(failure) => session.handle_voice(voice::Input::ConnectFailed { epoch, failure }, ctx),
        });
        ctx.spawn(connected);
    }

    fn send_control(&mut self, message: String) {
        let pushed = self.mailbag.outbox.borrow_mut().push_control(message);
        if pushed.is_err() {
            // A model that does not read is as good as gone: its silence is found by the watchdogs.
            count(Counter::ModelControlDropped);
        }
        self.mailbag.ring();
    }

    /// The old connection's tasks end and its messages go with it, before a new one begins.
    fn drop_link(&mut self) {
        self.link = None;
        self.mailbag = Rc::default();
    }
}
