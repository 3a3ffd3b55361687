//! The models the stand-in plays, what each refuses and how each treats tools: tables, to be corrected as the field
//! reports new facts. The rows are those of the reference's sections 4.2 to 4.4 and 7.

use serde_json::Value;

use super::refusal::Refusal;

/// How a model differs from the others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Model {
    pub(super) name: &'static str,
    /// What a tool without a declared behaviour does.
    pub(super) tools_block_by_default: bool,
    /// The caller's speech cancels a blocking call (3.8); otherwise the model stays silent until it is answered.
    pub(super) speech_cancels_calls: bool,
    /// Reports `interactionStatus` and keeps calls over an interruption.
    pub(super) reports_interaction: bool,
    /// `clientContent` is refused once the model has spoken.
    pub(super) content_only_before_speech: bool,
}

const OLDER: Model = Model {
    name: "models/gemini-2.5-flash-native-audio-preview-12-2025",
    tools_block_by_default: true,
    speech_cancels_calls: false,
    reports_interaction: false,
    content_only_before_speech: false,
};

const LIVE_3_8: Model = Model {
    name: "models/gemini-3.8-live",
    tools_block_by_default: false,
    speech_cancels_calls: true,
    ..OLDER
};

const MODELS: [Model; 4] = [
    LIVE_3_8,
    Model { name: "models/gemini-3.8-live-extended-thinking", reports_interaction: true, ..LIVE_3_8 },
    Model { name: "models/gemini-3.1-flash-live-preview", content_only_before_speech: true, ..OLDER },
    OLDER,
];

pub(super) fn find(name: &str) -> Result<Model, Refusal> {
    MODELS.into_iter().find(|model| model.name == name).ok_or_else(|| {
        let reason = format!(
            "{name} is not found for API version v1beta, or is not supported for bidiGenerateContent."
        );
        Refusal::new(super::refusal::POLICY, reason)
    })
}

/// What a model does about a setting it does not like.
enum Dislike {
    Refuses,
    /// The setup is never answered at all.
    FallsSilent,
}

/// Which values of a setting are disliked.
enum Values {
    Any,
    False,
    Text(&'static str),
}

impl Values {
    fn hold(&self, value: &Value) -> bool {
        match self {
            Self::Any => true,
            Self::False => value == &Value::Bool(false),
            Self::Text(text) => value.as_str() == Some(text),
        }
    }
}

const ALL_DECLARATIONS: &str = "behavior of any declaration";
const THINKING_LEVEL: &str = "/generationConfig/thinkingConfig/thinkingLevel";
const AFFECTIVE: &str = "/generationConfig/enableAffectiveDialog";

/// Model, JSON pointer below `setup`, disliked values, what happens.
static DISLIKES: [(&str, &str, Values, Dislike); 9] = [
    ("models/gemini-3.8-live", THINKING_LEVEL, Values::Any, Dislike::Refuses),
    ("models/gemini-3.8-live", "/proactivity/proactiveAudio", Values::False, Dislike::Refuses),
    ("models/gemini-3.8-live", AFFECTIVE, Values::Any, Dislike::Refuses),
    (EXTENDED, ALL_DECLARATIONS, Values::Text("BLOCKING"), Dislike::Refuses),
    (EXTENDED, THINKING_LEVEL, Values::Text("MINIMAL"), Dislike::Refuses),
    (FLASH_3_1, AFFECTIVE, Values::Any, Dislike::FallsSilent),
    (FLASH_3_1, "/proactivity", Values::Any, Dislike::FallsSilent),
    (FLASH_3_1, "/generationConfig/thinkingConfig", Values::Any, Dislike::Refuses),
    (FLASH_3_1, ALL_DECLARATIONS, Values::Text("NON_BLOCKING"), Dislike::Refuses),
];

const EXTENDED: &str = "models/gemini-3.8-live-extended-thinking";
const FLASH_3_1: &str = "models/gemini-3.1-flash-live-preview";

/// Whether the model will answer this setup: `Ok(false)` is the silence some settings meet.
pub(super) fn answers(model: &Model, setup: &Value) -> Result<bool, Refusal> {
    let disliked = DISLIKES.iter().filter(|(name, path, values, _)| {
        *name == model.name && settings_at(setup, path).iter().any(|value| values.hold(value))
    });
    let mut answers = true;
    for (_, _, _, dislike) in disliked {
        match dislike {
            Dislike::Refuses => return Err(Refusal::invalid_argument()),
            Dislike::FallsSilent => answers = false,
        }
    }
    Ok(answers)
}

fn settings_at<'a>(setup: &'a Value, path: &str) -> Vec<&'a Value> {
    if path != ALL_DECLARATIONS {
        return setup.pointer(path).into_iter().collect();
    }
    declarations(setup).filter_map(|declaration| declaration.get("behavior")).collect()
}

/// Every function the setup declares.
pub(super) fn declarations(setup: &Value) -> impl Iterator<Item = &Value> {
    let tools = setup.get("tools").and_then(Value::as_array).into_iter().flatten();
    tools.filter_map(|tool| tool.get("functionDeclarations")?.as_array()).flatten()
}

const VOICES: [&str; 30] = [
    "Achernar",
    "Achird",
    "Algenib",
    "Algieba",
    "Alnilam",
    "Aoede",
    "Autonoe",
    "Callirrhoe",
    "Charon",
    "Despina",
    "Enceladus",
    "Erinome",
    "Fenrir",
    "Gacrux",
    "Iapetus",
    "Kore",
    "Laomedeia",
    "Leda",
    "Orus",
    "Pulcherrima",
    "Puck",
    "Rasalgethi",
    "Sadachbia",
    "Sadaltager",
    "Schedar",
    "Sulafat",
    "Umbriel",
    "Vindemiatrix",
    "Zephyr",
    "Zubenelgenubi",
];

pub(super) fn is_voice(name: &str) -> bool {
    VOICES.contains(&name)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_dead_or_bare_model_name_is_refused_as_google_does() {
        let refusal = find("models/gemini-2.0-flash-live-001").unwrap_err();
        assert_eq!(refusal.code, 1008);
        assert!(
            refusal
                .reason
                .starts_with("models/gemini-2.0-flash-live-001 is not found for API version v1beta")
        );
        assert!(find("gemini-3.8-live").is_err());
    }

    #[test]
    fn each_model_refuses_what_it_was_seen_to_refuse() {
        let thinking = json!({"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}});
        assert!(answers(&find("models/gemini-3.8-live").unwrap(), &thinking).is_err());
        assert_eq!(answers(&find(EXTENDED).unwrap(), &thinking), Ok(true));
        let blocking = json!({"tools": [{"functionDeclarations": [{"name": "f", "behavior": "BLOCKING"}]}]});
        assert!(answers(&find(EXTENDED).unwrap(), &blocking).is_err());
        let proactive = json!({"proactivity": {"proactiveAudio": true}});
        assert_eq!(answers(&find(FLASH_3_1).unwrap(), &proactive), Ok(false));
    }
}
