//! What really went over the cable, as dumpcap records and tshark reads it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::audio::{Law, Sound};
use crate::bench::{Bench, LINK, Side};
use crate::process::Process;

pub(crate) struct Capture {
    dumpcap: Process,
    file: PathBuf,
}

/// What one port sent to the peer.
#[derive(Default)]
pub(crate) struct Stream {
    pub(crate) packets: Vec<Packet>,
}

pub(crate) struct Packet {
    pub(crate) ssrc: u32,
    pub(crate) sequence: u16,
    pub(crate) payload_type: u8,
    pub(crate) payload: Vec<u8>,
}

impl Capture {
    /// Returns when packets are being recorded.
    pub(crate) fn start(bench: &Bench) -> Self {
        let file = bench.file("capture.pcap");
        // -B: MiB of kernel buffer; a packet the witness misses would look like one that was never sent.
        let arguments = ["-q", "-B", "64", "-i", LINK, "-f", "udp", "-w", &file.to_string_lossy()];
        let dumpcap = bench.start(Side::Peer, "dumpcap", &arguments);
        dumpcap.wait_for("File:");
        Self { dumpcap, file }
    }

    /// Ends the recording and counts the packets that `filter` finds.
    pub(crate) fn count(self, bench: &Bench, filter: &str) -> usize {
        self.dumpcap.end_by("INT");
        let table = read(bench, &self.file, filter, &["frame.number"]);
        table.iter().filter(|byte| **byte == b'\n').count()
    }

    /// Ends the recording and returns what `source` sent, by its ports.
    pub(crate) fn streams_from(self, bench: &Bench, source: &str) -> BTreeMap<u16, Stream> {
        self.dumpcap.end_by("INT");
        let filter = format!("rtp && ip.src == {source}");
        let fields = ["udp.srcport", "rtp.ssrc", "rtp.seq", "rtp.p_type", "rtp.payload"];
        let table = read(bench, &self.file, &filter, &fields);
        let mut streams = BTreeMap::<u16, Stream>::new();
        for (port, packet) in String::from_utf8_lossy(&table).lines().filter_map(read_row) {
            streams.entry(port).or_default().packets.push(packet);
        }
        streams
    }
}

fn read(bench: &Bench, file: &Path, filter: &str, fields: &[&str]) -> Vec<u8> {
    let file = file.to_string_lossy();
    let mut arguments = vec!["-r", &file, "-Y", filter, "-T", "fields"];
    arguments.extend(fields.iter().flat_map(|field| ["-e", field]));
    bench.output_of(Side::Peer, "tshark", &arguments)
}

impl Stream {
    pub(crate) fn sound(&self, bench: &Bench, law: Law) -> Sound {
        let octets: Vec<u8> = self.packets.iter().flat_map(|packet| packet.payload.iter().copied()).collect();
        Sound::of_g711(&bench.write("received.g711", octets), law)
    }

    /// One SSRC, one payload type, and no hole in the sequence numbers.
    pub(crate) fn is_unbroken(&self) -> bool {
        self.packets.windows(2).all(|pair| {
            pair[0].sequence.wrapping_add(1) == pair[1].sequence
                && pair[0].ssrc == pair[1].ssrc
                && pair[0].payload_type == pair[1].payload_type
        })
    }
}

fn read_row(row: &str) -> Option<(u16, Packet)> {
    let [port, ssrc, sequence, payload_type, payload] =
        row.split('\t').collect::<Vec<_>>().try_into().ok()?;
    let packet = Packet {
        ssrc: u32::from_str_radix(ssrc.trim_start_matches("0x"), 16).ok()?,
        sequence: sequence.parse().ok()?,
        payload_type: payload_type.parse().ok()?,
        payload: octets_of(&payload.replace(':', ""))?,
    };
    Some((port.parse().ok()?, packet))
}

fn octets_of(hex: &str) -> Option<Vec<u8>> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(hex.get(at..at + 2)?, 16).ok()).collect()
}

mod a_row_of_tshark {
    use super::*;

    #[test]
    fn becomes_a_packet() {
        let (port, packet) = read_row("16384\t0xca110000\t65535\t8\td5:54:d5").expect("a good row");
        assert_eq!(
            (port, packet.ssrc, packet.sequence, packet.payload_type),
            (16_384, 0xca11_0000, 65_535, 8)
        );
        assert_eq!(packet.payload, [0xd5, 0x54, 0xd5]);
        assert!(read_row("16384\t\t\t\t").is_none());
    }

    #[test]
    fn is_unbroken_only_without_a_hole() {
        let packet = |sequence| Packet { ssrc: 1, sequence, payload_type: 0, payload: vec![] };
        assert!(Stream { packets: vec![packet(65_535), packet(0), packet(1)] }.is_unbroken());
        assert!(!Stream { packets: vec![packet(1), packet(3)] }.is_unbroken());
    }
}
