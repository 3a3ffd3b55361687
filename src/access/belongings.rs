//! Who may see and change what belongs to a tenant and is edited by people: personas and phone numbers (SPEC O2).

use super::{Denied, Identity, Scope};
use crate::domain::{Role, TenantId, UserId};

impl Identity {
    /// The tenant whose personas a list shows, beside the shared ones. `None`: all tenants'.
    pub fn personas_of(&self) -> Result<Option<&TenantId>, Denied> {
        match (self.role, &self.tenant_id) {
            (Role::Superadmin, _) => Ok(None),
            (Role::Admin | Role::Agent, Some(tenant)) => Ok(Some(tenant)),
            (Role::Admin | Role::Agent, None) => Err(Denied::Forbidden("you belong to no tenant")),
        }
    }

    /// Those of the own tenant and the shared ones; a superadmin, who gives numbers their persona, all.
    pub fn may_see_persona(&self, tenant: Option<&TenantId>) -> Result<(), Denied> {
        let own = self.personas_of()?;
        if own.is_none() || tenant.is_none() || tenant == own { Ok(()) } else { Err(Denied::Unknown) }
    }

    /// A tenant's are its admin's to change, the shared ones a superadmin's.
    pub fn may_change_persona(&self, tenant: Option<&TenantId>) -> Result<(), Denied> {
        self.may_see_persona(tenant)?;
        match (self.role, tenant) {
            (Role::Superadmin, None) | (Role::Admin, Some(_)) => Ok(()),
            (Role::Superadmin, Some(_)) => {
                Err(Denied::Forbidden("a tenant's voice agents are changed by its admin"))
            }
            (Role::Admin, None) => Err(Denied::Forbidden("shared voice agents are changed by a superadmin")),
            (Role::Agent, _) => Err(Denied::Forbidden("an agent changes no voice agents")),
        }
    }

    /// The tenant a new persona belongs to. `None`: it is shared.
    pub fn may_add_persona(&self) -> Result<Option<TenantId>, Denied> {
        self.may_change_persona(self.tenant_id.as_ref())?;
        Ok(self.tenant_id.clone())
    }

    /// The numbers that a list shows.
    pub fn numbers(&self) -> Scope {
        match (self.role, &self.tenant_id) {
            (Role::Superadmin, _) => Scope::Everything,
            (Role::Admin, Some(tenant)) => Scope::Tenant(tenant.clone()),
            (Role::Agent, _) => Scope::Owner(self.user_id.clone()),
            (Role::Admin, None) => Scope::Nothing,
        }
    }

    pub fn may_see_number(&self, owner: Option<&UserId>, tenant: Option<&TenantId>) -> Result<(), Denied> {
        if self.numbers().includes(owner, tenant) { Ok(()) } else { Err(Denied::Unknown) }
    }

    pub fn may_change_number(&self, owner: Option<&UserId>, tenant: Option<&TenantId>) -> Result<(), Denied> {
        self.may_see_number(owner, tenant)?;
        self.may_edit_numbers()
    }

    /// To add a number, or to make another one of it: whoever has a number has its calls, so nobody takes one for itself.
    pub fn may_say_which_number(&self) -> Result<(), Denied> {
        match self.role {
            Role::Superadmin => Ok(()),
            Role::Admin | Role::Agent => {
                Err(Denied::Forbidden("numbers are given to tenants by a superadmin; ask for yours"))
            }
        }
    }

    /// The tenant of a number that is added or changed: `wanted` where somebody has said so, which only a superadmin
    /// may; else `present`, which is an admin's own for a number that is new.
    pub fn number_tenant(
        &self,
        wanted: Option<Option<TenantId>>,
        present: Option<TenantId>,
    ) -> Result<Option<TenantId>, Denied> {
        self.may_edit_numbers()?;
        match wanted {
            Some(wanted) if wanted == present || self.role == Role::Superadmin => Ok(wanted),
            Some(_) => Err(Denied::Forbidden("which tenant a number belongs to is said by a superadmin")),
            None => Ok(present),
        }
    }

    fn may_edit_numbers(&self) -> Result<(), Denied> {
        match self.role {
            Role::Superadmin | Role::Admin => Ok(()),
            Role::Agent => Err(Denied::Forbidden("an agent changes no numbers")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use Role::{Admin, Agent, Superadmin};

    fn who(id: &str, role: Role, tenant: Option<&str>) -> Identity {
        Identity {
            user_id: UserId::new(id),
            name: id.into(),
            role,
            tenant_id: tenant.map(TenantId::new),
            must_change_password: false,
        }
    }

    fn everybody() -> [Identity; 4] {
        [
            who("root", Superadmin, None),
            who("a", Admin, Some("a")),
            who("a1", Agent, Some("a")),
            who("b", Admin, Some("b")),
        ]
    }

    /// For root, admin a, its agent and admin b: `y` yes, `f` forbidden, `-` unknown.
    fn row(question: impl Fn(&Identity) -> Result<(), Denied>) -> String {
        let sign = |answer| match answer {
            Ok(()) => 'y',
            Err(Denied::Unknown) => '-',
            Err(Denied::Forbidden(_) | Denied::MustChangePassword) => 'f',
        };
        everybody().iter().map(|who| sign(question(who))).collect()
    }

    #[test]
    fn o2_personas_are_their_tenants_and_the_shared_ones_a_superadmins() {
        let tenant = TenantId::new("a");
        for (tenant, seen, changed) in [(Some(&tenant), "yyy-", "fyf-"), (None, "yyyy", "yfff")] {
            assert_eq!(row(|who| who.may_see_persona(tenant)), seen, "{tenant:?}");
            assert_eq!(row(|who| who.may_change_persona(tenant)), changed, "{tenant:?}");
        }
        assert_eq!(row(|who| who.may_add_persona().map(drop)), "yyfy");
        let [root, admin, ..] = everybody();
        assert_eq!((root.may_add_persona(), admin.may_add_persona()), (Ok(None), Ok(Some(tenant))));
    }

    #[test]
    fn o2_numbers_are_changed_above_the_agents_who_own_them() {
        let (tenant, owner) = (TenantId::new("a"), UserId::new("a1"));
        let of_agent = (Some(&owner), Some(&tenant));
        assert_eq!(row(|who| who.may_see_number(of_agent.0, of_agent.1)), "yyy-");
        assert_eq!(row(|who| who.may_change_number(of_agent.0, of_agent.1)), "yyf-");
        assert_eq!(row(|who| who.may_see_number(None, Some(&tenant))), "yy--");
        assert_eq!(row(|who| who.may_see_number(None, None)), "y---", "a number of no tenant");
        assert_eq!(row(Identity::may_say_which_number), "yfff");
    }

    #[test]
    fn o2_only_a_superadmin_says_whose_a_number_is() {
        let (own, other) = (TenantId::new("a"), TenantId::new("b"));
        let moved =
            |who: &Identity| who.number_tenant(Some(Some(other.clone())), Some(own.clone())).map(drop);
        assert_eq!(row(moved), "yfff");
        let [_, admin, ..] = everybody();
        let same = admin.number_tenant(Some(Some(own.clone())), Some(own.clone()));
        assert_eq!(
            (same, admin.number_tenant(None, Some(own.clone()))),
            (Ok(Some(own.clone())), Ok(Some(own)))
        );
    }
}
