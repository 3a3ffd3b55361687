//! Changing the sample rate: a polyphase FIR whose state is carried over chunks of any size.
//!
//! One low-pass (Kaiser window, 48 taps for each sample of the lower rate) serves every ratio: up, it removes the
//! images; down, what would alias. Between 8, 16 and 24 kHz it is flat to 3.4 kHz, 80 dB down from 4.6 kHz (the mirror
//! of 3.4 kHz about 4 kHz), and 3 ms late. What lies between folds into 3.4 to 4 kHz, where a telephone has nothing.
//!
//! The dot product keeps eight sums beside each other, because the compiler may not reorder float additions by itself;
//! where the rate is raised by a whole factor, sixteen outputs are summed up beside each other instead.

use std::f64::consts::PI;

/// A pair of rates for which we make no filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "cannot turn {from_hz} Hz into {to_hz} Hz; use 8, 16, 24 or 48 kHz (or a rate in a small ratio to them)"
)]
pub struct UnsupportedRate {
    pub from_hz: u32,
    pub to_hz: u32,
}

/// One direction of one stream.
pub struct Resampler {
    filter: Filter,
    /// The last `taps - 1` inputs, then the block being worked on.
    window: Vec<f32>,
    /// For each phase the outputs at a few inputs in a row; empty unless the rate is raised by a whole factor.
    side_by_side: Vec<[f32; TOGETHER]>,
    /// Which phase the next output uses …
    phase: usize,
    /// … and how many inputs into the coming block its newest input is.
    ahead: usize,
}

const TAPS_PER_SLOW_SAMPLE: usize = 48;
const STOP_BAND_DB: f64 = 90.0;
const LANES: usize = 8;
/// Outputs of one phase that are computed side by side.
const TOGETHER: usize = 16;
/// Inputs converted at once; bounds the working memory, not the chunks a caller may pass.
const BLOCK: usize = 256;
/// 44.1 kHz to 8 kHz needs 80 phases of 272 taps; anything much larger is a mistake at the other end.
const MAX_COEFFICIENTS: usize = 48 * 1024;

impl Resampler {
    pub fn new(from_hz: u32, to_hz: u32) -> Result<Self, UnsupportedRate> {
        let filter = Filter::design(from_hz, to_hz).ok_or(UnsupportedRate { from_hz, to_hz })?;
        let window = vec![0.0; filter.taps - 1 + BLOCK];
        let raised_phases = if filter.step == 1 { filter.phases } else { 0 };
        let side_by_side = vec![[0.0; TOGETHER]; raised_phases];
        Ok(Self { filter, window, side_by_side, phase: 0, ahead: 0 })
    }

    /// Feeds `input` and hands every sample that becomes ready to `emit`. The outputs are the same however a stream is
    /// cut into chunks.
    pub fn process(&mut self, input: &[i16], mut emit: impl FnMut(i16)) {
        for block in input.chunks(BLOCK) {
            self.append(block);
            if self.side_by_side.is_empty() {
                self.filter_block(block.len(), &mut emit);
            } else {
                self.raise_block(block.len(), &mut emit);
            }
            self.window.copy_within(block.len()..block.len() + self.filter.taps - 1, 0);
        }
    }

    /// Forgets the past, so that a new stream does not begin with the echo of the old one.
    pub fn reset(&mut self) {
        self.window.fill(0.0);
        self.phase = 0;
        self.ahead = 0;
    }

    fn append(&mut self, block: &[i16]) {
        let fresh = self.window.iter_mut().skip(self.filter.taps - 1);
        for (slot, &sample) in fresh.zip(block) {
            *slot = f32::from(sample);
        }
    }

    /// Going up, every input brings one output of each phase: a phase is computed for many inputs side by side, which
    /// takes half the time of one output after the other.
    fn raise_block(&mut self, length: usize, emit: &mut impl FnMut(i16)) {
        for start in (0..length).step_by(TOGETHER) {
            for (phase, outputs) in self.side_by_side.iter_mut().enumerate() {
                *outputs = dots(self.filter.phase(phase), &self.window[start..]);
            }
            for input in 0..TOGETHER.min(length - start) {
                for outputs in &self.side_by_side {
                    emit(rounded(outputs[input]));
                }
            }
        }
    }

    fn filter_block(&mut self, length: usize, emit: &mut impl FnMut(i16)) {
        while self.ahead < length {
            let past = &self.window[self.ahead..self.ahead + self.filter.taps];
            emit(rounded(dot(self.filter.phase(self.phase), past)));
            self.phase += self.filter.step;
            self.ahead += self.phase / self.filter.phases;
            self.phase %= self.filter.phases;
        }
        self.ahead -= length;
    }
}

/// The prototype low-pass at `phases` × the input rate, cut into its phases; each is stored oldest tap first.
struct Filter {
    coefficients: Vec<f32>,
    taps: usize,
    phases: usize,
    /// Steps of the prototype's rate between two outputs.
    step: usize,
}

impl Filter {
    fn design(from_hz: u32, to_hz: u32) -> Option<Self> {
        let common = greatest_common_divisor(from_hz, to_hz);
        let phases = to_hz.checked_div(common)? as usize;
        let step = from_hz.checked_div(common)? as usize;
        if phases == 0 || step == 0 {
            return None;
        }
        let widening = step.div_ceil(phases);
        let taps = TAPS_PER_SLOW_SAMPLE.checked_mul(widening)?;
        if taps.checked_mul(phases)? > MAX_COEFFICIENTS {
            return None;
        }
        let prototype = low_pass(taps * phases, 0.5 / phases.max(step) as f64, phases as f64);
        Some(Self { coefficients: split_into_phases(&prototype, phases), taps, phases, step })
    }

    fn phase(&self, phase: usize) -> &[f32] {
        &self.coefficients[phase * self.taps..(phase + 1) * self.taps]
    }
}

fn split_into_phases(prototype: &[f64], phases: usize) -> Vec<f32> {
    let newest_first = |phase| prototype.iter().skip(phase).step_by(phases);
    (0..phases)
        .flat_map(|phase| newest_first(phase).rev().map(|&tap| tap as f32).collect::<Vec<_>>())
        .collect()
}

/// A windowed sinc with `cutoff` in cycles per sample, whose taps add up to `gain`.
fn low_pass(length: usize, cutoff: f64, gain: f64) -> Vec<f64> {
    let beta = 0.1102 * (STOP_BAND_DB - 8.7);
    let middle = (length as f64 - 1.0) / 2.0;
    let tap = |n: usize| {
        let distance = n as f64 - middle;
        let across = distance / (middle + 1.0);
        sinc(2.0 * cutoff * distance) * bessel_i0(beta * (1.0 - across * across).max(0.0).sqrt())
    };
    let taps: Vec<f64> = (0..length).map(tap).collect();
    let sum: f64 = taps.iter().sum();
    taps.into_iter().map(|tap| tap * gain / sum).collect()
}

fn sinc(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { (PI * x).sin() / (PI * x) }
}

/// The modified Bessel function of the first kind, order 0, by its power series.
fn bessel_i0(x: f64) -> f64 {
    let mut term = 1.0;
    let mut sum = 1.0;
    let mut k = 1.0;
    while term > sum * 1e-12 {
        term *= (x / (2.0 * k)).powi(2);
        sum += term;
        k += 1.0;
    }
    sum
}

fn dot(coefficients: &[f32], samples: &[f32]) -> f32 {
    let mut sums = [0.0_f32; LANES];
    let (coefficients, _) = coefficients.as_chunks::<LANES>();
    let (samples, _) = samples.as_chunks::<LANES>();
    for (taps, past) in coefficients.iter().zip(samples) {
        for lane in 0..LANES {
            sums[lane] += taps[lane] * past[lane];
        }
    }
    sums.iter().sum()
}

/// The outputs at the first inputs of `samples`, each summed up in the same order whatever its place, so that it does
/// not matter how a stream is cut.
fn dots(coefficients: &[f32], samples: &[f32]) -> [f32; TOGETHER] {
    let mut sums = [0.0; TOGETHER];
    for (tap, past) in coefficients.iter().zip(samples.windows(TOGETHER)) {
        for (sum, sample) in sums.iter_mut().zip(past) {
            *sum += tap * sample;
        }
    }
    sums
}

/// To the nearest whole number, for what is near 16 bits: from here on a float has no room for a fraction. The
/// library's rounding is a call on processors without an instruction for it, at every sample.
fn rounded(value: f32) -> i16 {
    const NO_FRACTION: f32 = 12_582_912.0;
    // `as` saturates: a loud edge may overshoot full scale.
    ((value + NO_FRACTION) - NO_FRACTION) as i16
}

fn greatest_common_divisor(mut a: u32, mut b: u32) -> u32 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests {
    use super::*;

    const AMPLITUDE: f64 = 30_000.0;

    fn tone(rate_hz: u32, frequency_hz: f64, seconds: f64) -> Vec<i16> {
        let sample = |n: usize| AMPLITUDE * (2.0 * PI * frequency_hz * n as f64 / f64::from(rate_hz)).sin();
        (0..(f64::from(rate_hz) * seconds) as usize).map(|n| sample(n).round() as i16).collect()
    }

    fn resampled(from_hz: u32, to_hz: u32, input: &[i16]) -> Vec<i16> {
        let mut output = Vec::new();
        Resampler::new(from_hz, to_hz).unwrap().process(input, |sample| output.push(sample));
        output
    }

    /// Decibels of one frequency against the input's amplitude, over one second after the filter has filled. All
    /// frequencies used are whole numbers of hertz, so that a second holds whole cycles and nothing leaks.
    fn level_db(samples: &[i16], rate_hz: u32, frequency_hz: f64) -> f64 {
        let second = &samples[rate_hz as usize / 4..][..rate_hz as usize];
        let turn = 2.0 * PI * frequency_hz / f64::from(rate_hz);
        let (mut re, mut im) = (0.0, 0.0);
        for (n, &sample) in second.iter().enumerate() {
            re += f64::from(sample) * (turn * n as f64).cos();
            im += f64::from(sample) * (turn * n as f64).sin();
        }
        20.0 * ((re.hypot(im) * 2.0 / second.len() as f64).max(1e-3) / AMPLITUDE).log10()
    }

    #[test]
    fn speech_passes_unchanged_in_level_up_to_3400_hz() {
        for (from, to) in
            [(8_000, 16_000), (16_000, 8_000), (24_000, 8_000), (48_000, 8_000), (44_100, 8_000)]
        {
            for frequency in [50.0, 300.0, 1_000.0, 2_000.0, 3_000.0, 3_400.0] {
                let level = level_db(&resampled(from, to, &tone(from, frequency, 1.5)), to, frequency);
                assert!(level.abs() < 0.5, "{from} to {to}: {frequency} Hz comes out at {level:.2} dB");
            }
        }
    }

    #[test]
    fn images_of_speech_are_80_db_down_when_the_rate_doubles() {
        let mut worst = f64::MIN;
        for frequency in (100..=3_400).step_by(100).map(f64::from) {
            let output = resampled(8_000, 16_000, &tone(8_000, frequency, 1.5));
            worst = worst.max(level_db(&output, 16_000, 8_000.0 - frequency));
        }
        println!("8 to 16 kHz, worst image {worst:.1} dB");
        assert!(worst < -80.0, "{worst:.1} dB");
    }

    #[test]
    fn what_would_fold_into_speech_is_80_db_down_when_the_rate_falls() {
        for (from, to) in [(24_000, 8_000), (16_000, 8_000)] {
            let mut worst = f64::MIN;
            for frequency in (4_600..from / 2).step_by(100).map(f64::from) {
                let output = resampled(from, to, &tone(from, frequency, 1.5));
                let folded = (frequency - 8_000.0 * (frequency / 8_000.0).round()).abs();
                worst = worst.max(level_db(&output, to, folded));
            }
            println!("{from} to {to} Hz, worst alias {worst:.1} dB");
            assert!(worst < -80.0, "{from} to {to}: {worst:.1} dB");
        }
    }

    #[test]
    fn the_output_does_not_depend_on_how_the_input_is_cut() {
        for (from, to) in [(8_000, 16_000), (24_000, 8_000), (16_000, 8_000), (22_050, 8_000)] {
            let input = tone(from, 440.0, 0.3);
            let whole = resampled(from, to, &input);
            for size in [1, 7, 160, 241, 1_000] {
                let mut resampler = Resampler::new(from, to).unwrap();
                let mut cut = Vec::new();
                for chunk in input.chunks(size) {
                    resampler.process(chunk, |sample| cut.push(sample));
                }
                assert_eq!(cut, whole, "{from} to {to} in chunks of {size}");
            }
        }
    }

    #[test]
    fn a_frame_of_20_ms_comes_out_as_20_ms() {
        let count = |from, to, samples| resampled(from, to, &vec![0; samples]).len();
        assert_eq!(count(8_000, 16_000, 160), 320);
        assert_eq!(count(24_000, 8_000, 480), 160);
        assert_eq!(count(16_000, 8_000, 320), 160);
        assert_eq!(count(44_100, 8_000, 44_100), 8_000);
    }

    #[test]
    fn the_delay_is_about_three_milliseconds() {
        for (from, to) in [(8_000, 16_000), (24_000, 8_000)] {
            let mut click = vec![0; from as usize / 10];
            click[0] = 20_000;
            let output = resampled(from, to, &click);
            let peak = (0..output.len()).max_by_key(|&n| output[n].unsigned_abs()).unwrap();
            let delay_us = peak as u32 * 1_000_000 / to;
            assert!((2_500..=3_200).contains(&delay_us), "{from} to {to}: {delay_us} µs");
        }
    }

    #[test]
    fn after_a_reset_nothing_of_the_old_stream_is_heard() {
        let mut resampler = Resampler::new(24_000, 8_000).unwrap();
        resampler.process(&tone(24_000, 440.0, 0.1), |_| ());
        resampler.reset();
        resampler.process(&[0; 480], |sample| assert_eq!(sample, 0));
    }

    #[test]
    fn full_scale_edges_saturate_instead_of_wrapping_round() {
        let square: Vec<i16> = (0..2_400).map(|n| if n % 48 < 24 { i16::MAX } else { i16::MIN }).collect();
        let output = resampled(24_000, 8_000, &square);
        assert!(output.windows(2).all(|pair| pair[0].abs_diff(pair[1]) < 60_000), "no sample wraps");
        assert!(output.contains(&i16::MAX) && output.contains(&i16::MIN));
    }

    #[test]
    fn rates_without_a_sensible_filter_are_refused_by_name() {
        for (from_hz, to_hz) in [(0, 8_000), (8_000, 0), (0, 0), (24_001, 8_000), (u32::MAX, 1)] {
            assert_eq!(Resampler::new(from_hz, to_hz).err(), Some(UnsupportedRate { from_hz, to_hz }));
        }
    }
}
