//! Who may open a session: keys, their projects, and the caps that keys of one project share.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::settings::{KeyFailure, KnownKey, KnownKeys, ModelSettings, UnknownKey, bounded_ms};
use crate::domain::Secret;

/// Whom a connection belongs to.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    pub(super) session: String,
    pub(super) connection: u64,
    pub(super) key_hint: String,
    pub(super) key_fingerprint: String,
    pub(super) project: String,
}

/// How a connection that was let in goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Welcome {
    Accepted,
    /// Its key turns out to be wrong once it has sent its setup.
    RefusedAfterSetup,
    /// Its key is reported as leaked at once.
    Leaked,
}

/// A refusal at the upgrade, as HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Denial {
    pub(super) status: u16,
    pub(super) message: &'static str,
}

pub(super) const UNKNOWN_KEY: Denial =
    Denial { status: 400, message: "API key not valid. Please pass a valid API key." };
pub(super) const MISSING_KEY: Denial = Denial {
    status: 403,
    message: "Method doesn't allow unregistered callers (callers without established identity). Please use API Key or other form of API consumer identity to call this API.",
};
const FORBIDDEN_KEY: Denial = Denial { status: 403, message: "The caller does not have permission" };
const UNAUTHENTICATED: Denial = Denial {
    status: 401,
    message: "Request had invalid authentication credentials. Expected OAuth 2 access token, login cookie or other valid authentication credential.",
};
const NO_QUOTA: Denial = Denial { status: 429, message: "Resource has been exhausted (e.g. check quota)." };
const UNAVAILABLE: Denial = Denial { status: 503, message: "The service is currently unavailable." };

impl Denial {
    /// What the service says with a status.
    pub(super) fn usual(status: u16) -> Self {
        match status {
            400 => UNKNOWN_KEY,
            401 => UNAUTHENTICATED,
            403 => FORBIDDEN_KEY,
            429 => NO_QUOTA,
            503 => UNAVAILABLE,
            status => Self { status, message: "Internal error encountered." },
        }
    }
}

/// One project's counters, as the side port shows them.
#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Project {
    pub(super) open: usize,
    pub(super) peak: usize,
    pub(super) admitted: u64,
    pub(super) refused: u64,
    #[serde(skip)]
    refuses_until: Option<Instant>,
}

#[derive(Debug, Default)]
pub(super) struct Admission {
    projects: BTreeMap<String, Project>,
}

const MAX_PROJECTS: usize = 16_384;
const FINGERPRINT_BYTES: usize = 8;

/// What is known of a key before it is admitted.
pub(super) struct Credentials {
    pub(super) key_hint: String,
    pub(super) fingerprint: String,
    pub(super) project: String,
    failure: Option<KeyFailure>,
    cap: Option<usize>,
}

impl Credentials {
    pub(super) fn of(key: &Secret, settings: &ModelSettings) -> Self {
        let fingerprint = fingerprint(key);
        let known = match &settings.keys {
            KnownKeys::Any => None,
            KnownKeys::List(keys) => keys.iter().find(|known| known.key == *key),
        };
        let is_unknown = known.is_none() && matches!(settings.keys, KnownKeys::List(_));
        let failure =
            if is_unknown { Some(failure_of_unknown(settings)) } else { known.and_then(|key| key.failure) };
        let named = known.and_then(|key| key.project.clone());
        let project = named.unwrap_or_else(|| format!("project-of-{fingerprint}"));
        let cap = cap_of(&project, known, settings);
        Self { key_hint: key.hint(), fingerprint, project, failure, cap }
    }
}

fn failure_of_unknown(settings: &ModelSettings) -> KeyFailure {
    match settings.unknown_key {
        UnknownKey::AtUpgrade => KeyFailure::Invalid,
        UnknownKey::AfterSetup => KeyFailure::InvalidAfterSetup,
    }
}

/// The smallest cap that any key of the project names.
fn cap_of(project: &str, known: Option<&KnownKey>, settings: &ModelSettings) -> Option<usize> {
    let KnownKeys::List(keys) = &settings.keys else { return None };
    let siblings = keys.iter().filter(|key| key.project.as_deref() == Some(project));
    siblings.chain(known).filter_map(|key| key.cap).min()
}

pub(super) fn fingerprint(key: &Secret) -> String {
    let digest = Sha256::digest(key.expose());
    digest.iter().take(FINGERPRINT_BYTES).map(|byte| format!("{byte:02x}")).collect()
}

impl Admission {
    /// Takes one of the project's places, which [`Admission::release`] gives back.
    pub(super) fn admit(
        &mut self,
        credentials: &Credentials,
        settings: &ModelSettings,
        now: Instant,
    ) -> Result<Welcome, Denial> {
        if self.projects.len() >= MAX_PROJECTS && !self.projects.contains_key(&credentials.project) {
            return Err(UNAVAILABLE);
        }
        let project = self.projects.entry(credentials.project.clone()).or_default();
        let admitted = welcome(credentials.failure).and_then(|welcome| {
            let cools_down = project.refuses_until.is_some_and(|until| now < until);
            let is_full = credentials.cap.is_some_and(|cap| project.open >= cap);
            if is_full {
                project.refuses_until = Some(now + bounded_ms(settings.limits.cool_down_ms));
            }
            if is_full || cools_down { Err(NO_QUOTA) } else { Ok(welcome) }
        });
        match admitted {
            Ok(_) => {
                project.open += 1;
                project.admitted += 1;
                project.peak = project.peak.max(project.open);
            }
            Err(_) => project.refused += 1,
        }
        admitted
    }

    pub(super) fn release(&mut self, project: &str) {
        if let Some(project) = self.projects.get_mut(project) {
            project.open = project.open.saturating_sub(1);
        }
    }

    pub(super) fn projects(&self) -> &BTreeMap<String, Project> {
        &self.projects
    }
}

fn welcome(failure: Option<KeyFailure>) -> Result<Welcome, Denial> {
    match failure {
        None => Ok(Welcome::Accepted),
        Some(KeyFailure::InvalidAfterSetup) => Ok(Welcome::RefusedAfterSetup),
        Some(KeyFailure::Leaked) => Ok(Welcome::Leaked),
        Some(KeyFailure::Invalid) => Err(UNKNOWN_KEY),
        Some(KeyFailure::Denied) => Err(FORBIDDEN_KEY),
        Some(KeyFailure::Quota) => Err(NO_QUOTA),
        Some(KeyFailure::Unavailable) => Err(UNAVAILABLE),
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::now;
    use super::*;

    fn settings(keys: Vec<KnownKey>) -> ModelSettings {
        ModelSettings { keys: KnownKeys::List(keys), ..ModelSettings::default() }
    }

    fn in_project(key: &str, cap: Option<usize>) -> KnownKey {
        KnownKey { project: Some("shared".into()), cap, ..KnownKey::new(key) }
    }

    #[test]
    fn keys_of_one_project_share_its_cap() {
        let settings =
            settings(vec![in_project("key-a", Some(2)), in_project("key-b", None), KnownKey::new("key-c")]);
        let (mut admission, now) = (Admission::default(), now());
        let mut admit = |key: &str| {
            admission
                .admit(&Credentials::of(&Secret::new(key), &settings), &settings, now)
                .map_err(|d| d.status)
        };
        assert_eq!(admit("key-a"), Ok(Welcome::Accepted));
        assert_eq!(admit("key-b"), Ok(Welcome::Accepted));
        assert_eq!(admit("key-b"), Err(429));
        assert_eq!(admit("key-c"), Ok(Welcome::Accepted));
        admission.release("shared");
        assert_eq!(admission.projects()["shared"].open, 1);
        assert_eq!((admission.projects()["shared"].peak, admission.projects()["shared"].refused), (2, 1));
    }

    #[test]
    fn a_refused_project_cools_down() {
        let mut settings = settings(vec![in_project("key-a", Some(1))]);
        settings.limits.cool_down_ms = 1_000;
        let (mut admission, now) = (Admission::default(), now());
        let key = Credentials::of(&Secret::new("key-a"), &settings);
        assert!(admission.admit(&key, &settings, now).is_ok());
        assert!(admission.admit(&key, &settings, now).is_err());
        admission.release("shared");
        assert_eq!(admission.admit(&key, &settings, now + bounded_ms(999)), Err(NO_QUOTA));
        assert!(admission.admit(&key, &settings, now + bounded_ms(1_000)).is_ok());
    }
}
