//! The result as a picture: one panel a question, the number of calls along each, limits dashed. Pure; plain SVG.

use std::fmt::Write;

use super::document::Document;
use super::levels::{LEVELS, Level};
use super::outcome::Step;
use super::panels::{Line, PANELS, Panel};

const RED: &str = "#b3261e";
const WIDTH: f64 = 960.0;
/// Above the summary's first line, and from one of its lines to the next.
const SUMMARY_TOP: f64 = 48.0;
const SUMMARY_LINE: f64 = 16.0;
/// Of a summary, at seven units a letter.
const LINE_BYTES_MAX: usize = 130;
const COLUMNS: usize = 2;
const CELL_WIDTH: f64 = WIDTH / COLUMNS as f64;
const CELL_HEIGHT: f64 = 260.0;
/// Room in a cell for its title, its numbers and its legend.
const LEFT: f64 = 56.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 48.0;
const BOTTOM: f64 = 52.0;
const GRID_LINES: usize = 4;
const LEGEND: &str = "Along each picture: the number of calls. A hollow point: the step broke, or was not judged. \
    No point: too few samples, or not measured.";
const LEGEND_HEIGHT: f64 = 12.0;

pub(super) fn draw(document: &Document) -> String {
    let mut steps: Vec<&Step> = document.steps.iter().collect();
    steps.sort_by_key(|step| step.calls);
    let summary: Vec<String> = document.summary().iter().flat_map(|line| wrapped(line)).collect();
    let header = SUMMARY_TOP + SUMMARY_LINE * summary.len() as f64;
    let height = header + LEGEND_HEIGHT + CELL_HEIGHT * PANELS.len().div_ceil(COLUMNS) as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"Helvetica, Arial, sans-serif\" font-size=\"12\" fill=\"#333\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    text(
        &mut svg,
        (24.0, 28.0),
        "font-size=\"18\" font-weight=\"bold\"",
        "How many AI calls this machine holds",
    );
    for (number, line) in summary.iter().enumerate() {
        text(&mut svg, (24.0, SUMMARY_TOP + SUMMARY_LINE * number as f64), "", line);
    }
    text(&mut svg, (24.0, header), "fill=\"#777\"", LEGEND);
    for (number, panel) in PANELS.iter().enumerate() {
        let x = (number % COLUMNS) as f64 * CELL_WIDTH;
        let y = header + LEGEND_HEIGHT + (number / COLUMNS) as f64 * CELL_HEIGHT;
        Plot::new(panel, &steps, (x, y)).draw(panel, &steps, &mut svg);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Where values of one panel lie on the page.
struct Plot {
    x: f64,
    y: f64,
    calls_max: f64,
    value_max: f64,
    level: Option<&'static Level>,
}

impl Plot {
    fn new(panel: &Panel, steps: &[&Step], (x, y): (f64, f64)) -> Self {
        let level = LEVELS.iter().find(|level| Some(level.name) == panel.level);
        let values = steps.iter().flat_map(|step| panel.lines.iter().filter_map(|line| (line.value)(step)));
        let highest = values.chain(level.map(|level| level.limit)).fold(0.0, f64::max);
        let calls_max = steps.iter().map(|step| step.calls).max().unwrap_or(1).max(1) as f64;
        Self { x, y, calls_max, value_max: round_above(highest * 1.1), level }
    }

    fn draw(&self, panel: &Panel, steps: &[&Step], svg: &mut String) {
        let title = format!("{} ({})", panel.title, panel.unit);
        text(svg, (self.x + LEFT, self.y + 28.0), "font-size=\"14\" font-weight=\"bold\"", &title);
        self.grid(steps, svg);
        if let Some(Level { name, limit, .. }) = self.level {
            let (from, to, y) = (self.at_calls(0.0), self.at_calls(self.calls_max), self.at_value(*limit));
            writeln!(svg, "<line x1=\"{from:.1}\" x2=\"{to:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"{RED}\" stroke-dasharray=\"6 4\"/>").expect(INFALLIBLE);
            text(
                svg,
                // At the left end, where no point is.
                (from + 4.0, y - 4.0),
                &format!("fill=\"{RED}\""),
                &format!("limit of {name}: {limit}"),
            );
        }
        for (number, line) in panel.lines.iter().enumerate() {
            self.line(line, steps, svg);
            let x = self.x + LEFT + number as f64 * 124.0;
            let y = self.y + CELL_HEIGHT - 10.0;
            writeln!(
                svg,
                "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"4\" fill=\"{}\"/>",
                x + 4.0,
                y - 4.0,
                line.colour
            )
            .expect(INFALLIBLE);
            text(svg, (x + 14.0, y), "", line.name);
        }
    }

    fn grid(&self, steps: &[&Step], svg: &mut String) {
        let (left, right) = (self.at_calls(0.0), self.at_calls(self.calls_max));
        for number in 0..=GRID_LINES {
            let value = self.value_max * number as f64 / GRID_LINES as f64;
            let y = self.at_value(value);
            writeln!(
                svg,
                "<line x1=\"{left:.1}\" x2=\"{right:.1}\" y1=\"{y:.1}\" y2=\"{y:.1}\" stroke=\"#ddd\"/>"
            )
            .expect(INFALLIBLE);
            text(svg, (left - 6.0, y + 4.0), "text-anchor=\"end\"", &readable(value));
        }
        let mut free_from = f64::NEG_INFINITY;
        for step in steps {
            let x = self.at_calls(step.calls as f64);
            // Steps that lie close share the label of the first.
            if x >= free_from {
                text(svg, (x, self.at_value(0.0) + 16.0), "text-anchor=\"middle\"", &step.calls.to_string());
                free_from = x + 28.0;
            }
        }
        text(svg, (right, self.at_value(0.0) + 30.0), "text-anchor=\"end\" fill=\"#777\"", "calls");
    }

    fn line(&self, line: &Line, steps: &[&Step], svg: &mut String) {
        let points = steps.iter().filter_map(|step| {
            Some((self.at_calls(step.calls as f64), self.at_value((line.value)(step)?), step))
        });
        let points: Vec<_> = points.collect();
        let path: Vec<String> = points.iter().map(|(x, y, _)| format!("{x:.1},{y:.1}")).collect();
        writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"2\"/>",
            path.join(" "),
            line.colour
        )
        .expect(INFALLIBLE);
        for (x, y, step) in points {
            // Hollow: the step broke, or could not be judged.
            let inside = if step.held == Some(true) { line.colour } else { "#fff" };
            writeln!(svg, "<circle cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"4\" fill=\"{inside}\" stroke=\"{}\" stroke-width=\"2\"/>", line.colour).expect(INFALLIBLE);
        }
    }

    fn at_calls(&self, calls: f64) -> f64 {
        self.x + LEFT + (CELL_WIDTH - LEFT - RIGHT) * calls / self.calls_max
    }

    fn at_value(&self, value: f64) -> f64 {
        self.y + CELL_HEIGHT - BOTTOM - (CELL_HEIGHT - TOP - BOTTOM) * value / self.value_max
    }
}

const INFALLIBLE: &str = "a String takes every text";

fn text(svg: &mut String, (x, y): (f64, f64), attributes: &str, content: &str) {
    let content = content.replace('&', "&amp;").replace('<', "&lt;");
    writeln!(svg, "<text x=\"{x:.1}\" y=\"{y:.1}\" {attributes}>{content}</text>").expect(INFALLIBLE);
}

/// Lines that the picture's width has room for.
fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if line.len() + word.len() < LINE_BYTES_MAX => {
                line.push(' ');
                line.push_str(word);
            }
            Some(_) | None => lines.push(word.to_owned()),
        }
    }
    lines
}

/// The next of 1, 2, 4, 5, 8 times a power of ten: quarters of it are short numbers.
fn round_above(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    let factor = [1.0, 2.0, 4.0, 5.0, 8.0].into_iter().find(|factor| factor * power >= value);
    factor.unwrap_or(10.0) * power
}

fn readable(value: f64) -> String {
    let text = format!("{value:.3}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::loadtest::document::{self, tests::step};

    const HELD: (&str, Option<bool>) = ("loss", Some(true));
    const BROKEN: (&str, Option<bool>) = ("loss", Some(false));

    #[test]
    fn axes_end_at_round_numbers() {
        for (value, end) in [(0.0, 1.0), (0.31, 0.4), (27.0, 40.0), (41.0, 50.0), (9.0, 10.0), (130.0, 200.0)]
        {
            assert!((round_above(value) - end).abs() < 1e-9, "{value}: {}", round_above(value));
        }
        assert_eq!((readable(0.25), readable(40.0)), ("0.25".into(), "40".into()));
    }

    #[test]
    fn a_long_line_is_wrapped_between_words() {
        assert_eq!(wrapped("10 calls held every service level"), ["10 calls held every service level"]);
        let long = ["uplink_delay_p95"; 20].join(", ");
        let lines = wrapped(&long);
        assert!(lines.len() == 3 && lines.iter().all(|line| line.len() <= LINE_BYTES_MAX), "{lines:?}");
        assert_eq!(lines.join(" "), long);
    }

    #[test]
    fn every_step_has_a_point_in_every_line_that_was_measured() {
        let svg = draw(&document::tests::of(vec![step(10, &[HELD]), step(20, &[BROKEN])]));
        // Calls asked and calls up are always known: two lines of two points, the second hollow, and as many lines
        // without points as the others are.
        let lines: usize = PANELS.iter().map(|panel| panel.lines.len()).sum();
        assert_eq!(svg.matches("<polyline").count(), lines);
        assert_eq!(svg.matches("stroke-width=\"2\"/>").count(), lines + 4);
        assert_eq!(svg.matches("r=\"4\" fill=\"#fff\"").count(), 2);
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>\n"));
        assert!(!svg.contains("NaN") && !svg.contains("inf"));
    }

    #[test]
    fn every_figure_that_a_load_test_is_for_has_its_place() {
        let svg = draw(&document::tests::of(vec![step(10, &[BROKEN])]));
        for title in [
            "Calls held",
            "Delay added, caller to model",
            "Delay added, model to caller",
            "CPU per call",
            "Memory per call",
            "lateness",
            "what broke first, at 10 calls: loss",
        ] {
            assert!(svg.contains(title), "{title}");
        }
        for quantile in ["p50", "p95", "p99"] {
            assert_eq!(svg.matches(&format!(">{quantile}<")).count(), 2, "one each way: {quantile}");
        }
    }
}
