//! A few spoken sentences, so that a person who tries the product hears words (`assets/prompts/make.sh` makes them).

use std::sync::OnceLock;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Prompt {
    Greeting,
    AnswerOne,
    AnswerTwo,
    Moment,
    Result,
    Goodbye,
    Apology,
}

#[cfg(test)]
impl Prompt {
    pub(super) const ALL: [Self; 7] = [
        Self::Greeting,
        Self::AnswerOne,
        Self::AnswerTwo,
        Self::Moment,
        Self::Result,
        Self::Goodbye,
        Self::Apology,
    ];
}

struct Recording {
    text: &'static str,
    wav: &'static [u8],
    samples: OnceLock<Vec<i16>>,
}

impl Recording {
    const fn new(text: &'static str, wav: &'static [u8]) -> Self {
        Self { text, wav, samples: OnceLock::new() }
    }
}

static GREETING: Recording = Recording::new(
    "Hello, this is Clearline. How can I help you?",
    include_bytes!("../../../assets/prompts/greeting.wav"),
);
static ANSWER_ONE: Recording = Recording::new(
    "I understand. Please tell me a little more.",
    include_bytes!("../../../assets/prompts/answer_one.wav"),
);
static ANSWER_TWO: Recording = Recording::new(
    "Thank you, I have noted that down.",
    include_bytes!("../../../assets/prompts/answer_two.wav"),
);
static MOMENT: Recording =
    Recording::new("One moment, please.", include_bytes!("../../../assets/prompts/moment.wav"));
static RESULT: Recording =
    Recording::new("Done, that is settled.", include_bytes!("../../../assets/prompts/result.wav"));
static GOODBYE: Recording =
    Recording::new("Thank you for calling. Goodbye.", include_bytes!("../../../assets/prompts/goodbye.wav"));
static APOLOGY: Recording = Recording::new(
    "I am sorry, something went wrong. Please call again later.",
    include_bytes!("../../../assets/prompts/apology.wav"),
);

/// A RIFF header as `sox` writes it: no chunk but `fmt ` before `data`.
const WAV_HEADER_BYTES: usize = 44;

impl Prompt {
    fn recording(self) -> &'static Recording {
        match self {
            Self::Greeting => &GREETING,
            Self::AnswerOne => &ANSWER_ONE,
            Self::AnswerTwo => &ANSWER_TWO,
            Self::Moment => &MOMENT,
            Self::Result => &RESULT,
            Self::Goodbye => &GOODBYE,
            Self::Apology => &APOLOGY,
        }
    }

    pub(super) fn text(self) -> &'static str {
        self.recording().text
    }

    /// The sentence at 24 kHz.
    pub(super) fn samples(self) -> &'static [i16] {
        let recording = self.recording();
        recording.samples.get_or_init(|| from_16_to_24_khz(&decode(recording.wav)))
    }
}

fn decode(wav: &[u8]) -> Vec<i16> {
    let (pairs, _) = wav.get(WAV_HEADER_BYTES..).unwrap_or_default().as_chunks::<2>();
    pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect()
}

/// Three samples for two, on straight lines: what that adds lies above the telephone band.
fn from_16_to_24_khz(samples: &[i16]) -> Vec<i16> {
    let at = |position: usize| i32::from(samples.get(position).copied().unwrap_or(0));
    let blend = |third: usize| {
        let (position, part) = (third * 2 / 3, (third * 2 % 3) as i32);
        ((at(position) * (3 - part) + at(position + 1) * part) / 3) as i16
    };
    (0..samples.len() * 3 / 2).map(blend).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_prompt_is_a_16_khz_mono_recording_of_some_seconds() {
        for prompt in Prompt::ALL {
            let wav = prompt.recording().wav;
            assert_eq!(&wav[22..28], [1, 0, 0x80, 0x3e, 0, 0], "{prompt:?}: mono, 16000 Hz");
            assert_eq!(&wav[36..40], b"data", "{prompt:?}");
            let seconds = prompt.samples().len() as f64 / 24_000.0;
            assert!((1.0..5.0).contains(&seconds), "{prompt:?}: {seconds} s");
            assert!(prompt.samples().iter().any(|sample| sample.abs() > 8_000), "{prompt:?}");
        }
    }
}
