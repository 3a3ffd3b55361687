//! An engine is killed with SIGKILL at each of its writes, while its CRM comes and goes: afterwards every call that was
//! accepted has exactly one entry at the CRM, with its recording to the byte, and the far ends that were left in a call have
//! had their BYE (SPEC S2, U5).
//!
//! A library of ours, loaded into the engine (`trap.c`), counts what it writes into its store, its spools and recordings,
//! and what it says to the CRM and hears of it, and kills it at a chosen one, before it happens. First a whole life is
//! counted without a death; then each point has a scene of its own.
//!
//! The suite plays some points of each kind. All of them, and those of an engine whose store is a MongoDB server:
//!
//! ```sh
//! CLEARLINE_KILLS=all cargo test --locked --test kill_points -- --nocapture
//! CLEARLINE_KILLS=all MONGODB_URI=mongodb://… cargo test --locked --test kill_points -- --nocapture
//! ```

#![expect(clippy::print_stdout, reason = "how far it has come, for whoever plays all of them")]

mod engine;
#[path = "../loopback/far_end/mod.rs"]
#[expect(dead_code, reason = "here far ends only call and hang up; the loopback tests need all they can")]
mod far_end;
mod judge;
mod ledger;
mod phone;
#[path = "../peers/process.rs"]
#[expect(dead_code, reason = "the tests with other peers need more of it")]
mod process;
mod scene;
mod trap;
#[path = "../loopback/watched.rs"]
mod watched;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::Write as _;

use clearline::sandbox::model::{ModelServer, ModelSettings};
use futures_util::future::join_all;

use ledger::Backing;
use scene::{Death, Scene};
use trap::KINDS;

const EXTENT_VARIABLE: &str = "CLEARLINE_KILLS";
const SERVER_VARIABLE: &str = "MONGODB_URI";
/// Of each kind, where not all are wanted.
const POINTS_IN_SHORT: u64 = 4;
/// Scenes at the same time: they mostly wait for calls to go on.
const LANES: usize = 4;

#[test]
fn s2_whenever_an_engine_is_killed_each_call_is_told_once_and_whole() {
    prove(&Backing::Embedded);
}

#[test]
fn s2_nor_is_anything_lost_on_a_server_of_mongodb() {
    match std::env::var(SERVER_VARIABLE) {
        Ok(url) => prove(&Backing::server(&url)),
        Err(_) => {
            let line = format!(
                "\nskipped: kills of engines on a MongoDB (tests/kill_points): {SERVER_VARIABLE} is not set\n"
            );
            std::io::stderr().write_all(line.as_bytes()).expect("standard error");
        }
    }
}

fn prove(backing: &Backing) {
    actix::System::new().block_on(async {
        let model = ModelServer::start(ModelSettings::default()).await.expect("a stand-in model");
        let survey = Scene::set(0, backing, &model).await.play(None).await;
        println!("{backing}, writes of a life that ends by itself: {survey}");
        let queue = RefCell::new(deaths(&survey));
        println!("{} deaths", queue.borrow().len());
        let lane = async |number: usize| {
            let mut in_vain = 0;
            while let Some(death) = next(&queue) {
                let outcome = Scene::set(number, backing, &model).await.play(Some(death)).await;
                in_vain += usize::from(!outcome.died_of_the_trap);
            }
            in_vain
        };
        let in_vain: usize = join_all((0..LANES).map(lane)).await.iter().sum();
        println!("{in_vain} of them came only after all was done, because that life wrote less");
        model.stop().await;
    });
}

fn next(queue: &RefCell<VecDeque<Death>>) -> Option<Death> {
    queue.borrow_mut().pop_front()
}

/// At each write of the life that was counted, or at some of each kind, from the first to the last, or at one that is
/// named, as `0:99`.
fn deaths(survey: &scene::Life) -> VecDeque<Death> {
    let extent = std::env::var(EXTENT_VARIABLE).unwrap_or_default();
    if let Some((kind, let_pass)) = extent.split_once(':') {
        let number = |text: &str| text.parse().expect("CLEARLINE_KILLS is all or KIND:NUMBER");
        return [Death { kind: number(kind) as usize, let_pass: number(let_pass) }].into();
    }
    let all = extent == "all";
    let of_kind = |kind: usize| {
        let count = survey.writes[kind];
        assert!(count > 0, "nothing was counted of: {}", KINDS[kind]);
        let points = if all { count } else { count.min(POINTS_IN_SHORT) };
        (0..points).map(move |point| Death { kind, let_pass: point * (count - 1) / (points - 1).max(1) })
    };
    (0..KINDS.len()).flat_map(of_kind).collect()
}
