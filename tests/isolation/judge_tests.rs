//! The judge misses no foreign frame, and takes nothing of one's own for foreign.

use clearline::domain::Entropy;
use clearline::media::codec::Codec;
use clearline::media::conceal::Concealer;

use clearline::sandbox::model::Marker;

use crate::judge::{Judge, RATE_HZ, Tally};

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
fn silence_is_nobodys() {
    let tally = judged(Marker::number(1), vec![0; 800]);
    assert_eq!((tally.silent, tally.windows()), (35, 35));
}
