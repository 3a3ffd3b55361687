//! `clearline uploads`: calls on their way to the CRM (SPEC U5, U7).

use std::fmt;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::access::Scope;
use crate::crm::Upload;
use crate::domain::{CallId, CrmCallId, UploadState};
use crate::engine::OpenStore;
use crate::store::{
    Audit, Calls, Change, Effect, Entry, MAX_PAGE, OUTBOX, Outbox, Stored, Subject, UploadReport,
    WithoutEntry, report_uploads,
};

use super::CommandResult;
use super::common::{Failure, JsonAndSettings, all_pages, open_store, say, say_json, store_failed};
use super::user::by_this_person;

pub(super) const EXAMPLES: &str = "Examples:
  clearline uploads list --state parked     what the CRM has refused, and why
  clearline uploads retry CALL-20261129-30123456
  clearline uploads retry all               everything that is parked
  clearline uploads report                  recordings that the CRM has no entry for

A running engine takes up what is to be tried again within five seconds.";

#[derive(Args)]
pub(super) struct Uploads {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Print what waits for the CRM, was told to it, or was refused by it; newest first
    List(List),
    /// Have parked uploads tried again
    Retry(Retry),
    /// Print the recordings that the CRM has no entry for yet
    Report(JsonAndSettings),
}

#[derive(Args)]
struct List {
    /// Only those that wait for this; left out: all but those that are done
    #[arg(long, value_enum)]
    state: Option<StateName>,
    #[command(flatten)]
    common: JsonAndSettings,
}

#[derive(Args)]
struct Retry {
    /// The call's id, its name in the CRM, or "all"
    which: String,
    #[command(flatten)]
    common: JsonAndSettings,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StateName {
    /// Its call goes on
    Open,
    /// The CRM is to be told of the call
    Due,
    /// The CRM has the call without its recording, which is to follow
    Amendable,
    /// The CRM has all of it
    Done,
    /// It waits for a person: the CRM has refused something, or it cannot be sent
    Parked,
}

impl From<StateName> for UploadState {
    fn from(name: StateName) -> Self {
        match name {
            StateName::Open => Self::Open,
            StateName::Due => Self::Due,
            StateName::Amendable => Self::Amendable,
            StateName::Done => Self::Done,
            StateName::Parked => Self::Parked,
        }
    }
}

/// Whoever types at the engine's own machine sees everybody's.
const UNDONE: [UploadState; 4] =
    [UploadState::Parked, UploadState::Due, UploadState::Amendable, UploadState::Open];
const ALL: &str = "all";

/// What every action works with.
struct Desk {
    /// Its threads end with it.
    store: OpenStore,
    outbox: Outbox,
    json: bool,
}

#[derive(Serialize)]
struct Line {
    id: String,
    crm_call_id: CrmCallId,
    call_id: CallId,
    state: UploadState,
    recording_url: Option<String>,
    reason: Option<String>,
    updated_at: String,
}

#[derive(Serialize)]
struct Missing {
    call_id: CallId,
    call_start_time: String,
    recording_filename: String,
    state: Option<UploadState>,
    reason: Option<String>,
}

impl Uploads {
    pub(super) fn run(self) -> CommandResult {
        actix::System::new().block_on(async {
            match self.action {
                Action::List(List { state, common }) => Desk::open(common).await?.list(state).await,
                Action::Retry(Retry { which, common }) => Desk::open(common).await?.retry(&which).await,
                Action::Report(common) => Desk::open(common).await?.report().await,
            }
        })
    }
}

impl Desk {
    async fn open(common: JsonAndSettings) -> Result<Self, Failure> {
        let store = open_store(&common.settings.load()?).await?;
        let outbox = Outbox::new(store.store.clone());
        Ok(Self { store, outbox, json: common.json })
    }

    async fn list(&self, state: Option<StateName>) -> CommandResult {
        let mut lines = Vec::new();
        let wanted = state.map_or_else(|| UNDONE.to_vec(), |state| vec![state.into()]);
        for state in wanted {
            lines.extend(self.in_state(state).await?.iter().map(Line::of));
        }
        if self.json {
            say_json(&lines)?;
        } else if lines.is_empty() {
            say("nothing waits for the CRM");
        } else {
            lines.iter().for_each(say);
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn in_state(&self, state: UploadState) -> Result<Vec<Stored<Upload>>, Failure> {
        all_pages(async |after| self.outbox.list(&Scope::Everything, Some(state), after, MAX_PAGE).await)
            .await
    }

    async fn retry(&self, which: &str) -> CommandResult {
        let parked = match which {
            ALL => self.in_state(UploadState::Parked).await?,
            which => vec![self.parked(which).await?],
        };
        let mut lines = Vec::new();
        for stored in &parked {
            self.retry_one(&stored.record).await?;
            let now = self.outbox.get(&stored.record.session_id).await.map_err(store_failed)?;
            lines.extend(now.as_ref().map(Line::of));
        }
        if self.json {
            say_json(&lines)?;
        } else {
            lines.iter().for_each(say);
            say(format_args!("{} to be tried again", lines.len()));
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn parked(&self, which: &str) -> Result<Stored<Upload>, Failure> {
        let call = CallId::new(which.strip_suffix(":crm").unwrap_or(which));
        let found = match self.outbox.get(&call).await.map_err(store_failed)? {
            Some(found) => Some(found),
            None => self.outbox.named(&CrmCallId::new(which)).await.map_err(store_failed)?,
        };
        let found = found.ok_or_else(|| {
            Failure::new(format!(
                "there is no upload {which:?}; `clearline uploads list` shows those there are"
            ))
        })?;
        match found.record.progress.state {
            UploadState::Parked => Ok(found),
            state @ (UploadState::Open | UploadState::Due | UploadState::Amendable | UploadState::Done) => {
                let state = state.as_str();
                Err(Failure::new(format!("only what is parked is tried again; {which} is {state}")))
            }
        }
    }

    async fn retry_one(&self, upload: &Upload) -> Result<(), Failure> {
        let subject = Subject::new(&OUTBOX, &upload.id, upload.crm_call_id.as_str());
        let change = Change::new(by_this_person(), "upload.retry", Effect::Changed, subject);
        let change = change.of_tenant(upload.tenant_id.clone());
        let retry = async |entry: &Entry| self.outbox.retry(entry, &upload.session_id).await;
        Audit::new(self.store.store.clone()).record(change, retry).await.map_err(store_failed)?;
        Ok(())
    }

    async fn report(&self) -> CommandResult {
        let calls = Calls::new(self.store.store.clone());
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            let page = report_uploads(&calls, &self.outbox, None, after, MAX_PAGE).await;
            let UploadReport { lines, next } = page.map_err(store_failed)?;
            all.extend(lines.into_iter().map(Missing::from));
            after = next;
            if after.is_none() {
                break;
            }
        }
        if self.json {
            say_json(&all)?;
        } else if all.is_empty() {
            say("every recording has its entry in the CRM");
        } else {
            all.iter().for_each(say);
        }
        Ok(ExitCode::SUCCESS)
    }
}

impl Line {
    fn of(Stored { record: upload, updated_at, .. }: &Stored<Upload>) -> Self {
        let told = upload.told();
        Self {
            id: upload.id.clone(),
            crm_call_id: upload.crm_call_id.clone(),
            call_id: upload.session_id.clone(),
            state: told.state,
            recording_url: told.recording_url,
            reason: told.reason,
            updated_at: updated_at.to_string(),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason.as_deref().unwrap_or_default();
        write!(
            f,
            "{:<26}  {:<9}  {}  {}  {reason}",
            self.crm_call_id.as_str(),
            self.state.as_str(),
            self.updated_at,
            self.call_id
        )
    }
}

impl From<WithoutEntry> for Missing {
    fn from(line: WithoutEntry) -> Self {
        Self {
            call_id: line.call,
            call_start_time: line.call_start_time.to_string(),
            recording_filename: line.recording_filename,
            state: line.state,
            reason: line.reason,
        }
    }
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.map_or("never meant to be told", UploadState::as_str);
        let reason = self.reason.as_deref().unwrap_or_default();
        write!(
            f,
            "{}  {}  {}  {state}  {reason}",
            self.call_id, self.call_start_time, self.recording_filename
        )
    }
}
