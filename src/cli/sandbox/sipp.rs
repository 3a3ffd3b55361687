//! SIPp as a load test's generator, looked after by a process that ends it with its own standard input, however the load
//! test goes. It says no BYE then: once all its calls are dialled (`-m`) SIPp does not hear that it should quit.

use std::io::{self, ErrorKind};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitCode, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot::error::TryRecvError;

use super::super::CommandResult;
use super::super::common::{Failure, SIGNAL_CODES};
use super::attached;

#[derive(Args)]
pub(super) struct Sipp {
    /// Where its files are
    #[arg(long)]
    dir: PathBuf,
    #[arg(last = true)]
    arguments: Vec<String>,
}

/// Which process is SIPp itself.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(in super::super) struct Started {
    pub(in super::super) pid: u32,
}

const LOOKS_APART: Duration = Duration::from_millis(50);

impl Sipp {
    pub(super) fn run(self) -> CommandResult {
        let mut command = Command::new("sipp");
        command.args(&self.arguments).current_dir(&self.dir).stdin(Stdio::null());
        // What it draws on its screen is no news of ours.
        let mut child = command.stdout(io::stderr()).spawn().map_err(why_not_started)?;
        attached::tell(&Started { pid: child.id() });
        let mut end = attached::end_of_input();
        while !has_ended(&mut child) {
            if !matches!(end.try_recv(), Err(TryRecvError::Empty)) {
                // An error says that it has ended.
                child.kill().ok();
                break;
            }
            thread::sleep(LOOKS_APART);
        }
        let status = child.wait().map_err(|error| Failure::cannot("wait for SIPp", error))?;
        Ok(exit_code(status))
    }
}

/// As a shell tells of a child that a signal ended.
fn exit_code(status: ExitStatus) -> ExitCode {
    let by_signal = status.signal().and_then(|signal| u8::try_from(SIGNAL_CODES + signal).ok());
    match by_signal {
        Some(code) => ExitCode::from(code),
        None if status.success() => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    }
}

pub(in super::super) fn why_not_started(error: io::Error) -> Failure {
    if error.kind() == ErrorKind::NotFound {
        return Failure::new("cannot start sipp: is it installed? (Debian has it in sip-tester)");
    }
    Failure::cannot("start sipp", error)
}

fn has_ended(child: &mut Child) -> bool {
    !matches!(child.try_wait(), Ok(None))
}
