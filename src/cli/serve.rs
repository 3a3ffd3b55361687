//! `clearline serve`: the engine, until it is told to stop.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;

use crate::accounts::FirstUser;
use crate::engine::Engine;
use crate::http::LoadKeys;

use super::CommandResult;
use super::common::{Failure, SettingsArguments, nothing_is_lost, start_logging, tell};
use super::signals::{Signals, StopOrReload};

#[derive(Args)]
pub(super) struct Serve {
    #[command(flatten)]
    settings: SettingsArguments,
}

impl Serve {
    pub(super) fn run(self) -> CommandResult {
        let settings = self.settings.load()?;
        start_logging(&settings.log)?;
        actix::System::new().block_on(async {
            let (stop_limit, node_dir) = (settings.calls.stop_limit(), settings.node_dir());
            let mut signals =
                Signals::listen().map_err(|error| Failure::cannot("listen to signals", error))?;
            // The store may be a server that is not up yet; whoever stops us does not have to wait for it.
            let started = tokio::select! {
                started = Engine::start_with_keys_from(settings, self.key_loader()) => started,
                () = signals.stop() => {
                    tracing::info!("stopped before the engine was ready");
                    return Ok(ExitCode::SUCCESS);
                }
            };
            let engine = started.map_err(|error| Failure::new(error.to_string()))?;
            show_first_superadmin(&engine, &node_dir).await;
            engine.warn_about_unknown_owners().await;
            engine.warn_about_unopened_keys().await;
            tracing::info!(sip = %engine.sip_address(), http = %engine.http_address(), "ready");
            self.reload_keys_until_told_to_stop(&engine, &mut signals).await;
            tracing::info!("stopping: no new calls, running ones finish; a second signal hangs them up");
            nothing_is_lost(engine.stop_or_hurry(stop_limit, signals.stop()).await)?;
            Ok(ExitCode::SUCCESS)
        })
    }

    fn key_loader(&self) -> LoadKeys {
        let arguments = self.settings.clone();
        Arc::new(move || {
            let settings = arguments.load().map_err(|failure| failure.to_string())?;
            Ok(settings.google_keys)
        })
    }

    /// SIGHUP reads the Google keys again, from the environment file too; a mistake there changes nothing.
    async fn reload_keys_until_told_to_stop(&self, engine: &Engine, signals: &mut Signals) {
        while signals.next().await == StopOrReload::Reload {
            let keys = match self.settings.load() {
                Ok(settings) => settings.google_keys,
                Err(failure) => {
                    tracing::error!(%failure, "the Google keys stay as they were");
                    continue;
                }
            };
            if let Err(error) = engine.replace_keys(keys).await {
                tracing::error!(%error, "the Google keys stay as they were");
            }
        }
    }
}

/// The password goes to the person who has started the engine, not into the log, which is kept and read by others: to the
/// screen where there is one, else into a file for the engine's user alone.
async fn show_first_superadmin(engine: &Engine, node_dir: &Path) {
    let first = match engine.accounts().ensure_superadmin().await {
        Ok(None) => return,
        Ok(Some(first)) => first,
        Err(error) => return tracing::warn!(%error, "there is no superadmin, and none could be made"),
    };
    if io::stderr().is_terminal() {
        tell(format_args!("\n{}", Welcome(&first)));
        return;
    }
    let file = node_dir.join("first-superadmin");
    let name = &first.name;
    match write_for_its_user_alone(&file, &Welcome(&first).to_string()) {
        Ok(()) => tracing::warn!(
            %name, file = %file.display(),
            "this system had no superadmin, so one was made; its one-time password is in the file: delete it once you have logged in"
        ),
        Err(error) => tracing::error!(
            %name, file = %file.display(), %error,
            "this system had no superadmin, so one was made, but its one-time password could not be written to the file; another: \
             clearline user passwd {name} --one-time-password"
        ),
    }
}

struct Welcome<'a>(&'a FirstUser);

impl fmt::Display for Welcome<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FirstUser { name, one_time_password } = self.0;
        write!(
            f,
            "  This system has no superadmin yet, so one was made. This is shown once:\n\n    \
             name      {name}\n    password  {}\n\n  It must be changed at the first log-in. If it is lost: \
             clearline user passwd {name} --one-time-password\n",
            one_time_password.expose()
        )
    }
}

fn write_for_its_user_alone(file: &Path, text: &str) -> io::Result<()> {
    let mut open = OpenOptions::new();
    open.create(true).truncate(true).write(true).mode(0o600).open(file)?.write_all(text.as_bytes())
}
