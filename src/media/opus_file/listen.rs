//! A recording as samples again.

use std::io::Read;

use opus_pure::{MAX_PACKET_SAMPLES, OggOpusReader, OpusDecoder, Trim};

use super::{CALL_TAG, OpusFileError, START_TAG};
use crate::domain::{CallId, Timestamp};
use crate::media::codec::LEG_RATE_HZ;

/// Both sides, from the first to the last sample, at the rate they were heard at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listened {
    pub call: Option<CallId>,
    pub started: Option<Timestamp>,
    pub rate_hz: u32,
    pub caller: Vec<i16>,
    pub model: Vec<i16>,
}

impl Listened {
    pub fn to(source: impl Read) -> Result<Self, OpusFileError> {
        let mut reader = OggOpusReader::new(source)?;
        let (call, started) = {
            let tags = reader.tags();
            (tags.get(CALL_TAG).map(CallId::new), tags.get(START_TAG).and_then(Timestamp::parse))
        };
        let mut decoder = OpusDecoder::new(LEG_RATE_HZ as i32, 2)?;
        let mut trim = Trim::new(reader.head(), LEG_RATE_HZ as i32, 2)?;
        let mut samples = vec![0; 2 * MAX_PACKET_SAMPLES];
        let (mut caller, mut model) = (Vec::new(), Vec::new());
        while let Some(packet) = reader.read_packet()? {
            let decoded = decoder.decode_s16(&packet.data, MAX_PACKET_SAMPLES, &mut samples)?;
            let (pairs, _) = trim.keep(&packet, &samples[..2 * decoded]).as_chunks::<2>();
            caller.extend(pairs.iter().map(|pair| pair[0]));
            model.extend(pairs.iter().map(|pair| pair[1]));
        }
        Ok(Self { call, started, rate_hz: LEG_RATE_HZ, caller, model })
    }
}
