use super::*;
use crate::domain::{CallId, Timestamp};
use crate::media::codec::FRAME_SAMPLES;
use crate::media::spool::Heard;
use crate::media::spool::file::SpoolHead;

const FRAMES_PER_MINUTE: u64 = 60 * 50;
const SILENCE: [i16; FRAME_SAMPLES] = [0; FRAME_SAMPLES];

fn head(first_frame: u64) -> SpoolHead {
    SpoolHead { call: CallId::new("call-1"), first_frame, started: Timestamp::from_millis(1_764_000_000_123) }
}

fn burst(hz: f64) -> [i16; FRAME_SAMPLES] {
    let sample = |n: usize| (12_000.0 * (n as f64 * hz * std::f64::consts::TAU / 8_000.0).sin()) as i16;
    std::array::from_fn(sample)
}

fn left(number: u64) -> Heard {
    Heard { number, caller: burst(500.0), model: SILENCE }
}

fn right(number: u64) -> Heard {
    Heard { number, caller: SILENCE, model: burst(1_200.0) }
}

fn write(first_frame: u64, frames: impl IntoIterator<Item = Heard>) -> Vec<u8> {
    let mut file = OpusFile::begin(Vec::new(), &head(first_frame)).unwrap();
    frames.into_iter().for_each(|frame| file.add(&frame).unwrap());
    file.finish().unwrap()
}

fn listen(file: &[u8]) -> Listened {
    Listened::to(file).unwrap()
}

/// In which frames there is something to be heard: at least an eighth of a burst's energy.
fn loud(side: &[i16]) -> Vec<u64> {
    let energy = |frame: &[i16]| frame.iter().map(|&sample| i64::from(sample).pow(2)).sum::<i64>();
    let enough = energy(&burst(500.0)) / 8;
    (0..)
        .zip(side.chunks(FRAME_SAMPLES))
        .filter(|(_, frame)| energy(frame) > enough)
        .map(|(n, _)| n)
        .collect()
}

#[test]
fn a_recording_says_which_call_it_is_and_is_as_long_as_what_was_recorded() {
    for frames in [1, 2, 3, 4, 50, 151] {
        let mut file = OpusFile::begin(Vec::new(), &head(0)).unwrap();
        (0..frames).for_each(|number| file.add(&left(number)).unwrap());
        assert_eq!(file.duration().as_millis(), u128::from(frames) * 20);
        let heard = listen(&file.finish().unwrap());
        assert_eq!((heard.call.as_ref().unwrap().as_str(), heard.started), ("call-1", Some(head(0).started)));
        assert_eq!((heard.caller.len(), heard.model.len()), (frames as usize * 160, frames as usize * 160));
    }
}

#[test]
fn after_an_hour_both_sides_are_where_they_were_heard() {
    let marks: Vec<u64> = (0..60).map(|minute| minute * FRAMES_PER_MINUTE + 7 * minute % 50).collect();
    let last = 60 * FRAMES_PER_MINUTE - 1;
    let apart = |number: u64| [left(number), right(number + 20)];
    let heard = listen(&write(0, marks.iter().copied().flat_map(apart).chain([left(last)])));
    assert_eq!(heard.caller.len(), 3_600 * 8_000);
    let near = |found: Vec<u64>, expected: Vec<u64>| {
        assert!(expected.iter().all(|mark| found.contains(mark)), "{expected:?} are not all in {found:?}");
        let strays = found.iter().filter(|frame| expected.iter().all(|mark| frame.abs_diff(*mark) > 1));
        assert_eq!(strays.count(), 0, "{found:?}");
    };
    near(loud(&heard.caller), marks.iter().copied().chain([last]).collect());
    near(loud(&heard.model), marks.iter().map(|mark| mark + 20).collect());
}

#[test]
fn what_is_missing_is_silence_and_nothing_is_heard_on_the_other_side() {
    let speech = |range: std::ops::Range<u64>| range.map(left);
    let heard = listen(&write(1_000, speech(1_000..1_050).chain(speech(1_150..1_200)).chain([right(1_250)])));
    let peak = |side: &[i16]| side.iter().map(|sample| i32::from(*sample).abs()).max().unwrap();
    assert_eq!(heard.caller.len(), 251 * 160);
    assert!(peak(&heard.caller[52 * 160..148 * 160]) < 50, "a gap is silent");
    assert!(peak(&heard.model[..245 * 160]) < 1_500, "a voice that begins, an eighth as loud at most");
    for after_its_onset in [2..148, 152..245] {
        let frames = after_its_onset.start * 160..after_its_onset.end * 160;
        assert!(peak(&heard.model[frames]) < 50, "and then not at all");
    }
    assert!(peak(&heard.caller[155 * 160..195 * 160]) > 8_000 && peak(&heard.model[250 * 160..]) > 8_000);
}

#[test]
fn while_both_speak_each_is_heard_on_its_own_side() {
    let both = (0..200).map(|number| Heard { number, caller: burst(500.0), model: burst(1_200.0) });
    let heard = listen(&write(0, both));
    let strength = |side: &[i16], hz: f64| {
        let (mut re, mut im) = (0.0, 0.0);
        for (n, &sample) in side[8_000..16_000].iter().enumerate() {
            let angle = n as f64 * hz * std::f64::consts::TAU / 8_000.0;
            re += f64::from(sample) * angle.cos();
            im += f64::from(sample) * angle.sin();
        }
        re.hypot(im) / 4_000.0
    };
    assert!(strength(&heard.caller, 500.0) > 8_000.0 && strength(&heard.model, 1_200.0) > 8_000.0);
    assert!(strength(&heard.caller, 1_200.0) < 200.0, "{}", strength(&heard.caller, 1_200.0));
    assert!(strength(&heard.model, 500.0) < 200.0, "{}", strength(&heard.model, 500.0));
}

#[test]
fn frames_that_come_again_or_from_nowhere_change_nothing() {
    let frames: Vec<Heard> = (0..100).map(left).collect();
    let mut disturbed = frames.clone();
    disturbed.insert(60, right(40));
    disturbed.insert(70, right(u64::MAX));
    assert_eq!(write(0, disturbed), write(0, frames));
}

#[test]
fn a_call_of_which_nothing_was_recorded_is_a_file_all_the_same() {
    let heard = listen(&write(5, []));
    assert!(heard.caller.is_empty() && heard.model.is_empty());
}

#[test]
fn what_is_no_recording_is_refused() {
    let file = write(0, (0..100).map(left));
    assert!(matches!(Listened::to(&b"RIFF"[..]), Err(OpusFileError::Damaged(_) | OpusFileError::Io(_))));
    let mut damaged = file.clone();
    let middle = damaged.len() / 2;
    damaged[middle] ^= 1;
    assert!(matches!(Listened::to(&damaged[..]), Err(OpusFileError::Damaged(_))), "a page has a checksum");
}
