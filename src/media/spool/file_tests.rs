use super::*;
use crate::domain::Entropy;
use crate::media::codec::Codec;
use crate::media::spool::Spool;

const NOON: Timestamp = Timestamp::from_millis(43_200_000);

/// Four seconds of a call that began at its frame 7.
fn blocks() -> Vec<RecordingBlock> {
    let mut spool = Spool::default();
    let mut blocks = Vec::new();
    for frame in 7..200 {
        blocks.extend(spool.push(frame, &[frame as i16; 160], (Codec::Pcmu, &[frame as u8; 160]), || NOON));
    }
    blocks.extend(spool.finish());
    blocks
}

fn file(blocks: &[RecordingBlock]) -> Vec<u8> {
    let mut bytes = SpoolHead::of(&CallId::new("call-1"), &blocks[0]).to_bytes();
    blocks.iter().for_each(|block| bytes.extend(block_bytes(block)));
    bytes
}

/// All blocks that can be read, and how often something was stepped over.
fn read(bytes: &[u8]) -> (Vec<RecordingBlock>, usize) {
    let Ok(Some((_, mut offset))) = SpoolHead::read(bytes) else { return (Vec::new(), 0) };
    let (mut blocks, mut damages) = (Vec::new(), 0);
    loop {
        match next_block(&bytes[offset..], true) {
            Found::Block { block, bytes } => {
                blocks.push(block);
                offset += bytes;
            }
            Found::Damaged { bytes } => {
                damages += 1;
                offset += bytes;
            }
            Found::Nothing => return (blocks, damages),
        }
    }
}

#[test]
fn what_is_written_is_read() {
    let blocks = blocks();
    let bytes = file(&blocks);
    let (head, length) = SpoolHead::read(&bytes).unwrap().unwrap();
    let expected = SpoolHead { call: CallId::new("call-1"), first_frame: 7, started: NOON };
    assert_eq!((head, length), (expected, 36 + 6 + 4));
    assert_eq!(read(&bytes), (blocks, 0));
}

#[test]
fn a_file_cut_off_anywhere_is_good_to_its_last_whole_block() {
    let blocks = blocks();
    let bytes = file(&blocks);
    let mut ends = vec![SpoolHead::of(&CallId::new("call-1"), &blocks[0]).to_bytes().len()];
    for block in &blocks {
        ends.push(ends.last().unwrap() + block_bytes(block).len());
    }
    for length in (0..bytes.len()).step_by(499).chain([bytes.len()]) {
        let whole = ends.iter().filter(|end| **end <= length).count().saturating_sub(1);
        assert_eq!(read(&bytes[..length]), (blocks[..whole].to_vec(), 0), "cut at {length}");
    }
}

#[test]
fn damage_within_a_block_costs_that_block_alone() {
    let blocks = blocks();
    let bytes = file(&blocks);
    let begin = bytes.len() - blocks[1..].iter().map(|block| block_bytes(block).len()).sum::<usize>();
    let end = begin + block_bytes(&blocks[1]).len();
    let others = [&blocks[..1], &blocks[2..]].concat();
    for at in (begin..begin + 40).chain((begin + 40..end).step_by(997)).chain([end - 1]) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x10;
        let (readable, damages) = read(&damaged);
        assert_eq!(readable, others, "damaged at {}", at - begin);
        assert_eq!(damages, 1);
    }
}

#[test]
fn foreign_bytes_between_blocks_are_stepped_over() {
    let blocks = blocks();
    let mut bytes = file(&blocks[..2]);
    bytes.extend(block_bytes(&blocks[2]).split_at(300).0);
    bytes.extend(block_bytes(&blocks[3]));
    let expected = [&blocks[..2], &blocks[3..]].concat();
    assert_eq!(read(&bytes).0, expected, "a write that failed half-way, and the file went on");
}

#[test]
fn what_is_no_spool_is_told_apart_from_one_that_has_only_begun() {
    let bytes = file(&blocks());
    assert_eq!(SpoolHead::read(&bytes[..20]), Ok(None));
    assert_eq!(SpoolHead::read(&bytes[..44]), Ok(None));
    assert_eq!(SpoolHead::read(&[b'x'; 100]), Err(SpoolError::NoSpool));
    let mut newer = bytes.clone();
    newer[8] = 9;
    assert_eq!(SpoolHead::read(&newer), Err(SpoolError::Version(9)));
    for at in (12..46).filter(|at| ![10, 11].contains(at)) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 1;
        assert_eq!(SpoolHead::read(&damaged), Err(SpoolError::NoSpool), "byte {at}");
    }
}

#[test]
fn no_damage_breaks_the_reader_or_makes_up_what_was_never_written() {
    let blocks = blocks();
    let bytes = file(&blocks);
    let mut entropy = Entropy::from_seed([7; 32]);
    for _ in 0..300 {
        let mut damaged = bytes.clone();
        for _ in 0..1 + entropy.next_u64() % 8 {
            let at = entropy.next_u64() as usize % damaged.len();
            damaged[at] = entropy.next_u64() as u8;
        }
        let (readable, _) = read(&damaged);
        assert!(readable.iter().all(|block| blocks.contains(block)));
        assert!(readable.iter().all(|block| block.heard().len() <= 50));
    }
}
