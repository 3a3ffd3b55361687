//! Two network namespaces, a cable between them, and a folder for files.

use std::fmt;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard};
use std::{fs, thread};

use crate::process::Process;

pub(crate) const ENGINE_IP: &str = "10.88.0.1";
pub(crate) const PEER_IP: &str = "10.88.0.2";
/// The name of the link in both namespaces.
pub(crate) const LINK: &str = "sip0";

/// Only one bench at a time.
static TURN: Mutex<()> = Mutex::new(());
static OPENED: AtomicU32 = AtomicU32::new(0);

#[derive(Clone, Copy)]
pub(crate) enum Side {
    Engine,
    Peer,
}

pub(crate) struct Bench {
    name: String,
    folder: PathBuf,
    _turn: MutexGuard<'static, ()>,
}

impl Bench {
    /// Builds the bench, or says in one line why `test` is skipped.
    pub(crate) fn open(test: &str, programs: &[&str]) -> Option<Self> {
        match Self::build(programs) {
            Ok(bench) => Some(bench),
            Err(reason) => {
                // Straight to the descriptor, for the test harness hides what a passing test prints; and in one
                // piece, on a line of its own, for other tests are talking too.
                let line = format!("\nskipped: peers::{test}: {reason}\n");
                std::io::stderr().write_all(line.as_bytes()).expect("stderr is open");
                None
            }
        }
    }

    fn build(programs: &[&str]) -> Result<Self, String> {
        let missing: Vec<_> =
            ["ip", "sox"].iter().chain(programs).filter(|name| !is_installed(name)).collect();
        if !missing.is_empty() {
            return Err(format!("not installed: {missing:?} (scripts/test installs them where it may)"));
        }
        let turn = TURN.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        let name = format!("cl{}x{}", std::process::id(), OPENED.fetch_add(1, Ordering::Relaxed));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(&name);
        let bench = Self { name, folder, _turn: turn };
        bench.lay_cable().map_err(|error| format!("network namespaces cannot be made here: {error}"))?;
        fs::create_dir_all(&bench.folder).expect("the build's own folder takes folders");
        Ok(bench)
    }

    fn lay_cable(&self) -> Result<(), String> {
        let (engine, peer) = (self.namespace(Side::Engine), self.namespace(Side::Peer));
        ip(&["netns", "add", &engine])?;
        ip(&["netns", "add", &peer])?;
        ip(&["-n", &engine, "link", "add", LINK, "type", "veth", "peer", "name", LINK, "netns", &peer])?;
        for (namespace, address) in [(&engine, ENGINE_IP), (&peer, PEER_IP)] {
            ip(&["-n", namespace, "address", "add", &format!("{address}/24"), "dev", LINK])?;
            ip(&["-n", namespace, "link", "set", "lo", "up"])?;
            ip(&["-n", namespace, "link", "set", LINK, "up"])?;
        }
        Ok(())
    }

    fn namespace(&self, side: Side) -> String {
        format!("{}{side}", self.name)
    }

    /// A file of this bench.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        let path = self.file(name);
        fs::create_dir_all(path.parent().expect("a file has a folder")).expect("our folder takes folders");
        fs::write(&path, text).expect("our folder takes files");
        path
    }

    /// `program`, to be run on one side with the bench's folder as its working directory.
    pub(crate) fn command(&self, side: Side, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.namespace(side), program]).current_dir(&self.folder);
        command
    }

    /// Runs a short helper and returns what it printed.
    pub(crate) fn output_of(&self, side: Side, program: &str, arguments: &[&str]) -> Vec<u8> {
        let output = self.command(side, program).args(arguments).output().expect("ip can be run");
        assert!(output.status.success(), "{program} {arguments:?}: {}", complaint(&output));
        output.stdout
    }

    /// The body of `GET path`, fetched from within the engine's namespace.
    pub(crate) fn http_get(&self, address: &str, path: &str) -> Vec<u8> {
        self.http(address, &format!("GET {path}"), "")
    }

    pub(crate) fn http_post(&self, address: &str, path: &str, body: &str) -> Vec<u8> {
        self.http(address, &format!("POST {path}"), body)
    }

    /// By bash, for want of a smaller client there.
    fn http(&self, address: &str, what: &str, body: &str) -> Vec<u8> {
        let (host, port) = address.rsplit_once(':').expect("an address has a port");
        let request =
            format!("{what} HTTP/1.0\r\nHost: {host}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
        let script = "exec 3<>/dev/tcp/$0/$1; printf %s \"$2\" >&3; cat <&3";
        let answer = self.output_of(Side::Engine, "bash", &["-c", script, host, port, &request]);
        let head_end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
        let head_end = head_end.unwrap_or_else(|| panic!("{what}: no HTTP answer"));
        let head = String::from_utf8_lossy(&answer[..head_end]);
        assert!(head.split(' ').nth(1).is_some_and(|status| status.starts_with('2')), "{what}: {head}");
        answer[head_end + 4..].to_vec()
    }

    /// Not every program says when it listens; the kernel does.
    pub(crate) fn wait_until_sip_is_open(&self, side: Side, port: &str) {
        let script = "until ss -Huln \"sport = :$0\" | grep -q .; do sleep 0.1; done";
        self.output_of(side, "timeout", &["60", "bash", "-c", script, port]);
    }

    pub(crate) fn start(&self, side: Side, program: &str, arguments: &[&str]) -> Process {
        Process::start(program, self.command(side, program).args(arguments))
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        for side in [Side::Engine, Side::Peer] {
            // An error means that it was never made.
            drop(ip(&["netns", "delete", &self.namespace(side)]));
        }
        if thread::panicking() {
            let kept = self.folder.display();
            drop(writeln!(std::io::stderr(), "files kept for the autopsy: {kept}"));
        } else {
            drop(fs::remove_dir_all(&self.folder));
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Engine => "e",
            Self::Peer => "p",
        })
    }
}

fn is_installed(program: &str) -> bool {
    let folders = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&folders).any(|folder| folder.join(program).is_file())
}

fn ip(arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("ip").args(arguments).output().map_err(|error| error.to_string())?;
    if output.status.success() {
        Ok(())
    } else {
        Err(format!("ip {}: {}", arguments.join(" "), complaint(&output)))
    }
}

fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_string()
}
