//! How the endpoint behaves, on virtual time: against hand-written messages ([`Solo`]) and against itself
//! ([`pair::Pair`]).

mod admission;
mod changes;
mod faults;
mod inbound;
mod lost;
mod outbound;
mod pair;
mod registration;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use super::*;
use crate::domain::{CallId, Entropy, GatewayId, Secret};
use crate::sip::{HeaderName, Message, Request, Response, parse};

pub(super) const OURS: &str = "192.0.2.1:5060";
pub(super) const PEER: &str = "192.0.2.9:5060";
pub(super) const STRANGER: &str = "203.0.113.66:5060";
pub(super) const OFFER: &str = "v=0 offer";
pub(super) const ANSWER: &str = "v=0 answer";

/// One endpoint; the test is everybody else.
pub(super) struct Solo {
    pub(super) endpoint: Endpoint,
    pub(super) now: Instant,
    sent: Vec<(SocketAddr, Vec<u8>)>,
    events: Vec<Event>,
}

#[expect(
    clippy::disallowed_methods,
    reason = "a test needs one origin; all other times are computed from it"
)]
pub(super) fn origin() -> Instant {
    Instant::now()
}

pub(super) fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

pub(super) fn call(name: &str) -> CallId {
    CallId::new(name)
}

pub(super) fn gateway() -> Gateway {
    Gateway {
        id: GatewayId::new("trunk"),
        address: address(PEER),
        domain: "trunk.example".into(),
        user: "clearline".into(),
        password: Some(Secret::new("open sesame")),
        register: false,
        expires: Duration::from_secs(600),
    }
}

pub(super) fn config() -> EndpointConfig {
    EndpointConfig {
        advertise: address(OURS),
        user_agent: "Clearline".into(),
        gateways: vec![gateway()],
        allowed_sources: Vec::new(),
        limits: EndpointLimits::default(),
        ring_timeout: DEFAULT_RING_TIMEOUT,
    }
}

pub(super) fn endpoint(config: EndpointConfig, seed: u64, now: Instant) -> Endpoint {
    let mut count = 0;
    let new_call_id = move || {
        count += 1;
        CallId::new(format!("in-{count}"))
    };
    Endpoint::new(config, Entropy::from_number(seed), Box::new(new_call_id), now)
}

impl Solo {
    pub(super) fn new() -> Self {
        Self::with(config())
    }

    pub(super) fn with(config: EndpointConfig) -> Self {
        let now = origin();
        Self { endpoint: endpoint(config, 1, now), now, sent: Vec::new(), events: Vec::new() }
    }

    pub(super) fn receive(&mut self, text: &str) {
        self.receive_from(PEER, text);
    }

    pub(super) fn receive_from(&mut self, source: &str, text: &str) {
        let bytes = wire(text);
        self.endpoint.handle(Input::Datagram { source: address(source), bytes: &bytes }, self.now);
        self.drain();
    }

    pub(super) fn respond(&mut self, request: &Request, status: u16, extra: &str) {
        self.receive(&answer(request, status, "b", extra, ""));
    }

    pub(super) fn command(&mut self, command: Command) {
        self.endpoint.handle(Input::Command(command), self.now);
        self.drain();
    }

    /// Rings all timers up to then, each at its time.
    pub(super) fn advance(&mut self, by: Duration) {
        let end = self.now + by;
        while let Some(at) = self.endpoint.next_timeout().filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.endpoint.handle(Input::Timeout, self.now);
            self.drain();
        }
        self.now = end;
    }

    /// Lets everything run out and looks whether something stayed behind.
    pub(super) fn assert_nothing_left(&mut self) {
        self.advance(Duration::from_secs(400));
        assert_eq!(self.endpoint.sizes(), Sizes::default());
    }

    pub(super) fn place(&mut self, name: &str) -> Request {
        self.command(Command::Place(PlaceCall {
            call: call(name),
            gateway: GatewayId::new("trunk"),
            target: "4930123".into(),
            from_user: None,
            from_display: None,
            offer: Some(OFFER.into()),
        }));
        self.request()
    }

    /// What has left since the last look.
    pub(super) fn messages(&mut self) -> Vec<Message> {
        let sent = std::mem::take(&mut self.sent);
        sent.iter().map(|(_, bytes)| parse(bytes).expect("what we send can be read")).collect()
    }

    pub(super) fn datagrams(&mut self) -> Vec<(SocketAddr, Vec<u8>)> {
        std::mem::take(&mut self.sent)
    }

    /// The start of every message that left: `200 INVITE`, `BYE`.
    pub(super) fn sent(&mut self) -> Vec<String> {
        self.messages().iter().map(summary).collect()
    }

    /// The only message that left, a request.
    pub(super) fn request(&mut self) -> Request {
        let mut messages = self.messages();
        assert_eq!(messages.len(), 1, "{messages:#?}");
        match messages.remove(0) {
            Message::Request(request) => request,
            Message::Response(response) => panic!("a response: {response:?}"),
        }
    }

    /// The only message that left, a response.
    pub(super) fn response(&mut self) -> Response {
        let mut messages = self.messages();
        assert_eq!(messages.len(), 1, "{messages:#?}");
        match messages.remove(0) {
            Message::Response(response) => response,
            Message::Request(request) => panic!("a request: {request:?}"),
        }
    }

    pub(super) fn events(&mut self) -> Vec<Event> {
        std::mem::take(&mut self.events)
    }

    /// The only thing that happened: a call's end.
    pub(super) fn cause(&mut self) -> EndCause {
        match self.events().as_slice() {
            [Event::Ended { cause, .. }] => cause.clone(),
            other => panic!("not one end: {other:?}"),
        }
    }

    fn drain(&mut self) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Transmit { destination, bytes } => self.sent.push((destination, bytes)),
                Output::Event(event) => self.events.push(event),
            }
        }
    }
}

pub(super) fn summary(message: &Message) -> String {
    match message {
        Message::Request(request) => request.method.to_string(),
        Message::Response(response) => {
            format!("{} {}", response.status, response.headers.cseq().unwrap().method)
        }
    }
}

/// A readable message with bare line feeds, as it travels; `|` parts the body.
pub(super) fn wire(text: &str) -> Vec<u8> {
    let (head, body) = text.split_once('|').unwrap_or((text, ""));
    let head = head.trim_end().lines().map(str::trim_start).collect::<Vec<_>>().join("\r\n");
    format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A request of the peer; `extra` are header lines.
pub(super) fn request(method: &str, cseq: u32, to_tag: &str, extra: &str, sdp: &str) -> String {
    let to_tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    let content = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    format!(
        "{method} sip:100@192.0.2.1 SIP/2.0
        Via: SIP/2.0/UDP 192.0.2.9:5060;rport;branch=z9hG4bK-{method}-{cseq}
        From: \"Ann\" <sip:4917012@trunk.example>;tag=ann
        To: <sip:100@trunk.example>{to_tag}
        Call-ID: call-1
        CSeq: {cseq} {method}
        Contact: <sip:ann@192.0.2.9:5060>
        Max-Forwards: 70
        {extra}{content}|{sdp}"
    )
    .replace(&format!("z9hG4bK-CANCEL-{cseq}"), &format!("z9hG4bK-INVITE-{cseq}"))
}

pub(super) fn invite() -> String {
    request("INVITE", 1, "", "", OFFER)
}

/// A response of the peer to a request of ours.
pub(super) fn answer(request: &Request, status: u16, tag: &str, extra: &str, sdp: &str) -> String {
    let header = |name: HeaderName| request.headers.get(&name).unwrap_or_default().to_owned();
    let content = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\n" };
    let to = header(HeaderName::To);
    let to = if to.contains("tag=") { to } else { format!("{to};tag={tag}") };
    format!(
        "SIP/2.0 {status} Whatever
        Via: {}
        From: {}
        To: {to}
        Call-ID: {}
        CSeq: {}
        Contact: <sip:bob@192.0.2.9:5060>
        {extra}{content}|{sdp}",
        header(HeaderName::Via),
        header(HeaderName::From),
        header(HeaderName::CallId),
        header(HeaderName::CSeq),
    )
}

/// An incoming call that was answered and confirmed; gives our tag.
pub(super) fn established() -> (Solo, String) {
    let mut solo = Solo::new();
    let tag = answered(&mut solo, &invite());
    solo.receive(&request("ACK", 1, &tag, "", ""));
    assert!(matches!(solo.events().as_slice(), [Event::Confirmed { sdp: None, .. }]));
    (solo, tag)
}

/// An incoming call that was answered but not confirmed.
pub(super) fn answered(solo: &mut Solo, invite: &str) -> String {
    solo.receive(invite);
    assert!(matches!(solo.events().as_slice(), [Event::Incoming(_)]));
    assert_eq!(solo.sent(), ["100 INVITE"]);
    solo.command(Command::Answer { call: call("in-1"), sdp: ANSWER.into() });
    let ok = solo.response();
    assert_eq!(ok.status, 200);
    ok.headers.to_addr().unwrap().tag().unwrap().to_owned()
}
