//! All that makes one world unlike another: its climate, the plan of each call, and the dice by which its packets are
//! lost. A seed draws one; a file in `worlds/` keeps one, whatever seeds will draw in years to come.
//!
//! In a file stands only what is unlike the defaults of [`Climate`] and [`Plan`], one line for each call; times are
//! `"1200 ms"`. So it can be read, trimmed and written by hand.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clearline::domain::Entropy;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::climate::Climate;
use crate::plan::Plan;
use crate::signals::CALLS_MAX;

const SMALL_WORLD_MAX: u64 = 6;
/// From here on a world has room and keys for all its calls, and they all come at once.
const CROWD: usize = 20;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Scenario {
    /// What it once showed.
    pub(crate) about: String,
    pub(crate) dice: u64,
    #[serde(default)]
    pub(crate) climate: Climate,
    pub(crate) calls: Vec<Plan>,
}

impl Scenario {
    /// `calls` where somebody wants a certain number of them; else the seed says.
    pub(crate) fn drawn(seed: u64, calls: Option<usize>) -> Self {
        let mut entropy = Entropy::from_number(seed);
        let drawn = 1 + entropy.below(SMALL_WORLD_MAX) as usize;
        let calls = calls.unwrap_or(drawn);
        assert!(calls <= CALLS_MAX, "there are signals for {CALLS_MAX} calls");
        let is_crowded = calls >= CROWD;
        let (climate, lies) = Climate::drawn(calls, is_crowded, &mut entropy);
        let plans = (0..calls).map(|_| Plan::drawn(&climate, (is_crowded, lies), &mut entropy)).collect();
        Self { about: format!("drawn from seed {seed}"), dice: entropy.next_u64(), climate, calls: plans }
    }

    /// The same calls under the same sky, other packets lost.
    pub(crate) fn with_dice(&self, dice: u64) -> Self {
        Self { dice, ..self.clone() }
    }

    pub(crate) fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path).expect("a kept world can be read");
        Self::from_text(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn from_text(text: &str) -> serde_json::Result<Self> {
        serde_json::from_value(with_times(serde_json::from_str(text)?, &time_read))
    }

    pub(crate) fn to_text(&self) -> String {
        let climate = unlike_default(&self.climate);
        let calls: Vec<String> =
            self.calls.iter().map(|plan| format!("\n  {}", unlike_default(plan))).collect();
        let Self { about, dice, .. } = self;
        let about = Value::from(about.as_str());
        format!(
            "{{\"about\": {about},\n \"dice\": {dice},\n \"climate\": {climate},\n \"calls\": [{}]}}\n",
            calls.join(",")
        )
    }
}

/// The worlds that are kept, in the order of their names.
pub(crate) fn kept_worlds() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sim/worlds");
    let entries = std::fs::read_dir(folder).expect("a folder of kept worlds");
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    paths
}

fn unlike_default<T: Serialize + Default>(value: &T) -> Value {
    let plain = |value: &T| with_times(serde_json::to_value(value).expect("plain data"), &time_written);
    without(plain(value), &plain(&T::default()))
}

/// Members that are as they always are say nothing.
fn without(value: Value, usual: &Value) -> Value {
    let Value::Object(members) = value else { return value };
    let unusual = members.into_iter().filter(|(name, value)| usual.get(name) != Some(value));
    Value::Object(unusual.map(|(name, value)| (name.clone(), without(value, &usual[&name]))).collect())
}

fn with_times(value: Value, change: &impl Fn(Value) -> Value) -> Value {
    match change(value) {
        Value::Array(values) => values.into_iter().map(|value| with_times(value, change)).collect(),
        Value::Object(members) if !is_time(&members) => {
            members.into_iter().map(|(name, value)| (name, with_times(value, change))).collect()
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Object(_)) => {
            other
        }
    }
}

fn is_time(members: &Map<String, Value>) -> bool {
    members.len() == 2 && members.contains_key("secs") && members.contains_key("nanos")
}

/// serde writes a time as seconds and nanoseconds, which nobody likes to read.
fn time_written(value: Value) -> Value {
    match serde_json::from_value::<Duration>(value.clone()) {
        Ok(time) if value.is_object() => format!("{} ms", time.as_millis()).into(),
        Ok(_) | Err(_) => value,
    }
}

fn time_read(value: Value) -> Value {
    let ms = value.as_str().and_then(|text| text.strip_suffix(" ms")?.parse().ok());
    let time = ms.map(Duration::from_millis);
    time.map_or(value, |time| serde_json::to_value(time).expect("plain data"))
}

#[test]
fn a_world_that_is_kept_and_read_again_is_the_same() {
    for seed in 0..300 {
        let drawn = Scenario::drawn(seed, None);
        let text = drawn.to_text();
        assert_eq!(Scenario::from_text(&text).expect("what was written can be read"), drawn, "{text}");
    }
}

#[test]
fn a_world_written_by_hand_needs_only_what_is_unusual_and_a_misspelt_word_is_refused() {
    let world =
        r#"{"about": "a test", "dice": 1, "calls": [{}, {"trouble": {"crashes": [{"at": "1200 ms"}]}}]}"#;
    let read = Scenario::from_text(world).expect("a world");
    assert_eq!(read.calls[0], Plan::default());
    assert_eq!(read.calls[1].crashes(), [crate::trouble::Crash::At(Duration::from_millis(1_200))]);
    let refused = Scenario::from_text(&world.replace("trouble", "troubel")).expect_err("no such member");
    assert!(refused.to_string().contains("troubel"), "{refused}");
}
