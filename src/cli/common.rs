//! What every command needs: settings, output, and failures that tell a person what to do.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use crate::clock;
use crate::config::{self, Log, Secrets, Settings, Sources};
use crate::domain::{Entropy, Sealing};
use crate::engine::{self, OpenStore};
use crate::keys::Fingerprints;
use crate::store::{
    self, Audit, By, KeyAssignment, KeyHealth, KeyHolders, Listed, Opening, Store, StoreError, Stored, Users,
};
use crate::telemetry;

const DID_NOT_WORK: u8 = 1;
const WRONG_ARGUMENTS: u8 = 2;
/// It worked, and left something out that a person should look at.
const LEFT_SOMETHING_OUT: u8 = 3;
/// What shells give a command that was interrupted.
const INTERRUPTED: u8 = 130;
/// As a shell has it, a program that a signal ended has this and the signal's number.
pub(super) const SIGNAL_CODES: i32 = 128;

/// Where the settings come from: command line, environment, `.env`, TOML, in this order.
#[derive(Clone, Args)]
pub(super) struct SettingsArguments {
    /// The TOML file with the settings; every one of them is explained in config/clearline.toml
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Variables to read instead of the `.env` beside the settings file
    #[arg(long, value_name = "FILE")]
    env_file: Option<PathBuf>,
    /// One setting, for example --set sip.listen=127.0.0.1:5070; outranks every other place
    #[arg(long = "set", value_name = "SECTION.KEY=VALUE")]
    overrides: Vec<String>,
}

impl SettingsArguments {
    pub(super) fn load(&self) -> Result<Settings, Failure> {
        let overrides: Vec<_> =
            self.overrides.iter().map(|text| split_override(text)).collect::<Result<_, _>>()?;
        let sources = Sources {
            overrides: &overrides,
            environment: readable_environment(),
            env_file: self.env_file.as_deref(),
            file: self.config.as_deref(),
        };
        config::load(&sources).map_err(|error| Failure::wrong_arguments(error.to_string()))
    }
}

/// Variables that are no text cannot be settings of ours.
fn readable_environment() -> BTreeMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// Where the documents are, and how to speak of them.
#[derive(Args)]
pub(super) struct JsonAndSettings {
    /// One JSON document instead of lines
    #[arg(long)]
    pub(super) json: bool,
    #[command(flatten)]
    pub(super) settings: SettingsArguments,
}

/// The store that the settings name; other processes may use it at the same time.
/// A server that does not answer is not waited for: a person stands before the screen.
pub(super) async fn open_store(settings: &Settings) -> Result<OpenStore, Failure> {
    open_store_for(Opening::ToWork, settings).await
}

/// As [`open_store`]; the few commands that mend two documents with one name, or look for them, open it with both.
pub(super) async fn open_store_for(opening: Opening, settings: &Settings) -> Result<OpenStore, Failure> {
    engine::open_store_for(opening, settings).await.map_err(|error| Failure::new(error.to_string()))
}

/// What gives users their keys.
pub(super) async fn key_assignment(
    store: &Store,
    secrets: &Secrets,
    by: By,
) -> Result<KeyAssignment, Failure> {
    let fingerprints = store::fingerprints(store, &mut entropy()?).await.map_err(store_failed)?;
    assignment_with(fingerprints, store, secrets, by)
}

/// As [`key_assignment`], for whoever only looks: nothing is made in the store.
pub(super) async fn key_assignment_to_look_at(
    store: &Store,
    secrets: &Secrets,
    by: By,
) -> Result<KeyAssignment, Failure> {
    let fingerprints = store::fingerprints_to_look_with(store, &mut entropy()?).await;
    assignment_with(fingerprints.map_err(store_failed)?, store, secrets, by)
}

pub(super) fn sealing(secrets: &Secrets) -> Result<Sealing, Failure> {
    secrets.sealing().map_err(|error| Failure::new(format!("secrets: a key {error}")))
}

fn entropy() -> Result<Entropy, Failure> {
    clock::entropy().map_err(|error| Failure::cannot("get randomness", error))
}

fn assignment_with(
    fingerprints: Fingerprints,
    store: &Store,
    secrets: &Secrets,
    by: By,
) -> Result<KeyAssignment, Failure> {
    Ok(KeyAssignment {
        users: Users::new(store.clone()),
        holders: KeyHolders::new(store.clone()),
        health: KeyHealth::new(store.clone()),
        audit: Audit::new(store.clone()),
        by,
        fingerprints,
        sealing: sealing(secrets)?,
        now: clock::unix_time,
    })
}

pub(super) fn no_sealing_key() -> Failure {
    Failure::new(
        "there is no key to seal with; set LIVEKIT_SECRET_ENCRYPTION_KEY (`clearline secret generate-key` makes one)",
    )
}

pub(super) fn store_failed(error: StoreError) -> Failure {
    Failure::cannot("use the store", error)
}

/// A command logs to standard error; its result goes to standard output.
pub(super) fn start_logging(log: &Log) -> Result<(), Failure> {
    telemetry::init_logging(log).map_err(|error| Failure::cannot("set up logging", error))
}

fn split_override(text: &str) -> Result<(String, String), Failure> {
    let pair = text.split_once('=').map(|(path, value)| (path.trim().to_owned(), value.trim().to_owned()));
    pair.ok_or_else(|| Failure {
        code: WRONG_ARGUMENTS,
        text: format!("--set {text}: write it as section.key=value, for example sip.listen=127.0.0.1:5070"),
    })
}

/// Why a command did not work, for the person who typed it.
#[derive(Debug)]
pub(super) struct Failure {
    code: u8,
    text: String,
}

impl Failure {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self { code: DID_NOT_WORK, text: text.into() }
    }

    /// What was typed cannot be meant.
    pub(super) fn wrong_arguments(text: impl Into<String>) -> Self {
        Self { code: WRONG_ARGUMENTS, text: text.into() }
    }

    /// The person, or the system, told the command to stop.
    pub(super) fn interrupted() -> Self {
        Self { code: INTERRUPTED, text: "interrupted before the end".into() }
    }

    pub(super) fn cannot(what: impl fmt::Display, error: impl fmt::Display) -> Self {
        Self::new(format!("cannot {what}: {error}"))
    }

    #[expect(clippy::print_stderr, reason = "this is where a command speaks to its user")]
    pub(super) fn report(self) -> ExitCode {
        eprintln!("clearline: {}", self.text);
        ExitCode::from(self.code)
    }
}

/// What an engine says when it has ended.
pub(super) fn nothing_is_lost(calls: usize) -> Result<(), Failure> {
    if calls == 0 {
        return Ok(());
    }
    Err(Failure::new(format!(
        "calls of which the last words are lost, because neither the store nor the journal of node.dir could take them: \
         {calls}; make room on their disks before the next start"
    )))
}

/// The whole of a list, for a person at the engine's own machine.
pub(super) async fn all_pages<T>(
    page: impl AsyncFn(Option<String>) -> Result<Listed<T>, StoreError>,
) -> Result<Vec<Stored<T>>, Failure> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = page(after).await.map_err(store_failed)?;
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

/// Of a command that has told its result.
pub(super) fn exit_code(is_whole: bool) -> ExitCode {
    if is_whole { ExitCode::SUCCESS } else { ExitCode::from(LEFT_SOMETHING_OUT) }
}

/// A line for the person (or script) that runs the command. A closed pipe is no failure: nobody listens any more.
pub(super) fn say(line: impl fmt::Display) {
    match writeln!(io::stdout(), "{line}") {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Failure::cannot("write to standard output", error).report();
        }
        Ok(()) | Err(_) => {}
    }
}

/// The result as one document, for a script.
pub(super) fn say_json(document: &(impl Serialize + ?Sized)) -> Result<(), Failure> {
    let text = serde_json::to_string_pretty(document);
    say(text.map_err(|error| Failure::cannot("write the result", error))?);
    Ok(())
}

/// How it goes, for the person who waits; it does not mix with a result on standard output.
pub(super) fn tell(line: impl fmt::Display) {
    // Nobody listens any more.
    writeln!(io::stderr(), "{line}").ok();
}

/// A question: the answer is typed behind it.
pub(super) fn tell_unfinished(text: impl fmt::Display) {
    // Nobody listens any more.
    write!(io::stderr(), "{text}").ok();
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Calls in a second, as an argument.
pub(super) fn parse_rate(text: &str) -> Result<f64, String> {
    let rate = text.parse::<f64>().map_err(|error| error.to_string())?;
    if (0.01..=1000.0).contains(&rate) {
        Ok(rate)
    } else {
        Err("a rate is from 0.01 to 1000 calls in a second".into())
    }
}
