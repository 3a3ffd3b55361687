//! The names a client may use, as a table: every structure of the API that a message to the server can hold.
//! What stands here is known; everything else is refused in the service's words (`strict`).

pub(super) enum Kind {
    /// Free-form JSON, such as tool results.
    Any,
    Text,
    Number,
    Integer,
    Flag,
    /// The type's name and its values; only the type names of a tool's parameters may come in any case.
    Enum(&'static str, &'static [&'static str]),
    Message(&'static Shape),
    List(&'static Kind),
    /// Free names, one kind of value.
    Map(&'static Kind),
}

/// The fields of a structure, in camelCase.
pub(super) struct Shape(pub(super) &'static [(&'static str, Kind)]);

use Kind::{Any, Enum, Flag, Integer, List, Map, Message, Number, Text};

pub(super) static CLIENT_MESSAGE: Shape = Shape(&[
    ("setup", Message(&SETUP)),
    ("realtimeInput", Message(&REALTIME_INPUT)),
    ("clientContent", Message(&CLIENT_CONTENT)),
    ("toolResponse", Message(&TOOL_RESPONSE)),
]);

static EMPTY: Shape = Shape(&[]);

static SETUP: Shape = Shape(&[
    ("model", Text),
    ("generationConfig", Message(&GENERATION_CONFIG)),
    ("systemInstruction", Message(&CONTENT)),
    ("tools", List(&Message(&TOOL))),
    ("realtimeInputConfig", Message(&REALTIME_INPUT_CONFIG)),
    ("inputAudioTranscription", Message(&TRANSCRIPTION)),
    ("outputAudioTranscription", Message(&TRANSCRIPTION)),
    ("sessionResumption", Message(&SESSION_RESUMPTION)),
    ("contextWindowCompression", Message(&COMPRESSION)),
    ("historyConfig", Message(&Shape(&[("initialHistoryInClientContent", Flag)]))),
    ("proactivity", Message(&Shape(&[("proactiveAudio", Flag)]))),
    ("explicitVadSignal", Flag),
    ("safetySettings", List(&Message(&Shape(&[("category", Text), ("threshold", Text), ("method", Text)])))),
    ("avatarConfig", Any),
]);

static GENERATION_CONFIG: Shape = Shape(&[
    ("responseModalities", List(&Enum("GenerationConfig.Modality", &["AUDIO", "TEXT", "IMAGE"]))),
    ("temperature", Number),
    ("topP", Number),
    ("topK", Number),
    ("maxOutputTokens", Integer),
    ("candidateCount", Integer),
    ("presencePenalty", Number),
    ("frequencyPenalty", Number),
    ("seed", Integer),
    (
        "mediaResolution",
        Enum(
            "GenerationConfig.MediaResolution",
            &[
                "MEDIA_RESOLUTION_UNSPECIFIED",
                "MEDIA_RESOLUTION_LOW",
                "MEDIA_RESOLUTION_MEDIUM",
                "MEDIA_RESOLUTION_HIGH",
            ],
        ),
    ),
    ("speechConfig", Message(&SPEECH_CONFIG)),
    ("thinkingConfig", Message(&THINKING_CONFIG)),
    ("enableAffectiveDialog", Flag),
]);

static SPEECH_CONFIG: Shape = Shape(&[
    ("voiceConfig", Message(&VOICE_CONFIG)),
    ("languageCode", Text),
    ("multiSpeakerVoiceConfig", Any),
]);

static VOICE_CONFIG: Shape = Shape(&[("prebuiltVoiceConfig", Message(&Shape(&[("voiceName", Text)])))]);

static THINKING_CONFIG: Shape = Shape(&[
    (
        "thinkingLevel",
        Enum(
            "ThinkingConfig.ThinkingLevel",
            &["THINKING_LEVEL_UNSPECIFIED", "MINIMAL", "LOW", "MEDIUM", "HIGH"],
        ),
    ),
    ("thinkingBudget", Integer),
    ("includeThoughts", Flag),
]);

static CONTENT: Shape = Shape(&[("role", Text), ("parts", List(&Message(&PART)))]);

static PART: Shape = Shape(&[
    ("text", Text),
    ("thought", Flag),
    ("thoughtSignature", Text),
    ("inlineData", Message(&BLOB)),
    ("fileData", Any),
    ("functionCall", Any),
    ("functionResponse", Any),
]);

static BLOB: Shape = Shape(&[("data", Text), ("mimeType", Text)]);

static TOOL: Shape = Shape(&[
    ("functionDeclarations", List(&Message(&FUNCTION_DECLARATION))),
    ("googleSearch", Any),
    ("codeExecution", Any),
    ("urlContext", Any),
]);

static FUNCTION_DECLARATION: Shape = Shape(&[
    ("name", Text),
    ("description", Text),
    ("parameters", Message(&PARAMETERS)),
    ("parametersJsonSchema", Any),
    ("response", Message(&PARAMETERS)),
    ("responseJsonSchema", Any),
    ("behavior", Enum("FunctionDeclaration.Behavior", &["UNSPECIFIED", "BLOCKING", "NON_BLOCKING"])),
]);

/// The subset of OpenAPI that describes parameters; `additionalProperties` is not in it.
static PARAMETERS: Shape = Shape(&[
    ("type", Enum(TYPE_NAMES, &["STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"])),
    ("format", Text),
    ("title", Text),
    ("description", Text),
    ("nullable", Flag),
    ("enum", List(&Text)),
    ("items", Message(&PARAMETERS)),
    ("minItems", Integer),
    ("maxItems", Integer),
    ("properties", Map(&Message(&PARAMETERS))),
    ("propertyOrdering", List(&Text)),
    ("required", List(&Text)),
    ("minProperties", Integer),
    ("maxProperties", Integer),
    ("minimum", Number),
    ("maximum", Number),
    ("minLength", Integer),
    ("maxLength", Integer),
    ("pattern", Text),
    ("example", Any),
    ("default", Any),
    ("anyOf", List(&Message(&PARAMETERS))),
]);

/// The one enum that is read in any case.
pub(super) const TYPE_NAMES: &str = "Type";

static REALTIME_INPUT_CONFIG: Shape = Shape(&[
    ("automaticActivityDetection", Message(&ACTIVITY_DETECTION)),
    (
        "activityHandling",
        Enum(
            "RealtimeInputConfig.ActivityHandling",
            &["ACTIVITY_HANDLING_UNSPECIFIED", "START_OF_ACTIVITY_INTERRUPTS", "NO_INTERRUPTION"],
        ),
    ),
    (
        "turnCoverage",
        Enum(
            "RealtimeInputConfig.TurnCoverage",
            &[
                "TURN_COVERAGE_UNSPECIFIED",
                "TURN_INCLUDES_ONLY_ACTIVITY",
                "TURN_INCLUDES_ALL_INPUT",
                "TURN_INCLUDES_AUDIO_ACTIVITY_AND_ALL_VIDEO",
            ],
        ),
    ),
]);

static ACTIVITY_DETECTION: Shape = Shape(&[
    ("disabled", Flag),
    (
        "startOfSpeechSensitivity",
        Enum(
            "AutomaticActivityDetection.StartSensitivity",
            &["START_SENSITIVITY_UNSPECIFIED", "START_SENSITIVITY_HIGH", "START_SENSITIVITY_LOW"],
        ),
    ),
    (
        "endOfSpeechSensitivity",
        Enum(
            "AutomaticActivityDetection.EndSensitivity",
            &["END_SENSITIVITY_UNSPECIFIED", "END_SENSITIVITY_HIGH", "END_SENSITIVITY_LOW"],
        ),
    ),
    ("prefixPaddingMs", Integer),
    ("silenceDurationMs", Integer),
]);

static TRANSCRIPTION: Shape = Shape(&[
    ("languageCodes", List(&Text)),
    ("customVocabulary", List(&Text)),
    ("wordTimestamp", Flag),
    ("diarization", Flag),
]);

static SESSION_RESUMPTION: Shape = Shape(&[("handle", Text)]);

static COMPRESSION: Shape =
    Shape(&[("slidingWindow", Message(&Shape(&[("targetTokens", Integer)]))), ("triggerTokens", Integer)]);

static REALTIME_INPUT: Shape = Shape(&[
    ("audio", Message(&BLOB)),
    ("video", Message(&BLOB)),
    ("text", Text),
    ("activityStart", Message(&EMPTY)),
    ("activityEnd", Message(&EMPTY)),
    ("audioStreamEnd", Flag),
    ("mediaChunks", List(&Message(&BLOB))),
]);

static CLIENT_CONTENT: Shape = Shape(&[("turns", List(&Message(&CONTENT))), ("turnComplete", Flag)]);

static TOOL_RESPONSE: Shape = Shape(&[("functionResponses", List(&Message(&FUNCTION_RESPONSE)))]);

static FUNCTION_RESPONSE: Shape = Shape(&[
    ("id", Text),
    ("name", Text),
    ("response", Any),
    (
        "scheduling",
        Enum("FunctionResponse.Scheduling", &["SCHEDULING_UNSPECIFIED", "SILENT", "WHEN_IDLE", "INTERRUPT"]),
    ),
    ("willContinue", Flag),
    ("parts", Any),
]);
