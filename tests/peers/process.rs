//! A program that is started, listened to, and ended by its id, whatever happens to the test.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// Against hanging for ever; nothing is judged by it.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) struct Process {
    name: String,
    child: Child,
    heard: Arc<Heard>,
}

pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    /// Both pipes, as they came.
    pub(crate) transcript: String,
}

#[derive(Default)]
struct Heard {
    output: Mutex<Output>,
    changed: Condvar,
}

#[derive(Default)]
struct Output {
    stdout: Vec<u8>,
    transcript: Vec<u8>,
    open_pipes: usize,
}

impl Process {
    pub(crate) fn start(name: &str, command: &mut Command) -> Self {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{name} does not start: {error}"));
        let heard = Arc::new(Heard::default());
        heard.lock().open_pipes = 2;
        heard.listen(child.stdout.take().expect("stdout is piped"), true);
        heard.listen(child.stderr.take().expect("stderr is piped"), false);
        Self { name: name.to_string(), child, heard }
    }

    /// Waits until the program has printed a line with `needle`, and returns that line.
    pub(crate) fn wait_for(&self, needle: &str) -> String {
        let found = |output: &Output| {
            let text = String::from_utf8_lossy(&output.transcript);
            let whole_lines = text.rfind('\n').map_or("", |end| &text[..end]);
            whole_lines.lines().find(|line| line.contains(needle)).map(str::to_string)
        };
        let output = self.heard.wait_until(|output| output.open_pipes == 0 || found(output).is_some());
        found(&output).unwrap_or_else(|| {
            panic!("{} never said `{needle}`. It said:\n{}", self.name, output.transcript())
        })
    }

    /// Waits until the program has ended by itself.
    pub(crate) fn finish(mut self) -> Finished {
        let output = self.heard.wait_until(|output| output.open_pipes == 0);
        assert_eq!(output.open_pipes, 0, "{} does not end. It said:\n{}", self.name, output.transcript());
        let status = self.child.wait().expect("our own child can be waited for");
        let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
        let transcript = output.transcript();
        drop(output);
        Finished { status, stdout, transcript }
    }

    /// Asks the program to end (`TERM`, `INT`) and waits until it has.
    pub(crate) fn end_by(self, signal: &str) -> Finished {
        self.signal(signal);
        self.finish()
    }

    pub(crate) fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill").args(["-s", signal, &id]).status().expect("kill can be run");
        assert!(
            sent.success(),
            "{} had ended before it was told to. It said:\n{}",
            self.name,
            self.transcript()
        );
    }

    /// For a program with children of its own, which hold its pipes: asks it to end, and waits until all are gone.
    pub(crate) fn end_with_children(&self) {
        // An error means that it has ended already, which is what we want.
        drop(Command::new("kill").args(["-s", "TERM", &self.child.id().to_string()]).status());
        drop(self.heard.wait_until(|output| output.open_pipes == 0));
    }

    pub(crate) fn transcript(&self) -> String {
        self.heard.lock().transcript()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended already, which is what we want.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

impl Finished {
    pub(crate) fn expect_success(self, what: &str) -> Self {
        assert!(self.status.success(), "{what} ended with {}. It said:\n{}", self.status, self.transcript);
        self
    }
}

impl Output {
    fn transcript(&self) -> String {
        String::from_utf8_lossy(&self.transcript).into_owned()
    }
}

impl Heard {
    fn lock(&self) -> MutexGuard<'_, Output> {
        self.output.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    fn wait_until(&self, mut done: impl FnMut(&Output) -> bool) -> MutexGuard<'_, Output> {
        let waited = self.changed.wait_timeout_while(self.lock(), PATIENCE, |output| !done(output));
        waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0
    }

    fn listen(self: &Arc<Self>, mut pipe: impl Read + Send + 'static, is_stdout: bool) {
        let heard = Arc::clone(self);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(length @ 1..) = pipe.read(&mut buffer) {
                let mut output = heard.lock();
                output.transcript.extend_from_slice(&buffer[..length]);
                if is_stdout {
                    output.stdout.extend_from_slice(&buffer[..length]);
                }
                heard.changed.notify_all();
            }
            heard.lock().open_pipes -= 1;
            heard.changed.notify_all();
        });
    }
}
