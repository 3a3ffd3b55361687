//! Who may have a call and with whose key, as the CallSupervisor and the KeyPool have it: `call::registry` and `keys`.

use std::time::Instant;

use clearline::call::registry::{AdmissionRefused, AfterCrash, Registry};
use clearline::domain::{CallId, Direction, LeaseId, Secret};
use clearline::keys::{Failure, Granted, KeyRing, KeySource, Refusal};

use crate::climate::{Climate, Owner};
use crate::sabotage::Sabotage;
use crate::tally::{Seen, Tally};

pub(crate) struct Office {
    registry: Registry,
    ring: KeyRing,
    owners: Vec<Owner>,
    sabotage: Option<Sabotage>,
    pub(crate) tally: Tally,
}

impl Office {
    pub(crate) fn new(climate: &Climate, sabotage: Option<Sabotage>) -> Self {
        Self {
            registry: Registry::new(climate.registry),
            ring: KeyRing::new(climate.pool(), climate.keys),
            owners: climate.owners.clone(),
            sabotage,
            tally: Tally::default(),
        }
    }

    pub(crate) fn admit(&mut self, call: &CallId, direction: Direction) -> Result<(), AdmissionRefused> {
        self.registry.admit(call.clone(), direction)
    }

    pub(crate) fn lease(&mut self, owner: usize, call: &CallId, now: Instant) -> Result<Granted, Refusal> {
        let granted = self.ring.lease(self.owners[owner].key.as_ref(), call, now)?;
        if granted.source != KeySource::Own {
            self.tally.count(Seen::DefaultKeysUsed, 1);
        }
        Ok(granted)
    }

    pub(crate) fn key_refused(&mut self, key: &Secret, failure: Failure, now: Instant) {
        self.tally.count(Seen::KeysReported, 1);
        self.ring.report_failure(key, failure, now);
    }

    pub(crate) fn session_died(&mut self, call: &CallId, now: Instant) -> AfterCrash {
        self.registry.session_died(call, now)
    }

    pub(crate) fn give_back(&mut self, lease: &LeaseId) {
        if self.sabotage != Some(Sabotage::LeaseIsKept) {
            self.ring.release(lease);
        }
    }

    pub(crate) fn ended(&mut self, call: &CallId) {
        if self.sabotage != Some(Sabotage::CallStaysRegistered) {
            self.registry.ended(call);
        }
    }

    pub(crate) fn calls(&self) -> usize {
        self.registry.len()
    }

    pub(crate) fn leases(&self) -> usize {
        self.ring.in_use().values().map(|sessions| *sessions as usize).sum()
    }
}
