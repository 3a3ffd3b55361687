//! Many readers beside running calls: engine, stand-in model and callers are processes of their own, this one reads.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use clearline::clock;
use clearline::config::Settings;
use clearline::engine::open_store;
use clearline::store::Users;
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::figures::Figures;
use crate::history::{History, SHORT_TALK};

const ANY: &str = "127.0.0.1:0";
const CALLS: &str = "50";
const SECONDS: &str = "20";
const READS_PER_S: u32 = 1_000;
/// That many requests on their way at once; more wait, and the rate shows it.
const CONNECTIONS: u32 = 16;
const HISTORY: u64 = 10_000;
const ROUNDS: usize = 3;
const PASSWORD: &str = "correct horse battery";
const PATHS: [&str; 5] =
    ["/api/calls", "/api/me", "/api/users", "/api/calls?outcome=completed&limit=20", "/api/calls/"];

pub(crate) fn run() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(measure());
}

async fn measure() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    prepare(folder.path()).await;
    let (model, listening) =
        attached(&["sandbox", "model", "--load", "--attached", "--listen", ANY, "--side", ANY]);
    let voice = format!("voice.url=ws://{}", text(&listening["model"]));
    let (engine, ready) = serve(folder.path(), &voice);
    let value = |name: &str| ready.split(name).nth(1).and_then(|rest| rest.split_whitespace().next());
    let (sip, http) = (value("sip=").expect("SIP"), value("http=").expect("HTTP"));
    let reader = Arc::new(Reader::logged_in(http).await);
    for round in 1..=ROUNDS {
        for with_reads in [false, true] {
            let load = Load { sip, http, side: text(&listening["side"]), engine: engine.child.id() };
            let (step, reads) = load.with(with_reads.then(|| Arc::clone(&reader))).await;
            let spacing = &step["spacing_ms"];
            println!(
                "  round {round}, {}: {} of {CALLS} calls held, packet spacing p99 {} ms, p99.9 {} ms (of {}), engine {} % of a core, harness limited: {}",
                if with_reads { "with reads" } else { "without" },
                step["calls_held"],
                spacing["p99"],
                spacing["p999"],
                spacing["count"],
                step["engine"]["cpu_percent"],
                step["harness"]["limited"],
            );
            if let Some((figures, per_s)) = reads {
                println!("    {per_s:.0} reads/s: {figures}");
            }
        }
    }
    drop((engine, model));
}

/// A program of ours that ends with its standard input, or by TERM.
struct Running {
    child: Child,
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let id = self.child.id().to_string();
        drop(Command::new("kill").args(["-s", "TERM", &id]).status());
        drop(self.child.wait());
    }
}

fn clearline(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_clearline"));
    command.args(arguments).env("GOOGLE_API_KEY", "key-of-the-benchmark-0001").stdin(Stdio::piped());
    command
}

fn attached(arguments: &[&str]) -> (Running, Value) {
    let mut child = clearline(arguments).stdout(Stdio::piped()).spawn().expect("the binary runs");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line).expect("it speaks");
    (Running { child }, serde_json::from_str(&line).expect("it says where it listens"))
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

/// The calls' owner, who also reads, and what it has called before.
async fn prepare(folder: &Path) {
    command(folder, &["user", "add", "loadtest"], "");
    command(folder, &["user", "passwd", "loadtest"], PASSWORD);
    let mut settings = Settings::default();
    settings.store.path = folder.join(&settings.store.path);
    let opened = open_store(&settings).await.unwrap_or_else(|error| panic!("{error}"));
    let owner = Users::new(opened.store.clone()).by_name("loadtest").await.expect("it answers");
    drop(opened);
    let history = History { calls: HISTORY, turns: SHORT_TALK, longest: None };
    history.write(&settings.store.path, &owner.expect("added a moment ago")).await;
}

fn command(folder: &Path, arguments: &[&str], input: &str) {
    let mut command = clearline(arguments);
    command.current_dir(folder).stdout(Stdio::null()).stderr(Stdio::null());
    let mut running = command.spawn().expect("the binary runs");
    // A command that does not want it does not read.
    drop(running.stdin.take().expect("it is piped").write_all(format!("{input}\n").as_bytes()));
    assert!(running.wait().expect("it ends").success());
}

fn serve(folder: &Path, voice: &str) -> (Running, String) {
    let mut command = clearline(&["serve"]);
    for setting in [
        voice,
        "sip.listen=127.0.0.1:0",
        "sip.allowed_sources=127.0.0.1",
        "media.bind=127.0.0.1",
        "http.listen=127.0.0.1:0",
        "http.requests_per_s=0",
        "calls.default_owner_id=loadtest",
        "recording.enabled=false",
        "keys.sessions_per_project=0",
        "calls.stop_limit_s=1",
    ] {
        command.args(["--set", setting]);
    }
    let mut child = command.current_dir(folder).stderr(Stdio::piped()).spawn().expect("the binary runs");
    let mut lines = BufReader::new(child.stderr.take().expect("it is piped")).lines();
    let ready = lines.by_ref().map_while(Result::ok).find(|line| line.contains(" ready "));
    // Its log must not fill the pipe.
    thread::spawn(move || lines.for_each(drop));
    (Running { child }, ready.expect("the engine gets ready"))
}

/// One step of `clearline loadtest` on an engine that runs.
struct Load<'a> {
    sip: &'a str,
    http: &'a str,
    side: &'a str,
    engine: u32,
}

impl Load<'_> {
    /// What the step's document says, and what reading was like while it was measured.
    async fn with(&self, reader: Option<Arc<Reader>>) -> (Value, Option<(Figures, f64)>) {
        let engine = self.engine.to_string();
        let mut command = clearline(&["loadtest", "--json", "--calls", CALLS, "--seconds", SECONDS]);
        command.args([
            "--engine",
            self.sip,
            "--metrics",
            self.http,
            "--model-side",
            self.side,
            "--pid",
            &engine,
        ]);
        let mut child =
            command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the binary runs");
        let mut progress =
            BufReader::new(child.stderr.take().expect("it is piped")).lines().map_while(Result::ok);
        progress.find(|line| line.contains("measuring")).expect("it measures");
        let reads = match reader {
            Some(reader) => {
                Some(reader.read_for(Duration::from_secs(SECONDS.parse().expect("a number"))).await)
            }
            None => None,
        };
        thread::spawn(move || progress.for_each(drop));
        let output = child.wait_with_output().expect("it ends");
        let document: Value = serde_json::from_slice(&output.stdout).expect("--json prints one document");
        (document["steps"][0].clone(), reads)
    }
}

struct Reader {
    client: Client,
    url: String,
    token: String,
    /// Of a call that was.
    call: String,
    asked: AtomicUsize,
}

impl Reader {
    async fn logged_in(http: &str) -> Self {
        clearline::net::install_tls_provider();
        let client = Client::builder().no_proxy().tls_certs_only([]).build().expect("a client");
        let body = json!({ "name": "loadtest", "password": PASSWORD });
        let url = format!("http://{http}");
        let session = client.post(format!("{url}/api/login")).json(&body).send().await.expect("an answer");
        let session: Value = session.json().await.expect("JSON");
        let token = text(&session["token"]).to_owned();
        let mut reader = Self { client, url, token, call: String::new(), asked: AtomicUsize::new(0) };
        let page: Value = reader.get("/api/calls?limit=1").await.json().await.expect("JSON");
        reader.call = text(&page["items"][0]["id"]).to_owned();
        reader
    }

    async fn get(&self, path: &str) -> Response {
        let request = self.client.get(format!("{}{path}", self.url)).bearer_auth(&self.token);
        request.send().await.expect("an answer")
    }

    /// At an even pace, from several connections; gives the times and how many reads a second there were.
    async fn read_for(self: &Arc<Self>, span: Duration) -> (Figures, f64) {
        let mut readers = Vec::new();
        for number in 0..CONNECTIONS {
            let reader = Arc::clone(self);
            readers.push(tokio::spawn(async move {
                let pause = Duration::from_secs(1) * CONNECTIONS / READS_PER_S;
                // They begin one after another, so that the reads are spread evenly.
                sleep(pause * number / CONNECTIONS).await;
                reader.read_at(pause, span).await
            }));
        }
        let (began, mut figures, mut reads) = (clock::now(), Figures::default(), 0);
        for reader in readers {
            let own = reader.await.expect("it reads");
            reads += own.len();
            figures.extend(own);
        }
        (figures, reads as f64 / (clock::now() - began).as_secs_f64())
    }

    async fn read_at(&self, pause: Duration, span: Duration) -> Figures {
        let (end, mut figures) = (clock::now() + span, Figures::default());
        let mut tick = interval(pause);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        while clock::now() < end {
            tick.tick().await;
            let path = PATHS[self.asked.fetch_add(1, Ordering::Relaxed) % PATHS.len()];
            let path = if path.ends_with('/') { format!("{path}{}", self.call) } else { path.to_owned() };
            let began = clock::now();
            let answer = self.get(&path).await;
            assert_eq!(answer.status(), 200, "{path}");
            answer.bytes().await.expect("a whole answer");
            figures.add(clock::now() - began);
        }
        figures
    }
}
