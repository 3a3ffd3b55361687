//! The words every room shares: ids, phone numbers, secrets, outcomes, records.
//!
//! Imports nothing of ours, and nothing that reads a clock, a socket or randomness.

mod call_record;
mod entropy;
mod field_problem;
mod gate;
mod ids;
mod lead;
mod network;
mod number_forms;
mod outcome;
mod persona;
mod phone;
mod recording;
mod sealed;
mod secret;
mod timestamp;
mod user;
mod voice_agent;
mod voice_agent_number;

pub use call_record::{CallQuality, CallRecord, ConversationItem, Direction, ModelUsage, Running, Speaker};
pub use entropy::Entropy;
pub use field_problem::FieldProblem;
pub use gate::{Gate, Rate};
pub use ids::{
    CallId, CampaignId, GatewayId, KeyFingerprint, LeadId, LeaseId, NodeId, NumberId, ProjectId, StartId,
    TenantId, UserId, VoiceAgentId, birth_of, first_id_of,
};
pub use lead::Lead;
pub use network::Network;
pub use number_forms::{Dialed, NotANumber, NumberForms, in_e164};
pub use outcome::Outcome;
pub use persona::{KNOWN_TOOLS, Persona};
pub use phone::{PhoneNumber, mask_number};
pub use recording::{RecordingMade, RecordingRule, RecordingState};
pub use sealed::{CannotOpen, Sealing, WrongSealingKey, is_sealed, new_sealing_key};
pub use secret::Secret;
pub use timestamp::Timestamp;
pub use user::{Role, User};
pub use voice_agent::{CallLimits, VoiceAgent};
pub use voice_agent_number::VoiceAgentNumber;
