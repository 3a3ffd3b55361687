//! The forms in which one phone number is written and dialled, and the one (E.164) in which it is kept.
//!
//! `+49 (0)30 123456`, `0049 30 123456`, `030/123456` and `30123456` with the country code 49 are one number. What
//! stands before a national number inside its country (the trunk prefix, mostly 0) is not part of it.

use std::fmt;

use thiserror::Error;

use super::PhoneNumber;

/// ITU-T E.164: at most fifteen digits, the country code included.
const DIGITS_MAX: usize = 15;
/// The shortest in use have a country code of three and four digits more.
const DIGITS_MIN: usize = 7;
const NATIONAL_MIN: usize = 4;

/// Codes of two digits; 1 and 7 have one, all others three.
const TWO_DIGIT_CODES: [&str; 44] = [
    "20", "27", "30", "31", "32", "33", "34", "36", "39", "40", "41", "43", "44", "45", "46", "47", "48",
    "49", "51", "52", "53", "54", "55", "56", "57", "58", "60", "61", "62", "63", "64", "65", "66", "81",
    "82", "84", "86", "90", "91", "92", "93", "94", "95", "98",
];

/// Where the zero before a number is part of it.
const ZERO_BELONGS: [&str; 5] = ["39", "225", "242", "378", "379"];

#[derive(Clone, PartialEq, Eq)]
pub struct NumberForms {
    /// `+4930123456`
    pub e164: PhoneNumber,
    /// `49`
    pub country_code: String,
    /// `30123456`
    pub national: PhoneNumber,
    /// As it is dialled inside its country: `030123456`
    pub local: PhoneNumber,
}

#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum NotANumber {
    #[error("is missing")]
    Missing,
    #[error("{0:?} is no part of a phone number; write digits, with + or 00 and the country code in front")]
    Sign(char),
    #[error("has {0} digits with its country code; a phone number has {DIGITS_MIN} to {DIGITS_MAX}")]
    Length(usize),
    #[error("is not written with its country (+49…, 0049…), so its country code is needed too")]
    NoCountry,
    #[error("is a number of country code {0}, not of the one given beside it")]
    OtherCountry(String),
    #[error("there is no such country code; write it in digits, as 49")]
    CountryCode,
}

impl NotANumber {
    /// Which of the two is wrong.
    pub fn field(&self) -> &'static str {
        match self {
            Self::NoCountry | Self::CountryCode => "country_code",
            Self::Missing | Self::Sign(_) | Self::Length(_) | Self::OtherCountry(_) => "number",
        }
    }
}

impl NumberForms {
    /// `country_code` may be empty where the number begins with `+` or `00`.
    pub fn of(number: &str, country_code: &str) -> Result<Self, NotANumber> {
        let given = read_country_code(country_code)?;
        let (country_code, national) = match read(number)? {
            Read::International(digits) => split(&digits, given)?,
            Read::InCountry(digits) => {
                let country_code = given.ok_or(NotANumber::NoCountry)?;
                let national = without_trunk_prefix(&country_code, &digits).to_owned();
                (country_code, national)
            }
        };
        let digits = country_code.len() + national.len();
        if !(DIGITS_MIN..=DIGITS_MAX).contains(&digits) || national.len() < NATIONAL_MIN {
            return Err(NotANumber::Length(digits));
        }
        Ok(Self {
            e164: PhoneNumber::new(format!("+{country_code}{national}")),
            local: PhoneNumber::new(format!("{}{national}", trunk_prefix(&country_code))),
            national: PhoneNumber::new(national),
            country_code,
        })
    }
}

impl fmt::Debug for NumberForms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "NumberForms({})", self.e164)
    }
}

/// What a SIP address says was dialled, or who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dialed {
    /// It was written with its country.
    International(PhoneNumber),
    /// E.164 without its plus, or a form used inside a country: who knows?
    Digits(PhoneNumber),
}

impl Dialed {
    /// `None`: a name, or too short to be anybody's number.
    pub fn read(dialed: &PhoneNumber) -> Option<Self> {
        Some(match read(dialed.expose()).ok()? {
            Read::International(_) => Self::International(NumberForms::of(dialed.expose(), "").ok()?.e164),
            Read::InCountry(digits) if digits.len() >= NATIONAL_MIN => Self::Digits(PhoneNumber::new(digits)),
            Read::InCountry(_) => return None,
        })
    }
}

/// As E.164, where that is certain: it is written with its country, or with the trunk prefix of the one given. Anything
/// else stays as it is.
pub fn in_e164(number: &PhoneNumber, country_code: Option<&str>) -> PhoneNumber {
    let certain = match Dialed::read(number) {
        Some(Dialed::International(e164)) => Some(e164),
        Some(Dialed::Digits(digits)) => country_code.and_then(|code| e164_of_local(&digits, code)),
        None => None,
    };
    certain.unwrap_or_else(|| number.clone())
}

fn e164_of_local(digits: &PhoneNumber, country_code: &str) -> Option<PhoneNumber> {
    let forms = NumberForms::of(digits.expose(), country_code).ok()?;
    (forms.local == *digits && forms.local != forms.national).then_some(forms.e164)
}

enum Read {
    International(String),
    InCountry(String),
}

/// Blanks, dashes, parentheses, dots and slashes only make it readable; `(0)` is the prefix that is not dialled from
/// abroad.
fn read(number: &str) -> Result<Read, NotANumber> {
    let number = number.trim();
    let (plus, rest) = match number.strip_prefix('+') {
        Some(rest) => (true, rest),
        None => (false, number),
    };
    let rest = if plus || rest.starts_with("00") { rest.replacen("(0)", "", 1) } else { rest.to_owned() };
    let is_filler = |sign: &char| sign.is_whitespace() || "-().\u{2011}\u{2013}/".contains(*sign);
    let digits: String = rest.chars().filter(|sign| !is_filler(sign)).collect();
    if digits.is_empty() {
        return Err(NotANumber::Missing);
    }
    if let Some(sign) = digits.chars().find(|sign| !sign.is_ascii_digit()) {
        return Err(NotANumber::Sign(sign));
    }
    Ok(match digits.strip_prefix("00") {
        _ if plus => Read::International(digits),
        Some(international) => Read::International(international.to_owned()),
        None => Read::InCountry(digits),
    })
}

fn read_country_code(text: &str) -> Result<Option<String>, NotANumber> {
    let text = text.trim();
    let code = text.strip_prefix('+').or_else(|| text.strip_prefix("00")).unwrap_or(text);
    if text.is_empty() {
        return Ok(None);
    }
    let is_code = code.bytes().all(|sign| sign.is_ascii_digit()) && country_code_of(code) == Some(code);
    if is_code { Ok(Some(code.to_owned())) } else { Err(NotANumber::CountryCode) }
}

/// The country code and the national number of digits that begin with a country code.
fn split(digits: &str, given: Option<String>) -> Result<(String, String), NotANumber> {
    let length = NotANumber::Length(digits.len());
    let code = country_code_of(digits).ok_or(length)?;
    if given.is_some_and(|given| given != code) {
        return Err(NotANumber::OtherCountry(code.to_owned()));
    }
    let national = digits.get(code.len()..).unwrap_or_default();
    // Nobody abroad dials the zero, but many write it.
    let national = if trunk_prefix(code) == "0" { without_trunk_prefix(code, national) } else { national };
    Ok((code.to_owned(), national.to_owned()))
}

fn country_code_of(digits: &str) -> Option<&str> {
    let length = match digits.get(..1)? {
        "0" => return None,
        "1" | "7" => 1,
        _ if TWO_DIGIT_CODES.contains(&digits.get(..2)?) => 2,
        _ => 3,
    };
    digits.get(..length)
}

fn trunk_prefix(country_code: &str) -> &'static str {
    match country_code {
        "1" => "1",
        "7" => "8",
        "36" => "06",
        code if ZERO_BELONGS.contains(&code) => "",
        _ => "0",
    }
}

fn without_trunk_prefix<'a>(country_code: &str, digits: &'a str) -> &'a str {
    let prefix = trunk_prefix(country_code);
    // Numbers of these countries have ten digits, and some begin like the prefix.
    let is_whole = matches!(country_code, "1" | "7") && digits.len() <= 10;
    digits.strip_prefix(prefix).filter(|_| !is_whole).unwrap_or(digits)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn e164(number: &str, country_code: &str) -> Result<String, NotANumber> {
        NumberForms::of(number, country_code).map(|forms| forms.e164.expose().to_owned())
    }

    #[test]
    fn every_way_to_write_a_number_gives_the_same_one() {
        let ways = [
            ("+4930123456", ""),
            ("+49 (0)30 123456", "49"),
            ("+49 030 123456", ""),
            ("0049 30 123456", ""),
            ("0049(0)30-12 34 56", "+49"),
            ("030/123456", "49"),
            ("(030) 12.34.56", "0049"),
            ("30123456", "49"),
            (" 030\u{a0}123\u{2011}456 ", " 49 "),
        ];
        for (number, country_code) in ways {
            assert_eq!(e164(number, country_code).as_deref(), Ok("+4930123456"), "{number} {country_code}");
        }
    }

    #[test]
    fn what_stands_before_a_number_inside_its_country_is_not_part_of_it() {
        let numbers = [
            ("06 6982", "39", "+39066982"),
            ("1 212 555 0100", "1", "+12125550100"),
            ("212-555-0100", "1", "+12125550100"),
            ("8 800 555 35 35", "7", "+78005553535"),
            ("800 555 35 35", "7", "+78005553535"),
            ("+7 800 555 35 35", "", "+78005553535"),
            ("06 1 234 5678", "36", "+3612345678"),
            ("020 7946 0000", "44", "+442079460000"),
            ("07 01 02 03 04", "225", "+2250701020304"),
        ];
        for (number, country_code, expected) in numbers {
            assert_eq!(e164(number, country_code).as_deref(), Ok(expected), "{number}");
        }
    }

    #[test]
    fn a_number_has_the_forms_in_which_it_is_dialled() {
        let forms = NumberForms::of("030 123456", "49").unwrap();
        let texts = [&forms.national, &forms.local].map(|form| form.expose().to_owned());
        assert_eq!((forms.country_code.as_str(), texts), ("49", ["30123456".into(), "030123456".into()]));
        assert_eq!(NumberForms::of("+35312345678", "").unwrap().country_code, "353");
    }

    #[test]
    fn what_is_no_number_is_refused_and_the_field_named() {
        let refused = [
            ("", "49", NotANumber::Missing, "number"),
            ("+", "", NotANumber::Missing, "number"),
            ("alice", "49", NotANumber::Sign('a'), "number"),
            ("+49 30 ١٢٣", "", NotANumber::Sign('١'), "number"),
            ("++4930123456", "", NotANumber::Sign('+'), "number"),
            ("+4930", "", NotANumber::Length(4), "number"),
            ("+49301234567890123", "", NotANumber::Length(17), "number"),
            ("+0123456789", "", NotANumber::Length(10), "number"),
            ("030123456", "", NotANumber::NoCountry, "country_code"),
            ("030123456", "DE", NotANumber::CountryCode, "country_code"),
            ("030123456", "490", NotANumber::CountryCode, "country_code"),
            ("+4930123456", "1", NotANumber::OtherCountry("49".into()), "number"),
        ];
        for (number, country_code, expected, field) in refused {
            let error = e164(number, country_code).unwrap_err();
            assert_eq!((error.field(), error), (field, expected), "{number} {country_code}");
        }
    }

    #[test]
    fn a_dialled_number_says_its_country_or_leaves_it_open() {
        let read = |dialed: &str| Dialed::read(&PhoneNumber::new(dialed));
        let berlin = Some(Dialed::International(PhoneNumber::new("+4930123456")));
        assert_eq!((read("+49-30-123456"), read("004930123456")), (berlin.clone(), berlin));
        assert_eq!(read("030123456"), Some(Dialed::Digits(PhoneNumber::new("030123456"))));
        assert_eq!([read("100"), read("alice"), read("anonymous"), read("")], [None, None, None, None]);
    }

    #[test]
    fn a_caller_is_kept_in_e164_only_where_that_is_certain() {
        let kept = |number: &str, code| in_e164(&PhoneNumber::new(number), code).expose().to_owned();
        assert_eq!(kept("0049 170 1234567", None), "+491701234567");
        assert_eq!(kept("01701234567", Some("49")), "+491701234567");
        assert_eq!(kept("01701234567", None), "01701234567");
        assert_eq!(kept("12345", Some("49")), "12345");
        assert_eq!(kept("anonymous", Some("49")), "anonymous");
        assert_eq!(kept("12125550100", Some("1")), "+12125550100");
    }
}
