//! What the model's server says. Not a tagged union: any members may share one message, so every present one counts.

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::lenient;
use crate::voice::transcript::Heard;

/// The largest message we read; the longest seen in the field are some 10 MiB.
pub const MAX_MESSAGE_BYTES: usize = 16 * 1024 * 1024;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("the message has {0} bytes, more than {MAX_MESSAGE_BYTES}")]
    TooLong(usize),
    #[error("the message is no JSON object")]
    NotAnObject,
    /// Where it went wrong, without the peer's bytes: they may be anything and must not reach a log.
    #[error("the message cannot be read at line {line}, column {column}")]
    Unreadable { line: usize, column: usize },
}

/// Reads one message, from a text or a binary frame alike. The JSON reader bounds the depth (128).
pub fn parse_server_message(bytes: &[u8]) -> Result<ServerMessage, WireError> {
    if bytes.len() > MAX_MESSAGE_BYTES {
        return Err(WireError::TooLong(bytes.len()));
    }
    // serde would also read a struct from an array, member by member; no server means that.
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(WireError::NotAnObject);
    }
    serde_json::from_slice(bytes)
        .map_err(|error| WireError::Unreadable { line: error.line(), column: error.column() })
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServerMessage {
    #[serde(alias = "setup_complete")]
    pub setup_complete: Option<SetupComplete>,
    #[serde(alias = "server_content")]
    pub server_content: Option<ServerContent>,
    #[serde(alias = "tool_call")]
    pub tool_call: Option<ToolCall>,
    #[serde(alias = "tool_call_cancellation")]
    pub tool_call_cancellation: Option<ToolCallCancellation>,
    #[serde(alias = "usage_metadata")]
    pub usage_metadata: Option<UsageMetadata>,
    #[serde(alias = "go_away")]
    pub go_away: Option<GoAway>,
    #[serde(alias = "session_resumption_update")]
    pub session_resumption_update: Option<SessionResumptionUpdate>,
    #[serde(alias = "voice_activity")]
    pub voice_activity: Option<VoiceActivity>,
    /// Documents show it here and inside `serverContent`.
    #[serde(alias = "interaction_status", deserialize_with = "lenient::text")]
    pub interaction_status: Option<String>,
    pub error: Option<ErrorStatus>,
    /// Not of the wire: the [`Downlink`](crate::voice::Downlink) marks the message whose audio begins a turn.
    #[serde(skip)]
    pub audio_started: bool,
    /// Not of the wire: how much was heard of what this message interrupts, as the reader knows it.
    #[serde(skip)]
    pub heard: Option<Heard>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SetupComplete {
    #[serde(alias = "session_id", deserialize_with = "lenient::text")]
    pub session_id: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ServerContent {
    #[serde(alias = "model_turn")]
    pub model_turn: Option<ModelTurn>,
    #[serde(alias = "generation_complete", deserialize_with = "lenient::flag")]
    pub generation_complete: bool,
    #[serde(alias = "turn_complete", deserialize_with = "lenient::flag")]
    pub turn_complete: bool,
    #[serde(alias = "turn_complete_reason", deserialize_with = "lenient::text")]
    pub turn_complete_reason: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    pub interrupted: bool,
    #[serde(alias = "input_transcription")]
    pub input_transcription: Option<Transcription>,
    #[serde(alias = "output_transcription")]
    pub output_transcription: Option<Transcription>,
    #[serde(alias = "interim_input_transcription")]
    pub interim_input_transcription: Option<Transcription>,
    #[serde(alias = "waiting_for_input", deserialize_with = "lenient::flag")]
    pub waiting_for_input: bool,
    #[serde(alias = "interaction_status", deserialize_with = "lenient::text")]
    pub interaction_status: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ModelTurn {
    #[serde(deserialize_with = "lenient::list")]
    pub parts: Vec<Part>,
}

/// Text parts are not kept: with audio as the answer they are thoughts, which are neither spoken nor shown.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Part {
    #[serde(alias = "inline_data")]
    pub inline_data: Option<InlineData>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct InlineData {
    #[serde(alias = "mime_type", deserialize_with = "lenient::text")]
    pub mime_type: Option<String>,
    /// `None` when it was no base64.
    #[serde(deserialize_with = "lenient::bytes")]
    pub data: Option<Vec<u8>>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct Transcription {
    #[serde(deserialize_with = "lenient::text")]
    pub text: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    pub finished: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ToolCall {
    #[serde(alias = "function_calls", deserialize_with = "lenient::each")]
    pub function_calls: Vec<FunctionCall>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct FunctionCall {
    #[serde(deserialize_with = "lenient::text")]
    pub id: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub name: Option<String>,
    /// Whatever they are: a call that cannot be run is to be answered all the same.
    pub args: Value,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct ToolCallCancellation {
    #[serde(deserialize_with = "lenient::list")]
    pub ids: Vec<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct UsageMetadata {
    #[serde(alias = "prompt_token_count", deserialize_with = "lenient::count")]
    pub prompt_token_count: u64,
    /// The cloud variant says `candidatesTokenCount`.
    #[serde(
        alias = "response_token_count",
        alias = "candidatesTokenCount",
        deserialize_with = "lenient::count"
    )]
    pub response_token_count: u64,
    #[serde(alias = "total_token_count", deserialize_with = "lenient::count")]
    pub total_token_count: u64,
    #[serde(alias = "thoughts_token_count", deserialize_with = "lenient::count")]
    pub thoughts_token_count: u64,
    #[serde(alias = "cached_content_token_count", deserialize_with = "lenient::count")]
    pub cached_content_token_count: u64,
    #[serde(alias = "tool_use_prompt_token_count", deserialize_with = "lenient::count")]
    pub tool_use_prompt_token_count: u64,
    #[serde(alias = "prompt_tokens_details", deserialize_with = "lenient::list")]
    pub prompt_tokens_details: Vec<ModalityTokens>,
    #[serde(
        alias = "response_tokens_details",
        alias = "candidatesTokensDetails",
        deserialize_with = "lenient::list"
    )]
    pub response_tokens_details: Vec<ModalityTokens>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ModalityTokens {
    #[serde(deserialize_with = "lenient::text")]
    pub modality: Option<String>,
    #[serde(alias = "token_count", deserialize_with = "lenient::count")]
    pub token_count: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct GoAway {
    #[serde(alias = "time_left", deserialize_with = "lenient::duration")]
    pub time_left: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct SessionResumptionUpdate {
    #[serde(alias = "new_handle", deserialize_with = "lenient::text")]
    pub new_handle: Option<String>,
    #[serde(deserialize_with = "lenient::flag")]
    pub resumable: bool,
}

#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(default)]
pub struct VoiceActivity {
    #[serde(rename = "type", deserialize_with = "lenient::text")]
    pub kind: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct ErrorStatus {
    #[serde(deserialize_with = "lenient::count")]
    pub code: u64,
    #[serde(deserialize_with = "lenient::text")]
    pub message: Option<String>,
    #[serde(deserialize_with = "lenient::text")]
    pub status: Option<String>,
}
