//! The caller's way to the model: RTP in, PCM at 16 kHz, a websocket frame out.

use std::io::{self, Read, Write};

use clearline::media::path::{CallerFrame, CallerPacket, CallerPath};
use clearline::media::routes::Verdict;
use clearline::voice::uplink_audio_message;
use divan::{Bencher, black_box};
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocket};
use tokio_tungstenite::tungstenite::{Bytes, Message, Utf8Bytes};

use crate::calls::{FRAME, Router, tone};

/// A connection that takes everything at once and sends nothing.
struct Sink;

impl Read for Sink {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(black_box(bytes).len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One 20 ms step of one call, all of it but the system calls.
#[divan::bench]
fn rtp_to_websocket_frame(bencher: Bencher<'_, '_>) {
    let mut router = Router::with_calls(1);
    let (mut path, mut frame) = (CallerPath::default(), CallerFrame::SILENT);
    let mut websocket = WebSocket::from_raw_socket(Sink, Role::Client, None);
    bencher.bench_local(|| {
        router.now += FRAME;
        let now = router.now;
        let (port, far_end) = &mut router.callers[0];
        let source = far_end.address;
        let verdict = router.table.receive(*port, source, far_end.next_packet(), now);
        if let Verdict::Accepted { packet, .. } = verdict
            && let Some(packet) = CallerPacket::new(&packet, &router.media, now)
        {
            path.receive(packet);
        }
        path.step(now, &mut frame);
        let mut message = String::new();
        uplink_audio_message(&frame.pcm_16k, &mut message);
        websocket.send(Message::text(message)).expect("the sink takes everything");
    });
}

/// The same without RTP and websocket: what base64 and JSON cost.
#[divan::bench]
fn pcm_to_message(bencher: Bencher<'_, '_>) {
    let pcm = tone(16_000, 320);
    let mut message = String::new();
    bencher.bench_local(|| uplink_audio_message(black_box(&pcm), &mut message));
}

/// The mask that a client owes, and the copies on the way.
#[divan::bench]
fn message_to_websocket_frame(bencher: Bencher<'_, '_>) {
    let mut message = String::new();
    uplink_audio_message(&tone(16_000, 320), &mut message);
    let text = Utf8Bytes::try_from(Bytes::from(message)).expect("a String is UTF-8");
    let mut websocket = WebSocket::from_raw_socket(Sink, Role::Client, None);
    bencher.bench_local(|| websocket.send(Message::Text(text.clone())).expect("the sink takes everything"));
}
