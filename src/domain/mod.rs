//! The words every room shares: ids, phone numbers, secrets, outcomes, records.
//!
//! Imports nothing of ours, and nothing that reads a clock, a socket or randomness.

mod entropy;
mod ids;
mod outcome;
mod phone;
mod secret;

pub use entropy::Entropy;
pub use ids::{CallId, GatewayId, LeaseId, ProjectId, TenantId, UserId, VoiceAgentId};
pub use outcome::Outcome;
pub use phone::{PhoneNumber, mask_number};
pub use secret::Secret;
