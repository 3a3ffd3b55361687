//! Whose voice is this? Every 2.5 ms the last 15 ms of what an end hears are compared with all markers there are: a
//! pair of tones that explains almost all of it is whose it is. 20 ms that belong to somebody else hold several such
//! windows, however they lie, so that one frame which went astray is found; what conceals a loss is spliced from the
//! end's own voice and is explained by no pair.

use std::collections::BTreeSet;
use std::f64::consts::TAU;
use std::sync::LazyLock;

use clearline::sandbox::model::Marker;

pub(crate) const RATE_HZ: usize = 8_000;
pub(crate) const HOP: usize = RATE_HZ / 400;
const WINDOW: usize = 6 * HOP;
/// A pair explains this part of the energy of what it said itself, G.711's noise taken off …
const OWN: f64 = 0.95;
/// … and somebody else's voice this part of a window that is all theirs. A concealed loss repeats a piece of one's own
/// voice, which can come near to another pair, but not so near.
const FOREIGN: f64 = 0.95;
/// What is left when the own voice is taken away must hold this part of the energy to be looked at: G.711's noise is
/// far below.
const MIXED: f64 = 0.03;
/// Effective amplitude; markers have some 1,600 and more.
const SILENCE: f64 = 10.0;

/// What was heard, in windows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) own: u64,
    /// Silence before the own voice is heard first: who calls early waits until all have called.
    pub(crate) waiting: u64,
    pub(crate) silent: u64,
    /// Beginnings, ends, concealed losses.
    pub(crate) unclear: u64,
    pub(crate) foreign: u64,
    pub(crate) first_foreign: Option<Foreign>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Foreign {
    /// Milliseconds of audio heard before.
    pub(crate) at_ms: u64,
    pub(crate) marker: Marker,
}

impl Tally {
    pub(crate) fn windows(&self) -> u64 {
        self.waiting + self.talk()
    }

    /// From the first word on.
    pub(crate) fn talk(&self) -> u64 {
        self.own + self.silent + self.unclear + self.foreign
    }

    pub(crate) fn add(&mut self, other: &Self) {
        self.own += other.own;
        self.waiting += other.waiting;
        self.silent += other.silent;
        self.unclear += other.unclear;
        self.foreign += other.foreign;
        self.first_foreign = self.first_foreign.or(other.first_foreign);
    }
}

/// Listens for one end of one call.
pub(crate) struct Judge {
    own: Marker,
    heard: Vec<i16>,
    tally: Tally,
    strangers: BTreeSet<Marker>,
}

impl Judge {
    pub(crate) fn new(own: Marker) -> Self {
        Self { own, heard: Vec::new(), tally: Tally::default(), strangers: BTreeSet::new() }
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally
    }

    /// Everybody else who was heard.
    pub(crate) fn strangers(&self) -> &BTreeSet<Marker> {
        &self.strangers
    }

    /// The next samples, at 8 kHz.
    pub(crate) fn hear(&mut self, samples: impl IntoIterator<Item = i16>) {
        self.heard.extend(samples);
        let mut start = 0;
        while let Some(window) = self.heard.get(start..start + WINDOW) {
            self.strangers.extend(judge(self.own, window, &mut self.tally));
            start += HOP;
        }
        self.heard.drain(..start);
    }

    /// What follows does not join what was heard.
    pub(crate) fn gap(&mut self) {
        self.heard.clear();
    }
}

/// Gives back whose voice it was, if it was somebody else's.
fn judge(own: Marker, window: &[i16], tally: &mut Tally) -> Option<Marker> {
    let samples: Vec<f64> = window.iter().map(|sample| f64::from(*sample)).collect();
    let energy = energy_of(&samples);
    if energy < SILENCE * SILENCE * WINDOW as f64 {
        *(if tally.own == 0 { &mut tally.waiting } else { &mut tally.silent }) += 1;
        return None;
    }
    let residue = without(own, &samples);
    if energy_of(&residue) < (1.0 - OWN) * energy && !is_mixed(own, &residue, energy) {
        tally.own += 1;
        return None;
    }
    let somebody = somebody_else(own, &samples).or_else(|| {
        let left = Some(residue).filter(|residue| energy_of(residue) > MIXED * energy);
        left.and_then(|residue| somebody_else(own, &residue))
    });
    match somebody {
        Some(marker) => {
            let at_ms = tally.windows() * HOP as u64 * 1_000 / RATE_HZ as u64;
            tally.first_foreign.get_or_insert(Foreign { at_ms, marker });
            tally.foreign += 1;
        }
        None => tally.unclear += 1,
    }
    somebody
}

/// Whether a quiet second voice lies under one's own.
fn is_mixed(own: Marker, residue: &[f64], energy: f64) -> bool {
    energy_of(residue) > MIXED * energy && somebody_else(own, residue).is_some()
}

fn somebody_else(own: Marker, samples: &[f64]) -> Option<Marker> {
    let energy = energy_of(samples);
    let others = (0..Marker::COUNT).map(Marker::number).filter(|marker| *marker != own);
    let products: Vec<[f64; 2]> = TONES.iter().map(|tone| tone.products(samples)).collect();
    others.into_iter().find(|marker| {
        let pair = &PAIRS[usize::from(marker.index())];
        pair.explained(&products) >= FOREIGN * energy
    })
}

/// What is left when the best fit of this marker is taken away.
fn without(marker: Marker, samples: &[f64]) -> Vec<f64> {
    let pair = &PAIRS[usize::from(marker.index())];
    let products = pair.tones.map(|tone| TONES[tone].products(samples));
    let weights = pair.weights(products);
    let [lower, higher] = pair.tones.map(|tone| &TONES[tone]);
    let fitted = |at: usize| {
        weights[0] * lower.cos[at]
            + weights[1] * lower.sin[at]
            + weights[2] * higher.cos[at]
            + weights[3] * higher.sin[at]
    };
    samples.iter().enumerate().map(|(at, sample)| sample - fitted(at)).collect()
}

fn energy_of(samples: &[f64]) -> f64 {
    samples.iter().map(|sample| sample * sample).sum()
}

/// One tone over a window, in both phases.
struct Tone {
    hz: f64,
    cos: [f64; WINDOW],
    sin: [f64; WINDOW],
}

impl Tone {
    fn new(hz: f64) -> Self {
        let wave =
            |shape: fn(f64) -> f64| std::array::from_fn(|at| shape(TAU * hz * at as f64 / RATE_HZ as f64));
        Self { hz, cos: wave(f64::cos), sin: wave(f64::sin) }
    }

    fn products(&self, samples: &[f64]) -> [f64; 2] {
        [dot(&self.cos, samples), dot(&self.sin, samples)]
    }
}

/// The space that two tones span.
struct Pair {
    tones: [usize; 2],
    /// Of the matrix of the four waves' products with each other.
    inverse: [[f64; 4]; 4],
}

impl Pair {
    fn new(marker: Marker) -> Self {
        let tones = marker.tones_hz().map(|hz| {
            let is_same = |tone: &Tone| (tone.hz - f64::from(hz)).abs() < 1.0;
            TONES.iter().position(is_same).expect("markers are made of these tones")
        });
        let waves: Vec<&[f64; WINDOW]> =
            tones.iter().flat_map(|tone| [&TONES[*tone].cos, &TONES[*tone].sin]).collect();
        let products =
            std::array::from_fn(|row| std::array::from_fn(|column| dot(waves[row], waves[column])));
        Self { tones, inverse: inverse(products) }
    }

    /// How loud each wave is in the best fit.
    fn weights(&self, [[a, b], [c, d]]: [[f64; 2]; 2]) -> [f64; 4] {
        let products = [a, b, c, d];
        self.inverse.map(|row| dot(&row, &products))
    }

    fn explained(&self, products: &[[f64; 2]]) -> f64 {
        let own = self.tones.map(|tone| products[tone]);
        dot(&self.weights(own), own.as_flattened())
    }
}

static TONES: LazyLock<Vec<Tone>> = LazyLock::new(|| {
    let mut hertz: Vec<u32> =
        (0..Marker::COUNT).flat_map(|number| Marker::number(number).tones_hz()).map(|hz| hz as u32).collect();
    hertz.sort_unstable();
    hertz.dedup();
    hertz.into_iter().map(|hz| Tone::new(f64::from(hz))).collect()
});

static PAIRS: LazyLock<Vec<Pair>> =
    LazyLock::new(|| (0..Marker::COUNT).map(Marker::number).map(Pair::new).collect());

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// Gauss and Jordan's; the matrix is that of four independent waves.
fn inverse(mut matrix: [[f64; 4]; 4]) -> [[f64; 4]; 4] {
    let mut result: [[f64; 4]; 4] =
        std::array::from_fn(|row| std::array::from_fn(|column| f64::from(u8::from(row == column))));
    for pivot in 0..4 {
        let scale = 1.0 / matrix[pivot][pivot];
        for column in 0..4 {
            matrix[pivot][column] *= scale;
            result[pivot][column] *= scale;
        }
        for row in (0..4).filter(|row| *row != pivot) {
            let factor = matrix[row][pivot];
            for column in 0..4 {
                matrix[row][column] -= factor * matrix[pivot][column];
                result[row][column] -= factor * result[pivot][column];
            }
        }
    }
    result
}
