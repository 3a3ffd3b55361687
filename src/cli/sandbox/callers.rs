//! `clearline sandbox callers`: the load test's callers as a process of their own.

use std::io::{self, BufRead};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

use clap::Args;

use crate::sandbox::callers::{self, CallersSettings, Order};

use super::super::CommandResult;
use super::super::common::Failure;
use super::attached;

/// Dials an engine, talks with its model and measures what comes back. Orders are JSON lines on standard input,
/// reports JSON lines on standard output; all hang up when the input ends:
///
///   {"do":"dial","calls":50,"per_second":10}   {"do":"begin"}   {"do":"end"}   {"do":"hang_up"}
#[derive(Args)]
#[command(verbatim_doc_comment)]
pub(super) struct Callers {
    /// The engine's SIP address
    #[arg(long, value_name = "ADDR")]
    engine: SocketAddr,
    /// What they dial
    #[arg(long, default_value = "100")]
    number: String,
    /// Where their own sockets are
    #[arg(long, value_name = "IP", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    ip: IpAddr,
    /// More calls than these are not placed
    #[arg(long, value_name = "N", default_value_t = 2_000)]
    max_calls: usize,
    /// Repeats when and for how long they speak; without it no run is like another. Their SIP identities never repeat
    #[arg(long)]
    seed: Option<u64>,
    #[arg(long, hide = true, value_delimiter = ',')]
    cores: Vec<usize>,
}

/// Orders are few, and each is obeyed within 2 ms.
const ORDERS_MAX: usize = 16;

impl Callers {
    pub(super) fn run(self) -> CommandResult {
        attached::stay_on(&self.cores)?;
        let settings = CallersSettings {
            engine: self.engine,
            number: self.number,
            ip: self.ip,
            calls_max: self.max_calls,
            seed: self.seed,
        };
        let callers = callers::Callers::open(settings)
            .map_err(|error| Failure::cannot("open the callers' SIP socket", error))?;
        callers.run(&orders_of_input(), |news| attached::tell(&news));
        Ok(ExitCode::SUCCESS)
    }
}

/// The channel closes when the input ends.
fn orders_of_input() -> Receiver<Order> {
    let (sender, orders) = sync_channel(ORDERS_MAX);
    thread::spawn(move || {
        for line in io::stdin().lock().lines().map_while(Result::ok) {
            match serde_json::from_str(&line) {
                Ok(order) => {
                    if sender.send(order).is_err() {
                        return;
                    }
                }
                Err(error) => drop(Failure::cannot(format!("understand {line:?}"), error).report()),
            }
        }
    });
    orders
}
