//! Hiding lost audio, in the spirit of G.711 Appendix I: the last pitch period is repeated while it fades, at most
//! 60 ms; after that there is silence rather than a robot's hum. When audio returns it is faded in over the repetition.
//!
//! Unlike the appendix we delay nothing: the step between the last sample heard and the first one made up is bent
//! straight instead of being overlapped.

/// One stream's recent past and, during a gap, what is being repeated.
pub struct Concealer {
    /// What was heard, oldest first.
    heard: [i16; HEARD_SAMPLES],
    period: [f32; LONGEST_PERIOD],
    period_samples: usize,
    /// Samples made up since the last real one; 0 outside a gap.
    missing: usize,
    /// What the first made-up sample would jump by, without the bend.
    step: f32,
    /// Samples of the fade back to real audio still to come.
    returning: usize,
}

/// 66 Hz, a deep voice.
const LONGEST_PERIOD: usize = 120;
/// 200 Hz; of a higher voice several periods are repeated together.
const SHORTEST_PERIOD: usize = 40;
/// Samples compared when looking for the pitch: 20 ms.
const COMPARED: usize = 160;
const HEARD_SAMPLES: usize = COMPARED + LONGEST_PERIOD;
/// The first 10 ms are repeated at full level …
const FULL_LEVEL_SAMPLES: usize = 80;
/// … and by now the level has fallen to nothing: 60 ms.
const AUDIBLE_SAMPLES: usize = 480;
const BEND_SAMPLES: usize = 32;
/// 5 ms.
const RETURN_SAMPLES: usize = 40;

impl Default for Concealer {
    fn default() -> Self {
        Self {
            heard: [0; HEARD_SAMPLES],
            period: [0.0; LONGEST_PERIOD],
            period_samples: SHORTEST_PERIOD,
            missing: 0,
            step: 0.0,
            returning: 0,
        }
    }
}

impl Concealer {
    /// Real audio arrived: remembers it, and after a gap fades it in.
    pub fn received(&mut self, samples: &mut [i16]) {
        if self.missing > 0 && self.returning == 0 {
            self.returning = RETURN_SAMPLES;
        }
        for sample in samples.iter_mut() {
            if self.returning == 0 {
                break;
            }
            let share = self.returning as f32 / (RETURN_SAMPLES + 1) as f32;
            let made_up = self.next_made_up();
            *sample = (f32::from(*sample) * (1.0 - share) + made_up * share) as i16;
            self.returning -= 1;
        }
        if self.returning == 0 {
            self.missing = 0;
        }
        self.remember(samples);
    }

    /// Nothing arrived: fills `samples` with the best guess. Tells whether any of it can be heard.
    pub fn missing(&mut self, samples: &mut [i16]) -> bool {
        if self.missing == 0 || self.returning > 0 {
            self.begin_gap();
        }
        samples.fill_with(|| self.next_made_up() as i16);
        self.remember(samples);
        samples.iter().any(|&sample| sample != 0)
    }

    fn begin_gap(&mut self) {
        let length = pitch(&self.heard);
        self.period_samples = length;
        let start = HEARD_SAMPLES - length;
        for (slot, &sample) in self.period.iter_mut().zip(&self.heard[start..]) {
            *slot = f32::from(sample);
        }
        self.smooth_the_wrap(start, length);
        let last = f32::from(self.heard[HEARD_SAMPLES - 1]);
        self.step = last - f32::from(self.heard[start - 1]);
        self.missing = 0;
        self.returning = 0;
    }

    /// The end of the period turns into what came before its start, so that repetitions join without a click.
    fn smooth_the_wrap(&mut self, start: usize, length: usize) {
        let overlap = length / 4;
        for n in 0..overlap {
            let share = (n + 1) as f32 / (overlap + 1) as f32;
            let before = f32::from(self.heard[start - overlap + n]);
            let slot = &mut self.period[length - overlap + n];
            *slot = *slot * (1.0 - share) + before * share;
        }
    }

    fn next_made_up(&mut self) -> f32 {
        let n = self.missing;
        self.missing = n.saturating_add(1);
        if n >= AUDIBLE_SAMPLES {
            return 0.0;
        }
        let bend = self.step * BEND_SAMPLES.saturating_sub(n) as f32 / BEND_SAMPLES as f32;
        (self.period[n % self.period_samples] + bend) * level(n)
    }

    fn remember(&mut self, samples: &[i16]) {
        let kept = samples.len().min(HEARD_SAMPLES);
        self.heard.copy_within(kept.., 0);
        self.heard[HEARD_SAMPLES - kept..].copy_from_slice(&samples[samples.len() - kept..]);
    }
}

fn level(missing: usize) -> f32 {
    let fading = missing.saturating_sub(FULL_LEVEL_SAMPLES);
    1.0 - fading as f32 / (AUDIBLE_SAMPLES - FULL_LEVEL_SAMPLES) as f32
}

/// The distance at which the newest stretch looks most like an earlier one (normalised cross-correlation).
fn pitch(heard: &[i16; HEARD_SAMPLES]) -> usize {
    let newest = &heard[HEARD_SAMPLES - COMPARED..];
    let likeness = |lag: usize| {
        let earlier = &heard[HEARD_SAMPLES - COMPARED - lag..HEARD_SAMPLES - lag];
        let product = correlation(newest, earlier);
        let energy = correlation(earlier, earlier);
        if product <= 0.0 { 0.0 } else { product * product / energy }
    };
    (SHORTEST_PERIOD..=LONGEST_PERIOD)
        .map(|lag| (lag, likeness(lag)))
        .max_by(|a, b| a.1.total_cmp(&b.1))
        .map_or(SHORTEST_PERIOD, |(lag, _)| lag)
}

fn correlation(a: &[i16], b: &[i16]) -> f32 {
    a.iter().zip(b).map(|(&a, &b)| i64::from(i32::from(a) * i32::from(b))).sum::<i64>() as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::level::{rms, tone_level};
    use std::f32::consts::TAU;

    fn voice(start: usize, length: usize) -> Vec<i16> {
        let harmonic = |n: usize, k: f32| (TAU * 125.0 * k * n as f32 / 8_000.0).sin() / k;
        (start..start + length)
            .map(|n| (8_000.0 * (harmonic(n, 1.0) + harmonic(n, 2.0) + harmonic(n, 5.0))) as i16)
            .collect()
    }

    fn after_hearing(length: usize) -> Concealer {
        let mut concealer = Concealer::default();
        concealer.received(&mut voice(0, length));
        concealer
    }

    fn largest_step(samples: &[i16]) -> u16 {
        samples.windows(2).map(|pair| pair[0].abs_diff(pair[1])).max().unwrap_or(0)
    }

    #[test]
    fn a_lost_frame_sounds_like_the_voice_before_it() {
        let mut concealer = after_hearing(800);
        let mut frame = [0; 160];
        assert!(concealer.missing(&mut frame));
        let expected = voice(800, 160);
        assert!(
            rms(&frame[..80]) > 0.9 * rms(&expected[..80]) && rms(&frame[..80]) < 1.1 * rms(&expected[..80])
        );
        assert!(rms(&frame) > 0.8 * rms(&expected), "energy holds over the first frame");
        assert!(tone_level(&frame, 8_000, 250.0) > 0.7 * tone_level(&expected, 8_000, 250.0));
    }

    #[test]
    fn the_guess_fades_and_is_silent_after_60_ms() {
        let mut concealer = after_hearing(800);
        let mut gap = [0_i16; 640];
        let audible: Vec<bool> = gap.chunks_mut(160).map(|frame| concealer.missing(frame)).collect();
        assert_eq!(audible, [true, true, true, false]);
        let levels: Vec<f32> = gap.chunks(160).map(rms).collect();
        assert!(levels.windows(2).all(|pair| pair[1] < pair[0]), "{levels:?}");
        assert_eq!(&gap[480..], [0; 160]);
    }

    #[test]
    fn neither_the_start_of_a_gap_nor_its_end_clicks() {
        for (heard, lost) in [(800, 160), (813, 160), (800, 320), (777, 800)] {
            let mut concealer = after_hearing(heard);
            let mut all = voice(0, heard);
            let mut gap = vec![0; lost];
            concealer.missing(&mut gap);
            all.extend(gap);
            let mut back = voice(heard + lost, 320);
            concealer.received(&mut back);
            all.extend(back);
            let usual = largest_step(&voice(0, 800));
            assert!(largest_step(&all) < usual * 2, "{heard}/{lost}: {} over {usual}", largest_step(&all));
        }
    }

    #[test]
    fn the_voice_is_itself_again_5_ms_after_the_gap() {
        let mut concealer = after_hearing(800);
        concealer.missing(&mut [0; 160]);
        let mut back = voice(960, 160);
        concealer.received(&mut back);
        assert_eq!(back[RETURN_SAMPLES..], voice(960, 160)[RETURN_SAMPLES..]);
    }

    #[test]
    fn gaps_and_pieces_of_any_length_are_the_same_audio() {
        let (mut whole, mut pieces) = (after_hearing(800), after_hearing(800));
        let (mut a, mut b) = ([0; 300], [0; 300]);
        whole.missing(&mut a);
        b.chunks_mut(7).for_each(|piece| {
            pieces.missing(piece);
        });
        assert_eq!(a, b);
        let (mut a, mut b) = (voice(1_100, 160), voice(1_100, 160));
        whole.received(&mut a);
        b.chunks_mut(7).for_each(|piece| pieces.received(piece));
        assert_eq!(a, b);
    }

    #[test]
    fn silence_is_concealed_by_silence() {
        let mut frame = [7; 160];
        Concealer::default().missing(&mut frame);
        assert_eq!(frame, [0; 160]);
    }

    #[test]
    fn full_scale_audio_and_endless_gaps_do_no_harm() {
        let mut concealer = Concealer::default();
        concealer.received(&mut [i16::MIN; 400]);
        for _ in 0..1_000 {
            concealer.missing(&mut [0; 160]);
        }
        concealer.received(&mut []);
        concealer.received(&mut [i16::MAX; 1_000]);
        concealer.missing(&mut [0; 3]);
    }
}
