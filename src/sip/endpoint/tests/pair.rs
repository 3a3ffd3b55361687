//! Two endpoints that talk with each other over a network that loses, doubles and delays, on virtual time.

use std::collections::BTreeMap;

use super::*;

const LATENCY: Duration = Duration::from_millis(20);

struct Side {
    endpoint: Endpoint,
    address: SocketAddr,
    events: Vec<Event>,
}

struct Pair {
    sides: [Side; 2],
    now: Instant,
    /// By arrival, then by order.
    network: BTreeMap<(Instant, u64), (SocketAddr, SocketAddr, Vec<u8>)>,
    sent: u64,
    entropy: Entropy,
    /// Of a hundred datagrams so many are lost, and as many doubled.
    trouble_percent: u64,
}

impl Pair {
    fn new(seed: u64, trouble_percent: u64) -> Self {
        let now = origin();
        let side = |own: &str, other: &str, seed: u64| {
            let gateways = vec![Gateway { address: address(other), ..gateway() }];
            let config = EndpointConfig { advertise: address(own), gateways, ..config() };
            Side { endpoint: endpoint(config, seed, now), address: address(own), events: Vec::new() }
        };
        let sides = [side(OURS, PEER, seed), side(PEER, OURS, seed + 1)];
        let entropy = Entropy::from_number(seed);
        Self { sides, now, network: BTreeMap::new(), sent: 0, entropy, trouble_percent }
    }

    fn command(&mut self, side: usize, command: Command) {
        self.sides[side].endpoint.handle(Input::Command(command), self.now);
        self.drain(side);
    }

    fn place(&mut self, name: &str) {
        let place = PlaceCall {
            call: call(name),
            gateway: GatewayId::new("trunk"),
            target: "100".into(),
            from_user: Some("4917012".into()),
            from_display: None,
            offer: Some(OFFER.into()),
        };
        self.command(0, Command::Place(place));
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            let arrival = self.network.keys().next().map(|(at, _)| *at);
            let timers = self.sides.iter().map(|side| side.endpoint.next_timeout());
            let next = timers.chain([arrival]).flatten().min();
            let Some(at) = next.filter(|at| *at <= end) else { break };
            self.now = at.max(self.now);
            self.deliver();
            for side in 0..2 {
                self.sides[side].endpoint.handle(Input::Timeout, self.now);
                self.drain(side);
            }
        }
        self.now = end;
    }

    fn deliver(&mut self) {
        while let Some(entry) = self.network.first_entry().filter(|entry| entry.key().0 <= self.now) {
            let (source, destination, bytes) = entry.remove();
            let Some(side) = self.sides.iter().position(|side| side.address == destination) else { continue };
            self.sides[side].endpoint.handle(Input::Datagram { source, bytes: &bytes }, self.now);
            self.drain(side);
        }
    }

    fn drain(&mut self, side: usize) {
        while let Some(output) = self.sides[side].endpoint.poll_output() {
            match output {
                Output::Event(event) => self.sides[side].events.push(event),
                Output::Transmit { destination, bytes } => self.post(side, destination, &bytes),
            }
        }
    }

    fn post(&mut self, side: usize, destination: SocketAddr, bytes: &[u8]) {
        let dice = self.entropy.below(100);
        let copies =
            if dice < self.trouble_percent { 0 } else { 1 + u64::from(dice >= 100 - self.trouble_percent) };
        for _ in 0..copies {
            self.sent += 1;
            let jitter = Duration::from_millis(self.entropy.below(self.trouble_percent + 1));
            let source = self.sides[side].address;
            self.network
                .insert((self.now + LATENCY + jitter, self.sent), (source, destination, bytes.to_vec()));
        }
    }

    fn events(&mut self, side: usize) -> Vec<Event> {
        std::mem::take(&mut self.sides[side].events)
    }

    fn assert_nothing_left(&mut self) {
        self.run(Duration::from_secs(400));
        for side in &self.sides {
            assert_eq!(side.endpoint.sizes(), Sizes::default());
        }
    }
}

fn ends(events: &[Event]) -> Vec<EndCause> {
    let cause =
        |event: &Event| if let Event::Ended { cause, .. } = event { Some(cause.clone()) } else { None };
    events.iter().filter_map(cause).collect()
}

fn second() -> Duration {
    Duration::from_secs(1)
}

/// One has called the other.
fn answered() -> Pair {
    let mut pair = Pair::new(1, 0);
    pair.place("out");
    pair.run(second());
    pair.command(1, Command::Ring { call: call("in-1") });
    pair.run(second());
    pair.command(1, Command::Answer { call: call("in-1"), sdp: ANSWER.into() });
    pair.run(second());
    pair
}

#[test]
fn two_engines_call_talk_and_hang_up() {
    let mut pair = answered();
    let (caller, callee) = (pair.events(0), pair.events(1));
    assert!(matches!(caller.as_slice(), [Event::Ringing { .. }, Event::Answered { .. }]), "{caller:?}");
    assert!(matches!(callee.as_slice(), [Event::Incoming(_), Event::Confirmed { .. }]), "{callee:?}");
    pair.command(1, Command::HangUp { call: call("in-1") });
    pair.run(second());
    assert_eq!(ends(&pair.events(0)), [EndCause::RemoteBye]);
    assert_eq!(ends(&pair.events(1)), [EndCause::LocalBye]);
    pair.assert_nothing_left();
}

/// So an engine that is killed at any moment leaves behind how the far end is reached.
#[test]
fn the_dialog_is_known_before_anybody_answers() {
    let mut pair = answered();
    let (caller, callee) = (pair.events(0), pair.events(1));
    let [Event::Ringing { dialog: Some(early), .. }, Event::Answered { dialog, .. }] = &caller[..] else {
        panic!("{caller:?}");
    };
    assert_eq!(early, dialog);
    let [Event::Incoming(incoming), Event::Confirmed { dialog, .. }] = &callee[..] else {
        panic!("{callee:?}");
    };
    assert_eq!(&incoming.dialog, dialog);
}

#[test]
fn a_cancelled_call_ends_on_both_sides() {
    let mut pair = Pair::new(2, 0);
    pair.place("out");
    pair.run(second());
    pair.command(0, Command::HangUp { call: call("out") });
    pair.run(second());
    assert_eq!(ends(&pair.events(0)), [EndCause::LocalCancel]);
    assert_eq!(ends(&pair.events(1)), [EndCause::RemoteCancel]);
    pair.assert_nothing_left();
}

#[test]
fn an_answer_that_crosses_the_cancel_leaves_no_call_behind() {
    let mut pair = Pair::new(3, 0);
    pair.place("out");
    pair.run(second());
    pair.command(0, Command::HangUp { call: call("out") });
    pair.command(1, Command::Answer { call: call("in-1"), sdp: ANSWER.into() });
    pair.run(second());
    assert_eq!(ends(&pair.events(0)), [EndCause::LocalCancel]);
    assert_eq!(ends(&pair.events(1)), [EndCause::RemoteBye]);
    pair.assert_nothing_left();
}

#[test]
fn byes_that_cross_end_the_call_once_on_each_side() {
    let mut pair = Pair::new(4, 0);
    pair.place("out");
    pair.run(second());
    pair.command(1, Command::Answer { call: call("in-1"), sdp: ANSWER.into() });
    pair.run(second());
    pair.command(0, Command::HangUp { call: call("out") });
    pair.command(1, Command::HangUp { call: call("in-1") });
    pair.run(second());
    assert_eq!(ends(&pair.events(0)), [EndCause::LocalBye]);
    assert_eq!(ends(&pair.events(1)), [EndCause::LocalBye]);
    pair.assert_nothing_left();
}

/// Whatever the network does: every call that began ends exactly once, as its last event, and nothing stays behind.
#[test]
fn calls_over_a_bad_network_all_end_once_and_leave_nothing() {
    for seed in 0..200 {
        let mut pair = Pair::new(1000 + seed, 25);
        pair.place("out");
        pair.run(Duration::from_secs(2 + seed % 7));
        pair.command(1, Command::Ring { call: call("in-1") });
        if seed % 3 == 0 {
            pair.command(0, Command::HangUp { call: call("out") });
        }
        pair.command(1, Command::Answer { call: call("in-1"), sdp: ANSWER.into() });
        pair.run(Duration::from_secs(seed % 40));
        pair.command(
            (seed % 2) as usize,
            Command::HangUp { call: call(if seed % 2 == 0 { "out" } else { "in-1" }) },
        );
        pair.run(Duration::from_secs(200));
        if pair.sides[1].endpoint.sizes().calls > 0 {
            // The far end's BYE was lost for good: only media tells, so the shell hangs up.
            pair.command(1, Command::HangUp { call: call("in-1") });
        }
        if pair.sides[0].endpoint.sizes().calls > 0 {
            pair.command(0, Command::HangUp { call: call("out") });
        }
        for side in 0..2 {
            let events = pair.events(side);
            let began = events.iter().any(|event| matches!(event, Event::Incoming(_))) || side == 0;
            assert_eq!(ends(&events).len(), usize::from(began), "seed {seed} side {side}: {events:?}");
            let last_is_end = events.last().is_none_or(|event| matches!(event, Event::Ended { .. }));
            assert!(last_is_end, "seed {seed} side {side}: {events:?}");
        }
        pair.assert_nothing_left();
    }
}
