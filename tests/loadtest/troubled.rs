//! A way from callers to an engine on which their audio suffers: it passes SIP on, and puts itself between the audio of
//! both by what it changes in their descriptions of it.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use clearline::media::codec::Codec;
use clearline::sandbox::network::{Impairment, Meddler, Relay, Towards};
use tokio::runtime::Runtime;

use super::mute::header;

const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// Of RTP without extensions, and of 20 ms.
const HEADER_BYTES: usize = 12;
const PAYLOAD_BYTES: usize = 160;

/// What befalls the audio.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Of each caller's packets every so many-th is lost; of the engine's none.
    LosesEvery(usize),
    /// Calls are crossed two by two: each has the other's audio, on this way only.
    Swaps(Towards),
    /// Callers hear the other's model beside their own.
    MixesModels,
}

/// Ends with its handle.
pub(crate) struct TroubledWay {
    /// Where callers find the engine.
    pub(crate) address: SocketAddr,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl TroubledWay {
    pub(crate) fn start(engine: SocketAddr, trouble: Trouble) -> Self {
        let sip = UdpSocket::bind((HERE, 0)).expect("a free port");
        let address = sip.local_addr().expect("a bound socket");
        // It looks now and then whether it is over.
        sip.set_read_timeout(Some(Duration::from_millis(50))).expect("a time-out");
        let is_over = Arc::new(AtomicBool::new(false));
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let latest = Latest::default();
        let work = Work { sip, engine, trouble, latest, runtime, callers: HashMap::new() };
        let over = Arc::clone(&is_over);
        let thread = thread::spawn(move || work.run(&over));
        Self { address, is_over, thread: Some(thread) }
    }
}

impl Drop for TroubledWay {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

struct Work {
    sip: UdpSocket,
    engine: SocketAddr,
    trouble: Trouble,
    latest: Latest,
    runtime: Runtime,
    /// By Call-ID; what has none of a call, like OPTIONS, has no audio.
    callers: HashMap<String, Caller>,
}

/// Of each call the audio that it last sent, and that it was last sent.
type Latest = Arc<Mutex<HashMap<(usize, Towards), Vec<u8>>>>;

struct Caller {
    /// Of the call, in the order in which they came.
    number: usize,
    address: SocketAddr,
    relay: Option<Relay>,
}

impl Work {
    fn run(mut self, is_over: &AtomicBool) {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        while !is_over.load(Ordering::Relaxed) {
            let Ok((length, source)) = self.sip.recv_from(&mut buffer) else { continue };
            let message = String::from_utf8_lossy(&buffer[..length]);
            let to = if source == self.engine { self.caller_of(&message) } else { self.engine };
            let message = self.pass(&message, source);
            // Who has gone takes nothing more.
            self.sip.send_to(message.as_bytes(), to).ok();
        }
    }

    fn caller_of(&self, message: &str) -> SocketAddr {
        self.callers.get(header(message, "Call-ID")).expect("an engine answers a caller").address
    }

    /// Either end is told that the other's audio is at the relay.
    fn pass(&mut self, message: &str, source: SocketAddr) -> String {
        let Self { callers, runtime, trouble, latest, .. } = self;
        let number = callers.len();
        let caller = callers.entry(header(message, "Call-ID").to_owned());
        let caller = caller.or_insert(Caller { number, address: source, relay: None });
        let Some(port) = audio_port(message) else { return message.to_owned() };
        let phone = SocketAddr::new(HERE, port);
        let start = || {
            let lossless = Impairment::default();
            let meddler = match *trouble {
                Trouble::LosesEvery(every) => loses_every(every),
                Trouble::Swaps(way) => hears_the_other(caller.number, way, latest, <[u8]>::copy_from_slice),
                Trouble::MixesModels => hears_the_other(caller.number, Towards::Phone, latest, mix),
            };
            let relay = Relay::start_with(HERE, phone, lossless, 0, meddler);
            runtime.block_on(relay).expect("a free port")
        };
        let relayed = caller.relay.get_or_insert_with(start).address.port();
        with_audio_port(message, port, relayed)
    }
}

/// What is left of a packet is no RTP any more.
fn loses_every(every: usize) -> Meddler {
    let mut packets = 0;
    Box::new(move |towards, bytes| {
        packets += usize::from(towards == Towards::Engine);
        if towards == Towards::Engine && packets % every == 0 {
            bytes.truncate(1);
        }
    })
}

/// On this way, in place of its own or however else they are `blended`.
fn hears_the_other(call: usize, way: Towards, latest: &Latest, blend: fn(&mut [u8], &[u8])) -> Meddler {
    let latest = Arc::clone(latest);
    Box::new(move |towards, bytes| {
        let Some(payload) = bytes.get_mut(HEADER_BYTES..).filter(|payload| payload.len() == PAYLOAD_BYTES)
        else {
            return;
        };
        let mut latest = latest.lock().expect("no relay panics");
        latest.insert((call, towards), payload.to_vec());
        if let Some(other) = latest.get(&(call ^ 1, towards)).filter(|_| towards == way) {
            blend(payload, other);
        }
    })
}

/// Models that speak at the same time are both heard, and so is one that speaks alone.
fn mix(own: &mut [u8], other: &[u8]) {
    for (own, other) in own.iter_mut().zip(other) {
        *own = Codec::Pcmu.encode(Codec::Pcmu.decode(*own).saturating_add(Codec::Pcmu.decode(*other)));
    }
}

fn audio_port(message: &str) -> Option<u16> {
    message.lines().find_map(|line| line.strip_prefix("m=audio ")?.split(' ').next()?.parse().ok())
}

fn with_audio_port(message: &str, port: u16, relayed: u16) -> String {
    let (head, body) = message.split_once("\r\n\r\n").expect("a message has a head");
    let body = body.replace(&format!("m=audio {port} "), &format!("m=audio {relayed} "));
    let length = header(message, "Content-Length");
    let head = head.replace(&format!("Content-Length: {length}"), &format!("Content-Length: {}", body.len()));
    format!("{head}\r\n\r\n{body}")
}
