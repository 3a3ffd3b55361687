//! Gives calls their key and a session slot of its project, in agreement with the other engines of the store; the shell
//! of `keys::KeyRing` and `keys::NodeWatch`.
//!
//! What the ring orders of the store is done beside the mailbox, and its outcome told to the ring. Every beat this
//! engine gives its sign of life, looks who has which slot, and frees what belongs to engines that are gone. More often
//! than that engines tell each other, over the store, which keys the model has refused.

mod desk;

use std::collections::{BTreeSet, HashMap};
use std::time::{Duration, Instant};

use actix::prelude::*;
use tokio::sync::oneshot;

use crate::clock;
use crate::domain::{CallId, LeaseId, Secret};
use crate::keys::{self, Failure, Granted, Input, KeyLimits, KeyRing, NodeWatch, Output, Refusal, SlotNews};
use crate::store::{Lease, StoreError};
use crate::telemetry::{Counter, count};

use super::guard::guarded;
use desk::Sight;

/// What one engine hears about a key, all know within two seconds.
const TROUBLES_PAUSE: Duration = Duration::from_secs(1);

pub use desk::KeyDesk;

pub struct KeyPool {
    ring: KeyRing,
    watch: NodeWatch,
    desk: KeyDesk,
    beat_pause: Duration,
    beat: Beat,
    /// Calls that wait for their key; as many as the supervisor prepares at once.
    asking: HashMap<CallId, oneshot::Sender<Result<Granted, LeaseRefused>>>,
    timer: Option<(Instant, SpawnHandle)>,
    /// Said once, until the store answers again.
    store_complained: bool,
}

#[derive(Default)]
struct Beat {
    number: u64,
    /// The version of our sign, once it is written.
    known: Option<u64>,
    /// The engine ends: no sign any more.
    over: bool,
}

impl KeyPool {
    pub fn new(ring: KeyRing, desk: KeyDesk, beat_pause: Duration, dead_after: Duration) -> Self {
        let watch = NodeWatch::new(desk.node.clone(), desk.start.clone(), dead_after);
        let (beat, asking) = (Beat::default(), HashMap::new());
        Self { ring, watch, desk, beat_pause, beat, asking, timer: None, store_complained: false }
    }

    fn apply(&mut self, input: Input, ctx: &mut Context<Self>) {
        self.ring.handle(input, clock::now());
        self.drain(ctx);
    }

    fn drain(&mut self, ctx: &mut Context<Self>) {
        while let Some(output) = self.ring.poll_output() {
            match output {
                Output::Answer { call, answer } => self.answer(&call, answer),
                Output::LeaseLost { call, project } => {
                    count(Counter::KeyLeasesLost);
                    tracing::warn!(%call, %project, "other engines took this call's session for free; it goes on");
                }
                Output::Slot(order) => {
                    let desk = self.desk.clone();
                    let done = async move { desk.carry_out(order).await }.into_actor(self);
                    ctx.spawn(done.map(|news, pool, ctx| pool.hear(news, ctx)));
                }
            }
        }
        self.arm_timer(ctx);
    }

    fn hear(&mut self, news: SlotNews, ctx: &mut Context<Self>) {
        // What a panic here leaves undone, the next look mends.
        drop(guarded("news of a slot", || self.ring.handle(Input::Slot(news), clock::now())));
        self.drain(ctx);
    }

    fn answer(&mut self, call: &CallId, answer: Result<Granted, Refusal>) {
        if answer.as_ref().is_ok_and(|granted| !granted.in_store) {
            count(Counter::KeyLeasesUnwritten);
            tracing::warn!(%call, "the store does not answer: other engines do not know of this call's session yet");
        }
        let Some(asker) = self.asking.remove(call) else { return };
        if let Err(Ok(granted)) = asker.send(answer.map_err(LeaseRefused::Key)) {
            self.ring.handle(Input::Return(granted.lease), clock::now());
        }
    }

    fn arm_timer(&mut self, ctx: &mut Context<Self>) {
        let wanted = self.ring.next_timeout();
        if wanted == self.timer.as_ref().map(|(at, _)| *at) {
            return;
        }
        if let Some((_, handle)) = self.timer.take() {
            ctx.cancel_future(handle);
        }
        let Some(at) = wanted else { return };
        let wait = clock::timer_for(at.saturating_duration_since(clock::now()));
        let handle = ctx.run_later(wait, |pool, ctx| {
            pool.timer = None;
            pool.ring.handle_timeout(clock::now());
            pool.drain(ctx);
        });
        self.timer = Some((at, handle));
    }

    fn keep_exchanging_troubles(&mut self, ctx: &mut Context<Self>) {
        let exchange = self.exchange_troubles();
        ctx.spawn(exchange.map(|(), _, ctx| {
            ctx.run_later(clock::timer_for(TROUBLES_PAUSE), Self::keep_exchanging_troubles);
        }));
    }

    fn exchange_troubles(&mut self) -> impl ActorFuture<Self, Output = ()> + use<> {
        let (desk, unsaved) = (self.desk.clone(), self.ring.unsaved_troubles());
        let reading = self.ring.begin_reading_troubles();
        let exchange = async move { desk.exchange_troubles(unsaved).await }.into_actor(self);
        exchange.map(move |exchanged, pool, _| match exchanged {
            Ok((saved, all)) => {
                saved.iter().for_each(|trouble| pool.ring.trouble_saved(trouble));
                pool.ring.learn_troubles(reading, all, clock::now(), clock::unix_time());
            }
            Err(error) => pool.store_failed(&error),
        })
    }

    fn look(&mut self, ctx: &mut Context<Self>) {
        if self.beat.over {
            return;
        }
        self.beat.number += 1;
        let (desk, beat, known) = (self.desk.clone(), self.beat.number, self.beat.known);
        let look = self.ring.begin_look();
        let looking = async move { desk.look(beat, known).await }.into_actor(self);
        ctx.spawn(looking.map(move |sight, pool, ctx| match sight {
            Ok(sight) => pool.looked(look, sight, ctx),
            Err(error) => {
                pool.store_failed(&error);
                pool.look_later(ctx);
            }
        }));
    }

    fn store_failed(&mut self, error: &StoreError) {
        count(Counter::StoreFailures);
        if !std::mem::replace(&mut self.store_complained, true) {
            tracing::warn!(
                %error,
                "engines cannot tell each other of their signs of life and of refused keys: the store does not answer"
            );
        }
    }

    fn look_later(&mut self, ctx: &mut Context<Self>) {
        ctx.run_later(clock::timer_for(self.beat_pause), Self::look);
    }

    fn looked(&mut self, look: u64, sight: Sight, ctx: &mut Context<Self>) {
        self.beat.known = Some(sight.version);
        self.store_complained = false;
        if let Some(rival) = sight.rival {
            tracing::error!(
                node = %self.desk.node, %rival,
                "another engine runs under this one's name, so each takes the other's sessions for free; node.dir must \
                 not be shared between machines or copied: remove the copy and start again"
            );
        }
        let taken = self.desk.taken(&sight.leases);
        self.apply(Input::Slot(SlotNews::Looked { look, taken }), ctx);
        let holders: BTreeSet<_> = sight.leases.iter().map(Lease::run).collect();
        let verdict = self.watch.look(&holders, &sight.signs, clock::now());
        let free: Vec<Lease> =
            sight.leases.into_iter().filter(|lease| verdict.over.contains(&lease.run())).collect();
        let gone: Vec<_> = sight.signs.into_iter().filter(|sign| verdict.gone.contains(&sign.node)).collect();
        let desk = self.desk.clone();
        let freeing = async move { desk.free(free, gone).await }.into_actor(self);
        ctx.spawn(freeing.map(|freed, pool, ctx| match freed {
            // Now they can be had: this engine looks again at once.
            Ok(1..) => pool.look(ctx),
            Ok(0) => pool.look_later(ctx),
            Err(error) => {
                pool.store_failed(&error);
                pool.look_later(ctx);
            }
        }));
    }
}

impl Actor for KeyPool {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(super::SERVICE_MAILBOX_SIZE);
        self.look(ctx);
        self.keep_exchanging_troubles(ctx);
    }
}

impl Supervised for KeyPool {}

/// A call asks for its owner's key and a slot of that key's project.
#[derive(Message)]
#[rtype(result = "Result<Granted, LeaseRefused>")]
pub struct LeaseKey {
    pub call: CallId,
    pub owner_key: Option<Secret>,
}

#[derive(Debug, Clone, thiserror::Error)]
pub enum LeaseRefused {
    #[error(transparent)]
    Key(Refusal),
    #[error("the key pool failed on this call")]
    Fault,
}

impl Handler<LeaseKey> for KeyPool {
    type Result = ResponseFuture<Result<Granted, LeaseRefused>>;

    fn handle(&mut self, LeaseKey { call, owner_key }: LeaseKey, ctx: &mut Context<Self>) -> Self::Result {
        let (answer, answered) = oneshot::channel();
        self.asking.insert(call.clone(), answer);
        let ask = Input::Ask { call: call.clone(), owner_key };
        if guarded(&call, || self.ring.handle(ask, clock::now())).is_err() {
            self.asking.remove(&call);
        }
        self.drain(ctx);
        Box::pin(async move { answered.await.unwrap_or(Err(LeaseRefused::Fault)) })
    }
}

/// The call is over: its slot is free again.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ReturnKey {
    pub lease: LeaseId,
}

impl Handler<ReturnKey> for KeyPool {
    type Result = ();

    fn handle(&mut self, ReturnKey { lease }: ReturnKey, ctx: &mut Context<Self>) {
        self.apply(Input::Return(lease), ctx);
    }
}

/// The model refused a key: its project rests, and its owner's next calls go by the default key.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ReportKey {
    pub key: Secret,
    pub failure: Failure,
}

impl Handler<ReportKey> for KeyPool {
    type Result = ();

    fn handle(&mut self, ReportKey { key, failure }: ReportKey, ctx: &mut Context<Self>) {
        tracing::warn!(%key, ?failure, "the model refused this key");
        self.ring.report_failure(&key, failure, clock::now(), clock::unix_time());
        ctx.spawn(self.exchange_troubles());
    }
}

/// The pool was read again (SPEC K1); leases and cool-downs stay.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ReplaceKeys {
    pub pool: keys::KeyPool,
}

impl Handler<ReplaceKeys> for KeyPool {
    type Result = ();

    fn handle(&mut self, ReplaceKeys { pool }: ReplaceKeys, _: &mut Context<Self>) {
        tracing::info!(keys = pool.keys().len(), "the Google keys were read again");
        self.ring.replace_pool(pool);
    }
}

/// Settings were changed; leases stay.
#[derive(Message)]
#[rtype(result = "()")]
pub struct ReplaceLimits {
    pub limits: KeyLimits,
}

impl Handler<ReplaceLimits> for KeyPool {
    type Result = ();

    fn handle(&mut self, ReplaceLimits { limits }: ReplaceLimits, _: &mut Context<Self>) {
        self.ring.replace_limits(limits);
    }
}

/// The keys as they were read last.
#[derive(Message)]
#[rtype(result = "keys::KeyPool")]
pub struct AskPool;

impl Handler<AskPool> for KeyPool {
    type Result = MessageResult<AskPool>;

    fn handle(&mut self, _: AskPool, _: &mut Context<Self>) -> Self::Result {
        MessageResult(self.ring.pool().clone())
    }
}

/// The engine ends: slots and sign of life go back, so that nobody has to wait until it is taken for dead.
#[derive(Message)]
#[rtype(result = "()")]
pub struct LeaveNode;

impl Handler<LeaveNode> for KeyPool {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, _: LeaveNode, _: &mut Context<Self>) -> Self::Result {
        self.beat.over = true;
        let desk = self.desk.clone();
        Box::pin(async move {
            if let Err(error) = desk.leave().await {
                tracing::warn!(%error, "other engines will take this one for dead: its sessions could not be given back");
            }
        })
    }
}

/// Leak checks and metrics.
#[derive(Message)]
#[rtype(result = "usize")]
pub struct AskLeases;

impl Handler<AskLeases> for KeyPool {
    type Result = usize;

    fn handle(&mut self, _: AskLeases, _: &mut Context<Self>) -> usize {
        self.ring.leases()
    }
}
