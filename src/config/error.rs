//! Errors that name the setting, the place it stands, and the cure. They never show a value: it may be a secret.

use std::fmt;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use crate::keys::PoolError;

/// Where a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    CommandLine,
    Variable(String),
    EnvFile { file: PathBuf, variable: String },
    File { file: PathBuf, line: usize },
    Default,
}

#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("cannot read {}: {source}; check the path and its permissions", path.display())]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}:{line}: {problem}", path.display())]
    Syntax { path: PathBuf, line: usize, problem: String },
    #[error("{}: a line is not NAME=value; put values with spaces or signs into single quotes", path.display())]
    EnvFile { path: PathBuf },
    #[error("{name} ({origin}) is not a setting{}", suggestion(nearest.as_deref()))]
    Unknown { name: String, origin: Origin, nearest: Option<String> },
    #[error("{path} ({origin}): {problem}")]
    Wrong { path: String, origin: Origin, problem: String },
    #[error(transparent)]
    Keys(#[from] PoolError),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CommandLine => f.write_str("command line"),
            Self::Variable(name) => write!(f, "variable {name}"),
            Self::EnvFile { file, variable } => write!(f, "{variable} in {}", file.display()),
            Self::File { file, line } => write!(f, "{}:{line}", file.display()),
            Self::Default => f.write_str("default"),
        }
    }
}

fn suggestion(nearest: Option<&str>) -> String {
    nearest.map_or_else(|| "; remove it".to_owned(), |name| format!("; did you mean {name}?"))
}

/// The candidate a typing mistake most likely meant.
pub(super) fn nearest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<String> {
    const MIN_LIKENESS: f64 = 0.75;
    let rated = candidates.map(|candidate| (strsim::jaro_winkler(name, candidate), candidate));
    let best = rated.max_by(|left, right| left.0.total_cmp(&right.0))?;
    (best.0 >= MIN_LIKENESS).then(|| best.1.to_owned())
}
