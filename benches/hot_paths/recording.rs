//! What a recording costs a call, and what making a file of it costs apart from every call.
//!
//! `a_second_on_the_path` is all that a recording adds to a call on the call's own thread. A call takes some 2 ms of a core
//! a second (docs/PERFORMANCE.md), of which that should be a tenth at most.

use std::array;
use std::io;

use clearline::domain::{CallId, Timestamp};
use clearline::media::codec::{Codec, FRAME_SAMPLES};
use clearline::media::opus_file::OpusFile;
use clearline::media::spool::file::{SpoolHead, block_bytes};
use clearline::media::spool::{FRAMES_PER_BLOCK, RecordingBlock, Spool};
use divan::{Bencher, black_box};

use crate::calls::tone;

/// Who speaks.
#[derive(Debug, Clone, Copy)]
enum Speaks {
    Nobody,
    Caller,
    Both,
}

const ALL: [Speaks; 3] = [Speaks::Nobody, Speaks::Caller, Speaks::Both];

struct Voices {
    caller: [i16; FRAME_SAMPLES],
    played: [u8; FRAME_SAMPLES],
}

impl Voices {
    fn of(speaks: Speaks) -> Self {
        let voice = tone(8_000, FRAME_SAMPLES);
        let silence = [Codec::Pcmu.silence(); FRAME_SAMPLES];
        let caller = match speaks {
            Speaks::Nobody => [0; FRAME_SAMPLES],
            Speaks::Caller | Speaks::Both => array::from_fn(|n| voice[n]),
        };
        let played = match speaks {
            Speaks::Nobody | Speaks::Caller => silence,
            Speaks::Both => array::from_fn(|n| Codec::Pcmu.encode(voice[n])),
        };
        Self { caller, played }
    }

    fn push(&self, spool: &mut Spool, frame: u64) -> Option<RecordingBlock> {
        spool.push(frame, black_box(&self.caller), (Codec::Pcmu, black_box(&self.played)), || {
            Timestamp::from_millis(0)
        })
    }

    fn second(&self) -> RecordingBlock {
        let mut spool = Spool::default();
        (0..FRAMES_PER_BLOCK).for_each(|frame| drop(self.push(&mut spool, frame)));
        spool.finish().expect("fifty frames")
    }
}

/// Fifty frames gathered, and the block that is given to the writer.
#[divan::bench(args = ALL)]
fn a_second_on_the_path(bencher: Bencher<'_, '_>, speaks: Speaks) {
    let (voices, mut spool, mut frame) = (Voices::of(speaks), Spool::default(), 0);
    bencher.bench_local(|| {
        let end = frame + FRAMES_PER_BLOCK;
        (frame..end).for_each(|number| drop(black_box(voices.push(&mut spool, number))));
        frame = end;
    });
}

/// What the writer does with it, without the disk.
#[divan::bench(args = ALL)]
fn a_second_for_the_writer(bencher: Bencher<'_, '_>, speaks: Speaks) {
    let block = Voices::of(speaks).second();
    bencher.bench_local(|| block_bytes(black_box(&block)));
}

/// What the encoder does with it, without the disk: 1 ms a second is 0.1 % of a core a call.
#[divan::bench(args = ALL)]
fn a_second_for_the_encoder(bencher: Bencher<'_, '_>, speaks: Speaks) {
    let block = Voices::of(speaks).second();
    let head = SpoolHead::of(&CallId::new("bench"), &block);
    let mut file = OpusFile::begin(io::sink(), &head).expect("an encoder");
    let mut second = 0;
    bencher.bench_local(|| {
        for mut heard in block.heard() {
            heard.number += second * FRAMES_PER_BLOCK;
            file.add(&heard).expect("it takes every frame");
        }
        second += 1;
    });
}
