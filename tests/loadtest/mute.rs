//! An engine that takes every call and says nothing, or nothing more: the one far end of the load test that only this test has.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use clearline::clock;

const FRAME: Duration = Duration::from_millis(20);
const FRAME_TICKS: u32 = 160;
/// µ-law.
const SILENCE: [u8; 160] = [0xff; 160];
/// Nearly as loud as can be.
const NOISE: [u8; 160] = [0x80; 160];
const FRAMES_OF_GREETING: u32 = 25;
const DATAGRAM_BYTES_MAX: usize = 65_535;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Muteness {
    /// Not one packet.
    Dead,
    /// A packet of silence every 20 ms.
    Punctual,
    /// The same, after half a second of noise.
    Greeting,
}

/// Ends with its handle.
pub(crate) struct MuteEngine {
    pub(crate) address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MuteEngine {
    pub(crate) fn start(muteness: Muteness) -> Self {
        let sip = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let address = sip.local_addr().expect("a bound socket");
        // It wakes for its frames, whether anybody writes or not.
        sip.set_read_timeout(Some(Duration::from_millis(2))).expect("a time-out");
        let is_over = Arc::new(AtomicBool::new(false));
        let work =
            Work { sip, audio: UdpSocket::bind("127.0.0.1:0").expect("a free port"), lines: Vec::new() };
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || work.run(muteness, &over));
        Self { address, is_over, thread: Some(thread) }
    }
}

impl Drop for MuteEngine {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

struct Work {
    sip: UdpSocket,
    audio: UdpSocket,
    lines: Vec<Line>,
}

/// One call's stream.
struct Line {
    call_id: String,
    to: SocketAddr,
    frame: u32,
    next_at: Instant,
}

impl Work {
    fn run(mut self, muteness: Muteness, is_over: &AtomicBool) {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        while !is_over.load(Ordering::Relaxed) {
            if let Ok((length, source)) = self.sip.recv_from(&mut buffer) {
                self.answer(&String::from_utf8_lossy(&buffer[..length]), source);
            }
            match muteness {
                Muteness::Dead => {}
                Muteness::Punctual => self.send_frames(0),
                Muteness::Greeting => self.send_frames(FRAMES_OF_GREETING),
            }
        }
    }

    fn answer(&mut self, request: &str, source: SocketAddr) {
        let method = request.split(' ').next().unwrap_or_default();
        let call_id = header(request, "Call-ID");
        let body = match method {
            "ACK" => return,
            "INVITE" => {
                self.take(call_id, request, source);
                self.offer_silence()
            }
            _ => {
                self.lines.retain(|line| method != "BYE" || line.call_id != call_id);
                String::new()
            }
        };
        let own = self.sip.local_addr().expect("a bound socket");
        let (via, from, to) = (header(request, "Via"), header(request, "From"), header(request, "To"));
        let tag = if to.contains("tag=") { "" } else { ";tag=mute" };
        let response = format!(
            "SIP/2.0 200 OK\r\nVia: {via}\r\nFrom: {from}\r\nTo: {to}{tag}\r\nCall-ID: {call_id}\r\nCSeq: {}\r\n\
             Contact: <sip:{own}>\r\nContent-Type: application/sdp\r\nContent-Length: {}\r\n\r\n{body}",
            header(request, "CSeq"),
            body.len(),
        );
        self.sip.send_to(response.as_bytes(), source).expect("loopback takes it");
    }

    /// An INVITE that is repeated is the same call.
    fn take(&mut self, call_id: &str, invite: &str, source: SocketAddr) {
        let port =
            invite.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok());
        let to = SocketAddr::new(source.ip(), port.expect("an offer of audio"));
        if self.lines.iter().all(|line| line.call_id != call_id) {
            self.lines.push(Line { call_id: call_id.to_owned(), to, frame: 0, next_at: clock::now() });
        }
    }

    fn offer_silence(&self) -> String {
        let audio = self.audio.local_addr().expect("a bound socket");
        let (ip, port) = (audio.ip(), audio.port());
        format!("v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n")
    }

    fn send_frames(&mut self, noisy: u32) {
        let now = clock::now();
        for (number, line) in self.lines.iter_mut().enumerate().filter(|(_, line)| line.next_at <= now) {
            let mut packet = vec![0x80, 0];
            packet.extend_from_slice(&(line.frame as u16).to_be_bytes());
            packet.extend_from_slice(&(line.frame * FRAME_TICKS).to_be_bytes());
            packet.extend_from_slice(&(number as u32).to_be_bytes());
            packet.extend_from_slice(if line.frame < noisy { &NOISE } else { &SILENCE });
            // A caller that has just hung up answers with ICMP.
            self.audio.send_to(&packet, line.to).ok();
            line.frame += 1;
            line.next_at += FRAME;
        }
    }
}

pub(crate) fn header<'a>(message: &'a str, name: &str) -> &'a str {
    let value = message.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "));
    value.unwrap_or_else(|| panic!("no {name}: {message}"))
}
