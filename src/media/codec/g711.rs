//! ITU-T G.711, bit exact with the ITU's reference (G.191): negative samples are folded by their ones' complement, so
//! that a sample on a decision value goes inward below zero and outward above.
//!
//! Decoding is a table made at compile time. Encoding is arithmetic: one `leading_zeros` a sample beats a table that
//! would push everything else out of the first-level cache.

pub(super) const ULAW_SAMPLES: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = expand_ulaw(code as u8);
        code += 1;
    }
    table
};

pub(super) const ALAW_SAMPLES: [i16; 256] = {
    let mut table = [0; 256];
    let mut code = 0;
    while code < 256 {
        table[code] = expand_alaw(code as u8);
        code += 1;
    }
    table
};

/// Added to the 14-bit magnitude so that every µ-law segment starts at a power of two.
const ULAW_BIAS: u16 = 33;
const ULAW_MAX: u16 = 0x1FFF;
/// Every second bit of an A-law code is inverted on the wire.
const ALAW_EVEN_BITS: u8 = 0x55;
const SIGN: u8 = 0x80;
const STEP: u8 = 0x0F;

pub fn decode_ulaw(code: u8) -> i16 {
    ULAW_SAMPLES[usize::from(code)]
}

pub fn decode_alaw(code: u8) -> i16 {
    ALAW_SAMPLES[usize::from(code)]
}

pub fn encode_ulaw(sample: i16) -> u8 {
    let magnitude = ((fold(sample) >> 2) + ULAW_BIAS).min(ULAW_MAX);
    let segment = magnitude.ilog2() - ULAW_BIAS.ilog2();
    let step = (magnitude >> (segment + 1)) as u8 & STEP;
    let code = (segment as u8) << 4 | step | if sample < 0 { SIGN } else { 0 };
    !code
}

pub fn encode_alaw(sample: i16) -> u8 {
    let magnitude = fold(sample) >> 4;
    // The two lowest segments share one step width.
    let segment = (magnitude | 8).ilog2() - 3;
    let step = (magnitude >> segment.saturating_sub(1)) as u8 & STEP;
    let code = (segment as u8) << 4 | step | if sample < 0 { 0 } else { SIGN };
    code ^ ALAW_EVEN_BITS
}

fn fold(sample: i16) -> u16 {
    (sample ^ (sample >> 15)) as u16
}

const fn expand_ulaw(code: u8) -> i16 {
    let bits = !code;
    let segment = (bits >> 4) & 0x07;
    let biased = (((bits & STEP) as i32) * 2 + ULAW_BIAS as i32) << segment;
    let magnitude = ((biased - ULAW_BIAS as i32) << 2) as i16;
    if bits & SIGN == 0 { magnitude } else { -magnitude }
}

const fn expand_alaw(code: u8) -> i16 {
    let bits = code ^ ALAW_EVEN_BITS;
    let segment = (bits >> 4) & 0x07;
    let middle_of_step = (((bits & STEP) as i32) << 4) + 8;
    let magnitude =
        if segment == 0 { middle_of_step } else { (middle_of_step + 0x100) << (segment - 1) } as i16;
    if bits & SIGN == 0 { -magnitude } else { magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// G.711 tables 1 and 2 as the standard writes them: `values[n]` is the decision value x(n) of a law in its own
    /// units, `outputs[n]` the value y decoded for the interval above it.
    struct Law {
        values: Vec<i32>,
        outputs: Vec<i32>,
        unit: i32,
    }

    /// µ-law: fifteen intervals of 2 after a first one of 1, then seven times sixteen, each time twice as wide.
    fn ulaw_of_the_standard() -> Law {
        let mut values = vec![0, 1];
        (1..16).for_each(|n| values.push(1 + 2 * n));
        extend_segments(&mut values, 4, 7);
        let mut outputs = middles(&values);
        outputs[0] = 0;
        Law { values, outputs, unit: 4 }
    }

    /// A-law: 32 intervals of 2 (12-bit units), then six times sixteen, each time twice as wide.
    fn alaw_of_the_standard() -> Law {
        let mut values: Vec<i32> = (0..=32).map(|n| 2 * n).collect();
        extend_segments(&mut values, 4, 6);
        let outputs = middles(&values);
        Law { values, outputs, unit: 8 }
    }

    fn extend_segments(values: &mut Vec<i32>, first_width: i32, segments: u32) {
        for width in (0..segments).map(|segment| first_width << segment) {
            for _ in 0..16 {
                values.push(values[values.len() - 1] + width);
            }
        }
    }

    fn middles(values: &[i32]) -> Vec<i32> {
        values.windows(2).map(|pair| (pair[0] + pair[1]) / 2).collect()
    }

    impl Law {
        /// The number of the interval a sample lies in; a decision value itself belongs to the interval above it.
        fn interval(&self, sample: i16) -> usize {
            let magnitude = i32::from(sample).abs();
            let above = |&&value: &&i32| match sample {
                0.. => magnitude >= value * self.unit,
                _ => magnitude > value * self.unit,
            };
            let passed = self.values[1..].iter().filter(above).count();
            passed.min(self.outputs.len() - 1)
        }
    }

    #[test]
    fn all_ulaw_codes_decode_to_the_values_of_the_standard() {
        let law = ulaw_of_the_standard();
        assert_eq!(law.values.last(), Some(&8159));
        for (n, output) in law.outputs.iter().enumerate() {
            assert_eq!(i32::from(decode_ulaw(0xFF - n as u8)), output * 4, "positive interval {n}");
            assert_eq!(i32::from(decode_ulaw(0x7F - n as u8)), -output * 4, "negative interval {n}");
        }
    }

    #[test]
    fn all_alaw_codes_decode_to_the_values_of_the_standard() {
        let law = alaw_of_the_standard();
        assert_eq!(law.values.last(), Some(&4096));
        for (n, output) in law.outputs.iter().enumerate() {
            let code = n as u8 ^ 0x55;
            assert_eq!(i32::from(decode_alaw(code | 0x80)), output * 8, "positive interval {n}");
            assert_eq!(i32::from(decode_alaw(code & 0x7F)), -output * 8, "negative interval {n}");
        }
    }

    #[test]
    fn all_samples_encode_to_ulaw_as_the_standard_decides() {
        let law = ulaw_of_the_standard();
        for sample in i16::MIN..=i16::MAX {
            let sign = if sample < 0 { 0x7F } else { 0xFF };
            assert_eq!(encode_ulaw(sample), sign - law.interval(sample) as u8, "{sample}");
        }
    }

    #[test]
    fn all_samples_encode_to_alaw_as_the_standard_decides() {
        let law = alaw_of_the_standard();
        for sample in i16::MIN..=i16::MAX {
            let sign = if sample < 0 { 0x00 } else { 0x80 };
            assert_eq!(encode_alaw(sample), (law.interval(sample) as u8 | sign) ^ 0x55, "{sample}");
        }
    }

    #[test]
    fn every_code_survives_a_round_trip_but_the_negative_zero_of_ulaw() {
        for code in 0..=u8::MAX {
            assert_eq!(encode_alaw(decode_alaw(code)), code);
            let heard = if code == 0x7F { 0xFF } else { code };
            assert_eq!(encode_ulaw(decode_ulaw(code)), heard);
        }
    }
}
