use super::*;

const NOON: Timestamp = Timestamp::from_millis(43_200_000);

fn push(spool: &mut Spool, frame: u64) -> Option<RecordingBlock> {
    let (caller, model) = ([frame as i16 + 1; 160], [frame as u8 % 100; 160]);
    spool.push(frame, &caller, (Codec::Pcma, &model), || NOON)
}

fn numbers(block: &RecordingBlock) -> Vec<u64> {
    block.heard().iter().map(|frame| frame.number).collect()
}

#[test]
fn a_second_of_frames_is_one_block_and_each_frame_comes_back_as_it_was() {
    let mut spool = Spool::default();
    assert!((0..50).all(|frame| push(&mut spool, frame).is_none()));
    let block = push(&mut spool, 50).unwrap();
    assert_eq!((block.first_frame, block.begun), (0, NOON));
    let heard = block.heard();
    assert_eq!(heard.len(), 50);
    for (number, frame) in (0..).zip(&heard) {
        let model = [Codec::Pcma.decode(number as u8); 160];
        assert_eq!(*frame, Heard { number, caller: [number as i16 + 1; 160], model });
    }
}

#[test]
fn silence_of_a_side_costs_no_room_and_comes_back_as_silence() {
    let mut spool = Spool::default();
    spool.push(0, &[0; 160], (Codec::Pcmu, &[Codec::Pcmu.silence(); 160]), || NOON);
    spool.push(1, &[7; 160], (Codec::Pcmu, &[Codec::Pcmu.silence(); 160]), || NOON);
    spool.push(2, &[0; 160], (Codec::Pcmu, &[0; 160]), || NOON);
    let block = spool.finish().unwrap();
    assert_eq!(block.frames.len(), 3 * 2 + 320 + 160);
    let heard = block.heard();
    assert_eq!((heard[0].caller, heard[0].model), ([0; 160], [0; 160]));
    assert_eq!((heard[1].caller, heard[1].model), ([7; 160], [0; 160]));
    assert_eq!((heard[2].caller, heard[2].model), ([0; 160], [Codec::Pcmu.decode(0); 160]));
}

#[test]
fn a_frame_that_is_missing_leaves_its_place_empty() {
    let mut spool = Spool::default();
    assert!([0, 3, 49].into_iter().all(|frame| push(&mut spool, frame).is_none()));
    assert_eq!(numbers(&push(&mut spool, 61).unwrap()), [0, 3, 49]);
    let rest = spool.finish().unwrap();
    assert_eq!((rest.first_frame, numbers(&rest)), (61, vec![61]));
}

#[test]
fn a_long_gap_costs_no_memory_and_keeps_every_place() {
    let mut spool = Spool::default();
    push(&mut spool, 0);
    assert_eq!(numbers(&push(&mut spool, 1_000_007).unwrap()), [0]);
    assert_eq!(numbers(&spool.finish().unwrap()), [1_000_007]);
    assert_eq!(spool.finish(), None);
}

#[test]
fn a_frame_out_of_order_finds_its_place_and_one_too_late_is_counted() {
    let mut spool = Spool::default();
    assert!([1, 0].into_iter().all(|frame| push(&mut spool, frame).is_none()));
    assert_eq!(numbers(&push(&mut spool, 50).unwrap()), [0, 1]);
    assert_eq!(push(&mut spool, 49), None);
    assert_eq!(spool.late_frames(), 1);
    assert_eq!(numbers(&spool.finish().unwrap()), [50]);
}

#[test]
fn a_recording_that_goes_on_within_the_second_it_paused_in_adds_a_second_block() {
    let mut spool = Spool::default();
    push(&mut spool, 3);
    assert_eq!(numbers(&spool.finish().unwrap()), [3]);
    assert_eq!(push(&mut spool, 40), None);
    assert_eq!((spool.late_frames(), numbers(&spool.finish().unwrap())), (0, vec![40]));
}
