//! Callers who cannot be served hear so at once, with the right status, and nothing is left behind (SPEC K5, K6, K8, S4).

use std::net::SocketAddr;
use std::time::Duration;

use clearline::actors::events::CallEvent;
use clearline::domain::{Outcome, Sealing, Secret, Timestamp, UserId, new_sealing_key};
use clearline::sandbox::model::{Fault, FaultRule, KeyFailure, KnownKey, KnownKeys, Moment, Scope};
use clearline::store::KeyHealth;
use clearline::telemetry::{Counter, metrics};

use crate::far_end::FarEnd;
use crate::log;
use crate::watched::within;
use crate::world::{ADAS_KEY, ADAS_NUMBER, BENS_KEY, BENS_NUMBER, Plan, World, play};

const NOBODYS_NUMBER: &str = "999";
const DEFAULT_KEY: &str = "key-of-all-cccccccccccc-0000";

async fn refused_with(world: &World, number: &str, status: u16, outcome: Outcome) -> FarEnd {
    let caller = FarEnd::usual().await;
    caller.dial(world.sip(), number).await;
    assert_eq!(caller.verdict().await.status(), Some(status));
    assert_eq!(world.news.refused().await.outcome, outcome);
    caller
}

/// A default key that is nobody's own.
fn with_default_key(plan: &mut Plan) {
    plan.pool(&[
        ("GOOGLE_API_KEY", DEFAULT_KEY),
        ("GOOGLE_API_KEY_2", ADAS_KEY),
        ("GOOGLE_API_KEY_3", BENS_KEY),
    ]);
}

#[test]
fn a_number_nobody_owns_is_not_found_and_counted() {
    play(async {
        let world = World::usual().await;
        let before = metrics().counter(Counter::InboundWithoutOwner);
        refused_with(&world, NOBODYS_NUMBER, 404, Outcome::RefusedPolicy).await;
        assert!(metrics().counter(Counter::InboundWithoutOwner) > before);
        assert!(world.model.sessions().is_empty(), "the model was not bothered");
        world.all_given_back().await;
        world.close().await;
    });
}

#[test]
fn a_number_nobody_owns_is_the_default_owners() {
    play(async {
        let ben = UserId::new("id-of-ben");
        let world = World::planned(|plan| plan.settings.calls.default_owner_id = Some(ben)).await;
        let caller = FarEnd::usual().await;
        caller.dial(world.sip(), NOBODYS_NUMBER).await;
        caller.connected().await;
        caller.hears(world.marker(BENS_KEY).await, 0).await;
        caller.hang_up().await;
        world.close().await;
    });
}

/// Ada's record holds what this key sealed.
fn with_sealed_key(plan: &mut Plan, sealed_by: &Secret) {
    let sealing = Sealing::new([sealed_by]).expect("a key");
    let sealed = sealing.seal(&Secret::new(ADAS_KEY), Timestamp::from_millis(0));
    plan.adas_key = Some(sealed.expose().to_owned());
}

#[test]
fn a_sealed_key_is_opened_for_the_call() {
    play(async {
        let key = new_sealing_key();
        let world = World::planned(|plan| {
            with_sealed_key(plan, &key);
            plan.settings.secrets.encryption_key = Some(key);
        })
        .await;
        let caller = FarEnd::usual().await;
        caller.dial(world.sip(), ADAS_NUMBER).await;
        caller.connected().await;
        caller.hears(world.marker(ADAS_KEY).await, 0).await;
        caller.hang_up().await;
        world.close().await;
    });
}

#[test]
fn a_key_nobody_can_open_counts_as_none_and_the_call_goes_by_the_default_key() {
    play(async {
        let world = World::planned(|plan| {
            with_default_key(plan);
            with_sealed_key(plan, &new_sealing_key());
        })
        .await;
        let caller = FarEnd::usual().await;
        caller.dial(world.sip(), ADAS_NUMBER).await;
        caller.connected().await;
        caller.hears(world.marker(DEFAULT_KEY).await, 0).await;
        log::line_with(&["the owner's Google key", "id-of-ada", "LIVEKIT_SECRET_ENCRYPTION_KEY"]).await;
        caller.hang_up().await;
        world.close().await;
    });
}

#[test]
fn without_any_key_the_caller_is_refused_at_once() {
    play(async {
        let world = World::planned(|plan| {
            plan.adas_key = None;
            plan.pool(&[]);
        })
        .await;
        refused_with(&world, ADAS_NUMBER, 503, Outcome::RefusedNoKey).await;
        world.all_given_back().await;
        world.close().await;
    });
}

#[test]
fn a_full_engine_asks_callers_to_come_back_and_goes_on_with_those_it_has() {
    play(async {
        let world = World::planned(|plan| plan.settings.calls.max_calls = 1).await;
        let first = FarEnd::usual().await;
        first.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        let second = refused_with(&world, BENS_NUMBER, 503, Outcome::RefusedCapacity).await;
        assert!(!second.verdict().await.header("Retry-After").is_empty());
        first.say(500.0, 600);
        world.model_hears(ADAS_KEY, 500.0).await;
        first.hang_up().await;
        world.all_given_back().await;
        world.close().await;
    });
}

#[test]
fn a_full_project_refuses_its_owners_next_call_and_no_other() {
    play(async {
        let world = World::planned(|plan| {
            with_default_key(plan);
            plan.settings.keys.sessions_per_project = 1;
        })
        .await;
        let first = FarEnd::usual().await;
        first.dial(world.sip(), ADAS_NUMBER).await;
        first.connected().await;
        refused_with(&world, ADAS_NUMBER, 503, Outcome::RefusedCapacity).await;
        let bens = FarEnd::usual().await;
        bens.dial(world.sip(), BENS_NUMBER).await;
        bens.connected().await;
        first.hang_up().await;
        bens.hang_up().await;
        world.all_given_back().await;
        world.close().await;
    });
}

async fn a_refused_key_costs_one_call(world: World) {
    let caller = FarEnd::usual().await;
    caller.dial(world.sip(), ADAS_NUMBER).await;
    assert_eq!(caller.verdict().await.status(), Some(503));
    let call = world.news.call_of("ada", 0).await;
    assert_eq!(world.news.ended(&call).await.outcome, Outcome::ModelFailed);
    world.all_given_back().await;
    let next = FarEnd::usual().await;
    next.dial(world.sip(), ADAS_NUMBER).await;
    next.connected().await;
    next.hears(world.marker(DEFAULT_KEY).await, 0).await;
    log::line_with(&["No API key found for user ID id-of-ada, using default"]).await;
    next.hang_up().await;
    world.all_given_back().await;
    world.close().await;
}

#[test]
fn a_key_refused_at_the_upgrade_costs_one_call_and_the_next_goes_by_the_default_key() {
    play(async {
        let rule = FaultRule {
            scope: Scope::for_key(ADAS_KEY),
            ..FaultRule::for_all(Fault::Upgrade { status: 403 })
        };
        let world = World::planned(|plan| {
            with_default_key(plan);
            plan.model.faults = vec![rule];
        });
        a_refused_key_costs_one_call(world.await).await;
    });
}

#[test]
fn a_key_refused_after_the_setup_costs_one_call_and_the_next_goes_by_the_default_key() {
    play(async {
        let bad = KnownKey { failure: Some(KeyFailure::InvalidAfterSetup), ..KnownKey::new(ADAS_KEY) };
        let world = World::planned(|plan| {
            with_default_key(plan);
            plan.model.keys = KnownKeys::List(vec![bad, KnownKey::new(DEFAULT_KEY)]);
        });
        a_refused_key_costs_one_call(world.await).await;
    });
}

#[test]
fn a_model_that_dies_for_good_in_mid_call_ends_it_with_an_apology_not_with_silence() {
    play(async {
        let (world, caller) = (World::usual().await, FarEnd::usual().await);
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        caller.hears_silence(20).await;
        let (session, since) = (world.session(ADAS_KEY).unwrap(), caller.packets_so_far());
        let death = Fault::Close { code: 1_008, reason: "API key not valid.".into(), at: Moment::AfterMs(0) };
        assert!(world.model.inject(&session.id, death));
        caller.got("BYE").await;
        let voiced =
            caller.seen.look(|seen| seen.packets[since..].iter().filter(|packet| packet.is_voiced()).count());
        assert!(voiced > 50, "a spoken apology, not {voiced} frames");
        assert_eq!(world.news.ended(&call).await.outcome, Outcome::ModelFailed);
        assert!(!world.news.events_of(&call).iter().any(|event| matches!(event, CallEvent::Interrupted)));
        world.all_given_back().await;
        world.close().await;
    });
}

/// SPEC K8: what an engine has heard, the next one knows; and an operator may say that the key is mended.
#[test]
fn a_refused_key_is_remembered_by_the_next_engine_until_somebody_heals_it() {
    play(async {
        let bad = KnownKey { failure: Some(KeyFailure::InvalidAfterSetup), ..KnownKey::new(ADAS_KEY) };
        let world = World::planned(|plan| {
            with_default_key(plan);
            plan.model.keys = KnownKeys::List(vec![bad, KnownKey::new(DEFAULT_KEY)]);
        });
        let world = world.await;
        let health = KeyHealth::new(world.engine.store().clone());
        assert_eq!(dial_ada(&world, world.sip()).await, Some(503));
        let stored = within("the refusal is stored", async {
            loop {
                match health.all().await.expect("a readable store").pop() {
                    Some(trouble) => return trouble,
                    None => tokio::task::yield_now().await,
                }
            }
        });
        let stored = stored.await;
        let next = world.another_engine(with_default_key).await;
        assert_eq!(dial_ada(&world, next.sip_address()).await, Some(200), "by the default key");

        health.forget(&stored).await.expect("a writable store");
        let tried_again = async { while dial_ada(&world, next.sip_address()).await == Some(200) {} };
        within("Ada's calls go by her own key again", tried_again).await;
        next.stop(Duration::from_millis(1)).await;
        world.close().await;
    });
}

/// Who is answered hangs up.
async fn dial_ada(world: &World, engine: SocketAddr) -> Option<u16> {
    let caller = FarEnd::usual().await;
    caller.dial(engine, ADAS_NUMBER).await;
    let status = caller.verdict().await.status();
    if status == Some(200) {
        caller.connected().await;
        caller.hears(world.marker(DEFAULT_KEY).await, 0).await;
        caller.hang_up().await;
    }
    status
}
