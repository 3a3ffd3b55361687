//! What a message of a caller costs before anybody has decided anything.

use clearline::sip;
use divan::{Bencher, black_box};

const SDP: &str = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\n\
    m=audio 10000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
    a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\n";

fn invite() -> Vec<u8> {
    format!(
        "INVITE sip:+4930123456@192.0.2.2 SIP/2.0\r\n\
         Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK776asdhds;rport\r\n\
         Max-Forwards: 70\r\n\
         From: \"Ada\" <sip:+4930987654@192.0.2.1>;tag=1928301774\r\n\
         To: <sip:+4930123456@192.0.2.2>\r\n\
         Call-ID: a84b4c76e66710@192.0.2.1\r\n\
         CSeq: 314159 INVITE\r\n\
         Contact: <sip:ada@192.0.2.1:5060>\r\n\
         Allow: INVITE, ACK, CANCEL, BYE, OPTIONS, UPDATE, PRACK, INFO\r\n\
         Supported: 100rel, timer, replaces\r\n\
         User-Agent: an ordinary gateway\r\n\
         Content-Type: application/sdp\r\n\
         Content-Length: {}\r\n\r\n{SDP}",
        SDP.len()
    )
    .into_bytes()
}

#[divan::bench]
fn parse_invite(bencher: Bencher<'_, '_>) {
    let invite = invite();
    bencher.bench_local(|| sip::parse(black_box(&invite)).is_ok());
}

#[divan::bench]
fn write_message(bencher: Bencher<'_, '_>) {
    let message = sip::parse(&invite()).expect("an ordinary INVITE");
    bencher.bench_local(|| black_box(&message).to_bytes());
}
