//! Actors own state, mailboxes and lifetimes, nothing else: each is the shell of a pure machine.
//!
//! ```text
//! SipEndpoint ──events──▶ CallSession ◀──20 ms steps── UdpRouter
//!      ▲  │ Incoming          │ ▲                          ▲
//!      │  ▼                   ▼ │ websocket to the model   │ routes
//!      └─ CallSupervisor ─── LiveCall ─────────────────────┘
//!              │  leases                 records
//!              ▼                           ▼
//!            KeyPool                     Books ──▶ store ─┬─▶ Uploader ──▶ CRM
//!                                                         └─▶ Notifier ──▶ subscribers
//! ```
//!
//! Three classes of messages: *must arrive* (exit notices, give-backs, the end of a call; a few per call) go by
//! `do_send`; *may wait* (websocket control, the SIP socket's batches) are awaited; *may fail* (media steps, requests
//! from outside) go by `try_send` through one kept handle, and what does not fit is counted and dropped.
//!
//! Every service handles each message under [`guard::guarded`]: a panic costs the one entry that caused it. A call's
//! actor is different: it may die, and its supervisor builds another from the call's checkpoint.

mod alarm;
mod announcer;
mod backlog;
pub mod books;
pub mod call_session;
pub mod call_supervisor;
mod directory;
pub mod events;
pub mod guard;
pub mod key_pool;
mod left_recordings;
mod lost_calls;
pub mod notifier;
mod other_engines;
mod readiness;
mod recording_keeper;
pub mod sip_endpoint;
mod sizes;
mod tuning;
pub mod udp_router;
pub mod uploader;

pub use announcer::Announcer;
pub use books::Books;
pub use call_session::CallSession;
pub use call_supervisor::CallSupervisor;
pub use directory::Directory;
pub use events::{EventStream, Ownership};
pub use key_pool::KeyPool;
pub use left_recordings::LeftRecordings;
pub use lost_calls::LostCalls;
pub use notifier::Notifier;
pub use readiness::Readiness;
pub use recording_keeper::{KeepingRules, RecordingKeeper};
pub use sip_endpoint::SipEndpoint;
pub use sizes::{EngineSizes, refresh_metrics};
pub use tuning::{Tuned, Tuning, TuningError};
pub use udp_router::UdpRouter;
pub use uploader::Uploader;

/// Services take bursts of many calls; a session's mailbox is much smaller.
const SERVICE_MAILBOX_SIZE: usize = 1024;

/// How far this engine is with telling others what lies in the outbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueNow {
    /// Calls in the queue.
    pub held: usize,
    /// Looks at the outbox that are over.
    pub looks: u64,
    /// Nobody takes anything.
    pub is_down: bool,
}
