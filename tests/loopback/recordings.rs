//! Recordings survive what happens to sessions and engines (SPEC U2, S1, S2).

use std::fs::File;
use std::path::Path;

use clearline::domain::{CallRecord, Outcome};
use clearline::media::opus_file::Listened;
use clearline::sandbox::model::{ModelServer, ModelSettings};

use crate::engines::{Engine, add_ada, call, the_call};
use crate::far_end::FarEnd;
use crate::world::{ADAS_KEY, ADAS_NUMBER, World, play};

const CALLERS_HZ: f64 = 500.0;
const SECOND: usize = 8_000;

fn listen(folder: &Path, record: &CallRecord) -> Listened {
    let file = record.recording_filename.as_ref().expect("a recording");
    Listened::to(File::open(folder.join(file)).expect("a readable file")).expect("an Opus file")
}

fn loudest(samples: &[i16]) -> i32 {
    samples.iter().map(|sample| i32::from(*sample).abs()).max().unwrap_or(0)
}

#[test]
fn u2_what_was_recorded_before_a_kill_is_finished_when_the_engine_starts_again() {
    play(async {
        let folder = tempfile::tempdir().expect("a temporary folder");
        add_ada(folder.path());
        let model = ModelServer::start(ModelSettings::default()).await.expect("a stand-in model");
        let engine = Engine::start("the engine", folder.path(), &model);
        let (caller, status) = call(&engine).await;
        assert_eq!(status, Some(200));
        caller.say(CALLERS_HZ, 3_000);
        caller.more_packets(200).await;
        engine.process.end_by("KILL");
        assert!(
            !folder
                .path()
                .join("data/recordings")
                .read_dir()
                .unwrap()
                .any(|entry| { entry.unwrap().path().extension().is_some_and(|ending| ending == "ogg") })
        );
        let engine = Engine::start("the engine again", folder.path(), &model);
        let complete = |record: &CallRecord| record.outcome.is_some() && record.recording_bytes.is_some();
        let record = the_call(folder.path(), complete).await;
        assert_eq!(record.outcome, Some(Outcome::EngineLost));
        let heard = listen(folder.path(), &record);
        assert_eq!(heard.call.as_ref(), Some(&record.session_id));
        assert!(heard.caller.len() >= 2 * SECOND && loudest(&heard.caller) > 3_000);
        assert_eq!(record.recording_start_time, heard.started);
        engine.process.end_by("TERM").expect_success("the engine");
        model.stop().await;
    });
}

/// How often the caller's side rises through zero in a frame in which it is loud, frame by frame.
fn pitches(side: &[i16]) -> Vec<usize> {
    let rises = |frame: &[i16]| frame.windows(2).filter(|pair| pair[0] < 0 && pair[1] >= 0).count();
    side.chunks(160).filter(|frame| loudest(frame) > 3_000).map(rises).collect()
}

#[test]
fn s1_a_rebuilt_session_goes_on_in_the_same_recording() {
    play(async {
        let (world, caller) = (World::usual().await, FarEnd::usual().await);
        caller.dial(world.sip(), ADAS_NUMBER).await;
        let call = world.news.call_of("ada", 0).await;
        world.news.greeted(&call).await;
        caller.say(CALLERS_HZ, 600);
        world.model_hears(ADAS_KEY, CALLERS_HZ).await;
        assert!(world.engine.crash_session(&call).await);
        caller.more_packets(50).await;
        caller.say(2.0 * CALLERS_HZ, 600);
        world.model_hears(ADAS_KEY, 2.0 * CALLERS_HZ).await;
        caller.hang_up().await;
        let heard = listen(world.folder.path(), &world.record(&call).await);
        let pitches = pitches(&heard.caller);
        let (low, high) = (
            pitches.iter().filter(|p| (9..=11).contains(*p)),
            pitches.iter().filter(|p| (19..=21).contains(*p)),
        );
        assert!(low.count() >= 10 && high.count() >= 10, "{pitches:?}");
        world.close().await;
    });
}
