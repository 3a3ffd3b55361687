//! What a user may be called, and when two names are one.

use thiserror::Error;

use super::look::{is_not_to_be_told, is_of_one_script, latin_look};

const CHARS_MAX: usize = 64;
/// Of hexadecimal digits; no name of a person is that.
const ID_CHARS_MIN: usize = 24;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum WrongName {
    #[error("a name is not empty and has no blanks before or behind it")]
    Blank,
    #[error("a name has no line breaks or other control characters")]
    ControlCharacters,
    #[error(
        "a name has no invisible characters and no look-alike letters (full width, bold, raised, accents apart from their \
         letter): it would read like another"
    )]
    NotToBeTold,
    #[error(
        "the letters of a name are of one script, as all Latin or all Cyrillic: those of two look alike and are not the same"
    )]
    SeveralScripts,
    #[error(
        "a name does not look like an id: where a user is meant, both may stand, and the user of that id may come or have gone"
    )]
    LikeAnId,
    #[error("a name has at most {CHARS_MAX} characters")]
    TooLong,
}

/// A user's name must be readable in a line of a list, typed again as it is shown, and nobody else's.
pub fn check_name(name: &str) -> Result<(), WrongName> {
    check_label(name)?;
    if is_like_an_id(name) {
        return Err(WrongName::LikeAnId);
    }
    if is_of_one_script(name) { Ok(()) } else { Err(WrongName::SeveralScripts) }
}

/// Ours are UUIDs, those of older systems' MongoDB have 24 digits.
pub fn is_like_an_id(name: &str) -> bool {
    name.len() >= ID_CHARS_MIN && name.chars().all(|c| c.is_ascii_hexdigit() || c == '-')
}

/// What only has to be read, as an API token's name.
pub fn check_label(name: &str) -> Result<(), WrongName> {
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

/// What two names have in common that differ only in case. By way of the capital letters, because some small ones have
/// several forms: `ß` is `SS` there, and both sigmas are one.
pub fn folded(name: &str) -> String {
    name.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

/// Whether the two read the same: in the same letters, capital or small, or in letters of another script that look so.
pub fn reads_like(one: &str, other: &str) -> bool {
    let looks = |name: &str| folded(&name.chars().map(latin_look).collect::<String>());
    folded(one) == folded(other) || looks(one) == looks(other)
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
    fn the_letters_of_a_name_are_of_one_script() {
        for mixed in ["mir\u{430}", "\u{43c}ira", "p\u{3b1}ul", "\u{585}tto", "\u{412}era \u{41a}."] {
            assert_eq!(check_name(mixed), Err(WrongName::SeveralScripts), "{mixed:?}");
        }
        let russian = "\u{412}\u{435}\u{440}\u{430} 2";
        let greek = "\u{395}\u{3bb}\u{3ad}\u{3bd}\u{3b7}";
        let japanese = "\u{7530}\u{4e2d}\u{3055}\u{3093}";
        let arabic = "\u{645}\u{631}\u{64a}\u{645}";
        for whole in [russian, greek, japanese, arabic, "\u{141}ukasz O'Neill-\u{160}m\u{ed}d_1"] {
            assert_eq!(check_name(whole), Ok(()), "{whole:?}");
        }
    }

    #[test]
    fn a_name_in_other_letters_that_look_the_same_reads_like_it() {
        let cyrillic_pace = "\u{440}\u{430}\u{441}\u{435}";
        for (one, other) in [
            (cyrillic_pace, "pace"),
            ("\u{412}\u{435}\u{440}\u{430}", "BEPA"),
            ("\u{39d}\u{39f}\u{3a1}\u{391}", "nopa"),
            ("\u{3bd}\u{3bf}", "vo"),
            ("mira", "MIRA"),
        ] {
            assert!(reads_like(one, other) && reads_like(other, one), "{one} {other}");
        }
        let small_vera = "\u{432}\u{435}\u{440}\u{430}";
        for (one, other) in [(small_vera, "bepa"), ("mira", "m\u{ed}ra"), ("mira", "mirna")] {
            assert!(!reads_like(one, other), "{one} {other}");
        }
    }

    #[test]
    fn no_name_passes_for_the_id_of_a_user() {
        for id in [
            "01a226d5-1db1-7038-860e-ba08228e8297",
            "01A226D51DB17038860EBA08228E8297",
            "507f1f77bcf86cd799439011",
        ] {
            assert_eq!(check_name(id), Err(WrongName::LikeAnId), "{id}");
        }
        for name in ["ada", "deadbeef", "facade-0123", "team-01a226d5-1db1-7038-860e-ba08228e"] {
            assert_eq!(check_name(name), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_name_can_be_read_in_a_line_and_typed_again() {
        for good in ["mira", "Ada Lovelace", "j\u{f6}rg@example.org", &"x".repeat(CHARS_MAX)] {
            assert_eq!(check_name(good), Ok(()), "{good}");
        }
        for blank in ["", " ", "mira ", "\tmira"] {
            assert_eq!(check_name(blank), Err(WrongName::Blank), "{blank:?}");
        }
        for hidden in [
            "an\u{200b}n",
            "\u{1d5fa}ira",
            "m\u{2148}ra",
            "mir\u{aa}",
            "\u{24dc}ira",
            "\u{a4f3}ia",
            "e\u{301}va",
            "\u{ff21}nn",
            "ada\u{a0}l",
            "\u{202e}nna",
        ] {
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
