//! Calls that are crossed two by two: at either end each sounds like any other.

use clearline::sandbox::network::Towards;
use serde_json::Value;

use super::troubled::{Trouble, TroubledWay};
use super::{Attached, loadtest};

#[test]
fn calls_that_are_crossed_never_hold() {
    for trouble in [Trouble::Swaps(Towards::Engine), Trouble::Swaps(Towards::Phone), Trouble::MixesModels] {
        let step = step_through(trouble);
        assert_eq!(step["calls_held"], 4, "{trouble:?}: {step}");
        // A machine that was too busy to judge, or for any burst to arrive whole, says that instead.
        let was_late = step["harness"]["limited"] == true;
        assert!(was_late || step["crosstalk"].as_u64() > Some(0), "{trouble:?}: {step}");
        assert!(step["held"] == false || (was_late && step["held"].is_null()), "{trouble:?}: {step}");
    }
}

fn step_through(trouble: Trouble) -> Value {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let anywhere = "127.0.0.1:0";
    let arguments = ["sandbox", "model", "--load", "--attached", "--listen", anywhere, "--side", anywhere];
    let model = Attached::start(&arguments);
    let engine = Attached::engine(&format!("ws://{}", model.address("model")), &folder);
    let way = TroubledWay::start(engine.address("sip").parse().expect("an address"), trouble);
    let address = way.address.to_string();
    let step = ["--calls", "4", "--seconds", "12", "--json", "--engine", &address];
    let looked_into = ["--metrics", engine.address("http"), "--model-side", model.address("side")];
    let (code, stdout, stderr) = loadtest(&[&step[..], &looked_into].concat());
    assert_eq!(code, Some(1), "{trouble:?}: {stdout}{stderr}");
    let document: Value = serde_json::from_str(&stdout).expect("--json prints one document");
    document["steps"][0].clone()
}
