//! What real networks do keeps working: a call finds its far end and follows it.

use super::*;

const SIGNALLING: &str = "203.0.113.1";
const SAID: &str = "203.0.113.5:6000";

/// A call whose window is over, locked to a far end at the address of its SDP.
fn locked() -> (World, u16, FarEnd) {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    let mut end = FarEnd::new(SAID, 1);
    world.lock(port, &mut end);
    (world, port, end)
}

#[test]
fn audio_goes_to_the_address_in_the_sdp_at_once() {
    let mut world = World::new();
    world.answered(0, SAID, SIGNALLING);
    assert_eq!(world.destination(0).unwrap(), SAID);
}

#[test]
fn audio_goes_to_where_the_far_end_really_is_once_it_spoke() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    let mut end = FarEnd::new("203.0.113.5:7777", 1);
    let locked = end.locked();
    assert_eq!(world.hear_many(port, &mut end, 2), [No(DropReason::Unproven), locked]);
    assert_eq!(world.destination(0).unwrap(), "203.0.113.5:7777");
}

#[test]
fn nothing_is_heard_before_signalling_said_where_it_may_come_from() {
    let mut world = World::new();
    let port = world.open(0);
    let mut end = FarEnd::new(SAID, 1);
    assert_eq!(world.hear_many(port, &mut end, 2), [No(DropReason::NotYet); 2]);
}

#[test]
fn early_media_is_heard_and_goes_on_through_the_answer() {
    let mut world = World::new();
    let port = world.open(0);
    world.expect(0, SAID, SIGNALLING);
    let mut end = FarEnd::new(SAID, 1);
    world.hear_many(port, &mut end, 500);
    world.expect(0, SAID, SIGNALLING);
    world.route(0).answered();
    assert_eq!(world.hear_many(port, &mut end, 200), vec![Yes; 200]);
}

#[test]
fn a_duplicate_or_a_packet_out_of_order_proves_nothing() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    for sequence in [10, 10, 12, 11, 11] {
        let mut end = FarEnd { sequence, ..FarEnd::new(SAID, 1) };
        assert_eq!(world.hear(port, &mut end), No(DropReason::Unproven), "{sequence}");
    }
}

#[test]
fn a_payload_nobody_negotiated_proves_nothing_and_is_not_heard() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    let mut end = FarEnd { payload_type: 18, ..FarEnd::new(SAID, 1) };
    assert_eq!(world.hear_many(port, &mut end, 3), [No(DropReason::WrongPayload); 3]);
    end.payload_type = PCMA;
    world.lock(port, &mut end);
    end.payload_type = 18;
    assert_eq!(world.hear(port, &mut end), No(DropReason::WrongPayload));
}

#[test]
fn dtmf_and_comfort_noise_are_heard() {
    let (mut world, port, end) = locked();
    for payload_type in [101, 13] {
        assert_eq!(world.hear(port, &mut FarEnd { payload_type, ..end }), Yes);
    }
}

#[test]
fn a_better_source_replaces_a_worse_one_while_learning() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    let mut worse = FarEnd::new("203.0.113.1:9000", 9);
    world.hear_many(port, &mut worse, 50);
    let mut better = FarEnd::new(SAID, 1);
    let moved = better.moved_from("203.0.113.1:9000");
    assert_eq!(world.hear_many(port, &mut better, 2), [No(DropReason::Unproven), moved]);
    assert_eq!(world.hear(port, &mut worse), No(DropReason::Foreign));
}

#[test]
fn after_three_seconds_a_better_source_comes_too_late() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    world.lock(port, &mut FarEnd::new("203.0.113.1:9000", 9));
    assert_eq!(world.hear_many(port, &mut FarEnd::new(SAID, 1), 3), [No(DropReason::Foreign); 3]);
}

#[test]
fn the_window_begins_with_the_first_packet_after_the_answer() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    world.pass(Duration::from_secs(60));
    let mut worse = FarEnd::new("203.0.113.1:9000", 9);
    world.hear_many(port, &mut worse, 100);
    let mut better = FarEnd::new(SAID, 1);
    world.hear(port, &mut better);
    assert_eq!(world.hear(port, &mut better), better.moved_from("203.0.113.1:9000"));
}

#[test]
fn before_the_answer_no_window_closes_however_long_it_rings() {
    let mut world = World::new();
    let port = world.open(0);
    world.expect(0, SAID, SIGNALLING);
    world.hear_many(port, &mut FarEnd::new("203.0.113.1:9000", 9), 500);
    let mut better = FarEnd::new(SAID, 1);
    world.hear(port, &mut better);
    assert_eq!(world.hear(port, &mut better), better.moved_from("203.0.113.1:9000"));
}

#[test]
fn after_the_lock_even_the_address_of_the_sdp_waits_while_another_port_of_its_host_talks() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    let mut taken = FarEnd::new("203.0.113.5:7777", 1);
    world.lock(port, &mut taken);
    let mut said = FarEnd::new(SAID, 2);
    for _ in 0..50 {
        assert_eq!(world.hear_at_once(port, &mut said), No(DropReason::Unproven));
        assert_eq!(world.hear(port, &mut taken), Yes);
    }
}

#[test]
fn a_nat_that_rebinds_moves_the_call_to_the_new_port() {
    let (mut world, port, end) = locked();
    let mut rebound = FarEnd { source: "203.0.113.5:41000", ..end };
    let moved = rebound.moved_from(SAID);
    assert_eq!(world.hear_many(port, &mut rebound, 3), [No(DropReason::Unproven), moved, Yes]);
    assert_eq!(world.destination(0).unwrap(), "203.0.113.5:41000");
}

#[test]
fn a_new_ssrc_from_the_same_address_is_followed() {
    let (mut world, port, _) = locked();
    let mut music = FarEnd::new(SAID, 2);
    let changed = First(LatchEvent::SsrcChanged { from: 1, to: 2, source: SAID.parse().unwrap() });
    assert_eq!(world.hear_many(port, &mut music, 3), [No(DropReason::Unproven), changed, Yes]);
}

#[test]
fn a_jump_of_sequence_and_timestamp_is_heard_without_a_pause() {
    let (mut world, port, mut end) = locked();
    end.sequence = end.sequence.wrapping_add(30_000);
    assert_eq!(world.hear(port, &mut end), Yes);
}

#[test]
fn another_stream_of_the_same_host_is_followed_only_after_half_a_second_without_the_old() {
    let (mut world, port, mut end) = locked();
    let mut other = FarEnd::new("203.0.113.5:8000", 2);
    for _ in 0..50 {
        assert_eq!(world.hear_at_once(port, &mut other), No(DropReason::Unproven));
        assert_eq!(world.hear(port, &mut end), Yes);
    }
    let silent = world.hear_many(port, &mut other, 26);
    assert_eq!(silent[..24], [No(DropReason::Unproven); 24]);
    assert_eq!(silent[24..], [other.moved_from(SAID), Yes]);
}

#[test]
fn a_reinvite_moves_the_audio_to_a_new_host_and_the_old_one_is_heard_until_then() {
    let (mut world, port, mut old) = locked();
    world.expect(0, "198.51.100.9:5000", SIGNALLING);
    assert_eq!(world.destination(0).unwrap(), "198.51.100.9:5000");
    assert_eq!(world.hear_many(port, &mut old, 200), vec![Yes; 200]);
    assert_eq!(world.destination(0).unwrap(), "198.51.100.9:5000");
    let mut new = FarEnd::new("198.51.100.9:5000", 2);
    let moved = new.moved_from(SAID);
    assert_eq!(world.hear_many(port, &mut new, 2), [No(DropReason::Unproven), moved]);
    assert_eq!(world.hear(port, &mut old), No(DropReason::Foreign));
}

#[test]
fn the_old_host_is_followed_through_a_rebinding_until_the_new_one_speaks() {
    let (mut world, port, old) = locked();
    world.expect(0, "198.51.100.9:5000", SIGNALLING);
    let mut rebound = FarEnd { source: "203.0.113.5:41000", ..old };
    let moved = rebound.moved_from(SAID);
    assert_eq!(world.hear_many(port, &mut rebound, 2), [No(DropReason::Unproven), moved]);
    assert_eq!(world.destination(0).unwrap(), "198.51.100.9:5000");
    let mut new = FarEnd::new("198.51.100.9:5000", 2);
    world.hear(port, &mut new);
    assert_eq!(world.hear(port, &mut new), new.moved_from("203.0.113.5:41000"));
}

#[test]
fn another_fork_that_answers_takes_over_from_the_one_that_rang() {
    let mut world = World::new();
    let port = world.open(0);
    world.expect(0, "198.51.100.9:5000", SIGNALLING);
    world.hear_many(port, &mut FarEnd::new("198.51.100.9:5000", 7), 20);
    world.expect(0, SAID, SIGNALLING);
    world.route(0).answered();
    let mut answering = FarEnd::new(SAID, 1);
    let moved = answering.moved_from("198.51.100.9:5000");
    assert_eq!(world.hear_many(port, &mut answering, 2), [No(DropReason::Unproven), moved]);
}

#[test]
fn a_transfer_between_phones_behind_nat_is_followed_once_the_first_is_silent() {
    let mut world = World::new();
    let port = world.answered(0, "192.168.1.20:4000", SIGNALLING);
    let mut first = FarEnd::new("198.51.100.7:31000", 1);
    world.lock(port, &mut first);
    world.expect(0, "10.0.0.8:4000", SIGNALLING);
    assert_eq!(world.destination(0).unwrap(), "198.51.100.7:31000");
    let mut second = FarEnd::new("198.51.100.80:9000", 2);
    let heard = world.hear_many(port, &mut second, 30);
    assert_eq!(heard[23..25], [No(DropReason::Unproven), second.moved_from("198.51.100.7:31000")]);
}

#[test]
fn a_session_refresh_does_not_reopen_the_learning() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    world.lock(port, &mut FarEnd::new("203.0.113.1:9000", 9));
    world.expect(0, SAID, SIGNALLING);
    assert_eq!(world.hear_many(port, &mut FarEnd::new(SAID, 1), 2), [No(DropReason::Foreign); 2]);
}

#[test]
fn a_hold_by_zero_address_lets_nobody_in_and_the_far_end_back() {
    let (mut world, port, mut end) = locked();
    world.expect(0, "0.0.0.0:6000", SIGNALLING);
    world.pass(Duration::from_secs(30));
    let mut stranger = FarEnd::new("192.0.2.66:1", 66);
    assert_eq!(world.hear_many(port, &mut stranger, 3), [No(DropReason::Foreign); 3]);
    world.expect(0, SAID, SIGNALLING);
    assert_eq!(world.hear(port, &mut end), Yes);
    assert_eq!(world.destination(0).unwrap(), SAID);
}

#[test]
fn a_source_kept_through_a_false_reinvite_is_sent_to_again_when_the_window_ends() {
    let (mut world, port, mut end) = locked();
    world.expect(0, "203.0.113.5:6500", SIGNALLING);
    assert_eq!(world.destination(0).unwrap(), "203.0.113.5:6500");
    world.hear_many(port, &mut end, 160);
    assert_eq!(world.destination(0).unwrap(), SAID);
}
