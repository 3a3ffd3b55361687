//! What `docs/NOTIFICATIONS.md` tells receivers to do, done: its examples check what we sign.

use std::io::Write;
use std::process::{Command, Stdio};

use clearline::clock;
use clearline::domain::{EventKind, Secret, SigningSecret};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const OTHER: &str = "whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB";
const BODY: &str =
    r#"{"id":"c1_call-ended","type":"call.ended","data":{"call":{"end_reason":"Grüße \u0007"}}}"#;
const ID: &str = "c1_call-ended";
const TOO_OLD_S: u64 = 3_600;

fn page() -> &'static str {
    include_str!("../docs/NOTIFICATIONS.md")
}

/// The only example in this language.
fn example(language: &str) -> &'static str {
    let examples: Vec<&str> = page().split(&format!("```{language}\n")).skip(1).collect();
    let [example] = examples[..] else { panic!("one example of {language}") };
    example.split_once("```").expect("it ends").0
}

fn sign(secret: &str, seconds: u64) -> String {
    SigningSecret::parse(&Secret::new(secret))
        .unwrap_or_else(|error| panic!("{error}"))
        .sign(ID, seconds, BODY)
}

/// What the example says to each of these: time stamp, signatures, body; and what it should say.
fn cases() -> Vec<(u64, String, String, bool)> {
    let now = clock::unix_time().as_millis() / 1_000;
    let (good, old) = (sign(SECRET, now), now - TOO_OLD_S);
    let while_replaced = format!("{} {good}", sign(OTHER, now));
    vec![
        (now, good.clone(), BODY.into(), true),
        (now, while_replaced, BODY.into(), true),
        (now, sign(OTHER, now), BODY.into(), false),
        (now, good.clone(), BODY.replace("ended", "lost"), false),
        (now + 1, good, BODY.into(), false),
        (old, sign(SECRET, old), BODY.into(), false),
    ]
}

/// `None`: the program is not on this machine.
fn said_by(program: &str, arguments: &[&str], script: &str) -> Option<String> {
    let mut command = Command::new(program);
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().ok()?;
    child.stdin.take().expect("it is piped").write_all(script.as_bytes()).expect("it is read");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{program} fails over:\n{script}");
    Some(String::from_utf8(output.stdout).expect("text").trim().to_lowercase())
}

fn judge(program: &str, arguments: &[&str], script: impl Fn(u64, &str, &str) -> String) {
    for (seconds, signatures, body, expected) in cases() {
        let Some(said) = said_by(program, arguments, &script(seconds, &signatures, &body)) else { return };
        assert_eq!(said, expected.to_string(), "{program}: {seconds} {signatures} {body}");
    }
}

fn headers(seconds: u64, signatures: &str) -> String {
    format!(
        r#"{{"webhook-id": "{ID}", "webhook-timestamp": "{seconds}", "webhook-signature": "{signatures}"}}"#
    )
}

#[test]
fn i10_the_example_in_python_knows_what_is_from_us() {
    judge("python3", &["-"], |seconds, signatures, body| {
        let headers = headers(seconds, signatures);
        let body = body.replace('\\', "\\\\");
        let call = format!("is_from_clearline({headers}, '{body}'.encode(), '{SECRET}')");
        format!("{}\nprint({call})\n", example("python"))
    });
}

#[test]
fn i10_the_example_for_node_knows_what_is_from_us() {
    judge("node", &["--input-type=module", "-"], |seconds, signatures, body| {
        let headers = headers(seconds, signatures);
        let body = body.replace('\\', "\\\\");
        let call = format!("isFromClearline({headers}, Buffer.from('{body}'), '{SECRET}')");
        format!("{}\nconsole.log({call});\n", example("js"))
    });
}

#[test]
fn i10_every_event_is_described() {
    for event in EventKind::ALL {
        assert!(page().contains(&format!("| `{}` |", event.as_str())), "{}", event.as_str());
    }
}
