//! The phone's one task: sockets, timers and the machines between them.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::clock;
use crate::domain::{CallId, Entropy, GatewayId};
use crate::sip::endpoint::{
    Command as SipCommand, Endpoint, EndpointConfig, EndpointLimits, Event, Gateway, Input, Output, PlaceCall,
};

use super::audio::Tape;
use super::leg::{Heard, Leg};
use super::{Command, PhoneEvent, PhoneSettings};

const FRAME: Duration = Duration::from_millis(20);
const DATAGRAM_BYTES_MAX: usize = 65_535;
const SERVER: &str = "server";
/// How long the task sleeps when nothing is due.
const IDLE: Duration = Duration::from_secs(3600);

pub(super) struct PhoneTask {
    settings: PhoneSettings,
    endpoint: Endpoint,
    signalling: UdpSocket,
    media: UdpSocket,
    /// The same sockets: tokio's own non-blocking send fails until its reactor has seen them writable once.
    sender: std::net::UdpSocket,
    media_sender: std::net::UdpSocket,
    address: SocketAddr,
    leg: Option<Leg>,
    /// An incoming call that rings, with its offer, until we pick up.
    ringing: Option<(CallId, Option<Vec<u8>>, Instant)>,
    entropy: Entropy,
    events: mpsc::Sender<PhoneEvent>,
    tape: Arc<Mutex<Tape>>,
}

impl PhoneTask {
    pub(super) fn open(
        settings: PhoneSettings,
        events: mpsc::Sender<PhoneEvent>,
        tape: Arc<Mutex<Tape>>,
    ) -> io::Result<Self> {
        let (signalling, sender) = bind(settings.listen)?;
        let (media, media_sender) = bind(SocketAddr::new(settings.listen.ip(), 0))?;
        let address = signalling.local_addr()?;
        let mut entropy = Entropy::from_number(settings.seed);
        let endpoint = endpoint(&settings, address, entropy.fork());
        Ok(Self {
            settings,
            endpoint,
            signalling,
            media,
            sender,
            media_sender,
            address,
            leg: None,
            ringing: None,
            entropy,
            events,
            tape,
        })
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut frames = interval(clock::timer_for(FRAME));
        frames.set_missed_tick_behavior(MissedTickBehavior::Burst);
        let (mut sip, mut rtp) = (vec![0; DATAGRAM_BYTES_MAX], vec![0; DATAGRAM_BYTES_MAX]);
        loop {
            let next_timeout = self.endpoint.next_timeout();
            let wait = next_timeout.map_or(IDLE, |at| at.saturating_duration_since(clock::now()));
            tokio::select! {
                Ok((length, source)) = self.signalling.recv_from(&mut sip) => {
                    self.handle(Input::Datagram { source, bytes: &sip[..length] });
                }
                Ok((length, _)) = self.media.recv_from(&mut rtp) => self.receive(&rtp[..length]),
                () = sleep(clock::timer_for(wait)) => self.handle(Input::Timeout),
                _ = frames.tick() => self.frame(),
                command = commands.recv() => match command {
                    Some(command) => self.obey(command),
                    None => return,
                },
            }
        }
    }

    fn handle(&mut self, input: Input<'_>) {
        self.endpoint.handle(input, clock::now());
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                // SIP repeats what is lost.
                Output::Transmit { destination, bytes } => drop(self.sender.send_to(&bytes, destination)),
                Output::Event(event) => self.on_event(event),
            }
        }
    }

    fn command(&mut self, command: SipCommand) {
        self.handle(Input::Command(command));
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Incoming(incoming) => {
                let call = incoming.call.clone();
                let Some(patience) = self.settings.answers_after else {
                    return self.command(SipCommand::Ring { call });
                };
                self.ringing = Some((call.clone(), incoming.offer, clock::now() + patience));
                self.tell(PhoneEvent::Ringing);
                self.command(SipCommand::Ring { call });
            }
            Event::Ringing { .. } => self.tell(PhoneEvent::Ringing),
            Event::EarlyMedia { sdp, .. } => self.learn(&sdp),
            Event::Answered { sdp, .. } | Event::Confirmed { sdp, .. } => {
                if let Some(sdp) = sdp {
                    self.learn(&sdp);
                }
                self.tell(PhoneEvent::Connected);
            }
            Event::Offer { call, sdp } => self.on_offer(call, sdp),
            Event::Dtmf { digit, .. } => self.tell(PhoneEvent::Digit(digit)),
            Event::Ended { cause, .. } => {
                self.leg = None;
                self.ringing = None;
                self.tell(PhoneEvent::Ended { reason: format!("{cause:?}") });
            }
            Event::Registration { .. } => {}
        }
    }

    fn obey(&mut self, command: Command) {
        match command {
            Command::Dial { number } => self.dial(number),
            Command::Say(samples) => self.with_leg(|leg| leg.say(&samples)),
            Command::Press(keys) => self.with_leg(|leg| leg.press(&keys)),
            Command::HangUp => {
                if let Some(call) = self.leg.as_ref().map(|leg| leg.call.clone()) {
                    self.command(SipCommand::HangUp { call });
                }
            }
        }
    }

    fn dial(&mut self, target: String) {
        let call = clock::new_call_id();
        let mut leg = self.new_leg(call.clone());
        let offer = Some(leg.offer());
        self.leg = Some(leg);
        self.command(SipCommand::Place(PlaceCall {
            call,
            gateway: GatewayId::new(SERVER),
            target,
            from_user: Some(self.settings.user.clone()),
            from_display: None,
            offer,
        }));
    }

    fn pick_up(&mut self, call: CallId, offer: Option<&[u8]>) {
        let mut leg = self.new_leg(call.clone());
        let answer = match offer {
            Some(offer) => leg.answer(offer),
            None => Some(leg.offer()),
        };
        match answer {
            Some(sdp) => {
                self.leg = Some(leg);
                self.command(SipCommand::Answer { call, sdp });
            }
            None => self.command(SipCommand::Reject { call, status: 488, retry_after: None }),
        }
    }

    fn on_offer(&mut self, call: CallId, sdp: Option<Vec<u8>>) {
        let answer = self.leg.as_mut().and_then(|leg| match sdp {
            Some(offer) => leg.answer(&offer),
            None => Some(leg.offer()),
        });
        match answer {
            Some(sdp) => self.command(SipCommand::AnswerOffer { call, sdp }),
            None => self.command(SipCommand::RejectOffer { call, status: 488 }),
        }
    }

    fn new_leg(&mut self, call: CallId) -> Leg {
        let ours = self.media.local_addr().unwrap_or(self.address);
        let claimed = self.settings.claimed_media.unwrap_or(ours);
        Leg::new(call, self.settings.codec, claimed, &mut self.entropy)
    }

    fn learn(&mut self, sdp: &[u8]) {
        self.with_leg(|leg| leg.learn(sdp));
    }

    fn receive(&mut self, datagram: &[u8]) {
        self.with_leg(|leg| leg.receive(datagram, clock::now()));
    }

    fn frame(&mut self) {
        let now = clock::now();
        if let Some((call, offer, _)) = self.ringing.take_if(|(_, _, when)| *when <= now) {
            self.pick_up(call, offer.as_deref());
        }
        let Some(leg) = &mut self.leg else { return };
        let step = leg.step(now, &self.media_sender);
        self.tape.lock().unwrap_or_else(PoisonError::into_inner).record(&step.said, &step.heard);
        for heard in step.news {
            self.tell(match heard {
                Heard::Speech => PhoneEvent::HeardSpeech,
                Heard::Silence => PhoneEvent::HeardSilence,
                Heard::Key(key) => PhoneEvent::Digit(key),
                Heard::AllSaid => PhoneEvent::Said,
            });
        }
    }

    fn with_leg(&mut self, work: impl FnOnce(&mut Leg)) {
        if let Some(leg) = &mut self.leg {
            work(leg);
        }
    }

    /// A phone whose owner does not listen loses events, never time.
    fn tell(&self, event: PhoneEvent) {
        drop(self.events.try_send(event));
    }
}

fn bind(address: SocketAddr) -> io::Result<(UdpSocket, std::net::UdpSocket)> {
    let socket = std::net::UdpSocket::bind(address)?;
    socket.set_nonblocking(true)?;
    let sender = socket.try_clone()?;
    Ok((UdpSocket::from_std(socket)?, sender))
}

fn endpoint(settings: &PhoneSettings, address: SocketAddr, entropy: Entropy) -> Endpoint {
    let server = Gateway {
        id: GatewayId::new(SERVER),
        address: settings.server,
        domain: settings.server.to_string(),
        user: settings.user.clone(),
        password: None,
        register: false,
        expires: Duration::from_secs(3600),
    };
    let config = EndpointConfig {
        advertise: address,
        user_agent: "Clearline softphone".into(),
        gateways: vec![server],
        allowed_sources: Vec::new(),
        limits: EndpointLimits::default(),
        ring_timeout: Duration::from_secs(60),
    };
    Endpoint::new(config, entropy, Box::new(clock::new_call_id), clock::now())
}
