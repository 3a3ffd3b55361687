//! What waits for the store, as a whole: `cargo bench --bench service -- keys|calls|pages|mixed`; without a name, all four.
//!
//! - `keys`: what a call waits for before its model can be opened: its owner's record by id, then a key and a session slot. On the
//!   embedded store, and over TCP on FerretDB 1.24 with SQLite inside, which is no MongoDB: it shows what the driver and
//!   a server cost, not how fast a MongoDB is.
//! - `calls`: a page of `GET /api/calls` with 100,000 calls in the embedded store, over HTTP on loopback.
//! - `pages`: pages with two filters, and one call with a long transcript, each beside a page with one filter in the same run; 20,000
//!   calls of realistic size.
//! - `mixed`: 1,000 reads a second over HTTP while 50 calls run, and the time between two packets of those calls with and
//!   without the reads, in turns.
//!
//! `cargo bench --bench hot_paths` measures single pieces instead, `clearline loadtest` calls alone.
#![expect(clippy::print_stdout, reason = "a benchmark's result is what it prints")]

mod calls;
mod desk;
#[path = "../../tests/store/ferretdb_server.rs"]
mod ferretdb_server;
mod figures;
mod history;
mod keys;
mod mixed;
mod pages;

fn main() {
    // Cargo adds arguments of its own.
    let wanted: Vec<String> =
        std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let parts: [(&str, fn()); 4] =
        [("keys", keys::run), ("calls", calls::run), ("pages", pages::run), ("mixed", mixed::run)];
    for unknown in wanted.iter().filter(|name| parts.iter().all(|(known, _)| known != *name)) {
        println!("there is no part `{unknown}`; there are keys, calls, pages and mixed");
    }
    for (name, run) in parts {
        if wanted.is_empty() || wanted.iter().any(|part| part == name) {
            println!("{name}:");
            run();
        }
    }
}
