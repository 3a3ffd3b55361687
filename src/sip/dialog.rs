//! A dialog: what two user agents must remember to send each other requests (RFC 3261 §12).

use std::net::{IpAddr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::parse::scan;
use super::{CSeq, HeaderName, Headers, Method, NameAddr, Request, Response, Uri};

/// The route set a peer may give us; more hops than this is no network.
pub const MAX_ROUTES: usize = 16;

const DEFAULT_PORT: u16 = 5060;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dialog {
    pub call_id: String,
    /// Our address with our tag.
    pub local: NameAddr,
    /// Theirs with theirs; a peer of RFC 2543 has none.
    pub remote: NameAddr,
    pub remote_target: Uri,
    pub route_set: Vec<NameAddr>,
    pub local_cseq: u32,
    pub remote_cseq: Option<u32>,
    /// Where the other side's messages come from; used where its addresses lead nowhere.
    pub peer: SocketAddr,
}

/// A dialog as plain data, for whoever must send into it after this endpoint is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialogSnapshot {
    pub call_id: String,
    pub local_tag: String,
    pub remote_tag: String,
    pub local_uri: String,
    pub remote_uri: String,
    pub remote_target: String,
    pub route_set: Vec<String>,
    pub local_cseq: u32,
    pub remote_cseq: Option<u32>,
    pub peer: SocketAddr,
}

impl Dialog {
    /// The callee's view (§12.1.1). `None` when the request lacks what a dialog needs.
    pub fn of_callee(invite: &Request, local_tag: &str, peer: SocketAddr) -> Option<Self> {
        let headers = &invite.headers;
        Some(Self {
            call_id: headers.call_id()?.to_owned(),
            local: headers.to_addr()?.with_tag(local_tag),
            remote: headers.from_addr()?,
            remote_target: headers.contact()?.uri,
            route_set: routes(headers).collect(),
            local_cseq: 0,
            remote_cseq: Some(headers.cseq()?.number),
            peer,
        })
    }

    /// The caller's view (§12.1.2). A 2xx without a Contact leaves the address that was called.
    pub fn of_caller(invite: &Request, response: &Response, peer: SocketAddr) -> Option<Self> {
        let mut route_set: Vec<_> = routes(&response.headers).collect();
        route_set.reverse();
        Some(Self {
            call_id: invite.headers.call_id()?.to_owned(),
            local: invite.headers.from_addr()?,
            remote: response.headers.to_addr()?,
            remote_target: response
                .headers
                .contact()
                .map_or_else(|| invite.uri.clone(), |contact| contact.uri),
            route_set,
            local_cseq: invite.headers.cseq()?.number,
            remote_cseq: None,
            peer,
        })
    }

    /// The view of a caller that remembers nothing of its INVITE: all but the hop is in the answer.
    pub fn of_stray_answer(response: &Response, peer: SocketAddr) -> Option<Self> {
        let headers = &response.headers;
        let mut route_set: Vec<_> = routes(headers).collect();
        route_set.reverse();
        Some(Self {
            call_id: headers.call_id()?.to_owned(),
            local: headers.from_addr()?,
            remote: headers.to_addr().filter(|to| to.tag().is_some())?,
            remote_target: headers.contact()?.uri,
            route_set,
            local_cseq: headers.cseq()?.number,
            remote_cseq: None,
            peer,
        })
    }

    /// `None` where what was kept cannot be read.
    pub fn from_snapshot(kept: &DialogSnapshot) -> Option<Self> {
        let party = |uri: &str, tag: &str| {
            let party = NameAddr::new(uri.parse().ok()?);
            Some(if tag.is_empty() { party } else { party.with_tag(tag) })
        };
        Some(Self {
            call_id: kept.call_id.clone(),
            local: party(&kept.local_uri, &kept.local_tag)?,
            remote: party(&kept.remote_uri, &kept.remote_tag)?,
            remote_target: kept.remote_target.parse().ok()?,
            route_set: kept.route_set.iter().map(|route| route.parse().ok()).collect::<Option<_>>()?,
            local_cseq: kept.local_cseq,
            remote_cseq: kept.remote_cseq,
            peer: kept.peer,
        })
    }

    pub fn local_tag(&self) -> &str {
        self.local.tag().unwrap_or_default()
    }

    pub fn remote_tag(&self) -> &str {
        self.remote.tag().unwrap_or_default()
    }

    /// Whether an arriving request belongs here, once its To tag has led to us.
    pub fn owns(&self, request: &Request) -> bool {
        let from = request.headers.from_addr();
        let from_tag = from.as_ref().and_then(NameAddr::tag).unwrap_or_default();
        request.headers.call_id() == Some(&self.call_id) && from_tag == self.remote_tag()
    }

    /// The hosts a dialog has a right to be spoken from: where it came from, its Contact, its Record-Route. Tags are
    /// secret, but not from everybody on the way.
    pub fn is_spoken_from(&self, host: IpAddr) -> bool {
        let hops = self.route_set.iter().map(|route| &route.uri).chain([&self.remote_target]);
        let mut named = hops.filter_map(socket_address).map(|address| address.ip());
        self.peer.ip().to_canonical() == host.to_canonical() || named.any(|ip| ip == host.to_canonical())
    }

    /// Takes the number of an arriving request; false when it is out of order (§12.2.2).
    pub fn accept_cseq(&mut self, number: u32) -> bool {
        let is_newer = self.remote_cseq.is_none_or(|held| number > held);
        if is_newer {
            self.remote_cseq = Some(number);
        }
        is_newer
    }

    /// A re-INVITE, an UPDATE or their answers may move the other side (§12.2.1.2).
    pub fn refresh_target(&mut self, headers: &Headers) {
        if let Some(contact) = headers.contact() {
            self.remote_target = contact.uri;
        }
    }

    /// The next request of ours, without Via (§12.2.1.1).
    pub fn next_request(&mut self, method: Method) -> Request {
        self.local_cseq += 1;
        self.request(method, self.local_cseq)
    }

    /// The ACK of a 2xx: it has the number of its INVITE (§13.2.2.4).
    pub fn ack(&self, cseq: u32) -> Request {
        self.request(Method::Ack, cseq)
    }

    /// The socket our next request goes to: the first route, else the remote target. Names cannot be resolved here,
    /// and a private address of a peer that reaches us from a public one leads nowhere: both fall back to `peer`.
    pub fn next_hop(&self) -> SocketAddr {
        let uri = self.route_set.first().map_or(&self.remote_target, |route| &route.uri);
        socket_address(uri).filter(|address| is_reachable(address.ip(), self.peer.ip())).unwrap_or(self.peer)
    }

    pub fn snapshot(&self) -> DialogSnapshot {
        DialogSnapshot {
            call_id: self.call_id.clone(),
            local_tag: self.local_tag().to_owned(),
            remote_tag: self.remote_tag().to_owned(),
            local_uri: self.local.uri.to_string(),
            remote_uri: self.remote.uri.to_string(),
            remote_target: self.remote_target.to_string(),
            route_set: self.route_set.iter().map(NameAddr::to_string).collect(),
            local_cseq: self.local_cseq,
            remote_cseq: self.remote_cseq,
            peer: self.peer,
        }
    }

    fn request(&self, method: Method, cseq: u32) -> Request {
        let (uri, routes) = self.target_and_routes();
        let mut request = Request::new(method.clone(), uri);
        for route in routes {
            request.headers.push(HeaderName::Route, route.to_string());
        }
        request.headers.push(HeaderName::From, self.local.to_string());
        request.headers.push(HeaderName::To, self.remote.to_string());
        request.headers.push(HeaderName::CallId, &self.call_id);
        request.headers.push(HeaderName::CSeq, CSeq { number: cseq, method }.to_string());
        request
    }

    /// A first hop without `lr` is a strict router: it wants itself in the Request-URI and the target last.
    fn target_and_routes(&self) -> (Uri, Vec<NameAddr>) {
        match self.route_set.split_first() {
            Some((first, rest)) if !first.uri.is_loose_router() => {
                let target = NameAddr::new(self.remote_target.clone());
                (first.uri.clone(), rest.iter().cloned().chain([target]).collect())
            }
            Some(_) | None => (self.remote_target.clone(), self.route_set.clone()),
        }
    }
}

/// The socket an address spells, without asking anybody.
pub fn socket_address(uri: &Uri) -> Option<SocketAddr> {
    Some(SocketAddr::new(scan::host_address(&uri.host)?, uri.port.unwrap_or(DEFAULT_PORT)))
}

fn routes(headers: &Headers) -> impl Iterator<Item = NameAddr> {
    headers.addresses(&HeaderName::RecordRoute).into_iter().take(MAX_ROUTES)
}

fn is_reachable(address: IpAddr, peer: IpAddr) -> bool {
    !address.is_unspecified() && !address.is_multicast() && (!is_private(address) || is_private(peer))
}

fn is_private(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback() || v4.is_link_local(),
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: &str = "198.51.100.7:5070";

    fn invite(extra: &[(HeaderName, &str)]) -> Request {
        let mut request = Request::new(Method::Invite, "sip:100@192.0.2.1".parse().unwrap());
        request.headers.push(HeaderName::From, "<sip:alice@example.com>;tag=a");
        request.headers.push(HeaderName::To, "<sip:100@example.com>");
        request.headers.push(HeaderName::CallId, "call");
        request.headers.push(HeaderName::CSeq, "7 INVITE");
        for (name, value) in extra {
            request.headers.push(name.clone(), *value);
        }
        request
    }

    fn callee(extra: &[(HeaderName, &str)]) -> Dialog {
        Dialog::of_callee(&invite(extra), "b", PEER.parse().unwrap()).unwrap()
    }

    fn caller(routes: &[&str]) -> Dialog {
        let mut response = Response::to_request(&invite(&[]), 200);
        response.headers.set(HeaderName::To, "<sip:100@example.com>;tag=b");
        response.headers.push(HeaderName::Contact, "<sip:100@203.0.113.9:5080>");
        for route in routes {
            response.headers.push(HeaderName::RecordRoute, *route);
        }
        Dialog::of_caller(&invite(&[]), &response, PEER.parse().unwrap()).unwrap()
    }

    fn values(request: &Request, name: HeaderName) -> Vec<&str> {
        request.headers.all(&name).collect::<Vec<_>>().into_iter().map(|v| v.trim()).collect()
    }

    #[test]
    fn the_callee_keeps_the_route_in_order_and_the_caller_turns_it_round() {
        let dialog = callee(&[
            (HeaderName::Contact, "<sip:alice@203.0.113.5>"),
            (HeaderName::RecordRoute, "<sip:p2.example;lr>"),
            (HeaderName::RecordRoute, "<sip:p1.example;lr>"),
        ]);
        assert_eq!(dialog.snapshot().route_set, ["<sip:p2.example;lr>", "<sip:p1.example;lr>"]);
        let dialog = caller(&["<sip:p2.example;lr>", "<sip:p1.example;lr>"]);
        assert_eq!(dialog.snapshot().route_set, ["<sip:p1.example;lr>", "<sip:p2.example;lr>"]);
    }

    #[test]
    fn what_was_kept_of_a_dialog_leads_to_the_same_far_end() {
        for dialog in [
            caller(&["<sip:p2.example;lr>", "<sip:192.0.2.66>"]),
            callee(&[(HeaderName::Contact, "<sip:a@203.0.113.5>")]),
        ] {
            let kept = serde_json::to_string(&dialog.snapshot()).unwrap();
            let mut again = Dialog::from_snapshot(&serde_json::from_str(&kept).unwrap()).unwrap();
            assert_eq!(again.next_hop(), dialog.next_hop());
            assert_eq!(again.next_request(Method::Bye), dialog.clone().next_request(Method::Bye));
        }
        let kept = DialogSnapshot { remote_target: "nowhere".into(), ..caller(&[]).snapshot() };
        assert_eq!(Dialog::from_snapshot(&kept), None);
    }

    #[test]
    fn a_loose_route_keeps_the_target_in_the_request_line() {
        let request = caller(&["<sip:192.0.2.66;lr>"]).next_request(Method::Bye);
        assert_eq!(request.uri.to_string(), "sip:100@203.0.113.9:5080");
        assert_eq!(values(&request, HeaderName::Route), ["<sip:192.0.2.66;lr>"]);
        assert_eq!(values(&request, HeaderName::CSeq), ["8 BYE"]);
    }

    #[test]
    fn a_strict_router_stands_in_the_request_line_and_the_target_last() {
        let request = caller(&["<sip:p2.example;lr>", "<sip:192.0.2.66>"]).next_request(Method::Bye);
        assert_eq!(request.uri.to_string(), "sip:192.0.2.66");
        assert_eq!(
            values(&request, HeaderName::Route),
            ["<sip:p2.example;lr>", "<sip:100@203.0.113.9:5080>"]
        );
    }

    #[test]
    fn requests_go_to_the_first_route_else_to_the_contact() {
        assert_eq!(caller(&["<sip:192.0.2.66:5099;lr>"]).next_hop(), "192.0.2.66:5099".parse().unwrap());
        assert_eq!(caller(&[]).next_hop(), "203.0.113.9:5080".parse().unwrap());
    }

    #[test]
    fn a_contact_that_leads_nowhere_is_replaced_by_the_peers_own_address() {
        for contact in ["<sip:alice@192.168.1.5:5062>", "<sip:alice@phone.invalid>", "<sip:alice@0.0.0.0>"] {
            assert_eq!(
                callee(&[(HeaderName::Contact, contact)]).next_hop(),
                PEER.parse().unwrap(),
                "{contact}"
            );
        }
    }

    #[test]
    fn an_old_or_repeated_number_is_out_of_order() {
        let mut dialog = callee(&[(HeaderName::Contact, "<sip:a@203.0.113.5>")]);
        assert!(!dialog.accept_cseq(7));
        assert!(dialog.accept_cseq(8));
        assert!(!dialog.accept_cseq(6));
    }
}
