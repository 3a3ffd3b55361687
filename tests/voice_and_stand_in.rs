//! The session machine and the websocket adapter against the stand-in model, over loopback sockets.

use std::time::{Duration, Instant};

use clearline::domain::{Entropy, Secret};
use clearline::net::voice_ws::{ModelEndpoint, ReaderEvent, VoiceReader, VoiceWriter, connect};
use clearline::sandbox::model::{
    Fault, FaultRule, KeyFailure, KnownKey, KnownKeys, ModelServer, ModelSettings, Moment,
};
use clearline::voice::{
    Downlink, FailureClass, Input, Output, SessionConfig, Start, Timeouts, ToolDeclaration, TurnEnd,
    VoiceEvent, VoiceSession, parse_server_message,
};
use serde_json::json;

/// The smallest shell a session can have.
struct Shell {
    session: VoiceSession,
    endpoint: ModelEndpoint,
    socket: Option<(VoiceWriter, VoiceReader)>,
    downlink: Downlink,
    audio_bytes: usize,
    events: Vec<VoiceEvent>,
}

fn config(model: &str) -> SessionConfig {
    SessionConfig {
        voice: Some("Kore".into()),
        language: Some("German".into()),
        greeting: Some("Good day!".into()),
        tools: vec![ToolDeclaration::end_call()],
        ..SessionConfig::new(model, "You are Mira.")
    }
}

#[expect(clippy::disallowed_methods, reason = "a shell on real sockets reads the real clock")]
fn now() -> Instant {
    Instant::now()
}

async fn server(faults: Vec<FaultRule>, keys: KnownKeys) -> ModelServer {
    let mut settings = ModelSettings { faults, keys, ..ModelSettings::default() };
    settings.timing.setup_delay_ms = [0, 0];
    settings.timing.first_audio_ms = 0;
    settings.timing.first_audio_jitter_ms = 0;
    settings.timing.burst_factor = 100.0;
    settings.timing.hold_turn_complete = false;
    ModelServer::start(settings).await.expect("a stand-in")
}

impl Shell {
    fn new(server: &ModelServer, config: SessionConfig, start: Start) -> Self {
        let endpoint = ModelEndpoint::new(&format!("ws://{}", server.address), "v1beta", false);
        Self {
            session: VoiceSession::new(config, start, Timeouts::default(), Entropy::from_number(1)),
            endpoint: endpoint.expect("loopback"),
            socket: None,
            downlink: Downlink::default(),
            audio_bytes: 0,
            events: Vec::new(),
        }
    }

    async fn input(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            self.session.handle(input, now());
            while let Some(output) = self.session.poll_output() {
                match output {
                    Output::Connect { epoch } => inputs.push(self.connect(epoch).await),
                    Output::Send(text) => self.send(&text).await,
                    Output::CloseSocket { .. } => self.socket = None,
                    Output::Event(event) => self.events.push(event),
                }
            }
        }
    }

    async fn connect(&mut self, epoch: u32) -> Input {
        self.downlink = Downlink::default();
        match connect(&self.endpoint, &Secret::new("test-key"), Duration::from_secs(20)).await {
            Ok(socket) => {
                self.socket = Some(socket);
                Input::Connected { epoch }
            }
            Err(failure) => Input::ConnectFailed { epoch, failure },
        }
    }

    async fn send(&mut self, text: &str) {
        let (writer, _) = self.socket.as_mut().expect("a socket to send on");
        writer.send_text(text).await.expect("sent");
    }

    /// Runs until the event has happened once more, or the session has failed.
    async fn until(&mut self, is_wanted: impl Fn(&VoiceEvent) -> bool) {
        let seen = self.events.len();
        let over = |event: &VoiceEvent| is_wanted(event) || matches!(event, VoiceEvent::Failed { .. });
        while !self.events.iter().skip(seen).any(over) {
            let input = self.next_input().await;
            self.input(input).await;
        }
    }

    async fn next_input(&mut self) -> Input {
        let epoch = self.session.epoch();
        let timeout = self.session.next_timeout().unwrap_or_else(now).saturating_duration_since(now());
        let Some((_, reader)) = &mut self.socket else {
            tokio::time::sleep(timeout).await;
            return Input::Timeout;
        };
        match tokio::time::timeout(timeout, reader.next()).await {
            Err(_) => Input::Timeout,
            Ok(ReaderEvent::Closed { code, reason }) => Input::Closed { epoch, code, reason },
            Ok(ReaderEvent::Frame(bytes)) => {
                let Ok(mut message) = parse_server_message(&bytes) else { return Input::Garbage { epoch } };
                let step = self.downlink.on_message(&mut message);
                self.audio_bytes += step.audio.iter().map(|chunk| chunk.pcm.len()).sum::<usize>();
                Input::Control { epoch, message: Box::new(message) }
            }
        }
    }

    async fn greeted(server: &ModelServer, config: SessionConfig) -> Self {
        let mut shell = Self::new(server, config, Start::Fresh);
        shell.input(Input::Begin).await;
        shell.until(|event| *event == VoiceEvent::Ready).await;
        shell.input(Input::CallAnswered).await;
        shell.until(is_turn_end).await;
        shell
    }
}

fn is_turn_end(event: &VoiceEvent) -> bool {
    matches!(event, VoiceEvent::TurnEnded { .. })
}

#[tokio::test]
async fn every_known_model_accepts_our_setup_and_greets() {
    for model in ["gemini-3.8-live", "gemini-3.8-live-extended-thinking", "gemini-3.1-flash-live-preview"] {
        let server = server(Vec::new(), KnownKeys::Any).await;
        let shell = Shell::greeted(&server, config(model)).await;
        assert!(shell.audio_bytes > 4_800, "{model}: {:?}", shell.events);
        assert!(shell.events.contains(&VoiceEvent::TurnEnded { reason: TurnEnd::Complete }));
        assert!(server.sessions()[0].ordering_errors.is_empty());
    }
}

#[tokio::test]
async fn a_tool_call_goes_to_the_shell_and_its_result_back() {
    let server = server(Vec::new(), KnownKeys::Any).await;
    let mut shell = Shell::greeted(&server, config("gemini-3.8-live")).await;
    shell.input(Input::CallerText("[call end_call {\"reason\":\"bye\"}]".into())).await;
    shell.until(|event| matches!(event, VoiceEvent::ToolCall { .. })).await;
    let call = shell.events.iter().find_map(|event| {
        let VoiceEvent::ToolCall { id, name, .. } = event else { return None };
        Some((id.clone(), name.clone()))
    });
    let (id, name) = call.expect("a call");
    shell.input(Input::ToolResult { id, name, result: Ok(json!({ "ended": true })) }).await;
    shell.until(is_turn_end).await;
    assert_eq!(server.sessions()[0].tool_calls[0].answer, Some(json!({ "output": { "ended": true } })));
}

#[tokio::test]
async fn a_connection_cut_in_the_call_is_resumed_and_not_greeted_again() {
    let cut =
        Fault::Close { at: Moment::AfterMs(300), code: 1011, reason: "Internal error occurred.".into() };
    let server = server(vec![FaultRule::for_connection(1, cut)], KnownKeys::Any).await;
    let mut shell = Shell::greeted(&server, config("gemini-3.8-live")).await;
    shell.until(|event| matches!(event, VoiceEvent::Resumed { .. })).await;
    assert!(shell.events.contains(&VoiceEvent::Resumed { fresh: false }), "{:?}", shell.events);
    let sessions = server.sessions();
    assert!(sessions.iter().any(|session| session.resumed && session.ready));
}

#[tokio::test]
async fn a_refused_handle_or_one_that_kills_each_connection_ends_in_a_seeded_session() {
    for fault in [Fault::ResumeRefused { code: 1008 }, Fault::ResumeThenClose { code: 1011 }] {
        let cut = Fault::Cut { at: Moment::AfterMs(300) };
        let rules = vec![FaultRule::for_connection(1, cut), FaultRule::for_all(fault.clone())];
        let server = server(rules, KnownKeys::Any).await;
        let mut shell = Shell::greeted(&server, config("gemini-3.8-live")).await;
        shell.until(|event| *event == VoiceEvent::Resumed { fresh: true }).await;
        assert!(shell.events.contains(&VoiceEvent::Resumed { fresh: true }), "{fault:?}: {:?}", shell.events);
    }
}

#[tokio::test]
async fn a_warned_connection_is_renewed_before_the_server_ends_it() {
    let warning = Fault::GoAway { after_ms: 300, time_left_ms: Some(9_500), close_after_ms: None };
    let server = server(vec![FaultRule::for_connection(1, warning)], KnownKeys::Any).await;
    let mut shell = Shell::greeted(&server, config("gemini-3.8-live")).await;
    shell.until(|event| matches!(event, VoiceEvent::Resumed { .. })).await;
    assert!(shell.events.contains(&VoiceEvent::Resumed { fresh: false }), "{:?}", shell.events);
}

#[tokio::test]
async fn garbage_unknown_members_and_text_frames_do_not_disturb_the_greeting() {
    for fault in [Fault::Garbage, Fault::UnknownMembers, Fault::TextFrames] {
        let server = server(vec![FaultRule::for_all(fault.clone())], KnownKeys::Any).await;
        let shell = Shell::greeted(&server, config("gemini-3.8-live")).await;
        assert!(shell.audio_bytes > 4_800 && shell.session.uplink_open(), "{fault:?}: {:?}", shell.events);
    }
}

#[tokio::test]
async fn a_key_the_model_refuses_is_told_by_class_wherever_it_is_refused() {
    let classes = [
        (KeyFailure::Invalid, FailureClass::KeyBad),
        (KeyFailure::InvalidAfterSetup, FailureClass::KeyBad),
        (KeyFailure::Denied, FailureClass::KeyBad),
        (KeyFailure::Leaked, FailureClass::KeyBad),
        (KeyFailure::Quota, FailureClass::Quota),
    ];
    for (failure, expected) in classes {
        let key = KnownKey { failure: Some(failure), ..KnownKey::new("test-key") };
        let server = server(Vec::new(), KnownKeys::List(vec![key])).await;
        let mut shell = Shell::new(&server, config("gemini-3.8-live"), Start::Fresh);
        shell.input(Input::Begin).await;
        if shell.events.is_empty() {
            shell.until(|_| false).await;
        }
        let is_expected =
            |event: &VoiceEvent| matches!(event, VoiceEvent::Failed { class, .. } if *class == expected);
        assert!(shell.events.iter().any(is_expected), "{failure:?}: {:?}", shell.events);
    }
}
