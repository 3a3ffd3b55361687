//! Pages of `GET /api/calls` with two filters, and one call with all that was said, beside a page with one filter: all
//! in turns, so that what disturbs one disturbs the others too and the ratio holds on a noisy machine.

use crate::desk::Desk;
use crate::figures::Figures;
use crate::history::{History, Longest, USUAL_TALK};

const CALLS: u64 = 20_000;
/// Of an hour.
const LONG_TALK: u64 = 700;
/// The oldest by its id.
const LONG_CALL: &str = "0-the-long-call";
const WARM_UP: usize = 20;
const ROUNDS: usize = 500;
/// The first is what the others are compared with.
const PAGES: [(&str, &str); 5] = [
    ("one filter: the outcome", "/api/calls?outcome=no_answer"),
    ("outcome and voice agent", "/api/calls?outcome=no_answer&voice_agent_id=agent-2"),
    ("outcome and direction", "/api/calls?outcome=no_answer&direction=outbound"),
    ("a rare direction and the outcome", "/api/calls?direction=inbound&outcome=completed"),
    ("a common number and a rare direction", "/api/calls?from_number=%2B4940555&direction=inbound"),
];

pub(crate) fn run() {
    actix::System::new().block_on(measure());
}

async fn measure() {
    let longest = Some(Longest { id: LONG_CALL, turns: LONG_TALK });
    let desk = Desk::with(History { calls: CALLS, turns: USUAL_TALK, longest }).await;
    let mut measured = Vec::new();
    for (name, path) in PAGES {
        let items = desk.items(path).await;
        measured.push((format!("{name} ({items} calls)"), path.to_owned(), Figures::default()));
    }
    for (name, id) in
        [("one call of usual length", desk.newest_call().await), ("one long call", LONG_CALL.into())]
    {
        let path = format!("/api/calls/{id}");
        let (_, body) = desk.read(&path).await;
        measured.push((format!("{name} ({} KB)", body.len() / 1_000), path, Figures::default()));
    }
    for round in 0..WARM_UP + ROUNDS {
        for (_, path, figures) in &mut measured {
            let (took, _) = desk.read(path).await;
            if round >= WARM_UP {
                figures.add(took);
            }
        }
    }
    let one_filter = measured[0].2.median_ms();
    for (name, _, figures) in &measured {
        let ratio = figures.median_ms() / one_filter;
        println!("  {CALLS} calls, {name}: {ratio:.2} times the page with one filter; {figures}");
    }
    desk.close().await;
}
