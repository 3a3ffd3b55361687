//! Nobody hears anybody else, whatever the network and strangers do (SPEC R1 to R4, K7).

use crate::far_end::rtp::{Voice, packet};
use crate::far_end::{FarEnd, Plan, socket};
use crate::log;
use crate::world::{ADAS_KEY, ADAS_NUMBER, BENS_KEY, BENS_NUMBER, World, hears, play};

const ADAS_HZ: f64 = 500.0;
const BENS_HZ: f64 = 1_100.0;
const FORGERS_HZ: f64 = 1_450.0;

/// Both talk at once; each hears its own model only, and each model hears its own caller only.
async fn nobody_hears_the_other(world: &World, ada: &FarEnd, ben: &FarEnd) {
    let (adas_marker, bens_marker) = (world.marker(ADAS_KEY).await, world.marker(BENS_KEY).await);
    ada.say(ADAS_HZ, 800);
    ben.say(BENS_HZ, 800);
    tokio::join!(world.model_hears(ADAS_KEY, ADAS_HZ), world.model_hears(BENS_KEY, BENS_HZ));
    tokio::join!(ada.hears_silence(10), ben.hears_silence(10));
    let (adas_packets, bens_packets) = (ada.packets_so_far(), ben.packets_so_far());
    tokio::join!(ada.hears(adas_marker, adas_packets), ben.hears(bens_marker, bens_packets));
    assert_eq!(ada.all_tones(), adas_marker.tones_hz(), "ada hears her own model and nothing else");
    assert_eq!(ben.all_tones(), bens_marker.tones_hz(), "ben hears his own model and nothing else");
    let (adas, bens) = (world.session(ADAS_KEY), world.session(BENS_KEY));
    let (adas, bens) = (adas.expect("ada's session"), bens.expect("ben's session"));
    assert!(!hears(&adas, BENS_HZ) && !hears(&bens, ADAS_HZ), "{adas:#?} {bens:#?}");
    assert_eq!((adas.ordering_errors, bens.ordering_errors), (vec![], vec![]));
}

async fn both_greeted(world: &World, ada: &FarEnd, ben: &FarEnd) {
    tokio::join!(ada.dial(world.sip(), ADAS_NUMBER), ben.dial(world.sip(), BENS_NUMBER));
    tokio::join!(ada.connected(), ben.connected());
    let (adas_call, bens_call) = (world.news.call_of("ada", 0).await, world.news.call_of("ben", 0).await);
    tokio::join!(world.news.greeted(&adas_call), world.news.greeted(&bens_call));
}

#[test]
fn two_calls_of_the_same_moment_with_the_same_wrong_media_address_and_ssrc_stay_apart() {
    play(async {
        let bogus = "127.0.0.9:4000".parse().ok();
        let alike = || FarEnd::new(Plan { ssrc: 777, claimed_media: bogus, ..Plan::default() });
        let (world, ada, ben) = (World::usual().await, alike().await, alike().await);
        both_greeted(&world, &ada, &ben).await;
        assert_ne!(ada.engine_media(), ben.engine_media(), "each call has a port of its own");
        nobody_hears_the_other(&world, &ada, &ben).await;
        tokio::join!(ada.hang_up(), ben.hang_up());
        world.all_given_back().await;
        world.close().await;
    });
}

#[test]
fn a_forger_on_another_host_reaches_neither_calls_model_and_gets_no_audio() {
    play(async {
        let (world, ada, ben) = (World::usual().await, FarEnd::usual().await, FarEnd::usual().await);
        both_greeted(&world, &ada, &ben).await;
        let forger = socket("127.0.0.2:0").await;
        let stolen = ada.seen.look(|seen| seen.ssrc());
        for ssrc in [4_711, stolen] {
            let mut voice = Voice::new(ssrc);
            voice.say(&[FORGERS_HZ], 1_000, None);
            for _ in 0..50 {
                let forged = voice.next_packet();
                forger.send_to(&forged, ada.engine_media()).await.unwrap();
                forger.send_to(&forged, ben.engine_media()).await.unwrap();
                ada.more_packets(1).await;
            }
        }
        nobody_hears_the_other(&world, &ada, &ben).await;
        for key in [ADAS_KEY, BENS_KEY] {
            let session = world.session(key).unwrap();
            assert!(!hears(&session, FORGERS_HZ), "{session:#?}");
        }
        let foreign = world.figure("clearline_rtp_foreign_packets_total").await;
        assert!(foreign >= 200, "each forged packet is counted, not only {foreign}");
        assert!(forger.try_recv(&mut [0; 2_048]).is_err(), "nothing was sent to the forger");
        world.close().await;
    });
}

#[test]
fn a_caller_whose_address_translator_changes_its_port_is_heard_and_served_on() {
    play(async {
        let (world, caller) = (World::usual().await, FarEnd::usual().await);
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        caller.move_rtp().await;
        log::line_with(&["RTP source moved", call.as_str()]).await;
        let new_port = caller.seen.look(|seen| seen.rtp.local_addr().unwrap().port());
        caller.say(ADAS_HZ, 600);
        world.model_hears(ADAS_KEY, ADAS_HZ).await;
        let since = caller.packets_so_far();
        caller.hears(world.marker(ADAS_KEY).await, since).await;
        let last_port = caller.seen.look(|seen| seen.packets.last().map(|packet| packet.port));
        assert_eq!(last_port, Some(new_port));
        caller.hang_up().await;
        world.close().await;
    });
}

#[test]
fn a_neighbour_behind_the_same_address_cannot_take_over_a_running_call() {
    play(async {
        let (world, caller) = (World::usual().await, FarEnd::usual().await);
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        let neighbour = socket("127.0.0.1:0").await;
        for sequence in 0..50 {
            let stray = packet(0, sequence, u32::from(sequence) * 160, 99, &[0x10; 160]);
            neighbour.send_to(&stray, caller.engine_media()).await.unwrap();
            caller.more_packets(1).await;
        }
        caller.say(ADAS_HZ, 600);
        world.model_hears(ADAS_KEY, ADAS_HZ).await;
        let since = caller.packets_so_far();
        caller.hears(world.marker(ADAS_KEY).await, since).await;
        assert!(neighbour.try_recv(&mut [0; 2_048]).is_err(), "nothing was sent to the neighbour");
        world.close().await;
    });
}
