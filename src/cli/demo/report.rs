//! What the demo leaves behind: a folder with a recording and a transcript of each call, and the verdicts.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::time::timeout;

use crate::domain::{CallId, CallRecord, Outcome, Speaker};
use crate::sandbox::crm::Received;
use crate::sandbox::phone::Tape;

use super::super::common::{Failure, say_json};
use super::folder::Folder;
use super::play::{BothCalls, Played, Screen};
use super::stage::{Person, Stage};
use super::verdict::Verdict;

/// Two recordings and two calls are told on loopback in much less.
const CRM_PATIENCE: Duration = Duration::from_secs(10);

#[derive(Serialize)]
pub(super) struct Report {
    pub(super) ok: bool,
    calls: Vec<CallReport>,
}

#[derive(Serialize)]
struct CallReport {
    call_id: String,
    user: String,
    key_hint: String,
    recording: Option<PathBuf>,
    transcript: PathBuf,
    heard_own: bool,
    heard_foreign: bool,
    outcome: Outcome,
    /// What the CRM was told of it.
    crm: Option<Value>,
    #[serde(skip)]
    verdict: Verdict,
    #[serde(skip)]
    text: String,
}

/// Gathers both calls' files under names a person understands.
pub(super) async fn write(stage: &Stage, folder: &Folder, mut played: BothCalls) -> Result<Report, Failure> {
    // Before the recordings get their new names.
    let received = told_to_crm(stage).await;
    let mut calls = Vec::new();
    let (ada, ben) = (&stage.ada, &stage.ben);
    let people = [(ada, ben, stage.adas_phone.tape()), (ben, ada, stage.bens_phone.tape())];
    for (person, other, tape) in people {
        let played = played
            .remove(person.name)
            .ok_or_else(|| Failure::new(format!("the call of {} never began", person.name)))?;
        let told = told_of(&received, &played.call);
        let call = report_call(stage, folder, person, other, &tape, played).await?;
        calls.push(CallReport { crm: told, ..call });
    }
    let holds =
        |call: &CallReport| call.verdict.holds() && call.outcome == Outcome::Completed && call.crm.is_some();
    let ok = calls.iter().all(holds);
    Ok(Report { ok, calls })
}

async fn told_to_crm(stage: &Stage) -> Received {
    let both = stage.crm.until(|received| received.calls.len() == 2);
    timeout(CRM_PATIENCE, both).await.unwrap_or_else(|_| stage.crm.received())
}

fn told_of(received: &Received, call: &CallId) -> Option<Value> {
    let is_meant = |told: &&Value| told["transcription"]["session_id"] == call.as_str();
    received.calls.values().find(is_meant).cloned()
}

async fn report_call(
    stage: &Stage,
    folder: &Folder,
    person: &Person,
    other: &Person,
    tape: &Tape,
    played: Played,
) -> Result<CallReport, Failure> {
    let record = stage.engine.calls().get(&played.call).await;
    let record = record.map_err(|error| Failure::cannot("read the call's record", error))?;
    let text = record.as_ref().map(transcript_text).unwrap_or_default();
    let names = folder.claim_names(person.name);
    let (ogg, transcript) = names.map_err(|error| Failure::cannot("name the files of a call", error))?;
    fs::write(&transcript, &text).map_err(|error| Failure::cannot("write a transcript", error))?;
    let recording = played.recording.map(|made| rename(&made, &ogg));
    let verdict = Verdict::of(person, other, tape, &stage.model.sessions());
    Ok(CallReport {
        call_id: played.call.to_string(),
        user: person.name.to_owned(),
        key_hint: record.and_then(|record| record.key_hint).unwrap_or_default(),
        recording: recording.transpose()?,
        transcript,
        heard_own: verdict.heard_own,
        heard_foreign: verdict.heard_foreign,
        outcome: played.finish.outcome,
        crm: None,
        verdict,
        text,
    })
}

fn rename(from: &str, to: &Path) -> Result<PathBuf, Failure> {
    fs::rename(from, to).map_err(|error| Failure::cannot("name a recording", error))?;
    Ok(to.to_owned())
}

fn transcript_text(record: &CallRecord) -> String {
    let mut text = String::new();
    for item in &record.conversation_items {
        let speaker = match item.role {
            Speaker::User => "person",
            Speaker::Assistant => "model",
        };
        let cut = if item.interrupted { " (interrupted)" } else { "" };
        writeln!(text, "{speaker:>6}: {}{cut}", item.content).expect("a String takes every text");
    }
    text
}

impl Report {
    pub(super) fn show(&self, screen: &Screen, json: bool) -> Result<(), Failure> {
        if json {
            return say_json(self);
        }
        for call in &self.calls {
            screen.line(format_args!("\n{}", call.user));
            screen.line(format_args!("  own model heard      {}", yes(call.heard_own)));
            screen.line(format_args!("  other model heard    {}", yes(call.heard_foreign)));
            screen.line(format_args!(
                "  key used             {} ({})",
                yes(call.verdict.key_used),
                call.key_hint
            ));
            screen.line(format_args!("  outcome              {}", call.outcome));
            let recording = call.recording.as_ref().map_or("none".into(), |path| path.display().to_string());
            screen.line(format_args!(
                "  recording            {recording}  (left: the person, right: the model)"
            ));
            screen.line(format_args!("  transcript           {}", call.transcript.display()));
            call.text.lines().for_each(|line| screen.line(format_args!("    {line}")));
            screen.line(format_args!("  told to the CRM      {}", yes(call.crm.is_some())));
            let told = call.crm.as_ref().map(|told| format!("{told:#}")).unwrap_or_default();
            told.lines().for_each(|line| screen.line(format_args!("    {line}")));
        }
        let verdict =
            if self.ok { "Every verdict holds." } else { "Something went wrong; see the verdicts above." };
        screen.line(format_args!("\n{verdict}"));
        Ok(())
    }
}

fn yes(value: bool) -> &'static str {
    if value { "yes" } else { "no" }
}
