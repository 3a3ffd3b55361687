//! What has had its time is taken away, and what a crash left behind is put right.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::sleep;

use super::Accounts;
use super::sessions::is_good;
use crate::access::Ticket;
use crate::clock;
use crate::domain::{User, UserId};
use crate::store::{Credential, StoreError, Tickets};

const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Users that one sweep has asked for already.
type Known = HashMap<UserId, Option<(User, Credential)>>;

impl Accounts {
    /// At the engine's start: settles the audit log, then sweeps until it is dropped.
    pub async fn keep_tidy(self) {
        match self.audit.settle_pending().await {
            Ok(0) => {}
            Ok(settled) => tracing::info!(settled, "audit entries of an earlier run were settled"),
            Err(error) => tracing::warn!(%error, "audit entries of an earlier run could not be settled"),
        }
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "sessions could not be swept; trying again");
            }
            sleep(clock::timer_for(SWEEP_EVERY)).await;
        }
    }

    /// Takes away sessions that are over, and whatever opened for a user who has since been shut out. Gives how many.
    pub async fn sweep(&self) -> Result<usize, StoreError> {
        let (mut swept, mut known) = (0, Known::new());
        let mut after = None;
        loop {
            let (tickets, next) = self.logins.page(after).await?;
            for id in self.spent(tickets, &mut known).await? {
                swept += usize::from(self.logins.end(&id).await?);
            }
            after = next;
            if after.is_none() {
                break;
            }
        }
        loop {
            let (tickets, next) = self.api_tokens.page(after).await?;
            for id in self.spent(tickets, &mut known).await? {
                swept += usize::from(self.api_tokens.sweep_away(&id).await?);
            }
            after = next;
            if after.is_none() {
                return Ok(swept);
            }
        }
    }

    async fn spent(&self, tickets: Tickets, known: &mut Known) -> Result<Vec<String>, StoreError> {
        let mut spent = Vec::new();
        for (id, ticket) in tickets {
            if ticket.is_over(self.wall(), &self.limits) || !self.still_opens(&ticket, known).await? {
                spent.push(id);
            }
        }
        Ok(spent)
    }

    async fn still_opens(&self, ticket: &Ticket, known: &mut Known) -> Result<bool, StoreError> {
        if !known.contains_key(&ticket.user_id) {
            let user = match self.users.with_credential(&ticket.user_id).await {
                // Nobody can say what such a user may do, so nothing opens for it. Others' tickets are looked at all the same.
                Err(error @ StoreError::Unreadable { .. }) => {
                    tracing::error!(%error, "what was opened for this user is closed");
                    None
                }
                read => read?,
            };
            known.insert(ticket.user_id.clone(), user);
        }
        Ok(is_good(ticket, known.get(&ticket.user_id).and_then(Option::as_ref)))
    }
}
