//! A process that belongs to another one: it ends with it, and stays on the cores it was given.

use std::io::{self, BufRead};
use std::thread;

use rustix::thread::{CpuSet, sched_setaffinity};
use serde::Serialize;
use tokio::sync::oneshot;

use super::super::common::{Failure, say};

/// Resolves when standard input ends: whoever started us closed it, or is gone, however it went.
pub(super) fn end_of_input() -> oneshot::Receiver<()> {
    let (ended, end) = oneshot::channel();
    thread::spawn(move || {
        for line in io::stdin().lock().lines() {
            if line.is_err() {
                break;
            }
        }
        // Nobody may be waiting any more.
        ended.send(()).ok();
    });
    end
}

/// Before the first thread is started: threads stay where their maker is.
pub(super) fn stay_on(cores: &[usize]) -> Result<(), Failure> {
    if cores.is_empty() {
        return Ok(());
    }
    let mut set = CpuSet::new();
    cores.iter().filter(|core| **core < CpuSet::MAX_CPU).for_each(|core| set.set(*core));
    sched_setaffinity(None, &set)
        .map_err(|error| Failure::cannot(format!("stay on the cores {cores:?}"), error))
}

/// One JSON object on one line of standard output.
pub(super) fn tell(news: &impl Serialize) {
    match serde_json::to_string(news) {
        Ok(line) => say(line),
        Err(error) => drop(Failure::cannot("write news", error).report()),
    }
}
