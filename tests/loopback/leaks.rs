//! After many calls of every kind the engine holds nothing of any of them (SPEC K7, S4).

use clearline::actors::events::CallEvent;
use clearline::domain::CallId;

use crate::far_end::{FarEnd, Manners};
use crate::world::{ADAS_NUMBER, World, play};

const ROUNDS: usize = 5;

async fn caller_hangs_up(world: &World) {
    let caller = FarEnd::usual().await;
    caller.dial(world.sip(), ADAS_NUMBER).await;
    caller.connected().await;
    caller.hang_up().await;
}

async fn caller_gives_up(world: &World) {
    let caller = FarEnd::usual().await;
    caller.dial(world.sip(), ADAS_NUMBER).await;
    caller.response("INVITE", |status| status == 180).await;
    caller.request("CANCEL", "").await;
    // The model may have been quicker: then the call stands and is hung up.
    if caller.verdict().await.status() == Some(200) {
        caller.hang_up().await;
    }
}

async fn nobody_owns_the_number(world: &World) {
    let caller = FarEnd::usual().await;
    caller.dial(world.sip(), "999").await;
    assert_eq!(caller.verdict().await.status(), Some(404));
}

async fn api_hangs_up_while_it_rings(world: &World, callee: &FarEnd) {
    callee.behave(Manners::Rings);
    let call = world.place("1").await;
    world.news.event(&call, "ringing", |event| matches!(event, CallEvent::Ringing).then_some(())).await;
    assert!(world.engine.hang_up(&call, "enough").await);
    world.news.ended(&call).await;
}

async fn callee_is_busy(world: &World, callee: &FarEnd) {
    callee.behave(Manners::Refuses("486 Busy Here"));
    let call = world.place("1").await;
    world.news.ended(&call).await;
}

async fn session_crashes_for_good(world: &World, callee: &FarEnd) {
    callee.behave(Manners::Answers);
    let call = world.place("1").await;
    let answered = |event: &CallEvent| matches!(event, CallEvent::Answered).then_some(());
    world.news.event(&call, "the answer", answered).await;
    for attempt in 1..=2 {
        crash(world, &call).await;
        let rebuilt = |event: &CallEvent| {
            matches!(event, CallEvent::Rebuilding { attempt: told } if *told == attempt).then_some(())
        };
        world.news.event(&call, "the session is rebuilt", rebuilt).await;
    }
    crash(world, &call).await;
    world.news.ended(&call).await;
}

async fn crash(world: &World, call: &CallId) {
    assert!(world.engine.crash_session(call).await, "there is a session to crash");
}

#[test]
fn thirty_calls_of_every_kind_leave_nothing_behind() {
    play(async {
        let callee = FarEnd::usual().await;
        let world = World::dialling(&callee).await;
        for _ in 0..ROUNDS {
            caller_hangs_up(&world).await;
            caller_gives_up(&world).await;
            nobody_owns_the_number(&world).await;
            api_hangs_up_while_it_rings(&world, &callee).await;
            callee_is_busy(&world, &callee).await;
            session_crashes_for_good(&world, &callee).await;
        }
        world.all_forgotten().await;
        world.session_when(crate::world::ADAS_KEY, "the model's sessions end", |session| !session.open).await;
        world.close().await;
    });
}
