//! The side port: what the sessions were told and heard, and a place to set faults.
//!
//! `GET /health` · `GET /sessions` · `GET /sessions/{id}` · `GET /sessions/{id}/audio.wav` · `GET /timing` ·
//! `GET /projects` · `GET /faults` · `POST /faults` (one rule or a list; replaces all, a rule for a session befalls it now).

use std::io;
use std::sync::Arc;

use serde_json::{Value, json};
use tokio::net::TcpStream;

use super::ear::RATE;
use super::faults::FaultRule;
use super::http::{Request, Response};
use super::report::SessionReport;
use super::state::State;

pub(super) const MAX_VISITORS: usize = 32;
const MAX_RULES: usize = 1_024;

pub(super) async fn visit(mut stream: TcpStream, state: Arc<State>) -> io::Result<()> {
    let mut request = Request::read(&mut stream).await?;
    let body = request.body(&mut stream).await?;
    answer(&request, &body, &state).write(&mut stream).await
}

fn answer(request: &Request, body: &[u8], state: &State) -> Response {
    let path: Vec<&str> = request.path.split('/').skip(1).collect();
    match (request.method.as_str(), path.as_slice()) {
        ("GET", ["health"]) => {
            Response::json(200, &json!({"ok": true, "open_sessions": state.open_sessions()}))
        }
        ("GET", ["sessions"]) => document(&state.summaries()),
        ("GET", ["sessions", id]) => with_session(state, id, document),
        ("GET", ["sessions", id, "audio.wav"]) => {
            with_session(state, id, |report| Response::wav(wav(&report.audio)))
        }
        ("GET", ["timing"]) => document(&state.timing()),
        ("GET", ["projects"]) => document(&state.projects()),
        ("GET", ["faults"]) => document(&state.fault_rules()),
        ("POST", ["faults"]) => set_faults(body, state),
        _ => problem(404, "There is nothing here; see /health, /sessions, /timing, /projects, /faults."),
    }
}

fn with_session(state: &State, id: &str, show: impl Fn(&SessionReport) -> Response) -> Response {
    let reports = state.reports();
    let found = reports.iter().find(|report| report.id == id);
    found.map_or_else(|| problem(404, "No such session."), show)
}

fn set_faults(body: &[u8], state: &State) -> Response {
    let rules = match serde_json::from_slice::<Value>(body) {
        Ok(Value::Array(rules)) => serde_json::from_value::<Vec<FaultRule>>(rules.into()),
        Ok(rule) => serde_json::from_value(rule).map(|rule| vec![rule]),
        Err(error) => Err(error),
    };
    match rules {
        Err(error) => problem(400, &error.to_string()),
        Ok(rules) if rules.len() > MAX_RULES => problem(400, "Too many rules."),
        Ok(rules) => match state.set_faults(rules).as_slice() {
            [] => document(&state.fault_rules()),
            missing => problem(404, &format!("No running session {}.", missing.join(", "))),
        },
    }
}

fn document<T: serde::Serialize + ?Sized>(value: &T) -> Response {
    match serde_json::to_value(value) {
        Ok(value) => Response::json(200, &value),
        Err(error) => problem(500, &error.to_string()),
    }
}

fn problem(status: u16, message: &str) -> Response {
    Response::json(status, &json!({"error": {"code": status, "message": message}}))
}

fn wav(samples: &[i16]) -> Vec<u8> {
    let data_bytes = samples.len() as u32 * 2;
    let mut file = Vec::with_capacity(44 + samples.len() * 2);
    file.extend(b"RIFF");
    file.extend((36 + data_bytes).to_le_bytes());
    file.extend(b"WAVEfmt \x10\0\0\0\x01\0\x01\0");
    file.extend(RATE.to_le_bytes());
    file.extend((RATE * 2).to_le_bytes());
    file.extend(b"\x02\0\x10\0data");
    file.extend(data_bytes.to_le_bytes());
    file.extend(samples.iter().flat_map(|sample| sample.to_le_bytes()));
    file
}
