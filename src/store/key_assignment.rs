//! Gives users their Google keys, over a store that other engines use at the same time (SPEC K2, K3, K9, K10).
//!
//! Three steps, each of which may be the last one of a process: the user is there, the place at the key is taken
//! ([`KeyHolders`]), the key is in the user's record. A place without the third step is taken up again by the next
//! assignment for the same user; one whose user is gone is given back by [`KeyAssignment::tidy`].

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use super::{
    Audit, By, Change, Effect, Entry, Everybody, KeyHealth, KeyHolder, KeyHolders, StoreError, Subject, Users,
};
use crate::domain::{KeyFingerprint, Sealing, Secret, Timestamp, User, UserId};
use crate::keys::{self, Fingerprints, KeyPool, NoOtherKey, PoolKey};

/// Each lost race means that somebody else got a key, so that many are assigned at once before this is reached.
const MAX_ATTEMPTS: usize = 1_000;

#[derive(Clone)]
pub struct KeyAssignment {
    pub users: Users,
    pub holders: KeyHolders,
    /// Keys that the model refuses are given to nobody (SPEC K8).
    pub health: KeyHealth,
    pub audit: Audit,
    /// On whose behalf.
    pub by: By,
    pub fingerprints: Fingerprints,
    pub sealing: Sealing,
    pub now: fn() -> Timestamp,
}

/// The keys of all users at one moment.
struct Distribution {
    /// By user: from its record, or where that has none yet, from the place it has taken.
    held: HashMap<UserId, KeyFingerprint>,
    places: Vec<KeyHolder>,
}

impl KeyAssignment {
    /// The user's key, a newly assigned one if it had none; `None`: the pool has no usable one, or this user may have none.
    pub async fn assign(
        &self,
        pool: &KeyPool,
        user: &UserId,
        usable: impl Fn(&PoolKey) -> bool,
    ) -> Result<Option<User>, StoreError> {
        let found = self.users.get(user).await?;
        let Some(found) = found.filter(User::may_own_calls) else { return Ok(None) };
        if found.google_api_key.is_some() {
            return Ok(Some(found));
        }
        let Some((key, holder)) = self.take_place(pool, user, &BTreeSet::new(), usable).await? else {
            return Ok(None);
        };
        let entry = self.entry_of(&key.key);
        // A user that got a key by another way meanwhile keeps that one.
        let entered = self.change(&found, "key.assign", Some(&key.key), |found| {
            (found.google_api_key.is_none() && found.may_own_calls()).then(|| entry.clone())
        });
        self.settle(entered.await, holder).await
    }

    /// Another key than the present one; `None`: there is no other usable key.
    pub async fn reassign(
        &self,
        pool: &KeyPool,
        user: &UserId,
        usable: impl Fn(&PoolKey) -> bool,
    ) -> Result<Option<User>, StoreError> {
        let found = self.users.get(user).await?;
        let Some(found) = found.filter(User::may_own_calls) else { return Ok(None) };
        let avoided = self.fingerprint_of(&found).into_iter().collect();
        let Some((key, holder)) = self.take_place(pool, user, &avoided, usable).await? else {
            return Ok(None);
        };
        let entry = self.entry_of(&key.key);
        let entered = self.change(&found, "key.reassign", Some(&key.key), |found| {
            found.may_own_calls().then(|| entry.clone())
        });
        self.settle(entered.await, holder).await
    }

    /// For whoever was to have another key and could not ([`KeyAssignment::reassign`]).
    pub fn no_other_key(&self, pool: &KeyPool, user: &User) -> NoOtherKey {
        let present = self.fingerprint_of(user);
        pool.no_other_key(|entry| Some(self.fingerprints.of(&entry.key)) == present)
    }

    /// A key for everybody who may have one and has none, after the places of users who are gone were given back.
    pub async fn assign_to_all(&self, pool: &KeyPool) -> Result<(), StoreError> {
        self.tidy().await?;
        for user in self.users.all().await? {
            if user.google_api_key.is_none() {
                self.assign(pool, &user.id, |_| true).await?;
            }
        }
        Ok(())
    }

    /// Moves users off keys that others hold too while there are free ones. Gives who got another key.
    pub async fn spread(
        &self,
        pool: &KeyPool,
        usable: impl Fn(&PoolKey) -> bool,
    ) -> Result<Vec<User>, StoreError> {
        let mut moved = Vec::new();
        loop {
            let distribution = self.distribution().await?;
            let is_free = |entry: &PoolKey| distribution.users_of(&self.fingerprints.of(&entry.key)) == 0;
            let free = pool.keys().iter().any(|entry| is_free(entry) && usable(entry));
            let Some(user) = distribution.somebody_who_shares().filter(|_| free) else { return Ok(moved) };
            match self.reassign(pool, &user, |entry| is_free(entry) && usable(entry)).await? {
                Some(user) => moved.push(user),
                None => return Ok(moved),
            }
        }
    }

    /// Takes the key out of the record and gives the place back; the user may be gone already.
    pub async fn give_back(&self, user: &UserId) -> Result<(), StoreError> {
        if let Some(found) = self.users.get(user).await?.filter(|found| found.google_api_key.is_some()) {
            let without = json!({ "google_api_key": null, "google_api_key_fingerprint": null });
            match self.change(&found, "key.give_back", None, |_| Some(without.clone())).await {
                Ok(_) | Err(StoreError::NotFound { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        for holder in self.holders.of(user).await? {
            self.holders.give_back(&holder).await?;
        }
        Ok(())
    }

    /// Seals keys that are plain or sealed by an older key, and names those it cannot open. Gives how many it changed.
    pub async fn seal(&self) -> Result<Sealed, StoreError> {
        let Everybody { users, unreadable } = self.users.everybody().await?;
        let unreadable = unreadable.into_iter().filter_map(|error| {
            let StoreError::Unreadable { id, .. } = &error else { return None };
            Some((id.clone(), error.to_string()))
        });
        let mut sealed = Sealed { changed: 0, unreadable: unreadable.collect() };
        for user in users {
            let behind = user.google_api_key.clone().filter(|key| self.sealing.is_behind(key));
            let Some(key) = behind else { continue };
            match self.sealing.open(&key) {
                Ok(plain) => {
                    let entry = self.entry_of(&plain);
                    let unchanged = |found: &User| found.google_api_key.as_ref() == Some(&key);
                    self.change(&user, "key.seal", Some(&plain), |found| {
                        unchanged(found).then(|| entry.clone())
                    })
                    .await?;
                    sealed.changed += 1;
                }
                Err(error) => sealed.unreadable.push((user.name, error.to_string())),
            }
        }
        Ok(sealed)
    }

    /// Gives back the places of users who are gone. A user is made before its place is taken, so nobody's is lost.
    pub async fn tidy(&self) -> Result<usize, StoreError> {
        let mut given_back = 0;
        for holder in self.holders.all().await? {
            let is_gone = match self.users.get(&holder.user_id).await {
                // Somebody is there, even if we cannot read who.
                Err(StoreError::Unreadable { .. }) => false,
                found => found?.is_none(),
            };
            if is_gone {
                self.holders.give_back(&holder).await?;
                given_back += 1;
            }
        }
        Ok(given_back)
    }

    /// By the key itself where it can be opened: a record of an older system has no fingerprint.
    pub fn fingerprint_of(&self, user: &User) -> Option<KeyFingerprint> {
        let opened = user.google_api_key.as_ref().and_then(|key| self.sealing.open(key).ok());
        let from_key = opened.map(|key| self.fingerprints.of(&key));
        from_key.or_else(|| user.google_api_key_fingerprint.clone().filter(|_| user.google_api_key.is_some()))
    }

    async fn take_place<'a>(
        &self,
        pool: &'a KeyPool,
        user: &UserId,
        avoided: &BTreeSet<KeyFingerprint>,
        usable: impl Fn(&PoolKey) -> bool,
    ) -> Result<Option<(&'a PoolKey, KeyHolder)>, StoreError> {
        let named: HashMap<KeyFingerprint, &PoolKey> =
            pool.keys().iter().map(|entry| (self.fingerprints.of(&entry.key), entry)).collect();
        let troubles = self.health.at((self.now)()).await?;
        let is_well = |entry: &PoolKey| troubles.of(entry, &self.fingerprints).is_none();
        for _ in 0..MAX_ATTEMPTS {
            let distribution = self.distribution().await?;
            let left = distribution.places.iter().find(|place| place.user_id == *user);
            let left = left.filter(|place| !avoided.contains(&place.fingerprint));
            if let Some((entry, place)) =
                left.and_then(|place| Some((*named.get(&place.fingerprint)?, place)))
            {
                return Ok(Some((entry, place.clone())));
            }
            let held: Vec<&Secret> =
                distribution.held.values().filter_map(|held| Some(&named.get(held)?.key)).collect();
            let may_be_taken = |entry: &PoolKey| {
                usable(entry) && is_well(entry) && !avoided.contains(&self.fingerprints.of(&entry.key))
            };
            let Some(entry) = keys::assign(pool, &held, may_be_taken) else { return Ok(None) };
            let fingerprint = self.fingerprints.of(&entry.key);
            let place = distribution.free_place(&fingerprint);
            let holder = KeyHolder { fingerprint, place, user_id: user.clone() };
            if self.holders.take(&holder).await? {
                return Ok(Some((entry, holder)));
            }
        }
        Err(StoreError::Busy)
    }

    /// Of all places the user may have taken, the one of the key in its record stays.
    async fn settle(
        &self,
        entered: Result<User, StoreError>,
        taken: KeyHolder,
    ) -> Result<Option<User>, StoreError> {
        let user = match entered {
            Ok(user) => Some(user),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let held = user.as_ref().and_then(|user| self.fingerprint_of(user));
        for place in self.holders.of(&taken.user_id).await? {
            if held.as_ref() != Some(&place.fingerprint) {
                self.holders.give_back(&place).await?;
            }
        }
        Ok(user.filter(|_| held.is_some()))
    }

    async fn change(
        &self,
        user: &User,
        action: &'static str,
        key: Option<&Secret>,
        mut decide: impl FnMut(&User) -> Option<Value>,
    ) -> Result<User, StoreError> {
        let change = Change::new(self.by.clone(), action, Effect::Changed, Subject::user(user))
            .of_tenant(user.tenant_id.clone());
        let change = match key {
            Some(key) => change.with("key", key),
            None => change,
        };
        let act = async |entry: &Entry| self.users.change(entry, &user.id, &mut decide).await;
        self.audit.record(change, act).await
    }

    fn entry_of(&self, plain: &Secret) -> Value {
        json!({
            "google_api_key": self.sealing.seal(plain, (self.now)()),
            "google_api_key_fingerprint": self.fingerprints.of(plain),
        })
    }

    async fn distribution(&self) -> Result<Distribution, StoreError> {
        let (places, users) = (self.holders.all().await?, self.users.all().await?);
        let taken = places.iter().map(|place| (place.user_id.clone(), place.fingerprint.clone()));
        let mut held: HashMap<UserId, KeyFingerprint> = taken.collect();
        held.extend(users.iter().filter_map(|user| Some((user.id.clone(), self.fingerprint_of(user)?))));
        Ok(Distribution { held, places })
    }
}

/// What [`KeyAssignment::seal`] did.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sealed {
    pub changed: usize,
    /// Name of the user, and why its key cannot be opened.
    pub unreadable: Vec<(String, String)>,
}

impl Distribution {
    fn users_of(&self, fingerprint: &KeyFingerprint) -> usize {
        self.held.values().filter(|held| *held == fingerprint).count()
    }

    /// Behind those that hold the key without a place, in records of before there were places.
    fn free_place(&self, fingerprint: &KeyFingerprint) -> u32 {
        let taken: BTreeSet<u32> = self
            .places
            .iter()
            .filter(|place| place.fingerprint == *fingerprint)
            .map(|place| place.place)
            .collect();
        (1..).find(|place| !taken.contains(place)).unwrap_or(u32::MAX)
    }

    /// The last of the users of the key with the most.
    fn somebody_who_shares(&self) -> Option<UserId> {
        let sharing = self.held.iter().filter(|(_, key)| self.users_of(key) > 1);
        sharing.max_by_key(|(user, key)| (self.users_of(key), (*user).clone())).map(|(user, _)| user.clone())
    }
}

#[cfg(test)]
mod tests;
