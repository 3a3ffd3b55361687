//! Brings calls that are over to the CRM: the shell of `crm::Uploads`.
//!
//! What there is to do lies in the outbox ([`sweep`]); each step is claimed there, sent on the runtime `io`, and what came
//! of it noted there ([`desk`]); what is long done is put away by [`tidy`]. Without a CRM only the outbox is kept in order: what is due waits in it, visibly.

mod desk;
mod sweep;
mod tidy;

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::Notify;

use crate::clock;
use crate::crm::{Health, Input, Limits, Output, Uploads};
use crate::domain::{CallId, Entropy};
use crate::telemetry::{Gauge, metrics};

use super::alarm::Alarm;
use super::guard::guarded;
use super::readiness::{Readiness, Warning};
use super::{QueueNow, SERVICE_MAILBOX_SIZE};

pub use desk::Desk;
use sweep::Sweep;
pub use sweep::SweepParts;
pub use tidy::UploadKeeper;

/// Calls in the queue; beyond them the outbox keeps what is due.
const HELD_MAX: usize = 1_000;

pub struct UploaderParts {
    pub desk: Desk,
    pub sweep: SweepParts,
    /// The outbox is looked at this often.
    pub look_every: Duration,
    pub parallel: usize,
    pub amend: bool,
    pub bell: Arc<Notify>,
    pub readiness: Readiness,
    pub entropy: Entropy,
}

pub struct Uploader {
    machine: Uploads,
    limits: Limits,
    entropy: Entropy,
    desk: Desk,
    sweep: Arc<Sweep>,
    bell: Arc<Notify>,
    readiness: Readiness,
    alarm: Alarm,
    told: Health,
    looks: u64,
}

impl Uploader {
    pub fn new(parts: UploaderParts) -> Self {
        let UploaderParts { desk, sweep, look_every, parallel, amend, bell, readiness, entropy } = parts;
        let limits = Limits { parallel, amend, held_max: HELD_MAX, look_every };
        let mut entropy = entropy;
        Self {
            machine: Uploads::new(limits, entropy.fork(), clock::now()),
            limits,
            entropy,
            sweep: Arc::new(Sweep::new(sweep, desk.clone(), HELD_MAX)),
            desk,
            bell,
            readiness,
            alarm: Alarm::default(),
            told: Health::default(),
            looks: 0,
        }
    }

    fn step(&mut self, input: Input, ctx: &mut Context<Self>) {
        let now = clock::now();
        if guarded("uploads", || self.machine.handle(input, now)).is_err() {
            return ctx.stop();
        }
        while let Some(output) = self.machine.poll_output() {
            self.perform(output, ctx);
        }
        self.tell_health();
        let at = self.machine.next_timeout();
        self.alarm.set(at, ctx, |uploader, ctx| {
            uploader.alarm.rang();
            uploader.step(Input::Tick, ctx);
        });
    }

    fn perform(&mut self, output: Output, ctx: &mut Context<Self>) {
        let desk = self.desk.clone();
        match output {
            Output::Look => {
                let sweep = Arc::clone(&self.sweep);
                let looking = async move { sweep.look().await };
                ctx.spawn(looking.into_actor(self).map(|(found, more), uploader, ctx| {
                    uploader.looks += 1;
                    uploader.step(Input::Found(found), ctx);
                    uploader.step(Input::Looked { more }, ctx);
                }));
            }
            Output::Post { call, step, progress } => {
                let posting = async move { desk.post(call, step, progress).await };
                ctx.spawn(posting.into_actor(self).map(|input, uploader, ctx| uploader.step(input, ctx)));
            }
            Output::Settle { call, settled } => {
                let noting = async move { desk.settle(call, settled).await };
                ctx.spawn(noting.into_actor(self).map(|input, uploader, ctx| uploader.step(input, ctx)));
            }
            Output::Release { call, step } => {
                let releasing = async move { desk.release(&call, step).await };
                ctx.spawn(releasing.into_actor(self));
            }
        }
    }

    /// Once for each change; a CRM that is down keeps no call from being taken.
    fn tell_health(&mut self) {
        let health = self.machine.health();
        metrics().set(Gauge::UploadsHeld, i64::try_from(self.machine.held()).unwrap_or(i64::MAX));
        if health == self.told {
            return;
        }
        match (self.told.trouble(), health.trouble()) {
            (None, Some(reason)) => {
                tracing::warn!(reason, "the CRM does not take what it is sent; calls wait in the outbox");
            }
            (Some(_), None) => tracing::info!("the CRM takes what it is sent again"),
            (Some(_), Some(_)) | (None, None) => {}
        }
        metrics().set(Gauge::CrmDown, i64::from(health.trouble().is_some()));
        let text = "the CRM does not take what it is sent; ended calls wait in the outbox";
        self.readiness.set_warning(Warning::Crm, health.trouble().map(|_| text));
        self.told = health;
    }
}

impl Actor for Uploader {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(SERVICE_MAILBOX_SIZE);
        // Without a CRM nothing is done that could not wait for the next look.
        if self.desk.crm.is_some() {
            self.listen_for_the_bell(ctx);
        }
        self.step(Input::Tick, ctx);
    }
}

impl Uploader {
    fn listen_for_the_bell(&self, ctx: &mut Context<Self>) {
        let bell = Arc::clone(&self.bell);
        let ringing = async move { bell.notified().await };
        ctx.spawn(ringing.into_actor(self).map(|(), uploader, ctx| {
            uploader.step(Input::Rung, ctx);
            uploader.listen_for_the_bell(ctx);
        }));
    }
}

/// The outbox knows everything that the queue has lost.
impl Supervised for Uploader {
    fn restarting(&mut self, _: &mut Context<Self>) {
        self.machine = Uploads::new(self.limits, self.entropy.fork(), clock::now());
        self.alarm = Alarm::default();
    }
}

/// How far this engine is with telling the CRM. `None`: there is no CRM to be told.
#[derive(Message)]
#[rtype(result = "Option<QueueNow>")]
pub struct AskUploads;

impl Handler<AskUploads> for Uploader {
    type Result = Option<QueueNow>;

    fn handle(&mut self, _: AskUploads, _: &mut Context<Self>) -> Self::Result {
        let is_down = self.told.trouble().is_some();
        self.desk.crm.as_ref().map(|_| QueueNow { held: self.machine.held(), looks: self.looks, is_down })
    }
}

/// A person has had something tried again, or a recording turned up: it need not wait for the next look.
#[derive(Message)]
#[rtype(result = "()")]
pub struct UploadIsDue;

impl Handler<UploadIsDue> for Uploader {
    type Result = ();

    fn handle(&mut self, _: UploadIsDue, ctx: &mut Context<Self>) {
        self.step(Input::Rung, ctx);
    }
}

/// Nothing new is begun. Answered with how many calls something is still under way for.
#[derive(Message)]
#[rtype(result = "usize")]
pub struct StopUploads;

impl Handler<StopUploads> for Uploader {
    type Result = usize;

    fn handle(&mut self, _: StopUploads, ctx: &mut Context<Self>) -> usize {
        self.step(Input::Stop, ctx);
        self.machine.under_way()
    }
}

/// For logs: one call's, without what is said in it.
fn log_settled(call: &CallId, what: &str, step: crate::crm::Step) {
    tracing::info!(%call, %step, "{what}");
}
