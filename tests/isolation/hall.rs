//! A hall full of telephones: an engine, a stand-in of the model, and as many callers as wanted. Each has a user, a key,
//! a number and a persona of their own, and a voice that nobody else has.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use clearline::config::{NumberRoute, Settings};
use clearline::domain::{Secret, VoiceAgent, VoiceAgentId};
use clearline::engine::Engine;
use clearline::keys::KeyPool;
use clearline::sandbox::model::{ModelServer, ModelSettings, SpeechStyle};
use clearline::sandbox::network::{Impairment, Relay};
use futures_util::future::join_all;
use tempfile::TempDir;

use crate::caller::{Caller, Ears, Heard};
use crate::far_end::Seen;
use crate::users::add_user;

pub(crate) const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const STOP_LIMIT: Duration = Duration::from_millis(1);
/// So many dial at the same moment.
const WAVE: usize = 25;
/// Callers speak so long and then pause, so that the model, which has ended its turn before, gets another …
pub(crate) const SPEECH_MS: usize = 6_000;
pub(crate) const PAUSE_MS: usize = 1_000;
/// … of this length.
pub(crate) const TURN_MS: u64 = 5_500;
/// How often what was heard is judged, in packets of the first caller: it is media time that counts.
const PACKETS_BETWEEN_JUDGEMENTS: usize = 25;
/// Calls that have not heard enough after so many times the wanted length never will.
const PATIENCE: usize = 8;
/// Windows of a judge in a second.
pub(crate) const WINDOWS_A_SECOND: u64 = 400;

pub(crate) struct Hall {
    engine: Engine,
    pub(crate) model: ModelServer,
    _folder: TempDir,
    pub(crate) callers: Vec<Caller>,
}

impl Hall {
    pub(crate) async fn with(calls: u16) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let model = ModelServer::start(talkative_model()).await.expect("a stand-in model");
        let engine = Engine::start(settings(&folder, calls, model.address)).await.expect("an engine");
        for index in 0..calls {
            add_user(&engine, &name_of(index), Some(&key_of(index))).await;
        }
        let callers = join_all((0..calls).map(Caller::new)).await;
        Self { engine, model, _folder: folder, callers }
    }

    /// From now on every caller's audio goes through a network like this.
    pub(crate) async fn impair(&mut self, network: Impairment, seed: u64) {
        for caller in &mut self.callers {
            let seed = seed.wrapping_mul(1_000).wrapping_add(caller.index.into());
            let relay = Relay::start(LOOPBACK, caller.rtp_address(), network, seed);
            caller.stand_behind(relay.await.expect("a free port"));
        }
    }

    /// Everybody calls and begins to speak.
    pub(crate) async fn fill(&mut self) {
        for wave in self.callers.chunks(WAVE) {
            join_all(wave.iter().map(|caller| caller.dial(self.engine.sip_address()))).await;
        }
        let sessions = self.model.summaries();
        for caller in &mut self.callers {
            // By the key: that the session also plays this caller's persona is what the far end hears.
            let hint = Secret::new(key_of(caller.index)).hint();
            let session = sessions.iter().find(|session| session.key_hint == hint);
            caller.connection = session.map(|session| session.connection);
        }
    }

    /// Lets all talk until each end of each call has heard its own for so long, or never will.
    pub(crate) async fn listen(&mut self, seconds: u64) {
        let patience = (seconds.max(5) as usize) * 50 * PATIENCE;
        self.callers.iter().for_each(|caller| caller.speak(SPEECH_MS, PAUSE_MS));
        while self.callers[0].ears.packets_judged() < patience {
            self.media_passes().await;
            self.judge(Ears::judge).await;
            let wanted = seconds * WINDOWS_A_SECOND;
            let is_enough = |heard: Heard| heard.by_far_end.own.min(heard.by_model.own) >= wanted;
            if self.callers.iter().all(|caller| is_enough(caller.heard())) {
                return;
            }
        }
    }

    async fn media_passes(&self) {
        let enough = |seen: &Seen| (seen.packets.len() >= PACKETS_BETWEEN_JUDGEMENTS).then_some(());
        self.callers[0].far_end.seen.until("the first caller hears more", enough).await;
    }

    async fn judge(&mut self, judge: fn(&mut Ears)) {
        let mut ears = Vec::new();
        for caller in &mut self.callers {
            caller.gather(&self.model);
            ears.push(std::mem::replace(&mut caller.ears, Ears::new(caller.index)));
        }
        let judging = tokio::task::spawn_blocking(move || {
            ears.iter_mut().for_each(judge);
            ears
        });
        let ears = judging.await.expect("the judges come to an end");
        self.callers.iter_mut().zip(ears).for_each(|(caller, ears)| caller.ears = ears);
    }

    pub(crate) async fn close(mut self) -> Vec<Caller> {
        self.judge(Ears::judge_all).await;
        self.engine.stop(STOP_LIMIT).await;
        self.model.stop().await;
        self.callers
    }
}

pub(crate) fn number_of(index: u16) -> String {
    format!("{}", 1_000 + index)
}

pub(crate) fn key_of(index: u16) -> String {
    format!("key-of-a-caller-{index:04}")
}

fn name_of(index: u16) -> String {
    format!("caller-{index}")
}

/// Both directions are full at once: it greets with a long turn and lets nobody interrupt it.
fn talkative_model() -> ModelSettings {
    let mut model = ModelSettings::default();
    model.timing.setup_delay_ms = [0, 20];
    model.timing.first_audio_ms = 50;
    model.timing.first_audio_jitter_ms = 0;
    model.voicing.style = SpeechStyle::MarkerOnly;
    model.voicing.marker_ms = TURN_MS;
    model.voicing.yields = false;
    model.limits.connection_age_ms = 3_600_000;
    model
}

fn settings(folder: &TempDir, calls: u16, model: SocketAddr) -> Settings {
    let mut settings = Settings::default();
    settings.sip.listen = SocketAddr::new(LOOPBACK, 0);
    settings.sip.allowed_sources = vec![LOOPBACK.into()];
    settings.media.bind = LOOPBACK;
    (settings.media.port_min, settings.media.port_max) = ports_for(calls);
    settings.voice.url = format!("ws://{model}");
    settings.store.path = folder.path().join("clearline.db");
    settings.recording.enabled = false;
    settings.http.listen = SocketAddr::new(LOOPBACK, 0);
    settings.calls.max_calls = calls.into();
    let keys: Vec<_> =
        (0..calls).map(|index| (format!("GOOGLE_API_KEY_{}", index + 2), key_of(index))).collect();
    let keys = keys.iter().map(|(name, key)| (name.as_str(), key.as_str()));
    settings.google_keys = KeyPool::from_variables(keys).expect("keys");
    for index in 0..calls {
        let voice_agent = VoiceAgentId::new(format!("agent-{index}"));
        let instruction = format!("Nobody else speaks like this: [marker {index}]");
        let agent = VoiceAgent { id: voice_agent.clone(), instruction, ..VoiceAgent::default() };
        settings.voice_agents.push(agent);
        settings.numbers.insert(number_of(index), NumberRoute { owner: name_of(index), voice_agent });
    }
    settings
}

/// Ports that no other hall of this process has, outside those the kernel hands out. A pair for each call, and some
/// that other programs may hold.
fn ports_for(calls: u16) -> (u16, u16) {
    static NEXT: AtomicU16 = AtomicU16::new(24_000);
    let ports = 2 * calls + 64;
    let first = NEXT.fetch_add(ports, Ordering::Relaxed);
    (first, first + ports - 1)
}
