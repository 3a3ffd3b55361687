//! The REST interface asked by a program that reads its description and knows nothing else: schemathesis, from PyPI,
//! against `clearline serve`. Whatever it sends, no answer is a 5xx, and none is one that the description does not know.
//!
//! `scripts/test` installs schemathesis; where there is no Python it says so and these tests are skipped. Each run takes
//! [`SECONDS`] and always tries the same; `CLEARLINE_FUZZ_SECONDS=600 CLEARLINE_FUZZ_SEED=7 scripts/test --test http_fuzz` looks
//! further.
//!
//! `GET /api/events` alone is left out: its answer is a stream that ends with the session, and the fuzzer waits for the
//! end of an answer. Who may hear it, what is heard and when it ends is asked in `tests/http` instead.

mod office;
#[expect(dead_code, reason = "tests/peers has more kinds of programs")]
#[path = "../peers/process.rs"]
mod process;
mod schemathesis;

use office::Office;
use schemathesis::{Only, Schemathesis};

#[test]
fn i1_nobody_gets_anything_but_documented_answers() {
    let Some(fuzzer) = Schemathesis::installed() else { return };
    let office = Office::open();
    fuzzer.run(&office, "nobody", None, Only::Harmless);
}

#[test]
fn i1_a_superadmin_gets_nothing_but_documented_answers() {
    as_somebody("boss", &["--role", "superadmin"]);
}

#[test]
fn i1_an_admin_gets_nothing_but_documented_answers() {
    as_somebody("mira", &[]);
}

#[test]
fn i1_an_agent_gets_nothing_but_documented_answers() {
    as_somebody("ben", &["--role", "agent", "--admin", "chief"]);
}

/// With a session, all but what would end it; that with an API token, which cannot end itself.
fn as_somebody(name: &str, role: &[&str]) {
    let Some(fuzzer) = Schemathesis::installed() else { return };
    let office = Office::open();
    let bearers = office.add_user(name, role);
    fuzzer.run(&office, name, Some(&bearers.session), Only::Harmless);
    fuzzer.run(&office, name, Some(&bearers.api_token), Only::EndsSessions);
    let ended: Vec<_> = office.no_longer_good(&bearers).iter().map(|bearer| bearer.what).collect();
    assert!(ended.is_empty(), "{name}: the fuzzer has ended its own {ended:?}, so it saw little");
}
