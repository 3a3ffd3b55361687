//! The pool of keys, as the operator's environment names them (SPEC K1, K11).

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::domain::{ProjectId, Secret};

/// The first key of the pool, which also serves owners without one of their own.
pub const DEFAULT_KEY_VARIABLE: &str = "GOOGLE_API_KEY";
const FIRST_KEY_ALIAS: &str = "GOOGLE_API_KEY_1";
const PROJECT_SUFFIX: &str = "_PROJECT";
/// Keys of Google have 39 characters; what is far longer is a pasted file.
const MAX_KEY_CHARS: usize = 512;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolKey {
    pub key: Secret,
    pub project: ProjectId,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KeyPool {
    keys: Vec<PoolKey>,
    default_index: Option<usize>,
    /// Variables whose key an earlier one has as well.
    repeats: Vec<String>,
}

/// Why nobody can be given another key than the present one.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NoOtherKey {
    #[error("the pool has no key at all; set GOOGLE_API_KEY, GOOGLE_API_KEY_2, …")]
    Empty,
    #[error("the one key of the pool is the one this user holds; add another as GOOGLE_API_KEY_2, _3, …")]
    Alone,
    #[error(
        "the one key of the pool is the one this user holds: {0} repeats it, and the same key counts once; set another one"
    )]
    Repeated(String),
    #[error(
        "the model refuses the other keys of the pool; `clearline keys report` shows since when and for how long"
    )]
    Refused,
}

/// Why nobody can be given a key. That others hold them all is no reason: then one is shared (SPEC K3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NoKeyToGive {
    #[error(
        "the pool has no Google key; set GOOGLE_API_KEY, GOOGLE_API_KEY_2, …, then `clearline keys assign` gives keys"
    )]
    Empty,
    #[error(
        "the model refuses every key of the pool; `clearline keys report` shows since when and for how long, and \
         `clearline keys assign` gives keys when one is well again"
    )]
    Refused,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PoolError {
    #[error(
        "{variable} holds a character that no Google key has (a space, line break or non-ASCII sign); \
             copy the key again from AI Studio"
    )]
    BadCharacter { variable: String },
    #[error("{variable} is longer than {MAX_KEY_CHARS} characters; it must hold one key only")]
    TooLong { variable: String },
    #[error("{DEFAULT_KEY_VARIABLE} and {FIRST_KEY_ALIAS} name the same key but differ; remove one of them")]
    AliasDiffers,
}

impl KeyPool {
    /// Reads every key variable out of an environment; other variables are passed over.
    pub fn from_variables<'a>(
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Result<Self, PoolError> {
        let mut found = Variables::default();
        for (name, value) in variables {
            found.take(name, value.trim())?;
        }
        Ok(found.into_pool())
    }

    pub fn keys(&self) -> &[PoolKey] {
        &self.keys
    }

    /// The key of GOOGLE_API_KEY; a pool that starts at GOOGLE_API_KEY_2 has none.
    pub fn default_key(&self) -> Option<&PoolKey> {
        self.keys.get(self.default_index?)
    }

    /// The project a key is counted on. A key outside the pool is its own project (SPEC K2).
    pub fn project_of(&self, key: &Secret) -> ProjectId {
        let known = self.keys.iter().find(|entry| entry.key == *key);
        known.map_or_else(|| project_of_key(key), |entry| entry.project.clone())
    }

    /// For whoever was to have a key and got none.
    pub fn no_key_to_give(&self) -> NoKeyToGive {
        if self.keys.is_empty() { NoKeyToGive::Empty } else { NoKeyToGive::Refused }
    }

    /// For whoever was to have another key and could not; `is_present` says which key that is.
    pub fn no_other_key(&self, is_present: impl Fn(&PoolKey) -> bool) -> NoOtherKey {
        if self.keys.is_empty() {
            return NoOtherKey::Empty;
        }
        let has_others = self.keys.iter().any(|entry| !is_present(entry));
        match self.repeats.as_slice() {
            _ if has_others => NoOtherKey::Refused,
            [] => NoOtherKey::Alone,
            repeats => NoOtherKey::Repeated(repeats.join(", ")),
        }
    }

    fn add(&mut self, number: u32, key: Secret, project: Option<String>) {
        if self.keys.iter().any(|entry| entry.key == key) {
            self.repeats.push(format!("{DEFAULT_KEY_VARIABLE}_{number}"));
            return;
        }
        if number == 1 {
            self.default_index = Some(self.keys.len());
        }
        let project = project.map_or_else(|| project_of_key(&key), ProjectId::new);
        self.keys.push(PoolKey { key, project });
    }
}

/// A key without a named project is its own; the name tells nothing about the key.
pub fn project_of_key(key: &Secret) -> ProjectId {
    let digest = Sha256::digest(key.expose().as_bytes());
    let short: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    ProjectId::new(format!("key-{short}"))
}

#[derive(Default)]
struct Variables {
    keys: BTreeMap<u32, Secret>,
    projects: BTreeMap<u32, String>,
}

impl Variables {
    fn take(&mut self, name: &str, value: &str) -> Result<(), PoolError> {
        if value.is_empty() {
            return Ok(());
        }
        if let Some(number) = name.strip_suffix(PROJECT_SUFFIX).and_then(key_number) {
            self.projects.insert(number, value.to_owned());
            return Ok(());
        }
        let Some(number) = key_number(name) else { return Ok(()) };
        check_characters(name, value)?;
        let before = self.keys.insert(number, Secret::new(value));
        if before.is_some_and(|other| other.expose() != value) {
            Err(PoolError::AliasDiffers)
        } else {
            Ok(())
        }
    }

    fn into_pool(self) -> KeyPool {
        let mut pool = KeyPool::default();
        for (number, key) in &self.keys {
            pool.add(*number, key.clone(), self.project_named_for(key));
        }
        pool
    }

    /// A key that is listed twice takes the first project any of its places names.
    fn project_named_for(&self, key: &Secret) -> Option<String> {
        let numbers = self.keys.iter().filter(|(_, other)| *other == key).map(|(number, _)| number);
        numbers.filter_map(|number| self.projects.get(number)).next().cloned()
    }
}

/// GOOGLE_API_KEY and GOOGLE_API_KEY_1 are number 1. Spellings such as `_02` are not key variables: two of them could
/// mean the same number.
fn key_number(name: &str) -> Option<u32> {
    if name == DEFAULT_KEY_VARIABLE {
        return Some(1);
    }
    let digits = name.strip_prefix(DEFAULT_KEY_VARIABLE)?.strip_prefix('_')?;
    let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    if canonical { digits.parse().ok() } else { None }
}

fn check_characters(variable: &str, value: &str) -> Result<(), PoolError> {
    if !value.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(PoolError::BadCharacter { variable: variable.to_owned() });
    }
    if value.len() > MAX_KEY_CHARS {
        return Err(PoolError::TooLong { variable: variable.to_owned() });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pool(variables: &[(&str, &str)]) -> KeyPool {
        KeyPool::from_variables(variables.iter().copied()).unwrap()
    }

    fn keys(pool: &KeyPool) -> Vec<&str> {
        pool.keys().iter().map(|entry| entry.key.expose()).collect()
    }

    #[test]
    fn k1_keys_stand_in_numeric_order_and_gaps_blanks_and_duplicates_do_not_count() {
        let pool = pool(&[
            ("GOOGLE_API_KEY_10", "ten"),
            ("GOOGLE_API_KEY_2", "  two\n"),
            ("GOOGLE_API_KEY_3", "   "),
            ("GOOGLE_API_KEY_5", "two"),
            ("GOOGLE_API_KEY", "one"),
            ("GOOGLE_APPLICATION_CREDENTIALS", "not a key"),
        ]);
        assert_eq!(keys(&pool), ["one", "two", "ten"]);
        assert_eq!(pool.default_key().unwrap().key.expose(), "one");
    }

    #[test]
    fn k9_where_there_is_no_other_key_it_is_said_why() {
        let holding = |key: &'static str| move |entry: &PoolKey| entry.key.expose() == key;
        let why = |variables: &[(&str, &str)]| pool(variables).no_other_key(holding("one"));
        assert_eq!(why(&[]), NoOtherKey::Empty);
        assert_eq!(why(&[("GOOGLE_API_KEY", "one"), ("GOOGLE_API_KEY_1", "one")]), NoOtherKey::Alone);
        let same = [("GOOGLE_API_KEY", "one"), ("GOOGLE_API_KEY_2", "one"), ("GOOGLE_API_KEY_7", " one ")];
        assert_eq!(why(&same), NoOtherKey::Repeated("GOOGLE_API_KEY_2, GOOGLE_API_KEY_7".into()));
        assert_eq!(why(&[("GOOGLE_API_KEY", "one"), ("GOOGLE_API_KEY_2", "two")]), NoOtherKey::Refused);
        let of_another_pool = pool(&[("GOOGLE_API_KEY", "one")]).no_other_key(holding("gone"));
        assert_eq!(of_another_pool, NoOtherKey::Refused, "it could have the one, were that well");
    }

    #[test]
    fn k3_a_pool_whose_keys_are_all_held_is_not_called_empty() {
        assert_eq!(pool(&[]).no_key_to_give(), NoKeyToGive::Empty);
        assert_eq!(pool(&[("GOOGLE_API_KEY", "one")]).no_key_to_give(), NoKeyToGive::Refused);
    }

    #[test]
    fn k1_number_one_is_an_alias_of_the_default_key() {
        assert_eq!(pool(&[("GOOGLE_API_KEY_1", "one")]).default_key().unwrap().key.expose(), "one");
        let both = [("GOOGLE_API_KEY", "one"), ("GOOGLE_API_KEY_1", "other")];
        assert_eq!(KeyPool::from_variables(both), Err(PoolError::AliasDiffers));
    }

    #[test]
    fn k1_a_pool_without_the_first_key_has_no_default() {
        assert_eq!(pool(&[("GOOGLE_API_KEY_2", "two")]).default_key(), None);
    }

    #[test]
    fn k11_a_key_names_its_project_or_is_its_own() {
        let pool = pool(&[
            ("GOOGLE_API_KEY", "one"),
            ("GOOGLE_API_KEY_PROJECT", "acme"),
            ("GOOGLE_API_KEY_2", "two"),
            ("GOOGLE_API_KEY_3", "three"),
            ("GOOGLE_API_KEY_3_PROJECT", "acme"),
        ]);
        let projects: Vec<_> = pool.keys().iter().map(|entry| entry.project.as_str()).collect();
        assert_eq!((projects[0], projects[2]), ("acme", "acme"));
        assert!(projects[1].starts_with("key-") && !projects[1].contains("two"));
    }

    #[test]
    fn k11_a_key_listed_twice_keeps_the_project_either_place_names() {
        let pool = pool(&[
            ("GOOGLE_API_KEY", "one"),
            ("GOOGLE_API_KEY_2", "one"),
            ("GOOGLE_API_KEY_2_PROJECT", "acme"),
        ]);
        assert_eq!(pool.project_of(&Secret::new("one")), ProjectId::new("acme"));
    }

    #[test]
    fn a_key_that_cannot_be_one_is_refused_by_the_name_of_its_variable_and_never_shown() {
        for bad in ["AIza key", "AIzaSchlüssel", "AIza\u{200b}x"] {
            let error = KeyPool::from_variables([("GOOGLE_API_KEY_7", bad)]).unwrap_err().to_string();
            assert!(error.contains("GOOGLE_API_KEY_7") && !error.contains("AIza"), "{error}");
        }
    }
}
