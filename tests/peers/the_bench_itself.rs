//! Peer against peer: proves the tools and the measuring, so that a failure elsewhere is the engine's.

use crate::audio::Law;
use crate::baresip::{Baresip, NUMBER};
use crate::bench::{Bench, ENGINE_IP, PEER_IP, Side};
use crate::capture::Capture;
use crate::sipp::{Sipp, Talk};
use crate::voices::{self, TALK_MS, TONE_HZ, TONE_SECONDS};

#[test]
fn a_tone_from_sipp_is_found_in_the_capture() {
    let Some(bench) = Bench::open("a_tone_from_sipp_is_found_in_the_capture", &["sipp", "dumpcap", "tshark"])
    else {
        return;
    };
    for law in [Law::Mu, Law::A] {
        let audio = voices::tone(&bench, law, 0.0);
        let capture = Capture::start(&bench);
        let _callee = Sipp::answer(&bench, Side::Peer, &talk(law, &audio, 20_000));
        Sipp::call(&bench, Side::Engine, "100", &talk(law, &audio, 3_000)).finish().expect_all_successful(1);
        let streams = capture.streams_from(&bench, ENGINE_IP);
        let stream = streams.values().next().expect("SIPp sent a stream");
        assert!(stream.is_unbroken());
        assert_eq!(stream.packets[0].payload_type, law.payload_type());
        let sound = stream.sound(&bench, law);
        assert!(sound.longest_tone(TONE_HZ) > TONE_SECONDS - 0.1, "{}", sound.longest_tone(TONE_HZ));
    }
}

#[test]
fn baresip_and_sipp_hear_each_other_as_sent() {
    let Some(bench) =
        Bench::open("baresip_and_sipp_hear_each_other_as_sent", &["sipp", "baresip", "dumpcap", "tshark"])
    else {
        return;
    };
    let sweep = voices::heart_of_sweep(&bench);
    let law = Law::A;
    let audio = voices::sweep_as(&bench, law);
    let capture = Capture::start(&bench);
    let baresip = Baresip::answer(&bench, law, &voices::sweep(&bench));
    let sipp = Sipp::call(&bench, Side::Engine, NUMBER, &talk(law, &audio, TALK_MS - 500));
    let heard = baresip.heard().find(&sweep);
    assert!(heard.correlation > 0.99, "baresip heard {heard:?}");
    sipp.finish().expect_all_successful(1);
    let streams = capture.streams_from(&bench, PEER_IP);
    let sent = streams.values().next().expect("baresip sent a stream").sound(&bench, law).find(&sweep);
    assert!(sent.correlation > 0.99, "baresip sent {sent:?}");
}

#[test]
fn sipp_answers_baresip_and_hangs_up() {
    let Some(bench) = Bench::open("sipp_answers_baresip_and_hangs_up", &["sipp", "baresip"]) else { return };
    let audio = voices::tone(&bench, Law::Mu, 0.0);
    let callee = Sipp::answer(&bench, Side::Engine, &talk(Law::Mu, &audio, 3_000));
    let baresip = Baresip::call(&bench, Law::Mu, &voices::sweep(&bench), "100");
    let heard = baresip.heard();
    assert!(heard.longest_tone(TONE_HZ) > TONE_SECONDS - 0.2, "{}", heard.longest_tone(TONE_HZ));
    callee.finish().expect_all_successful(1);
}

fn talk(law: Law, audio: &std::path::Path, talk_ms: u32) -> Talk {
    Talk { law, audio: audio.to_path_buf(), talk_ms, calls: 1, calls_per_second: 1 }
}
