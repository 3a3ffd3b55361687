//! When a caller speaks: it waits for the model to finish, pauses, says something, waits for the answer; now and then
//! it does not let the model finish.

use std::time::{Duration, Instant};

use crate::domain::Entropy;
use crate::sandbox::signature::{Loudness, Signature};

/// A model that does not answer for so long is spoken to again.
const PATIENCE: Duration = Duration::from_secs(6);
const PAUSE_MS: std::ops::Range<u64> = 500..2_500;
/// Speech goes on behind its signature for up to this many frames.
const FRAMES_MORE_MAX: u64 = 50;
/// One answer in so many is interrupted …
const ANSWERS_A_BARGE_IN: u64 = 4;
/// … so long after it began to sound.
const BARGE_IN_AFTER_MS: std::ops::Range<u64> = 700..1_500;

#[derive(Debug)]
pub(super) struct Talk {
    caller: u16,
    bursts_begun: u16,
    state: State,
}

#[derive(Debug, Clone, Copy)]
enum State {
    AwaitingModel { until: Instant },
    Listening { barges_in_at: Option<Instant> },
    Pausing { until: Instant },
    Speaking { signature: Signature, frame: usize, frames: usize },
}

/// The next 20 ms.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Silence,
    Tone(Loudness),
    /// The first frame of a burst, which is loud.
    Onset {
        signature: Signature,
        barges_in: bool,
    },
}

impl Talk {
    /// The call was answered; the model greets.
    pub(super) fn new(caller: u16, now: Instant) -> Self {
        Self { caller, bursts_begun: 0, state: State::AwaitingModel { until: now + PATIENCE } }
    }

    pub(super) fn next_frame(&mut self, model_speaks: bool, now: Instant, entropy: &mut Entropy) -> Said {
        match &mut self.state {
            State::AwaitingModel { until } if !model_speaks => {
                if now >= *until {
                    self.state = State::Pausing { until: now };
                }
            }
            State::AwaitingModel { .. } => {
                let barges_in = entropy.below(ANSWERS_A_BARGE_IN) == 0;
                let barges_in_at = barges_in.then(|| now + between(BARGE_IN_AFTER_MS, entropy));
                self.state = State::Listening { barges_in_at };
            }
            State::Listening { .. } if !model_speaks => {
                self.state = State::Pausing { until: now + between(PAUSE_MS, entropy) };
            }
            State::Listening { barges_in_at } => {
                if barges_in_at.is_some_and(|at| now >= at) {
                    return self.begin_to_speak(true, entropy);
                }
            }
            State::Pausing { .. } if model_speaks => self.state = State::Listening { barges_in_at: None },
            State::Pausing { until } => {
                if now >= *until {
                    return self.begin_to_speak(false, entropy);
                }
            }
            State::Speaking { signature, frame, frames } => {
                if frame < frames {
                    let loudness = signature.loudness(*frame);
                    *frame += 1;
                    return Said::Tone(loudness);
                }
                self.state = State::AwaitingModel { until: now + PATIENCE };
            }
        }
        Said::Silence
    }

    fn begin_to_speak(&mut self, barges_in: bool, entropy: &mut Entropy) -> Said {
        let signature = Signature::new(self.caller, self.bursts_begun);
        self.bursts_begun = self.bursts_begun.wrapping_add(1);
        let frames = Signature::FRAMES + entropy.below(FRAMES_MORE_MAX) as usize;
        self.state = State::Speaking { signature, frame: 1, frames };
        Said::Onset { signature, barges_in }
    }
}

fn between(range: std::ops::Range<u64>, entropy: &mut Entropy) -> Duration {
    Duration::from_millis(range.start + entropy.below(range.end - range.start))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    const FRAME: Duration = Duration::from_millis(20);

    /// A minute with a model that greets and answers each burst after a second, for three seconds.
    fn minute() -> Vec<(u32, Said)> {
        let (start, mut entropy) = (clock::now(), Entropy::from_number(5));
        let mut talk = Talk::new(3, start);
        let (mut voice, mut said) = (20..170, Vec::new());
        for frame in 0..3_000 {
            let next = talk.next_frame(voice.contains(&frame), start + FRAME * frame, &mut entropy);
            if next != Said::Silence {
                // The model hushes, and answers a second after the last of the burst.
                voice = frame + 50..frame + 200;
                said.push((frame, next));
            }
        }
        said
    }

    fn onsets(said: &[(u32, Said)]) -> Vec<(u32, Signature, bool)> {
        let onset = |(frame, said): &(u32, Said)| match said {
            Said::Onset { signature, barges_in } => Some((*frame, *signature, *barges_in)),
            Said::Silence | Said::Tone(_) => None,
        };
        said.iter().filter_map(onset).collect()
    }

    #[test]
    fn a_caller_waits_for_the_greeting_and_numbers_what_it_says() {
        let onsets = onsets(&minute());
        assert!(onsets[0].0 >= 20 && (6..12).contains(&onsets.len()), "{onsets:?}");
        for (number, (_, signature, _)) in onsets.iter().enumerate() {
            assert_eq!(*signature, Signature::new(3, number as u16));
        }
    }

    #[test]
    fn some_answers_are_interrupted_and_most_are_not() {
        let onsets = onsets(&minute());
        let barging = onsets.iter().filter(|(_, _, barges_in)| *barges_in).count();
        assert!((1..=onsets.len() / 2).contains(&barging), "{onsets:?}");
    }

    #[test]
    fn a_burst_is_a_whole_signature_at_least() {
        let said = minute();
        let mut onsets = onsets(&said);
        // The minute may end within the last.
        onsets.pop();
        for (start, ..) in onsets {
            let frames = said.iter().filter(|(frame, _)| (start..start + 120).contains(frame)).count();
            assert!((Signature::FRAMES..Signature::FRAMES + 50).contains(&frames), "{frames}");
        }
    }

    #[test]
    fn a_silent_model_is_spoken_to_again() {
        let (start, mut entropy) = (clock::now(), Entropy::from_number(1));
        let mut talk = Talk::new(0, start);
        let frames =
            (0..1_000).map(|frame| (frame, talk.next_frame(false, start + FRAME * frame, &mut entropy)));
        let said: Vec<_> = frames.filter(|(_, said)| *said != Said::Silence).collect();
        assert!(onsets(&said).len() >= 2);
    }
}
