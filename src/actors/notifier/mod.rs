//! Brings notifications to their subscribers: the shell of `crm::notifications::Deliveries`, one for each subscriber.
//!
//! What there is to do lies in the outbox ([`sweep`]); each call is claimed there towards its subscriber, the earliest of
//! its notifications posted on the runtime `io`, and what came of it noted there ([`desk`]). What has lain there for too
//! long is put away by [`tidy`].

mod desk;
mod sweep;
mod tidy;

use std::sync::Arc;
use std::time::Duration;

use actix::prelude::*;
use tokio::sync::Notify;

use crate::clock;
use crate::crm::notifications::{Deliveries, DeliveryInput, DeliveryLimits, DeliveryOutput};
use crate::domain::{Entropy, SubscriberName};
use crate::keys::NodeWatch;
use crate::net::subscriber_http::Recipient;
use crate::store::Nodes;
use crate::telemetry::{Gauge, metrics};

use super::alarm::Alarm;
use super::backlog::BacklogFigures;
use super::guard::guarded;
use super::readiness::{Readiness, Warning};
use super::{QueueNow, SERVICE_MAILBOX_SIZE};

use desk::Desk;
pub use desk::PostOffice;
use sweep::{Looked, Sweep};
pub use tidy::NotificationKeeper;

/// Calls in the queue of one subscriber; beyond them the outbox keeps what is due.
const HELD_MAX: usize = 1_000;

pub struct NotifierParts {
    pub office: PostOffice,
    pub recipients: Vec<(SubscriberName, Recipient)>,
    pub nodes: Nodes,
    pub dead_after: Duration,
    /// The outbox is looked at this often.
    pub look_every: Duration,
    /// For each subscriber.
    pub parallel: usize,
    pub bell: Arc<Notify>,
    pub readiness: Readiness,
    pub entropy: Entropy,
}

pub struct Notifier {
    lanes: Vec<Lane>,
    limits: DeliveryLimits,
    entropy: Entropy,
    bell: Arc<Notify>,
    readiness: Readiness,
    alarm: Alarm,
}

/// All that concerns one subscriber.
struct Lane {
    machine: Deliveries,
    desk: Desk,
    sweep: Arc<Sweep>,
    is_told_to_be_down: bool,
    looks: u64,
    figures: BacklogFigures,
}

impl Notifier {
    pub fn new(parts: NotifierParts) -> Self {
        let NotifierParts {
            office,
            recipients,
            nodes,
            dead_after,
            look_every,
            parallel,
            bell,
            readiness,
            mut entropy,
        } = parts;
        let limits = DeliveryLimits { parallel, held_max: HELD_MAX, look_every };
        let lanes = recipients.into_iter().map(|(subscriber, recipient)| {
            let desk = Desk { office: office.clone(), subscriber, recipient };
            let watch = NodeWatch::new(office.run.0.clone(), office.run.1.clone(), dead_after);
            Lane {
                machine: Deliveries::new(limits, entropy.fork(), clock::now()),
                sweep: Arc::new(Sweep::new(nodes.clone(), watch, desk.clone(), HELD_MAX)),
                desk,
                is_told_to_be_down: false,
                looks: 0,
                figures: BacklogFigures::default(),
            }
        });
        let lanes = lanes.collect();
        Self { lanes, limits, entropy, bell, readiness, alarm: Alarm::default() }
    }

    fn step(&mut self, at: usize, input: DeliveryInput, ctx: &mut Context<Self>) {
        let now = clock::now();
        let Some(lane) = self.lanes.get_mut(at) else { return };
        if guarded(&lane.desk.subscriber, || lane.machine.handle(input, now)).is_err() {
            // The outbox knows everything that the queue has lost.
            lane.machine = Deliveries::new(self.limits, self.entropy.fork(), now);
        }
        while let Some(output) = self.lanes.get_mut(at).and_then(|lane| lane.machine.poll_output()) {
            self.perform(at, output, ctx);
        }
        self.tell_health();
        self.set_alarm(ctx);
    }

    fn step_all(&mut self, input: fn() -> DeliveryInput, ctx: &mut Context<Self>) {
        (0..self.lanes.len()).for_each(|at| self.step(at, input(), ctx));
    }

    fn set_alarm(&mut self, ctx: &mut Context<Self>) {
        let at = self.lanes.iter().filter_map(|lane| lane.machine.next_timeout()).min();
        self.alarm.set(at, ctx, |notifier, ctx| {
            notifier.alarm.rang();
            notifier.step_all(|| DeliveryInput::Tick, ctx);
        });
    }

    fn perform(&mut self, at: usize, output: DeliveryOutput, ctx: &mut Context<Self>) {
        let Some(lane) = self.lanes.get(at) else { return };
        let desk = lane.desk.clone();
        match output {
            DeliveryOutput::Look => {
                let sweep = Arc::clone(&lane.sweep);
                let looking = async move { sweep.look().await };
                ctx.spawn(looking.into_actor(self).map(move |looked, notifier, ctx| {
                    let Looked { found, more, figures } = looked;
                    if let Some(lane) = notifier.lanes.get_mut(at) {
                        lane.looks += 1;
                        lane.figures = figures.unwrap_or(lane.figures);
                    }
                    notifier.step(at, DeliveryInput::Found(found), ctx);
                    notifier.step(at, DeliveryInput::Looked { more }, ctx);
                }));
            }
            DeliveryOutput::Post { call } => {
                let posting = async move { desk.post(call).await };
                ctx.spawn(
                    posting.into_actor(self).map(move |input, notifier, ctx| notifier.step(at, input, ctx)),
                );
            }
            DeliveryOutput::Settle { call, id, settlement } => {
                let noting = async move { desk.settle(call, id, settlement).await };
                ctx.spawn(
                    noting.into_actor(self).map(move |input, notifier, ctx| notifier.step(at, input, ctx)),
                );
            }
            DeliveryOutput::Release { call } => {
                let releasing = async move { desk.release(&call).await };
                ctx.spawn(releasing.into_actor(self));
            }
        }
    }

    /// Once for each change; a subscriber that is down keeps no call from being taken.
    fn tell_health(&mut self) {
        for lane in &mut self.lanes {
            let (subscriber, trouble) = (&lane.desk.subscriber, lane.machine.trouble());
            match (lane.is_told_to_be_down, trouble) {
                (false, Some(reason)) => {
                    tracing::warn!(%subscriber, reason, "a subscriber does not take its notifications; they wait");
                }
                (true, None) => tracing::info!(%subscriber, "a subscriber takes its notifications again"),
                (false, None) | (true, Some(_)) => {}
            }
            lane.is_told_to_be_down = trouble.is_some();
        }
        let down = self.lanes.iter().filter(|lane| lane.is_told_to_be_down).count();
        let held: usize = self.lanes.iter().map(|lane| lane.machine.held()).sum();
        metrics().set(Gauge::SubscribersDown, i64::try_from(down).unwrap_or(i64::MAX));
        metrics().set(Gauge::NotificationsHeld, i64::try_from(held).unwrap_or(i64::MAX));
        let figures = || self.lanes.iter().map(|lane| lane.figures);
        metrics().set(Gauge::NotificationsParkedNow, figures().map(|it| it.parked).sum());
        let oldest = figures().map(|it| it.oldest_due_s).max().unwrap_or(0);
        metrics().set(Gauge::NotificationsOldestDue, oldest);
        let text = "a subscriber does not take its notifications; they wait in the outbox";
        self.readiness.set_warning(Warning::Subscribers, (down > 0).then_some(text));
    }

    fn listen_for_the_bell(&self, ctx: &mut Context<Self>) {
        let bell = Arc::clone(&self.bell);
        let ringing = async move { bell.notified().await };
        ctx.spawn(ringing.into_actor(self).map(|(), notifier, ctx| {
            notifier.step_all(|| DeliveryInput::Rung, ctx);
            notifier.listen_for_the_bell(ctx);
        }));
    }
}

impl Actor for Notifier {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(SERVICE_MAILBOX_SIZE);
        self.listen_for_the_bell(ctx);
        self.step_all(|| DeliveryInput::Tick, ctx);
    }
}

impl Supervised for Notifier {}

/// How far this engine is with telling those subscribers that take something. `None`: there are no subscribers.
#[derive(Message)]
#[rtype(result = "Option<QueueNow>")]
pub struct AskNotifications;

impl Handler<AskNotifications> for Notifier {
    type Result = Option<QueueNow>;

    fn handle(&mut self, _: AskNotifications, _: &mut Context<Self>) -> Self::Result {
        let looks = self.lanes.iter().map(|lane| lane.looks).min()?;
        let up = || self.lanes.iter().filter(|lane| !lane.is_told_to_be_down);
        let held = up().map(|lane| lane.machine.held()).sum();
        Some(QueueNow { held, looks, is_down: up().next().is_none() })
    }
}

/// A person has had something tried again: it need not wait for the next look.
#[derive(Message)]
#[rtype(result = "()")]
pub struct NotificationIsDue;

impl Handler<NotificationIsDue> for Notifier {
    type Result = ();

    fn handle(&mut self, _: NotificationIsDue, ctx: &mut Context<Self>) {
        self.step_all(|| DeliveryInput::Rung, ctx);
    }
}

/// Nothing new is begun. Answered with how many calls something is still under way for.
#[derive(Message)]
#[rtype(result = "usize")]
pub struct StopNotifications;

impl Handler<StopNotifications> for Notifier {
    type Result = usize;

    fn handle(&mut self, _: StopNotifications, ctx: &mut Context<Self>) -> usize {
        self.step_all(|| DeliveryInput::Stop, ctx);
        self.lanes.iter().map(|lane| lane.machine.under_way()).sum()
    }
}
