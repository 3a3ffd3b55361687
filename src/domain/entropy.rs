//! Randomness as an argument: seeded once from outside, so that a run can be repeated from its seed.

use rand::rngs::StdRng;
use rand::{RngCore, SeedableRng};

/// A cryptographically strong stream of random values (ChaCha), deterministic in its seed.
pub struct Entropy(StdRng);

const TOKEN_ALPHABET: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

impl Entropy {
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(StdRng::from_seed(seed))
    }

    /// For tests and simulation.
    pub fn from_number(seed: u64) -> Self {
        Self(StdRng::seed_from_u64(seed))
    }

    pub fn next_u16(&mut self) -> u16 {
        (self.next_u32() >> 16) as u16
    }

    pub fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    pub fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A value below `bound`; 0 when the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }

    /// A name nobody can guess: five bits a character.
    pub fn token(&mut self, length: usize) -> String {
        (0..length).map(|_| char::from(TOKEN_ALPHABET[(self.next_u32() >> 27) as usize])).collect()
    }

    /// An independent stream for one owner, so that its draws do not shift anybody else's.
    pub fn fork(&mut self) -> Self {
        let mut seed = [0; 32];
        self.0.fill_bytes(&mut seed);
        Self(StdRng::from_seed(seed))
    }
}
