//! `clearline openapi`: the description of the REST interface, without an engine that runs.

use std::process::ExitCode;

use clap::Args;

use crate::http;

use super::CommandResult;
use super::common::say_json;

#[derive(Args)]
pub(super) struct OpenApi {}

impl OpenApi {
    #[expect(clippy::unused_self, reason = "every command is run alike")]
    pub(super) fn run(self) -> CommandResult {
        say_json(&http::described())?;
        Ok(ExitCode::SUCCESS)
    }
}
