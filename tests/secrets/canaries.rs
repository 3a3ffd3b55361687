//! Secrets that stand nowhere but where the test puts them, and the search for them.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

#[derive(Default)]
pub(crate) struct Canaries {
    known: Vec<Canary>,
}

struct Canary {
    name: String,
    disguises: BTreeSet<String>,
}

const SHORTEST: usize = 12;
/// Enough to see where it stands.
const SHOWN_BEFORE: usize = 160;

impl Canaries {
    pub(crate) fn plant(&mut self, name: &str, secret: &str) {
        assert!(secret.len() >= SHORTEST, "{name} could stand somewhere by chance");
        self.known.push(Canary { name: name.to_owned(), disguises: disguises(secret) });
    }

    /// What stands in there that must not, with the place and the text before it.
    pub(crate) fn found_in(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        let found = self.known.iter().filter_map(|canary| {
            let at = canary.disguises.iter().find_map(|disguise| text.find(disguise.as_str()))?;
            let before: Vec<char> = text[..at].chars().rev().take(SHOWN_BEFORE).collect();
            let before: String = before.into_iter().rev().collect();
            Some(format!("{} stands in {place} after: {before}", canary.name))
        });
        found.collect()
    }
}

fn disguises(secret: &str) -> BTreeSet<String> {
    let bytes = secret.as_bytes();
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut disguises: BTreeSet<String> = [secret.to_owned(), hex.to_uppercase(), hex].into();
    for space in ["%20", "+"] {
        let encoded = percent_encoded(bytes, space);
        disguises.insert(in_small_hex(&encoded));
        disguises.insert(encoded);
    }
    let ascii = secret.chars().map(|sign| if sign.is_ascii() { sign.to_string() } else { json_escape(sign) });
    disguises.insert(ascii.collect());
    disguises.insert(String::from_utf8(bytes.escape_ascii().collect()).expect("ASCII"));
    let raw = bytes
        .iter()
        .map(|byte| if byte.is_ascii() { char::from(*byte).to_string() } else { format!("\\x{byte:02X}") });
    disguises.insert(raw.collect());
    for before in 0..3 {
        disguises.extend(within_base64(bytes, before));
    }
    disguises
}

fn percent_encoded(bytes: &[u8], space: &str) -> String {
    let one = |byte: &u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => char::from(*byte).to_string(),
        b' ' => space.to_owned(),
        other => format!("%{other:02X}"),
    };
    bytes.iter().map(one).collect()
}

/// The hex digits after each `%`, and nothing else.
fn in_small_hex(encoded: &str) -> String {
    let mut parts = encoded.split('%');
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |text, part| {
        let (hex, rest) = part.split_at(2);
        text + "%" + &hex.to_lowercase() + rest
    })
}

fn json_escape(sign: char) -> String {
    let mut units = [0; 2];
    sign.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// As it looks within something longer, after so many bytes modulo three: without the ends that its neighbours have a share in.
fn within_base64(secret: &[u8], before: usize) -> [String; 2] {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(secret);
    let shared_before = (before * 8).div_ceil(6);
    let whole = bytes.len() * 8 / 6;
    [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)]
        .map(|text| text[shared_before..whole].to_owned())
}
