//! How a connection ends before its time: by age, and by the faults that were drawn for it.

use std::time::Instant;

use super::super::faults::{Fault, Moment};
use super::super::garbage;
use super::super::refusal::{INTERNAL, POLICY, Refusal};
use super::super::settings::{AgeClose, bounded_ms};
use super::{Alarm, Ending, MAX_ALARMS, Output, Phase, Session};

impl Session {
    /// The faults that wait for the middle of a turn.
    pub(super) fn strike(&mut self, turn: u32) {
        if self.faults.has(&Fault::Garbage) {
            self.outputs.extend(garbage::volley().into_iter().map(Output::Send));
        }
        let due = self.faults.0.iter().find_map(|fault| ending_at(fault, Moment::DuringTurn(turn)));
        if let Some(ending) = due {
            self.finish(ending);
        }
    }

    pub(super) fn plan_old_age(&mut self, now: Instant) {
        let limits = &self.settings.limits;
        let (age, lead) = (limits.connection_age_ms, limits.go_away_lead_ms.min(limits.connection_age_ms));
        let refusal = match limits.age_close {
            AgeClose::Aborted => Refusal::new(POLICY, "The operation was aborted."),
            AgeClose::Deadline => Refusal::new(INTERNAL, "Deadline expired before operation could complete."),
        };
        let warning = Alarm::GoAway { time_left_ms: Some(lead) };
        self.alarm(now + bounded_ms(age - lead), warning);
        self.alarm(now + bounded_ms(age), Alarm::End(Ending::Close(refusal)));
    }

    /// Faults with a time of their own become alarms.
    pub(super) fn schedule(&mut self, fault: &Fault, now: Instant) {
        let after = |ms: u64| now + bounded_ms(ms);
        if let Fault::GoAway { after_ms, time_left_ms, close_after_ms } = fault {
            self.alarm(after(*after_ms), Alarm::GoAway { time_left_ms: *time_left_ms });
            if let Some(close_after_ms) = close_after_ms {
                let aborted = Refusal::new(POLICY, "The operation was aborted.");
                self.alarm(
                    after(after_ms.saturating_add(*close_after_ms)),
                    Alarm::End(Ending::Close(aborted)),
                );
            }
        }
        if let Fault::Close { at: Moment::AfterMs(ms), .. } | Fault::Cut { at: Moment::AfterMs(ms) } = fault
            && let Some(ending) = ending_at(fault, Moment::AfterMs(*ms))
        {
            self.alarm(after(*ms), Alarm::End(ending));
        }
    }

    pub(super) fn inject(&mut self, fault: Fault, now: Instant) {
        if self.phase == Phase::Talking {
            self.schedule(&fault, now);
        }
        if self.faults.0.len() < MAX_ALARMS {
            if let Some(conversation) = &mut self.conversation {
                conversation.add_fault(fault.clone());
            }
            self.faults.0.push(fault);
        }
    }
}

fn ending_at(fault: &Fault, moment: Moment) -> Option<Ending> {
    if let Fault::Close { code, reason, at } = fault {
        return (*at == moment).then(|| Ending::Close(Refusal::new(*code, reason.clone())));
    }
    matches!(fault, Fault::Cut { at } if *at == moment).then_some(Ending::Cut)
}
