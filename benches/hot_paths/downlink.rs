//! The model's way to the caller: a websocket message in, RTP out.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use clearline::domain::CallId;
use clearline::media::codec::{Codec, FRAME_SAMPLES};
use clearline::media::path::ModelPath;
use clearline::media::playout::playout;
use clearline::voice::{Downlink, parse_server_message};
use divan::{Bencher, black_box};

use crate::calls::{FRAME, Router, tone};

/// What the service sends: 40 ms of 24 kHz.
fn audio_message() -> Vec<u8> {
    let pcm: Vec<u8> = tone(24_000, 960).iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let data = STANDARD.encode(pcm);
    let part = format!(r#"{{"inlineData":{{"mimeType":"audio/pcm;rate=24000","data":"{data}"}}}}"#);
    format!(r#"{{"serverContent":{{"modelTurn":{{"parts":[{part}]}}}}}}"#).into_bytes()
}

/// One message of 40 ms, and the two RTP packets that it becomes; all but the system calls.
#[divan::bench]
fn websocket_message_to_rtp(bencher: Bencher<'_, '_>) {
    let message = audio_message();
    let mut router = Router::with_calls(1);
    let (mut writer, mut reader) = playout(120_000);
    let mut path = ModelPath::new(Codec::Pcmu);
    let mut downlink = Downlink::default();
    let (mut frame, mut packet) = ([0; FRAME_SAMPLES], Vec::new());
    let call = CallId::new("call-0");
    bencher.bench_local(|| {
        let mut message = parse_server_message(black_box(&message)).expect("a good message");
        for chunk in &downlink.on_message(&mut message).audio {
            let mut encoded = Vec::new();
            path.encode(&chunk.pcm, chunk.rate_hz, &mut encoded).expect("a usual rate");
            writer.push(writer.generation(), encoded).expect("it is played at once");
        }
        for _ in 0..2 {
            router.now += FRAME;
            reader.next_frame(&mut frame, Codec::Pcmu.silence());
            let route = router.table.route_mut(&call).expect("it is open");
            route.write_frame(&frame, false, router.now, &mut packet);
            black_box(&packet);
        }
    });
}

#[divan::bench]
fn parse_audio_message(bencher: Bencher<'_, '_>) {
    let message = audio_message();
    bencher.bench_local(|| parse_server_message(black_box(&message)));
}

#[divan::bench]
fn encode_40_ms(bencher: Bencher<'_, '_>) {
    let pcm: Vec<u8> = tone(24_000, 960).iter().flat_map(|sample| sample.to_le_bytes()).collect();
    let mut path = ModelPath::new(Codec::Pcmu);
    let mut encoded = Vec::with_capacity(2 * FRAME_SAMPLES);
    bencher.bench_local(|| {
        encoded.clear();
        path.encode(black_box(&pcm), 24_000, &mut encoded)
    });
}

/// What the session looks at in each step: is anything still to be heard?
#[divan::bench]
fn ask_playout_what_waits(bencher: Bencher<'_, '_>) {
    let (mut writer, _reader) = playout(u32::try_from(Duration::from_secs(120).as_millis()).unwrap_or(0));
    writer.push(writer.generation(), vec![0; 320]).expect("it is empty");
    bencher.bench_local(|| black_box(&writer).buffered_ms());
}
