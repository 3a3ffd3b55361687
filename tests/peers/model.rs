//! The stand-in model on the engine's side of the bench: what it says, and what it heard.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::f64::consts::TAU;
use std::path::Path;

use crate::audio::{RATE, Sound};
use crate::bench::{Bench, Side};
use crate::process::Process;

pub(crate) const ADDRESS: &str = "127.0.0.1:9100";
const SIDE_ADDRESS: &str = "127.0.0.1:9101";

/// How the stand-in mixes: its voice, and each of the two tones of the session's marker.
const VOICE_LEVEL: f64 = 0.7;
const TONE_LEVEL: f64 = 0.05;

pub(crate) struct Model<'bench> {
    bench: &'bench Bench,
    _process: Process,
}

/// What the stand-in tells of one session.
#[derive(Deserialize)]
pub(crate) struct Session {
    pub(crate) id: String,
    pub(crate) marker_hz: Vec<f64>,
    pub(crate) heard_ms: u64,
    pub(crate) ordering_errors: Vec<String>,
}

/// What the stand-in of load tests wrote down of one session.
#[derive(Deserialize)]
pub(crate) struct Timing {
    pub(crate) heard_ms: u64,
    pub(crate) said_ms: u64,
    notes: Vec<Note>,
}

#[derive(Deserialize)]
struct Note {
    at_us: u64,
    what: serde_json::Value,
}

impl Timing {
    pub(crate) fn moment(&self, what: &str) -> Option<u64> {
        self.notes.iter().find(|note| note.what == what).map(|note| note.at_us)
    }
}

impl<'bench> Model<'bench> {
    pub(crate) fn start(bench: &'bench Bench) -> Self {
        Self::start_with(bench, &[])
    }

    /// As a load test has it: it says long sentences and writes down what happened when.
    pub(crate) fn start_for_load(bench: &'bench Bench) -> Self {
        Self::start_with(bench, &["--load"])
    }

    fn start_with(bench: &'bench Bench, options: &[&str]) -> Self {
        let usual = ["sandbox", "model", "--listen", ADDRESS, "--side", SIDE_ADDRESS, "--seed", "1"];
        let arguments = [&usual, options].concat();
        let process = bench.start(Side::Engine, env!("CARGO_BIN_EXE_clearline"), &arguments);
        process.wait_for("listening on");
        Self { bench, _process: process }
    }

    /// What shall go wrong in all sessions from now on: a rule of the stand-in, as JSON.
    pub(crate) fn misbehave(&self, rule: &str) {
        self.bench.http_post(SIDE_ADDRESS, "/faults", rule);
    }

    pub(crate) fn sessions(&self) -> Vec<Session> {
        self.ask("/sessions")
    }

    pub(crate) fn timings(&self) -> Vec<Timing> {
        self.ask("/timing")
    }

    fn ask<Answer: DeserializeOwned>(&self, path: &str) -> Answer {
        let body = self.bench.http_get(SIDE_ADDRESS, path);
        let shown = String::from_utf8_lossy(&body);
        serde_json::from_slice(&body).unwrap_or_else(|error| panic!("{path}: {error}: {shown}"))
    }

    pub(crate) fn only_session(&self) -> Session {
        let [session] = self.sessions().try_into().unwrap_or_else(|all: Vec<Session>| {
            panic!("one call makes one session, not {}", all.len());
        });
        assert!(session.ordering_errors.is_empty(), "{:?}", session.ordering_errors);
        session
    }

    pub(crate) fn heard(&self, session: &Session) -> Sound {
        let wav = self.bench.http_get(SIDE_ADDRESS, &format!("/sessions/{}/audio.wav", session.id));
        Sound::of_wav(&self.bench.write("model-heard.wav", wav))
    }
}

/// The heart of the greeting as the stand-in sends it: the prompt, with the session's own marker under it.
pub(crate) fn greeting_of(session: &Session) -> Sound {
    let prompt = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/prompts/greeting.wav");
    let voice = Sound::of_wav(&prompt).0.into_iter();
    let marker = |time: f64| session.marker_hz.iter().map(|hz| (TAU * hz * time).sin()).sum::<f64>();
    let mixed = voice
        .enumerate()
        .map(|(n, sample)| VOICE_LEVEL * sample + TONE_LEVEL * marker(n as f64 / RATE as f64));
    Sound(mixed.collect()).beginning(0.25, 2.0)
}
