//! Arguments in, exit code out.

use std::process::ExitCode;

fn main() -> ExitCode {
    clearline::cli::run()
}
