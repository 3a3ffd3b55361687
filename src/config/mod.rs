//! Settings (SPEC I7): command line, then environment, then `.env` beside the file, then TOML, then defaults.
//!
//! [`load`] lays these over each other in one table, remembers where each value came from, and reads the table into
//! [`Settings`]. Serde refuses unknown keys; `checks` refuses values out of range. Every error names the setting by
//! its dotted path, the place it came from, and the cure. Each setting also has a variable, CLEARLINE_ and its path
//! in capitals (`sip.listen` = CLEARLINE_SIP_LISTEN, `sip.gateways.1.password` = CLEARLINE_SIP_GATEWAYS_1_PASSWORD);
//! the names of SPEC are aliases. Google keys come from variables alone and are read by [`crate::keys::KeyPool`].
//!
//! `bounds` says how large a number may be, once for the start and for the few settings (`run_time`) that are changed while
//! engines run.
//!
//! Nothing here touches the process environment: the caller passes it in.

mod bounds;
mod checks;
mod error;
mod layers;
mod run_time;
mod sections;
#[cfg(test)]
mod tests;
mod variables;

pub use error::{ConfigError, Origin};
pub use layers::{Sources, load};
pub use run_time::{Overrides, RUN_TIME_SETTINGS, RunTimeSetting};
pub use sections::{
    Calls, Crm, Gateway, Http, Keys, Log, LogFormat, LogLevel, Media, Node, Notifications, NumberRoute,
    Recording, Secrets, Sessions, Settings, Sip, Store, Voice,
};
