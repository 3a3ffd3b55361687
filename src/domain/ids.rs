//! Ids are types, so that a call's id cannot be passed where a user's is wanted.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Timestamp;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(std::sync::Arc<str>);

        impl $name {
            pub fn new(value: impl AsRef<str>) -> Self {
                Self(value.as_ref().into())
            }

            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({})", stringify!($name), self.0)
            }
        }
    };
}

id!(
    /// One phone call, from the INVITE to the drained audio route.
    CallId
);
id!(
    /// A person (admin, agent or superadmin) who may own calls.
    UserId
);
id!(
    /// An admin and its agents; the id is the admin's.
    TenantId
);
id!(
    /// A SIP gateway or trunk, by its name in the settings.
    GatewayId
);
id!(
    /// A persona the voice model plays.
    VoiceAgentId
);
id!(
    /// What a Google key is called where it must not be seen: in unique fields, in counts and in logs (SPEC K10).
    KeyFingerprint
);
id!(
    /// The Google project that a key's limits are counted on.
    ProjectId
);
id!(
    /// Somebody's wish to be called back.
    CallbackId
);
id!(
    /// One taken session slot of a project.
    LeaseId
);
id!(
    /// One engine among those that share a store; it keeps its name over restarts.
    NodeId
);
id!(
    /// One run of a node, from its start to its end.
    StartId
);
id!(
    /// A phone number's record.
    NumberId
);
id!(
    /// What a call brought.
    LeadId
);
id!(
    /// Many calls with one purpose.
    CampaignId
);
id!(
    /// A call's name in the CRM.
    CrmCallId
);
id!(
    /// Whom events are posted to, by its name in the settings.
    SubscriberName
);
id!(
    /// One event on its way to one subscriber.
    NotificationId
);

/// The least id that could be born at this moment: ids are UUIDv7, which begin with the milliseconds since 1970.
pub fn first_id_of(moment: Timestamp) -> String {
    let millis = moment.as_millis();
    format!("{:08x}-{:04x}-", millis >> 16, millis & 0xffff)
}

/// When an id was born, if it is a UUIDv7.
pub fn birth_of(id: &str) -> Option<Timestamp> {
    let (high, rest) = id.split_at_checked(8)?;
    let (low, rest) = rest.strip_prefix('-')?.split_at_checked(4)?;
    let is_version_7 = rest.starts_with("-7") && id.len() == 36;
    let hex = [high, low].concat();
    let millis = is_version_7.then(|| u64::from_str_radix(&hex, 16).ok())??;
    Some(Timestamp::from_millis(millis))
}

/// Of something that a call brings: a UUIDv7 born with its call, so that lists go by time. The same hash is the same id.
pub(super) fn id_born_with(call: &CallId, hash: [u8; 32]) -> String {
    let born = birth_of(call.as_str()).map_or_else(|| "00000000-0000-".to_owned(), first_id_of);
    let digits: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
    let [three, more, last] = [(0, 3), (3, 3), (6, 12)].map(|(from, length)| &digits[from..from + length]);
    format!("{born}7{three}-8{more}-{last}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_tells_when_it_was_born_and_sorts_behind_the_first_of_its_moment() {
        let id = "019ac0ff-ee12-7abc-8def-0123456789ab";
        let birth = birth_of(id).unwrap();
        assert_eq!(birth.as_millis(), 0x019a_c0ff_ee12);
        let next = Timestamp::from_millis(birth.as_millis() + 1);
        assert!(first_id_of(birth).as_str() < id && id < first_id_of(next).as_str());
        assert!(first_id_of(Timestamp::from_millis(0)) < first_id_of(birth));
    }

    #[test]
    fn an_id_of_another_kind_tells_nothing() {
        for id in ["", "c1", "019ac0ff-ee12-4abc-8def-0123456789ab", "019ac0ff-ee12-7", "ümläute-ümläute"]
        {
            assert_eq!(birth_of(id), None, "{id}");
        }
    }
}
