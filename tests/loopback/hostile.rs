//! Rubbish on every port during a call (SPEC S4).

use clearline::domain::Outcome;

use crate::far_end::rtp::packet;
use crate::far_end::{FarEnd, socket};
use crate::world::{ADAS_KEY, ADAS_NUMBER, World, play};

const VOLLEYS: usize = 25;

fn hostile_sip() -> Vec<Vec<u8>> {
    let lines = |text: &str| text.replace('\n', "\r\n").into_bytes();
    vec![
        vec![0; 1_400],
        vec![0xff; 65_000],
        b"\r\n\r\n".to_vec(),
        b"INVITE".to_vec(),
        lines("INVITE sip:100@127.0.0.1 SIP/2.0\n\n"),
        lines("INVITE sip:100@127.0.0.1 SIP/2.0\nVia: \nFrom: \nTo: \nCall-ID: \nCSeq: \n\n"),
        lines(
            "BYE sip:x SIP/2.0\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\nCall-ID: guess\nCSeq: 2 BYE\nContent-Length: 0\n\n",
        ),
        lines(
            "SIP/2.0 200 OK\nVia: SIP/2.0/UDP a;branch=z9hG4bK1\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>;tag=2\nCall-ID: guess\nCSeq: 1 INVITE\n\n",
        ),
        lines("SIP/2.0 999999999999 X\nCSeq: 99999999999999999999 INVITE\n\n"),
        lines(
            "OPTIONS sip:x SIP/2.0\nVia: SIP/2.0/UDP a;branch=z9hG4bK2;rport\nMax-Forwards: -1\nFrom: <sip:a@b>;tag=1\nTo: <sip:c@d>\nCall-ID: o\nCSeq: 1 OPTIONS\nContent-Length: 99999999999\n\n",
        ),
    ]
}

fn hostile_rtp() -> Vec<Vec<u8>> {
    let mut impossible = packet(0, 1, 1, 1, &[0; 4]);
    impossible[0] = 0xbf;
    vec![
        vec![],
        vec![0x80],
        vec![0x80; 11],
        vec![0xff; 1_400],
        impossible,
        packet(127, 1, 1, 1, &[0; 160]),
        packet(101, 2, 1, 1, &[]),
        packet(0, 3, 1, 1, &[]),
        packet(0, 4, 1, 1, &[0; 1_400]),
        vec![0x80, 200, 0xff, 0xff, 0, 0, 0, 1],
        vec![0x81, 203, 0, 1, 0, 0, 0, 1],
        vec![0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42],
    ]
}

#[test]
fn rubbish_on_every_port_does_not_disturb_a_call() {
    play(async {
        let (world, caller) = (World::usual().await, FarEnd::usual().await);
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        let (stranger, neighbour) = (socket("127.0.0.3:0").await, socket("127.0.0.1:0").await);
        let (sip, rtp) = (hostile_sip(), hostile_rtp());
        for volley in 0..VOLLEYS {
            for rubbish in &sip {
                stranger.send_to(rubbish, world.sip()).await.ok();
            }
            if volley == 0 {
                for rubbish in &sip {
                    neighbour.send_to(rubbish, world.sip()).await.ok();
                }
            }
            for rubbish in &rtp {
                neighbour.send_to(rubbish, caller.engine_media()).await.ok();
                let mut rtcp = caller.engine_media();
                rtcp.set_port(rtcp.port() + 1);
                stranger.send_to(rubbish, rtcp).await.ok();
            }
            caller.more_packets(1).await;
        }
        caller.say(500.0, 600);
        world.model_hears(ADAS_KEY, 500.0).await;
        caller.hears(world.marker(ADAS_KEY).await, caller.packets_so_far()).await;
        caller.hang_up().await;
        assert_eq!(world.news.ended(&call).await.outcome, Outcome::Completed);
        world.all_given_back().await;
        world.close().await;
    });
}

#[test]
fn a_stranger_may_not_call_in() {
    play(async {
        let world = World::planned(|plan| {
            plan.settings.sip.allowed_sources = vec!["127.0.0.77".parse().unwrap()];
        })
        .await;
        let stranger = FarEnd::usual().await;
        stranger.dial(world.sip(), ADAS_NUMBER).await;
        assert_eq!(stranger.verdict().await.status(), Some(403));
        assert!(world.model.sessions().is_empty(), "the model was not bothered");
        world.all_given_back().await;
        world.close().await;
    });
}
