//! The one timer of an actor whose machine names the moment it wants to be asked at.

use std::time::Instant;

use actix::prelude::*;

use crate::clock;

#[derive(Default)]
pub(super) struct Alarm {
    set: Option<(Instant, SpawnHandle)>,
}

impl Alarm {
    /// Rings once at `at`, and no more at whatever it was set to before. Most inputs change nothing about the next
    /// moment, and a timer that is made anew costs more than they do.
    pub(super) fn set<A>(
        &mut self,
        at: Option<Instant>,
        ctx: &mut Context<A>,
        ring: fn(&mut A, &mut Context<A>),
    ) where
        A: Actor<Context = Context<A>>,
    {
        if at == self.set.map(|(at, _)| at) {
            return;
        }
        if let Some((_, timer)) = self.set.take() {
            ctx.cancel_future(timer);
        }
        self.set = at.map(|at| {
            let wait = at.saturating_duration_since(clock::now());
            (at, ctx.run_later(clock::timer_for(wait), ring))
        });
    }

    /// What rings must say so before it sets the alarm again: the same moment may be wanted once more.
    pub(super) fn rang(&mut self) {
        self.set = None;
    }
}
