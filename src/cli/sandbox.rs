//! `clearline sandbox`: stand-ins of the services that Clearline talks to, for trying it out and for tests.

use std::net::SocketAddr;
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::sandbox::model::{ModelServer, ModelSettings, SpeechStyle, Voicing};

use super::CommandResult;
use super::common::{Failure, say};
use super::signals::Signals;

#[derive(Args)]
pub(super) struct Sandbox {
    #[command(subcommand)]
    service: Service,
}

#[derive(Subcommand)]
enum Service {
    /// A stand-in of the Gemini Live API
    Model(Model),
}

/// Speaks the websocket protocol of the Gemini Live API; any API key is accepted.
#[derive(Args)]
struct Model {
    /// Where to listen, for example 127.0.0.1:9090 (port 0 takes a free one)
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9090")]
    listen: SocketAddr,
    /// Where to show the state of all sessions over HTTP: GET /sessions
    #[arg(long, value_name = "ADDR")]
    side: Option<SocketAddr>,
    /// Repeats everything random
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Tones only, no spoken prompts
    #[arg(long)]
    marker_only: bool,
}

impl Sandbox {
    pub(super) fn run(self) -> CommandResult {
        match self.service {
            Service::Model(model) => actix::System::new().block_on(model.serve()),
        }
    }
}

impl Model {
    fn style(&self) -> SpeechStyle {
        if self.marker_only { SpeechStyle::MarkerOnly } else { SpeechStyle::Words }
    }

    async fn serve(self) -> CommandResult {
        let settings = ModelSettings {
            listen: self.listen,
            side_listen: self.side,
            seed: self.seed,
            voicing: Voicing { style: self.style(), ..Voicing::default() },
            ..ModelSettings::default()
        };
        let mut signals = Signals::listen().map_err(|error| Failure::cannot("listen to signals", error))?;
        let cannot_listen = |error| Failure::cannot(format!("listen on {}", self.listen), error);
        let server = ModelServer::start(settings).await.map_err(cannot_listen)?;
        say(format_args!("listening on {}", server.address));
        if let Some(side) = server.side_address {
            say(format_args!("sessions shown at http://{side}/sessions"));
        }
        say(format_args!("point an engine at it with --set voice.url=ws://{}", server.address));
        signals.stop().await;
        server.stop().await;
        Ok(ExitCode::SUCCESS)
    }
}
