//! The engine's log, for the lines that are contracts (SPEC R5, G1). One log for all tests of this binary: a test looks
//! for lines with the id of its own call or the name of its own user.

use std::io;
use std::sync::LazyLock;

use tracing_subscriber::fmt::MakeWriter;

use crate::watched::Watched;

static LINES: LazyLock<Watched<Vec<String>>> = LazyLock::new(Watched::default);

struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes).trim_end().to_owned();
        LINES.change(|lines| lines.push(text));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        Self
    }
}

/// Every test calls it; the first one begins the log.
pub(crate) fn capture() {
    let lines = tracing_subscriber::fmt().with_ansi(false).with_writer(|| Lines);
    lines.with_max_level(tracing::Level::INFO).try_init().ok();
}

/// Waits for a line that holds all of `parts`.
pub(crate) async fn line_with(parts: &[&str]) -> String {
    let holds = |line: &String| parts.iter().all(|part| line.contains(part));
    LINES
        .until(&format!("a log line with {parts:?}"), |lines| lines.iter().find(|line| holds(line)).cloned())
        .await
}

pub(crate) fn has_line_with(part: &str) -> bool {
    LINES.look(|lines| lines.iter().any(|line| line.contains(part)))
}
