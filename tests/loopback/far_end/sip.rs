//! The SIP of a far end: text put together and taken apart by hand.

use std::net::SocketAddr;

/// One message as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Message(pub(crate) String);

impl Message {
    pub(crate) fn first_line(&self) -> &str {
        self.0.lines().next().unwrap_or_default()
    }

    pub(crate) fn headers<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let head = self.0.split("\r\n\r\n").next().unwrap_or_default();
        let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields
            .filter(move |(field, _)| field.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers(name).next().unwrap_or_default()
    }

    pub(crate) fn body(&self) -> &str {
        self.0.split_once("\r\n\r\n").map_or("", |(_, body)| body)
    }

    /// The method of a request.
    pub(crate) fn method(&self) -> Option<&str> {
        let (method, rest) = self.first_line().split_once(' ')?;
        rest.ends_with("SIP/2.0").then_some(method)
    }

    pub(crate) fn status(&self) -> Option<u16> {
        self.first_line().strip_prefix("SIP/2.0 ")?.get(..3)?.parse().ok()
    }

    /// The method that a response answers.
    pub(crate) fn answers(&self) -> &str {
        self.header("CSeq").split(' ').nth(1).unwrap_or_default()
    }

    /// An answer to this request.
    pub(crate) fn response(&self, status: &str, tag: &str, contact: SocketAddr, sdp: &str) -> String {
        let vias: String = self.headers("Via").map(|via| format!("Via: {via}\r\n")).collect();
        let to = self.header("To");
        let to = if to.contains("tag=") { to.to_owned() } else { format!("{to};tag={tag}") };
        format!(
            "SIP/2.0 {status}\r\n{vias}From: {}\r\nTo: {to}\r\nCall-ID: {}\r\nCSeq: {}\r\nContact: \
             <sip:{contact}>\r\n{}",
            self.header("From"),
            self.header("Call-ID"),
            self.header("CSeq"),
            with_body(sdp),
        )
    }
}

/// The end of the headers, and the body.
pub(crate) fn with_body(sdp: &str) -> String {
    let kind = if sdp.is_empty() { "" } else { "Content-Type: application/sdp\r\n" };
    format!("{kind}Content-Length: {}\r\n\r\n{sdp}", sdp.len())
}

/// Our side of one dialog.
#[derive(Debug, Clone)]
pub(crate) struct Dialog {
    pub(crate) call_id: String,
    /// From and To as they stand in a request of ours.
    pub(crate) local: String,
    pub(crate) remote: String,
    /// Where requests go: the Request-URI.
    pub(crate) target: String,
    pub(crate) cseq: u32,
    pub(crate) branch: String,
}

impl Dialog {
    pub(crate) fn request(&self, method: &str, contact: SocketAddr, sdp: &str) -> String {
        format!(
            "{method} {} SIP/2.0\r\nVia: SIP/2.0/UDP {contact};branch={};rport\r\nMax-Forwards: 70\r\nFrom: \
             {}\r\nTo: {}\r\nCall-ID: {}\r\nCSeq: {} {method}\r\nContact: <sip:{contact}>\r\n{}",
            self.target,
            self.branch,
            self.local,
            self.remote,
            self.call_id,
            self.cseq,
            with_body(sdp),
        )
    }
}

/// The SDP of one PCMU stream with DTMF events.
pub(crate) fn sdp(media: SocketAddr, direction: &str) -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\na=rtpmap:0 \
         PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=rtcp-mux\r\na={direction}\r\n",
        ip = media.ip(),
        port = media.port(),
    )
}

/// Where an SDP of the engine wants its audio.
pub(crate) fn media_address(sdp: &str) -> Option<SocketAddr> {
    let after = |start: &str| sdp.lines().find_map(|line| line.strip_prefix(start));
    let ip = after("c=IN IP4 ")?.trim().parse().ok()?;
    let port = after("m=audio ")?.split(' ').next()?.parse().ok()?;
    Some(SocketAddr::new(ip, port))
}
