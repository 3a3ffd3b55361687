//! Programs that we did not write play what we record: `opusinfo` and `opusdec` (Debian's opus-tools), `ffprobe` (ffmpeg).

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output};

use clearline::domain::{CallId, Timestamp};
use clearline::media::opus_file::{Listened, OpusFile};
use clearline::media::spool::Heard;
use clearline::media::spool::file::SpoolHead;
use clearline::media::wav::Wav;

const FRAMES: u64 = 501;
const SAMPLES: usize = FRAMES as usize * 160;
/// Of some thousand: a filter to another rate blurs where a frame begins.
const APART_MAX: f64 = 150.0;

/// Ten seconds and 20 ms: the caller speaks in the first half, the model in the second, and for a moment both.
fn recording(path: &Path) -> Listened {
    let head = SpoolHead {
        call: CallId::new("0198-call"),
        first_frame: 7,
        started: Timestamp::parse("2026-11-28T10:00:00.250Z").expect("a time"),
    };
    let mut file = OpusFile::begin(Vec::new(), &head).expect("an encoder");
    for number in 7..7 + FRAMES {
        let tone = |hz: f64| std::array::from_fn(|n| wave(number * 160 + n as u64, hz));
        let (caller, model) = match number {
            0..=250 => (tone(450.0), [0; 160]),
            251..=280 => (tone(450.0), tone(1_150.0)),
            _ => ([0; 160], tone(1_150.0)),
        };
        file.add(&Heard { number, caller, model }).expect("it takes every frame");
    }
    let bytes = file.finish().expect("a whole file");
    std::fs::write(path, &bytes).expect("a writable folder");
    Listened::to(&bytes[..]).expect("what was just written")
}

/// A tone whose loudness moves, as a voice's does.
fn wave(sample: u64, hz: f64) -> i16 {
    let angle = |hz: f64| sample as f64 * hz * std::f64::consts::TAU / 8_000.0;
    (9_000.0 * angle(3.0).sin().abs() * angle(hz).sin()) as i16
}

/// `None`: the program is not installed, and a line says so.
fn run(program: &str, arguments: &[&str]) -> Option<Output> {
    let output = Command::new(program).args(arguments).output();
    if output.is_err() {
        let line = format!("\nskipped: {program} is not installed (opus-tools, ffmpeg)\n");
        std::io::stderr().write_all(line.as_bytes()).expect("standard error");
    }
    output.ok()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn opusinfo_finds_nothing_wrong_and_reads_which_call_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call.ogg");
    recording(&path);
    let Some(output) = run("opusinfo", &[path.to_str().unwrap()]) else { return };
    let found = text(&output.stdout) + &text(&output.stderr);
    assert!(output.status.success() && !found.to_lowercase().contains("warning"), "{found}");
    for expected in
        ["CLEARLINE_CALL=0198-call", "CLEARLINE_START=2026-11-28T10:00:00.250Z", "Playback length: 0m:10.0"]
    {
        assert!(found.contains(expected), "{expected} is not in {found}");
    }
}

#[test]
fn opusdec_hears_what_we_hear_frame_by_frame() {
    let folder = tempfile::tempdir().unwrap();
    let (ogg, wav) = (folder.path().join("call.ogg"), folder.path().join("call.wav"));
    let ours = recording(&ogg);
    let arguments =
        ["--rate", "48000", "--no-dither", "--quiet", ogg.to_str().unwrap(), wav.to_str().unwrap()];
    let Some(output) = run("opusdec", &arguments) else { return };
    assert!(output.status.success(), "{}", text(&output.stderr));
    let heard = Wav::parse(&std::fs::read(wav).unwrap()).unwrap();
    assert_eq!((heard.channels, heard.rate_hz, heard.samples.len()), (2, 48_000, 2 * 6 * SAMPLES));
    for (channel, side) in [(0, &ours.caller), (1, &ours.model)] {
        let theirs = loudness(&heard.channel(channel), 960);
        let ours = loudness(side, 160);
        for (frame, (theirs, ours)) in theirs.iter().zip(&ours).enumerate() {
            assert!(
                (theirs - ours).abs() < APART_MAX,
                "frame {frame} of side {channel}: {theirs} and {ours}"
            );
        }
    }
}

/// Of each frame: the root of its mean square.
fn loudness(samples: &[i16], frame_samples: usize) -> Vec<f64> {
    let square = |sample: &i16| f64::from(*sample).powi(2);
    let mean = |frame: &[i16]| frame.iter().map(square).sum::<f64>() / frame.len() as f64;
    samples.chunks(frame_samples).map(|frame| mean(frame).sqrt()).collect()
}

#[test]
fn ffmpeg_takes_it_for_ten_seconds_of_stereo_opus() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("call.ogg");
    recording(&path);
    let entries = "stream=codec_name,channels:format=format_name,duration";
    let arguments = ["-v", "warning", "-show_entries", entries, "-of", "csv=p=0", path.to_str().unwrap()];
    let Some(output) = run("ffprobe", &arguments) else { return };
    assert_eq!(text(&output.stderr), "", "no warnings");
    let lines: Vec<String> = text(&output.stdout).lines().map(str::to_owned).collect();
    assert_eq!(lines[0], "opus,2");
    let duration: f64 = lines[1].strip_prefix("ogg,").expect("an Ogg file").parse().unwrap();
    assert!((duration - 10.02).abs() < 0.02, "{duration}");
}
