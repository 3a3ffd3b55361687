//! A fingerprint of all that happened in a world, by which two runs of one seed are compared.

use std::time::Instant;

use crate::network::Datagram;

/// FNV-1a over every datagram that arrived: when, between whom, and what.
#[derive(Debug)]
pub(crate) struct Digest {
    begun: Instant,
    sum: u64,
}

const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

impl Digest {
    pub(crate) fn new(begun: Instant) -> Self {
        Self { begun, sum: BASIS }
    }

    pub(crate) fn note(&mut self, at: Instant, datagram: &Datagram) {
        let micros = (at - self.begun).as_micros() as u64;
        self.add(micros);
        self.add(u64::from(datagram.from.port()) << 16 | u64::from(datagram.to.port()));
        for chunk in datagram.bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.add(u64::from_le_bytes(word));
        }
    }

    pub(crate) fn sum(&self) -> u64 {
        self.sum
    }

    fn add(&mut self, value: u64) {
        self.sum = (self.sum ^ value).wrapping_mul(PRIME);
    }
}
