//! Resumption handles: which session state a name brings back, for whom, and for how long.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::marker::Marker;
use super::refusal::Refusal;
use super::report::HistoryLine;

/// What a session leaves to its successor.
#[derive(Debug, Clone)]
pub(super) struct Memory {
    pub(super) project: String,
    pub(super) model: String,
    pub(super) marker: Marker,
    pub(super) history: Arc<[HistoryLine]>,
}

#[derive(Debug)]
struct Handle {
    name: String,
    session: String,
    memory: Memory,
    /// `None` while its connection lives.
    ended_at: Option<Instant>,
}

#[derive(Debug)]
pub(super) struct Handles {
    kept: VecDeque<Handle>,
    life: Duration,
}

/// What a setup with a handle meets.
#[derive(Debug)]
pub(super) enum Resumption {
    Restored(Memory),
    Refused(Refusal),
    /// The setup succeeds and the session then dies: a handle of another model, as seen in the field.
    Poisoned,
}

/// The oldest handles give way; a client only ever needs its newest.
const MAX_HANDLES: usize = 4_096;
const MAX_HANDLES_A_SESSION: usize = 4;

impl Handles {
    pub(super) fn new(life: Duration) -> Self {
        Self { kept: VecDeque::new(), life }
    }

    pub(super) fn keep(&mut self, session: &str, name: String, memory: Memory) {
        let of_session = self.kept.iter().filter(|handle| handle.session == session).count();
        if of_session >= MAX_HANDLES_A_SESSION
            && let Some(oldest) = self.kept.iter().position(|handle| handle.session == session)
        {
            self.kept.remove(oldest);
        } else if self.kept.len() >= MAX_HANDLES {
            self.kept.pop_front();
        }
        self.kept.push_back(Handle { name, session: session.to_owned(), memory, ended_at: None });
    }

    pub(super) fn connection_ended(&mut self, session: &str, now: Instant) {
        for handle in self.kept.iter_mut().filter(|handle| handle.session == session) {
            handle.ended_at = Some(now);
        }
    }

    pub(super) fn resume(&self, name: &str, project: &str, model: &str, now: Instant) -> Resumption {
        let found = self.kept.iter().find(|handle| handle.name == name && handle.memory.project == project);
        let Some(handle) = found else {
            return Resumption::Refused(Refusal::usual(super::refusal::POLICY));
        };
        let Some(ended_at) = handle.ended_at else {
            return Resumption::Refused(Refusal::usual(super::refusal::INTERNAL));
        };
        if now.saturating_duration_since(ended_at) > self.life {
            return Resumption::Refused(Refusal::invalid("Invalid session handle."));
        }
        if handle.memory.model != model {
            return Resumption::Poisoned;
        }
        Resumption::Restored(handle.memory.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::super::connection::now;
    use super::*;

    const LIFE: Duration = Duration::from_secs(60);

    fn memory() -> Memory {
        let history = Arc::from([HistoryLine::user("hello")]);
        Memory { project: "p".into(), model: "m".into(), marker: Marker::number(1), history }
    }

    fn refused_with(resumption: &Resumption) -> Option<u16> {
        if let Resumption::Refused(refusal) = resumption { Some(refusal.code) } else { None }
    }

    #[test]
    fn a_handle_restores_only_once_its_connection_has_ended() {
        let (mut handles, now) = (Handles::new(LIFE), now());
        handles.keep("s-1", "h".into(), memory());
        assert_eq!(refused_with(&handles.resume("h", "p", "m", now)), Some(1011));
        handles.connection_ended("s-1", now);
        assert!(matches!(handles.resume("h", "p", "m", now + LIFE), Resumption::Restored(_)));
    }

    #[test]
    fn a_handle_is_bound_to_project_model_and_time() {
        let (mut handles, now) = (Handles::new(LIFE), now());
        handles.keep("s-1", "h".into(), memory());
        handles.connection_ended("s-1", now);
        assert_eq!(refused_with(&handles.resume("h", "other", "m", now)), Some(1008));
        assert_eq!(refused_with(&handles.resume("unknown", "p", "m", now)), Some(1008));
        assert!(matches!(handles.resume("h", "p", "other", now), Resumption::Poisoned));
        assert_eq!(refused_with(&handles.resume("h", "p", "m", now + LIFE * 2)), Some(1007));
    }

    #[test]
    fn a_long_session_keeps_only_its_newest_handles() {
        let mut handles = Handles::new(LIFE);
        for number in 0..100 {
            handles.keep("s-1", format!("h-{number}"), memory());
        }
        assert_eq!(handles.kept.len(), MAX_HANDLES_A_SESSION);
        assert!(handles.kept.iter().any(|handle| handle.name == "h-99"));
    }
}
