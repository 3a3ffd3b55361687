//! `clearline sandbox`: stand-ins of the services that Clearline talks to, for trying it out and for tests.
//!
//! `clearline loadtest` runs them as processes of their own, and an engine beside them. Such a process is `attached` to
//! the one that started it: it speaks JSON lines and ends when its standard input does.

mod attached;
mod callers;
mod crm;
mod engine;
mod model;
mod sipp;

use clap::{Args, Subcommand};

use super::CommandResult;

pub(super) use engine::Listening as EngineListening;
pub(super) use model::Listening as ModelListening;
pub(super) use sipp::{Started as SippStarted, why_not_started as why_sipp_did_not_start};

#[derive(Args)]
pub(super) struct Sandbox {
    #[command(subcommand)]
    service: Service,
}

#[derive(Subcommand)]
enum Service {
    /// A stand-in of the Gemini Live API
    Model(model::Model),
    /// A stand-in of the CRM
    Crm(crm::Crm),
    /// Many callers on one thread, for load tests: takes orders and gives reports as JSON lines
    Callers(callers::Callers),
    /// An engine on loopback, for load tests
    #[command(hide = true)]
    Engine(engine::Engine),
    /// SIPp, which ends with its standard input
    #[command(hide = true)]
    Sipp(sipp::Sipp),
}

impl Sandbox {
    pub(super) fn run(self) -> CommandResult {
        match self.service {
            Service::Model(model) => model.run(),
            Service::Crm(crm) => crm.run(),
            Service::Callers(callers) => callers.run(),
            Service::Engine(engine) => engine.run(),
            Service::Sipp(sipp) => sipp.run(),
        }
    }
}
