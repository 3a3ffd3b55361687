//! Log lines: human or JSON, on standard error, because standard output belongs to the command's result.

use std::io;
use std::panic::{self, PanicHookInfo};
use std::sync::OnceLock;

use thiserror::Error;
use tracing::Subscriber;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};
use tracing_subscriber::{Registry, reload};

use crate::config::{Log, LogFormat, LogLevel};

/// What decides which lines are heard, to be replaced while the engine runs.
type Levels = reload::Handle<Targets, Registry>;

static LEVELS: OnceLock<Levels> = OnceLock::new();

#[derive(Debug, Error)]
#[error("logging is set up already; it can be done once in a process")]
pub struct LoggingError(#[from] TryInitError);

/// Once per process, before anything is logged.
pub fn init_logging(log: &Log) -> Result<(), LoggingError> {
    let (lines, levels) = subscriber(log, io::stderr);
    lines.try_init()?;
    // The first is the only one: a second subscriber would have been refused just now.
    LEVELS.get_or_init(|| levels);
    panic::set_hook(Box::new(log_panic));
    Ok(())
}

/// From now on, where logging has been set up.
pub fn set_log_level(level: LogLevel) {
    if let Some(Err(error)) = LEVELS.get().map(|levels| levels.reload(heard(level))) {
        tracing::warn!(%error, "the log level stays as it was");
    }
}

/// One line like any other: a panic of one call is an ordinary ending, not a page of frames.
fn log_panic(panic: &PanicHookInfo<'_>) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let message = panic.payload_as_str().unwrap_or("no message");
    tracing::error!(%place, message, "panic");
}

fn subscriber<W>(log: &Log, writer: W) -> (impl Subscriber + Send + Sync + 'static, Levels)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let lines = fmt::layer().with_writer(writer);
    let lines = match log.format {
        LogFormat::Human => lines.with_ansi(false).boxed(),
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    let (filter, levels) = reload::Layer::new(heard(log.level));
    (tracing_subscriber::registry().with(lines.with_filter(filter)), levels)
}

fn heard(level: LogLevel) -> Targets {
    let ours = filter_of(level);
    let others = Targets::new().with_default(ours.min(LevelFilter::WARN));
    others.with_target(env!("CARGO_CRATE_NAME"), ours).with_target(PEERS_FAULTS, LevelFilter::OFF)
}

/// Calls it an error when somebody sends what is no HTTP, or goes away: any stranger could fill the log with that.
const PEERS_FAULTS: &str = "actix_http";

fn filter_of(level: LogLevel) -> LevelFilter {
    match level {
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::domain::{CallId, Secret};

    #[derive(Clone, Default)]
    struct Sheet(Arc<Mutex<Vec<u8>>>);

    impl Write for Sheet {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn logged(format: LogFormat, level: LogLevel, work: impl FnOnce(&Levels)) -> String {
        let sheet = Sheet::default();
        let writer = sheet.clone();
        let (subscriber, levels) = subscriber(&Log { format, level }, move || writer.clone());
        tracing::subscriber::with_default(subscriber, || work(&levels));
        let bytes = sheet.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    /// The one line that `work` writes into a JSON log.
    pub(crate) fn json_line_of(level: LogLevel, work: impl FnOnce()) -> serde_json::Value {
        serde_json::from_str(&logged(LogFormat::Json, level, |_| work())).unwrap()
    }

    #[test]
    fn a_json_line_carries_the_calls_id_and_only_the_hint_of_a_key() {
        let key = Secret::new("AIzaSyA-very-long-key-9876");
        let line = json_line_of(LogLevel::Info, || {
            tracing::info!(call = %CallId::new("c1"), %key, "Using user-specific API key");
        });
        assert_eq!((&line["call"], &line["key"]), (&"c1".into(), &"AIzaSy…9876".into()));
        assert_eq!(line["message"], "Using user-specific API key");
    }

    #[test]
    fn libraries_are_heard_from_warnings_upwards_even_at_trace() {
        let text = logged(LogFormat::Human, LogLevel::Trace, |_| {
            tracing::trace!("ours");
            tracing::debug!(target: "tungstenite::handshake", "x-goog-api-key: AIza");
            tracing::warn!(target: "rustls", "odd certificate");
        });
        assert!(
            text.contains("ours") && text.contains("odd certificate") && !text.contains("AIza"),
            "{text}"
        );
    }

    #[test]
    fn what_strangers_send_that_is_no_http_is_no_error_of_ours() {
        let text = logged(LogFormat::Human, LogLevel::Trace, |_| {
            tracing::error!(target: "actix_http::h1::dispatcher", "stream error: bad request line");
            tracing::error!(target: "actix_server::accept", "Error accepting connection");
        });
        assert!(text.contains("accepting") && !text.contains("stream error"), "{text}");
    }

    #[test]
    fn the_level_hides_what_is_below_it() {
        let text = logged(LogFormat::Human, LogLevel::Warn, |_| {
            tracing::info!("small talk");
            tracing::warn!("wake up");
        });
        assert!(text.contains("wake up") && !text.contains("small talk"), "{text}");
    }

    #[test]
    fn the_level_can_be_changed_while_lines_are_written() {
        let text = logged(LogFormat::Human, LogLevel::Warn, |levels| {
            let line = |text: &str| tracing::info!("{text}");
            line("too early");
            levels.reload(heard(LogLevel::Info)).unwrap();
            line("now heard");
            levels.reload(heard(LogLevel::Error)).unwrap();
            line("too late");
        });
        assert!(text.contains("now heard") && !text.contains("too"), "{text}");
    }
}
