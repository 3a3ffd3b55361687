//! Calls do not hear each other, however alike their far ends look.

use super::*;

#[test]
fn far_ends_with_the_same_address_and_the_same_ssrc_stay_apart() {
    let mut world = World::new();
    let mut ends: Vec<(u16, FarEnd)> = (0..50)
        .map(|number| {
            (world.answered(number, "203.0.113.5:6000", "203.0.113.5"), FarEnd::new("203.0.113.5:6000", 1))
        })
        .collect();
    for (port, end) in &mut ends {
        let locked = end.locked();
        assert_eq!(world.hear_many(*port, end, 3), [No(DropReason::Unproven), locked, Yes]);
    }
    for number in 0..50 {
        assert_eq!(world.route(number).counters().accepted, 2);
    }
}

#[test]
fn two_calls_of_one_millisecond_with_wrong_addresses_each_get_their_own_audio() {
    for wrong in ["198.51.100.99:4000", "192.168.7.7:4000", "0.0.0.0:4000"] {
        let mut world = World::new();
        let ports = [0, 1].map(|number| world.answered(number, wrong, "203.0.113.5"));
        let mut ends = [FarEnd::new("203.0.113.5:6000", 1), FarEnd::new("203.0.113.5:6002", 1)];
        for _ in 0..2 {
            world.hear_at_once(ports[0], &mut ends[0]);
            world.hear_at_once(ports[1], &mut ends[1]);
        }
        assert_eq!(world.destination(0).unwrap(), "203.0.113.5:6000", "{wrong}");
        assert_eq!(world.destination(1).unwrap(), "203.0.113.5:6002", "{wrong}");
        assert_eq!(world.hear(ports[0], &mut ends[0]), Yes);
    }
}

#[test]
fn a_far_end_behind_nat_is_found_at_the_host_its_packets_come_from() {
    let mut world = World::new();
    let port = world.answered(0, "192.168.1.20:4000", "203.0.113.5");
    let mut phone = FarEnd::new("198.51.100.7:31000", 5);
    let locked = phone.locked();
    assert_eq!(world.hear_many(port, &mut phone, 2), [No(DropReason::Unproven), locked]);
    assert_eq!(world.destination(0).unwrap(), "198.51.100.7:31000");
}

#[test]
fn a_zero_address_has_no_destination_until_the_far_end_speaks() {
    let mut world = World::new();
    let port = world.answered(0, "0.0.0.0:4000", "203.0.113.5");
    assert_eq!(world.destination(0), None);
    world.hear_many(port, &mut FarEnd::new("203.0.113.5:31000", 5), 2);
    assert_eq!(world.destination(0).unwrap(), "203.0.113.5:31000");
}

#[test]
fn a_late_packet_of_the_ports_last_call_is_not_heard_by_the_next() {
    let mut world = World::with_ports(PortPool::new(10_000..=10_001));
    let port = world.answered(0, "203.0.113.5:6000", "203.0.113.5");
    let mut old = FarEnd::new("203.0.113.5:6000", 1);
    world.lock(port, &mut old);
    world.table.close(&call(0), world.now);
    assert_eq!(world.hear(port, &mut old), No(DropReason::Late));

    world.pass(Duration::from_secs(11));
    assert_eq!(world.answered(1, "203.0.113.5:7000", "203.0.113.5"), port);
    assert_eq!(world.hear_many(port, &mut old, 3), [No(DropReason::PreviousTenant); 3]);
    let mut new = FarEnd::new("203.0.113.5:7000", 2);
    let locked = new.locked();
    assert_eq!(world.hear_many(port, &mut new, 2), [No(DropReason::Unproven), locked]);
    assert_eq!(world.hear(port, &mut old), No(DropReason::PreviousTenant));
}

#[test]
fn a_gateway_that_uses_one_address_and_ssrc_for_every_call_is_heard_unless_it_continues_the_last_one() {
    let mut world = World::with_ports(PortPool::new(10_000..=10_001));
    let address = "203.0.113.5:6000";
    let port = world.answered(0, address, "203.0.113.5");
    let mut old = FarEnd::new(address, 1);
    world.lock(port, &mut old);
    world.table.close(&call(0), world.now);
    world.pass(Duration::from_secs(10));

    world.answered(1, address, "203.0.113.5");
    assert_eq!(world.hear(port, &mut old), No(DropReason::PreviousTenant));
    let mut new = FarEnd::new(address, 1);
    world.lock(port, &mut new);
}

#[test]
fn a_new_stream_whose_numbers_happen_to_follow_the_last_ones_is_known_by_its_clock() {
    let mut world = World::with_ports(PortPool::new(10_000..=10_001));
    let address = "203.0.113.5:6000";
    let port = world.answered(0, address, "203.0.113.5");
    let mut old = FarEnd::new(address, 1);
    world.lock(port, &mut old);
    world.table.close(&call(0), world.now);
    world.pass(Duration::from_secs(10));

    world.answered(1, address, "203.0.113.5");
    let mut new = FarEnd { sequence: old.sequence.wrapping_add(700), clock_begins: 0x8000_0000, ..old };
    world.lock(port, &mut new);
}

#[test]
fn the_last_tenants_stream_may_come_back_after_a_minute() {
    let mut world = World::with_ports(PortPool::new(10_000..=10_001));
    let port = world.answered(0, "203.0.113.5:6000", "203.0.113.5");
    let mut old = FarEnd::new("203.0.113.5:6000", 1);
    world.lock(port, &mut old);
    world.table.close(&call(0), world.now);
    world.pass(Duration::from_secs(30));
    world.answered(1, "203.0.113.5:7000", "203.0.113.5");
    assert_eq!(world.hear(port, &mut old), No(DropReason::PreviousTenant));
    world.pass(Duration::from_secs(31));
    assert_eq!(world.hear(port, &mut old), No(DropReason::Unproven));
}

#[test]
fn packets_after_the_close_are_late_and_packets_to_an_unused_port_unknown() {
    let mut world = World::new();
    let port = world.answered(0, "203.0.113.5:6000", "203.0.113.5");
    let mut end = FarEnd::new("203.0.113.5:6000", 1);
    world.lock(port, &mut end);
    world.table.close(&call(0), world.now);
    assert_eq!(world.hear(port, &mut end), No(DropReason::Late));
    assert_eq!(world.hear(10_100, &mut end), No(DropReason::Unknown));
    assert!(world.table.is_empty());
    assert_eq!(world.table.ports().held(), 0);
}

#[test]
fn an_echo_of_our_own_ssrc_is_heard_like_any_other() {
    let mut world = World::new();
    let port = world.answered(0, "203.0.113.5:6000", "203.0.113.5");
    world.lock(port, &mut FarEnd::new("203.0.113.5:6000", OURS));
}

#[test]
fn another_calls_stream_on_the_wrong_port_is_counted_as_misdirected_and_its_ssrc_from_elsewhere_as_forged() {
    let mut world = World::new();
    let first = world.answered(0, "203.0.113.5:6000", "203.0.113.5");
    let second = world.answered(1, "198.51.100.8:6000", "198.51.100.8");
    let mut end = FarEnd::new("203.0.113.5:6000", 77);
    world.lock(first, &mut end);
    assert_eq!(world.hear(second, &mut end), No(DropReason::Misdirected));
    assert_eq!(world.hear(10_100, &mut end), No(DropReason::Misdirected));
    let mut forger = FarEnd::new("192.0.2.66:1", 77);
    assert_eq!(world.hear(first, &mut forger), No(DropReason::Forged));
    world.table.close(&call(0), world.now);
    assert_eq!(world.hear(second, &mut end), No(DropReason::Foreign));
}
