//! What attackers do does not work: before the answer, in the window, and after the lock.

use super::*;

const SIGNALLING: &str = "203.0.113.1";
const SAID: &str = "203.0.113.5:6000";
const STRANGER: &str = "192.0.2.66:1111";

#[test]
fn a_stranger_is_not_heard_before_the_answer_nor_in_the_window() {
    let mut world = World::new();
    let port = world.open(0);
    let mut forger = FarEnd::new(STRANGER, 66);
    assert_eq!(world.hear_many(port, &mut forger, 2), [No(DropReason::NotYet); 2]);
    world.expect(0, SAID, SIGNALLING);
    assert_eq!(world.hear_many(port, &mut forger, 5), [No(DropReason::Foreign); 5]);
    world.route(0).answered();
    assert_eq!(world.hear_many(port, &mut forger, 5), [No(DropReason::Foreign); 5]);
    assert_eq!(world.destination(0).unwrap(), SAID);
}

#[test]
fn where_any_host_is_allowed_a_forger_loses_to_the_better_source_within_the_window() {
    let mut world = World::new();
    let port = world.open(0);
    let any = Expectation::new(&negotiated(SAID), SIGNALLING.parse().unwrap(), true);
    world.route(0).expect(any);
    let mut forger = FarEnd::new(STRANGER, 66);
    assert_eq!(world.hear_many(port, &mut forger, 2)[1], forger.locked());
    world.route(0).answered();
    world.hear_many(port, &mut forger, 20);
    let mut end = FarEnd::new(SAID, 1);
    let moved = end.moved_from(STRANGER);
    assert_eq!(world.hear_many(port, &mut end, 2), [No(DropReason::Unproven), moved]);
    assert_eq!(world.hear_many(port, &mut forger, 3), [No(DropReason::Foreign); 3]);
}

#[test]
fn where_any_host_is_allowed_the_first_to_prove_itself_is_not_replaced_by_its_equal() {
    let mut world = World::new();
    let port = world.answered(0, "10.0.0.8:4000", SIGNALLING);
    let mut phone = FarEnd::new("198.51.100.7:31000", 1);
    world.hear_many(port, &mut phone, 2);
    let mut forger = FarEnd::new(STRANGER, 66);
    assert_eq!(world.hear_many(port, &mut forger, 3), [No(DropReason::Foreign); 3]);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.hear_many(port, &mut forger, 3), [No(DropReason::Foreign); 3]);
}

#[test]
fn a_flood_of_strangers_does_not_keep_the_far_end_from_being_learned() {
    let mut world = World::new();
    let port = world.open(0);
    world.route(0).expect(Expectation::new(&negotiated(SAID), SIGNALLING.parse().unwrap(), true));
    let mut end = FarEnd::new(SAID, 1);
    world.hear_at_once(port, &mut end);
    for ssrc in 1_000..2_000 {
        world.hear_at_once(port, &mut FarEnd::new(STRANGER, ssrc));
    }
    assert_eq!(world.hear_at_once(port, &mut end), end.locked());
}

#[test]
fn after_the_lock_another_host_is_never_heard_whatever_it_copies() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    let mut end = FarEnd::new(SAID, 1);
    world.lock(port, &mut end);
    let mut copy = FarEnd { source: STRANGER, ..end };
    assert_eq!(world.hear_many(port, &mut copy, 3), [No(DropReason::Forged); 3]);
    world.pass(Duration::from_secs(60));
    assert_eq!(world.hear_many(port, &mut FarEnd::new(STRANGER, 66), 3), [No(DropReason::Foreign); 3]);
    assert_eq!(world.hear_many(port, &mut FarEnd::new("203.0.113.1:5", 67), 3), [No(DropReason::Foreign); 3]);
    assert_eq!(world.destination(0).unwrap(), SAID);
    assert_eq!(world.hear(port, &mut end), Yes);
}

#[test]
fn after_the_lock_a_stranger_on_the_same_host_is_not_heard_while_the_call_is() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    let mut end = FarEnd::new(SAID, 1);
    world.lock(port, &mut end);
    let mut neighbour = FarEnd::new("203.0.113.5:9999", 66);
    for _ in 0..100 {
        assert_eq!(world.hear_at_once(port, &mut neighbour), No(DropReason::Unproven));
        assert_eq!(world.hear(port, &mut end), Yes);
    }
}

#[test]
fn a_mapped_ipv4_address_is_the_same_host() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    let mut end = FarEnd::new("[::ffff:203.0.113.5]:6000", 1);
    world.hear(port, &mut end);
    assert_eq!(world.hear(port, &mut end), FarEnd::new(SAID, 1).locked());
}

#[test]
fn a_locked_route_never_accepts_another_hosts_packet_nor_moves_to_it() {
    let mut entropy = Entropy::from_number(4_711);
    for _ in 0..200 {
        let mut world = World::new();
        let port = world.answered(0, SAID, SIGNALLING);
        let mut end = FarEnd::new(SAID, 1);
        world.lock(port, &mut end);
        for _ in 0..200 {
            forge(&mut world, port, &end, &mut entropy);
        }
        assert_eq!(world.hear(port, &mut end), Yes);
    }
}

/// One random act: the far end talks, is silent, or somebody elsewhere sends what may resemble it.
fn forge(world: &mut World, port: u16, end: &FarEnd, entropy: &mut Entropy) {
    const SOURCES: [&str; 5] =
        [STRANGER, "192.0.2.66:6000", "203.0.113.1:6000", "203.0.113.6:6000", "10.0.0.1:6000"];
    let mut forger = FarEnd {
        source: SOURCES[entropy.below(SOURCES.len() as u64) as usize],
        ssrc: if entropy.below(2) == 0 { end.ssrc } else { entropy.next_u32() },
        sequence: end.sequence.wrapping_add(entropy.below(4) as u16),
        clock_begins: 0,
        payload_type: if entropy.below(4) == 0 { entropy.below(128) as u8 } else { PCMA },
    };
    for _ in 0..=entropy.below(4) {
        let heard = world.hear(port, &mut forger);
        assert!(matches!(heard, No(_)), "{heard:?} from {}", forger.source);
    }
    world.pass(Duration::from_millis(entropy.below(2_000)));
    assert_eq!(world.destination(0).unwrap(), SAID);
}
