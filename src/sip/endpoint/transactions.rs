//! What the tables hold: a transaction machine with its messages, and how messages find it.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use super::auth::Authentication;
use crate::domain::{CallId, GatewayId};
use crate::sip::header::BRANCH_COOKIE;
use crate::sip::transaction::{
    InviteClient, InviteServer, NonInviteClient, NonInviteServer, OnAck, OnRepeat, OnResponse, OnTimeout,
    earliest,
};
use crate::sip::{HeaderName, Method, NameAddr, Request, Response};

/// Forks of one INVITE that may answer; further ones hear nothing and give up by themselves.
pub(super) const MAX_ACCEPTED_FORKS: usize = 8;

/// What a message and its transaction have in common (RFC 3261 §17.1.3, §17.2.3).
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct TransactionKey(Arc<str>);

impl TransactionKey {
    pub(super) fn of_client(method: &Method, branch: &str) -> Self {
        Self(format!("{method} {branch}").into())
    }

    pub(super) fn of_response(response: &Response) -> Option<Self> {
        let via = response.headers.top_via()?;
        Some(Self::of_client(&response.headers.cseq()?.method, via.branch()?))
    }

    /// An ACK looks for its INVITE.
    pub(super) fn of_request(request: &Request) -> Option<Self> {
        let method = if request.method == Method::Ack { &Method::Invite } else { &request.method };
        Self::of_server(request, method)
    }

    /// A CANCEL looks for the INVITE it wants to stop.
    pub(super) fn of_cancelled(cancel: &Request) -> Option<Self> {
        Self::of_server(cancel, &Method::Invite)
    }

    fn of_server(request: &Request, method: &Method) -> Option<Self> {
        let via = request.headers.top_via()?;
        let sent_by = format!("{}:{}", via.host, via.port.unwrap_or_default());
        match via.branch().filter(|branch| branch.starts_with(BRANCH_COOKIE)) {
            Some(branch) => Some(Self(format!("{method} {branch} {sent_by}").into())),
            None => Some(Self(format!("{method} {sent_by} {}", identity(request)?).into())),
        }
    }
}

/// Call-ID, From tag and CSeq number: the same for every path one request took (RFC 3261 §8.2.2.2), and all that a
/// peer of RFC 2543 offers to match by.
pub(super) fn identity(request: &Request) -> Option<String> {
    let headers = &request.headers;
    let from = headers.from_addr()?;
    let tag = from.tag().unwrap_or_default();
    Some(format!("{} {tag} {}", headers.call_id()?, headers.cseq()?.number))
}

#[derive(Debug)]
pub(super) struct ClientTransaction {
    pub(super) machine: ClientMachine,
    pub(super) request: Request,
    /// The request as it was sent, for retransmission.
    pub(super) bytes: Vec<u8>,
    pub(super) destination: SocketAddr,
    pub(super) purpose: Purpose,
    /// The ACK of a refusal.
    pub(super) ack: Option<Vec<u8>>,
    /// The ACKs of 2xx answers, one for each fork.
    pub(super) accepted: Vec<AcceptedFork>,
    /// Set when a CANCEL has left: when to stop waiting for the 487.
    pub(super) cancelled_until: Option<Instant>,
}

#[derive(Debug)]
pub(super) enum ClientMachine {
    Invite(InviteClient),
    Other(NonInviteClient),
}

/// Who wants the answer of a client transaction.
#[derive(Debug)]
pub(super) enum Purpose {
    Invite(Box<Attempt>),
    Bye(Box<Authentication>),
    Register(GatewayId),
    /// Nobody: a CANCEL, or a request that was sent again with credentials.
    Nothing,
}

/// A call's way to its answer, over challenges and redirections.
#[derive(Debug)]
pub(super) struct Attempt {
    /// `None` once the call was answered (by another fork) or given up.
    pub(super) waiting: Option<CallId>,
    pub(super) auth: Authentication,
    pub(super) redirects_left: u8,
}

#[derive(Debug)]
pub(super) struct AcceptedFork {
    pub(super) remote_tag: String,
    pub(super) destination: SocketAddr,
    pub(super) ack: Vec<u8>,
}

impl ClientTransaction {
    pub(super) fn start(request: Request, destination: SocketAddr, purpose: Purpose, now: Instant) -> Self {
        let machine = if request.method == Method::Invite {
            ClientMachine::Invite(InviteClient::start(now))
        } else {
            ClientMachine::Other(NonInviteClient::start(now))
        };
        let bytes = request.to_bytes();
        let accepted = Vec::new();
        Self { machine, request, bytes, destination, purpose, ack: None, accepted, cancelled_until: None }
    }

    pub(super) fn is_open(&self) -> bool {
        match &self.machine {
            ClientMachine::Invite(machine) => machine.is_open(),
            ClientMachine::Other(machine) => machine.is_open(),
        }
    }

    pub(super) fn on_response(&mut self, status: u16, now: Instant) -> OnResponse {
        match &mut self.machine {
            ClientMachine::Invite(machine) => machine.on_response(status, now),
            ClientMachine::Other(machine) => machine.on_response(status, now),
        }
    }

    pub(super) fn on_timeout(&mut self, now: Instant) -> OnTimeout {
        match &mut self.machine {
            ClientMachine::Invite(machine)
                if machine.is_open() && self.cancelled_until.is_some_and(|at| now >= at) =>
            {
                OnTimeout::Terminate
            }
            ClientMachine::Invite(machine) => machine.on_timeout(now),
            ClientMachine::Other(machine) => machine.on_timeout(now),
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match &self.machine {
            ClientMachine::Invite(machine) if machine.is_open() => {
                earliest([machine.next_timeout(), self.cancelled_until])
            }
            ClientMachine::Invite(machine) => machine.next_timeout(),
            ClientMachine::Other(machine) => machine.next_timeout(),
        }
    }

    /// Whether a CANCEL may leave now: a provisional came, no final did, and none has left yet.
    pub(super) fn may_cancel(&self) -> bool {
        match &self.machine {
            ClientMachine::Invite(machine) => machine.may_cancel() && self.cancelled_until.is_none(),
            ClientMachine::Other(_) => false,
        }
    }

    /// The ACK of a refusal: the INVITE's own hop and route, the refusal's To (§17.1.1.3).
    pub(super) fn ack_of_refusal(&self, response: &Response) -> Request {
        let mut ack = self.companion(Method::Ack);
        if let Some(to) = response.headers.get(&HeaderName::To) {
            ack.headers.set(HeaderName::To, to);
        }
        ack
    }

    /// §9.1.
    pub(super) fn cancel(&self) -> Request {
        self.companion(Method::Cancel)
    }

    /// A request on the same hop: ACK of a refusal, or CANCEL.
    fn companion(&self, method: Method) -> Request {
        let copied = [
            HeaderName::Via,
            HeaderName::MaxForwards,
            HeaderName::Route,
            HeaderName::From,
            HeaderName::To,
            HeaderName::CallId,
        ];
        let mut request = Request::new(method.clone(), self.request.uri.clone());
        for (name, value) in self.request.headers.iter().filter(|(name, _)| copied.contains(name)) {
            request.headers.push(name.clone(), value);
        }
        let number = self.request.headers.cseq().map_or(1, |cseq| cseq.number);
        request.headers.push(HeaderName::CSeq, format!("{number} {method}"));
        request
    }
}

#[derive(Debug)]
pub(super) struct ServerTransaction {
    pub(super) machine: ServerMachine,
    pub(super) answer_to: SocketAddr,
    /// The last response, for retransmission.
    pub(super) last: Option<Vec<u8>>,
    /// Whose it is, for a CANCEL and for the clean-up after a panic.
    pub(super) call: Option<CallId>,
    /// Under which it stands in the table of merged requests.
    pub(super) identity: Option<String>,
}

#[derive(Debug)]
pub(super) enum ServerMachine {
    Invite(InviteServer),
    Other(NonInviteServer),
}

impl ServerTransaction {
    pub(super) fn on_repeat(&self) -> OnRepeat {
        match &self.machine {
            ServerMachine::Invite(machine) => machine.on_repeat(),
            ServerMachine::Other(machine) => machine.on_repeat(),
        }
    }

    pub(super) fn on_send(&mut self, status: u16, now: Instant) {
        match &mut self.machine {
            ServerMachine::Invite(machine) => machine.on_send(status, now),
            ServerMachine::Other(machine) => machine.on_send(status, now),
        }
    }

    pub(super) fn on_ack(&mut self, now: Instant) -> OnAck {
        match &mut self.machine {
            ServerMachine::Invite(machine) => machine.on_ack(now),
            ServerMachine::Other(_) => OnAck::Absorb,
        }
    }

    pub(super) fn on_timeout(&mut self, now: Instant) -> OnTimeout {
        match &mut self.machine {
            ServerMachine::Invite(machine) => machine.on_timeout(now),
            ServerMachine::Other(machine) => machine.on_timeout(now),
        }
    }

    pub(super) fn next_timeout(&self) -> Option<Instant> {
        match &self.machine {
            ServerMachine::Invite(machine) => machine.next_timeout(),
            ServerMachine::Other(machine) => machine.next_timeout(),
        }
    }

    /// Whether no final response went out yet.
    pub(super) fn is_open(&self) -> bool {
        match &self.machine {
            ServerMachine::Invite(machine) => machine.is_open(),
            ServerMachine::Other(machine) => machine.is_open(),
        }
    }
}

/// The tag of a To or From, empty where there is none.
pub(super) fn tag_of(address: Option<NameAddr>) -> String {
    address.as_ref().and_then(NameAddr::tag).unwrap_or_default().to_owned()
}
