//! The two directions of one call's audio, put together from the parts beside this folder.
//!
//! [`CallerPath`] takes packets as they come and gives one frame of 20 ms each time it is asked: jitter buffer, then
//! concealment, then 8 to 16 kHz for the model. [`ModelPath`] takes the model's PCM in whatever pieces it comes and
//! gives G.711 for the playout queue. Both work on buffers that are lent to them or kept; a frame allocates nothing.

mod caller;
mod model;

#[cfg(test)]
mod tests;

pub use caller::{
    CallerFrame, CallerPacket, CallerPath, FrameOrigin, MODEL_RATE_HZ, Payload, Quality, StepReport,
};
pub use model::ModelPath;
