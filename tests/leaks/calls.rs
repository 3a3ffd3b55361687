//! The ways a call can go, and a lane that plays one after the other.

use clearline::actors::call_supervisor::PlaceCall;
use clearline::actors::events::CallEvent;
use clearline::domain::{CallId, Direction, GatewayId, Outcome};

use crate::far_end::{FarEnd, Manners, Plan};
use crate::world::{ADAS_NUMBER, CARAS_NUMBER, DORAS_NUMBER, EVES_NUMBER, FAREWELL_NUMBER, World};

/// One of each way.
pub(crate) const CALLS_A_ROUND: usize = 17;
const REFUSED_BEFORE_THEY_BEGIN: usize = 2;
/// How the others end.
pub(crate) const ENDINGS_OF_A_ROUND: [(Direction, Outcome); CALLS_A_ROUND - REFUSED_BEFORE_THEY_BEGIN] = [
    (Direction::Inbound, Outcome::Completed),
    (Direction::Inbound, Outcome::Completed),
    (Direction::Inbound, Outcome::Canceled),
    (Direction::Inbound, Outcome::MediaFailed),
    (Direction::Inbound, Outcome::ModelFailed),
    (Direction::Outbound, Outcome::Completed),
    (Direction::Outbound, Outcome::Completed),
    (Direction::Outbound, Outcome::Completed),
    (Direction::Outbound, Outcome::Canceled),
    (Direction::Outbound, Outcome::Busy),
    (Direction::Outbound, Outcome::InvalidNumber),
    (Direction::Outbound, Outcome::Rejected),
    (Direction::Outbound, Outcome::TrunkFailed),
    (Direction::Outbound, Outcome::NoAnswer),
    (Direction::Outbound, Outcome::EngineLost),
];

/// What callees refuse a call with, and what that is called.
const REFUSALS: [(&str, Outcome); 4] = [
    ("486 Busy Here", Outcome::Busy),
    ("404 Not Found", Outcome::InvalidNumber),
    ("603 Decline", Outcome::Rejected),
    ("500 Server Internal Error", Outcome::TrunkFailed),
];
/// A quarter of a second of audio: a session that was rebuilt talks again.
const PACKETS_AFTER_A_CRASH: usize = 12;

/// Calls one after the other, those that go out to one callee.
pub(crate) struct Lane {
    pub(crate) gateway: GatewayId,
    pub(crate) callee: FarEnd,
}

impl Lane {
    pub(crate) async fn new(number: usize) -> Self {
        Self { gateway: GatewayId::new(format!("lane-{number}")), callee: FarEnd::usual().await }
    }

    pub(crate) async fn play(&self, world: &World, rounds: usize) {
        for _ in 0..rounds {
            caller_hangs_up(world).await;
            caller_gives_up(world).await;
            caller_is_refused(world, "999").await;
            caller_is_refused(world, EVES_NUMBER).await;
            model_hangs_up(world).await;
            caller_sends_no_audio(world).await;
            model_refuses(world).await;
            self.callee_hangs_up(world).await;
            self.we_hang_up(world).await;
            self.session_dies_once(world).await;
            self.we_hang_up_while_it_rings(world).await;
            for (status, outcome) in REFUSALS {
                self.callee_refuses(world, status, outcome).await;
            }
            self.nobody_answers(world).await;
            self.session_dies_for_good(world).await;
        }
    }

    async fn callee_hangs_up(&self, world: &World) {
        let call = self.answered(world).await;
        self.callee.hang_up().await;
        self.ends_as(world, &call, Outcome::Completed).await;
    }

    async fn we_hang_up(&self, world: &World) {
        let call = self.answered(world).await;
        hang_up(world, &call).await;
        self.ends_as(world, &call, Outcome::Completed).await;
        self.callee.got("BYE").await;
    }

    async fn session_dies_once(&self, world: &World) {
        let call = self.answered(world).await;
        self.crash(world, &call, 1).await;
        self.callee.more_packets(PACKETS_AFTER_A_CRASH).await;
        self.callee.hang_up().await;
        self.ends_as(world, &call, Outcome::Completed).await;
    }

    async fn we_hang_up_while_it_rings(&self, world: &World) {
        let call = self.place(world, Manners::Rings).await;
        world.news.event(&call, "it rings", |event| matches!(event, CallEvent::Ringing)).await;
        hang_up(world, &call).await;
        self.ends_as(world, &call, Outcome::Canceled).await;
    }

    async fn callee_refuses(&self, world: &World, status: &'static str, outcome: Outcome) {
        let call = self.place(world, Manners::Refuses(status)).await;
        self.ends_as(world, &call, outcome).await;
    }

    async fn nobody_answers(&self, world: &World) {
        let call = self.place(world, Manners::Rings).await;
        self.ends_as(world, &call, Outcome::NoAnswer).await;
    }

    async fn session_dies_for_good(&self, world: &World) {
        let call = self.answered(world).await;
        for attempt in 1..=2 {
            self.crash(world, &call, attempt).await;
        }
        assert!(world.engine.crash_session(&call).await, "there is a session to crash");
        self.ends_as(world, &call, Outcome::EngineLost).await;
    }

    async fn crash(&self, world: &World, call: &CallId, attempt: usize) {
        assert!(world.engine.crash_session(call).await, "there is a session to crash");
        let is_rebuilt =
            |event: &CallEvent| matches!(event, CallEvent::Rebuilding { attempt: told } if *told == attempt);
        world.news.event(call, "the session is rebuilt", is_rebuilt).await;
    }

    async fn answered(&self, world: &World) -> CallId {
        let call = self.place(world, Manners::Answers).await;
        world.news.event(&call, "the answer", |event| matches!(event, CallEvent::Answered)).await;
        self.callee.connected().await;
        call
    }

    async fn place(&self, world: &World, manners: Manners) -> CallId {
        prepare(&self.callee, manners);
        let order = PlaceCall {
            target: "1".into(),
            owner: "ada".into(),
            from: None,
            gateway: Some(self.gateway.clone()),
            voice_agent: None,
            metadata: None,
        };
        world.engine.place_call(order).await.unwrap_or_else(|refused| panic!("{refused}"))
    }

    async fn ends_as(&self, world: &World, call: &CallId, outcome: Outcome) {
        let finish = world.news.ended(call).await;
        assert_eq!(finish.outcome, outcome, "{finish:?}");
    }
}

/// For one more call. A far end keeps all that reached it, and callees live as long as the world.
fn prepare(callee: &FarEnd, manners: Manners) {
    callee.seen.change(|seen| {
        seen.plan.manners = manners;
        seen.messages.clear();
        seen.packets.clear();
        seen.connected = false;
    });
}

async fn hang_up(world: &World, call: &CallId) {
    if !world.engine.hang_up(call, "enough").await {
        panic!("a call that was to be hung up had ended: {:?}", world.news.ended(call).await);
    }
}

async fn dialling(world: &World, number: &str, plan: Plan) -> FarEnd {
    let caller = FarEnd::new(plan).await;
    caller.dial(world.sip(), number).await;
    caller
}

async fn caller_hangs_up(world: &World) {
    let caller = dialling(world, ADAS_NUMBER, Plan::default()).await;
    caller.connected().await;
    caller.hang_up().await;
}

async fn caller_gives_up(world: &World) {
    let caller = dialling(world, DORAS_NUMBER, Plan::default()).await;
    caller.response("INVITE", |status| status == 180).await;
    caller.request("CANCEL", "").await;
    assert_eq!(caller.verdict().await.status(), Some(487));
}

/// Nobody has the number, or somebody who may not have calls.
async fn caller_is_refused(world: &World, number: &str) {
    let caller = dialling(world, number, Plan::default()).await;
    assert_eq!(caller.verdict().await.status(), Some(404));
}

async fn model_hangs_up(world: &World) {
    let caller = dialling(world, FAREWELL_NUMBER, Plan::default()).await;
    caller.connected().await;
    caller.got("BYE").await;
}

async fn caller_sends_no_audio(world: &World) {
    let caller = dialling(world, ADAS_NUMBER, Plan { sends_rtp: false, ..Plan::default() }).await;
    caller.connected().await;
    caller.got("BYE").await;
}

async fn model_refuses(world: &World) {
    let caller = dialling(world, CARAS_NUMBER, Plan::default()).await;
    assert!(
        caller.verdict().await.status().is_some_and(|status| status >= 400),
        "there is nobody to talk to"
    );
}
