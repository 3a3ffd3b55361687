//! Names of members, as MongoDB may hold them.
//!
//! A dot would read as a path, a dollar sign at the start as an operator, a NUL ends a name, and an empty one cannot be
//! asked for. They are written as `%2E`, `%24`, `%00` and `%`; a `%` that would then be misread is `%25`. Every other
//! name, and so each that an older system uses, is written as it is.

use std::borrow::Cow;

const CODES: [(&str, char); 4] = [("2E", '.'), ("24", '$'), ("00", '\0'), ("25", '%')];
const EMPTY: &str = "%";

pub(super) fn to_mongo(name: &str) -> Cow<'_, str> {
    let ordinary = !name.is_empty() && !name.starts_with('$') && !name.contains(['.', '\0', '%']);
    if ordinary {
        return Cow::Borrowed(name);
    }
    if name.is_empty() {
        return Cow::Borrowed(EMPTY);
    }
    let mut written = String::with_capacity(name.len() + 2);
    for (at, sign) in name.char_indices() {
        let keeps = match sign {
            '.' | '\0' => false,
            '$' => at > 0,
            '%' => name != EMPTY && code_at(name, at).is_none(),
            _ => true,
        };
        match CODES.iter().find(|(_, coded)| !keeps && *coded == sign) {
            Some((code, _)) => written.extend(["%", code]),
            None => written.push(sign),
        }
    }
    Cow::Owned(written)
}

pub(super) fn from_mongo(written: &str) -> Cow<'_, str> {
    if !written.contains('%') {
        return Cow::Borrowed(written);
    }
    if written == EMPTY {
        return Cow::Borrowed("");
    }
    let mut name = String::with_capacity(written.len());
    let mut signs = written.char_indices();
    while let Some((at, sign)) = signs.next() {
        let coded = code_at(written, at).filter(|_| sign == '%');
        name.push(coded.unwrap_or(sign));
        if coded.is_some() {
            signs.nth(1);
        }
    }
    Cow::Owned(name)
}

/// What the two signs behind a `%` stand for.
fn code_at(text: &str, percent: usize) -> Option<char> {
    let behind = text.get(percent + 1..percent + 3)?;
    CODES.iter().find(|(code, _)| *code == behind).map(|(_, sign)| *sign)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::Entropy;

    #[test]
    fn names_of_older_systems_stay_as_they_are() {
        for name in ["google_api_key", "größe", "a b", "100%", "price$", "%2", "50%2F"] {
            assert_eq!((to_mongo(name).as_ref(), from_mongo(name).as_ref()), (name, name));
        }
    }

    #[test]
    fn every_name_comes_back_and_none_is_an_operator_or_a_path() {
        let alphabet = ['%', '.', '$', '\0', '0', '2', '4', '5', 'E', 'a', 'ä'];
        let mut entropy = Entropy::from_seed([7; 32]);
        let mut pick = |below: usize| usize::try_from(entropy.next_u64() % below as u64).unwrap();
        for _ in 0..200_000 {
            let name: String = (0..pick(7)).map(|_| alphabet[pick(alphabet.len())]).collect();
            let written = to_mongo(&name);
            assert!(!written.is_empty() && !written.starts_with('$'), "{name:?} {written:?}");
            assert!(!written.contains(['.', '\0']), "{name:?} {written:?}");
            assert_eq!(from_mongo(&written), name, "{written:?}");
        }
    }
}
