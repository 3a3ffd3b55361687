//! Writing a description: one plain form that every peer we met can read.

use std::fmt::Write;
use std::net::IpAddr;

use super::types::{Codec, Direction, LocalMedia};

/// RFC 4733; the events 0-16 are the keys and the hook flash.
const DTMF_EVENTS: &str = "0-16";
const PTIME_MS: u8 = 20;

/// The `m=` line we speak on.
pub(super) struct AudioLine<'a> {
    pub(super) protocol: &'a str,
    pub(super) formats: &'a [(u8, Codec)],
    pub(super) dtmf_payload_type: Option<u8>,
    pub(super) direction: Direction,
    pub(super) rtcp_mux: bool,
}

/// The head of a description, up to the first `m=` line.
pub(super) fn write_session(local: &LocalMedia, version: u64) -> String {
    let (family, address) = (family(local.address), local.address);
    format!(
        "v=0\r\no=clearline {id} {version} IN {family} {address}\r\ns=-\r\nc=IN {family} {address}\r\nt=0 0\r\n",
        id = local.session_id
    )
}

pub(super) fn write_audio(local: &LocalMedia, line: &AudioLine<'_>, out: &mut String) {
    let numbers: Vec<String> = line
        .formats
        .iter()
        .map(|(number, _)| number)
        .chain(&line.dtmf_payload_type)
        .map(u8::to_string)
        .collect();
    append(out, format_args!("m=audio {} {} {}", local.port, line.protocol, numbers.join(" ")));
    for (number, codec) in line.formats {
        append(out, format_args!("a=rtpmap:{number} {}/{}", codec.name(), codec.clock_rate_hz()));
    }
    if let Some(number) = line.dtmf_payload_type {
        append(out, format_args!("a=rtpmap:{number} telephone-event/8000"));
        append(out, format_args!("a=fmtp:{number} {DTMF_EVENTS}"));
    }
    append(out, format_args!("a=ptime:{PTIME_MS}"));
    append(out, format_args!("a={}", line.direction.attribute()));
    if line.rtcp_mux {
        append(out, format_args!("a=rtcp-mux"));
    }
    append(out, format_args!("a=ssrc:{} cname:{}", local.ssrc, local.cname));
}

/// A stream we do not want keeps its place with port 0 (RFC 3264, section 6).
pub(super) fn write_refused(kind: &str, protocol: &str, format: &str, out: &mut String) {
    append(out, format_args!("m={kind} 0 {protocol} {format}"));
}

fn append(out: &mut String, line: std::fmt::Arguments<'_>) {
    out.write_fmt(line).expect("writing to a string cannot fail");
    out.push_str("\r\n");
}

fn family(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    }
}
