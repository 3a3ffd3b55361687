//! Signalling's actor: the shell of [`Endpoint`], alone on its arbiter, with the one SIP socket.
//!
//! A task reads the socket and hands over batches, each awaited: the kernel's buffer is the queue a flood fills, not
//! the mailbox. Every input is handled under a guard; a panic costs the one transaction or dialog that caused it.
//! Events of a call go to its session; while none is attached (a rebuild) they wait here, in the call's postbox.

mod messages;
mod socket;
mod translate;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;

use actix::prelude::*;
use tokio::net::UdpSocket;

use crate::call::Signal;
use crate::call::postbox::{Delivery, Postbox};
use crate::clock;
use crate::domain::{CallId, Entropy, UserId};
use crate::sip::endpoint::{Endpoint, EndpointConfig, Event, Input, Output};
use crate::telemetry::{Counter, count};

use super::alarm::Alarm;
use super::books::KeepDialog;
use super::call_session::SignalArrived;
use super::call_supervisor::IncomingOffered;
use super::events::{EngineEvent, EventStream};
use super::guard::guarded;
use super::{Directory, SERVICE_MAILBOX_SIZE};
use socket::Datagrams;
pub use translate::signal_of;

pub use messages::{
    AskSipSizes, AttachCall, DrainSignalling, EndLostDialog, ExpectInvite, ForgetCall, LimitCalls,
    PerformSignal, RefuseCall, SipSizes,
};

pub struct SipEndpoint {
    endpoint: Endpoint,
    socket: Arc<UdpSocket>,
    /// The same socket: tokio's own non-blocking send fails until its reactor has seen the socket writable once.
    sender: std::net::UdpSocket,
    /// INVITEs under way and whose they are; the owner is known before the first byte leaves.
    pending_invites: HashMap<CallId, PendingInvite>,
    calls: HashMap<CallId, Line>,
    alarm: Alarm,
    reader: Option<SpawnHandle>,
    directory: Directory,
    events: EventStream,
}

#[derive(Default)]
struct Line {
    session: Option<Recipient<SignalArrived>>,
    postbox: Postbox,
}

/// What an outbound INVITE needs besides its offer.
#[derive(Debug, Clone)]
pub struct PendingInvite {
    pub owner: UserId,
    pub target: DialTarget,
}

#[derive(Debug, Clone)]
pub struct DialTarget {
    pub gateway: crate::domain::GatewayId,
    /// A number or a whole `sip:` address.
    pub target: String,
    pub from: Option<String>,
}

/// What the endpoint is made of; put together on its own thread, whose reactor then serves the socket.
pub struct SipParts {
    pub config: EndpointConfig,
    /// Non-blocking.
    pub socket: std::net::UdpSocket,
    pub entropy: Entropy,
    pub directory: Directory,
    pub events: EventStream,
}

impl SipEndpoint {
    pub fn start(arbiter: &ArbiterHandle, parts: SipParts) -> Addr<Self> {
        Supervisor::start_in_arbiter(arbiter, move |_| Self::new(parts))
    }

    fn new(parts: SipParts) -> Self {
        let SipParts { config, socket, entropy, directory, events } = parts;
        let sender = socket.try_clone().expect("a socket's handle can be copied while descriptors are left");
        let socket = UdpSocket::from_std(socket).expect("a non-blocking socket fits the thread's reactor");
        Self {
            endpoint: Endpoint::new(config, entropy, Box::new(clock::new_call_id), clock::now()),
            socket: Arc::new(socket),
            sender,
            pending_invites: HashMap::new(),
            calls: HashMap::new(),
            alarm: Alarm::default(),
            reader: None,
            directory,
            events,
        }
    }

    /// One input, one entry: what it panics on is removed, the tables stay.
    fn handle_input(&mut self, input: Input<'_>, ctx: &mut Context<Self>) {
        let endpoint = &mut self.endpoint;
        if guarded("sip", || endpoint.handle(input, clock::now())).is_err() {
            self.endpoint.discard_touched();
        }
        self.pump(ctx);
    }

    fn pump(&mut self, ctx: &mut Context<Self>) {
        while let Some(output) = self.endpoint.poll_output() {
            match output {
                Output::Transmit { destination, bytes } => self.transmit(destination, &bytes),
                Output::Event(event) => self.on_event(event),
            }
        }
        self.rearm(ctx);
    }

    /// SIP repeats what is lost, so a full socket buffer is only counted.
    fn transmit(&self, destination: SocketAddr, bytes: &[u8]) {
        if self.sender.send_to(bytes, destination).is_err() {
            count(Counter::SipSendFailures);
        }
    }

    fn on_event(&mut self, event: Event) {
        match event {
            Event::Incoming(incoming) => {
                self.calls.entry(incoming.call.clone()).or_default();
                if let Some(supervisor) = self.directory.supervisor() {
                    supervisor.do_send(IncomingOffered(*incoming));
                }
            }
            Event::Registration { gateway, state } => {
                tracing::info!(%gateway, ?state, "registration");
                self.events.tell(EngineEvent::Registration { gateway, state });
            }
            Event::Ringing { .. }
            | Event::EarlyMedia { .. }
            | Event::Answered { .. }
            | Event::Confirmed { .. }
            | Event::Offer { .. }
            | Event::Dtmf { .. }
            | Event::Ended { .. } => {
                self.keep_dialog(&event);
                if let Some((call, signal)) = signal_of(event) {
                    self.deliver(&call, signal);
                }
            }
        }
    }

    fn keep_dialog(&self, event: &Event) {
        let (Event::Ringing { call, dialog: Some(dialog) }
        | Event::Answered { call, dialog, .. }
        | Event::Confirmed { call, dialog, .. }) = event
        else {
            return;
        };
        let (Some(books), Ok(dialog)) = (self.directory.books(), serde_json::to_value(dialog)) else {
            return;
        };
        books.do_send(KeepDialog { call: call.clone(), dialog });
    }

    fn deliver(&mut self, call: &CallId, signal: Signal) {
        let ended = matches!(signal, Signal::Ended(_));
        let Some(line) = self.calls.get_mut(call) else { return };
        let session = line.session.as_ref().filter(|session| session.connected());
        match (line.postbox.post(signal, session.is_some()), session) {
            (Delivery::Now(signal), Some(session)) => session.do_send(SignalArrived(signal)),
            (Delivery::Now(_) | Delivery::Later, _) => {}
            (Delivery::Dropped, _) => count(Counter::SipEventsDropped),
        }
        if ended {
            self.pending_invites.remove(call);
        }
    }

    fn rearm(&mut self, ctx: &mut Context<Self>) {
        self.alarm.set(self.endpoint.next_timeout(), ctx, |endpoint, ctx| {
            endpoint.alarm.rang();
            endpoint.handle_input(Input::Timeout, ctx);
        });
    }
}

impl Actor for SipEndpoint {
    type Context = Context<Self>;

    fn started(&mut self, ctx: &mut Context<Self>) {
        ctx.set_mailbox_capacity(SERVICE_MAILBOX_SIZE);
        let reading = socket::read(self.socket.clone(), ctx.address());
        self.reader = Some(ctx.spawn(reading.into_actor(self)));
        self.pump(ctx);
    }
}

impl Supervised for SipEndpoint {}

impl Handler<Datagrams> for SipEndpoint {
    type Result = ();

    fn handle(&mut self, batch: Datagrams, ctx: &mut Context<Self>) {
        for (source, bytes) in batch.iter() {
            self.handle_input(Input::Datagram { source, bytes }, ctx);
        }
    }
}
