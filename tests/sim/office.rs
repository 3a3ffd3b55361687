//! Who may have a call and with whose key, as the CallSupervisor and the KeyPool have it: `call::registry` and `keys`.

use std::collections::BTreeSet;
use std::time::Instant;

use clearline::call::registry::{AdmissionRefused, AfterCrash, Registry};
use clearline::domain::{CallId, Direction, LeaseId, Secret, Timestamp};
use clearline::keys::{
    Failure, Fingerprints, Granted, Input, KeyRing, KeySource, Output, Refusal, SlotId, SlotNews, SlotOrder,
    TakenSlot,
};

use crate::climate::{self, Climate};
use crate::sabotage::Sabotage;
use crate::tally::{Seen, Tally};

pub(crate) struct Office {
    registry: Registry,
    ring: KeyRing,
    store: Store,
    sabotage: Option<Sabotage>,
    pub(crate) tally: Tally,
}

/// The slots that are taken.
#[derive(Default)]
struct Store(BTreeSet<SlotId>);

impl Store {
    fn carry_out(&mut self, order: SlotOrder) -> SlotNews {
        match order {
            SlotOrder::Claim { slot, .. } if self.0.insert(slot.clone()) => SlotNews::Claimed(slot),
            SlotOrder::Claim { slot, .. } => SlotNews::Lost(slot),
            SlotOrder::GiveBack { slot } => {
                assert!(self.0.remove(&slot), "{slot:?} was not taken");
                SlotNews::GivenBack(slot)
            }
            SlotOrder::See { project } => {
                let taken = self.0.iter().filter(|slot| slot.project == project);
                let taken = taken.map(|slot| TakenSlot { slot: slot.clone(), ours: true }).collect();
                SlotNews::Seen { project, taken }
            }
        }
    }
}

impl Office {
    pub(crate) fn new(climate: &Climate, calls: usize, sabotage: Option<Sabotage>) -> Self {
        Self {
            registry: Registry::new(climate.registry(calls)),
            ring: KeyRing::new(climate::pool(), climate.keys(), Fingerprints::new("of the world")),
            store: Store::default(),
            sabotage,
            tally: Tally::default(),
        }
    }

    pub(crate) fn admit(&mut self, call: &CallId, direction: Direction) -> Result<(), AdmissionRefused> {
        self.registry.admit(call.clone(), direction)
    }

    pub(crate) fn lease(&mut self, owner: usize, call: &CallId, now: Instant) -> Result<Granted, Refusal> {
        let owner_key = climate::key_of(owner);
        self.ring.handle(Input::Ask { call: call.clone(), owner_key }, now);
        let granted = self.settle(now).expect("a store that answers leads to an answer")?;
        if granted.source != KeySource::Own {
            self.tally.count(Seen::DefaultKeysUsed, 1);
        }
        Ok(granted)
    }

    pub(crate) fn key_refused(&mut self, key: &Secret, failure: Failure, now: Instant) {
        self.tally.count(Seen::KeysReported, 1);
        self.ring.report_failure(key, failure, now, Timestamp::from_millis(0));
    }

    pub(crate) fn session_died(&mut self, call: &CallId, now: Instant) -> AfterCrash {
        self.registry.session_died(call, now)
    }

    pub(crate) fn give_back(&mut self, lease: &LeaseId, now: Instant) {
        if self.sabotage != Some(Sabotage::LeaseIsKept) {
            self.ring.handle(Input::Return(lease.clone()), now);
            assert!(self.settle(now).is_none(), "nobody has asked");
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
        self.ring.leases()
    }

    /// The store has what is asked for at once: this engine is alone.
    fn settle(&mut self, now: Instant) -> Option<Result<Granted, Refusal>> {
        let mut answered = None;
        while let Some(output) = self.ring.poll_output() {
            match output {
                Output::Answer { answer, .. } => answered = Some(answer),
                Output::Slot(order) => self.ring.handle(Input::Slot(self.store.carry_out(order)), now),
                Output::LeaseLost { call, .. } => panic!("{call} lost its lease to nobody"),
            }
        }
        answered
    }
}
