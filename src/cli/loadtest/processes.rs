//! The helpers of a load test: this binary, started again, each in a process of its own. They end when their standard
//! input does, so none is left however this command ends.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::clock;

use super::super::common::{Failure, SIGNAL_CODES};

/// Helpers say little.
const LINES_MAX: usize = 64;
/// How long a helper may take to end by itself.
const END_PATIENCE: Duration = Duration::from_secs(5);
/// From the first sign of a death, a closed socket, to the end.
const DYING: Duration = Duration::from_secs(1);
const LOOKS_APART: Duration = Duration::from_millis(5);

/// A running helper; dropping it ends it and waits for its end.
pub(super) struct Helper {
    name: &'static str,
    child: Child,
    input: Option<ChildStdin>,
    lines: mpsc::Receiver<String>,
}

impl Helper {
    /// `name` is what a person calls it. What it logs goes to `log`.
    pub(super) fn start(name: &'static str, arguments: &[String], log: Stdio) -> Result<Self, Failure> {
        let failed = |error| Failure::cannot(format!("start the {name}"), error);
        let binary = std::env::current_exe().map_err(failed)?;
        let mut command = Command::new(binary);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        // Ctrl-C in a terminal reaches a whole group; it is ours to end them, in order.
        command.process_group(0);
        let mut child = command.spawn().map_err(failed)?;
        let (sender, lines) = mpsc::channel(LINES_MAX);
        if let Some(output) = child.stdout.take() {
            thread::spawn(move || {
                for line in BufReader::new(output).lines().map_while(Result::ok) {
                    if sender.blocking_send(line).is_err() {
                        return;
                    }
                }
            });
        }
        Ok(Self { name, input: child.stdin.take(), child, lines })
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(super) fn tell(&mut self, order: &impl Serialize) -> Result<(), Failure> {
        let failed = |error: &dyn std::fmt::Display| {
            Failure::cannot(format!("tell the {} anything", self.name), error)
        };
        let mut line = serde_json::to_string(order).map_err(|error| failed(&error))?;
        line.push('\n');
        match &mut self.input {
            Some(input) => input.write_all(line.as_bytes()).map_err(|error| failed(&error)),
            None => Err(failed(&"it is ending")),
        }
    }

    /// The next thing it says.
    pub(super) async fn hear<News: DeserializeOwned>(&mut self, patience: Duration) -> Result<News, Failure> {
        let name = self.name;
        let line = timeout(patience, self.lines.recv()).await;
        let line = line
            .map_err(|_| Failure::new(format!("the {name} said nothing for {} s", patience.as_secs())))?
            .ok_or_else(|| Failure::new(format!("the {name} ended too early")))?;
        serde_json::from_str(&line).map_err(|error| Failure::cannot(format!("understand the {name}"), error))
    }

    /// How it ended, in words that go on behind its name; `None` if it has not.
    pub(super) fn end(&mut self) -> Option<String> {
        if !self.has_ended_within(DYING) {
            return None;
        }
        self.child.try_wait().ok().flatten().map(how)
    }

    /// The same of one that did not end of itself; at once.
    pub(super) fn end_by_signal(&mut self) -> Option<String> {
        let status = self.child.try_wait().ok().flatten()?;
        let by_its_own_child = status.code().and_then(|code| code.checked_sub(SIGNAL_CODES));
        let signal = status.signal().or(by_its_own_child.filter(|signal| *signal > 0))?;
        Some(killed_by(signal))
    }

    /// What is said behind its name of one that has not ended, and that nobody can ask any more.
    pub(super) fn hangs(&self) -> String {
        format!("hangs: its process {} is there, and does not answer any more", self.pid())
    }

    pub(super) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    fn has_ended_within(&mut self, patience: Duration) -> bool {
        let deadline = clock::now() + patience;
        loop {
            if self.has_ended() {
                return true;
            }
            if clock::now() >= deadline {
                return false;
            }
            thread::sleep(LOOKS_APART);
        }
    }
}

/// By a signal: it cannot even read that its input has ended.
fn is_stopped(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, fields)| fields.starts_with(['T', 't']))
}

fn how(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("ended with exit code {code}"),
        (None, Some(signal)) => killed_by(signal),
        (None, None) => "ended".into(),
    }
}

fn killed_by(signal: i32) -> String {
    format!("was killed by signal {signal}")
}

impl Drop for Helper {
    fn drop(&mut self) {
        drop(self.input.take());
        self.lines.close();
        if is_stopped(self.pid()) || !self.has_ended_within(END_PATIENCE) {
            // It hangs: nothing of it is worth waiting for. An error says that it has ended after all.
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}
