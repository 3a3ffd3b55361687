//! Why something was not added or changed, for the person who asked for it.

use thiserror::Error;

use crate::domain::FieldProblem;
use crate::store::StoreError;

#[derive(Debug, Error)]
pub enum CatalogueError {
    #[error("{}", in_one_line(.0))]
    Invalid(Vec<FieldProblem>),
    #[error("{what} is there already; {cure}")]
    Taken { field: &'static str, what: String, cure: &'static str },
    #[error("it is in use by {0}; give them another one first")]
    InUse(String),
    #[error("there is no such {0}")]
    NotFound(&'static str),
    #[error("somebody else has changed it in the meantime; read it again")]
    Changed,
    #[error(transparent)]
    Store(StoreError),
}

impl From<StoreError> for CatalogueError {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Lost { .. }) { Self::Changed } else { Self::Store(error) }
    }
}

/// A conflict is about the one field of the collection that is unique.
pub(super) fn taken(
    error: StoreError,
    field: &'static str,
    what: String,
    cure: &'static str,
) -> CatalogueError {
    let is_taken = matches!(error, StoreError::Conflict { .. });
    if is_taken { CatalogueError::Taken { field, what, cure } } else { error.into() }
}

pub(super) fn valid(problems: Vec<FieldProblem>) -> Result<(), CatalogueError> {
    if problems.is_empty() { Ok(()) } else { Err(CatalogueError::Invalid(problems)) }
}

pub(super) fn problem(field: &str, message: impl Into<String>) -> FieldProblem {
    FieldProblem { field: field.to_owned(), message: message.into() }
}

fn in_one_line(problems: &[FieldProblem]) -> String {
    problems
        .iter()
        .map(|problem| format!("{}: {}", problem.field, problem.message))
        .collect::<Vec<_>>()
        .join("; ")
}
