//! One answer per call: which key, on whose account, or why not (SPEC K6, K7).

use std::collections::BTreeMap;
use std::fmt;
use std::time::Instant;

use thiserror::Error;

use super::health::{Failure, Health};
use super::lease::{KeyLimits, Leases};
use super::pool::{KeyPool, PoolKey};
use crate::domain::{CallId, LeaseId, Outcome, ProjectId, Secret};

#[derive(Default)]
pub struct KeyRing {
    pool: KeyPool,
    limits: KeyLimits,
    leases: Leases,
    health: Health,
}

/// A key a call may open its model session with; the lease comes back by [`KeyRing::release`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Granted {
    pub key: Secret,
    pub project: ProjectId,
    pub lease: LeaseId,
    pub source: KeySource,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeySource {
    Own,
    Default { why: WhyDefault },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyDefault {
    NoOwnKey,
    OwnKey(Failure),
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error(
        "all {limit} model sessions of project {project} are in use; wait for a call to end, or raise \
             keys.sessions_per_project if Google allows more"
    )]
    ProjectFull { project: ProjectId, limit: u32 },
    #[error(
        "{why}, and the default key's project has no session to lend; wait for a call to end, or give the \
             owner a key"
    )]
    DefaultFull { why: WhyDefault },
    #[error("{why}, and there is no default key; set GOOGLE_API_KEY or give the owner a key")]
    NoDefault { why: WhyDefault },
    #[error("{why}, and the default key cannot stand in: {}", describe(*default))]
    DefaultUnhealthy { why: WhyDefault, default: Failure },
}

impl Refusal {
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::ProjectFull { .. } | Self::DefaultFull { .. } => Outcome::RefusedCapacity,
            Self::NoDefault { .. } | Self::DefaultUnhealthy { .. } => Outcome::RefusedNoKey,
        }
    }
}

impl KeyRing {
    pub fn new(pool: KeyPool, limits: KeyLimits) -> Self {
        Self { pool, limits, ..Self::default() }
    }

    /// SIGHUP or REST re-read the pool; leases and cool-downs stay.
    pub fn replace_pool(&mut self, pool: KeyPool) {
        self.pool = pool;
    }

    /// Sessions that are there stay, also past a lower limit.
    pub fn replace_limits(&mut self, limits: KeyLimits) {
        self.limits = limits;
    }

    pub fn pool(&self) -> &KeyPool {
        &self.pool
    }

    /// `owner_key` is what the owner's record holds *now* (SPEC K4).
    pub fn lease(
        &mut self,
        owner_key: Option<&Secret>,
        call: &CallId,
        now: Instant,
    ) -> Result<Granted, Refusal> {
        let Some(key) = owner_key.filter(|key| !key.is_empty()) else {
            return self.lend_default(WhyDefault::NoOwnKey, call, now);
        };
        match self.failure_of(key, now) {
            Some(failure) => self.lend_default(WhyDefault::OwnKey(failure), call, now),
            None => self.lease_own(key, call),
        }
    }

    pub fn release(&mut self, lease: &LeaseId) -> bool {
        self.leases.release(lease)
    }

    pub fn report_failure(&mut self, key: &Secret, failure: Failure, now: Instant) {
        match failure {
            Failure::KeyBad => self.health.report_bad_key(key),
            Failure::Quota => self.health.report_quota(&self.pool.project_of(key), now),
        }
    }

    pub fn report_success(&mut self, key: &Secret, now: Instant) {
        self.health.report_success(&self.pool.project_of(key), now);
    }

    /// An operator has mended the key or its quota.
    pub fn clear_failures(&mut self, key: &Secret) {
        self.health.clear(key, &self.pool.project_of(key));
    }

    pub fn failure_of(&self, key: &Secret, now: Instant) -> Option<Failure> {
        self.health.failure_of(key, &self.pool.project_of(key), now)
    }

    /// Sessions by project; a project without any is not listed.
    pub fn in_use(&self) -> &BTreeMap<ProjectId, u32> {
        self.leases.in_use()
    }

    fn lease_own(&mut self, key: &Secret, call: &CallId) -> Result<Granted, Refusal> {
        let project = self.pool.project_of(key);
        let full = Refusal::ProjectFull { project: project.clone(), limit: self.limits.sessions_per_project };
        let lease = self.leases.take(&project, call, false, &self.limits).ok_or(full)?;
        Ok(Granted { key: key.clone(), project, lease, source: KeySource::Own })
    }

    fn lend_default(&mut self, why: WhyDefault, call: &CallId, now: Instant) -> Result<Granted, Refusal> {
        let PoolKey { key, project } = self.pool.default_key().cloned().ok_or(Refusal::NoDefault { why })?;
        if let Some(default) = self.failure_of(&key, now) {
            return Err(Refusal::DefaultUnhealthy { why, default });
        }
        let lease =
            self.leases.take(&project, call, true, &self.limits).ok_or(Refusal::DefaultFull { why })?;
        Ok(Granted { key, project, lease, source: KeySource::Default { why } })
    }
}

impl fmt::Display for WhyDefault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoOwnKey => f.write_str("the owner has no Google key"),
            Self::OwnKey(failure) => write!(f, "the owner's key cannot be used ({})", describe(*failure)),
        }
    }
}

fn describe(failure: Failure) -> &'static str {
    match failure {
        Failure::KeyBad => "the model refused it as invalid",
        Failure::Quota => "its project's quota is spent and cooling down",
    }
}

#[cfg(test)]
mod tests;
