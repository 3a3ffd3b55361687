//! What a user may be called, and when two names are one.

use thiserror::Error;

const CHARS_MAX: usize = 64;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WrongName {
    #[error("a name is not empty and has no blanks before or behind it")]
    Blank,
    #[error("a name has no line breaks or other control characters")]
    ControlCharacters,
    #[error(
        "a name has no invisible characters and no look-alike letters (full width, accents apart from their letter): \
         each must be told from another by looking at it"
    )]
    NotToBeTold,
    #[error("a name has at most {CHARS_MAX} characters")]
    TooLong,
}

/// A name must be readable in a line of a list, and typed again as it is shown.
pub fn check_name(name: &str) -> Result<(), WrongName> {
    if name.is_empty() || name.trim() != name {
        return Err(WrongName::Blank);
    }
    if name.chars().any(char::is_control) {
        return Err(WrongName::ControlCharacters);
    }
    if name.chars().any(is_not_to_be_told) {
        return Err(WrongName::NotToBeTold);
    }
    if name.chars().count() > CHARS_MAX { Err(WrongName::TooLong) } else { Ok(()) }
}

/// What cannot be seen, and what makes a name that looks like another one: blanks that are none of the keyboard's, accents
/// that are put on a letter (`e\u{301}`, which looks like `\u{e9}`), and letters of full width.
fn is_not_to_be_told(char: char) -> bool {
    (char.is_whitespace() && char != ' ')
        || matches!(char,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}'
            | '\u{300}'..='\u{36f}' | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}'
            | '\u{fe20}'..='\u{fe2f}' | '\u{ff01}'..='\u{ff9f}')
}

/// What two names have in common that differ only in case. By way of the capital letters, because some small ones have
/// several forms: `ß` is `SS` there, and both sigmas are one.
pub fn folded(name: &str) -> String {
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_differ_only_in_case_are_one() {
        for (one, other) in [("mira", "MiRA"), ("j\u{f6}rg", "J\u{d6}RG"), ("stra\u{df}e", "STRASSE")] {
            assert_eq!(folded(one), folded(other));
        }
        assert_eq!(folded("\u{3c3}\u{3b1}\u{3c2}"), folded("\u{3a3}\u{391}\u{3a3}"));
        assert_ne!(folded("mira"), folded("m\u{ed}ra"));
    }

    #[test]
    fn a_name_can_be_read_in_a_line_and_typed_again() {
        for good in ["mira", "Ada Lovelace", "j\u{f6}rg@example.org", &"x".repeat(CHARS_MAX)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for blank in ["", " ", "mira ", "\tmira"] {
            assert_eq!(check_name(blank), Err(WrongName::Blank), "{blank:?}");
        }
        for hidden in ["an\u{200b}n", "e\u{301}va", "\u{ff21}nn", "ada\u{a0}l", "\u{202e}nna"] {
            assert_eq!(check_name(hidden), Err(WrongName::NotToBeTold), "{hidden:?}");
        }
        assert_eq!(
            check_name("\u{92a}\u{94d}\u{930}\u{93f}\u{92f}\u{93e}"),
            Ok(()),
            "a vowel sign is part of its letter"
        );
        assert_eq!(check_name("mi\nra"), Err(WrongName::ControlCharacters));
        assert_eq!(check_name(&"x".repeat(CHARS_MAX + 1)), Err(WrongName::TooLong));
    }
}
