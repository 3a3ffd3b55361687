//! Secrets stay secret (SPEC S5, O3, K10): a whole session with planted canaries, in a real process that logs at level
//! trace; then everything that somebody else could read is searched for them, in plain and in every usual disguise.

mod canaries;
mod crashing;
mod office;
mod printed;
#[expect(dead_code, reason = "tests/peers has more kinds of programs")]
#[path = "../peers/process.rs"]
mod process;
mod registrar;
mod session;
mod settings;

use canaries::Canaries;

#[test]
fn a_planted_secret_is_found_in_every_disguise() {
    let mut canaries = Canaries::default();
    canaries.plant("a password", "open sésame/9+Z");
    let log = |secret: &str| format!("2026-11-25T10:00:00Z  INFO clearline: user={secret} came in\n");
    let disguises = [
        "open sésame/9+Z",
        "open%20s%C3%A9same%2F9%2BZ",
        "open+s%c3%a9same%2f9%2bZ",
        "b3BlbiBzw6lzYW1lLzkrWg==",
        // As the password of `Authorization: Basic`, after `ada:` and `ben:x`.
        "YWRhOm9wZW4gc8Opc2FtZS85K1o=",
        "YmVuOnhvcGVuIHPDqXNhbWUvOStaIQ",
        "6f70656e2073c3a973616d652f392b5a",
        "6F70656E2073C3A973616D652F392B5A",
        r"open s\u00e9same/9+Z",
        r"open s\xC3\xA9same/9+Z",
    ];
    for disguise in disguises {
        let found = canaries.found_in("log", log(disguise).as_bytes());
        assert_eq!(found.len(), 1, "{disguise}: {found:?}");
        assert!(found[0].contains("a password") && found[0].contains("log"), "{found:?}");
    }
    assert!(canaries.found_in("log", log("open s…9+Z").as_bytes()).is_empty(), "a hint is no secret");
}
