//! What became of a call, brought to the CRM: what is said, what each answer means, and in which order and when it is
//! tried again (SPEC U4, U5).
//!
//! ```text
//! open ─call ends─▶ due ─recording─▶ uploaded(url) ─call data─▶ acknowledged ─▶ done
//!                    └───────── call data without it ─▶ amendable ─recording, amendment─▶ done
//! ```
//!
//! [`Upload`] is what the outbox holds of one call and [`Progress`] how far it has come; an answer of the CRM changes it
//! by [`Progress::settle`] and by nothing else, so that whoever reads it again after a crash goes on from there. Each
//! step has a name of its own towards the CRM (`Idempotency-Key: <callId>/<step>`), so a step that is sent twice, because
//! the answer or its note was lost, is one entry there.
//!
//! [`Uploads`] is the queue: how many at once, who is next, when a CRM that fails is asked again. It has the shape of
//! every machine here: `handle(input, now)`, `poll_output()`, `next_timeout()`.
//!
//! [`notifications`] are what others than the CRM hear of a call while it goes on.

mod answer;
mod call_id;
mod door;
mod looks;
pub mod notifications;
mod payload;
mod progress;
mod upload;
mod uploads;

pub use answer::{Answer, Verdict};
pub use call_id::call_id;
pub use door::Health;
pub use payload::{EndedCall, SentRecording, call_data, person};
pub use progress::{CallDataStep, Outcome, Progress, RecordingStep, Settled, Step};
pub use upload::Upload;
pub use uploads::{Found, Input, Limits, Output, Uploads};

#[cfg(test)]
mod tests;
