use std::fmt;

use super::Malformed;
use crate::sip::parse::scan;

/// `;name=value` parameters in order, names compared without regard to case. Values keep their quotes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Params(Vec<(String, Option<String>)>);

/// More parameters than this on one address or Via is an attack, not a phone.
pub const MAX_PARAMS: usize = 32;

impl Params {
    /// Reads what follows the first `;` (a leading `;` is fine too).
    pub fn parse(text: &str) -> Result<Self, Malformed> {
        let mut params = Self::default();
        for part in scan::split_outside(text, ';').map(str::trim).filter(|part| !part.is_empty()) {
            if params.0.len() == MAX_PARAMS {
                return Err(Malformed("parameters: too many"));
            }
            let (name, value) = match part.split_once('=') {
                Some((name, value)) => (name.trim_end(), Some(value.trim_start().to_owned())),
                None => (part, None),
            };
            if name.is_empty() {
                return Err(Malformed("parameter name"));
            }
            params.0.push((name.to_owned(), value));
        }
        Ok(params)
    }

    /// The value of a parameter that has one.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.find(name)?.1.as_deref()
    }

    /// Whether the parameter is there, with or without a value.
    pub fn has(&self, name: &str) -> bool {
        self.find(name).is_some()
    }

    pub fn set(&mut self, name: &str, value: Option<&str>) {
        let value = value.map(str::to_owned);
        match self.0.iter_mut().find(|(held, _)| held.eq_ignore_ascii_case(name)) {
            Some((_, held)) => *held = value,
            None => self.0.push((name.to_owned(), value)),
        }
    }

    pub fn remove(&mut self, name: &str) {
        self.0.retain(|(held, _)| !held.eq_ignore_ascii_case(name));
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, Option<&str>)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_deref()))
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn find(&self, name: &str) -> Option<&(String, Option<String>)> {
        self.0.iter().find(|(held, _)| held.eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for Params {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.iter().try_for_each(|(name, value)| match value {
            Some(value) => write!(f, ";{name}={value}"),
            None => write!(f, ";{name}"),
        })
    }
}
