//! A page of `GET /api/calls` with many calls in the store.

use clearline::clock;
use clearline::domain::Timestamp;

use crate::desk::Desk;
use crate::figures::Figures;
use crate::history::{BETWEEN_MS, History, SHORT_TALK};

const CALLS: u64 = 100_000;
const WARM_UP: usize = 50;
const ROUNDS: usize = 1_000;
/// As a person looks at them.
const PAGES: [(&str, &str); 5] = [
    ("the newest 50", "/api/calls"),
    ("the newest 200", "/api/calls?limit=200"),
    ("by outcome", "/api/calls?outcome=no_answer"),
    ("by number", "/api/calls?dialed_number=%2B49300000042"),
    ("from the middle on", "/api/calls?started_before="),
];

pub(crate) fn run() {
    actix::System::new().block_on(measure());
}

async fn measure() {
    let desk = Desk::with(History { calls: CALLS, turns: SHORT_TALK, longest: None }).await;
    let middle = Timestamp::from_millis(clock::unix_time().as_millis() - CALLS / 2 * BETWEEN_MS);
    for (name, path) in PAGES {
        let path = if path.ends_with('=') { format!("{path}{middle}") } else { path.to_owned() };
        desk.items(&path).await;
        let mut figures = Figures::default();
        for round in 0..WARM_UP + ROUNDS {
            let (took, _) = desk.read(&path).await;
            if round >= WARM_UP {
                figures.add(took);
            }
        }
        println!("  {CALLS} calls, {name}: {figures}");
    }
    desk.close().await;
}
