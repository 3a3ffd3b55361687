//! The way down: nothing new, running calls finish, every record is written (SPEC S3).

use std::time::Duration;

use clearline::domain::Outcome;

use crate::far_end::FarEnd;
use crate::watched::SAFETY_LIMIT;
use crate::world::{ADAS_NUMBER, BENS_NUMBER, World, play};

#[test]
fn a_stopping_engine_takes_no_new_call_and_lets_the_running_one_finish() {
    play(async {
        let (world, talking, late) = (World::usual().await, FarEnd::usual().await, FarEnd::usual().await);
        let address = world.sip();
        talking.dial(address, ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        let World { engine, news, model, folder, .. } = world;
        let calls = engine.calls().clone();
        let last_words = async {
            late.dial(address, BENS_NUMBER).await;
            let refusal = late.verdict().await;
            assert_eq!(refusal.status(), Some(503));
            assert!(!refusal.header("Retry-After").is_empty(), "{}", refusal.0);
            talking.more_packets(25).await;
            assert!(talking.seen.look(|seen| seen.requests("BYE").next().is_none()), "the call goes on");
            talking.hang_up().await;
        };
        tokio::join!(engine.stop(SAFETY_LIMIT), last_words);
        assert_eq!(news.ended(&call).await.outcome, Outcome::Completed);
        let record = calls.get(&call).await.unwrap().expect("a record");
        assert_eq!(record.outcome, Some(Outcome::Completed), "it was written before the engine was gone");
        assert!(record.recording_filename.is_some());
        model.stop().await;
        drop(folder);
    });
}

#[test]
fn a_call_that_outlasts_the_stop_limit_is_hung_up_on_and_booked() {
    play(async {
        let (world, talking) = (World::usual().await, FarEnd::usual().await);
        talking.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        let World { engine, model, folder, .. } = world;
        let calls = engine.calls().clone();
        engine.stop(Duration::ZERO).await;
        talking.got("BYE").await;
        let record = calls.get(&call).await.unwrap().expect("a record");
        assert_eq!(record.outcome, Some(Outcome::Completed));
        assert_eq!(record.end_reason.as_deref(), Some("the engine is stopping"));
        model.stop().await;
        drop(folder);
    });
}
