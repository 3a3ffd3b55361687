//! Scenarios for SIPp, put together from steps, so that a test shows what its peer does and in which order.
//!
//! A *caller* sends the INVITE, a *callee* gets it. SIPp takes a repeated message for a retransmission by itself, so
//! what gets lost on the way is played by a peer that waits before it goes on.

/// One more thing the peer does.
pub(crate) type Step = String;

/// Where a peer's audio may go, as its SDP says.
#[derive(Clone, Copy)]
pub(crate) enum Audio {
    SendRecv,
    /// Hold.
    SendOnly,
}

pub(crate) fn scenario(steps: &[Step]) -> String {
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<scenario name=\"peer\">\n{}</scenario>\n",
        steps.concat()
    )
}

/// The first INVITE, with an offer or without.
pub(crate) fn invite(offer: Option<Audio>) -> Step {
    caller_sends("INVITE", "sip:[service]@[remote_ip]:[remote_port]", 1, "retrans=\"500\"", offer)
}

pub(crate) fn reinvite(cseq: u32, offer: Option<Audio>) -> Step {
    caller_sends("INVITE", "[next_url]", cseq, "retrans=\"500\"", offer)
}

/// To a 200; with an answer when the offer was in it.
pub(crate) fn ack(cseq: u32, answer: Option<Audio>) -> Step {
    caller_sends("ACK", "[next_url]", cseq, "", answer)
}

/// To a refusal of the first INVITE: hop by hop, so it goes where the INVITE went.
pub(crate) fn ack_of_refusal() -> Step {
    caller_sends("ACK", "sip:[service]@[remote_ip]:[remote_port]", 1, "", None)
}

pub(crate) fn cancel() -> Step {
    caller_sends("CANCEL", "sip:[service]@[remote_ip]:[remote_port]", 1, "retrans=\"500\"", None)
}

pub(crate) fn bye(cseq: u32) -> Step {
    caller_sends("BYE", "[next_url]", cseq, "retrans=\"500\"", None)
}

pub(crate) fn options() -> Step {
    caller_sends("OPTIONS", "sip:[remote_ip]:[remote_port]", 1, "retrans=\"500\"", None)
}

pub(crate) fn expect(status: u16) -> Step {
    format!("<recv response=\"{status}\" rrs=\"true\"/>\n")
}

/// The message must hold what fits `pattern`.
pub(crate) fn expect_with(status: u16, pattern: &str) -> Step {
    let number = pattern.bytes().map(u32::from).sum::<u32>();
    format!(
        "<recv response=\"{status}\" rrs=\"true\"><action><ereg regexp=\"{pattern}\" search_in=\"msg\" \
         check_it=\"true\" assign_to=\"found{number}\"/></action></recv>\n\
         <nop><action><log message=\"[$found{number}]\"/></action></nop>\n"
    )
}

pub(crate) fn may_get(status: u16) -> Step {
    format!("<recv response=\"{status}\" optional=\"true\"/>\n")
}

pub(crate) fn expect_request(method: &str) -> Step {
    format!("<recv request=\"{method}\"/>\n")
}

pub(crate) fn pause(milliseconds: u32) -> Step {
    format!("<pause milliseconds=\"{milliseconds}\"/>\n")
}

/// Plays the talk's sound.
pub(crate) fn play() -> Step {
    "<nop><action><exec rtp_stream=\"@AUDIO@,1,@PAYLOAD@\"/></action></nop>\n".to_string()
}

/// A response to the request that came last.
pub(crate) fn respond(status: &str, answer: Option<Audio>) -> Step {
    respond_as("[last_CSeq:]", status, answer)
}

/// A response to the INVITE after a CANCEL, which bears the INVITE's Via and number.
pub(crate) fn respond_to_canceled(status: &str) -> Step {
    respond_as("CSeq: [last_cseq_number] INVITE", status, None)
}

fn respond_as(cseq: &str, status: &str, answer: Option<Audio>) -> Step {
    let retransmission = if status.starts_with('2') && answer.is_some() { "retrans=\"500\"" } else { "" };
    // A request within the dialog bears our tag already.
    let tag = if status == "200 OK" && answer.is_none() { "" } else { ";tag=[pid]sipp[call_number]" };
    let head = format!(
        "SIP/2.0 {status}\n[last_Via:]\n[last_From:]\n[last_To:]{tag}\n[last_Call-ID:]\n{cseq}\n[last_Record-Route:]\n"
    );
    send(retransmission, &head, answer)
}

fn caller_sends(method: &str, uri: &str, cseq: u32, attributes: &str, body: Option<Audio>) -> Step {
    // One branch for an INVITE, its CANCEL and the ACK of its refusal (RFC 3261 §9.1, §17.1.1.3).
    let branch = match method {
        "CANCEL" => format!("{cseq}INVITE"),
        "ACK" if !uri.starts_with('[') => format!("{cseq}INVITE"),
        _ => format!("{cseq}{method}"),
    };
    let head = format!(
        "{method} {uri} SIP/2.0\n\
         Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=z9hG4bK[pid]x[call_number]x{branch}\n[routes]\n\
         From: \"SIPp\" <sip:sipp@[local_ip]:[local_port]>;tag=[pid]sipp[call_number]\n\
         To: <sip:[service]@[remote_ip]:[remote_port]>[peer_tag_param]\n\
         Call-ID: [call_id]\nCSeq: {cseq} {method}\nMax-Forwards: 70\n"
    );
    send(attributes, &head, body)
}

fn send(attributes: &str, head: &str, body: Option<Audio>) -> Step {
    let (content_type, sdp) = match body {
        Some(audio) => ("Content-Type: application/sdp\n", sdp(audio)),
        None => ("", String::new()),
    };
    format!(
        "<send {attributes}><![CDATA[\n{head}Contact: <sip:sipp@[local_ip]:[local_port]>\n{content_type}\
         Content-Length: [len]\n\n{sdp}]]></send>\n"
    )
}

fn sdp(audio: Audio) -> String {
    let direction = match audio {
        Audio::SendRecv => "sendrecv",
        Audio::SendOnly => "sendonly",
    };
    format!(
        "v=0\no=sipp 53655765 2353687637 IN IP[local_ip_type] [local_ip]\ns=-\n\
         c=IN IP[media_ip_type] [media_ip]\nt=0 0\nm=audio [rtpstream_audio_port] RTP/AVP @PAYLOAD@\n\
         a=rtpmap:@PAYLOAD@ @CODEC@/8000\na=ptime:20\na={direction}\n"
    )
}
