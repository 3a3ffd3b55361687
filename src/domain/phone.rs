//! Phone numbers as they stand in SIP addresses and records; masked whenever they are printed.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A dialled or calling number, or the user part of a SIP address. Prints masked; [`PhoneNumber::expose`] gives all.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PhoneNumber(String);

impl PhoneNumber {
    pub fn new(value: impl Into<String>) -> Self {
        Self(value.into())
    }

    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Hides all but the last two digits of a number; names without digits (`alice`) show their first letter.
pub fn mask_number(number: &str) -> String {
    let digits = number.chars().filter(char::is_ascii_digit).count();
    if digits < 4 {
        return number.chars().take(1).chain("***".chars()).collect();
    }
    let mut hidden = digits - 2;
    let mask = |c: char| match c {
        digit if digit.is_ascii_digit() && hidden > 0 => {
            hidden -= 1;
            '*'
        }
        other => other,
    };
    number.chars().map(mask).collect()
}

impl fmt::Display for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&mask_number(&self.0))
    }
}

impl fmt::Debug for PhoneNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PhoneNumber({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_shows_its_last_two_digits_only() {
        assert_eq!(PhoneNumber::new("+49 170 1234567").to_string(), "+** *** *****67");
        assert_eq!(PhoneNumber::new("112").to_string(), "1***");
        assert_eq!(PhoneNumber::new("alice").to_string(), "a***");
        assert_eq!(format!("{:?}", PhoneNumber::new("12345")), "PhoneNumber(***45)");
    }
}
