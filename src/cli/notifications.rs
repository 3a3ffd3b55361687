//! `clearline notifications`: events of calls on their way to subscribers (SPEC I10).

use std::fmt;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use serde::Serialize;

use crate::access::Scope;
use crate::domain::{CallId, EventKind, NotificationId, NotificationState, SubscriberName};
use crate::engine::OpenStore;
use crate::store::{
    Audit, Change, Effect, Entry, MAX_PAGE, NOTIFICATIONS, Notification, Notifications as Outbox, Stored,
    Subject,
};

use super::CommandResult;
use super::common::{Failure, JsonAndSettings, all_pages, open_store, say, say_json, store_failed};
use super::user::by_this_person;

pub(super) const EXAMPLES: &str = "Examples:
  clearline notifications list                    what waits for its subscriber or was refused, and why
  clearline notifications list --state delivered  what they have heard lately
  clearline notifications retry all               have everything that is parked tried again
  clearline notifications retry CALL_ID           what is parked of this call, also by its name in the CRM

docs/NOTIFICATIONS.md tells what is posted and how to check it. A running engine takes up what is to be tried again within
five seconds.";

#[derive(Args)]
pub(super) struct Notifications {
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Print what waits for its subscriber, was taken, or was refused; newest first
    List(List),
    /// Have parked notifications tried again
    Retry(Retry),
}

#[derive(Args)]
struct List {
    /// Only those in this state; left out: all but those that are delivered
    #[arg(long, value_enum)]
    state: Option<StateName>,
    #[command(flatten)]
    common: JsonAndSettings,
}

#[derive(Args)]
struct Retry {
    /// A notification's id, as the list has it; the webhook-id that the receiver was sent; a call's id for all that is parked of it;
    /// or "all"
    which: String,
    #[command(flatten)]
    common: JsonAndSettings,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum StateName {
    Due,
    Delivered,
    Parked,
}

impl From<StateName> for NotificationState {
    fn from(name: StateName) -> Self {
        match name {
            StateName::Due => Self::Due,
            StateName::Delivered => Self::Delivered,
            StateName::Parked => Self::Parked,
        }
    }
}

const UNDONE: [NotificationState; 2] = [NotificationState::Parked, NotificationState::Due];
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
    id: NotificationId,
    /// What the receiver knows it by.
    event_id: String,
    event: EventKind,
    call_id: CallId,
    subscriber: SubscriberName,
    state: NotificationState,
    reason: Option<String>,
    updated_at: String,
}

impl Notifications {
    pub(super) fn run(self) -> CommandResult {
        actix::System::new().block_on(async {
            match self.action {
                Action::List(List { state, common }) => Desk::open(common).await?.list(state).await,
                Action::Retry(Retry { which, common }) => Desk::open(common).await?.retry(&which).await,
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
        let wanted = state.map_or_else(|| UNDONE.to_vec(), |state| vec![state.into()]);
        let mut lines = Vec::new();
        for state in wanted {
            lines.extend(self.in_state(state).await?.iter().map(Line::of));
        }
        if self.json {
            say_json(&lines)?;
        } else if lines.is_empty() {
            say("nothing waits for a subscriber");
        } else {
            lines.iter().for_each(say);
        }
        Ok(ExitCode::SUCCESS)
    }

    /// Whoever types at the engine's own machine sees everybody's.
    async fn in_state(&self, state: NotificationState) -> Result<Vec<Stored<Notification>>, Failure> {
        all_pages(async |after| self.outbox.list(&Scope::Everything, Some(state), after, MAX_PAGE).await)
            .await
    }

    async fn retry(&self, which: &str) -> CommandResult {
        let parked = match which {
            ALL => self.in_state(NotificationState::Parked).await?,
            which => self.parked(which).await?,
        };
        let mut lines = Vec::new();
        for stored in &parked {
            lines.extend(self.retry_one(&stored.record).await?.as_ref().map(Line::of));
        }
        if self.json {
            say_json(&lines)?;
        } else {
            lines.iter().for_each(say);
            say(format_args!("{} to be tried again", lines.len()));
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn parked(&self, which: &str) -> Result<Vec<Stored<Notification>>, Failure> {
        let found = self.outbox.named(which).await.map_err(store_failed)?;
        let Some(first) = found.first() else {
            return Err(Failure::new(format!(
                "there is no notification {which:?}, and no call that has any; `clearline notifications list` shows those \
                 there are"
            )));
        };
        let state = first.record.state.as_str();
        let is_parked = |stored: &Stored<Notification>| stored.record.state == NotificationState::Parked;
        let parked: Vec<_> = found.into_iter().filter(is_parked).collect();
        if parked.is_empty() {
            return Err(Failure::new(format!("only what is parked is tried again; {which} is {state}")));
        }
        Ok(parked)
    }

    async fn retry_one(&self, parked: &Notification) -> Result<Option<Stored<Notification>>, Failure> {
        let subject = Subject::new(&NOTIFICATIONS, parked.id.as_str(), &parked.event_id);
        let change = Change::new(by_this_person(), "notification.retry", Effect::Changed, subject);
        let change = change.of_tenant(parked.tenant_id.clone());
        let retry = async |entry: &Entry| self.outbox.retry(entry, &parked.id).await;
        Audit::new(self.store.store.clone()).record(change, retry).await.map_err(store_failed)
    }
}

impl Line {
    fn of(Stored { record, updated_at, .. }: &Stored<Notification>) -> Self {
        Self {
            id: record.id.clone(),
            event_id: record.event_id.clone(),
            event: record.event,
            call_id: record.session_id.clone(),
            subscriber: record.subscriber.clone(),
            state: record.state,
            reason: record.reason.clone(),
            updated_at: updated_at.to_string(),
        }
    }
}

impl fmt::Display for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reason = self.reason.as_deref().unwrap_or_default();
        write!(f, "{}  {:<9}  {}  {reason}", self.id, self.state.as_str(), self.updated_at)
    }
}
