//! The far ends of all calls: many phones behind one gateway, one SIP address and one host. Each says its caller's
//! tone and keeps what it hears.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::Instant;

use clearline::domain::{CallId, Entropy, GatewayId};
use clearline::media::codec::FRAME_SAMPLES;
use clearline::media::path::{CallerFrame, CallerPacket, CallerPath};
use clearline::media::routes::{Framing, OutgoingStream};
use clearline::media::rtp::RtpPacket;
use clearline::media::sdp::{LocalMedia, Negotiated, Negotiation};
use clearline::sip::endpoint::{Command, Endpoint, Event, Input, Output, PlaceCall, Sizes};

use crate::network::{Datagram, Network};
use crate::plan::{Plan, RING_TIME};
use crate::tones::{caller_tone_hz, is_loud, tone};
use crate::world::{ENGINE_SIP, GATEWAY_SIP, endpoint};

const FIRST_MEDIA_PORT: u16 = 40_000;
const RATE_HZ: usize = 8_000;

pub(crate) struct Phones {
    endpoint: Endpoint,
    pub(crate) phones: Vec<Phone>,
    by_call: HashMap<CallId, usize>,
}

pub(crate) struct Phone {
    number: usize,
    plan: Plan,
    call: Option<CallId>,
    answers_at: Option<(Instant, Option<Vec<u8>>)>,
    negotiation: Negotiation,
    media: Option<Negotiated>,
    stream: OutgoingStream,
    path: CallerPath,
    frame: CallerFrame,
    spoken: usize,
    pub(crate) connected_at: Option<Instant>,
    pub(crate) ended_at: Option<Instant>,
    /// What came through the jitter buffer, at 8 kHz, from `connected_at` on.
    pub(crate) heard: Vec<i16>,
    pub(crate) loud_at: Vec<Instant>,
}

impl Phones {
    pub(crate) fn new(plans: &[Plan], entropy: &mut Entropy, now: Instant) -> Self {
        let one_ssrc = entropy.next_u32();
        let shares_ssrc = entropy.below(2) == 0;
        let mut phones = Vec::new();
        for (number, plan) in plans.iter().enumerate() {
            let ssrc = if shares_ssrc { one_ssrc } else { entropy.next_u32() };
            phones.push(Phone::new(number, *plan, ssrc, entropy));
        }
        let endpoint = endpoint(GATEWAY_SIP, ENGINE_SIP, "phone", entropy.fork(), now);
        Self { endpoint, phones, by_call: HashMap::new() }
    }

    pub(crate) fn sizes(&self) -> Sizes {
        self.endpoint.sizes()
    }

    pub(crate) fn dial(&mut self, number: usize, network: &mut Network, now: Instant) {
        let call = CallId::new(format!("dialled-{number}"));
        self.by_call.insert(call.clone(), number);
        let phone = &mut self.phones[number];
        phone.call = Some(call.clone());
        let offer = Some(phone.negotiation.offer());
        let place = PlaceCall {
            call,
            gateway: GatewayId::new("trunk"),
            target: number.to_string(),
            from_user: None,
            from_display: None,
            offer,
        };
        self.input(Input::Command(Command::Place(place)), network, now);
    }

    pub(crate) fn hang_up(&mut self, number: usize, network: &mut Network, now: Instant) {
        if let Some(call) = self.phones[number].call.clone() {
            self.input(Input::Command(Command::HangUp { call }), network, now);
        }
    }

    pub(crate) fn receive(&mut self, datagram: &Datagram, network: &mut Network, now: Instant) {
        if datagram.to == GATEWAY_SIP {
            let input = Input::Datagram { source: datagram.from, bytes: &datagram.bytes };
            return self.input(input, network, now);
        }
        let number = usize::from(datagram.to.port() - FIRST_MEDIA_PORT) / 2;
        if let Some(phone) = self.phones.get_mut(number).filter(|_| datagram.to.port().is_multiple_of(2)) {
            phone.receive(&datagram.bytes, now);
        }
    }

    pub(crate) fn ring_timers(&mut self, network: &mut Network, now: Instant) {
        self.input(Input::Timeout, network, now);
        for number in 0..self.phones.len() {
            let due = self.phones[number].answers_at.take_if(|(at, _)| *at <= now);
            if let Some((_, offer)) = due {
                self.pick_up(number, offer.as_deref(), network, now);
            }
        }
    }

    fn pick_up(&mut self, number: usize, offer: Option<&[u8]>, network: &mut Network, now: Instant) {
        let phone = &mut self.phones[number];
        let (Some(call), Some(offer)) = (phone.call.clone(), offer) else { return };
        let sdp = phone.answer(offer);
        self.input(Input::Command(Command::Answer { call, sdp }), network, now);
    }

    fn input(&mut self, input: Input<'_>, network: &mut Network, now: Instant) {
        self.endpoint.handle(input, now);
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Transmit { destination, bytes } => network.send(GATEWAY_SIP, destination, bytes, now),
                Output::Event(event) => self.on_event(event, now),
            }
        }
    }

    fn on_event(&mut self, event: Event, now: Instant) {
        match event {
            Event::Incoming(incoming) => {
                let number: usize = incoming.to.expose().parse().expect("the engine dials numbers");
                self.by_call.insert(incoming.call.clone(), number);
                self.phones[number].call = Some(incoming.call);
                self.phones[number].answers_at = Some((now + RING_TIME, incoming.offer));
            }
            Event::Answered { call, sdp, .. } => {
                self.phone(&call).connect(sdp.as_deref(), now);
            }
            Event::Confirmed { call, .. } => self.phone(&call).connected_at = Some(now),
            Event::Ended { call, .. } => self.phone(&call).end(now),
            Event::Ringing { .. }
            | Event::EarlyMedia { .. }
            | Event::Offer { .. }
            | Event::Dtmf { .. }
            | Event::Registration { .. } => {}
        }
    }

    fn phone(&mut self, call: &CallId) -> &mut Phone {
        &mut self.phones[self.by_call[call]]
    }
}

impl Phone {
    fn new(number: usize, plan: Plan, ssrc: u32, entropy: &mut Entropy) -> Self {
        let local = LocalMedia {
            address: GATEWAY_SIP.ip(),
            port: FIRST_MEDIA_PORT + 2 * number as u16,
            codecs: vec![plan.codec],
            ssrc,
            session_id: 1,
            cname: "phone".into(),
        };
        let framing = Framing::new(plan.codec, plan.codec.static_payload_type().unwrap_or_default());
        Self {
            number,
            plan,
            call: None,
            answers_at: None,
            negotiation: Negotiation::new(local),
            media: None,
            stream: OutgoingStream::new(ssrc, framing, entropy),
            path: CallerPath::default(),
            frame: CallerFrame::SILENT,
            spoken: 0,
            connected_at: None,
            ended_at: None,
            heard: Vec::new(),
            loud_at: Vec::new(),
        }
    }

    /// One frame heard and one said.
    pub(crate) fn step(&mut self, network: &mut Network, now: Instant) {
        let (Some(media), Some(since)) = (&self.media, self.connected_at) else { return };
        if self.ended_at.is_some() {
            return;
        }
        self.path.step(now, &mut self.frame);
        self.heard.extend(self.frame.pcm_8k);
        if is_loud(&self.frame.pcm_8k) {
            self.loud_at.push(now);
        }
        let mut said = vec![0; FRAME_SAMPLES];
        if self.plan.caller_speaks(now - since) {
            said = tone(caller_tone_hz(self.number), RATE_HZ, self.spoken, FRAME_SAMPLES);
            self.spoken += FRAME_SAMPLES;
        }
        let payload: Vec<u8> = said.iter().map(|&sample| media.codec.encode(sample)).collect();
        let mut packet = Vec::new();
        self.stream.write_frame(&payload, false, &mut packet);
        network.send(self.address(), media.remote, packet, now);
    }

    pub(crate) fn speaks_between(&self, from: Instant, to: Instant) -> bool {
        let Some(since) = self.connected_at.filter(|since| *since <= to) else { return false };
        self.plan.caller_speaks_between(from.saturating_duration_since(since), to - since)
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::new(self.negotiation.local().address, self.negotiation.local().port)
    }

    fn receive(&mut self, datagram: &[u8], now: Instant) {
        let (Some(media), Some(packet)) = (&self.media, RtpPacket::parse(datagram)) else { return };
        if let Some(packet) = CallerPacket::new(&packet, media, now) {
            self.path.receive(packet);
        }
    }

    fn answer(&mut self, offer: &[u8]) -> Vec<u8> {
        let (answer, media) = self.negotiation.answer(offer).expect("we have a codec in common");
        self.media = Some(media);
        answer
    }

    fn connect(&mut self, sdp: Option<&[u8]>, now: Instant) {
        self.connected_at = Some(now);
        if let Some(Ok(media)) = sdp.map(|sdp| self.negotiation.accept_answer(sdp)) {
            self.media = Some(media);
        }
    }

    fn end(&mut self, now: Instant) {
        self.call = None;
        self.answers_at = None;
        self.ended_at = Some(now);
    }
}
