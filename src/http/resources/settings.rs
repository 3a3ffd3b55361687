//! The few settings that may be changed while the engine runs (`config::RUN_TIME_SETTINGS`); they concern every engine
//! of the store.

use actix_web::{HttpResponse, get, patch, web};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;
use utoipa_actix_web::service_config::ServiceConfig;

use super::super::api::Api;
use super::super::body::Body;
use super::super::caller::Who;
use super::super::problem::Problem;
use super::super::sent::Sent;
use crate::actors::{Tuned, Tuning};
use crate::config::{LogLevel, Overrides, RUN_TIME_SETTINGS, RunTimeSetting, Settings};
use crate::domain::UserId;
use crate::store::By;

pub(super) fn routes(config: &mut ServiceConfig) {
    config.service(list_settings).service(change_settings);
}

#[derive(Serialize, ToSchema)]
struct SettingsView {
    items: Vec<SettingView>,
}

#[derive(Serialize, ToSchema)]
struct SettingView {
    /// As `calls.max_calls`.
    name: String,
    /// A number or a text; null: it is not set.
    #[schema(value_type = Value)]
    value: Value,
    source: SettingSource,
    /// What counts once a stored value is taken away.
    #[schema(value_type = Value)]
    configured: Value,
    /// Of a number.
    minimum: Option<u64>,
    maximum: Option<u64>,
}

#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum SettingSource {
    /// It was changed while engines ran, and wins over the other two.
    Stored,
    /// The command line, the environment or the settings file of this engine.
    Configured,
    /// Nobody has set it to anything else.
    Default,
}

#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum LevelName {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

/// What is left out stays as it is; null takes the stored value away, so that the configured one counts again.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChangeSettings {
    #[serde(default, rename = "calls.max_calls")]
    #[schema(value_type = Option<u32>, minimum = 1, maximum = 100_000)]
    max_calls: Sent<Option<usize>>,
    /// Id or name of a user who may have calls.
    #[serde(default, rename = "calls.default_owner_id")]
    #[schema(value_type = Option<String>, max_length = 200)]
    default_owner_id: Sent<Option<String>>,
    #[serde(default, rename = "keys.sessions_per_project")]
    #[schema(value_type = Option<u32>, maximum = 100_000)]
    sessions_per_project: Sent<Option<u32>>,
    #[serde(default, rename = "keys.reserved_for_holder")]
    #[schema(value_type = Option<u32>, maximum = 100_000)]
    reserved_for_holder: Sent<Option<u32>>,
    #[serde(default, rename = "log.level")]
    #[schema(value_type = Option<LevelName>)]
    log_level: Sent<Option<LevelName>>,
    /// 0: as many as come.
    #[serde(default, rename = "http.requests_per_s")]
    #[schema(value_type = Option<u32>, maximum = 1_000_000)]
    requests_per_s: Sent<Option<u32>>,
}

/// The settings that may be changed while the engine runs
#[utoipa::path(tag = "settings", responses((status = 200, description = "What holds at this engine", body = SettingsView)))]
#[get("/api/settings")]
async fn list_settings(api: web::Data<Api>, who: Who) -> Result<HttpResponse, Problem> {
    who.identity().may_run_engine()?;
    Ok(HttpResponse::Ok().json(SettingsView::of(&api.tuning, &api.tuning.current())))
}

/// Change settings
///
/// At once here, within two seconds at other engines of the store. It outlasts a restart.
#[utoipa::path(tag = "settings", request_body = ChangeSettings, responses((status = 200, description = "What holds now", body = SettingsView)))]
#[patch("/api/settings")]
async fn change_settings(
    api: web::Data<Api>,
    who: Who,
    Body(change): Body<ChangeSettings>,
) -> Result<HttpResponse, Problem> {
    who.identity().may_run_engine()?;
    let decide = |overrides: &Overrides| change.clone().laid_over(overrides.clone());
    let tuned = api.tuning.change(By::from(who.identity()), decide).await?;
    Ok(HttpResponse::Ok().json(SettingsView::of(&api.tuning, &tuned)))
}

impl ChangeSettings {
    fn laid_over(self, mut overrides: Overrides) -> Overrides {
        self.max_calls.lay_over(&mut overrides.max_calls);
        if let Sent::Value(owner) = self.default_owner_id {
            overrides.default_owner_id = owner.map(UserId::new);
        }
        self.sessions_per_project.lay_over(&mut overrides.sessions_per_project);
        self.reserved_for_holder.lay_over(&mut overrides.reserved_for_holder);
        if let Sent::Value(level) = self.log_level {
            overrides.log_level = level.map(LogLevel::from);
        }
        self.requests_per_s.lay_over(&mut overrides.requests_per_s);
        overrides
    }
}

impl SettingsView {
    fn of(tuning: &Tuning, tuned: &Tuned) -> Self {
        let usual = Settings::default();
        let view = |setting| SettingView::new(setting, tuned, tuning.configured(), &usual);
        Self { items: RUN_TIME_SETTINGS.iter().map(view).collect() }
    }
}

impl SettingView {
    fn new(setting: &RunTimeSetting, tuned: &Tuned, configured: &Settings, usual: &Settings) -> Self {
        let configured = setting.value(configured);
        let source = if setting.is_stored(&tuned.overrides) {
            SettingSource::Stored
        } else if configured == setting.value(usual) {
            SettingSource::Default
        } else {
            SettingSource::Configured
        };
        let allowed = setting.allowed();
        Self {
            name: setting.path.to_owned(),
            value: setting.value(&tuned.settings),
            source,
            configured,
            minimum: allowed.map(|allowed| *allowed.start()),
            maximum: allowed.map(|allowed| *allowed.end()),
        }
    }
}

impl From<LevelName> for LogLevel {
    fn from(level: LevelName) -> Self {
        match level {
            LevelName::Error => Self::Error,
            LevelName::Warn => Self::Warn,
            LevelName::Info => Self::Info,
            LevelName::Debug => Self::Debug,
            LevelName::Trace => Self::Trace,
        }
    }
}
