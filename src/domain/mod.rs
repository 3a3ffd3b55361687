//! The words every room shares: ids, phone numbers, secrets, outcomes, records.
//!
//! Imports nothing of ours, and nothing that reads a clock, a socket or randomness.

mod call_record;
mod callback;
mod entropy;
mod field_problem;
mod gate;
mod ids;
mod json_schema;
mod lead;
mod lead_book;
mod network;
mod notification;
mod number_forms;
mod outcome;
mod persona;
mod phone;
mod public_address;
mod recording;
mod sealed;
mod secret;
mod signing_secret;
mod storable_value;
mod subscriber;
mod timestamp;
mod tool_result;
mod upload;
mod user;
mod voice_agent;
mod voice_agent_number;
mod webhook;

pub use call_record::{CallQuality, CallRecord, ConversationItem, Direction, ModelUsage, Running, Speaker};
pub use callback::{Agreement, Callback, CallbackWish, ScheduledCallback, TooManyCallbacks};
pub use entropy::Entropy;
pub use field_problem::FieldProblem;
pub use gate::{Gate, Rate};
pub use ids::{
    CallId, CallbackId, CampaignId, CrmCallId, GatewayId, KeyFingerprint, LeadId, LeaseId, NodeId,
    NotificationId, NumberId, ProjectId, StartId, SubscriberName, TenantId, UserId, VoiceAgentId, birth_of,
    first_id_of,
};
pub use json_schema::mismatch;
pub use lead::Lead;
pub use lead_book::{LeadBook, LeadEntry, TooManyLeads};
pub use network::Network;
pub use notification::NotificationState;
pub use number_forms::{Dialed, NotANumber, NumberForms, in_e164};
pub use outcome::Outcome;
pub use persona::{KNOWN_TOOLS, Persona};
pub use phone::{PhoneNumber, mask_number};
pub use public_address::is_public;
pub use recording::{RecordingMade, RecordingRule, RecordingState};
pub use sealed::{CannotOpen, Sealing, WrongSealingKey, is_sealed, new_sealing_key};
pub use secret::Secret;
pub use signing_secret::{SigningSecret, WrongSigningSecret};
pub use storable_value::{beginning, storable, storable_up_to};
pub use subscriber::{EventKind, Subscriber, UnusableSecret};
pub use timestamp::Timestamp;
pub use tool_result::ToolResult;
pub use upload::{CallUpload, UploadState};
pub use user::{Role, User};
pub use voice_agent::{CallLimits, VoiceAgent};
pub use voice_agent_number::VoiceAgentNumber;
pub use webhook::Webhook;
use webhook::is_web_address;
