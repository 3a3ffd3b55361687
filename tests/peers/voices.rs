//! What the far ends say, made by sox: a tone to be recognised, or a sweep in which no two moments are alike.

use std::path::PathBuf;
use std::process::Command;

use crate::audio::{Law, Sound};
use crate::bench::Bench;

pub(crate) const TONE_HZ: f64 = 440.0;
pub(crate) const TONE_SECONDS: f64 = 2.5;
/// Time for the model's greeting, which a caller who speaks at once would cut short.
pub(crate) const LISTENS_FIRST_SECONDS: f64 = 5.0;
/// From the first silence to the end of the silence that follows the voice.
pub(crate) const TALK_MS: u32 = 8_500;

/// G.711 octets: silence for `quiet_seconds`, then the tone.
pub(crate) fn tone(bench: &Bench, law: Law, quiet_seconds: f64) -> PathBuf {
    let file = bench.file("tone.g711");
    let form = law.sox_form();
    sox(&["-n"], &form, &file, &format!("synth {TONE_SECONDS} sine {TONE_HZ} vol 0.5 pad {quiet_seconds} 0"));
    file
}

/// A WAV file at 8 kHz: silence while the greeting plays, the sweep, silence up to [`TALK_MS`].
pub(crate) fn sweep(bench: &Bench) -> PathBuf {
    let file = bench.file("sweep.wav");
    let after = f64::from(TALK_MS) / 1_000.0 - LISTENS_FIRST_SECONDS - TONE_SECONDS;
    let effects = format!("synth {TONE_SECONDS} sine 300-2400 vol 0.5 pad {LISTENS_FIRST_SECONDS} {after}");
    sox(&["-n"], &["-r", "8000", "-c", "1", "-b", "16"], &file, &effects);
    file
}

/// The same as G.711 octets, for SIPp.
pub(crate) fn sweep_as(bench: &Bench, law: Law) -> PathBuf {
    let (wav, file) = (sweep(bench), bench.file("sweep.g711"));
    sox(&[&wav.to_string_lossy()], &law.sox_form(), &file, "");
    file
}

/// The middle of the sweep: peers may swallow a packet while they begin and end.
pub(crate) fn heart_of_sweep(bench: &Bench) -> Sound {
    Sound::of_wav(&sweep(bench)).beginning(0.25, 2.0)
}

fn sox(input: &[&str], form: &[&str], output: &std::path::Path, effects: &str) {
    let mut command = Command::new("sox");
    // -D: no dither, so that silence is silence.
    command.arg("-D").args(input).args(form).arg(output).args(effects.split_whitespace());
    let result = command.output().expect("sox can be run");
    assert!(result.status.success(), "sox: {}", String::from_utf8_lossy(&result.stderr));
}
