//! `clearline serve` on a MongoDB that is not there yet, goes away and comes back.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::bench::{Bench, run};
use crate::ferretdb::FerretDb;
use crate::process::{Finished, Process};

const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[test]
fn an_engine_whose_mongodb_is_down_says_so_and_can_be_stopped_while_it_waits() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|bound| bound.local_addr());
    let nobody = nobody.expect("a loopback port");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let url = format!("mongodb://ada:hunter-two@{nobody}/clearline");
    let engine = Process::start("clearline serve", clearline("serve", &url, folder.path()).args(AT_ANY_PORT));
    let line = engine.wait_for("the engine waits for its store");
    assert!(line.contains("store.url") || line.contains(&nobody.to_string()), "{line}");
    let Finished { status, transcript, .. } = engine.end_by("TERM");
    assert!(status.success(), "{transcript}");
    assert!(!transcript.contains("hunter-two"), "{transcript}");
}

#[test]
fn a_command_does_not_wait_for_a_mongodb_that_is_down() {
    let nobody = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|bound| bound.local_addr());
    let url = format!("mongodb://ada:hunter-two@{}/clearline", nobody.expect("a loopback port"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    let listing = clearline("user", &url, folder.path()).arg("list").output().expect("the binary runs");
    let said = String::from_utf8_lossy(&listing.stderr).into_owned();
    assert_eq!(listing.status.code(), Some(1));
    assert!(said.contains("store.url: MongoDB at 127.0.0.1") && !said.contains("hunter-two"), "{said}");
}

#[test]
fn an_engine_is_ready_while_its_mongodb_answers_and_only_then() {
    run::<FerretDb>(async |bench| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        bench.take_away();
        let url = bench.url();
        let engine =
            Process::start("clearline serve", clearline("serve", &url, folder.path()).args(AT_ANY_PORT));
        engine.wait_for("the engine waits for its store");
        bench.bring_back();
        let line = engine.wait_for(" ready ");
        let http = line.split("http=").nth(1).expect("it says where HTTP is").trim().to_owned();
        until_ready_says(&http, "ready").await;
        add_user(&url, folder.path());
        bench.hang();
        until_ready_says(&http, "the store does not answer").await;
        bench.bring_back();
        until_ready_says(&http, "ready").await;
        let Finished { status, transcript, .. } = engine.end_by("TERM");
        assert!(status.success(), "{transcript}");
    });
}

pub(crate) const AT_ANY_PORT: [&str; 8] = [
    "--set",
    "sip.listen=127.0.0.1:0",
    "--set",
    "http.listen=127.0.0.1:0",
    "--set",
    "media.bind=127.0.0.1",
    "--set",
    "recording.enabled=false",
];

fn clearline(command: &str, url: &str, folder: &Path) -> Command {
    let mut clearline = Command::new(env!("CARGO_BIN_EXE_clearline"));
    clearline.arg(command).env("CLEARLINE_STORE_URL", url).env("CLEARLINE_STORE_ANSWER_LIMIT_MS", "1000");
    clearline.current_dir(folder);
    clearline
}

fn add_user(url: &str, folder: &Path) {
    let added = clearline("user", url, folder).args(["add", "mira"]).output().expect("the binary runs");
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let listed = clearline("user", url, folder).arg("list").output().expect("the binary runs");
    assert!(String::from_utf8_lossy(&listed.stdout).contains("mira"));
    assert!(!folder.join("data/clearline.db").exists(), "no document is kept here");
}

async fn until_ready_says(http: &str, reason: &str) {
    loop {
        let mut stream = TcpStream::connect(http).expect("HTTP is up");
        stream.write_all(b"GET /ready HTTP/1.0\r\n\r\n").expect("it takes a request");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("it answers");
        let said = answer.split("\r\n\r\n").nth(1).map(str::trim).map(str::to_owned);
        if said.as_deref() == Some(reason) {
            assert_eq!(answer.contains(" 200 "), reason == "ready", "{answer}");
            return;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}
