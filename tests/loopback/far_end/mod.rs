//! A far end of a call: SIP and RTP by hand on sockets of its own. It keeps everything that reached it and lets a test
//! wait for more; it answers what a telephone answers by itself, and does the rest only when told.
//!
//! Loopback loses nothing, so it repeats nothing but its ACK.

pub(crate) mod rtp;
pub(crate) mod sip;

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use clearline::clock;
use clearline::sandbox::model::Marker;
use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::interval;

use crate::watched::Watched;
use rtp::{Packet, Voice};
use sip::{Dialog, Message, media_address, sdp};

pub(crate) const RATE_HZ: u32 = 8_000;
/// Half a second: enough to tell one marker from another.
const PACKETS_TO_JUDGE: usize = 25;

/// What a far end does when it is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Manners {
    Answers,
    Rings,
    /// A whole status line's end, as `486 Busy Here`.
    Refuses(&'static str),
}

pub(crate) struct Plan {
    pub(crate) manners: Manners,
    pub(crate) ssrc: u32,
    /// What its SDP says instead of the truth.
    pub(crate) claimed_media: Option<SocketAddr>,
    /// Where our audio goes instead of straight to the engine.
    pub(crate) media_relay: Option<SocketAddr>,
    pub(crate) sends_rtp: bool,
    /// As which it calls.
    pub(crate) user: String,
    /// Its INVITE has no SDP; its ACK brings the answer.
    pub(crate) offers: bool,
}

impl Default for Plan {
    fn default() -> Self {
        let ssrc = 1_000 + u32::from(number());
        Self {
            manners: Manners::Answers,
            ssrc,
            claimed_media: None,
            media_relay: None,
            sends_rtp: true,
            user: "caller".to_owned(),
            offers: true,
        }
    }
}

/// All that a far end knows.
pub(crate) struct Seen {
    pub(crate) messages: Vec<Message>,
    pub(crate) packets: Vec<Packet>,
    pub(crate) connected: bool,
    pub(crate) rtp: Arc<UdpSocket>,
    pub(crate) engine_media: Option<SocketAddr>,
    pub(crate) plan: Plan,
    voice: Voice,
    dialog: Option<Dialog>,
    engine: Option<SocketAddr>,
    /// The INVITE that rings here.
    ringing: Option<Message>,
}

impl Seen {
    pub(crate) fn requests<'a>(&'a self, method: &'a str) -> impl Iterator<Item = &'a Message> {
        self.messages.iter().filter(move |message| message.method() == Some(method))
    }

    pub(crate) fn response_to(&self, method: &str, is_wanted: impl Fn(u16) -> bool) -> Option<&Message> {
        let mut of_method = self.messages.iter().filter(|message| message.answers() == method);
        of_method.rfind(|message| message.status().is_some_and(&is_wanted))
    }

    /// What was heard from this packet on.
    pub(crate) fn heard_since(&self, packet: usize) -> Vec<i16> {
        self.packets.get(packet..).unwrap_or_default().iter().flat_map(Packet::samples).collect()
    }

    /// Under which our own audio is sent.
    pub(crate) fn ssrc(&self) -> u32 {
        self.plan.ssrc
    }

    /// The keys that were pressed for us to hear.
    pub(crate) fn keys(&self) -> String {
        let mut keys: Vec<(u32, char)> =
            self.packets.iter().filter_map(|packet| Some((packet.timestamp, packet.key()?))).collect();
        keys.dedup();
        keys.into_iter().map(|(_, key)| key).collect()
    }
}

#[derive(Clone)]
pub(crate) struct FarEnd {
    pub(crate) address: SocketAddr,
    sip: Arc<UdpSocket>,
    pub(crate) seen: Arc<Watched<Seen>>,
    _tasks: Arc<Tasks>,
}

struct Tasks(Vec<JoinHandle<()>>);

impl Drop for Tasks {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

impl FarEnd {
    pub(crate) async fn new(plan: Plan) -> Self {
        let sip = Arc::new(socket("127.0.0.1:0").await);
        let rtp = Arc::new(socket("127.0.0.1:0").await);
        let address = sip.local_addr().expect("a bound socket");
        let seen = Arc::new(Watched::new(Seen {
            messages: Vec::new(),
            packets: Vec::new(),
            connected: false,
            rtp: rtp.clone(),
            engine_media: None,
            voice: Voice::new(plan.ssrc),
            plan,
            dialog: None,
            engine: None,
            ringing: None,
        }));
        let tasks = vec![
            actix::spawn(listen_to_sip(sip.clone(), address, seen.clone())),
            actix::spawn(listen_to_rtp(rtp, seen.clone())),
            actix::spawn(speak(seen.clone())),
        ];
        Self { address, sip, seen, _tasks: Arc::new(Tasks(tasks)) }
    }

    pub(crate) async fn usual() -> Self {
        Self::new(Plan::default()).await
    }

    pub(crate) async fn with_manners(manners: Manners) -> Self {
        Self::new(Plan { manners, ..Plan::default() }).await
    }

    pub(crate) async fn dial(&self, engine: SocketAddr, number: &str) {
        let contact = self.address;
        let request = self.seen.change(|seen| {
            let invite = fresh_dialog(&seen.plan.user, contact, engine, number);
            let offer = if seen.plan.offers { seen.sdp("sendrecv") } else { String::new() };
            let request = invite.request("INVITE", contact, &offer);
            (seen.dialog, seen.engine) = (Some(invite), Some(engine));
            request
        });
        self.send(&request, engine).await;
    }

    /// A request within the dialog; gives its Call-ID.
    pub(crate) async fn request(&self, method: &str, sdp: &str) {
        let contact = self.address;
        let (request, engine) = self.seen.change(|seen| {
            let dialog = seen.dialog.as_mut().expect("a dialog");
            if method != "CANCEL" {
                dialog.cseq += 1;
                dialog.branch = branch();
            }
            (dialog.request(method, contact, sdp), seen.engine.expect("somebody to talk to"))
        });
        self.send(&request, engine).await;
    }

    /// The person picks up the phone that rings.
    pub(crate) async fn pick_up(&self) {
        let contact = self.address;
        let (answer, engine) = self.seen.change(|seen| {
            let invite = seen.ringing.take().expect("a phone that rings");
            let tag = callee_tag(contact);
            seen.dialog = Some(dialog_of_callee(&invite, &tag));
            (invite.response("200 OK", &tag, contact, &seen.sdp("sendrecv")), seen.engine.expect("a caller"))
        });
        self.send(&answer, engine).await;
    }

    pub(crate) async fn hang_up(&self) {
        self.request("BYE", "").await;
        self.response("BYE", |status| status == 200).await;
    }

    /// A re-INVITE with this direction; waits for the 200 and gives its SDP.
    pub(crate) async fn change_direction(&self, direction: &str) -> String {
        let (sdp, before) = self.seen.look(|seen| (seen.sdp(direction), seen.messages.len()));
        self.request("INVITE", &sdp).await;
        self.seen
            .until("an answer to the re-INVITE", |seen| {
                let new = seen.messages.get(before..)?.iter();
                let mut finals = new.filter(|message| message.status().is_some_and(|status| status >= 200));
                finals.next().map(|message| {
                    assert_eq!(message.status(), Some(200), "{}", message.0);
                    message.body().to_owned()
                })
            })
            .await
    }

    pub(crate) fn say(&self, tone_hz: f64, ms: usize) {
        self.say_tones(&[tone_hz], ms, None);
    }

    /// All of them at once, and again after each pause if there is to be one.
    pub(crate) fn say_tones(&self, tones_hz: &[f64], ms: usize, pause_ms: Option<usize>) {
        self.seen.change(|seen| seen.voice.say(tones_hz, ms, pause_ms));
    }

    pub(crate) fn press(&self, keys: &str) {
        self.seen.change(|seen| seen.voice.press(keys));
    }

    pub(crate) fn send_rtp(&self, sends: bool) {
        self.seen.change(|seen| seen.plan.sends_rtp = sends);
    }

    /// The address translator before us gives our audio another port.
    pub(crate) async fn move_rtp(&self) {
        let rtp = Arc::new(socket("127.0.0.1:0").await);
        self.seen.change(|seen| seen.rtp = rtp.clone());
        actix::spawn(listen_to_rtp(rtp, self.seen.clone()));
    }

    pub(crate) async fn connected(&self) {
        self.seen.until("the call is connected", |seen| seen.connected.then_some(())).await;
    }

    pub(crate) async fn response(&self, method: &str, is_wanted: impl Fn(u16) -> bool) -> Message {
        let what = format!("the wanted response to {method} at {}", self.address);
        self.seen.until(&what, |seen| seen.response_to(method, &is_wanted).cloned()).await
    }

    /// The final response to our INVITE.
    pub(crate) async fn verdict(&self) -> Message {
        self.response("INVITE", |status| status >= 200).await
    }

    pub(crate) async fn got(&self, method: &str) -> Message {
        let what = format!("{method} at {}", self.address);
        self.seen.until(&what, |seen| seen.requests(method).next().cloned()).await
    }

    pub(crate) fn packets_so_far(&self) -> usize {
        self.seen.look(|seen| seen.packets.len())
    }

    /// Waits until this marker has been heard for half a second, all of it after packet `since`.
    pub(crate) async fn hears(&self, marker: Marker, since: usize) {
        let judge = |seen: &Seen| {
            let from = since.max(seen.packets.len().saturating_sub(PACKETS_TO_JUDGE));
            marker.heard_in(&seen.heard_since(from), RATE_HZ).then_some(())
        };
        self.seen.until(&format!("marker {} is heard at {}", marker.index(), self.address), judge).await;
    }

    /// Waits until nothing but silence was heard for this many packets.
    pub(crate) async fn hears_silence(&self, packets: usize) {
        self.seen
            .until("silence", |seen| {
                let newest = seen.packets.len().checked_sub(packets)?;
                (!seen.packets[newest..].iter().any(Packet::is_voiced)).then_some(())
            })
            .await;
    }

    /// Waits for so many more packets: the engine's own clock, as it were.
    pub(crate) async fn more_packets(&self, count: usize) {
        let goal = self.packets_so_far() + count;
        self.seen.until("more packets", |seen| (seen.packets.len() >= goal).then_some(())).await;
    }

    /// All marker tones that were ever heard.
    pub(crate) fn all_tones(&self) -> Vec<f32> {
        Marker::tones_heard_in(&self.seen.look(|seen| seen.heard_since(0)), RATE_HZ)
    }

    pub(crate) fn engine_media(&self) -> SocketAddr {
        self.seen.look(|seen| seen.engine_media).expect("the engine described its audio")
    }

    pub(crate) async fn send(&self, text: &str, to: SocketAddr) {
        self.sip.send_to(text.as_bytes(), to).await.expect("loopback takes a datagram");
    }
}

impl Seen {
    pub(crate) fn sdp(&self, direction: &str) -> String {
        let truth = self.rtp.local_addr().expect("a bound socket");
        sdp(self.plan.claimed_media.unwrap_or(truth), direction)
    }

    /// What to send back.
    fn on_message(&mut self, message: Message, contact: SocketAddr) -> Vec<String> {
        self.messages.push(message.clone());
        if let Some(media) = media_address(message.body()) {
            self.engine_media = Some(media);
        }
        match (message.method(), message.status()) {
            (Some(method), _) => self.on_request(method, &message, contact),
            (None, Some(200..)) if message.answers() == "INVITE" => vec![self.acknowledge(&message, contact)],
            _ => Vec::new(),
        }
    }

    fn on_request(&mut self, method: &str, message: &Message, contact: SocketAddr) -> Vec<String> {
        let tag = callee_tag(contact);
        let respond = |status: &str, sdp: &str| message.response(status, &tag, contact, sdp);
        match (method, self.plan.manners) {
            ("INVITE", Manners::Answers) => {
                self.dialog = Some(dialog_of_callee(message, &tag));
                vec![respond("180 Ringing", ""), respond("200 OK", &self.sdp("sendrecv"))]
            }
            ("INVITE", Manners::Rings) => {
                self.ringing = Some(message.clone());
                vec![respond("180 Ringing", "")]
            }
            ("INVITE", Manners::Refuses(status)) => vec![respond(status, "")],
            ("CANCEL", _) => {
                let given_up = self.ringing.take();
                let ended =
                    given_up.map(|invite| invite.response("487 Request Terminated", &tag, contact, ""));
                [respond("200 OK", "")].into_iter().chain(ended).collect()
            }
            ("ACK", _) => {
                self.connected |= self.dialog.is_some();
                Vec::new()
            }
            ("BYE", _) => {
                self.connected = false;
                vec![respond("200 OK", "")]
            }
            _ => vec![respond("200 OK", "")],
        }
    }

    fn acknowledge(&mut self, response: &Message, contact: SocketAddr) -> String {
        let accepted = response.status().is_some_and(|status| status < 300);
        let answer = if accepted && !self.plan.offers { self.sdp("sendrecv") } else { String::new() };
        let dialog = self.dialog.as_mut().expect("we invited");
        let mut ack = dialog.clone();
        if accepted {
            let contact = response.header("Contact");
            dialog.target = contact.trim_matches(['<', '>']).to_owned();
            dialog.remote = response.header("To").to_owned();
            self.connected = true;
            ack = Dialog { branch: branch(), ..dialog.clone() };
        }
        ack.remote = response.header("To").to_owned();
        ack.cseq = response.header("CSeq").split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(1);
        ack.request("ACK", contact, &answer)
    }
}

async fn listen_to_sip(sip: Arc<UdpSocket>, contact: SocketAddr, seen: Arc<Watched<Seen>>) {
    let mut buffer = vec![0; 65_535];
    while let Ok((length, source)) = sip.recv_from(&mut buffer).await {
        let message = Message(String::from_utf8_lossy(&buffer[..length]).into_owned());
        let answers = seen.change(|seen| {
            seen.engine.get_or_insert(source);
            seen.on_message(message, contact)
        });
        for answer in answers {
            sip.send_to(answer.as_bytes(), source).await.expect("loopback takes a datagram");
        }
    }
}

async fn listen_to_rtp(rtp: Arc<UdpSocket>, seen: Arc<Watched<Seen>>) {
    let mut buffer = vec![0; 2_048];
    let port = rtp.local_addr().expect("a bound socket").port();
    while let Ok((length, _)) = rtp.recv_from(&mut buffer).await {
        if let Some(packet) = Packet::read(port, &buffer[..length]) {
            seen.change(|seen| seen.packets.push(packet));
        }
    }
}

async fn speak(seen: Arc<Watched<Seen>>) {
    let mut frames = interval(clock::timer_for(Duration::from_millis(20)));
    loop {
        frames.tick().await;
        let due = seen.change(|seen| {
            let to = seen.plan.media_relay.or(seen.engine_media).filter(|_| seen.connected)?;
            let packet = seen.voice.next_packet();
            seen.plan.sends_rtp.then(|| (seen.rtp.clone(), packet, to))
        });
        if let Some((rtp, packet, to)) = due {
            // The engine closes its port when the call is over, while we may still be talking.
            rtp.send_to(&packet, to).await.ok();
        }
    }
}

fn fresh_dialog(user: &str, contact: SocketAddr, engine: SocketAddr, number: &str) -> Dialog {
    Dialog {
        call_id: format!("far-end-{}-{}", contact.port(), self::number()),
        local: format!("<sip:{user}@{contact}>;tag=caller-{}", self::number()),
        remote: format!("<sip:{number}@{engine}>"),
        target: format!("sip:{number}@{engine}"),
        cseq: 1,
        branch: branch(),
    }
}

fn dialog_of_callee(invite: &Message, tag: &str) -> Dialog {
    Dialog {
        call_id: invite.header("Call-ID").to_owned(),
        local: format!("{};tag={tag}", invite.header("To")),
        remote: invite.header("From").to_owned(),
        target: invite.header("Contact").trim_matches(['<', '>']).to_owned(),
        cseq: 1,
        branch: branch(),
    }
}

fn callee_tag(contact: SocketAddr) -> String {
    format!("callee-{}", contact.port())
}

fn branch() -> String {
    format!("z9hG4bK-far-end-{}", number())
}

/// Distinct in this process.
pub(crate) fn number() -> u16 {
    static LAST: AtomicU32 = AtomicU32::new(0);
    (LAST.fetch_add(1, Ordering::Relaxed) & 0xffff) as u16
}

pub(crate) async fn socket(address: &str) -> UdpSocket {
    UdpSocket::bind(address).await.expect("loopback has free ports")
}
