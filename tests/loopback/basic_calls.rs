//! A call that goes well, in both directions, ended by either side (SPEC T2, R5, G1, U1).

use std::net::UdpSocket;

use clearline::actors::events::CallEvent;
use clearline::domain::{Direction, Outcome, Secret, Speaker};
use clearline::media::opus_file::Listened;

use crate::far_end::FarEnd;
use crate::log;
use crate::world::{ADAS_KEY, ADAS_NUMBER, LOOPBACK, Plan, World, play};

const CALLERS_HZ: f64 = 500.0;
const PORTS_HELD: u16 = 80;

#[test]
fn a_caller_is_greeted_is_heard_gets_an_answer_and_hangs_up() {
    play(async {
        let (world, caller) = (World::usual().await, FarEnd::usual().await);
        caller.dial(world.sip(), ADAS_NUMBER).await;
        caller.connected().await;
        let call = world.news.call_of("ada", 0).await;
        let marker = world.marker(ADAS_KEY).await;
        caller.hears(marker, 0).await;
        world.news.greeted(&call).await;
        caller.say(CALLERS_HZ, 600);
        world.model_hears(ADAS_KEY, CALLERS_HZ).await;
        caller.hears_silence(10).await;
        caller.hears(marker, caller.packets_so_far()).await;
        caller.hears_silence(10).await;
        caller.hang_up().await;
        let finish = world.news.ended(&call).await;
        assert_eq!((finish.outcome, finish.reason.as_str()), (Outcome::Completed, "the far end hung up"));
        let record = world.record(&call).await;
        assert_eq!((record.direction, record.outcome), (Direction::Inbound, Some(Outcome::Completed)));
        assert_eq!(record.key_hint, Some(Secret::new(ADAS_KEY).hint()));
        assert!(record.answered_time.is_some() && record.call_end_time.is_some());
        let roles: Vec<_> = record.conversation_items.iter().map(|item| item.role).collect();
        assert!(roles.contains(&Speaker::User) && roles.contains(&Speaker::Assistant), "{record:#?}");
        world.all_given_back().await;
        world.close().await;
    });
}

/// Another engine on this machine takes its ports from the same end of the range.
#[test]
fn a_caller_is_answered_where_other_programs_hold_many_ports() {
    play(async {
        let mut held = Vec::new();
        let hold = |plan: &mut Plan| {
            plan.settings.media.threads = 1;
            let first = plan.settings.media.port_min;
            let ports = (first..first + 2 * PORTS_HELD).step_by(2);
            held.extend(
                ports.map(|port| UdpSocket::bind((LOOPBACK, port)).expect("a port of this test's own")),
            );
        };
        let world = World::planned(hold).await;
        let caller = FarEnd::usual().await;
        caller.dial(world.sip(), ADAS_NUMBER).await;
        caller.connected().await;
        world.close().await;
        assert_eq!(held.len(), usize::from(PORTS_HELD));
    });
}

#[test]
fn the_recording_holds_the_caller_on_the_left_and_the_model_on_the_right() {
    play(async {
        let (world, caller) = (World::usual().await, FarEnd::usual().await);
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        let marker = world.marker(ADAS_KEY).await;
        caller.say(CALLERS_HZ, 600);
        world.session_when(ADAS_KEY, "the caller's turn", |session| session.caller_turns == 1).await;
        caller.hang_up().await;
        let record = world.record(&call).await;
        let file = record.recording_filename.expect("a recording");
        let bytes = std::fs::read(file).expect("a readable file");
        let Listened { call: named, started, rate_hz, caller: person, model } =
            Listened::to(&bytes[..]).expect("an Opus file");
        assert_eq!((named, started), (Some(call), record.recording_start_time));
        let seconds = person.len() as f64 / f64::from(rate_hz);
        assert_eq!(
            (record.recording_duration_seconds, record.recording_bytes),
            (Some(seconds), Some(bytes.len() as u64))
        );
        assert!(marker.heard_in(&model, rate_hz) && !marker.heard_in(&person, rate_hz));
        // From well below to above zero: between the words an Opus file is not quite silent.
        let (mut below, mut crossings) = (false, 0);
        for sample in person {
            crossings += usize::from(below && sample >= 0);
            below = if sample >= 0 { false } else { below || sample < -500 };
        }
        assert!((290..=301).contains(&crossings), "0.6 s of 500 Hz cross zero 300 times, not {crossings}");
        world.close().await;
    });
}

#[test]
fn a_dialled_person_is_greeted_and_hung_up_on_by_the_api() {
    play(async {
        let callee = FarEnd::usual().await;
        let world = World::dialling(&callee).await;
        let call = world.place("+4930123456").await;
        callee.connected().await;
        callee.hears(world.marker(ADAS_KEY).await, 0).await;
        world.news.greeted(&call).await;
        assert!(world.engine.hang_up(&call, "enough").await);
        callee.got("BYE").await;
        let finish = world.news.ended(&call).await;
        assert_eq!((finish.outcome, finish.reason.as_str()), (Outcome::Completed, "enough"));
        assert_eq!(world.record(&call).await.direction, Direction::Outbound);
        let invites = callee.seen.look(|seen| seen.requests("INVITE").count());
        assert_eq!(invites, 1, "one INVITE, answered at once, is not repeated");
        world.all_given_back().await;
        world.close().await;
    });
}

#[test]
fn the_log_tells_a_call_in_the_lines_that_operators_look_for() {
    play(async {
        let (world, caller) = (World::usual().await, FarEnd::usual().await);
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        let ssrc = caller.seen.look(|seen| seen.packets[0].ssrc);
        let port = caller.engine_media().port();
        log::line_with(&[&format!(
            "Initializing RTP session {call} with actual port {port} and SSRC {ssrc}"
        )])
        .await;
        log::line_with(&[&format!("Locked RTP session {call} to SSRC ")]).await;
        log::line_with(&["Greeting played successfully", call.as_str()]).await;
        log::line_with(&["Retrieved API key for user ada (ID: id-of-ada)"]).await;
        let short = Secret::new(ADAS_KEY).hint();
        log::line_with(&[&format!("Using user-specific API key for session {call}: {short}")]).await;
        assert!(!log::has_line_with("Updating RTP address"));
        assert!(!log::has_line_with(ADAS_KEY), "a key never reaches the log");
        assert!(world.news.events_of(&call).iter().any(|event| matches!(event, CallEvent::Ringing)));
        caller.hang_up().await;
        world.close().await;
    });
}
