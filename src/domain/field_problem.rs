//! What is wrong with what somebody wrote, field by field, so that a form can show all of it at once.

use std::ops::RangeInclusive;

use serde::Serialize;

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// As it is called in JSON, with dots: `limits.max_call_s`.
    pub field: String,
    /// What is wrong and how to mend it.
    pub message: String,
}

/// Gathers problems.
#[derive(Debug, Default)]
pub(super) struct Problems(Vec<FieldProblem>);

impl Problems {
    pub(super) fn add(&mut self, field: &str, message: impl Into<String>) {
        self.0.push(FieldProblem { field: field.to_owned(), message: message.into() });
    }

    pub(super) fn add_unless(&mut self, fits: bool, field: &str, message: &str) {
        if !fits {
            self.add(field, message);
        }
    }

    /// In characters, without the blanks around them.
    pub(super) fn check_length(&mut self, field: &str, text: &str, allowed: RangeInclusive<usize>) {
        let characters = text.trim().chars().count();
        if characters < *allowed.start() {
            self.add(field, "is missing");
        } else if characters > *allowed.end() {
            self.add(field, format!("has {characters} characters; {} are the most", allowed.end()));
        }
    }

    pub(super) fn extend(&mut self, others: Vec<FieldProblem>) {
        self.0.extend(others);
    }

    pub(super) fn into_list(self) -> Vec<FieldProblem> {
        self.0
    }
}
