//! Plays the calls of one proof, prints what was judged, and fails if anybody heard anybody else.

use std::io::{self, Write};
use std::time::Duration;

use clearline::sandbox::network::{Impairment, LaneReport};

use crate::bounds::Bounds;
use crate::caller::{Caller, callers_voice, models_voice};
use crate::hall::{Hall, WINDOWS_A_SECOND};
use crate::judge::Tally;

/// Written past the test harness, which would show it only when a test fails.
pub(crate) fn report(line: &str) {
    writeln!(io::stderr(), "{line}").expect("standard error takes a line");
}

/// SPEC R6: 2 % loss and 30 ms jitter. Packets are 10 to 70 ms under way, so that many overtake others.
pub(crate) const BAD_NETWORK: Impairment =
    Impairment { loss: 0.02, delay: Duration::from_millis(40), jitter: Duration::from_millis(30) };
/// What the sockets of a starved machine may overflow by.
const FEW_PACKETS: u64 = 5;
const WINDOWS_A_FRAME: u64 = WINDOWS_A_SECOND / 50;

pub(crate) struct Proof {
    pub(crate) calls: u16,
    /// Each end of each call hears its own for at least so long.
    pub(crate) seconds: u64,
    pub(crate) network: Option<Impairment>,
    pub(crate) seed: u64,
    pub(crate) slowed: u32,
}

impl Proof {
    pub(crate) async fn play(&self) {
        let mut hall = Hall::with(self.calls).await;
        if let Some(network) = self.network {
            hall.impair(network, self.seed).await;
        }
        hall.fill().await;
        hall.listen(self.seconds).await;
        let callers = hall.close().await;
        self.print(&callers);
        self.judge(&callers);
    }

    fn judge(&self, callers: &[Caller]) {
        let [of_far_ends, of_models] = Bounds::over(self.network);
        for caller in callers {
            let (heard, index) = (caller.heard(), caller.index);
            let lost = caller.traffic().map_or(0, |[to_far_end, _]| to_far_end.lost + to_far_end.crowded_out);
            let missing = caller.missing();
            assert!(
                missing <= lost + FEW_PACKETS,
                "call {index} misses {missing} packets, the network lost {lost}"
            );
            let [by_far_end, by_model] = caller.strangers();
            for (who, tally, strangers, own, bounds) in [
                ("far end", heard.by_far_end, by_far_end, models_voice(index), &of_far_ends),
                ("model", heard.by_model, by_model, callers_voice(index), &of_models),
            ] {
                assert_eq!(tally.foreign, 0, "the {who} of call {index} heard {strangers:?}: {tally:?}");
                let hears_own = tally.own >= self.seconds * WINDOWS_A_SECOND;
                assert!(
                    hears_own,
                    "the {who} of call {index} did not hear enough of its own {own:?}: {tally:?}"
                );
                let complaint = bounds.complaint(&tally);
                assert_eq!(complaint, None, "the {who} of call {index} hears {own:?}, and: {tally:?}");
            }
        }
    }

    fn print(&self, callers: &[Caller]) {
        let pace = match self.slowed {
            1 => "in real time".to_owned(),
            times => format!("media slowed {times} times"),
        };
        report(&format!("isolation: {} calls, {pace}, {}", self.calls, describe(self.network)));
        print_direction("far ends heard", callers.iter().map(|caller| caller.heard().by_far_end));
        print_direction("models heard", callers.iter().map(|caller| caller.heard().by_model));
        for (direction, towards) in [("to far ends", 0), ("to the engine", 1)] {
            let lanes = callers.iter().filter_map(|caller| caller.traffic()).map(|lanes| lanes[towards]);
            print_traffic(direction, &lanes.collect::<Vec<_>>());
        }
    }
}

fn describe(network: Option<Impairment>) -> String {
    let Some(network) = network else { return "clean".into() };
    format!("{} % loss and {} ms jitter", network.loss * 100.0, network.jitter.as_millis())
}

fn print_direction(what: &str, tallies: impl Iterator<Item = Tally>) {
    let (mut sum, mut least, mut most) = (Tally::default(), u64::MAX, [0.0f64; 2]);
    for tally in tallies {
        sum.add(&tally);
        least = least.min(tally.own);
        let share = |part: u64| part as f64 / tally.talk().max(1) as f64 * 100.0;
        most = [most[0].max(share(tally.silent)), most[1].max(share(tally.unclear))];
    }
    report(&format!(
        "  {what}: {} frames judged, which is {:.1} s: own voice {:.1} s (least of all calls {:.1} s), silence {:.1} s before \
         the first word and {:.1} s after it (at most {:.1} % of a talk), beginnings, ends and concealed losses {:.1} s (at \
         most {:.1} % of a talk), foreign {} samples",
        sum.windows() / WINDOWS_A_FRAME,
        seconds(sum.windows()),
        seconds(sum.own),
        seconds(least),
        seconds(sum.waiting),
        seconds(sum.silent),
        most[0],
        seconds(sum.unclear),
        most[1],
        sum.foreign * crate::judge::HOP as u64,
    ));
}

fn print_traffic(direction: &str, lanes: &[LaneReport]) {
    let entered: u64 = lanes.iter().map(|lane| lane.entered).sum();
    if entered == 0 {
        return;
    }
    let lost: u64 = lanes.iter().map(|lane| lane.lost).sum();
    let mean = |figure: fn(&LaneReport) -> f64| lanes.iter().map(figure).sum::<f64>() / lanes.len() as f64;
    report(&format!(
        "  packets {direction}: {entered}, lost {:.2} %, on the way {:.1} ms, neighbours' delays differ by {:.1} ms",
        lost as f64 / entered as f64 * 100.0,
        mean(|lane| lane.delay_ms_mean),
        mean(|lane| lane.jitter_ms_mean),
    ));
}

fn seconds(windows: u64) -> f64 {
    windows as f64 / WINDOWS_A_SECOND as f64
}
