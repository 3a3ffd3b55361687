//! Malformed and forged SIP, and noise on the media ports, while a call is up: the call does not notice.

use std::ops::Range;

use clearline::domain::Entropy;

use crate::audio::Law;
use crate::bench::{Bench, ENGINE_IP, PEER_IP, Side};
use crate::engine::Engine;
use crate::model::Model;
use crate::sipp::{Sipp, Talk};
use crate::voices::{self, TONE_HZ, TONE_SECONDS};

/// The first ports an engine would take for media.
const MEDIA_PORTS: Range<u16> = 16_384..16_448;
/// Speech right after the answer does not reach the model, so that a "hello?" does not cut the greeting short.
const GREETING_GUARD_SECONDS: f64 = 1.0;
const DATAGRAMS_A_SECOND: u32 = 100;
const FLOOD_SECONDS: u32 = 4;
/// So many different ones are thrown.
const HOSTILE_DATAGRAMS: u32 = 24;
/// As SIPp names its first call (`sipp::CALL_ID_FORM`).
const FIRST_CALL_ID: &str = "1-sipp@10.88.0.2";

#[test]
fn a_call_does_not_notice_garbage_and_forgeries() {
    let Some(bench) = Bench::open("a_call_does_not_notice_garbage_and_forgeries", &["sipp"]) else { return };
    let model = Model::start(&bench);
    let engine = Engine::serve(&bench);
    let law = Law::Mu;
    let audio = voices::tone(&bench, law, GREETING_GUARD_SECONDS);
    let talk = Talk { law, audio, talk_ms: 5_000, calls: 1, calls_per_second: 1 };
    for (n, datagram) in garbage().into_iter().chain(forgeries()).enumerate() {
        bench.write(&format!("hostile/{n:03}"), datagram);
    }
    assert_eq!(
        std::fs::read_dir(bench.file("hostile")).map(Iterator::count).ok(),
        Some(HOSTILE_DATAGRAMS as usize)
    );
    bench.write("noise/0", noise(400));

    let sipp = Sipp::call(&bench, Side::Peer, "100", &talk);
    engine.wait_for_log("Locked RTP session");
    throw_at_engine(&bench, "noise", MEDIA_PORTS);
    flood_engine(&bench, "hostile");

    sipp.finish().expect_all_successful(1);
    let tone = model.heard(&model.only_session()).longest_tone(TONE_HZ);
    assert!(tone > TONE_SECONDS - 0.1, "the model heard {tone} s of the caller's tone");
    engine.expect_healthy();
    let malformed = engine.figure("clearline_sip_malformed_total");
    assert!(malformed > 200.0, "{malformed} malformed messages were counted");
    engine.wait_until_all_is_given_back();
    engine.stop();
}

/// Sends the files of `folder` over and over, [`DATAGRAMS_A_SECOND`] for as long as the call talks.
fn flood_engine(bench: &Bench, folder: &str) {
    // Ten at a time, for a program's start takes longer than a datagram's way.
    let script = "set -e; sent=0; for round in $(seq $2); do for file in $3/*; do cat $file >/dev/udp/$0/$1; \
                  sent=$((sent + 1)); if ((sent % 10 == 0)); then sleep 0.09; fi; done; done";
    let rounds = (FLOOD_SECONDS * DATAGRAMS_A_SECOND / HOSTILE_DATAGRAMS).to_string();
    bench.output_of(Side::Peer, "bash", &["-c", script, ENGINE_IP, "5060", &rounds, folder]);
}

/// Sends every file of `folder` as one datagram to each of the engine's `ports`.
fn throw_at_engine(bench: &Bench, folder: &str, ports: Range<u16>) {
    let script = "set -e; for port in $(seq $1 $(($2 - 1))); do for file in $3/*; do \
                  cat $file >/dev/udp/$0/$port; done; done";
    let (first, end) = (ports.start.to_string(), ports.end.to_string());
    bench.output_of(Side::Peer, "bash", &["-c", script, ENGINE_IP, &first, &end, folder]);
}

/// Nothing of this is SIP, though some of it begins so.
fn garbage() -> Vec<Vec<u8>> {
    let invite = format!("INVITE sip:100@{ENGINE_IP} SIP/2.0\r\n");
    let via = format!("Via: SIP/2.0/UDP {PEER_IP}:5099;branch=z9hG4bK1\r\n");
    let with = |headers: &str| format!("{invite}{via}{headers}\r\n").into_bytes();
    vec![
        b"\r\n\r\n".to_vec(),
        vec![0; 64],
        vec![0xff; 1_400],
        noise(1_400),
        noise(60_000),
        invite.clone().into_bytes(),
        invite.as_bytes()[..20].to_vec(),
        with(""),
        with("Content-Length: 99999999999999999999\r\n"),
        with("Content-Length: -1\r\n"),
        with("CSeq: 4294967296 INVITE\r\nCall-ID: \r\nFrom: <<<>;tag\r\nTo: \"\r\n"),
        with("Content-Length: 400\r\n\r\nv=0"),
        with(&"Via: SIP/2.0/UDP 203.0.113.1\r\n".repeat(1_500)),
        with(&format!("X: {}\r\n", "a".repeat(50_000))),
        with(&format!("Contact: {}\r\n", "<sip:a@b>,".repeat(4_000))),
        [b"INVITE \xff\xfe\0 SIP/2.0\r\n".to_vec(), via.into_bytes()].concat(),
        b"SIP/2.0 200 OK\r\n\r\n".to_vec(),
        b"SIP/2.0 99999999999 \r\nVia: x\r\n\r\n".to_vec(),
        b"GET / HTTP/1.1\r\nHost: sip\r\n\r\n".to_vec(),
    ]
}

/// Requests that name the running call, from somebody who cannot know its tags.
fn forgeries() -> Vec<Vec<u8>> {
    let forge = |method: &str| {
        format!(
            "{method} sip:100@{ENGINE_IP} SIP/2.0\r\nVia: SIP/2.0/UDP {PEER_IP}:5099;branch=z9hG4bKforged{method}\r\n\
             From: <sip:sipp@{PEER_IP}>;tag=forged\r\nTo: <sip:100@{ENGINE_IP}>;tag=guessed\r\n\
             Call-ID: {FIRST_CALL_ID}\r\nCSeq: 99 {method}\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
    };
    ["BYE", "CANCEL", "INVITE", "UPDATE", "INFO"].iter().map(|method| forge(method).into_bytes()).collect()
}

fn noise(length: usize) -> Vec<u8> {
    let mut entropy = Entropy::from_number(1);
    (0..length).map(|_| entropy.next_u32() as u8).collect()
}
