//! The words every room shares: ids, phone numbers, secrets, outcomes, records.
//!
//! Imports nothing of ours, and nothing that reads a clock, a socket or randomness.

mod call_record;
mod entropy;
mod ids;
mod network;
mod outcome;
mod phone;
mod sealed;
mod secret;
mod timestamp;
mod user;
mod voice_agent;

pub use call_record::{CallQuality, CallRecord, ConversationItem, Direction, ModelUsage, Speaker};
pub use entropy::Entropy;
pub use ids::{
    CallId, GatewayId, KeyFingerprint, LeaseId, NodeId, ProjectId, StartId, TenantId, UserId, VoiceAgentId,
};
pub use network::Network;
pub use outcome::Outcome;
pub use phone::{PhoneNumber, mask_number};
pub use sealed::{CannotOpen, Sealing, WrongSealingKey, is_sealed, new_sealing_key};
pub use secret::Secret;
pub use timestamp::Timestamp;
pub use user::{Role, User};
pub use voice_agent::{CallLimits, VoiceAgent};
