//! Calls played through the machine on virtual time, with a far end that speaks real SDP.

mod changes;
mod endings;
mod rebuilding;
mod setting_up;
mod talking;
mod tool_calls;

use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::*;
use crate::domain::{Direction, Outcome};
use crate::media::sdp::{Codec, LocalMedia, Negotiation};
use crate::voice::{FailureClass, Fragment, ResumeHandle, Start, TurnEnd, VoiceEvent};

const SECOND: Duration = Duration::from_secs(1);
const FRAME: Duration = Duration::from_millis(20);

fn negotiation(host: u8, codecs: &[Codec]) -> Negotiation {
    let address = IpAddr::V4(Ipv4Addr::new(192, 0, 2, host));
    let (port, ssrc, session_id) = (16_384, u32::from(host), 1);
    Negotiation::new(LocalMedia {
        address,
        port,
        codecs: codecs.to_vec(),
        ssrc,
        session_id,
        cname: "t".into(),
    })
}

fn far_end() -> Negotiation {
    negotiation(9, &[Codec::Pcma])
}

/// A machine, its clock, and everything it asked for that no test has looked at yet.
struct Play {
    machine: CallMachine,
    far_end: Negotiation,
    now: Instant,
    asked: Vec<Output>,
    checkpoint: Option<Checkpoint>,
    finishes: Vec<Finish>,
    /// What the model's session hands over when it is closed.
    last_words: Vec<VoiceEvent>,
}

impl Play {
    #[expect(clippy::disallowed_methods, reason = "a virtual clock has to begin at some instant")]
    fn new(direction: Direction) -> Self {
        let setup = Setup { direction, limits: CallLimits::default() };
        Self {
            machine: CallMachine::new(setup, negotiation(1, &[Codec::Pcmu, Codec::Pcma])),
            far_end: far_end(),
            now: Instant::now(),
            asked: Vec::new(),
            checkpoint: None,
            finishes: Vec::new(),
            last_words: Vec::new(),
        }
    }

    fn ringing() -> Self {
        let mut play = Self::new(Direction::Inbound);
        let offer = Some(play.far_end.offer());
        play.input(Input::Start { offer });
        play
    }

    fn dialing() -> Self {
        let mut play = Self::new(Direction::Outbound);
        play.input(Input::Start { offer: None });
        play
    }

    /// An inbound call whose model has been asked to greet.
    fn connected() -> Self {
        let mut play = Self::ringing();
        play.model(VoiceEvent::Ready);
        play.signal(Signal::Confirmed { sdp: None });
        play.asked.clear();
        play
    }

    /// … and has done so.
    fn greeted() -> Self {
        let mut play = Self::connected();
        play.speak(2 * SECOND);
        play.asked.clear();
        play
    }

    fn input(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        self.drain();
    }

    fn signal(&mut self, signal: Signal) {
        self.input(Input::Signal(signal));
    }

    fn model(&mut self, event: VoiceEvent) {
        self.input(Input::Voice(event));
    }

    fn drain(&mut self) {
        while let Some(output) = self.machine.poll_output() {
            assert!(self.finishes.is_empty(), "after the last word came {output:?}");
            match output {
                Output::Checkpoint(checkpoint) => self.checkpoint = Some(*checkpoint),
                Output::Finished(finish) => self.finishes.push(finish),
                Output::Voice(VoiceCommand::Close) => {
                    for words in std::mem::take(&mut self.last_words) {
                        self.machine.handle(Input::Voice(words), self.now);
                    }
                }
                other @ (Output::Signal(_)
                | Output::Media(_)
                | Output::Voice(_)
                | Output::Tool(_)
                | Output::Say(_)
                | Output::Note(_)) => self.asked.push(other),
            }
        }
    }

    /// Lets time pass, ringing every timer; one that does not move on is a busy loop.
    fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.machine.next_timeout(self.now).filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.input(Input::Timeout);
            let next = self.machine.next_timeout(self.now);
            assert!(next.is_none_or(|next| next > self.now), "the timer rings without end");
        }
        self.now = end;
    }

    /// Time in which the far end's packets arrive.
    fn pass_with_audio(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.pass(SECOND.min(end - self.now));
            self.input(Input::PacketHeard);
        }
    }

    /// A turn of the model that comes in a burst and is played in real time.
    fn speak(&mut self, length: Duration) {
        self.model(VoiceEvent::TurnStarted);
        self.model(VoiceEvent::GenerationComplete);
        self.pass(FRAME);
        self.input(Input::Playing(true));
        self.pass_with_audio(length);
        self.input(Input::Playing(false));
    }

    fn tool(&mut self, name: &str) {
        self.model(VoiceEvent::ToolCall { id: "1".into(), name: name.into(), args: json!({}) });
    }

    fn tool_with(&mut self, id: &str, name: &str, args: Value) {
        self.model(VoiceEvent::ToolCall { id: id.into(), name: name.into(), args });
    }

    fn fail_model(&mut self) {
        self.model(VoiceEvent::Failed { class: FailureClass::Transient, reason: "gone".into() });
    }

    /// The session dies and a new one begins with the newest checkpoint.
    fn rebuild(&mut self) {
        let checkpoint = self.checkpoint.take().expect("a checkpoint");
        self.asked.clear();
        self.machine = CallMachine::rebuild(checkpoint, self.now);
        self.drain();
    }

    fn count(&self, is_wanted: impl Fn(&Output) -> bool) -> usize {
        self.asked.iter().filter(|output| is_wanted(output)).count()
    }

    fn asked_of_signalling(&self) -> Vec<&SignalCommand> {
        let mut commands = Vec::new();
        for output in &self.asked {
            if let Output::Signal(command) = output {
                commands.push(command);
            }
        }
        commands
    }

    fn greetings(&self) -> usize {
        self.count(|output| matches!(output, Output::Voice(VoiceCommand::Greet)))
    }

    fn hung_up(&self) -> bool {
        self.asked_of_signalling().contains(&&SignalCommand::HangUp)
    }

    /// How the model is opened anew: how it starts, and whether it owes the caller something.
    fn opened(&self) -> Vec<(&Start, bool)> {
        let mut opened = Vec::new();
        for output in &self.asked {
            if let Output::Voice(VoiceCommand::Open { start, owes_speech, .. }) = output {
                opened.push((start, *owes_speech));
            }
        }
        opened
    }

    fn expected_ports(&self) -> Vec<u16> {
        let mut ports = Vec::new();
        for output in &self.asked {
            if let Output::Media(MediaCommand::Expect(media)) = output {
                ports.push(media.remote.port());
            }
        }
        ports
    }

    /// The one outcome, which must have come by now.
    fn outcome(&self) -> Outcome {
        assert_eq!(self.finishes.len(), 1, "{:?}", self.finishes);
        self.finishes[0].outcome
    }
}

fn words(text: &str, finished: bool) -> Fragment {
    Fragment { item: 1, text: text.into(), finished, interrupted: false }
}

fn handle() -> VoiceEvent {
    VoiceEvent::Handle(ResumeHandle { handle: "h1".into(), model: "m".into() })
}

/// The same description with its direction changed, as a far end that holds us writes it.
fn directed(sdp: Vec<u8>, direction: &str) -> Vec<u8> {
    String::from_utf8(sdp).expect("SDP is text").replace("sendrecv", direction).into_bytes()
}

/// The same description with another audio port.
fn moved(sdp: Vec<u8>, port: u16) -> Vec<u8> {
    String::from_utf8(sdp).expect("SDP is text").replace("audio 16384", &format!("audio {port}")).into_bytes()
}
