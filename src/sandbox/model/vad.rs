//! When the caller speaks. Time here is samples received, so that a client that leaves gaps stalls the detection,
//! as the real service does.

/// What the setup asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Detection {
    /// Root mean square above which 10 ms count as speech, to begin and to go on.
    pub(super) start_level: f64,
    pub(super) end_level: f64,
    /// Speech must last this long before it counts as begun.
    pub(super) prefix_ms: u64,
    pub(super) silence_ms: u64,
}

/// About -46 and -34 dB of full scale.
pub(super) const SENSITIVE_LEVEL: f64 = 160.0;
pub(super) const DULL_LEVEL: f64 = 650.0;

impl Default for Detection {
    fn default() -> Self {
        Self { start_level: SENSITIVE_LEVEL, end_level: SENSITIVE_LEVEL, prefix_ms: 20, silence_ms: 800 }
    }
}

pub(super) const FRAME_MS: u64 = 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Edge {
    SpeechStarted,
    SpeechEnded,
}

#[derive(Debug)]
pub(super) struct Vad {
    detection: Detection,
    speaking: bool,
    loud_ms: u64,
    quiet_ms: u64,
}

impl Vad {
    pub(super) fn new(detection: Detection) -> Self {
        Self { detection, speaking: false, loud_ms: 0, quiet_ms: 0 }
    }

    pub(super) fn is_speaking(&self) -> bool {
        self.speaking
    }

    /// Judges the next 10 ms.
    pub(super) fn push(&mut self, frame: &[i16]) -> Option<Edge> {
        let level = root_mean_square(frame);
        if self.speaking {
            self.quiet_ms = if level < self.detection.end_level { self.quiet_ms + FRAME_MS } else { 0 };
            return if self.quiet_ms >= self.detection.silence_ms { self.flush() } else { None };
        }
        self.loud_ms = if level >= self.detection.start_level { self.loud_ms + FRAME_MS } else { 0 };
        if self.loud_ms < self.detection.prefix_ms.max(FRAME_MS) {
            return None;
        }
        self.speaking = true;
        self.quiet_ms = 0;
        Some(Edge::SpeechStarted)
    }

    /// Ends the speech now, if there is any.
    pub(super) fn flush(&mut self) -> Option<Edge> {
        self.loud_ms = 0;
        std::mem::take(&mut self.speaking).then_some(Edge::SpeechEnded)
    }
}

fn root_mean_square(frame: &[i16]) -> f64 {
    let energy: f64 = frame.iter().map(|sample| f64::from(*sample).powi(2)).sum();
    (energy / frame.len().max(1) as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edges(detection: Detection, frames: &[(i16, usize)]) -> Vec<(usize, Edge)> {
        let mut vad = Vad::new(detection);
        let levels = frames.iter().flat_map(|(level, count)| std::iter::repeat_n(*level, *count));
        let judged = levels.enumerate().map(|(at, level)| (at * 10, vad.push(&[level; 160])));
        judged.filter_map(|(at, edge)| Some((at, edge?))).collect()
    }

    #[test]
    fn speech_ends_after_the_silence_the_setup_asked_for() {
        let detection = Detection { silence_ms: 300, prefix_ms: 50, ..Detection::default() };
        let heard = edges(detection, &[(0, 10), (3_000, 50), (0, 100)]);
        assert_eq!(heard, [(140, Edge::SpeechStarted), (890, Edge::SpeechEnded)]);
    }

    #[test]
    fn a_click_shorter_than_the_prefix_is_no_speech() {
        let detection = Detection { prefix_ms: 100, ..Detection::default() };
        assert!(edges(detection, &[(3_000, 9), (0, 5), (3_000, 9), (0, 200)]).is_empty());
    }

    #[test]
    fn low_sensitivity_ignores_quiet_speech() {
        let dull = Detection { start_level: DULL_LEVEL, ..Detection::default() };
        assert!(edges(dull, &[(300, 100)]).is_empty());
        assert_eq!(edges(Detection::default(), &[(300, 100)]).len(), 1);
    }
}
