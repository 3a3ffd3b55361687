//! An engine for one fuzzer: whatever it dials is refused at once, and nothing of it ever runs short.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::Process;

const PASSWORD: &str = "correct horse battery";
const MESSAGE_MAX: usize = 4_096;

pub(crate) struct Office {
    folder: TempDir,
    pub(crate) http: String,
    _engine: Process,
}

/// What a request comes with.
pub(crate) struct Bearer {
    pub(crate) what: &'static str,
    pub(crate) text: String,
}

pub(crate) struct Bearers {
    pub(crate) session: Bearer,
    pub(crate) api_token: Bearer,
}

impl Office {
    pub(crate) fn open() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let settings = settings(busy_phone());
        std::fs::write(folder.path().join("clearline.toml"), settings).expect("a folder of our own");
        command(folder.path(), &["user", "add", "chief"], "");
        let mut serve = clearline(folder.path(), &["serve"]);
        let engine = Process::start("clearline serve", &mut serve);
        let line = engine.wait_for(" http=");
        let http = line.split("http=").nth(1).expect("it says where HTTP is").trim();
        Self { http: format!("http://{http}"), folder, _engine: engine }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn add_user(&self, name: &str, role: &[&str]) -> Bearers {
        command(self.path(), &[&["user", "add", name], role].concat(), "");
        command(self.path(), &["user", "passwd", name], &format!("{PASSWORD}\n"));
        let session = self.post("/api/login", "", &json!({ "name": name, "password": PASSWORD }));
        let api_token = self.post("/api/me/tokens", &session, &json!({ "name": "fuzzer" }));
        Bearers {
            session: Bearer { what: "session", text: session },
            api_token: Bearer { what: "API token", text: api_token },
        }
    }

    /// Gives the token that the answer tells.
    fn post(&self, path: &str, bearer: &str, body: &Value) -> String {
        clearline::net::install_tls_provider();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        let request = client.post(format!("{}{path}", self.http)).bearer_auth(bearer).json(body);
        let answered: Value = wait(async { request.send().await?.json().await });
        answered["token"].as_str().unwrap_or_else(|| panic!("{path}: {answered}")).to_owned()
    }

    pub(crate) fn no_longer_good<'a>(&self, bearers: &'a Bearers) -> Vec<&'a Bearer> {
        clearline::net::install_tls_provider();
        let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        let is_good = |bearer: &Bearer| {
            let request = client.get(format!("{}/api/me", self.http)).bearer_auth(&bearer.text);
            wait(request.send()).status() == 200
        };
        [&bearers.session, &bearers.api_token].into_iter().filter(|bearer| !is_good(bearer)).collect()
    }
}

fn wait<T>(answer: impl Future<Output = Result<T, reqwest::Error>>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(answer).expect("the engine answers")
}

fn clearline(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
    command.args(arguments).args(["--config", "clearline.toml"]).current_dir(folder);
    command.env("GOOGLE_API_KEY", "key-of-the-fuzzer-aaaaaaaaaaaa-1111");
    // They are meant for this test; an engine refuses settings it does not know.
    command.env_remove("CLEARLINE_FUZZ_SECONDS").env_remove("CLEARLINE_FUZZ_SEED");
    command
}

fn command(folder: &Path, arguments: &[&str], input: &str) {
    let mut command = clearline(folder, arguments);
    let command = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut running = command.spawn().expect("the binary runs");
    // A command that does not want it does not read.
    drop(running.stdin.take().expect("it is piped").write_all(input.as_bytes()));
    let output = running.wait_with_output().expect("the binary ends");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn settings(gateway: SocketAddr) -> String {
    format!(
        r#"
        [sip]
        listen = "127.0.0.1:0"
        [[sip.gateways]]
        name = "busy"
        address = "{gateway}"
        [media]
        bind = "127.0.0.1"
        [voice]
        url = "ws://127.0.0.1:9"
        [http]
        listen = "127.0.0.1:0"
        requests_per_s = 0
        [keys]
        sessions_per_project = 0
        [calls]
        max_calls = 1000
        stop_limit_s = 1
        [recording]
        enabled = false
        "#
    )
}

/// Whoever is dialled is busy. It answers until the test's process ends.
fn busy_phone() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = socket.local_addr().expect("a bound socket");
    thread::spawn(move || {
        let mut buffer = [0; MESSAGE_MAX];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let request = String::from_utf8_lossy(&buffer[..length]);
            if request.starts_with("INVITE") {
                socket.send_to(busy(&request).as_bytes(), from).expect("the engine is on this machine");
            }
        }
    });
    address
}

fn busy(invite: &str) -> String {
    let repeated = ["Via:", "From:", "Call-ID:", "CSeq:"];
    let lines = invite.lines().filter(|line| repeated.iter().any(|name| line.starts_with(name)));
    let to = invite.lines().find(|line| line.starts_with("To:")).unwrap_or_default();
    let head: String = lines.map(|line| format!("{line}\r\n")).collect();
    format!("SIP/2.0 486 Busy Here\r\n{head}{to};tag=busy\r\nContent-Length: 0\r\n\r\n")
}
