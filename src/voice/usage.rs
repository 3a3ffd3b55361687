//! Token usage of a call. Each report holds the whole context again, and that is what is billed: so reports are
//! added, never replaced, and a resumed session goes on adding (reference §8.4).

use serde::{Deserialize, Serialize};

use super::wire::server::{ModalityTokens, UsageMetadata};

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    pub reports: u64,
    pub prompt_tokens: u64,
    pub response_tokens: u64,
    pub thought_tokens: u64,
    pub cached_tokens: u64,
    pub tool_prompt_tokens: u64,
    pub total_tokens: u64,
    /// The parts that are priced as audio; they need not add up with text to the totals.
    pub prompt_audio_tokens: u64,
    pub response_audio_tokens: u64,
}

impl Usage {
    pub fn add(&mut self, report: &UsageMetadata) {
        let sum = |total: &mut u64, part: u64| *total = total.saturating_add(part);
        sum(&mut self.reports, 1);
        sum(&mut self.prompt_tokens, report.prompt_token_count);
        sum(&mut self.response_tokens, report.response_token_count);
        sum(&mut self.thought_tokens, report.thoughts_token_count);
        sum(&mut self.cached_tokens, report.cached_content_token_count);
        sum(&mut self.tool_prompt_tokens, report.tool_use_prompt_token_count);
        sum(&mut self.total_tokens, report.total_token_count);
        sum(&mut self.prompt_audio_tokens, audio_tokens(&report.prompt_tokens_details));
        sum(&mut self.response_audio_tokens, audio_tokens(&report.response_tokens_details));
    }
}

fn audio_tokens(details: &[ModalityTokens]) -> u64 {
    let audio = details.iter().filter(|d| d.modality.as_deref() == Some("AUDIO"));
    audio.fold(0, |sum, d| sum.saturating_add(d.token_count))
}
