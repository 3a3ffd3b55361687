//! All callers' signalling: one SIP endpoint machine on one socket.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use crate::clock;
use crate::domain::{CallId, Entropy, GatewayId};
use crate::sip::endpoint::{
    Command, DEFAULT_RING_TIMEOUT, Endpoint, EndpointConfig, EndpointLimits, Event, Gateway, Input, Output,
    PlaceCall,
};

pub(super) struct Switchboard {
    endpoint: Endpoint,
    socket: UdpSocket,
    buffer: Vec<u8>,
}

const ENGINE: &str = "engine";
const USER: &str = "loadtest";
const DATAGRAM_BYTES_MAX: usize = 65_535;

impl Switchboard {
    pub(super) fn open(
        ip: IpAddr,
        engine: SocketAddr,
        calls_max: usize,
        entropy: Entropy,
    ) -> io::Result<Self> {
        let socket = UdpSocket::bind(SocketAddr::new(ip, 0))?;
        socket.set_nonblocking(true)?;
        let config = EndpointConfig {
            advertise: socket.local_addr()?,
            user_agent: "Clearline load test".into(),
            gateways: vec![gateway(engine)],
            allowed_sources: Vec::new(),
            limits: EndpointLimits { calls: calls_max, ..EndpointLimits::default() },
            ring_timeout: DEFAULT_RING_TIMEOUT,
        };
        let endpoint = Endpoint::new(config, entropy, Box::new(clock::new_call_id), clock::now());
        Ok(Self { endpoint, socket, buffer: vec![0; DATAGRAM_BYTES_MAX] })
    }

    pub(super) fn dial(&mut self, number: &str, offer: Vec<u8>, now: Instant) -> CallId {
        let call = clock::new_call_id();
        let place = PlaceCall {
            call: call.clone(),
            gateway: GatewayId::new(ENGINE),
            target: number.to_owned(),
            from_user: Some(USER.into()),
            from_display: None,
            offer: Some(offer),
        };
        self.endpoint.handle(Input::Command(Command::Place(place)), now);
        call
    }

    pub(super) fn hang_up(&mut self, call: CallId, now: Instant) {
        self.endpoint.handle(Input::Command(Command::HangUp { call }), now);
    }

    /// Takes in what waits at the socket and what is due; what must leave has left when this returns.
    pub(super) fn turn(&mut self, now: Instant) -> Vec<Event> {
        let Self { endpoint, socket, buffer } = self;
        // An error is an empty socket or an ICMP message: SIP repeats what is lost.
        while let Ok((length, source)) = socket.recv_from(buffer) {
            endpoint.handle(Input::Datagram { source, bytes: &buffer[..length] }, now);
        }
        if endpoint.next_timeout().is_some_and(|due| due <= now) {
            endpoint.handle(Input::Timeout, now);
        }
        let mut events = Vec::new();
        while let Some(output) = endpoint.poll_output() {
            match output {
                Output::Transmit { destination, bytes } => drop(socket.send_to(&bytes, destination)),
                Output::Event(event) => events.push(event),
            }
        }
        events
    }
}

fn gateway(engine: SocketAddr) -> Gateway {
    Gateway {
        id: GatewayId::new(ENGINE),
        address: engine,
        domain: engine.to_string(),
        user: USER.into(),
        password: None,
        register: false,
        expires: Duration::ZERO,
    }
}
