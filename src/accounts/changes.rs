//! Adding, changing and removing users; each leaves its entry in the audit log.

use serde_json::{Value, json};

use super::{AccountError, Accounts};
use crate::access::{check_name, password};
use crate::clock;
use crate::domain::{Role, Secret, TenantId, User, UserId};
use crate::store::{By, Change, Credential, Effect, Entry, LEAVING, StoreError, Subject, USERS};

pub struct NewUser {
    pub name: String,
    pub role: Role,
    /// An agent's; an admin founds its own, a superadmin has none.
    pub tenant_id: Option<TenantId>,
    pub password: NewPassword,
}

pub enum NewPassword {
    /// The user cannot log in until it gets one.
    None,
    Chosen(Secret),
    /// Made by us, told once, and to be changed at the first log-in.
    OneTime,
}

#[derive(Debug)]
pub struct Added {
    pub user: User,
    pub one_time_password: Option<Secret>,
}

/// Five bits each.
const ONE_TIME_CHARS: usize = 24;

impl Accounts {
    pub async fn add(&self, by: By, new: NewUser) -> Result<Added, AccountError> {
        self.add_with_id(by, UserId::new(clock::new_id()), new).await
    }

    pub(super) async fn add_with_id(&self, by: By, id: UserId, new: NewUser) -> Result<Added, AccountError> {
        check_name(&new.name)?;
        let tenant_id = match new.role {
            Role::Superadmin => None,
            Role::Admin => Some(TenantId::new(id.as_str())),
            Role::Agent => Some(self.tenant_with_admin(new.tenant_id.as_ref()).await?),
        };
        let user = User {
            id,
            name: new.name,
            role: new.role,
            tenant_id,
            google_api_key: None,
            google_api_key_fingerprint: None,
            enabled: true,
        };
        let (credential, one_time_password) = self.credential(new.password, &user.name).await?;
        let change = change_of(by, "user.add", Effect::Made, &user).with("role", name_of(user.role));
        let insert = async |entry: &_| {
            self.have_nobody_called(&user.name, &user.id).await?;
            self.users
                .insert(entry, &user, &credential)
                .await
                .map_err(|error| taken_or(error, &user.name))?;
            self.stay_with_own_name(entry, &user).await?;
            self.stay_with_admin(entry, &user).await
        };
        self.audit.record(change, insert).await?;
        Ok(Added { user, one_time_password })
    }

    /// Two users whose names differ only in case may be added at the same instant, and no unique index tells. Each is
    /// written first and looks for the other then, so at least one sees the other, and undoes its own.
    async fn stay_with_own_name(&self, entry: &Entry, user: &User) -> Result<(), AccountError> {
        let refused = self.have_nobody_called(&user.name, &user.id).await;
        if refused.is_err() {
            self.users.remove(entry, &user.id).await?;
        }
        refused
    }

    /// An admin who was removed while its agent was added would leave the agent without anybody. Whoever removes an
    /// admin marks it first and looks for agents then; we write the agent first and look for the mark then. So of the
    /// two at least one sees the other, in whatever order the store does it, and undoes its own.
    async fn stay_with_admin(&self, entry: &Entry, user: &User) -> Result<(), AccountError> {
        let (Role::Agent, Some(tenant)) = (user.role, &user.tenant_id) else { return Ok(()) };
        if self.users.staying(&UserId::new(tenant.as_str())).await?.is_some() {
            return Ok(());
        }
        self.users.remove(entry, &user.id).await?;
        Err(AccountError::NoAdmin(tenant.to_string()))
    }

    /// Ends all sessions and API tokens of the user. Gives the one-time password, if one was made.
    pub async fn set_password(
        &self,
        by: By,
        user: &User,
        password: NewPassword,
    ) -> Result<Option<Secret>, AccountError> {
        let (credential, one_time_password) = self.credential(password, &user.name).await?;
        let changes = json!({
            "password_hash": credential.password_hash,
            "must_change_password": credential.must_change_password,
        });
        self.shut_out(change_of(by, "user.set_password", Effect::Changed, user), user, changes).await?;
        Ok(one_time_password)
    }

    /// False when the user was disabled already. Ends all its sessions and API tokens.
    pub async fn disable(&self, by: By, user: &User) -> Result<bool, AccountError> {
        if !user.enabled {
            return Ok(false);
        }
        self.keep_a_superadmin(user).await?;
        let change = change_of(by.clone(), "user.disable", Effect::Changed, user);
        self.shut_out(change, user, json!({ "enabled": false })).await?;
        self.be_a_superadmin_still(by, user).await?;
        Ok(true)
    }

    /// Two superadmins may disable each other at the same instant, each seeing the other one before. Each looks again
    /// after its own write: the later of the two then sees both, and takes its own back. A crash between the two steps
    /// is left to whoever sits at the machine (`clearline user enable`).
    async fn be_a_superadmin_still(&self, by: By, user: &User) -> Result<(), AccountError> {
        let refused = match self.keep_a_superadmin(user).await {
            Err(refused @ AccountError::LastSuperadmin(_)) => refused,
            decided => return decided,
        };
        self.enable(by, &User { enabled: false, ..user.clone() }).await?;
        Err(refused)
    }

    /// False when the user was enabled already. Sessions and tokens from before do not come back.
    pub async fn enable(&self, by: By, user: &User) -> Result<bool, AccountError> {
        if user.enabled {
            return Ok(false);
        }
        let change = change_of(by, "user.enable", Effect::Changed, user);
        let enabled = json!({ "enabled": true, LEAVING: null });
        let enable = async |entry: &_| self.users.change(entry, &user.id, |_| Some(enabled.clone())).await;
        self.audit.record(change, enable).await?;
        Ok(true)
    }

    /// Ends all sessions and API tokens of the user. What it owned stays, under its id.
    pub async fn remove(&self, by: By, user: &User) -> Result<(), AccountError> {
        self.have_no_agents(user).await?;
        if user.role == Role::Superadmin {
            // What was removed cannot be taken back, so it is disabled first.
            self.disable(by.clone(), user).await?;
        }
        let change = change_of(by, "user.remove", Effect::Removed, user).with("role", name_of(user.role));
        let remove = async |entry: &_| {
            self.leave_no_agents(entry, user).await?;
            self.users.remove(entry, &user.id).await?;
            self.logins.end_all_of(&user.id).await?;
            Ok(self.api_tokens.revoke_all_of(entry, &user.id).await?)
        };
        self.audit.record(change, remove).await.map(drop)
    }

    /// A record that cannot be read says nothing of who this was; its sessions and tokens may still be there.
    pub async fn remove_unreadable(&self, by: By, id: &UserId) -> Result<(), AccountError> {
        let subject = Subject::new(&USERS, id.as_str(), "a user whose record could not be read");
        let remove = async |entry: &_| {
            self.users.remove(entry, id).await?;
            self.logins.end_all_of(id).await?;
            Ok::<_, AccountError>(self.api_tokens.revoke_all_of(entry, id).await?)
        };
        self.audit.record(Change::new(by, "user.remove", Effect::Removed, subject), remove).await.map(drop)
    }

    /// See [`Accounts::stay_with_admin`].
    async fn leave_no_agents(&self, entry: &Entry, user: &User) -> Result<(), AccountError> {
        if user.role != Role::Admin {
            return Ok(());
        }
        self.users.change(entry, &user.id, |_| Some(json!({ LEAVING: true }))).await?;
        let refused = self.have_no_agents(user).await;
        if refused.is_err() {
            self.users.change(entry, &user.id, |_| Some(json!({ LEAVING: null }))).await?;
        }
        refused
    }

    async fn have_no_agents(&self, user: &User) -> Result<(), AccountError> {
        let agents = self.agents_of(user).await?;
        if agents.is_empty() {
            return Ok(());
        }
        Err(AccountError::HasAgents { name: user.name.clone(), agents: in_one_line(&agents) })
    }

    /// For whoever disables or removes this user: what does not end with it. An admin's agents stay who they are:
    /// whoever disables an admin shuts out one person, not a company.
    pub async fn what_goes_on_without(&self, user: &User) -> Result<Vec<String>, AccountError> {
        let mut told = Vec::new();
        match self.calls.running_of(&user.id).await? {
            0 => {}
            1 => told.push(format!("1 call of {} is in progress and goes on to its end", user.name)),
            many => {
                told.push(format!("{many} calls of {} are in progress and go on to their end", user.name))
            }
        }
        let mut agents = self.agents_of(user).await?;
        agents.retain(|agent| agent.enabled);
        if !agents.is_empty() {
            let (who, name) = (in_one_line(&agents), &user.name);
            told.push(format!("the agents of {name} ({who}) log in and make calls as before; disable them too if they shall not"));
        }
        Ok(told)
    }

    pub async fn agents_of(&self, user: &User) -> Result<Vec<User>, AccountError> {
        let (Role::Admin, Some(tenant)) = (user.role, &user.tenant_id) else { return Ok(Vec::new()) };
        let tenants = self.users.of_tenant(tenant.as_str()).await?;
        Ok(tenants.into_iter().filter(|other| other.id != user.id).collect())
    }

    /// The record first: a log-in at the same moment then finds that it has moved on.
    async fn shut_out(&self, change: Change, user: &User, changes: Value) -> Result<(), AccountError> {
        let shut_out = async |entry: &_| {
            self.users.change_and_shut_out(entry, &user.id, &changes).await?;
            self.logins.end_all_of(&user.id).await?;
            self.api_tokens.revoke_all_of(entry, &user.id).await
        };
        self.audit.record(change, shut_out).await?;
        Ok(())
    }

    async fn credential(
        &self,
        password: NewPassword,
        user_name: &str,
    ) -> Result<(Credential, Option<Secret>), AccountError> {
        match password {
            NewPassword::None => Ok((Credential::default(), None)),
            NewPassword::Chosen(chosen) => {
                password::fit(&chosen, user_name)?;
                let password_hash = Some(self.passwords.hash(chosen).await?);
                Ok((Credential { password_hash, ..Credential::default() }, None))
            }
            NewPassword::OneTime => {
                let made = Secret::new(clock::entropy()?.token(ONE_TIME_CHARS));
                let password_hash = Some(self.passwords.hash(made.clone()).await?);
                let credential = Credential { password_hash, must_change_password: true, generation: 0 };
                Ok((credential, Some(made)))
            }
        }
    }

    async fn tenant_with_admin(&self, tenant: Option<&TenantId>) -> Result<TenantId, AccountError> {
        let named = tenant.map_or("", TenantId::as_str);
        match self.users.staying(&UserId::new(named)).await? {
            Some(User { role: Role::Admin, tenant_id: Some(tenant), .. }) => Ok(tenant),
            Some(_) | None => Err(AccountError::NoAdmin(named.to_owned())),
        }
    }

    async fn keep_a_superadmin(&self, user: &User) -> Result<(), AccountError> {
        if user.role != Role::Superadmin || !user.enabled {
            return Ok(());
        }
        let others = self.users.of_role(Role::Superadmin).await?;
        let another = others.iter().any(|other| other.id != user.id && other.enabled);
        if another { Ok(()) } else { Err(AccountError::LastSuperadmin(user.name.clone())) }
    }
}

fn in_one_line(users: &[User]) -> String {
    users.iter().map(|user| user.name.as_str()).collect::<Vec<_>>().join(", ")
}

fn taken_or(error: StoreError, name: &str) -> AccountError {
    let is_taken = matches!(error, StoreError::Conflict { .. });
    if is_taken { AccountError::NameTaken(name.to_owned()) } else { error.into() }
}

fn change_of(by: By, action: &'static str, effect: Effect, user: &User) -> Change {
    Change::new(by, action, effect, Subject::user(user)).of_tenant(user.tenant_id.clone())
}

fn name_of(role: Role) -> &'static str {
    match role {
        Role::Superadmin => "superadmin",
        Role::Admin => "admin",
        Role::Agent => "agent",
    }
}
