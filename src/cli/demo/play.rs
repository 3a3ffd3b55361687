//! The two calls, at the same moment, and what is shown of them.

use std::collections::HashMap;
use std::fmt;
use std::io::IsTerminal;
use std::path::Path;
use std::time::Instant;

use tokio::sync::broadcast;

use crate::actors::call_supervisor::PlaceCall;
use crate::actors::events::{CallEvent, EngineEvent};
use crate::call::Finish;
use crate::clock;
use crate::domain::{CallId, GatewayId};
use crate::engine::Engine;
use crate::sandbox::phone::{Phone, PhoneEvent, tone};

use super::super::common::{Failure, say};
use super::super::show::describe_call;
use super::stage::{GATEWAY, NUMBER, Person, Stage};

/// How often each person says something.
const TURNS: usize = 2;
const WORD_SECONDS: f64 = 1.2;
const LOUDNESS: f64 = 9_000.0;

/// How one call went.
pub(super) struct Played {
    pub(super) call: CallId,
    pub(super) finish: Finish,
    pub(super) recording: Option<String>,
}

/// By the owner's name.
pub(super) type BothCalls = HashMap<String, Played>;

pub(super) async fn both_calls(
    stage: &mut Stage,
    screen: &Screen,
    crash: bool,
) -> Result<BothCalls, Failure> {
    let news = stage.engine.events().listen();
    let Stage { engine, ada, ben, adas_phone, bens_phone, .. } = stage;
    let place = engine.place_call(PlaceCall {
        target: ben.name.into(),
        owner: ben.name.into(),
        from: Some(NUMBER.into()),
        gateway: Some(GatewayId::new(GATEWAY)),
        voice_agent: None,
        metadata: None,
    });
    let (placed, ()) = tokio::join!(place, adas_phone.dial(NUMBER));
    placed.map_err(|refused| Failure::new(format!("the call to ben was refused: {refused}")))?;
    let (calls, (), ()) = tokio::join!(
        follow(news, screen, engine, crash.then_some(ada.name)),
        talk(adas_phone, ada),
        talk(bens_phone, ben)
    );
    calls
}

/// Listens to the greeting, says something, hears the answer, and hangs up after the last one.
async fn talk(phone: &mut Phone, person: &Person) {
    if !phone.wait_for(&PhoneEvent::Connected).await {
        return;
    }
    for turn in 0..=TURNS {
        let heard =
            phone.wait_for(&PhoneEvent::HeardSpeech).await && phone.wait_for(&PhoneEvent::HeardSilence).await;
        if !heard {
            return;
        }
        if turn < TURNS {
            phone.say(tone(person.tone_hz, WORD_SECONDS, LOUDNESS)).await;
        }
    }
    phone.hang_up().await;
    phone.wait_for(&PhoneEvent::Connected).await;
}

/// Shows what happens until both calls are over; `crash` names whose call's actor shall panic.
async fn follow(
    mut news: broadcast::Receiver<EngineEvent>,
    screen: &Screen,
    engine: &Engine,
    mut crash: Option<&str>,
) -> Result<BothCalls, Failure> {
    let (mut owners, mut played) = (HashMap::new(), BothCalls::new());
    while played.len() < 2 {
        let Ok(EngineEvent::Call { call, event, .. }) = news.recv().await else { continue };
        if let CallEvent::Started { owner, .. } = &event {
            owners.insert(call.clone(), owner.clone());
        }
        let owner = owners.get(&call).cloned().unwrap_or_default();
        screen.event(&owner, &event);
        if matches!(event, CallEvent::GreetingPlayed) && crash == Some(owner.as_str()) {
            crash = None;
            engine.crash_session(&call).await;
        }
        if let CallEvent::Ended { finish, recording } = event {
            played.insert(owner, Played { call, finish, recording });
        }
    }
    Ok(played)
}

/// The live view: coloured columns in a terminal, plain lines elsewhere, nothing with `--json`.
pub(super) struct Screen {
    visible: bool,
    colours: bool,
    started: Instant,
}

const BOLD: &str = "\x1b[1m";
const ADA: &str = "\x1b[36m";
const BEN: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

impl Screen {
    pub(super) fn new(visible: bool) -> Self {
        Self { visible, colours: std::io::stdout().is_terminal(), started: clock::now() }
    }

    pub(super) fn title(&self, folder: &Path) {
        self.line(
            self.painted(BOLD, "Two people call at the same moment; neither may hear the other's model."),
        );
        self.line(format_args!(
            "ada dials in, ben is dialled; each with a Google key of its own. Files: {}\n",
            folder.display()
        ));
    }

    pub(super) fn line(&self, text: impl fmt::Display) {
        if self.visible {
            say(text);
        }
    }

    pub(super) fn painted(&self, colour: &str, text: &str) -> String {
        if self.colours { format!("{colour}{text}{PLAIN}") } else { text.to_owned() }
    }

    fn event(&self, owner: &str, event: &CallEvent) {
        let Some(text) = describe_call(event) else { return };
        let seconds = clock::now().duration_since(self.started).as_secs_f64();
        let colour = if owner == "ada" { ADA } else { BEN };
        self.line(format_args!("{seconds:7.3}  {}  {text}", self.painted(colour, owner)));
    }
}
