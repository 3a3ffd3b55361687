//! Any bytes: the parser must not panic, and what it reads must say the same when it is written and read again.
#![no_main]

use clearline::sip::{ParseErrorKind, parse};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = parse(bytes) else { return };
    match parse(&message.to_bytes()) {
        Ok(again) => assert_eq!(again, message),
        // Latin-1 grows when it is written as UTF-8, and the entries of a list get a line each.
        Err(error) => assert!(matches!(error.kind, ParseErrorKind::TooLong | ParseErrorKind::LineTooLong)),
    }
});
