//! The wire forms: sender and receiver reports, source descriptions, goodbyes.

pub(super) const SENDER_REPORT: u8 = 200;
pub(super) const RECEIVER_REPORT: u8 = 201;
const SOURCE_DESCRIPTION: u8 = 202;
const BYE: u8 = 203;

const VERSION_2: u8 = 0x80;
const COUNT_BITS: u8 = 0x1f;
const SENDER_INFO_BYTES: usize = 20;
const REPORT_BLOCK_BYTES: usize = 24;
const CNAME_ITEM: u8 = 1;
/// The length of an item is one byte.
const MAX_CNAME_BYTES: usize = 255;

/// When a sender wrote, on its own clock and on that of its audio; and how much it has sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SenderInfo {
    pub ntp: u64,
    pub rtp_timestamp: u32,
    pub packets: u32,
    pub octets: u32,
}

/// What a receiver says about one stream it hears.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReportBlock {
    pub ssrc: u32,
    /// Of the packets since its last report, in 256ths.
    pub fraction_lost: u8,
    /// Negative when duplicates outnumber losses.
    pub cumulative_lost: i32,
    pub highest_sequence: u32,
    /// In ticks of the RTP clock.
    pub jitter: u32,
    /// The middle 32 bits of the last sender report's NTP time; 0 when there was none.
    pub last_report: u32,
    /// In 1/65536 s.
    pub delay_since_last_report: u32,
}

/// One packet out of a compound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part<'a> {
    SenderReport { ssrc: u32, info: SenderInfo, blocks: Blocks<'a> },
    ReceiverReport { blocks: Blocks<'a> },
    Bye,
    Other,
}

/// Report blocks, read one by one where they lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Blocks<'a>(&'a [u8]);

pub(super) fn write_report(
    ssrc: u32,
    info: Option<&SenderInfo>,
    block: Option<&ReportBlock>,
    out: &mut Vec<u8>,
) {
    let packet_type = if info.is_some() { SENDER_REPORT } else { RECEIVER_REPORT };
    write_packet(u8::from(block.is_some()), packet_type, out, |out| {
        out.extend(ssrc.to_be_bytes());
        if let Some(info) = info {
            out.extend(info.ntp.to_be_bytes());
            write_words([info.rtp_timestamp, info.packets, info.octets], out);
        }
        if let Some(block) = block {
            block.write(out);
        }
    });
}

pub(super) fn write_cname(ssrc: u32, cname: &str, out: &mut Vec<u8>) {
    let cname = &cname.as_bytes()[..cname.len().min(MAX_CNAME_BYTES)];
    write_packet(1, SOURCE_DESCRIPTION, out, |out| {
        out.extend(ssrc.to_be_bytes());
        out.extend([CNAME_ITEM, cname.len() as u8]);
        out.extend_from_slice(cname);
        // The list of items ends with a zero byte, whatever the padding adds.
        out.push(0);
    });
}

pub(super) fn write_bye(ssrc: u32, out: &mut Vec<u8>) {
    write_packet(1, BYE, out, |out| out.extend(ssrc.to_be_bytes()));
}

/// Pads the body to whole words and fills in their count.
fn write_packet(count: u8, packet_type: u8, out: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    let start = out.len();
    out.extend([VERSION_2 | count, packet_type, 0, 0]);
    body(out);
    out.resize(start + (out.len() - start).next_multiple_of(4), 0);
    let words = ((out.len() - start) / 4 - 1) as u16;
    out[start + 2..start + 4].copy_from_slice(&words.to_be_bytes());
}

/// The packets of a compound, up to the first one that does not fit the datagram.
pub(super) fn parts(datagram: &[u8]) -> impl Iterator<Item = Part<'_>> {
    let mut rest = datagram;
    std::iter::from_fn(move || {
        let [first, packet_type, high, low, ..] = *rest else { return None };
        let bytes = 4 * (usize::from(u16::from_be_bytes([high, low])) + 1);
        if first & 0xc0 != VERSION_2 || bytes > rest.len() {
            return None;
        }
        let (packet, behind) = rest.split_at(bytes);
        rest = behind;
        Some(read_part(packet_type, usize::from(first & COUNT_BITS), &packet[4..]))
    })
}

fn read_part(packet_type: u8, count: usize, body: &[u8]) -> Part<'_> {
    match packet_type {
        SENDER_REPORT => read_sender_report(count, body).unwrap_or(Part::Other),
        RECEIVER_REPORT => Part::ReceiverReport { blocks: Blocks::new(count, body.get(4..)) },
        BYE => Part::Bye,
        _ => Part::Other,
    }
}

fn read_sender_report(count: usize, body: &[u8]) -> Option<Part<'_>> {
    let ntp = u64::from(word(body, 4)?) << 32 | u64::from(word(body, 8)?);
    let info =
        SenderInfo { ntp, rtp_timestamp: word(body, 12)?, packets: word(body, 16)?, octets: word(body, 20)? };
    Some(Part::SenderReport {
        ssrc: word(body, 0)?,
        info,
        blocks: Blocks::new(count, body.get(4 + SENDER_INFO_BYTES..)),
    })
}

fn write_words<const COUNT: usize>(words: [u32; COUNT], out: &mut Vec<u8>) {
    out.extend(words.into_iter().flat_map(u32::to_be_bytes));
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*bytes.get(at..)?.first_chunk()?))
}

impl<'a> Blocks<'a> {
    fn new(count: usize, bytes: Option<&'a [u8]>) -> Self {
        let bytes = bytes.unwrap_or_default();
        Self(bytes.get(..count * REPORT_BLOCK_BYTES).unwrap_or(bytes))
    }

    pub(super) fn iter(self) -> impl Iterator<Item = ReportBlock> {
        self.0.chunks_exact(REPORT_BLOCK_BYTES).filter_map(ReportBlock::read)
    }
}

impl ReportBlock {
    fn read(bytes: &[u8]) -> Option<Self> {
        let loss = word(bytes, 4)?;
        Some(Self {
            ssrc: word(bytes, 0)?,
            fraction_lost: (loss >> 24) as u8,
            // Shifting up and back down extends the sign of the 24-bit number.
            cumulative_lost: (loss << 8) as i32 >> 8,
            highest_sequence: word(bytes, 8)?,
            jitter: word(bytes, 12)?,
            last_report: word(bytes, 16)?,
            delay_since_last_report: word(bytes, 20)?,
        })
    }

    fn write(&self, out: &mut Vec<u8>) {
        const LARGEST: i32 = 0x7f_ffff;
        let lost = self.cumulative_lost.clamp(-LARGEST - 1, LARGEST) as u32 & 0xff_ffff;
        let loss = u32::from(self.fraction_lost) << 24 | lost;
        let delay = self.delay_since_last_report;
        write_words([self.ssrc, loss, self.highest_sequence, self.jitter, self.last_report, delay], out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Entropy;

    const BLOCK: ReportBlock = ReportBlock {
        ssrc: 9,
        fraction_lost: 128,
        cumulative_lost: -3,
        highest_sequence: 70_000,
        jitter: 40,
        last_report: 5,
        delay_since_last_report: 6,
    };
    const INFO: SenderInfo = SenderInfo { ntp: 1 << 40 | 7, rtp_timestamp: 160, packets: 3, octets: 480 };

    fn compound() -> Vec<u8> {
        let mut out = Vec::new();
        write_report(1, Some(&INFO), Some(&BLOCK), &mut out);
        write_cname(1, "call@clearline", &mut out);
        write_bye(1, &mut out);
        out
    }

    #[test]
    fn a_written_compound_reads_back_the_same() {
        let datagram = compound();
        let parts: Vec<_> = parts(&datagram).collect();
        let Part::SenderReport { ssrc: 1, info: INFO, blocks } = parts[0] else { panic!("{parts:?}") };
        assert_eq!(blocks.iter().collect::<Vec<_>>(), [BLOCK]);
        assert_eq!(parts[1..], [Part::Other, Part::Bye]);
        assert_eq!(datagram.len() % 4, 0);
    }

    #[test]
    fn a_description_always_ends_with_a_zero_byte() {
        for length in 0..8 {
            let mut out = Vec::new();
            write_cname(1, &"x".repeat(length), &mut out);
            assert_eq!((out.last(), out.len() % 4), (Some(&0), 0));
            assert_eq!(parts(&out).count(), 1);
        }
    }

    #[test]
    fn a_count_larger_than_the_packet_yields_only_whole_blocks() {
        let mut datagram = Vec::new();
        write_report(1, None, Some(&BLOCK), &mut datagram);
        datagram[0] |= 31;
        let Some(Part::ReceiverReport { blocks }) = parts(&datagram).next() else { panic!("no report") };
        assert_eq!(blocks.iter().count(), 1);
    }

    #[test]
    fn no_mutation_of_a_compound_panics() {
        let original = compound();
        let mut entropy = Entropy::from_number(3);
        for _ in 0..50_000 {
            let mut mutant = original.clone();
            for _ in 0..=entropy.below(4) {
                let at = entropy.below(mutant.len() as u64) as usize;
                mutant[at] = entropy.next_u32() as u8;
            }
            mutant.truncate(entropy.below(original.len() as u64 + 1) as usize);
            assert!(parts(&mutant).count() <= original.len() / 4);
        }
    }
}
