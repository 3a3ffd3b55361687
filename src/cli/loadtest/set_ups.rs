//! `clearline loadtest --set-ups N`: what many set-ups cost each, and how far the rounds lie apart. Pure.

use std::net::SocketAddr;
use std::time::Duration;

use serde::Serialize;

use super::document::{Machine, VERSION, counted};

/// What a set-up may cost on a machine of two cores: a target, published beside what was measured.
pub(super) const TARGET_MS: f64 = 2.0;

/// Linux tells CPU in steps of 10 ms, where it tells of threads that have ended too: fifty calls that cost less than one
/// of them each cost less than can be told.
pub(super) const LEAST_MS: f64 = 0.2;

/// Calls in a row, on an engine at rest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Burst {
    pub(super) answered: usize,
    pub(super) refused: usize,
    /// From before the first until what was left to do was done.
    pub(super) cpu: Duration,
    pub(super) took: Duration,
    /// What the engine used of a core just before, when nobody called.
    pub(super) rest_share: f64,
}

/// Calls that were up, and were all hung up at once.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct HangUps {
    pub(super) burst: Burst,
    /// What the engine used of a core just before, for all of them.
    pub(super) up_share: f64,
    /// Until the last was gone. For that long all are taken for being up: so hanging up is told too low, and the set-up
    /// alone too high, rather than the other way about.
    pub(super) until_gone: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Round {
    pub(super) whole: Burst,
    pub(super) hang_ups: HangUps,
}

impl Burst {
    /// Without what the engine uses when nobody calls; below nothing where it used more of that before. `None` where a
    /// call was refused: nobody knows what that cost.
    pub(super) fn cpu_ms_each(&self) -> Option<f64> {
        self.ms_each_without(self.rest_share * self.took.as_secs_f64())
    }

    fn ms_each_without(&self, seconds: f64) -> Option<f64> {
        let is_pure = self.refused == 0 && self.answered > 0;
        is_pure.then(|| (self.cpu.as_secs_f64() - seconds) * 1_000.0 / self.answered as f64)
    }
}

impl HangUps {
    fn cpu_ms_each(&self) -> Option<f64> {
        let Self { burst, up_share, until_gone } = self;
        let up = (up_share - burst.rest_share).max(0.0) * until_gone.as_secs_f64();
        burst.ms_each_without(burst.rest_share * burst.took.as_secs_f64() + up)
    }
}

/// Milliseconds of CPU.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) least: f64,
    pub(super) most: f64,
}

impl Spread {
    /// `None` of none.
    fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => (values.get(middle.checked_sub(1)?)? + values.get(middle)?) / 2.0,
            _ => *values.get(middle)?,
        };
        Some(Self { median, least: *values.first()?, most: *values.last()? })
    }
}

/// What all rounds came to, as the JSON document has it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(super) struct SetUpCosts {
    /// Rounds that count, and those in which a call was refused, which do not.
    pub(super) rounds: usize,
    pub(super) rounds_refused: usize,
    /// Set-ups of the rounds that count, each of them hung up at once.
    pub(super) set_ups: usize,
    pub(super) target_ms: f64,
    pub(super) set_up_and_hang_up_ms: Spread,
    pub(super) hang_up_ms: Spread,
    pub(super) set_up_alone_ms: Spread,
    /// Whether the target was; `None`: `not_judged` says why.
    pub(super) reached: Option<bool>,
    pub(super) not_judged: Option<String>,
}

/// The result as a document of its own, with what [`super::document`] says of every one.
#[derive(Debug, Serialize)]
pub(super) struct SetUpDocument {
    version: u32,
    machine: Machine,
    joined: Option<SocketAddr>,
    #[serde(flatten)]
    costs: SetUpCosts,
}

impl SetUpDocument {
    pub(super) fn new(machine: Machine, joined: Option<SocketAddr>, costs: SetUpCosts) -> Self {
        Self { version: VERSION, machine, joined, costs }
    }
}

impl SetUpCosts {
    /// `None`: in every round a call was refused.
    pub(super) fn of(rounds: &[Round], harness_was_late: bool) -> Option<Self> {
        let costs = |round: &Round| Some((round.whole.cpu_ms_each()?, round.hang_ups.cpu_ms_each()?));
        let of_rounds: Vec<_> = rounds.iter().filter_map(costs).collect();
        let spread = |of: fn(&(f64, f64)) -> f64| Spread::of(of_rounds.iter().map(of).collect());
        let set_ups = rounds.iter().filter(|round| costs(round).is_some()).map(|round| round.whole.answered);
        let set_up_and_hang_up_ms = spread(|(whole, _)| *whole)?;
        let hang_up_ms = spread(|(_, hang_up)| *hang_up)?;
        let set_up_alone_ms = spread(|(whole, hang_up)| whole - hang_up)?;
        let not_judged = if harness_was_late {
            Some("callers or stand-in were late themselves".to_owned())
        } else {
            why_impossible(set_up_and_hang_up_ms, hang_up_ms, set_up_alone_ms)
        };
        Some(Self {
            rounds: of_rounds.len(),
            rounds_refused: rounds.len() - of_rounds.len(),
            set_ups: set_ups.sum(),
            target_ms: TARGET_MS,
            set_up_and_hang_up_ms,
            hang_up_ms,
            set_up_alone_ms,
            reached: not_judged.is_none().then_some(set_up_alone_ms.median <= TARGET_MS),
            not_judged,
        })
    }

    /// For a person, a line a figure.
    pub(super) fn summary(&self) -> Vec<String> {
        let line = |what: &str, Spread { median, least, most }: Spread| {
            format!("  {what:<45}{median:.2} ms ({least:.2} to {most:.2})")
        };
        let reached = match (self.reached, &self.not_judged) {
            (Some(true), _) => "reached".to_owned(),
            (Some(false), _) => "missed".to_owned(),
            (None, why) => format!("not judged: {}", why.as_deref().unwrap_or_default()),
        };
        let (rounds, refused) = (counted(self.rounds, "round"), counted(self.rounds_refused, "round"));
        let mut lines = vec![
            format!("CPU of the engine for each of {}, median of {rounds}:", counted(self.set_ups, "set-up")),
            line("set up and hung up", self.set_up_and_hang_up_ms),
            line("hung up", self.hang_up_ms),
            line("set up alone: the one without the other", self.set_up_alone_ms),
            format!("  {:<45}{} ms: {reached}", "target for the set-up alone", self.target_ms),
        ];
        if self.rounds_refused > 0 {
            lines.push(format!("  left out: {refused} in which the engine refused a call"));
        }
        lines
    }
}

/// Nothing costs nothing: a figure that says so says that the others are no better.
fn why_impossible(whole: Spread, hang_up: Spread, alone: Spread) -> Option<String> {
    let figures = [
        ("set up and hung up", whole.least, LEAST_MS),
        ("hung up", hang_up.least, f64::MIN_POSITIVE),
        ("set up alone", alone.least, LEAST_MS),
    ];
    let (what, least, _) = figures.into_iter().find(|(_, least, possible)| least < possible)?;
    Some(format!(
        "a round has {least:.2} ms for \"{what}\", which is less than can be; the machine was not at rest, or the engine records"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burst(cpu_ms: u64) -> Burst {
        let (cpu, took) = (Duration::from_millis(cpu_ms), Duration::from_secs(4));
        Burst { answered: 50, refused: 0, cpu, took, rest_share: 0.005 }
    }

    /// At rest the engine uses 20 ms in four seconds, and for calls that are up 5 ms in 50.
    fn round(whole_ms: u64, hang_up_ms: u64) -> Round {
        let until_gone = Duration::from_millis(50);
        let hang_ups = HangUps { burst: burst(hang_up_ms), up_share: 0.105, until_gone };
        Round { whole: burst(whole_ms), hang_ups }
    }

    fn near(value: f64, expected: f64) -> bool {
        (value - expected).abs() < 1e-9
    }

    #[test]
    fn a_set_up_alone_is_what_hanging_up_leaves_of_both() {
        let costs = SetUpCosts::of(&[round(120, 50)], false).unwrap();
        assert!(near(costs.set_up_and_hang_up_ms.median, 2.0), "{costs:?}");
        assert!(near(costs.hang_up_ms.median, 0.5) && near(costs.set_up_alone_ms.median, 1.5), "{costs:?}");
    }

    #[test]
    fn the_rounds_spread_is_told_and_each_round_compared_with_itself() {
        let costs = SetUpCosts::of(&[round(120, 50), round(220, 150), round(140, 50)], false).unwrap();
        let whole = costs.set_up_and_hang_up_ms;
        assert!(near(whole.median, 2.4) && near(whole.least, 2.0) && near(whole.most, 4.0), "{whole:?}");
        let alone = costs.set_up_alone_ms;
        assert!(near(alone.least, 1.5) && near(alone.most, 1.9), "{alone:?}");
    }

    #[test]
    fn a_round_with_a_refused_call_is_left_out_and_said_to_be() {
        let mut refused = round(900, 50);
        (refused.whole.answered, refused.whole.refused) = (49, 1);
        let costs = SetUpCosts::of(&[round(120, 50), refused], false).unwrap();
        assert_eq!((costs.rounds, costs.rounds_refused, costs.set_ups), (1, 1, 50));
        let told = costs.summary().join("\n");
        assert!(told.contains("left out: 1 round in which the engine refused a call"), "{told}");
        assert_eq!(SetUpCosts::of(&[refused], false), None);
    }

    #[test]
    fn whether_the_target_is_reached_is_said() {
        let told = |whole_ms| SetUpCosts::of(&[round(whole_ms, 50)], false).unwrap().summary().join("\n");
        assert!(told(120).contains("2 ms: reached") && told(200).contains("2 ms: missed"), "{}", told(120));
        assert!(told(120).contains("1.50 ms (1.50 to 1.50)"), "{}", told(120));
    }

    #[test]
    fn what_cannot_be_is_never_called_reached() {
        let judged = |whole_ms, hang_up_ms, late| {
            let costs = SetUpCosts::of(&[round(whole_ms, hang_up_ms)], late).unwrap();
            let told = costs.summary().join("\n");
            assert_eq!(costs.reached.is_none(), told.contains("not judged: "), "{told}");
            assert_eq!(costs.reached == Some(true), told.contains("reached"), "{told}");
            costs.reached
        };
        assert_eq!(judged(120, 50, false), Some(true));
        assert_eq!(judged(120, 50, true), None, "the harness was late");
        assert_eq!(judged(50, 120, false), None, "hanging up alone cost more than both");
        assert_eq!(judged(20, 10, false), None, "no more than an engine uses that nobody calls");
        assert_eq!(judged(54, 50, false), None, "less than can be told");
    }

    #[test]
    fn its_document_says_of_which_machine_it_is() {
        let machine = Machine { cores: 2, pinned: false };
        let costs = SetUpCosts::of(&[round(120, 50)], false).unwrap();
        let document = serde_json::to_value(SetUpDocument::new(machine, None, costs)).unwrap();
        assert_eq!((&document["version"], &document["machine"]["cores"]), (&1.into(), &2.into()));
        assert_eq!((&document["rounds"], &document["reached"]), (&1.into(), &true.into()));
    }

    #[test]
    fn a_cost_below_nothing_is_told_as_it_was_measured() {
        let rest = Burst { rest_share: 0.1, ..burst(200) };
        assert!(near(rest.cpu_ms_each().unwrap(), -4.0));
    }
}
