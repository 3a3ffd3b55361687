//! `clearline secret`: seals and opens single values, as the store keeps them (SPEC L4).

use std::io::{self, IsTerminal};
use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::clock;
use crate::domain::{Sealing, Secret, is_sealed, new_sealing_key};

use super::CommandResult;
use super::common::{Failure, SettingsArguments, no_sealing_key, say};
use super::secret_input::all_of_standard_input;

/// Seals a plain value and opens a sealed one (those begin with dev-s-t-). The key is LIVEKIT_SECRET_ENCRYPTION_KEY.
#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true, after_help = EXAMPLES)]
pub(super) struct SecretCommand {
    #[command(subcommand)]
    action: Option<Action>,
    #[command(flatten)]
    value: Value,
}

#[derive(Subcommand)]
enum Action {
    /// Seal a value; one that is sealed already stays as it is
    Encrypt(Value),
    /// Open a sealed value; a plain one is refused
    Decrypt(Value),
    /// Make a new key for LIVEKIT_SECRET_ENCRYPTION_KEY
    GenerateKey,
}

#[derive(Args)]
struct Value {
    /// The value; without it, one line is read from standard input, which keeps it out of the shell's history and of
    /// the list of processes
    value: Option<String>,
    #[command(flatten)]
    settings: SettingsArguments,
}

const EXAMPLES: &str = "Examples:
  echo \"LIVEKIT_SECRET_ENCRYPTION_KEY=$(clearline secret generate-key)\" >> .env
  clearline secret encrypt < trunk-password    for real secrets: nothing is left in the shell's history
  clearline secret dev-s-t-gAAAA…              show what is sealed";

impl SecretCommand {
    pub(super) fn run(self) -> CommandResult {
        let shown = match self.action {
            Some(Action::GenerateKey) => new_sealing_key(),
            Some(Action::Encrypt(value)) => {
                let (sealing, value) = value.read()?;
                seal(&sealing, &value)?
            }
            Some(Action::Decrypt(value)) => {
                let (sealing, value) = value.read()?;
                open(&sealing, &value)?
            }
            None => {
                let (sealing, value) = self.value.read()?;
                if is_sealed(&value) { open(&sealing, &value)? } else { seal(&sealing, &value)? }
            }
        };
        say(shown.expose());
        Ok(ExitCode::SUCCESS)
    }
}

impl Value {
    fn read(self) -> Result<(Sealing, Secret), Failure> {
        let settings = self.settings.load()?;
        let sealing = settings.secrets.sealing().map_err(|error| Failure::new(error.to_string()))?;
        let value = match self.value {
            Some(value) => Secret::new(value),
            None => from_standard_input()?,
        };
        Ok((sealing, value))
    }
}

fn seal(sealing: &Sealing, value: &Secret) -> Result<Secret, Failure> {
    if !sealing.has_key() {
        return Err(no_sealing_key());
    }
    Ok(sealing.seal(value, clock::unix_time()))
}

fn open(sealing: &Sealing, value: &Secret) -> Result<Secret, Failure> {
    if !is_sealed(value) {
        return Err(Failure::new("the value is not sealed: it does not begin with dev-s-t-"));
    }
    sealing.open(value).map_err(|error| Failure::new(error.to_string()))
}

fn from_standard_input() -> Result<Secret, Failure> {
    if io::stdin().is_terminal() {
        prompt();
    }
    all_of_standard_input()
}

#[expect(clippy::print_stderr, reason = "a word to the person at the terminal")]
fn prompt() {
    eprintln!("Type the value, then Enter and Ctrl-D:");
}
