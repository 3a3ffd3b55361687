//! A persona, as the model's session wants to be told it.

use crate::domain::VoiceAgent;
use crate::voice::{SessionConfig, ToolDeclaration};

pub(super) fn session_config(persona: &VoiceAgent) -> SessionConfig {
    let given = |text: &str| (!text.trim().is_empty()).then(|| text.to_owned());
    let mut config = SessionConfig::new(persona.model.clone(), persona.instruction.clone());
    config.voice = given(&persona.voice);
    config.language = given(&persona.language);
    config.greeting = given(&persona.greeting);
    config.tools = persona.tools.iter().filter_map(|name| tool(name)).collect();
    config
}

fn tool(name: &str) -> Option<ToolDeclaration> {
    match name {
        "end_call" => Some(ToolDeclaration::end_call()),
        "send_dtmf" => Some(ToolDeclaration::send_dtmf()),
        unknown => {
            tracing::warn!(tool = unknown, "the persona names a tool that does not exist; it is left out");
            None
        }
    }
}
