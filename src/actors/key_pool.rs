//! Gives calls their key and a session slot of its project; the shell of `keys::KeyRing`.

use actix::prelude::*;

use crate::clock;
use crate::domain::{CallId, LeaseId, Secret};
use crate::keys::{self, Failure, Granted, KeyLimits, KeyRing, Refusal};

use super::guard::guarded;

pub struct KeyPool {
    ring: KeyRing,
}

impl KeyPool {
    pub fn new(ring: KeyRing) -> Self {
        Self { ring }
    }
}

impl Actor for KeyPool {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(super::SERVICE_MAILBOX_SIZE);
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
    type Result = Result<Granted, LeaseRefused>;

    fn handle(&mut self, LeaseKey { call, owner_key }: LeaseKey, _: &mut Context<Self>) -> Self::Result {
        let lease = || self.ring.lease(owner_key.as_ref(), &call, clock::now());
        guarded(&call, lease).map_err(|_| LeaseRefused::Fault)?.map_err(LeaseRefused::Key)
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

    fn handle(&mut self, ReturnKey { lease }: ReturnKey, _: &mut Context<Self>) {
        self.ring.release(&lease);
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

    fn handle(&mut self, ReportKey { key, failure }: ReportKey, _: &mut Context<Self>) {
        tracing::warn!(%key, ?failure, "the model refused this key");
        self.ring.report_failure(&key, failure, clock::now());
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

/// Leak checks and metrics.
#[derive(Message)]
#[rtype(result = "usize")]
pub struct AskLeases;

impl Handler<AskLeases> for KeyPool {
    type Result = usize;

    fn handle(&mut self, _: AskLeases, _: &mut Context<Self>) -> usize {
        self.ring.in_use().values().map(|sessions| *sessions as usize).sum()
    }
}
