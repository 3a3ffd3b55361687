//! WAV files as bytes: a tolerant reader for prompts. A file whose end was never written into its header is read to the
//! end, as every player does.

const BYTES_PER_SAMPLE: u16 = 2;
const FORMAT_PCM: u16 = 1;
/// The real format then stands in the extension; for 16 bits it is PCM.
const FORMAT_EXTENSIBLE: u16 = 0xFFFE;

/// A file that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wav {
    pub rate_hz: u32,
    pub channels: u16,
    /// One sample of each channel after the other.
    pub samples: Vec<i16>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WavError {
    #[error("this is not a WAV file: it does not begin with RIFF … WAVE")]
    NotWav,
    #[error("this WAV file has no fmt chunk before its data; it is damaged")]
    NoFormat,
    #[error("this WAV file holds no data chunk; it is damaged or was cut off in its header")]
    NoData,
    #[error(
        "only PCM with 16 bits and one or two channels is read; convert it, e.g. with sox -b 16 -e signed"
    )]
    UnsupportedFormat,
}

impl Wav {
    pub fn parse(file: &[u8]) -> Result<Self, WavError> {
        if file.get(..4) != Some(b"RIFF") || file.get(8..12) != Some(b"WAVE") {
            return Err(WavError::NotWav);
        }
        let mut format = None;
        let mut rest = &file[12..];
        while let Some((name, content, behind)) = next_chunk(rest) {
            match name {
                b"fmt " => format = Some(Format::parse(content)?),
                b"data" => return format.map(|format| format.read(content)).ok_or(WavError::NoFormat),
                _ => {}
            }
            rest = behind;
        }
        Err(WavError::NoData)
    }

    /// One channel alone; empty when the file has no such channel.
    pub fn channel(&self, number: usize) -> Vec<i16> {
        let channels = usize::from(self.channels);
        self.samples.chunks_exact(channels).filter_map(|frame| frame.get(number)).copied().collect()
    }
}

struct Format {
    rate_hz: u32,
    channels: u16,
}

impl Format {
    fn parse(chunk: &[u8]) -> Result<Self, WavError> {
        let tag = u16_at(chunk, 0).ok_or(WavError::UnsupportedFormat)?;
        let channels = u16_at(chunk, 2).ok_or(WavError::UnsupportedFormat)?;
        let rate_hz = u32_at(chunk, 4).ok_or(WavError::UnsupportedFormat)?;
        let is_pcm16 =
            [FORMAT_PCM, FORMAT_EXTENSIBLE].contains(&tag) && u16_at(chunk, 14) == Some(BYTES_PER_SAMPLE * 8);
        if !is_pcm16 || !(1..=2).contains(&channels) {
            return Err(WavError::UnsupportedFormat);
        }
        Ok(Self { rate_hz, channels })
    }

    fn read(self, data: &[u8]) -> Wav {
        let (pairs, _) = data.as_chunks::<2>();
        let samples = pairs.iter().map(|pair| i16::from_le_bytes(*pair)).collect();
        Wav { rate_hz: self.rate_hz, channels: self.channels, samples }
    }
}

/// Name, content and what follows. A data chunk that was never closed (length 0 or too much) reaches to the end.
fn next_chunk(bytes: &[u8]) -> Option<(&[u8; 4], &[u8], &[u8])> {
    let (name, rest) = bytes.split_first_chunk::<4>()?;
    let length = u32_at(rest, 0)? as usize;
    let rest = &rest[4..];
    let is_unclosed = name == b"data" && length == 0 || length > rest.len();
    let (content, behind) = rest.split_at(if is_unclosed { rest.len() } else { length });
    let padding = behind.len().min(length % 2);
    Some((name, content, &behind[padding..]))
}

fn u16_at(bytes: &[u8], offset: usize) -> Option<u16> {
    bytes.get(offset..)?.first_chunk().map(|field| u16::from_le_bytes(*field))
}

fn u32_at(bytes: &[u8], offset: usize) -> Option<u32> {
    bytes.get(offset..)?.first_chunk().map(|field| u32::from_le_bytes(*field))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADER_BYTES: usize = 44;

    fn file(rate_hz: u32, channels: u16, samples: &[i16], stated_bytes: u32) -> Vec<u8> {
        let frame_bytes = channels * BYTES_PER_SAMPLE;
        let mut file = b"RIFF\0\0\0\0WAVEfmt \x10\0\0\0".to_vec();
        file.extend([FORMAT_PCM, channels].map(u16::to_le_bytes).concat());
        file.extend([rate_hz, rate_hz * u32::from(frame_bytes)].map(u32::to_le_bytes).concat());
        file.extend([frame_bytes, BYTES_PER_SAMPLE * 8].map(u16::to_le_bytes).concat());
        file.extend([&b"data"[..], &stated_bytes.to_le_bytes()].concat());
        file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
        file
    }

    #[test]
    fn what_is_written_can_be_read() {
        let samples = [1, -1, 2, -2, i16::MAX, i16::MIN];
        let wav = Wav::parse(&file(8_000, 2, &samples, 12)).unwrap();
        assert_eq!(wav, Wav { rate_hz: 8_000, channels: 2, samples: samples.to_vec() });
        assert_eq!((wav.channel(0), wav.channel(1)), (vec![1, 2, i16::MAX], vec![-1, -2, i16::MIN]));
        assert!(wav.channel(2).is_empty());
    }

    #[test]
    fn a_recording_that_was_never_closed_is_readable_to_its_last_sample() {
        for stated in [0, 1_000_000, u32::MAX] {
            let mut cut = file(8_000, 1, &[5, 6, 7], stated);
            cut.push(0xAB);
            assert_eq!(Wav::parse(&cut).unwrap().samples, [5, 6, 7]);
        }
    }

    #[test]
    fn chunks_that_are_not_ours_are_stepped_over() {
        let plain = file(24_000, 1, &[9], 2);
        let mut other = plain[..12].to_vec();
        other.extend(b"LIST\x03\0\0\0abc\0");
        other.extend(&plain[12..]);
        assert_eq!(Wav::parse(&other).unwrap().samples, [9]);
    }

    #[test]
    fn what_cannot_be_read_is_refused_with_the_cure() {
        assert_eq!(Wav::parse(b"ID3"), Err(WavError::NotWav));
        let mut eight_bits = file(8_000, 1, &[1], 2);
        eight_bits[34] = 8;
        assert_eq!(Wav::parse(&eight_bits), Err(WavError::UnsupportedFormat));
        assert_eq!(Wav::parse(&file(8_000, 3, &[1, 2, 3], 6)), Err(WavError::UnsupportedFormat));
        assert_eq!(Wav::parse(&file(8_000, 1, &[], 0)[..36]), Err(WavError::NoData));
        let without_format = [&b"RIFF\0\0\0\0WAVEdata"[..], &[2, 0, 0, 0, 1, 0]].concat();
        assert_eq!(Wav::parse(&without_format), Err(WavError::NoFormat));
    }

    #[test]
    fn no_prefix_of_a_file_breaks_the_reader() {
        let whole = file(8_000, 2, &[1, 2, 3, 4], 8);
        for length in 0..whole.len() {
            assert!(Wav::parse(&whole[..length]).is_ok() == (length >= HEADER_BYTES));
        }
    }
}
