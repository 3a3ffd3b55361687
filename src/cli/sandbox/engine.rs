//! The engine that a load test measures, in a process of its own: `serve` with settings that need nothing from outside.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};

use crate::config::Settings;
use crate::domain::UserId;
use crate::engine;
use crate::keys::KeyPool;

use super::super::CommandResult;
use super::super::common::{Failure, start_logging};
use super::super::user::add_admin;
use super::attached;

#[derive(Args)]
pub(super) struct Engine {
    /// The model's websocket
    #[arg(long)]
    model: String,
    /// For database and recordings
    #[arg(long)]
    dir: PathBuf,
    #[arg(long)]
    max_calls: usize,
    #[arg(long)]
    record: bool,
    #[arg(long, value_delimiter = ',')]
    cores: Vec<usize>,
}

/// Where the engine can be found.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in super::super) struct Listening {
    pub(in super::super) sip: SocketAddr,
    pub(in super::super) http: SocketAddr,
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const OWNER: &str = "loadtest";
const STOP_LIMIT: Duration = Duration::from_secs(1);

impl Engine {
    pub(super) fn run(self) -> CommandResult {
        attached::stay_on(&self.cores)?;
        let settings = self.settings()?;
        start_logging(&settings.log)?;
        actix::System::new().block_on(serve(settings))
    }

    fn settings(&self) -> Result<Settings, Failure> {
        let mut settings = Settings::default();
        settings.sip.listen = SocketAddr::new(LOOPBACK, 0);
        settings.sip.allowed_sources = vec![LOOPBACK.into()];
        settings.media.bind = LOOPBACK;
        settings.voice.url.clone_from(&self.model);
        settings.store.path = self.dir.join("clearline.db");
        settings.recording.dir = self.dir.join("recordings");
        settings.recording.enabled = self.record;
        settings.http.listen = SocketAddr::new(LOOPBACK, 0);
        settings.calls.max_calls = self.max_calls;
        settings.calls.default_owner_id = Some(UserId::new(OWNER));
        settings.keys.sessions_per_project = 0;
        settings.google_keys =
            KeyPool::from_variables([("GOOGLE_API_KEY", "loadtest-key-of-everybody-0001")])
                .map_err(|error| Failure::cannot("make a key", error))?;
        Ok(settings)
    }
}

async fn serve(settings: Settings) -> CommandResult {
    let pool = settings.google_keys.clone();
    let engine = engine::Engine::start(settings).await.map_err(|error| Failure::new(error.to_string()))?;
    add_admin(engine.staff(), &pool, OWNER).await?;
    attached::tell(&Listening { sip: engine.sip_address(), http: engine.http_address() });
    // However the input ends, it has ended.
    attached::end_of_input().await.ok();
    engine.stop(STOP_LIMIT).await;
    Ok(ExitCode::SUCCESS)
}
