//! `clearline demo`: two people talk with the model at the same time, and neither hears the other.
//!
//! Everything runs in this process, over real sockets on loopback: the engine, a stand-in of the model, and two
//! softphones. Ada dials in; Ben is dialled. [`stage`] builds it, [`play`] lets the two calls happen, [`verdict`]
//! measures what each of the four ends heard, [`report`] writes the folder and the last lines.

mod folder;
mod play;
mod report;
mod stage;
mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use tokio::time::timeout;

use super::CommandResult;
use super::common::{Failure, start_logging};

use super::signals::Signals;
use folder::Folder;
use play::Screen;
use report::Report;
use stage::Stage;

/// Both calls together take some fifteen seconds.
const LONGEST_SHOW: Duration = Duration::from_secs(28);

/// Two users with two keys make two phone calls at the same moment, through real SIP and RTP on loopback, with a
/// stand-in of the voice model. Nothing else is needed. Exit code 0 only if each caller heard its own model and
/// nobody else's, with its own key.
#[derive(Args)]
pub(super) struct Demo {
    /// Where recordings and transcripts go; a new folder here if left out
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// One JSON document at the end instead of the live view
    #[arg(long)]
    json: bool,
    /// Let the actor of one call panic in mid-call, and watch the call go on
    #[arg(long)]
    crash: bool,
}

impl Demo {
    pub(super) fn run(self) -> CommandResult {
        actix::System::new().block_on(self.perform())
    }

    async fn perform(self) -> CommandResult {
        start_logging(&quiet())?;
        let mut signals = Signals::listen().map_err(|error| Failure::cannot("listen to signals", error))?;
        let folder = Folder::open(self.dir.as_deref())?;
        let screen = Screen::new(!self.json);
        screen.title(&folder.path);
        let mut stage = Stage::build(folder.engine()).await?;
        let report = tokio::select! {
            report = self.show(&mut stage, &folder, &screen) => report,
            () = signals.stop() => Err(Failure::interrupted()),
        };
        // However the show ended, nobody is left on the line.
        stage.strike().await;
        let report = report?;
        report.show(&screen, self.json)?;
        Ok(if report.ok { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }

    async fn show(&self, stage: &mut Stage, folder: &Folder, screen: &Screen) -> Result<Report, Failure> {
        let calls = timeout(LONGEST_SHOW, play::both_calls(stage, screen, self.crash)).await;
        let calls =
            calls.map_err(|_| Failure::new("the calls did not end in time; see the lines above"))??;
        report::write(stage, folder, calls).await
    }
}

/// The live view tells the story; the log only what went wrong.
fn quiet() -> crate::config::Log {
    crate::config::Log { level: crate::config::LogLevel::Error, ..Default::default() }
}
