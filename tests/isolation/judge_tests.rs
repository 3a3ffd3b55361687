//! The judge misses no foreign frame, and takes nothing of one's own for foreign.

use clearline::domain::Entropy;
use clearline::media::codec::Codec;
use clearline::media::conceal::Concealer;

use clearline::sandbox::model::Marker;

use crate::bounds::Bounds;
use crate::caller::{callers_voice, models_voice};
use crate::judge::{Judge, RATE_HZ, Tally};
use crate::proof::BAD_NETWORK;

/// As the far end of a call hears it.
fn voice(marker: Marker, first: usize, length: usize) -> Vec<i16> {
    let coded = |at| Codec::Pcmu.decode(Codec::Pcmu.encode(marker.sample(at, RATE_HZ as u32) as i16));
    (first..first + length).map(coded).collect()
}

fn judged(own: Marker, samples: Vec<i16>) -> Tally {
    let mut judge = Judge::new(own);
    judge.hear(samples);
    judge.tally()
}

#[test]
fn every_marker_is_known_by_its_owner_and_by_nobody_else() {
    for number in 0..Marker::COUNT {
        let own = Marker::number(number);
        let heard = voice(own, 37 * usize::from(number), 400);
        let as_own = judged(own, heard.clone());
        assert_eq!((as_own.own, as_own.windows()), (15, 15), "{own:?}");
        let other = Marker::number(number + 1);
        let as_foreign = judged(other, heard);
        assert_eq!((as_foreign.foreign, as_foreign.first_foreign.unwrap().marker), (15, own));
    }
}

#[test]
fn one_foreign_frame_is_found_wherever_it_lies() {
    let mut entropy = Entropy::from_number(1);
    let mut draw = |below: u16| entropy.below(u64::from(below)) as u16;
    for offset in 0..160 {
        let own = Marker::number(draw(Marker::COUNT));
        let foreign = Marker::number(own.index() + 1 + draw(Marker::COUNT - 1));
        let mut heard = voice(own, 0, 800);
        heard.splice(240 + offset..400 + offset, voice(foreign, usize::from(draw(500)), 160));
        let tally = judged(own, heard);
        assert_eq!(tally.first_foreign.map(|found| found.marker), Some(foreign), "{own:?} {offset}");
    }
}

#[test]
fn in_a_room_of_fifty_every_end_knows_every_other_voice_when_it_hears_a_frame_of_it() {
    let mut entropy = Entropy::from_number(4);
    let voices: Vec<Marker> = (0..50).flat_map(|index| [models_voice(index), callers_voice(index)]).collect();
    for own in &voices {
        for foreign in voices.iter().filter(|voice| *voice != own) {
            let (before, first) = (entropy.below(160) as usize, entropy.below(500) as usize);
            let mut judge = Judge::new(*own);
            judge.hear(voice(*own, 0, 160 + before));
            judge.hear(voice(*foreign, first, 160));
            judge.hear(voice(*own, 320 + before, 160));
            assert!(judge.strangers().contains(foreign), "{own:?} {foreign:?} {before} {first}");
        }
    }
}

#[test]
fn one_frame_of_a_second_voice_under_the_own_is_found_too() {
    let mut entropy = Entropy::from_number(2);
    for offset in 0..160 {
        let own = Marker::number(entropy.next_u16());
        let foreign = Marker::number(own.index() + 1 + (offset as u16 % 500));
        let mut heard = voice(own, 0, 800);
        for (sample, second) in heard[240 + offset..].iter_mut().zip(voice(foreign, 9, 160)) {
            *sample += second / 2;
        }
        assert!(judged(own, heard).foreign > 0, "{own:?} {foreign:?} {offset}");
    }
}

#[test]
fn a_concealed_loss_or_a_splice_of_ones_own_voice_is_nobody_elses() {
    let mut entropy = Entropy::from_number(3);
    for number in (0..Marker::COUNT).step_by(5) {
        let (own, mut concealer) = (Marker::number(number), Concealer::default());
        let mut judge = Judge::new(own);
        for _ in 0..100 {
            // Each frame joins the last one at a moment of chance, as after a jump of the jitter buffer.
            let first = usize::from(entropy.next_u16());
            let mut frame = voice(own, first, 160);
            if entropy.below(3) == 0 {
                concealer.missing(&mut frame);
            } else {
                concealer.received(&mut frame);
            }
            judge.hear(frame);
        }
        let tally = judge.tally();
        assert_eq!(tally.foreign, 0, "{own:?} {tally:?}");
    }
}

#[test]
fn a_talk_that_is_noise_or_silence_for_too_long_is_complained_of_in_every_network() {
    let own = Marker::number(11);
    let mut entropy = Entropy::from_number(5);
    let mut noise = |length| (0..length).map(|_| entropy.next_u16().cast_signed() / 8).collect::<Vec<_>>();
    // As in a proof: six seconds of voice, one of silence.
    let usual = [voice(own, 0, 48_000), vec![0; 8_000]].concat();
    let noisy = [usual.clone(), noise(10_000)].concat();
    let mute = [voice(own, 0, 16_000), vec![0; 16_000]].concat();
    for network in [None, Some(BAD_NETWORK)] {
        for bounds in Bounds::over(network) {
            let complaint = |samples: &[i16]| bounds.complaint(&judged(own, samples.to_vec()));
            assert_eq!(complaint(&usual), None);
            assert!(complaint(&noisy).is_some_and(|text| text.contains("nobody's voice")));
            assert!(complaint(&mute).is_some_and(|text| text.contains("silence")));
        }
    }
}

#[test]
fn silence_is_nobodys() {
    let tally = judged(Marker::number(1), vec![0; 800]);
    assert_eq!((tally.waiting, tally.windows()), (35, 35), "before the first word");
    let tally = judged(Marker::number(1), [voice(Marker::number(1), 0, 400), vec![0; 800]].concat());
    assert_eq!((tally.waiting, tally.silent), (0, 35), "after it");
}
