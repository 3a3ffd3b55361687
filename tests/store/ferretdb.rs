//! FerretDB 1.24 with SQLite inside, a process for each case, built once from `tests/peers/ferretdb`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use clearline::store::{OpenError, Store};
use tempfile::TempDir;

use crate::bench::Bench;
use crate::line::{Line, State};
use crate::named_server::try_open;

pub(crate) struct FerretDb {
    folder: TempDir,
    server: Child,
    line: Line,
}

/// Older ones cannot fetch the toolchain that the module asks for.
const OLDEST_GO: (u32, u32) = (1, 21);

impl Bench for FerretDb {
    const REFUSES_NESTED_LISTS: bool = true;

    async fn fresh() -> Result<Self, String> {
        let program = program()?;
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (server, address) = start(program, folder.path());
        Ok(Self { folder, server, line: Line::to(address, true).await })
    }

    async fn try_open(&self) -> Result<Store, OpenError> {
        try_open(&self.url()).await
    }

    fn variable(&self) -> (&'static str, String) {
        ("CLEARLINE_STORE_URL", self.url())
    }

    /// SIGKILL, and a new process on what it left.
    async fn crash(&mut self) {
        self.end();
        let (server, address) = start(program().expect("it was there before"), self.folder.path());
        self.server = server;
        self.line.set(State::Cut);
        self.line.lead_to(address);
        self.line.set(State::Open);
    }

    fn take_away(&mut self) {
        self.line.set(State::Cut);
    }

    fn hang(&mut self) {
        self.line.set(State::Silent);
    }

    fn bring_back(&mut self) {
        self.line.set(State::Open);
    }

    fn slow_down(&mut self) {
        self.line.set(State::Slow);
    }
}

impl FerretDb {
    pub(crate) fn url(&self) -> String {
        format!("mongodb://{}/clearline", self.line.address)
    }

    fn end(&mut self) {
        // An error means that it has ended already, which is what we want.
        drop(self.server.kill());
        drop(self.server.wait());
    }
}

impl Drop for FerretDb {
    fn drop(&mut self) {
        self.end();
    }
}

/// It ends with its standard input, also when this process is killed.
fn start(program: &Path, folder: &Path) -> (Child, String) {
    let mut command = Command::new(program);
    let mut server =
        command.arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("stdout is piped")).read_line(&mut line).expect("it speaks");
    let address = line.trim().strip_prefix("mongodb://").and_then(|rest| rest.strip_suffix('/'));
    (server, address.unwrap_or_else(|| panic!("FerretDB gave no address but {line:?}")).to_owned())
}

/// Built by whoever needs it first. Go keeps what it compiled, so a second run only looks whether anything changed.
fn program() -> Result<&'static Path, String> {
    static PROGRAM: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    PROGRAM.get_or_init(build).as_deref().map_err(Clone::clone)
}

fn build() -> Result<PathBuf, String> {
    let skipped = |reason: &str| format!("the store's tests on FerretDB (tests/store): {reason}");
    let version = Command::new("go").args(["env", "GOVERSION"]).output();
    let version = version.map_err(|_| skipped("they need Go, which is not installed"))?;
    if !is_new_enough(&String::from_utf8_lossy(&version.stdout)) {
        return Err(skipped("they need Go 1.21 or newer"));
    }
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("ferretdb");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peers/ferretdb");
    let built = Command::new("go")
        .args(["build", "-buildvcs=false", "-trimpath", "-o"])
        .args([program.as_os_str(), ".".as_ref()])
        .current_dir(source)
        .output()
        .expect("go could be run a moment ago");
    assert!(built.status.success(), "FerretDB cannot be built: {}", String::from_utf8_lossy(&built.stderr));
    Ok(program)
}

/// `go1.26.8`
fn is_new_enough(version: &str) -> bool {
    let mut numbers = version.trim().trim_start_matches("go").split('.').map(str::parse::<u32>);
    matches!((numbers.next(), numbers.next()), (Some(Ok(major)), Some(Ok(minor))) if (major, minor) >= OLDEST_GO)
}
