use super::*;
use crate::domain::Entropy;

fn local(codecs: &[Codec]) -> LocalMedia {
    LocalMedia {
        address: "192.0.2.10".parse().unwrap(),
        port: 16_384,
        codecs: codecs.to_vec(),
        ssrc: 77,
        session_id: 42,
        cname: "call@clearline".into(),
    }
}

fn negotiation() -> Negotiation {
    Negotiation::new(local(&[Codec::Pcma, Codec::Pcmu]))
}

/// An offer with the usual head and these lines below it.
fn offer_of(lines: &[&str]) -> Vec<u8> {
    let head = ["v=0", "o=- 1 1 IN IP4 198.51.100.7", "s=-", "c=IN IP4 198.51.100.7", "t=0 0"];
    head.iter().chain(lines).map(|line| format!("{line}\r\n")).collect::<String>().into_bytes()
}

fn answer_to(lines: &[&str]) -> (String, Negotiated) {
    let (answer, negotiated) = negotiation().answer(&offer_of(lines)).unwrap();
    (String::from_utf8(answer).unwrap(), negotiated)
}

fn refusal_of(lines: &[&str]) -> SdpError {
    negotiation().answer(&offer_of(lines)).unwrap_err()
}

fn text(sdp: Vec<u8>) -> String {
    String::from_utf8(sdp).unwrap()
}

#[test]
fn an_offer_names_both_codecs_dtmf_and_our_ssrc() {
    let offer = text(negotiation().offer());
    let expected = "v=0\r\no=clearline 42 1 IN IP4 192.0.2.10\r\ns=-\r\nc=IN IP4 192.0.2.10\r\nt=0 0\r\n\
        m=audio 16384 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
        a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=ptime:20\r\na=sendrecv\r\na=rtcp-mux\r\n\
        a=ssrc:77 cname:call@clearline\r\n";
    assert_eq!(offer, expected);
}

#[test]
fn an_offer_of_bare_numbers_with_bare_line_feeds_is_understood() {
    let offer = b"v=0\no=- 1 1 IN IP4 10.0.0.1\ns=-\nc=IN IP4 10.0.0.1\nt=0 0\nm=audio 6000 RTP/AVP 0\n";
    let (_, negotiated) = negotiation().answer(offer).unwrap();
    assert_eq!((negotiated.codec, negotiated.payload_type), (Codec::Pcmu, 0));
    assert_eq!(negotiated.remote, "10.0.0.1:6000".parse().unwrap());
    assert_eq!(negotiated.remote_rtcp, Some("10.0.0.1:6001".parse().unwrap()));
    assert_eq!((negotiated.dtmf_payload_type, negotiated.ptime_ms), (None, 20));
}

#[test]
fn our_order_of_preference_decides_and_one_codec_is_answered() {
    let (answer, negotiated) = answer_to(&["m=audio 6000 RTP/AVP 0 8"]);
    assert_eq!(negotiated.codec, Codec::Pcma);
    assert!(answer.contains("m=audio 16384 RTP/AVP 8\r\n"), "{answer}");
}

#[test]
fn two_of_our_own_agree_with_each_other() {
    let (mut caller, mut callee) = (negotiation(), Negotiation::new(local(&[Codec::Pcmu, Codec::Pcma])));
    let (answer, theirs) = callee.answer(&caller.offer()).unwrap();
    let ours = caller.accept_answer(&answer).unwrap();
    assert_eq!((ours.codec, theirs.codec), (Codec::Pcmu, Codec::Pcmu));
    assert_eq!((ours.dtmf_payload_type, theirs.dtmf_payload_type), (Some(101), Some(101)));
    assert!(ours.rtcp_mux && theirs.rtcp_mux && ours.direction == Direction::SendRecv);
    assert_eq!(ours.receive, theirs.receive);
}

#[test]
fn an_answer_keeps_the_numbers_of_the_offer() {
    let (answer, negotiated) = answer_to(&[
        "m=audio 6000 RTP/AVP 97 96",
        "a=rtpmap:97 pcmu/8000",
        "a=rtpmap:96 telephone-event/8000",
    ]);
    assert_eq!((negotiated.payload_type, negotiated.dtmf_payload_type), (97, Some(96)));
    assert!(answer.contains("m=audio 16384 RTP/AVP 97 96\r\na=rtpmap:97 PCMU/8000\r\n"), "{answer}");
    assert_eq!(negotiated.codec_of(97), Some(Codec::Pcmu));
    assert_eq!(negotiated.codec_of(0), None);
}

#[test]
fn a_number_that_was_given_another_meaning_is_not_taken_for_its_usual_codec() {
    assert_eq!(refusal_of(&["m=audio 6000 RTP/AVP 0", "a=rtpmap:0 G729/8000"]), SdpError::NoCommonCodec);
}

#[test]
fn dtmf_at_another_clock_rate_or_under_the_number_of_a_codec_is_not_taken() {
    let wide = ["m=audio 6000 RTP/AVP 8 101", "a=rtpmap:101 telephone-event/48000"];
    assert_eq!(answer_to(&wide).1.dtmf_payload_type, None);
    let clash = ["m=audio 6000 RTP/AVP 8 0", "a=rtpmap:0 telephone-event/8000"];
    assert_eq!(answer_to(&clash).1.dtmf_payload_type, None);
}

#[test]
fn an_answerers_own_number_for_dtmf_is_used_for_sending_and_ours_for_receiving() {
    let mut negotiation = negotiation();
    negotiation.offer();
    let answer = offer_of(&["m=audio 6000 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000"]);
    let negotiated = negotiation.accept_answer(&answer).unwrap();
    assert_eq!(negotiated.dtmf_payload_type, Some(96));
    assert_eq!(negotiated.dtmf_receive_payload_type, Some(101));
    assert_eq!(negotiated.accepted_payload_types().collect::<Vec<_>>(), [0, 96, 101, 13]);
}

#[test]
fn an_answer_with_both_codecs_sends_the_first_and_receives_either() {
    let mut negotiation = negotiation();
    negotiation.offer();
    let negotiated = negotiation.accept_answer(&offer_of(&["m=audio 6000 RTP/AVP 0 8"])).unwrap();
    assert_eq!(negotiated.codec, Codec::Pcmu);
    assert_eq!(negotiated.codec_of(8), Some(Codec::Pcma));
    assert_eq!(negotiation.current(), Some(&negotiated));
}

#[test]
fn every_fork_may_answer_the_same_offer() {
    let mut negotiation = negotiation();
    negotiation.offer();
    negotiation.accept_answer(&offer_of(&["m=audio 6000 RTP/AVP 0"])).unwrap();
    let second = negotiation.accept_answer(&offer_of(&["m=audio 7000 RTP/AVP 8"])).unwrap();
    assert_eq!((second.remote.port(), second.codec), (7000, Codec::Pcma));
}

#[test]
fn an_answer_without_an_offer_is_an_error() {
    let answer = offer_of(&["m=audio 6000 RTP/AVP 0"]);
    assert_eq!(negotiation().accept_answer(&answer), Err(SdpError::NoOffer));
}

#[test]
fn an_answer_that_refuses_the_audio_is_an_error() {
    let mut negotiation = negotiation();
    negotiation.offer();
    assert_eq!(negotiation.accept_answer(&offer_of(&["m=audio 0 RTP/AVP 0"])), Err(SdpError::NoAudio));
}

#[test]
fn other_streams_are_refused_in_their_place() {
    let (answer, negotiated) = answer_to(&[
        "m=video 5000 RTP/AVP 31",
        "m=audio 0 RTP/AVP 0",
        "m=audio 6000 RTP/AVP 0",
        "m=audio 7000 RTP/AVP 0",
        "m=application 8000 UDP/BFCP *",
    ]);
    let streams: Vec<&str> = answer.lines().filter(|line| line.starts_with("m=")).collect();
    let expected = [
        "m=video 0 RTP/AVP 31",
        "m=audio 0 RTP/AVP 0",
        "m=audio 16384 RTP/AVP 0",
        "m=audio 0 RTP/AVP 0",
        "m=application 0 UDP/BFCP *",
    ];
    assert_eq!(streams, expected);
    assert_eq!(negotiated.remote.port(), 6000);
}

#[test]
fn a_later_offer_of_ours_keeps_the_refused_streams_and_the_number_for_dtmf() {
    let mut negotiation = negotiation();
    let lines = ["m=video 5000 RTP/AVP 31", "m=audio 6000 RTP/AVP 0 96", "a=rtpmap:96 telephone-event/8000"];
    negotiation.answer(&offer_of(&lines)).unwrap();
    let offer = text(negotiation.offer());
    assert!(offer.contains("m=video 0 RTP/AVP 31\r\nm=audio 16384 RTP/AVP 8 0 96\r\n"), "{offer}");
}

#[test]
fn a_plain_stream_beside_an_encrypted_one_is_taken() {
    let (answer, _) = answer_to(&["m=audio 5000 RTP/SAVP 0", "m=audio 6000 RTP/AVP 0"]);
    assert!(answer.contains("m=audio 0 RTP/SAVP 0\r\nm=audio 16384 RTP/AVP 0\r\n"), "{answer}");
}

#[test]
fn what_we_cannot_speak_is_refused_with_488() {
    let refusals = [
        (vec!["m=audio 6000 RTP/SAVP 0"], SdpError::SecureMedia),
        (vec!["m=audio 6000 UDP/TLS/RTP/SAVPF 0"], SdpError::SecureMedia),
        (vec!["m=audio 6000 RTP/AVP 18"], SdpError::NoCommonCodec),
        (vec!["m=video 6000 RTP/AVP 31"], SdpError::NoAudio),
        (vec!["m=audio 0 RTP/AVP 0"], SdpError::NoAudio),
        (vec![], SdpError::NoAudio),
    ];
    for (lines, expected) in refusals {
        assert_eq!(refusal_of(&lines), expected);
        assert_eq!(expected.sip_status(), 488);
    }
}

#[test]
fn the_line_of_the_stream_wins_over_the_line_of_the_session() {
    let (_, negotiated) =
        answer_to(&["a=inactive", "m=audio 6000 RTP/AVP 0", "c=IN IP4 203.0.113.9", "a=sendonly"]);
    assert_eq!(negotiated.remote, "203.0.113.9:6000".parse().unwrap());
    assert_eq!(negotiated.direction, Direction::RecvOnly);
}

#[test]
fn a_hold_is_answered_from_the_other_side() {
    let cases = [
        ("a=sendonly", Direction::RecvOnly),
        ("a=recvonly", Direction::SendOnly),
        ("a=inactive", Direction::Inactive),
        ("a=sendrecv", Direction::SendRecv),
        ("c=IN IP4 0.0.0.0", Direction::RecvOnly),
    ];
    for (line, expected) in cases {
        let (answer, negotiated) = answer_to(&["m=audio 6000 RTP/AVP 0", line]);
        assert_eq!(negotiated.direction, expected, "{line}");
        assert!(answer.contains(&format!("a={}\r\n", expected.attribute())), "{answer}");
    }
}

#[test]
fn a_zero_address_beside_recvonly_stops_both_ways() {
    let (_, negotiated) = answer_to(&["a=recvonly", "m=audio 6000 RTP/AVP 0", "c=IN IP4 0.0.0.0"]);
    assert_eq!(negotiated.direction, Direction::Inactive);
    assert!(negotiated.remote.ip().is_unspecified());
}

#[test]
fn a_host_name_is_no_hold_and_leaves_the_address_to_be_learned() {
    let (_, negotiated) = answer_to(&["m=audio 6000 RTP/AVP 0", "c=IN IP4 media.example.com"]);
    assert_eq!(negotiated.remote, "0.0.0.0:6000".parse().unwrap());
    assert_eq!(negotiated.direction, Direction::SendRecv);
}

#[test]
fn ipv6_is_read_and_written() {
    let mut here = local(&[Codec::Pcmu]);
    here.address = "2001:db8::10".parse().unwrap();
    let offer = offer_of(&["m=audio 6000 RTP/AVP 0", "c=IN IP6 2001:db8::7"]);
    let (answer, negotiated) = Negotiation::new(here).answer(&offer).unwrap();
    assert_eq!(negotiated.remote, "[2001:db8::7]:6000".parse().unwrap());
    let answer = text(answer);
    assert!(answer.contains("o=clearline 42 1 IN IP6 2001:db8::10\r\n"), "{answer}");
    assert!(answer.contains("c=IN IP6 2001:db8::10\r\n"), "{answer}");
}

#[test]
fn rtcp_goes_where_the_far_end_says() {
    let rtcp = |lines: &[&str]| answer_to(lines).1.remote_rtcp;
    let audio = "m=audio 6000 RTP/AVP 0";
    assert_eq!(rtcp(&[audio, "a=rtcp:7001"]), Some("198.51.100.7:7001".parse().unwrap()));
    let elsewhere = Some("203.0.113.1:7001".parse().unwrap());
    assert_eq!(rtcp(&[audio, "a=rtcp:7001 IN IP4 203.0.113.1"]), elsewhere);
    assert_eq!(rtcp(&[audio, "a=rtcp:junk"]), Some("198.51.100.7:6001".parse().unwrap()));
    assert_eq!(rtcp(&["m=audio 65535 RTP/AVP 0"]), None);
    let (answer, negotiated) = answer_to(&[audio, "a=rtcp-mux"]);
    assert!(negotiated.rtcp_mux && negotiated.remote_rtcp.is_none() && answer.contains("a=rtcp-mux\r\n"));
}

#[test]
fn the_far_ends_packet_length_is_told_and_its_maximum_kept() {
    let ptime = |lines: &[&str]| answer_to(lines).1.ptime_ms;
    let audio = "m=audio 6000 RTP/AVP 0";
    assert_eq!(ptime(&[audio, "a=ptime:30"]), 30);
    assert_eq!(ptime(&[audio, "a=ptime:40", "a=maxptime:20"]), 20);
    assert_eq!(ptime(&[audio, "a=ptime:20.0"]), 20);
    assert_eq!(ptime(&[audio, "a=ptime:0"]), 20);
}

#[test]
fn the_version_moves_only_when_the_description_changes() {
    let mut negotiation = negotiation();
    let version = |sdp: Vec<u8>| text(sdp).lines().nth(1).unwrap().split(' ').nth(2).unwrap().to_owned();
    let talk = offer_of(&["m=audio 6000 RTP/AVP 0"]);
    let hold = offer_of(&["m=audio 6000 RTP/AVP 0", "a=sendonly"]);
    let versions = [&talk, &talk, &hold, &talk].map(|offer| version(negotiation.answer(offer).unwrap().0));
    assert_eq!(versions, ["1", "1", "2", "3"]);
}

#[test]
fn a_refused_offer_leaves_the_agreement_as_it_was() {
    let mut negotiation = negotiation();
    let (_, agreed) = negotiation.answer(&offer_of(&["m=audio 6000 RTP/AVP 0"])).unwrap();
    negotiation.answer(&offer_of(&["m=audio 6000 RTP/AVP 18"])).unwrap_err();
    assert_eq!(negotiation.current(), Some(&agreed));
}

#[test]
fn a_negotiation_goes_on_from_its_checkpoint() {
    let mut negotiation = negotiation();
    negotiation.answer(&offer_of(&["m=audio 6000 RTP/AVP 0"])).unwrap();
    let saved = serde_json::to_string(&negotiation).unwrap();
    let mut restored: Negotiation = serde_json::from_str(&saved).unwrap();
    assert_eq!(restored.current(), negotiation.current());
    assert_eq!(restored.offer(), negotiation.offer());
}

#[test]
fn sizes_beyond_reason_are_refused() {
    let long_line = format!("s={}", "x".repeat(17_000));
    let many_formats = format!("m=audio 6000 RTP/AVP {}", "0 ".repeat(65));
    assert_eq!(refusal_of(&[&long_line]), SdpError::TooLarge);
    assert_eq!(refusal_of(&["b=AS:64"; 600]), SdpError::TooLarge);
    assert_eq!(refusal_of(&["m=audio 6000 RTP/AVP 0"; 17]), SdpError::TooLarge);
    assert_eq!(refusal_of(&[&many_formats]), SdpError::TooLarge);
}

#[test]
fn an_unreadable_stream_line_is_malformed() {
    for line in ["m=", "m=audio", "m=audio x RTP/AVP 0", "m=audio 99999 RTP/AVP 0", "m=audio 6000 RTP/AVP"] {
        assert_eq!(refusal_of(&[line]), SdpError::Malformed, "{line}");
    }
}

#[test]
fn strange_bytes_and_odd_lines_do_not_hide_the_audio() {
    let mut offer = b"\r\n v=0\r\ns=caf\xe9 \xff\r\nnonsense\r\n=\r\na=\r\na=rtpmap:\r\n".to_vec();
    offer.extend(b"c=IN IP4 198.51.100.7\r\n\r\nm=audio 6000/2 rtp/avp 0 300 x\r\na=rtpmap:999 X/Y/Z\r\n");
    let (_, negotiated) = negotiation().answer(&offer).unwrap();
    assert_eq!(negotiated.remote, "198.51.100.7:6000".parse().unwrap());
}

#[test]
fn no_mutation_of_an_offer_panics() {
    let original = offer_of(&[
        "m=audio 6000 RTP/AVP 0 8 101",
        "a=rtpmap:101 telephone-event/8000",
        "a=rtcp:7001 IN IP4 198.51.100.7",
        "a=ptime:20",
        "m=video 5000 RTP/AVP 31",
    ]);
    let mut entropy = Entropy::from_number(20_260_117);
    let mut understood = 0;
    for _ in 0..20_000 {
        let mut mutant = original.clone();
        for _ in 0..=entropy.below(8) {
            mutate(&mut mutant, &mut entropy);
        }
        let mut negotiation = negotiation();
        negotiation.offer();
        let _ignored = negotiation.accept_answer(&mutant);
        understood += usize::from(negotiation.answer(&mutant).is_ok());
    }
    assert!(understood > 1_000, "the mutants must stay close enough to SDP to reach deep code: {understood}");
}

fn mutate(bytes: &mut Vec<u8>, entropy: &mut Entropy) {
    let at = entropy.below(bytes.len() as u64) as usize;
    match entropy.below(4) {
        0 if !bytes.is_empty() => bytes[at] = entropy.next_u32() as u8,
        1 if !bytes.is_empty() => drop(bytes.remove(at)),
        2 => bytes.insert(at, b" :/=\r\n09"[entropy.below(8) as usize]),
        _ => bytes.truncate(bytes.len() - bytes.len().min(entropy.below(4) as usize)),
    }
}
