//! Token counts. The prompt of every turn is the whole context again, which is why bills add the turns up.

use serde_json::{Value, json};

const AUDIO_TOKENS_A_SECOND: u64 = 25;
const CHARACTERS_A_TEXT_TOKEN: u64 = 4;

#[derive(Debug, Default)]
pub(super) struct Usage {
    context: Amount,
    response: Amount,
}

#[derive(Debug, Default, Clone, Copy)]
struct Amount {
    audio_ms: u64,
    text_characters: u64,
}

impl Amount {
    fn audio_tokens(self) -> u64 {
        (self.audio_ms * AUDIO_TOKENS_A_SECOND).div_ceil(1_000)
    }

    fn text_tokens(self) -> u64 {
        self.text_characters.div_ceil(CHARACTERS_A_TEXT_TOKEN)
    }

    fn tokens(self) -> u64 {
        self.audio_tokens() + self.text_tokens()
    }

    fn details(self) -> Value {
        json!([{"modality": "AUDIO", "tokenCount": self.audio_tokens()},
               {"modality": "TEXT", "tokenCount": self.text_tokens()}])
    }
}

impl Usage {
    pub(super) fn read(&mut self, text: &str) {
        self.context.text_characters += text.chars().count() as u64;
    }

    pub(super) fn heard(&mut self, audio_ms: u64) {
        self.context.audio_ms += audio_ms;
    }

    pub(super) fn said(&mut self, audio_ms: u64) {
        self.response.audio_ms += audio_ms;
    }

    pub(super) fn context_tokens(&self) -> u64 {
        self.context.tokens()
    }

    /// `usageMetadata` of the turn that ends now; its answer joins the context of the next.
    pub(super) fn end_turn(&mut self) -> Value {
        let (prompt, response) = (self.context, std::mem::take(&mut self.response));
        self.context.audio_ms += response.audio_ms;
        json!({
            "promptTokenCount": prompt.tokens(),
            "responseTokenCount": response.tokens(),
            "totalTokenCount": prompt.tokens() + response.tokens(),
            "promptTokensDetails": prompt.details(),
            "responseTokensDetails": response.details(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_prompt_of_each_turn_is_the_whole_context_again() {
        let mut usage = Usage::default();
        usage.read("twelve chars");
        usage.said(2_000);
        let first = usage.end_turn();
        assert_eq!(
            (first["promptTokenCount"].as_u64(), first["responseTokenCount"].as_u64()),
            (Some(3), Some(50))
        );
        usage.heard(1_000);
        let second = usage.end_turn();
        assert_eq!(
            (second["promptTokenCount"].as_u64(), second["totalTokenCount"].as_u64()),
            (Some(78), Some(78))
        );
    }
}
