//! A finished recording: stereo Opus in Ogg (RFC 7845), the caller left, the model right.
//!
//! [`OpusFile`] writes one from numbered frames: what is missing between two of them is silence, so both sides stay where
//! they were heard to the sample, however long the call. [`Listened`] reads one back, as the demo and the tests do.
//!
//! Codec and container are `opus-pure`'s. Narrowband speech at a low complexity and in long packets: a recording is made
//! for hundreds of calls beside the calls themselves. Both sides share one stream, because not every player takes two: a
//! voice that begins is heard on the other's side for 8 ms, a tenth as loud, and after that not at all.

mod listen;
mod write;

#[cfg(test)]
mod tests;

pub use listen::Listened;
pub use write::OpusFile;

/// Why a recording cannot be written or read.
#[derive(Debug, thiserror::Error)]
pub enum OpusFileError {
    #[error("the recording cannot be written: {0}")]
    Io(#[from] std::io::Error),
    #[error("the recording cannot be read: {0}")]
    Damaged(String),
    #[error("the codec failed: {0}; this is a fault of ours")]
    Codec(String),
}

impl From<opus_pure::Error> for OpusFileError {
    fn from(error: opus_pure::Error) -> Self {
        match error {
            opus_pure::Error::Io(error) => Self::Io(error),
            opus_pure::Error::InvalidPacket(what) | opus_pure::Error::InvalidStream(what) => {
                Self::Damaged(what.to_owned())
            }
            fault @ (opus_pure::Error::InvalidArgument(_)
            | opus_pure::Error::BufferTooSmall { .. }
            | opus_pure::Error::Internal(_)
            | _) => Self::Codec(fault.to_string()),
        }
    }
}

const CALL_TAG: &str = "CLEARLINE_CALL";
const START_TAG: &str = "CLEARLINE_START";
/// What players show.
const TITLE_TAG: &str = "TITLE";
const DATE_TAG: &str = "DATE";
