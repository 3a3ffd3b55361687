//! Looks at the outbox: what this engine can go on with, what engines that are gone have left, and calls that ended
//! while nobody who could say so was there.

use std::collections::BTreeMap;
use std::sync::Mutex as StdMutex;
use std::time::Instant;

use tokio::sync::Mutex;

use crate::clock;
use crate::crm::{Found, Upload};
use crate::domain::{CallId, ScheduledCallback, UploadState};
use crate::keys::NodeWatch;
use crate::store::{MAX_PAGE, Nodes, StoreError};
use crate::telemetry::{Counter, Gauge, count, metrics};

use super::super::announcer::Brought;
use super::super::backlog::{Backlog, BacklogFigures};
use super::super::other_engines::{OtherEngines, Run};
use super::Desk;

/// Of others' uploads so many are looked at each time, one page after the other.
const PAGE_OF_OTHERS: usize = 100;
/// Calls that engines which are gone had not begun; more than these are looked for anew.
const NOT_BEGUN_MAX: usize = 1_000;

pub struct SweepParts {
    pub nodes: Nodes,
    pub watch: NodeWatch,
}

pub(super) struct Sweep {
    desk: Desk,
    held_max: usize,
    memory: Mutex<Memory>,
    complained: StdMutex<bool>,
}

/// From look to look.
struct Memory {
    engines: OtherEngines,
    /// Where the next page of others' uploads begins.
    due_after: Option<String>,
    open_after: Option<String>,
    backlog: Backlog,
    /// Since when uploads of runs that are over are seen without their call's record.
    without_record: BTreeMap<CallId, Instant>,
}

impl Sweep {
    pub(super) fn new(parts: SweepParts, desk: Desk, held_max: usize) -> Self {
        let engines = OtherEngines::new(parts.nodes, parts.watch);
        let memory = Memory {
            engines,
            due_after: None,
            open_after: None,
            backlog: Backlog::default(),
            without_record: BTreeMap::new(),
        };
        Self { desk, held_max, memory: Mutex::new(memory), complained: StdMutex::new(false) }
    }

    /// What was found, and whether there is more than the queue takes.
    pub(super) async fn look(&self) -> (Vec<Found>, bool) {
        let mut found = Vec::new();
        let looked = self.look_at_all(&mut found).await;
        let mut complained = self.complained.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        match looked {
            Ok(more) => {
                *complained = false;
                (found, more)
            }
            Err(error) => {
                count(Counter::StoreFailures);
                if !std::mem::replace(&mut *complained, true) {
                    tracing::warn!(%error, "the outbox cannot be looked at; trying again");
                }
                (found, false)
            }
        }
    }

    async fn look_at_all(&self, found: &mut Vec<Found>) -> Result<bool, StoreError> {
        let mut memory = self.memory.lock().await;
        let more = self.own(UploadState::Due, found).await? | self.own(UploadState::Amendable, found).await?;
        let claims = self.desk.outbox.claims().await?;
        let others = self.due_of_others(&mut memory).await?;
        let open = self.page(UploadState::Open, &mut memory.open_after).await?;
        let open: Vec<_> = open.into_iter().filter(|it| run_of(it) != self.desk.run).collect();
        let named = others.iter().chain(&open).map(run_of);
        let seen = memory.engines.look(named, claims.iter().map(|claim| claim.run())).await?;
        self.desk.outbox.free(&claims, &seen.over).await?;
        for upload in open.iter().filter(|upload| seen.over.contains(&run_of(upload))) {
            self.end(upload, &mut memory).await?;
        }
        if self.desk.crm.is_some() {
            let left = others.iter().filter(|upload| seen.is_away(&upload.node));
            found.extend(left.map(|upload| self.found(upload)));
        }
        self.tell_figures(&mut memory.backlog).await?;
        Ok(more)
    }

    /// Oldest first, as many as the queue takes.
    async fn own(&self, state: UploadState, found: &mut Vec<Found>) -> Result<bool, StoreError> {
        if self.desk.crm.is_none() {
            return Ok(false);
        }
        let limit = self.held_max.min(MAX_PAGE);
        let (mut after, mut taken) = (None, 0);
        loop {
            let page = self.desk.outbox.of_node(state, &self.desk.run.0, after, limit).await?;
            taken += page.items.len();
            found.extend(page.items.iter().map(|stored| self.found(&stored.record)));
            after = page.next;
            if after.is_none() || taken >= self.held_max {
                return Ok(after.is_some());
            }
        }
    }

    fn found(&self, upload: &Upload) -> Found {
        Found {
            call: upload.session_id.clone(),
            progress: upload.progress.clone(),
            holds_recording: upload.node == self.desk.run.0,
        }
    }

    /// The oldest lie on the first page.
    async fn due_of_others(&self, memory: &mut Memory) -> Result<Vec<Upload>, StoreError> {
        let is_first = memory.due_after.is_none();
        let due = self.page(UploadState::Due, &mut memory.due_after).await?;
        if is_first {
            memory.backlog.note_due(due.iter().filter_map(|upload| upload.due_since));
        }
        Ok(due.into_iter().filter(|upload| upload.node != self.desk.run.0).collect())
    }

    async fn tell_figures(&self, backlog: &mut Backlog) -> Result<(), StoreError> {
        let after = backlog.parked_after.take();
        let page = self.desk.outbox.in_state(UploadState::Parked, after, PAGE_OF_OTHERS).await?;
        backlog.note_parked(page.items.len(), page.next);
        let BacklogFigures { parked, oldest_due_s } = backlog.figures();
        metrics().set(Gauge::UploadsParkedNow, parked);
        metrics().set(Gauge::UploadsOldestDue, oldest_due_s);
        Ok(())
    }

    /// The next page of all engines'.
    async fn page(&self, state: UploadState, after: &mut Option<String>) -> Result<Vec<Upload>, StoreError> {
        let page = self.desk.outbox.in_state(state, after.take(), PAGE_OF_OTHERS).await?;
        *after = page.next;
        Ok(page.items.into_iter().map(|stored| stored.record).collect())
    }

    /// Nobody who had the call can say any more that it is over; its record can. Without one it never began: nobody is
    /// answered or dialled before it is written.
    async fn end(&self, upload: &Upload, memory: &mut Memory) -> Result<(), StoreError> {
        let call = &upload.session_id;
        let Some(record) = self.desk.calls.get(call).await? else {
            return if memory.is_long_without_record(call) { self.withdraw(upload).await } else { Ok(()) };
        };
        memory.without_record.remove(call);
        if !record.is_over() {
            return Ok(());
        }
        let leads = self.desk.leads.of_session(call, None, MAX_PAGE).await?;
        let leads: Vec<_> = leads.items.into_iter().map(|stored| stored.record).collect();
        let callbacks = ScheduledCallback::of_record_since(&record, 0);
        let brought = Brought { leads: &leads, callbacks: &callbacks };
        self.desk.announcer.tell_of(&record, brought, None).await?;
        let ended = self.desk.outbox.end(call, record.recording_filename.is_some()).await?;
        let Some(upload) = ended else { return Ok(()) };
        self.desk.calls.tell_upload(call, &upload.told()).await
    }

    async fn withdraw(&self, upload: &Upload) -> Result<(), StoreError> {
        let call = &upload.session_id;
        tracing::info!(%call, "an engine that is gone was about to begin this call and had not; its upload is withdrawn");
        self.desk.outbox.withdraw(call).await
    }
}

impl Memory {
    /// A record may still come, from the journal of the engine that is gone, once it starts again.
    fn is_long_without_record(&mut self, call: &CallId) -> bool {
        let now = clock::now();
        if self.without_record.len() >= NOT_BEGUN_MAX {
            self.without_record.clear();
        }
        let since = *self.without_record.entry(call.clone()).or_insert(now);
        let is_long = now.saturating_duration_since(since) >= 2 * self.engines.dead_after();
        if is_long {
            self.without_record.remove(call);
        }
        is_long
    }
}

fn run_of(upload: &Upload) -> Run {
    (upload.node.clone(), upload.start.clone())
}
