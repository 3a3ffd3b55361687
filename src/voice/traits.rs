//! What a model accepts, as data (SPEC G6): a new model is a new row, an unknown one gets the most careful row.

use std::time::Duration;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModelTraits {
    pub behavior: BehaviorRule,
    pub speech_request: SpeechRequest,
    pub thinking_level: Option<&'static str>,
    /// Connections are renewed at this age, since the server's warning may not come.
    pub connection_age: Duration,
}

/// When a declaration says `behavior`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BehaviorRule {
    /// Its default is asynchronous or unsettled: always said.
    Explicit,
    /// Blocking is the default and the member may be unknown: said only where not blocking.
    OnlyNonBlocking,
    /// It cannot wait; saying BLOCKING is refused.
    NeverBlocking,
}

/// How the model is made to speak without having been spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SpeechRequest {
    /// A user turn in `clientContent`, which is welcome at any time.
    ClientContent,
    /// Typed input; `clientContent` holds only the history, announced in the setup.
    RealtimeText,
}

impl ModelTraits {
    /// The row of the longest name that `model` equals or refines (`gemini-3.8-live-001`).
    pub fn of(model: &str) -> &'static Self {
        let model = model.strip_prefix("models/").unwrap_or(model);
        let refines =
            |name: &str| model.strip_prefix(name).is_some_and(|r| r.is_empty() || r.starts_with('-'));
        let best = KNOWN.iter().filter(|(name, _)| refines(name)).max_by_key(|(name, _)| name.len());
        best.map_or(&CAREFUL, |(_, traits)| traits)
    }

    /// Can the model wait silently for a tool?
    pub fn can_block(&self) -> bool {
        self.behavior != BehaviorRule::NeverBlocking
    }
}

const MINUTE: u64 = 60;

const CAREFUL: ModelTraits = ModelTraits {
    behavior: BehaviorRule::OnlyNonBlocking,
    speech_request: SpeechRequest::ClientContent,
    thinking_level: None,
    connection_age: Duration::from_secs(9 * MINUTE),
};

/// Measured to be closed at 58 minutes exactly.
const LIVE_3_8: ModelTraits = ModelTraits {
    behavior: BehaviorRule::Explicit,
    connection_age: Duration::from_secs(55 * MINUTE),
    ..CAREFUL
};

const KNOWN: &[(&str, ModelTraits)] = &[
    ("gemini-3.8-live", LIVE_3_8),
    (
        "gemini-3.8-live-extended-thinking",
        // Leaving the level out was refused by one probe, and MINIMAL by all.
        ModelTraits { behavior: BehaviorRule::NeverBlocking, thinking_level: Some("LOW"), ..LIVE_3_8 },
    ),
    ("gemini-3.1-flash-live-preview", ModelTraits { speech_request: SpeechRequest::RealtimeText, ..CAREFUL }),
    ("gemini-2.5-flash-native-audio-preview", CAREFUL),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refined_name_has_the_traits_of_its_family_and_an_unknown_one_the_careful_ones() {
        assert_eq!(ModelTraits::of("models/gemini-3.8-live-002"), &LIVE_3_8);
        assert_eq!(
            ModelTraits::of("gemini-3.8-live-extended-thinking").behavior,
            BehaviorRule::NeverBlocking
        );
        assert_eq!(ModelTraits::of("gemini-3.8-livelier"), &CAREFUL);
        assert_eq!(ModelTraits::of("gemini-9"), &CAREFUL);
    }
}
