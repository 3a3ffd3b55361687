//! FerretDB as a program, built once from `tests/peers/ferretdb`.

use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// Older ones cannot fetch the toolchain that the module asks for.
const OLDEST_GO: (u32, u32) = (1, 21);

/// It ends with its standard input, also when this process is killed.
pub(crate) fn start(program: &Path, folder: &Path) -> (Child, String) {
    let mut command = Command::new(program);
    let mut server =
        command.arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("it starts");
    let mut line = String::new();
    BufReader::new(server.stdout.take().expect("stdout is piped")).read_line(&mut line).expect("it speaks");
    let address = line.trim().strip_prefix("mongodb://").and_then(|rest| rest.strip_suffix('/'));
    (server, address.unwrap_or_else(|| panic!("FerretDB gave no address but {line:?}")).to_owned())
}

/// Built by whoever needs it first. Go keeps what it compiled, so a second run only looks whether anything changed.
pub(crate) fn program() -> Result<&'static Path, String> {
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
