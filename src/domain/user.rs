//! The people who own calls (SPEC O1), as the CRM knows them.

use serde::{Deserialize, Serialize};

use super::{KeyFingerprint, Secret, TenantId, UserId};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Creates admins; makes no calls and holds no Google key.
    Superadmin,
    /// Creates agents, makes calls, owns campaigns.
    Admin,
    /// Makes calls and owns campaigns, below the admin who created it.
    Agent,
}

impl Role {
    pub fn makes_calls(self) -> bool {
        self != Self::Superadmin
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    pub id: UserId,
    /// The log-in name, unique in the whole system.
    pub name: String,
    pub role: Role,
    /// An admin's own id, an agent's admin; a superadmin belongs to no tenant.
    pub tenant_id: Option<TenantId>,
    /// The one key assigned to this user (SPEC K2).
    /// Sealed where there is a key to seal with (SPEC K10).
    #[serde(default)]
    pub google_api_key: Option<Secret>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub google_api_key_fingerprint: Option<KeyFingerprint>,
    #[serde(default = "enabled_by_default")]
    pub enabled: bool,
}

impl User {
    pub fn may_own_calls(&self) -> bool {
        self.enabled && self.role.makes_calls()
    }
}

fn enabled_by_default() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn agent() -> User {
        serde_json::from_str(r#"{"id":"u1","name":"ada","role":"agent","tenant_id":"a1"}"#).unwrap()
    }

    #[test]
    fn a_record_of_an_older_system_without_the_newer_fields_is_read() {
        assert_eq!((agent().enabled, agent().google_api_key), (true, None));
    }

    #[test]
    fn a_superadmin_or_a_disabled_user_owns_no_calls() {
        assert!(agent().may_own_calls());
        assert!(!User { role: Role::Superadmin, ..agent() }.may_own_calls());
        assert!(!User { enabled: false, ..agent() }.may_own_calls());
    }

    #[test]
    fn an_unknown_role_is_refused_with_the_roles_that_exist() {
        let error = serde_json::from_str::<Role>("\"janitor\"").unwrap_err().to_string();
        assert!(error.contains("superadmin") && error.contains("agent"), "{error}");
    }
}
