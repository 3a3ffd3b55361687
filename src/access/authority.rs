//! Who may do what with whom (SPEC O1, O2).
//!
//! Every question takes the [`Identity`] that asks. What somebody may not even see is [`Denied::Unknown`], so that an
//! answer never tells whether another tenant's thing exists; what they see and may not do is [`Denied::Forbidden`].

use thiserror::Error;

use crate::domain::{Role, TenantId, User, UserId};

/// Who asks: a user whose session or API token was good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    pub user_id: UserId,
    pub name: String,
    pub role: Role,
    pub tenant_id: Option<TenantId>,
    /// Until then it may change its password and log out, nothing else.
    pub must_change_password: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Denied {
    #[error("there is no such thing, or none that you may see")]
    Unknown,
    #[error("{0}")]
    Forbidden(&'static str),
    #[error("set a password of your own first")]
    MustChangePassword,
}

/// What a list may show: each is one question by an index of the store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    Everything,
    Tenant(TenantId),
    /// What this user owns; of users, the user itself; of audit entries, its own doings.
    Owner(UserId),
    Nothing,
}

impl Scope {
    /// Whether a list would show what this user of this tenant owns.
    pub fn includes(&self, owner: Option<&UserId>, tenant: Option<&TenantId>) -> bool {
        match self {
            Self::Everything => true,
            Self::Tenant(own) => tenant == Some(own),
            Self::Owner(user) => owner == Some(user),
            Self::Nothing => false,
        }
    }
}

impl From<&User> for Identity {
    fn from(user: &User) -> Self {
        Self {
            user_id: user.id.clone(),
            name: user.name.clone(),
            role: user.role,
            tenant_id: user.tenant_id.clone(),
            must_change_password: false,
        }
    }
}

impl Identity {
    /// Stands before everything but the change of the password.
    pub fn may_begin(&self) -> Result<(), Denied> {
        if self.must_change_password { Err(Denied::MustChangePassword) } else { Ok(()) }
    }

    /// The tenant a new user belongs to, or who is asked for the right to make it. `None`: the new user founds its own,
    /// or (a superadmin) has none.
    pub fn may_create(&self, role: Role) -> Result<Option<TenantId>, Denied> {
        match (self.role, role) {
            (Role::Superadmin, Role::Admin) => Ok(None),
            (Role::Admin, Role::Agent) => Ok(self.tenant_id.clone()),
            (_, Role::Superadmin) => Err(Denied::Forbidden(
                "superadmins are made on the engine's own machine: clearline user add NAME --role superadmin",
            )),
            (Role::Superadmin, Role::Agent) => {
                Err(Denied::Forbidden("agents are created by the admin they belong to"))
            }
            (Role::Admin, Role::Admin) => Err(Denied::Forbidden("admins are created by a superadmin")),
            (Role::Agent, _) => Err(Denied::Forbidden("an agent creates no users")),
        }
    }

    /// An agent sees itself, an admin its tenant, a superadmin everybody.
    pub fn may_see_user(&self, user: &User) -> Result<(), Denied> {
        let seen = match self.role {
            Role::Superadmin => true,
            Role::Admin => user.id == self.user_id || self.has_agent(user),
            Role::Agent => user.id == self.user_id,
        };
        if seen { Ok(()) } else { Err(Denied::Unknown) }
    }

    /// To disable, enable or remove a user, to set its password and to end its sessions and tokens.
    pub fn may_change_user(&self, user: &User) -> Result<(), Denied> {
        self.may_see_user(user)?;
        if user.id == self.user_id {
            return Err(Denied::Forbidden("nobody does this to themselves; somebody above you can"));
        }
        match (self.role, user.role) {
            (Role::Superadmin, Role::Admin) | (Role::Admin, Role::Agent) => Ok(()),
            (Role::Superadmin, Role::Agent) => {
                Err(Denied::Forbidden("agents are changed by the admin they belong to"))
            }
            (_, Role::Superadmin) => {
                Err(Denied::Forbidden("superadmins are changed on the engine's own machine: clearline user"))
            }
            (Role::Admin | Role::Agent, Role::Admin) | (Role::Agent, Role::Agent) => Err(Denied::Unknown),
        }
    }

    pub fn may_make_calls(&self) -> Result<(), Denied> {
        if self.role.makes_calls() { Ok(()) } else { Err(Denied::Forbidden("a superadmin makes no calls")) }
    }

    /// A call, recording, transcript or lead: an agent's own, an admin's whole tenant, never a superadmin's.
    pub fn may_see_record(&self, owner: Option<&UserId>, tenant: Option<&TenantId>) -> Result<(), Denied> {
        if self.records().includes(owner, tenant) { Ok(()) } else { Err(Denied::Unknown) }
    }

    /// The calls, recordings, transcripts and leads that a list shows.
    pub fn records(&self) -> Scope {
        match (self.role, &self.tenant_id) {
            (Role::Agent, _) => Scope::Owner(self.user_id.clone()),
            (Role::Admin, Some(tenant)) => Scope::Tenant(tenant.clone()),
            (Role::Admin, None) | (Role::Superadmin, _) => Scope::Nothing,
        }
    }

    /// To give somebody another Google key: its admin, who sees that the present one does not work, or a superadmin.
    pub fn may_reassign_key(&self, user: &User) -> Result<(), Denied> {
        self.may_see_user(user)?;
        match self.role {
            Role::Superadmin | Role::Admin => Ok(()),
            Role::Agent => Err(Denied::Forbidden("your admin gives you another key")),
        }
    }

    /// What waits for the CRM, or was refused by it: an admin's whole tenant, a superadmin's to keep going, no agent's.
    pub fn uploads(&self) -> Scope {
        match (self.role, &self.tenant_id) {
            (Role::Superadmin, _) => Scope::Everything,
            (Role::Admin, Some(tenant)) => Scope::Tenant(tenant.clone()),
            (Role::Admin, None) | (Role::Agent, _) => Scope::Nothing,
        }
    }

    /// To see one, and to have it tried again.
    pub fn may_see_upload(&self, tenant: Option<&TenantId>) -> Result<(), Denied> {
        if self.uploads().includes(None, tenant) { Ok(()) } else { Err(Denied::Unknown) }
    }

    /// Of what is on its way to subscribers: an admin's those of its tenant's own subscribers, otherwise as uploads.
    pub fn notifications(&self) -> Scope {
        self.uploads()
    }

    /// To see one, and to have it tried again.
    pub fn may_see_notification(&self, tenant: Option<&TenantId>) -> Result<(), Denied> {
        if self.notifications().includes(None, tenant) { Ok(()) } else { Err(Denied::Unknown) }
    }

    /// The pool of keys as a whole, and whatever else concerns the whole engine.
    pub fn may_run_engine(&self) -> Result<(), Denied> {
        match self.role {
            Role::Superadmin => Ok(()),
            Role::Admin | Role::Agent => Err(Denied::Forbidden("this is a superadmin's to do")),
        }
    }

    /// The users that a list shows.
    pub fn users(&self) -> Scope {
        match (self.role, &self.tenant_id) {
            (Role::Superadmin, _) => Scope::Everything,
            (Role::Admin, Some(tenant)) => Scope::Tenant(tenant.clone()),
            (Role::Admin, None) | (Role::Agent, _) => Scope::Owner(self.user_id.clone()),
        }
    }

    /// The audit entries that a list shows: an agent sees what it has done itself.
    pub fn audit(&self) -> Scope {
        match (self.role, &self.tenant_id) {
            (Role::Superadmin, _) => Scope::Everything,
            (Role::Admin, Some(tenant)) => Scope::Tenant(tenant.clone()),
            (Role::Agent, _) => Scope::Owner(self.user_id.clone()),
            (Role::Admin, None) => Scope::Nothing,
        }
    }

    fn has_agent(&self, user: &User) -> bool {
        user.role == Role::Agent && self.tenant_id.is_some() && user.tenant_id == self.tenant_id
    }
}

#[cfg(test)]
#[path = "authority_tests.rs"]
mod tests;
