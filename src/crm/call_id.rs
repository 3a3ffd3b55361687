//! The name a call has in the CRM: the UTC date of its start, the end of the person's number, and a count where that
//! was taken already.

use crate::domain::{CrmCallId, PhoneNumber, Timestamp};

const DIGITS: usize = 8;

/// `CALL-20261129-01234567`, the second of them with `-2` behind it. Whoever wants it claims it; this says only what
/// there is to claim.
pub fn call_id(start: Timestamp, person: &PhoneNumber, nth: u32) -> CrmCallId {
    let date: String = start.to_string().chars().take_while(|c| *c != 'T').filter(|c| *c != '-').collect();
    let digits: Vec<char> = person.expose().chars().filter(char::is_ascii_digit).collect();
    let last: String = digits.iter().skip(digits.len().saturating_sub(DIGITS)).collect();
    let first = format!("CALL-{date}-{last:0>DIGITS$}");
    CrmCallId::new(if nth <= 1 { first } else { format!("{first}-{nth}") })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(at: &str, number: &str, nth: u32) -> String {
        call_id(Timestamp::parse(at).unwrap(), &PhoneNumber::new(number), nth).to_string()
    }

    #[test]
    fn u4_a_call_is_named_by_the_utc_date_of_its_start_and_the_last_eight_digits() {
        assert_eq!(named("2026-11-29T00:30:00+01:00", "+49301234567", 1), "CALL-20261128-01234567");
        assert_eq!(named("2026-11-29T12:00:00Z", "+49 30 / 98 76 54 32", 2), "CALL-20261129-98765432-2");
        assert_eq!(named("2026-11-29T12:00:00Z", "112", 10), "CALL-20261129-00000112-10");
        assert_eq!(named("2026-11-29T12:00:00Z", "anonymous", 1), "CALL-20261129-00000000");
    }
}
