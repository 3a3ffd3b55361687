//! Lists come page by page.

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::body::at_most;
use super::problem::Problem;

const PAGE_SIZE: u32 = 50;
const PAGE_SIZE_MAX: u32 = 200;

#[derive(Debug, Clone, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Paging {
    /// How many, at most.
    #[param(minimum = 1, maximum = 200, default = 50)]
    pub(super) limit: Option<u32>,
    /// `next` of the page before.
    #[param(max_length = 200)]
    #[serde(default, deserialize_with = "at_most::<_, 200>")]
    pub(super) after: Option<String>,
}

impl Paging {
    pub(super) fn limit(&self) -> Result<usize, Problem> {
        page_size(self.limit)
    }
}

pub(super) fn page_size(limit: Option<u32>) -> Result<usize, Problem> {
    let limit = limit.unwrap_or(PAGE_SIZE);
    if (1..=PAGE_SIZE_MAX).contains(&limit) {
        Ok(limit as usize)
    } else {
        Err(Problem::field("limit", format_args!("{limit} is out of range; use 1 to {PAGE_SIZE_MAX}")))
    }
}

/// One page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Listed<T> {
    pub(super) items: Vec<T>,
    /// Pass it as `after` for the next page; null: this was the last.
    pub(super) next: Option<String>,
}
