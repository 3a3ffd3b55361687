//! Which key a user without one gets (SPEC K3).

use super::pool::{KeyPool, PoolKey};
use crate::domain::{ProjectId, Secret};

/// `held` lists the key of every user that has one; `usable` says which keys the model accepts today (SPEC K8).
///
/// A key nobody holds wins, before all one whose project nobody uses; when all are held, the one with the fewest
/// users. Ties go by the order of the pool.
pub fn assign<'a>(
    pool: &'a KeyPool,
    held: &[&Secret],
    usable: impl Fn(&PoolKey) -> bool,
) -> Option<&'a PoolKey> {
    let projects_in_use: Vec<ProjectId> = held.iter().map(|key| pool.project_of(key)).collect();
    let rank = |entry: &&PoolKey| {
        let users = held.iter().filter(|key| **key == &entry.key).count();
        let shares_a_project = projects_in_use.contains(&entry.project);
        (users, shares_a_project)
    };
    pool.keys().iter().filter(|entry| usable(entry)).min_by_key(rank)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool() -> KeyPool {
        KeyPool::from_variables([
            ("GOOGLE_API_KEY", "a"),
            ("GOOGLE_API_KEY_PROJECT", "acme"),
            ("GOOGLE_API_KEY_2", "b"),
            ("GOOGLE_API_KEY_2_PROJECT", "acme"),
            ("GOOGLE_API_KEY_3", "c"),
        ])
        .unwrap()
    }

    fn assigned(held: &[&str]) -> String {
        let held: Vec<Secret> = held.iter().map(|key| Secret::new(*key)).collect();
        let held: Vec<&Secret> = held.iter().collect();
        assign(&pool(), &held, |_| true).unwrap().key.expose().to_owned()
    }

    #[test]
    fn k3_a_free_key_of_an_unused_project_goes_before_a_free_key_of_a_used_one() {
        assert_eq!(assigned(&[]), "a");
        assert_eq!(assigned(&["a"]), "c");
        assert_eq!(assigned(&["a", "c"]), "b");
    }

    #[test]
    fn k3_when_all_are_held_the_one_with_the_fewest_users_is_shared_ties_in_pool_order() {
        assert_eq!(assigned(&["a", "b", "c"]), "a");
        assert_eq!(assigned(&["a", "b", "c", "a", "b"]), "c");
    }

    #[test]
    fn k8_a_key_the_model_refuses_is_not_given_out() {
        let pool = pool();
        let without_a = assign(&pool, &[], |entry| entry.key.expose() != "a").unwrap();
        assert_eq!(without_a.key.expose(), "b");
        assert_eq!(assign(&pool, &[], |_| false), None);
    }

    #[test]
    fn k2_an_empty_pool_assigns_nothing() {
        assert_eq!(assign(&KeyPool::default(), &[], |_| true), None);
    }
}
