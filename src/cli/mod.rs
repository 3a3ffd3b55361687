//! The command line: one file per command. Arguments in, exit code out; `--json` where a script would want it.

mod call;
mod common;
mod demo;
mod keys;
mod loadtest;
mod migrate;
mod notifications;
mod number;
mod openapi;
mod sandbox;
mod secret;
mod secret_input;
mod serve;
mod show;
mod signals;
mod uploads;
mod user;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Clearline: answers and places phone calls, and lets a voice model talk with the person on the line.
#[derive(Parser)]
#[command(name = "clearline", version, arg_required_else_help = true, after_help = FIRST_STEPS)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const FIRST_STEPS: &str = "First steps:
  clearline demo                                    two calls at once, with nothing but this binary
  clearline user add mira --config clearline.toml   a user, with a Google key of its own
  clearline serve --config clearline.toml           answer calls
  clearline call +4930123456 --owner mira --config clearline.toml

Exit codes: 0 success, 1 it did not work, 2 wrong arguments or settings, 3 done, but for records that cannot be read
or keys that cannot be opened (`keys report`, `keys assign`); 130 interrupted.";

#[derive(Subcommand)]
enum Command {
    /// Make two simultaneous calls for two users, with stand-ins for everything outside; needs nothing
    Demo(demo::Demo),
    /// Run the engine: answer the calls that come in
    Serve(serve::Serve),
    /// Place calls through the configured gateway and show their progress
    Call(call::Call),
    /// Find out how many AI calls this machine holds, and what a call costs
    Loadtest(loadtest::Loadtest),
    /// See and change which user holds which Google key
    Keys(keys::Keys),
    /// Add, list, change and remove the users whose calls these are
    User(user::User),
    /// Add, list, change and remove phone numbers: whose their calls are, and which persona answers
    Number(number::Number),
    /// See what waits for the CRM, or was refused by it, and have it tried again
    #[command(after_help = uploads::EXAMPLES)]
    Uploads(uploads::Uploads),
    /// See what waits for subscribers to events of calls, or was refused by them, and have it tried again
    #[command(after_help = notifications::EXAMPLES)]
    Notifications(notifications::Notifications),
    /// Bring the documents of an older version or of another program to this version, or back
    #[command(after_help = migrate::EXAMPLES)]
    Migrate(migrate::Migrate),
    /// Seal and open the secrets that the store keeps, and make the key for it
    Secret(secret::SecretCommand),
    /// Print the description of the REST interface (OpenAPI 3.1)
    Openapi(openapi::OpenApi),
    /// Run a local stand-in of a service that Clearline talks to
    Sandbox(sandbox::Sandbox),
}

/// What a command gives back: whether it worked, or what to tell the person who typed it.
type CommandResult = Result<ExitCode, common::Failure>;

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Demo(demo) => demo.run(),
        Command::Serve(serve) => serve.run(),
        Command::Call(call) => call.run(),
        Command::Loadtest(loadtest) => loadtest.run(),
        Command::Keys(keys) => keys.run(),
        Command::User(user) => user.run(),
        Command::Number(number) => number.run(),
        Command::Uploads(uploads) => uploads.run(),
        Command::Notifications(notifications) => notifications.run(),
        Command::Migrate(migrate) => migrate.run(),
        Command::Secret(secret) => secret.run(),
        Command::Openapi(openapi) => openapi.run(),
        Command::Sandbox(sandbox) => sandbox.run(),
    };
    result.unwrap_or_else(|failure| failure.report())
}
