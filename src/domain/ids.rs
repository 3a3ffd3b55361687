//! Ids are types, so that a call's id cannot be passed where a user's is wanted.

use std::fmt;

use serde::{Deserialize, Serialize};

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
