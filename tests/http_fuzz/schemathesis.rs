//! Schemathesis as a program.

use std::env;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::office::{Bearer, Office};

/// Of one run, unless CLEARLINE_FUZZ_SECONDS says otherwise.
const SECONDS: &str = "15";
const SEED: &str = "1";
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,\
                      response_schema_conformance,negative_data_rejection,missing_required_header,unsupported_method,\
                      allow_header_conformance,use_after_free,ignored_auth";

/// What would end the session that the fuzzer comes with.
const ENDS_SESSIONS: [&str; 3] = ["change_my_password", "log_out", "end_my_session"];
/// Its answer does not end.
const ENDLESS: &str = "events";

/// Which operations a run is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Only {
    Harmless,
    EndsSessions,
}

pub(crate) struct Schemathesis {
    program: PathBuf,
}

impl Schemathesis {
    /// Where `scripts/test` puts it; `None`, and a line, where it is not.
    pub(crate) fn installed() -> Option<Self> {
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/schemathesis/bin/schemathesis");
        if program.is_file() {
            return Some(Self { program });
        }
        // Straight to the descriptor, for the test harness hides what a passing test prints.
        let line =
            b"\nskipped: the fuzzer of the REST interface: scripts/test installs it where there is Python\n";
        std::io::stderr().write_all(line).expect("stderr is open");
        None
    }

    pub(crate) fn run(&self, office: &Office, who: &str, bearer: Option<&Bearer>, only: Only) {
        let mut command = Command::new(&self.program);
        command.arg("run").arg(format!("{}/api/openapi.json", office.http)).current_dir(office.path());
        command.args(["--checks", CHECKS, "--no-color", "--continue-on-failure", "--warnings", "off"]);
        command.args(["--generation-database", "none", "--max-time", &variable("SECONDS", SECONDS)]);
        command.args(["--seed", &variable("SEED", SEED)]);
        if let Some(bearer) = bearer {
            command.args(["--header", &format!("Authorization: Bearer {}", bearer.text)]);
        }
        match only {
            Only::Harmless => {
                for operation in ENDS_SESSIONS.into_iter().chain([ENDLESS]) {
                    command.args(["--exclude-operation-id", operation]);
                }
            }
            Only::EndsSessions => {
                for operation in ENDS_SESSIONS {
                    command.args(["--include-operation-id", operation]);
                }
            }
        }
        let output = command.output().expect("schemathesis runs");
        let said = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "as {who}, {only:?}: {said}{errors}");
    }
}

fn variable(name: &str, usual: &str) -> String {
    env::var(format!("CLEARLINE_FUZZ_{name}")).unwrap_or_else(|_| usual.to_owned())
}
