//! Calls whose engine is gone, by a crash, a SIGKILL or a power failure, are ended honestly (SPEC S2): their far ends get
//! a BYE, their records the outcome `engine_lost`.
//!
//! An engine that starts again ends the calls of its former run at once. Those of an engine that does not come back are
//! ended by the others, after they have seen no sign of life of it for long enough.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::sleep;

use crate::call::Finish;
use crate::clock;
use crate::domain::{CallRecord, NodeId, Outcome, StartId, Timestamp};
use crate::keys::NodeWatch;
use crate::store::{Calls, Nodes, StoreError};
use crate::telemetry::count_ended;

use super::Directory;
use super::books::AskBook;
use super::events::{CallEvent, EventStream, Ownership};
use super::sip_endpoint::EndLostDialog;

const REASON: &str = "the engine that had this call was stopped in the middle of it";

pub struct LostCalls {
    pub calls: Calls,
    pub nodes: Nodes,
    pub watch: NodeWatch,
    /// Between two looks. The watch must see every engine's beat often enough to believe what it sees.
    pub pause: Duration,
    pub directory: Directory,
    pub events: EventStream,
}

impl LostCalls {
    /// Looks at once, and then again and again.
    pub async fn keep_looking(mut self) {
        loop {
            if let Err(error) = self.look().await {
                tracing::warn!(%error, "calls of engines that are gone cannot be looked for; trying again");
            }
            sleep(clock::timer_for(self.pause)).await;
        }
    }

    async fn look(&mut self) -> Result<(), StoreError> {
        let running = self.calls.running().await?;
        let runs: BTreeSet<(NodeId, StartId)> = running.iter().filter_map(run_of).collect();
        let signs = self.nodes.all().await?;
        let over = self.watch.look(&runs, &signs, clock::now()).over;
        for record in &running {
            if run_of(record).is_some_and(|run| over.contains(&run)) && !self.is_being_written(record).await {
                self.end(record).await?;
            }
        }
        Ok(())
    }

    /// Books has found a newer state of it in a journal and brings it into the store first.
    async fn is_being_written(&self, record: &CallRecord) -> bool {
        let Some(books) = self.directory.books() else { return true };
        let asked = books.send(AskBook { call: record.session_id.clone() }).await;
        asked.is_ok_and(|page| page.is_some())
    }

    /// The BYE comes first: a second one does no harm, and whoever closes the record is the last to know the dialog.
    async fn end(&self, record: &CallRecord) -> Result<(), StoreError> {
        let call = &record.session_id;
        if record.outcome.is_none() {
            self.hang_up(record);
        }
        let finish = Finish::new(Outcome::EngineLost, REASON);
        let closed = self.calls.close_lost(call, |record, last_written| close(record, &finish, last_written));
        let Some(record) = closed.await? else { return Ok(()) };
        count_ended(finish.outcome);
        tracing::warn!(%call, "a call of an engine that is gone was ended");
        let recording = record.recording_filename.clone();
        self.events.tell_call(call, Ownership::from(&record), CallEvent::Ended { finish, recording });
        Ok(())
    }

    fn hang_up(&self, record: &CallRecord) {
        let dialog = record.running.as_ref().and_then(|running| running.dialog.clone());
        let Some(dialog) = dialog else { return };
        match (serde_json::from_value(dialog), self.directory.sip()) {
            (Ok(dialog), Some(sip)) => sip.do_send(EndLostDialog { dialog }),
            (Ok(_), None) => {}
            (Err(error), _) => {
                tracing::error!(call = %record.session_id, %error, "the dialog of a lost call cannot be read");
            }
        }
    }
}

/// Of the last seconds the record may not know, but what was said or recorded in them.
fn close(record: &mut CallRecord, finish: &Finish, last_written: Timestamp) {
    record.running = None;
    record.recording_state = None;
    record.forget_unheard();
    record.outcome = Some(finish.outcome);
    record.end_reason = Some(finish.reason.clone());
    record.call_end_time = record.last_heard().max(Some(last_written));
}

fn run_of(record: &CallRecord) -> Option<(NodeId, StartId)> {
    record.running.as_ref().map(|running| (running.node.clone(), running.start.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::{CallId, Direction, PhoneNumber, RecordingMade};

    #[test]
    fn s2_a_lost_call_ends_with_its_last_write_or_with_the_end_of_its_recording_if_that_is_later() {
        let at = Timestamp::from_millis;
        for (written, end) in [(9_000, 9_000), (2_000, 3_500)] {
            let number = || PhoneNumber::new("+4930123456");
            let (call, direction) = (CallId::new("c1"), Direction::Inbound);
            let mut record = CallRecord::started(call, direction, number(), number(), at(1_000));
            record.add_recording(&RecordingMade {
                filename: "c1.ogg".into(),
                start_time: at(1_000),
                duration_seconds: 2.5,
                bytes: 1,
            });
            close(&mut record, &Finish::new(Outcome::EngineLost, REASON), at(written));
            assert_eq!((record.outcome, record.call_end_time), (Some(Outcome::EngineLost), Some(at(end))));
        }
    }
}
