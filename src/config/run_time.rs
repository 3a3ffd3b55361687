//! The few settings that may be changed while engines run, and what was made of them.
//!
//! What was changed is kept in the store and wins over command line, environment and file; taken away again, those count.

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{LogLevel, Settings, bounds, checks};
use crate::domain::{FieldProblem, UserId};

/// As it is stored: what is missing was not changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Overrides {
    pub max_calls: Option<usize>,
    pub default_owner_id: Option<UserId>,
    pub sessions_per_project: Option<u32>,
    pub reserved_for_holder: Option<u32>,
    pub log_level: Option<LogLevel>,
    pub requests_per_s: Option<u32>,
}

/// One that may be changed, by its dotted path.
#[derive(Debug)]
pub struct RunTimeSetting {
    pub path: &'static str,
    value: fn(&Settings) -> Value,
    stored: fn(&Overrides) -> bool,
}

pub static RUN_TIME_SETTINGS: [RunTimeSetting; 6] = [
    RunTimeSetting {
        path: "calls.max_calls",
        value: |settings| json!(settings.calls.max_calls),
        stored: |overrides| overrides.max_calls.is_some(),
    },
    RunTimeSetting {
        path: "calls.default_owner_id",
        value: |settings| json!(settings.calls.default_owner_id),
        stored: |overrides| overrides.default_owner_id.is_some(),
    },
    RunTimeSetting {
        path: "keys.sessions_per_project",
        value: |settings| json!(settings.keys.sessions_per_project),
        stored: |overrides| overrides.sessions_per_project.is_some(),
    },
    RunTimeSetting {
        path: "keys.reserved_for_holder",
        value: |settings| json!(settings.keys.reserved_for_holder),
        stored: |overrides| overrides.reserved_for_holder.is_some(),
    },
    RunTimeSetting {
        path: "log.level",
        value: |settings| json!(settings.log.level),
        stored: |overrides| overrides.log_level.is_some(),
    },
    RunTimeSetting {
        path: "http.requests_per_s",
        value: |settings| json!(settings.http.requests_per_s),
        stored: |overrides| overrides.requests_per_s.is_some(),
    },
];

impl RunTimeSetting {
    pub fn value(&self, settings: &Settings) -> Value {
        (self.value)(settings)
    }

    pub fn is_stored(&self, overrides: &Overrides) -> bool {
        (self.stored)(overrides)
    }

    /// `None`: it is no number.
    pub fn allowed(&self) -> Option<&'static RangeInclusive<u64>> {
        bounds::allowed(self.path)
    }
}

impl Overrides {
    pub fn laid_over(&self, settings: &Settings) -> Settings {
        let mut settings = settings.clone();
        lay(self.max_calls, &mut settings.calls.max_calls);
        lay(self.default_owner_id.clone().map(Some), &mut settings.calls.default_owner_id);
        lay(self.sessions_per_project, &mut settings.keys.sessions_per_project);
        lay(self.reserved_for_holder, &mut settings.keys.reserved_for_holder);
        lay(self.log_level, &mut settings.log.level);
        lay(self.requests_per_s, &mut settings.http.requests_per_s);
        settings
    }

    /// All that is wrong with it beside what is configured; nothing: it may be stored.
    pub fn problems_over(&self, configured: &Settings) -> Vec<FieldProblem> {
        let mut problems = self.problems();
        let told = |(path, message): (&str, String)| FieldProblem { field: path.to_owned(), message };
        problems.extend(checks::reserve(&self.laid_over(configured)).map(told));
        problems
    }

    /// What is wrong with it by itself.
    pub fn problems(&self) -> Vec<FieldProblem> {
        let settings = self.laid_over(&Settings::default());
        let told = |(path, message): (&str, String)| FieldProblem { field: path.to_owned(), message };
        bounds::outside(&settings).map(told).collect()
    }
}

fn lay<T>(stored: Option<T>, place: &mut T) {
    if let Some(value) = stored {
        *place = value;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn every_one() -> Overrides {
        Overrides {
            max_calls: Some(7),
            default_owner_id: Some(UserId::new("mira")),
            sessions_per_project: Some(3),
            reserved_for_holder: Some(2),
            log_level: Some(LogLevel::Debug),
            requests_per_s: Some(9),
        }
    }

    #[test]
    fn what_is_stored_wins_and_what_is_not_stays() {
        let settings = Settings::default();
        let changed = every_one().laid_over(&settings);
        for setting in &RUN_TIME_SETTINGS {
            let path = setting.path;
            assert_ne!(setting.value(&changed), setting.value(&settings), "{path}");
            assert!(setting.is_stored(&every_one()) && !setting.is_stored(&Overrides::default()), "{path}");
        }
        assert_eq!(Overrides::default().laid_over(&settings), settings);
    }

    #[test]
    fn numbers_have_the_bounds_they_have_at_the_start() {
        let wrong = Overrides { max_calls: Some(0), requests_per_s: Some(u32::MAX), ..every_one() };
        let fields: Vec<_> = wrong.problems().into_iter().map(|problem| problem.field).collect();
        assert_eq!(fields, ["calls.max_calls", "http.requests_per_s"]);
        assert!(every_one().problems().is_empty());
        let numbers =
            RUN_TIME_SETTINGS.iter().filter(|setting| setting.value(&Settings::default()).is_number());
        assert!(numbers.clone().count() == 4 && numbers.clone().all(|setting| setting.allowed().is_some()));
    }
}
