use std::sync::mpsc::sync_channel;
use std::thread;

use super::*;
use crate::domain::Entropy;

const SILENCE: u8 = 0xFF;
const BLOCK_MS: u32 = 40;
const TWO_MINUTES_MS: u32 = 120_000;

/// A block of the given length whose every byte is `value`.
fn audio(value: u8, length_ms: u32) -> Vec<u8> {
    vec![value; (length_ms * BYTES_PER_MS) as usize]
}

fn say(writer: &mut PlayoutWriter, value: u8, length_ms: u32) {
    let generation = writer.generation();
    writer.push(generation, audio(value, length_ms)).unwrap();
}

fn next(reader: &mut PlayoutReader) -> (FrameSource, [u8; 160]) {
    let mut frame = [0; 160];
    let source = reader.next_frame(&mut frame, SILENCE);
    (source, frame)
}

fn assert_silent(reader: &mut PlayoutReader) {
    assert_eq!(next(reader), (FrameSource::Silence, [SILENCE; 160]));
}

fn assert_speech(reader: &mut PlayoutReader, value: u8) {
    assert_eq!(next(reader), (FrameSource::Speech, [value; 160]));
}

#[test]
fn a_turn_begins_once_60_ms_of_it_are_there() {
    let (mut writer, mut reader) = playout(TWO_MINUTES_MS);
    assert_silent(&mut reader);
    say(&mut writer, 1, 40);
    assert_silent(&mut reader);
    say(&mut writer, 1, 20);
    (0..3).for_each(|_| assert_speech(&mut reader, 1));
    assert_silent(&mut reader);
}

#[test]
fn a_turn_shorter_than_that_is_played_when_it_is_complete() {
    let (mut writer, mut reader) = playout(TWO_MINUTES_MS);
    say(&mut writer, 1, 25);
    assert_silent(&mut reader);
    writer.end_of_turn();
    assert_speech(&mut reader, 1);
    let (source, frame) = next(&mut reader);
    assert_eq!(
        (source, &frame[..40], &frame[40..]),
        (FrameSource::Speech, &[1; 40][..], &[SILENCE; 120][..])
    );
    assert_silent(&mut reader);
}

#[test]
fn when_the_model_stalls_the_rest_of_the_turn_is_gathered_again() {
    let (mut writer, mut reader) = playout(TWO_MINUTES_MS);
    say(&mut writer, 1, 60);
    (0..3).for_each(|_| assert_speech(&mut reader, 1));
    assert_silent(&mut reader);
    say(&mut writer, 2, 20);
    assert_silent(&mut reader);
    say(&mut writer, 2, 40);
    assert_speech(&mut reader, 2);
    assert_eq!(writer.played_ms(), 80, "it is still the same turn");
}

#[test]
fn a_sentence_delivered_a_hundred_times_faster_than_speech_plays_whole_and_in_order() {
    let (mut writer, mut reader) = playout(TWO_MINUTES_MS);
    let mut entropy = Entropy::from_number(7);
    let sentence: Vec<u8> = (0..80_000_u32).map(|n| (n / 7 % 251) as u8).collect();
    let mut rest = sentence.as_slice();
    let mut played = Vec::new();
    while !rest.is_empty() {
        // Two seconds of speech in each 20 ms, in chunks of any size.
        for _ in 0..20 {
            let (chunk, behind) = rest.split_at(rest.len().min(1 + entropy.below(1_600) as usize));
            writer.push(writer.generation(), chunk.to_vec()).unwrap();
            rest = behind;
        }
        played.extend(next(&mut reader).1);
    }
    writer.end_of_turn();
    while writer.buffered_ms() > 0 {
        played.extend(next(&mut reader).1);
    }
    assert_eq!(played[..sentence.len()], sentence);
    assert_eq!(writer.played_ms(), 10_000);
}

#[test]
fn two_minutes_in_blocks_of_40_ms_fit_and_not_a_block_more() {
    let (mut writer, mut reader) = playout(TWO_MINUTES_MS);
    for _ in 0..TWO_MINUTES_MS / BLOCK_MS {
        say(&mut writer, 1, BLOCK_MS);
    }
    let full = writer.push(writer.generation(), audio(1, BLOCK_MS));
    assert_eq!(full, Err(PlayoutFull { buffered_ms: TWO_MINUTES_MS }));
    writer.end_of_turn();
    assert_speech(&mut reader, 1);
    assert_eq!(writer.buffered_ms(), TWO_MINUTES_MS - 20);
    assert!(writer.push(writer.generation(), audio(1, 20)).is_ok(), "what was heard makes room");
}

#[test]
fn a_flood_of_single_bytes_is_refused_before_it_costs_more_than_the_slots() {
    let (mut writer, _reader) = playout(TWO_MINUTES_MS);
    let accepted = (0..10_000).take_while(|_| writer.push(writer.generation(), vec![0]).is_ok()).count();
    assert_eq!(accepted, MAX_ENTRIES - 2);
    writer.end_of_turn();
    assert!(MAX_ENTRIES * size_of::<Entry>() <= 72 * 1024);
}

#[test]
fn after_an_interruption_the_very_next_frame_is_silent() {
    let (mut writer, mut reader) = playout(TWO_MINUTES_MS);
    say(&mut writer, 1, 10_000);
    (0..10).for_each(|_| assert_speech(&mut reader, 1));
    assert_eq!(writer.played_ms(), 200, "where the transcript is cut");
    writer.flush();
    assert_eq!((writer.buffered_ms(), writer.played_ms()), (0, 0));
    assert_silent(&mut reader);
}

#[test]
fn audio_of_the_interrupted_turn_that_arrives_late_is_never_heard() {
    let (mut writer, mut reader) = playout(TWO_MINUTES_MS);
    let interrupted = writer.generation();
    say(&mut writer, 1, 1_000);
    writer.flush();
    assert_eq!(writer.push(interrupted, audio(1, 1_000)), Ok(()));
    writer.end_of_turn();
    assert_eq!(writer.buffered_ms(), 0);
    (0..20).for_each(|_| assert_silent(&mut reader));
}

#[test]
fn the_answer_to_an_interruption_starts_clean() {
    let (mut writer, mut reader) = playout(TWO_MINUTES_MS);
    say(&mut writer, 1, 1_010);
    assert_speech(&mut reader, 1);
    writer.flush();
    writer.flush();
    say(&mut writer, 2, 40);
    assert_silent(&mut reader);
    say(&mut writer, 2, 40);
    assert_speech(&mut reader, 2);
    assert_eq!((writer.played_ms(), writer.buffered_ms()), (20, 60));
}

#[test]
fn a_full_queue_can_be_flushed_and_used_again_after_one_frame() {
    let (mut writer, mut reader) = playout(TWO_MINUTES_MS);
    while writer.push(writer.generation(), audio(1, BLOCK_MS)).is_ok() {}
    writer.flush();
    assert_silent(&mut reader);
    say(&mut writer, 2, 60);
    assert_speech(&mut reader, 2);
}

#[test]
fn each_turn_counts_what_was_heard_of_it_from_nothing() {
    let (mut writer, mut reader) = playout(TWO_MINUTES_MS);
    for value in 1..=3 {
        say(&mut writer, value, 60);
        writer.end_of_turn();
    }
    (0..3).for_each(|_| assert_speech(&mut reader, 1));
    assert_silent(&mut reader);
    assert_eq!(writer.played_ms(), 60, "the last turn's, until the next is heard");
    assert_speech(&mut reader, 2);
    assert_eq!((writer.played_ms(), writer.buffered_ms()), (20, 100));
}

#[test]
fn when_the_writer_is_gone_the_rest_plays_and_then_there_is_silence() {
    let (mut writer, mut reader) = playout(TWO_MINUTES_MS);
    say(&mut writer, 1, 40);
    drop(writer);
    (0..2).for_each(|_| assert_speech(&mut reader, 1));
    (0..3).for_each(|_| assert_silent(&mut reader));
}

#[test]
fn across_threads_no_frame_after_a_flush_carries_older_audio() {
    let (mut writer, mut reader) = playout(TWO_MINUTES_MS);
    // The clock thread plays while the writer pushes; after each flush the writer names the oldest value still allowed,
    // and the clock checks the frames it takes from then on.
    let (announce, oldest_allowed) = sync_channel::<u8>(1);
    let clock = thread::spawn(move || {
        let mut heard = 0;
        for oldest in oldest_allowed {
            for _ in 0..5 {
                let (source, frame) = next(&mut reader);
                let speech = frame.iter().filter(|&&byte| byte != SILENCE);
                assert!(speech.clone().all(|&value| value >= oldest), "older than {oldest}: {frame:?}");
                heard += u32::from(source == FrameSource::Speech);
            }
        }
        heard
    });
    for value in 1..=200 {
        say(&mut writer, value, 500);
        writer.flush();
        say(&mut writer, value + 1, 300);
        announce.send(value + 1).unwrap();
    }
    drop(announce);
    assert!(clock.join().unwrap() > 0);
}
