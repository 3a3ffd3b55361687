//! From a name and a password to a session.

use std::net::IpAddr;

use tokio::time::sleep;

use super::sessions::is_good;
use super::{AccountError, Accounts, LogInError, NewPassword, shown};
use crate::access::password::{Checked, MAX_BYTES, Unfit};
use crate::access::{Bearer, BearerKind, Identity, Standing, Ticket, Verdict, folded};
use crate::clock;
use crate::domain::{Secret, User};
use crate::store::{By, Credential, StoreError};
use crate::telemetry::{Counter, count};

/// More sessions than this are nobody's habit: the oldest ends.
const SESSIONS_PER_USER_MAX: usize = 50;
const LABEL_CHARS_MAX: usize = 200;

pub struct Attempt<'a> {
    pub name: &'a str,
    pub password: Secret,
    pub source: IpAddr,
    /// What the client calls itself, to tell sessions apart in a list.
    pub label: &'a str,
}

#[derive(Debug)]
pub struct LoggedIn {
    /// It is told this once; the store has its hash.
    pub token: Secret,
    pub identity: Identity,
}

impl Accounts {
    pub async fn log_in(&self, attempt: Attempt<'_>) -> Result<LoggedIn, LogInError> {
        let Attempt { name, password, source, label } = attempt;
        let (user, credential) = self.check_password(name, password, source).await?;
        let logged_in = self.open_session(&user, &credential, label).await?;
        count(Counter::LogIns);
        tracing::info!(user = %user.id, source = %shown(source), "logged in");
        Ok(logged_in)
    }

    /// The old password is asked for, so that a session left open is not enough to take an account over. All sessions
    /// and API tokens of the user end; who asked gets a new session.
    pub async fn change_own_password(
        &self,
        who: &Identity,
        new_password: Secret,
        attempt: Attempt<'_>,
    ) -> Result<LoggedIn, LogInError> {
        let Attempt { password, source, label, .. } = attempt;
        if password == new_password {
            return Err(AccountError::from(Unfit::IsTheOldOne).into());
        }
        let (user, _) = self.check_password(&who.name, password, source).await?;
        self.set_password(By::from(who), &user, NewPassword::Chosen(new_password)).await?;
        let changed = self.users.with_credential(&user.id).await?.filter(|(user, _)| user.enabled);
        let (user, credential) = changed.ok_or(LogInError::Wrong)?;
        self.open_session(&user, &credential, label).await
    }

    /// The user whose password this is, if it is anybody's. Guessing is slowed here.
    async fn check_password(
        &self,
        name: &str,
        password: Secret,
        source: IpAddr,
    ) -> Result<(User, Credential), LogInError> {
        // Other spellings are guesses at the same user.
        let guessed = folded(name);
        let (standing, verdict) = self.begin_guess(&guessed, source);
        match verdict {
            Verdict::Refused(retry_after) => {
                count(Counter::LogInsSlowed);
                let retry_after_s = retry_after.as_secs() + 1;
                tracing::warn!(source = %shown(source), retry_after_s, "guessing is slowed: a log-in was not looked at");
                return Err(LogInError::Slowed { retry_after });
            }
            Verdict::After(delay) if delay.is_zero() => {}
            Verdict::After(delay) => sleep(clock::timer_for(delay)).await,
        }
        let is_too_long = password.expose().len() > MAX_BYTES;
        let result =
            if is_too_long { Err(LogInError::Wrong) } else { self.look_at(standing, name, password).await };
        match &result {
            Ok(_) => self.guesses().succeeded(&guessed, source, self.now()),
            Err(LogInError::Wrong) => {
                count(Counter::LogInsWrong);
                tracing::warn!(source = %shown(source), "a log-in with a wrong name or password");
            }
            Err(LogInError::Account(_) | LogInError::Slowed { .. }) => {
                self.guesses().abandoned(&guessed, source)
            }
        }
        result
    }

    /// As one step, so that of many at once only the first finds its address without a failure.
    fn begin_guess(&self, guessed: &str, source: IpAddr) -> (Standing, Verdict) {
        let (mut guesses, now) = (self.guesses(), self.now());
        let standing = guesses.standing(guessed, source, now);
        (standing, guesses.begin(guessed, source, now))
    }

    /// As much work for a name that nobody has as for one of ours.
    async fn look_at(
        &self,
        standing: Standing,
        name: &str,
        password: Secret,
    ) -> Result<(User, Credential), LogInError> {
        let found = self.users.for_log_in(name).await?;
        let stored = found.as_ref().and_then(|(_, credential)| credential.password_hash.clone());
        let checked = self.passwords.check(standing, password.clone(), stored).await;
        let checked = checked.map_err(AccountError::from)?;
        // Only names of ours may reach a log: people type passwords into the wrong field.
        let Some((user, credential)) = found else { return Err(LogInError::Wrong) };
        match checked {
            Checked::Wrong => {
                tracing::warn!(user = %user.id, "a wrong password for this user");
                Err(LogInError::Wrong)
            }
            Checked::Right | Checked::RightButOld if !user.enabled => {
                tracing::warn!(user = %user.id, "the right password of a disabled user");
                Err(LogInError::Wrong)
            }
            Checked::Right => Ok((user, credential)),
            Checked::RightButOld => {
                self.renew(&user, &credential, password).await;
                Ok((user, credential))
            }
        }
    }

    /// The log-in stands, whatever comes of this.
    async fn renew(&self, user: &User, credential: &Credential, password: Secret) {
        let Some(old) = &credential.password_hash else { return };
        let renewed = match self.passwords.hash(password).await {
            Ok(new) => self.users.renew_hash(&user.id, old, &new).await.map_err(AccountError::from),
            Err(error) => Err(error),
        };
        match renewed {
            Ok(()) => {
                tracing::info!(user = %user.id, "the password's hash was renewed with today's parameters")
            }
            Err(error) => tracing::warn!(user = %user.id, %error, "the password's hash could not be renewed"),
        }
    }

    pub(super) async fn open_session(
        &self,
        user: &User,
        credential: &Credential,
        label: &str,
    ) -> Result<LoggedIn, LogInError> {
        let random = clock::random_bytes().map_err(AccountError::from)?;
        let bearer = Bearer::new(BearerKind::Session, &clock::new_id(), &random);
        let ticket = Ticket {
            expires_at: Some(self.limits.end_of(self.wall())),
            ..self.ticket(user, credential, &bearer, label)
        };
        self.logins.insert(&bearer.id, &ticket).await?;
        // Who was disabled or given a new password since it was read must not be left with a session.
        if !is_good(&ticket, self.users.with_credential(&user.id).await?.as_ref()) {
            self.logins.end(&bearer.id).await?;
            return Err(LogInError::Wrong);
        }
        self.end_surplus_sessions(user).await?;
        Ok(LoggedIn { token: bearer.text(), identity: ticket.identity() })
    }

    pub(super) fn ticket(
        &self,
        user: &User,
        credential: &Credential,
        bearer: &Bearer,
        label: &str,
    ) -> Ticket {
        Ticket {
            user_id: user.id.clone(),
            user_name: user.name.clone(),
            role: user.role,
            tenant_id: user.tenant_id.clone(),
            generation: credential.generation,
            must_change_password: credential.must_change_password,
            token_hash: bearer.hash(),
            label: label.chars().filter(|c| !c.is_control()).take(LABEL_CHARS_MAX).collect(),
            seen_at: self.wall(),
            expires_at: None,
        }
    }

    async fn end_surplus_sessions(&self, user: &User) -> Result<(), StoreError> {
        let sessions = self.logins.of_user(&user.id).await?;
        let surplus = sessions.len().saturating_sub(SESSIONS_PER_USER_MAX);
        for (id, _) in sessions.iter().take(surplus) {
            self.logins.end(id).await?;
        }
        Ok(())
    }
}
