//! `clearline sandbox model`: the stand-in of the voice model.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::sandbox::model::{self, ModelServer, ModelSettings, SpeechStyle, Voicing};

use super::super::CommandResult;
use super::super::common::{Failure, say};
use super::super::signals::Signals;
use super::attached;

/// Speaks the websocket protocol of the Gemini Live API; any API key is accepted.
#[derive(Args)]
pub(super) struct Model {
    /// Where to listen, for example 127.0.0.1:9090 (port 0 takes a free one)
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// Where to show the state of all sessions over HTTP: GET /sessions, GET /timing
    #[arg(long, value_name = "ADDR")]
    side: Option<SocketAddr>,
    /// Repeats everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tones only, no spoken prompts
    #[arg(long)]
    marker_only: bool,
    /// For load tests: looks for the signatures of their callers instead of tones, keeps no audio, says long sentences
    /// of tones
    #[arg(long)]
    load: bool,
    /// More connections than these are hung up on
    #[arg(long, value_name = "N", default_value_t = ModelSettings::default().max_connections)]
    max_connections: usize,
    #[arg(long, hide = true)]
    attached: bool,
    #[arg(long, hide = true, value_delimiter = ',')]
    cores: Vec<usize>,
}

/// Where an attached stand-in can be found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct Listening {
    pub(in super::super) model: SocketAddr,
    pub(in super::super) side: Option<SocketAddr>,
}

/// An answer on the telephone, as long as a few sentences.
const LOAD_ANSWER_MS: u64 = 3_000;

impl Model {
    pub(super) fn run(self) -> CommandResult {
        attached::stay_on(&self.cores)?;
        actix::System::new().block_on(self.serve())
    }

    fn settings(&self) -> ModelSettings {
        let style = if self.marker_only || self.load { SpeechStyle::MarkerOnly } else { SpeechStyle::Words };
        let usual = ModelSettings {
            listen: self.listen,
            side_listen: self.side,
            seed: self.seed,
            max_connections: self.max_connections,
            voicing: Voicing { style, ..Voicing::default() },
            ..ModelSettings::default()
        };
        if !self.load {
            return usual;
        }
        ModelSettings {
            listening: model::Listening::Lightly,
            keep_audio_s: 0,
            voicing: Voicing { marker_ms: LOAD_ANSWER_MS, ..usual.voicing.clone() },
            ..usual
        }
    }

    async fn serve(self) -> CommandResult {
        let mut signals = Signals::listen().map_err(|error| Failure::cannot("listen to signals", error))?;
        let server = ModelServer::start(self.settings()).await;
        let server = server.map_err(|error| Failure::cannot("listen", error))?;
        if self.attached {
            attached::tell(&Listening { model: server.address, side: server.side_address });
            tokio::select! {
                // However the input ends, it has ended.
                _ = attached::end_of_input() => {}
                () = signals.stop() => {}
            }
        } else {
            introduce(&server);
            signals.stop().await;
        }
        server.stop().await;
        Ok(ExitCode::SUCCESS)
    }
}

fn introduce(server: &ModelServer) {
    say(format_args!("listening on {}", server.address));
    if let Some(side) = server.side_address {
        say(format_args!("sessions shown at http://{side}/sessions"));
    }
    say(format_args!("point an engine at it with --set voice.url=ws://{}", server.address));
}
