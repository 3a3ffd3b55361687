//! A person's phone, and what of its call must be found again.

use std::cell::Cell;
use std::net::SocketAddr;
use std::time::Duration;

use crate::far_end::{FarEnd, Plan};

const NUMBER: &str = "100";
const PACKET: Duration = Duration::from_millis(20);

pub(crate) struct Phone {
    pub(crate) user: String,
    pub(crate) far_end: FarEnd,
    has_hung_up: Cell<bool>,
    /// When the engine was killed.
    packets_heard: Cell<usize>,
    was_accepted: Cell<bool>,
}

impl Phone {
    pub(crate) async fn new(user: &str) -> Self {
        let far_end = FarEnd::new(Plan { user: user.to_owned(), ..Plan::default() }).await;
        Self {
            user: user.to_owned(),
            far_end,
            has_hung_up: Cell::default(),
            packets_heard: Cell::default(),
            was_accepted: Cell::default(),
        }
    }

    pub(crate) async fn dial(&self, engine: SocketAddr) {
        self.far_end.dial(engine, NUMBER).await;
        assert_eq!(self.far_end.verdict().await.status(), Some(200));
    }

    pub(crate) async fn talks(&self, packets: usize) {
        self.far_end.more_packets(packets).await;
    }

    pub(crate) async fn hang_up(&self) {
        self.has_hung_up.set(true);
        self.far_end.hang_up().await;
    }

    pub(crate) fn note_the_kill(&self) {
        let accepted =
            self.far_end.seen.look(|seen| seen.response_to("INVITE", |status| status == 200).is_some());
        self.was_accepted.set(accepted);
        self.packets_heard.set(self.far_end.packets_so_far());
    }

    pub(crate) fn was_accepted(&self) -> bool {
        self.was_accepted.get()
    }

    pub(crate) fn was_left_in_a_call(&self) -> bool {
        self.was_accepted.get() && !self.has_hung_up.get()
    }

    /// So long the call had lasted.
    pub(crate) fn talked(&self) -> Duration {
        PACKET * u32::try_from(self.packets_heard.get()).expect("a short call")
    }
}
