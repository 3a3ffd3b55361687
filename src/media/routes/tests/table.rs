//! The table's own business: opening and closing, reports, strange datagrams, and that nothing is left behind.

use super::*;
use crate::media::rtcp::RtcpReporter;

const SAID: &str = "203.0.113.5:6000";
const SIGNALLING: &str = "203.0.113.1";

fn new_route(number: usize, port: u16) -> NewRoute {
    NewRoute {
        call: call(number),
        port,
        ssrc: OURS,
        cname: "test".into(),
        framing: Framing::new(Codec::Pcma, PCMA),
        clock_rate_hz: 8_000,
    }
}

fn report_of(ssrc: u32, now: Instant) -> Vec<u8> {
    RtcpReporter::new(ssrc, "far".into(), 8_000, Entropy::from_number(2), now).bye(now)
}

impl World {
    fn receive(&mut self, port: u16, source: &str, datagram: &[u8]) -> String {
        format!("{:?}", self.table.receive(port, source.parse().unwrap(), datagram, self.now))
    }
}

#[test]
fn a_call_is_opened_once_and_a_port_belongs_to_one_call() {
    let mut world = World::new();
    let port = world.open(0);
    let error = |world: &mut World, new| world.table.open(new, world.now).err();
    assert_eq!(error(&mut world, new_route(0, 10_100)), Some(OpenError::CallHasRoute));
    assert_eq!(error(&mut world, new_route(1, port)), Some(OpenError::PortTaken));
    assert_eq!(error(&mut world, new_route(1, 9_000)), Some(OpenError::NotOurPort));
    assert_eq!(world.table.len(), 1);
}

#[test]
fn a_call_that_outlived_its_router_gets_its_port_back() {
    let mut world = World::new();
    world.table.open(new_route(7, 10_100), world.now).unwrap();
    let others: Vec<u16> = std::iter::from_fn(|| world.table.acquire_port(world.now)).collect();
    assert!(others.len() == 99 && !others.contains(&10_100));
}

#[test]
fn a_port_that_could_not_be_bound_is_tried_again_last() {
    let mut world = World::with_ports(PortPool::new(10_000..=10_003));
    let port = world.table.acquire_port(world.now).unwrap();
    world.table.abandon_port(port, world.now);
    assert_eq!(world.table.acquire_port(world.now), Some(10_002));
    assert_eq!(world.table.acquire_port(world.now + Duration::from_secs(10)), Some(port));
}

#[test]
fn a_thousand_calls_leave_nothing_behind() {
    let mut world = World::new();
    for number in 0..1_000 {
        let port = world.answered(number, SAID, SIGNALLING);
        world.hear_many(port, &mut FarEnd::new(SAID, 1), 3);
        let route = world.table.close(&call(number), world.now).unwrap();
        assert_eq!(route.counters().accepted, 2);
        assert!(world.table.close(&call(number), world.now).is_none());
        world.pass(Duration::from_secs(1));
    }
    assert!(world.table.is_empty());
    assert_eq!((world.table.ports().held(), world.table.counters().accepted), (0, 2_000));
}

#[test]
fn rtcp_is_read_on_both_ports_from_known_hosts_and_teaches_no_address() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    let report = report_of(1, world.now);
    for (to, from) in [(port, SAID), (port + 1, "203.0.113.5:9999")] {
        assert!(world.receive(to, from, &report).starts_with("Rtcp"), "{from}");
    }
    assert_eq!(world.receive(port, "192.0.2.66:1", &report), "Dropped(Foreign)");
    assert_eq!(world.destination(0).unwrap(), SAID);
    assert_eq!(world.table.counters().rtcp, 2);
}

#[test]
fn reports_go_where_the_sdp_says_and_follow_the_audio_when_it_moves() {
    let mut world = World::new();
    let port = world.open(0);
    let mut said = negotiated(SAID);
    said.rtcp_mux = false;
    said.remote_rtcp = Some("203.0.113.5:6101".parse().unwrap());
    world.route(0).expect(Expectation::new(&said, SIGNALLING.parse().unwrap(), false));
    let destination = |world: &mut World| world.route(0).rtcp_destination().unwrap().to_string();
    assert_eq!(destination(&mut world), "203.0.113.5:6101");
    world.hear_many(port, &mut FarEnd::new("203.0.113.5:7000", 1), 2);
    assert_eq!(destination(&mut world), "203.0.113.5:7001");
    world.expect(0, SAID, SIGNALLING);
    assert_eq!(world.route(0).rtcp_destination(), world.route(0).destination());
}

#[test]
fn an_sdp_cannot_send_our_reports_to_somebody_who_gets_no_audio() {
    let mut world = World::new();
    world.open(0);
    let mut said = negotiated(SAID);
    said.remote_rtcp = Some("127.0.0.1:5060".parse().unwrap());
    world.route(0).expect(Expectation::new(&said, SIGNALLING.parse().unwrap(), false));
    assert_eq!(world.route(0).rtcp_destination().unwrap().to_string(), "203.0.113.5:6001");
}

#[test]
fn a_route_knows_when_it_last_heard_its_far_end() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    world.hear(port, &mut FarEnd::new(SAID, 1));
    assert_eq!(world.route(0).last_heard(), None);
    world.hear_many(port, &mut FarEnd::new(SAID, 2), 2);
    assert_eq!(world.route(0).last_heard(), Some(world.now - FRAME));
    world.hear(port, &mut FarEnd::new("192.0.2.66:1", 3));
    assert_eq!(world.route(0).last_heard(), Some(world.now - 2 * FRAME));
}

#[test]
fn rtp_on_the_rtcp_port_and_other_protocols_are_no_media() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    let mut end = FarEnd::new(SAID, 1);
    assert_eq!(world.hear(port + 1, &mut end), No(DropReason::NotMedia));
    for datagram in [&[0, 1, 0, 0][..], &[22, 254], &[], &[0x80]] {
        assert_eq!(world.receive(port, SAID, datagram), "Dropped(NotMedia)");
    }
    assert_eq!(world.receive(port, SAID, &[0x80, 8, 0]), "Dropped(Malformed)");
}

#[test]
fn what_a_call_sends_and_hears_is_in_its_reports() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    world.hear_many(port, &mut FarEnd::new(SAID, 1), 10);
    let now = world.now;
    let mut frame = Vec::new();
    world.route(0).write_frame(&[0xd5; 160], true, now, &mut frame);
    assert_eq!(frame.len(), 172);
    assert_eq!(world.route(0).quality().expected, 9);
    assert_eq!(world.route(0).report_due(now), None);
    let later = now + Duration::from_secs(8);
    assert_eq!(world.route(0).report_due(later).unwrap()[..2], [0x81, 200]);
}

#[test]
fn no_datagram_makes_the_table_panic() {
    let mut world = World::new();
    let port = world.answered(0, SAID, SIGNALLING);
    let mut entropy = Entropy::from_number(99);
    for _ in 0..50_000 {
        let length = entropy.below(64) as usize;
        let mut datagram: Vec<u8> = (0..length).map(|_| entropy.next_u32() as u8).collect();
        if let Some(first) = datagram.first_mut().filter(|_| entropy.below(4) > 0) {
            *first = 0x80 | (*first & 0x3f);
        }
        let to = port.wrapping_add(entropy.below(4) as u16);
        world.receive(to, SAID, &datagram);
        world.pass(Duration::from_millis(1));
    }
    assert_eq!(world.table.len(), 1);
}
