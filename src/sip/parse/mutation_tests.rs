//! A million damaged messages: no panic, and whatever is read can be written and read again.

use std::fmt::Display;
use std::str::FromStr;

use super::corpus::{INVALID, VALID, wire};
use super::*;
use crate::domain::{Entropy, Secret};
use crate::sip::digest::{Credentials, DigestClient};
use crate::sip::header::{NameAddr, RAck, SessionExpires, Via};

const MESSAGES: usize = 1_000_000;
/// Keeps the mean short, so that the million takes seconds; some are far longer (see [`repeat`]).
const MAX_SEED_BYTES: usize = 700;

#[test]
fn a_million_damaged_messages_neither_panic_nor_change_when_written() {
    let mut entropy = Entropy::from_number(3261);
    let seeds = seeds();
    let mut read = 0;
    for _ in 0..MESSAGES {
        let bytes = damaged(&seeds, &mut entropy);
        if let Ok(message) = parse(&bytes) {
            read += 1;
            assert!(held_bytes(&message) <= MAX_GROWTH * bytes.len());
            exercise(&message);
        }
    }
    assert!(read > MESSAGES / 20, "the damage is so great that only {read} were read: nothing is tested");
}

/// What a message keeps of its input is at most this many times as long: a Latin-1 byte takes two in UTF-8.
const MAX_GROWTH: usize = 2;

fn held_bytes(message: &Message) -> usize {
    message.body().len() + message.headers().iter().map(|(_, value)| value.len()).sum::<usize>()
}

/// Everything that reads a value later must stand what the parser let through.
fn exercise(message: &Message) {
    let headers = message.headers();
    assert!(headers.len() <= MAX_HEADERS);
    assert!(headers.top_via().is_some() && headers.from_addr().is_some() && headers.to_addr().is_some());
    assert!(headers.call_id().is_some() && headers.cseq().is_some());
    headers.iter().for_each(|(_, value)| reads_back(value));
    if let Message::Response(response) = message {
        let credentials = Credentials { username: "alice".into(), password: Secret::new("secret") };
        DigestClient::new(credentials).take_challenges(response);
    }
    let bytes = message.to_bytes();
    // Latin-1 grows when it is written as UTF-8, and a list's entries get a line each.
    match parse(&bytes) {
        Ok(again) => assert_eq!(&again, message),
        Err(error) => assert!(is_a_limit(error.kind), "{error}: {}", String::from_utf8_lossy(&bytes)),
    }
}

/// Read as anything it might be, a value says the same when it is written.
fn reads_back(value: &str) {
    fn check<T: FromStr + Display + PartialEq>(value: &str) {
        if let Ok(read) = value.parse::<T>() {
            let written = read.to_string();
            assert!(written.parse().is_ok_and(|again: T| again == read), "{value:?} became {written:?}");
        }
    }
    check::<Uri>(value);
    check::<NameAddr>(value);
    check::<Via>(value);
    check::<RAck>(value);
    check::<SessionExpires>(value);
}

fn is_a_limit(kind: ParseErrorKind) -> bool {
    matches!(kind, ParseErrorKind::TooLong | ParseErrorKind::LineTooLong)
}

fn seeds() -> Vec<Vec<u8>> {
    let texts = VALID.iter().map(|(_, text)| text).chain(INVALID.iter().map(|(_, text, _, _)| text));
    texts.map(|text| wire(text)).filter(|seed| (1..=MAX_SEED_BYTES).contains(&seed.len())).collect()
}

fn damaged(seeds: &[Vec<u8>], entropy: &mut Entropy) -> Vec<u8> {
    let mut bytes = pick(seeds, entropy).clone();
    for _ in 0..=entropy.below(3) {
        match entropy.below(64) {
            0..=23 => flip(&mut bytes, entropy),
            24..=39 => plant(&mut bytes, entropy),
            40..=47 => cut(&mut bytes, entropy),
            48..=54 => duplicate(&mut bytes, entropy),
            55..=62 => splice(&mut bytes, pick::<Vec<u8>>(seeds, entropy), entropy),
            _ => repeat(&mut bytes, entropy),
        }
    }
    bytes
}

fn flip(bytes: &mut [u8], entropy: &mut Entropy) {
    let place = place(bytes, entropy);
    if let Some(byte) = bytes.get_mut(place) {
        *byte ^= 1 << entropy.below(8);
    }
}

/// Puts what the grammar cares about where it does not belong.
fn plant(bytes: &mut Vec<u8>, entropy: &mut Entropy) {
    const TOKENS: [&[u8]; 20] = [
        b"\"",
        b"<",
        b">",
        b";",
        b",",
        b":",
        b"@",
        b"\\",
        b"\r\n",
        b"\n ",
        b"\0",
        b"\xff",
        b"[",
        b"]",
        b"%",
        b"?",
        b"=",
        b"-1",
        b"99999999999999999999",
        "\u{a0}\u{85}".as_bytes(),
    ];
    let place = place(bytes, entropy);
    bytes.splice(place..place, pick(&TOKENS, entropy).iter().copied());
}

fn cut(bytes: &mut Vec<u8>, entropy: &mut Entropy) {
    bytes.drain(range(bytes, entropy));
}

fn duplicate(bytes: &mut Vec<u8>, entropy: &mut Entropy) {
    let copy = bytes[range(bytes, entropy)].to_vec();
    let place = place(bytes, entropy);
    bytes.splice(place..place, copy);
}

fn splice(bytes: &mut Vec<u8>, other: &[u8], entropy: &mut Entropy) {
    bytes.truncate(place(bytes, entropy));
    bytes.extend_from_slice(&other[place(other, entropy)..]);
}

/// The same few bytes up to a thousand times.
fn repeat(bytes: &mut Vec<u8>, entropy: &mut Entropy) {
    let start = place(bytes, entropy);
    let end = bytes.len().min(start + 1 + entropy.below(12) as usize);
    let copy = bytes[start..end].repeat(1 + entropy.below(1000) as usize);
    bytes.splice(start..start, copy);
}

fn range(bytes: &[u8], entropy: &mut Entropy) -> std::ops::Range<usize> {
    let (one, other) = (place(bytes, entropy), place(bytes, entropy));
    one.min(other)..one.max(other)
}

fn place(bytes: &[u8], entropy: &mut Entropy) -> usize {
    entropy.below(bytes.len() as u64 + 1) as usize
}

fn pick<'a, T>(things: &'a [T], entropy: &mut Entropy) -> &'a T {
    &things[entropy.below(things.len() as u64) as usize]
}
