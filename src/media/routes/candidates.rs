//! Sources that have shown one packet and may prove themselves by the next.

use std::net::SocketAddr;

use super::expectation::Rank;

/// A flood of sources may push out candidates of its own rank or worse, never better ones.
const MAX_CANDIDATES: usize = 8;

#[derive(Debug, Default)]
pub(super) struct Candidates(Vec<Candidate>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Candidate {
    pub(super) ssrc: u32,
    pub(super) source: SocketAddr,
    pub(super) rank: Rank,
    pub(super) sequence: u16,
}

impl Candidates {
    pub(super) fn new() -> Self {
        Self(Vec::with_capacity(MAX_CANDIDATES))
    }

    /// Notes a packet; true if it is the very next one after the same source's last. A duplicate, a gap or a packet
    /// out of order proves nothing.
    pub(super) fn is_proof(&mut self, seen: Candidate) -> bool {
        let is_same = |known: &&mut Candidate| known.ssrc == seen.ssrc && known.source == seen.source;
        let Some(known) = self.0.iter_mut().find(is_same) else {
            self.insert(seen);
            return false;
        };
        let is_next = seen.sequence == known.sequence.wrapping_add(1);
        *known = seen;
        is_next
    }

    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    fn insert(&mut self, newcomer: Candidate) {
        if self.0.len() == MAX_CANDIDATES {
            // The oldest of the worst rank; the list is in order of arrival.
            let worst = self.0.iter().map(|candidate| candidate.rank).max();
            if worst < Some(newcomer.rank) {
                return;
            }
            if let Some(oldest) = self.0.iter().position(|candidate| Some(candidate.rank) == worst) {
                self.0.remove(oldest);
            }
        }
        self.0.push(newcomer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidate(ssrc: u32, rank: Rank, sequence: u16) -> Candidate {
        Candidate { ssrc, source: "192.0.2.1:6000".parse().unwrap(), rank, sequence }
    }

    fn proven_at(sequences: &[u16]) -> Vec<bool> {
        let mut candidates = Candidates::new();
        sequences.iter().map(|&sequence| candidates.is_proof(candidate(1, Rank::SdpHost, sequence))).collect()
    }

    #[test]
    fn two_packets_in_sequence_are_proof_also_across_the_wrap() {
        assert_eq!(proven_at(&[7, 8]), [false, true]);
        assert_eq!(proven_at(&[65_535, 0]), [false, true]);
    }

    #[test]
    fn duplicates_gaps_and_disorder_are_no_proof() {
        assert_eq!(proven_at(&[7, 7, 9, 8, 6]), [false; 5]);
        assert_eq!(proven_at(&[7, 9, 10]), [false, false, true]);
    }

    #[test]
    fn packets_of_two_streams_do_not_prove_each_other() {
        let mut candidates = Candidates::new();
        assert!(!candidates.is_proof(candidate(1, Rank::SdpHost, 7)));
        assert!(!candidates.is_proof(candidate(2, Rank::SdpHost, 8)));
        assert!(candidates.is_proof(candidate(1, Rank::SdpHost, 8)));
    }

    #[test]
    fn a_flood_of_worse_sources_does_not_push_out_a_better_one() {
        let mut candidates = Candidates::new();
        candidates.is_proof(candidate(1, Rank::SdpAddress, 7));
        for ssrc in 100..200 {
            candidates.is_proof(candidate(ssrc, Rank::AnyHost, 1));
        }
        assert!(candidates.is_proof(candidate(1, Rank::SdpAddress, 8)));
        assert_eq!(candidates.0.len(), MAX_CANDIDATES);
    }

    #[test]
    fn a_full_list_of_better_sources_does_not_listen_to_a_worse_one() {
        let mut candidates = Candidates::new();
        for ssrc in 0..8 {
            candidates.is_proof(candidate(ssrc, Rank::SdpHost, 1));
        }
        candidates.is_proof(candidate(100, Rank::AnyHost, 1));
        assert!(!candidates.is_proof(candidate(100, Rank::AnyHost, 2)));
    }
}
