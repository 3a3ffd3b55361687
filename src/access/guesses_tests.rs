#![expect(clippy::disallowed_methods, reason = "a test needs some origin of time")]

use super::*;

fn address(text: &str) -> IpAddr {
    text.parse().unwrap()
}

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(86_400);

/// Tries until `until`, as often as it is let; gives how many passwords it could check.
fn hammer(guesses: &mut Guesses, name: &str, source: &str, mut now: Instant, until: Instant) -> u32 {
    let mut checked = 0;
    while now < until {
        match guesses.begin(name, address(source), now) {
            Verdict::After(delay) => {
                checked += 1;
                now += delay.max(Duration::from_millis(20));
            }
            Verdict::Refused(wait) => now += wait,
        }
    }
    checked
}

#[test]
fn o3_who_guesses_from_one_address_gets_a_handful_of_tries_and_then_one_a_pause() {
    let (mut guesses, start) = (Guesses::default(), Instant::now());
    let checked = hammer(&mut guesses, "ada", "192.0.2.1", start, start + DAY);
    assert!((250..330).contains(&checked), "{checked} passwords in a day");
    let mut many_names = 0;
    for index in 0..1_000 {
        let verdict = guesses.begin(&format!("user-{index}"), address("192.0.2.2"), start);
        many_names += u32::from(matches!(verdict, Verdict::After(_)));
    }
    assert_eq!(many_names, FREE_BY_SOURCE, "other names are no way around it");
}

#[test]
fn a_thousand_attempts_at_once_are_not_all_the_first() {
    let (mut guesses, now) = (Guesses::default(), Instant::now());
    let begun = (0..1_000)
        .filter(|_| guesses.begin("ada", address("192.0.2.1"), now) == Verdict::After(Duration::ZERO));
    assert_eq!(begun.count() as u32, FREE_BY_NAME);
}

#[test]
fn o3_an_attacker_with_many_addresses_delays_a_user_by_seconds_and_keeps_nobody_out() {
    let (mut guesses, mut now) = (Guesses::default(), Instant::now());
    for round in 0..5_000_u32 {
        let [_, high, middle, low] = round.to_be_bytes();
        guesses.begin("ada", IpAddr::from([10, high, middle, low]), now);
        now += SECOND / 10;
    }
    let from_a_new_place = guesses.begin("ada", address("192.0.2.1"), now);
    assert_eq!(from_a_new_place, Verdict::After(LONGEST_DELAY), "later, and not never");
    guesses.succeeded("ada", address("192.0.2.1"), now);
    let again = guesses.begin("ada", address("192.0.2.1"), now);
    assert_eq!(again, Verdict::After(Duration::ZERO), "where ada is known she does not wait");
    assert_eq!(guesses.begin("ben", address("192.0.2.1"), now), Verdict::After(Duration::ZERO));
}

#[test]
fn o3_a_neighbour_behind_the_same_gateway_keeps_a_known_user_not_out() {
    let (mut guesses, now) = (Guesses::default(), Instant::now());
    guesses.begin("ada", address("192.0.2.1"), now);
    guesses.succeeded("ada", address("192.0.2.1"), now);
    hammer(&mut guesses, "ben", "192.0.2.1", now, now + DAY);
    let verdict = guesses.begin("ada", address("192.0.2.1"), now + DAY);
    assert_eq!(verdict, Verdict::After(Duration::ZERO));
}

#[test]
fn o3_an_address_stands_worse_from_its_first_failure_until_that_is_forgiven() {
    let (mut guesses, now) = (Guesses::default(), Instant::now());
    let (here, elsewhere) = (address("192.0.2.1"), address("192.0.2.2"));
    assert_eq!(guesses.standing("ada", here, now), Standing::Clean);
    guesses.begin("ada", here, now);
    for name in ["ada", "ben"] {
        assert_eq!(guesses.standing(name, here, now), Standing::HasFailed, "{name}");
        assert_eq!(guesses.standing(name, elsewhere, now), Standing::Clean, "{name}");
    }
    assert_eq!(guesses.standing("ada", here, now + FORGIVE_EVERY), Standing::Clean);
}

#[test]
fn o3_a_user_who_has_logged_in_stands_best_there_whatever_a_neighbour_does_but_not_with_own_failures() {
    let (mut guesses, now) = (Guesses::default(), Instant::now());
    let here = address("192.0.2.1");
    guesses.begin("ada", here, now);
    guesses.succeeded("ada", here, now);
    hammer(&mut guesses, "ben", "192.0.2.1", now, now + DAY);
    let next_day = now + DAY;
    assert_eq!(guesses.standing("ada", here, next_day), Standing::AtHome);
    assert_eq!(guesses.standing("ben", here, next_day), Standing::HasFailed);
    assert_eq!(guesses.standing("ada", address("192.0.2.2"), next_day), Standing::Clean);
    guesses.begin("ada", here, next_day);
    assert_eq!(guesses.standing("ada", here, next_day), Standing::HasFailed);
}

#[test]
fn an_own_account_does_not_wipe_the_slate_clean() {
    let (mut guesses, start) = (Guesses::default(), Instant::now());
    let source = address("192.0.2.1");
    let (mut now, mut checked) = (start, 0);
    while now < start + DAY {
        for name in ["mallory", "ada"] {
            match guesses.begin(name, source, now) {
                Verdict::After(delay) if name == "mallory" => {
                    now += delay;
                    guesses.succeeded(name, source, now);
                }
                Verdict::After(delay) => {
                    now += delay + SECOND / 50;
                    checked += 1;
                }
                Verdict::Refused(wait) => now += wait,
            }
        }
    }
    assert!(checked < 330, "{checked} passwords in a day");
}

#[test]
fn a_few_typing_mistakes_cost_nothing_and_are_forgotten() {
    let (mut guesses, mut now) = (Guesses::default(), Instant::now());
    let source = address("192.0.2.1");
    for _ in 0..50 {
        for _ in 0..FREE_BY_NAME {
            assert_eq!(guesses.begin("ada", source, now), Verdict::After(Duration::ZERO));
            now += SECOND;
        }
        now += FORGIVE_EVERY * FREE_BY_NAME;
    }
}

#[test]
fn an_attempt_that_came_to_no_answer_costs_nothing() {
    let (mut guesses, now) = (Guesses::default(), Instant::now());
    for _ in 0..100 {
        assert_eq!(guesses.begin("ada", address("192.0.2.1"), now), Verdict::After(Duration::ZERO));
        guesses.abandoned("ada", address("192.0.2.1"));
    }
}

#[test]
fn a_customer_s_whole_ipv6_network_is_one_source_and_an_embedded_ipv4_address_is_that_address() {
    let (mut guesses, now) = (Guesses::default(), Instant::now());
    for host in 0..100_u16 {
        guesses.begin("ada", address(&format!("2001:db8:1:2::{host:x}")), now);
    }
    let refused = |verdict| matches!(verdict, Verdict::Refused(_));
    assert!(refused(guesses.begin("ada", address("2001:db8:1:2:ffff::1"), now)));
    assert!(!refused(guesses.begin("ada", address("2001:db8:1:3::1"), now)));
    for index in 0..FREE_BY_SOURCE {
        guesses.begin(&index.to_string(), address("192.0.2.1"), now);
    }
    assert!(refused(guesses.begin("ada", address("::ffff:192.0.2.1"), now)));
}

#[test]
fn the_table_keeps_its_bound_and_forgets_neither_who_guesses_most_nor_who_is_known() {
    let (mut guesses, now) = (Guesses::default(), Instant::now());
    guesses.succeeded("ada", address("192.0.2.9"), now);
    hammer(&mut guesses, "ada", "192.0.2.1", now, now + FORGIVE_EVERY);
    for index in 0..2 * u32::try_from(ENTRIES_MAX).unwrap() {
        let [_, high, middle, low] = index.to_be_bytes();
        guesses.begin(&index.to_string(), IpAddr::from([10, high, middle, low]), now + FORGIVE_EVERY);
        assert!(guesses.entries.len() <= ENTRIES_MAX);
    }
    let mallory = guesses.begin("ada", address("192.0.2.1"), now + FORGIVE_EVERY);
    assert!(matches!(mallory, Verdict::Refused(_)));
    let ada = guesses.begin("ada", address("192.0.2.9"), now + FORGIVE_EVERY);
    assert_eq!(ada, Verdict::After(Duration::ZERO));
}

#[test]
fn an_endless_name_takes_no_endless_memory() {
    let (mut guesses, now) = (Guesses::default(), Instant::now());
    guesses.begin(&"x".repeat(1_000_000), address("192.0.2.1"), now);
    let longest = guesses.entries.keys().map(|key| match key {
        Key::Name(name) | Key::AtHome(name, _) => name.len(),
        Key::Source(_) => 0,
    });
    assert_eq!(longest.max(), Some(NAME_CHARS_MAX));
}
