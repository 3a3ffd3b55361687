//! A persona, as the model's session wants to be told it.

use std::time::Duration;

use crate::call;
use crate::domain::{CallLimits, VoiceAgent, Webhook};
use crate::voice::{SessionConfig, ToolDeclaration};

pub(super) fn session_config(persona: &VoiceAgent) -> SessionConfig {
    let given = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned());
    let mut config = SessionConfig::new(persona.model.clone(), persona.instruction.clone());
    config.voice = given(&persona.voice);
    config.language = given(&persona.language);
    config.greeting = given(&persona.greeting);
    let own = persona.tools.iter().filter_map(|name| tool(name));
    config.tools = own.chain(persona.webhooks.iter().map(declaration)).collect();
    config
}

/// The persona says how long its callers may be silent; how long a call may be at most remains the engine's word.
pub(super) fn limits_for(persona: &CallLimits, engine: call::CallLimits) -> call::CallLimits {
    let given = |seconds: u64| (seconds > 0).then(|| Duration::from_secs(seconds));
    call::CallLimits {
        silence: given(persona.silence_timeout_s).unwrap_or(engine.silence),
        max_length: given(persona.max_call_s).map_or(engine.max_length, |own| own.min(engine.max_length)),
        ..engine
    }
}

fn tool(name: &str) -> Option<ToolDeclaration> {
    match name {
        "create_lead" => Some(ToolDeclaration::create_lead()),
        "detect_intent" => Some(ToolDeclaration::detect_intent()),
        "end_call" => Some(ToolDeclaration::end_call()),
        "schedule_callback" => Some(ToolDeclaration::schedule_callback()),
        "send_dtmf" => Some(ToolDeclaration::send_dtmf()),
        unknown => {
            tracing::warn!(tool = unknown, "the persona names a tool that does not exist; it is left out");
            None
        }
    }
}

/// The service's own limit comes first, so that the model is told what went wrong and not only that it took long.
const AFTER_ITS_LIMIT: Duration = Duration::from_secs(2);

fn declaration(webhook: &Webhook) -> ToolDeclaration {
    ToolDeclaration {
        name: webhook.name.clone(),
        description: webhook.description.clone(),
        parameters: Some(webhook.parameters.clone().into()),
        blocking: true,
        silent_result: false,
        timeout: Duration::from_millis(webhook.timeout_ms) + AFTER_ITS_LIMIT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::KNOWN_TOOLS;

    #[test]
    fn every_tool_that_a_persona_may_name_exists() {
        let names: Vec<_> = KNOWN_TOOLS.iter().filter_map(|name| tool(name)).map(|tool| tool.name).collect();
        assert_eq!(names, KNOWN_TOOLS);
    }

    #[test]
    fn a_persona_s_limits_hold_within_the_engine_s() {
        let engine = call::CallLimits {
            no_rtp: Duration::from_secs(30),
            silence: Duration::from_secs(60),
            max_length: Duration::from_secs(600),
        };
        let limits = |max_call_s, silence_timeout_s| {
            let limits = limits_for(&CallLimits { max_call_s, silence_timeout_s }, engine);
            (limits.max_length.as_secs(), limits.silence.as_secs(), limits.no_rtp.as_secs())
        };
        assert_eq!(limits(0, 0), (600, 60, 30));
        assert_eq!(limits(120, 90), (120, 90, 30));
        assert_eq!(limits(3_600, 5), (600, 5, 30));
    }
}
