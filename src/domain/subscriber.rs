//! Whom events of calls are posted to (SPEC I10): an operator's own service, which asked for them. Not to be taken for a
//! voice agent's [`Webhook`](super::Webhook), which the model calls and waits for.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::field_problem::Problems;
use super::{
    CannotOpen, FieldProblem, Sealing, Secret, SigningSecret, SubscriberName, TenantId, WrongSigningSecret,
};

/// What happened; each is posted with what the call's record says at that moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EventKind {
    /// A call was accepted, or is being placed.
    #[serde(rename = "call.started")]
    CallStarted,
    #[serde(rename = "call.answered")]
    CallAnswered,
    #[serde(rename = "lead.created")]
    LeadCreated,
    /// More was told of a lead.
    #[serde(rename = "lead.updated")]
    LeadUpdated,
    /// The person wants to be called back.
    #[serde(rename = "callback.scheduled")]
    CallbackScheduled,
    /// The same appointment, at another time or number.
    #[serde(rename = "callback.changed")]
    CallbackChanged,
    #[serde(rename = "call.ended")]
    CallEnded,
    /// The CRM has all of it.
    #[serde(rename = "call.uploaded")]
    CallUploaded,
}

impl EventKind {
    /// In the order in which a call meets them.
    pub const ALL: [Self; 8] = [
        Self::CallStarted,
        Self::CallAnswered,
        Self::LeadCreated,
        Self::LeadUpdated,
        Self::CallbackScheduled,
        Self::CallbackChanged,
        Self::CallEnded,
        Self::CallUploaded,
    ];

    /// What a call brings while it goes on comes in any order, before its end. Ids hold it: it stays as it is.
    pub fn rank(self) -> &'static str {
        match self {
            Self::CallStarted => "0",
            Self::CallAnswered => "1",
            Self::LeadCreated | Self::LeadUpdated | Self::CallbackScheduled => "2",
            // Its name goes before the one that it follows.
            Self::CallbackChanged => "25",
            Self::CallEnded => "3",
            Self::CallUploaded => "4",
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::CallStarted => "call.started",
            Self::CallAnswered => "call.answered",
            Self::LeadCreated => "lead.created",
            Self::LeadUpdated => "lead.updated",
            Self::CallbackScheduled => "callback.scheduled",
            Self::CallbackChanged => "callback.changed",
            Self::CallEnded => "call.ended",
            Self::CallUploaded => "call.uploaded",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Subscriber {
    /// Our word for it, which what is on its way is kept under.
    pub name: SubscriberName,
    pub url: String,
    /// `whsec_…`, plain or sealed.
    pub secret: Secret,
    /// The one of before: while it is set, everything is signed with both.
    #[serde(default)]
    pub old_secret: Option<Secret>,
    #[serde(default = "all_events")]
    pub events: Vec<EventKind>,
    /// Only calls of this tenant, whose admin then sees how its notifications fare; `None`: everybody's.
    #[serde(default)]
    pub tenant_id: Option<TenantId>,
}

/// Why nothing can be signed with a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum UnusableSecret {
    #[error("cannot be opened: {0}")]
    Sealed(#[from] CannotOpen),
    #[error(transparent)]
    Wrong(#[from] WrongSigningSecret),
}

const NAME_MAX: usize = 40;
const URL_MAX: usize = 2_000;

fn all_events() -> Vec<EventKind> {
    EventKind::ALL.to_vec()
}

impl Subscriber {
    /// With the usual events of everybody's calls.
    pub fn to(name: SubscriberName, url: String, secret: Secret) -> Self {
        Self { name, url, secret, old_secret: None, events: all_events(), tenant_id: None }
    }

    pub fn wants(&self, event: EventKind, tenant: Option<&TenantId>) -> bool {
        self.events.contains(&event) && (self.tenant_id.is_none() || self.tenant_id.as_ref() == tenant)
    }

    /// The newest first.
    pub fn signing_secrets(&self, sealing: &Sealing) -> Result<Vec<SigningSecret>, UnusableSecret> {
        std::iter::once(&self.secret).chain(&self.old_secret).map(|secret| opened(secret, sealing)).collect()
    }

    pub fn problems(&self, sealing: &Sealing) -> Vec<FieldProblem> {
        let mut problems = Problems::default();
        problems.add_unless(
            is_name(self.name.as_str()),
            "name",
            "is a short name of your own, as warehouse: up to 40 small letters, digits, - and _",
        );
        problems.check_length("url", &self.url, 1..=URL_MAX);
        let is_address = super::is_web_address(&self.url);
        let address =
            "is an address as https://warehouse.example.com/calls, without a user or password in it";
        problems.add_unless(is_address, "url", address);
        problems.add_unless(!self.events.is_empty(), "events", "is empty; leave it out for all of them");
        let secrets = [("secret", Some(&self.secret)), ("old_secret", self.old_secret.as_ref())];
        for (field, secret) in secrets.into_iter().filter_map(|(field, secret)| Some((field, secret?))) {
            if let Err(error) = opened(secret, sealing) {
                problems.add(field, error.to_string());
            }
        }
        problems.into_list()
    }
}

fn opened(secret: &Secret, sealing: &Sealing) -> Result<SigningSecret, UnusableSecret> {
    Ok(SigningSecret::parse(&sealing.open(secret)?)?)
}

fn is_name(name: &str) -> bool {
    let is_sign = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || "-_".contains(sign);
    (1..=NAME_MAX).contains(&name.len()) && name.chars().all(is_sign)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    fn subscriber() -> Subscriber {
        let written =
            json!({ "name": "warehouse", "url": "https://warehouse.example.com/calls", "secret": SECRET });
        serde_json::from_value(written).unwrap()
    }

    fn sealing() -> Sealing {
        Sealing::new([]).unwrap()
    }

    #[test]
    fn one_that_says_nothing_else_wants_everything_of_everybody() {
        let (subscriber, tenant) = (subscriber(), TenantId::new("t"));
        assert!(EventKind::ALL.iter().all(|event| subscriber.wants(*event, Some(&tenant))));
        assert!(subscriber.problems(&sealing()).is_empty());
        for event in EventKind::ALL {
            assert_eq!(serde_json::to_value(event).unwrap(), event.as_str());
        }
    }

    #[test]
    fn one_of_a_tenant_hears_of_no_other_calls_and_only_what_it_wants() {
        let own = TenantId::new("own");
        let of_tenant =
            Subscriber { tenant_id: Some(own.clone()), events: vec![EventKind::CallEnded], ..subscriber() };
        assert!(of_tenant.wants(EventKind::CallEnded, Some(&own)));
        assert!(!of_tenant.wants(EventKind::CallStarted, Some(&own)));
        assert!(!of_tenant.wants(EventKind::CallEnded, Some(&TenantId::new("other"))));
        assert!(!of_tenant.wants(EventKind::CallEnded, None));
    }

    #[test]
    fn every_problem_names_its_field_and_no_secret() {
        let wrong = Subscriber {
            name: SubscriberName::new("Ware house"),
            url: "ftp://warehouse".into(),
            secret: Secret::new("hidden-word-of-mine"),
            old_secret: Some(Secret::new("dev-s-t-gAAAA-no-token")),
            events: Vec::new(),
            ..subscriber()
        };
        let problems = wrong.problems(&sealing());
        let fields: Vec<_> = problems.iter().map(|problem| problem.field.as_str()).collect();
        assert_eq!(fields, ["name", "url", "events", "secret", "old_secret"]);
        assert!(!format!("{problems:?} {wrong:?}").contains("hidden-word"), "{problems:?}");
    }

    #[test]
    fn while_a_secret_is_replaced_there_are_two_the_newest_first() {
        let newer = Secret::new("whsec_BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB");
        let old = subscriber().secret;
        let both = Subscriber { secret: newer, old_secret: Some(old.clone()), ..subscriber() };
        let signed: Vec<_> =
            both.signing_secrets(&sealing()).unwrap().iter().map(|secret| secret.sign("a", 1, "b")).collect();
        assert_eq!(signed.len(), 2);
        assert_eq!(signed[1], SigningSecret::parse(&old).unwrap_or_else(|_| panic!()).sign("a", 1, "b"));
    }
}
