use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use super::variables::{scalars, variable_of};
use super::*;
use crate::domain::{EventKind, UserId, VoiceAgentId};

struct Bench {
    folder: tempfile::TempDir,
    environment: BTreeMap<String, String>,
    overrides: Vec<(String, String)>,
}

fn bench(toml: &str) -> Bench {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("clearline.toml"), toml).unwrap();
    Bench { folder, environment: BTreeMap::new(), overrides: Vec::new() }
}

impl Bench {
    fn variable(mut self, name: &str, value: &str) -> Self {
        self.environment.insert(name.into(), value.into());
        self
    }

    fn command_line(mut self, path: &str, value: &str) -> Self {
        self.overrides.push((path.into(), value.into()));
        self
    }

    fn dot_env(self, text: &str) -> Self {
        fs::write(self.folder.path().join(".env"), text).unwrap();
        self
    }

    fn load(&self) -> Result<Settings, ConfigError> {
        load(&Sources {
            overrides: &self.overrides,
            environment: self.environment.clone(),
            env_file: None,
            file: Some(&self.folder.path().join("clearline.toml")),
        })
    }

    fn error(&self) -> String {
        self.load().unwrap_err().to_string()
    }
}

fn shipped(name: &str) -> String {
    fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)).unwrap()
}

#[test]
fn the_shipped_file_says_what_the_defaults_are_and_leaves_no_setting_out() {
    let text = shipped("config/clearline.toml");
    assert_eq!(bench(&text).load().unwrap(), Settings::default());
    for (path, _) in scalars() {
        let (section, key) = path.split_once('.').unwrap();
        let body = text.split_once(&format!("\n[{section}]")).unwrap().1;
        let body = body.split("\n[").next().unwrap();
        assert!(body.contains(&format!("\n{key} = ")) || body.contains(&format!("\n# {key} = ")), "{path}");
    }
}

#[test]
fn the_example_of_the_environment_names_every_variable_and_sets_none() {
    let text = shipped(".env.example");
    for (path, _) in scalars() {
        assert!(text.contains(&format!("\n{}=\n", variable_of(&path))), "{path}");
    }
    assert_eq!(bench("").dot_env(&text).load().unwrap(), Settings::default());
}

#[test]
fn the_command_line_beats_the_environment_beats_the_env_file_beats_the_file() {
    let mut bench = bench("[sip]\nring_timeout_s = 11");
    let ring = |bench: &Bench| bench.load().unwrap().sip.ring_timeout_s;
    assert_eq!(ring(&bench), 11);
    bench = bench.dot_env("CLEARLINE_SIP_RING_TIMEOUT_S=12");
    assert_eq!(ring(&bench), 12);
    bench = bench.variable("CLEARLINE_SIP_RING_TIMEOUT_S", "13");
    assert_eq!(ring(&bench), 13);
    bench = bench.command_line("sip.ring_timeout_s", "14");
    assert_eq!(ring(&bench), 14);
}

#[test]
fn more_sessions_kept_free_than_there_are_is_refused_by_both_names() {
    let keys = |sessions: u32, reserved: u32| {
        bench(&format!("[keys]\nsessions_per_project = {sessions}\nreserved_for_holder = {reserved}"))
    };
    let error = keys(3, 4).error();
    assert!(
        error.contains("keys.reserved_for_holder") && error.contains("keys.sessions_per_project"),
        "{error}"
    );
    for (sessions, reserved) in [(3, 3), (0, 4)] {
        assert!(keys(sessions, reserved).load().is_ok());
    }
}

#[test]
fn what_the_command_line_sets_to_nothing_is_unset() {
    let gateway = "[[sip.gateways]]\nname = \"a\"\naddress = \"b:1\"\nuser = \"me\"\n";
    let settings = bench(&format!("{gateway}[calls]\ndefault_owner_id = \"mira\""))
        .command_line("calls.default_owner_id", "")
        .command_line("sip.gateways.1.user", "")
        .command_line("sip.gateways.7.user", "")
        .load()
        .unwrap();
    assert_eq!((settings.calls.default_owner_id, &settings.sip.gateways[0].user), (None, &None));
}

#[test]
fn every_kind_of_value_can_come_from_a_variable() {
    let settings = bench("")
        .variable("CLEARLINE_RECORDING_ENABLED", "off")
        .variable("CLEARLINE_SIP_ALLOWED_SOURCES", "192.0.2.0/24, 198.51.100.7")
        .variable("CLEARLINE_MEDIA_ADVERTISE", "203.0.113.7")
        .variable("CLEARLINE_LOG_FORMAT", "json")
        .variable("DEFAULT_OWNER_ID", "u1")
        .variable("GOOGLE_API_KEY_2", "second")
        .load()
        .unwrap();
    assert!(!settings.recording.enabled);
    assert_eq!(settings.sip.allowed_sources.len(), 2);
    assert_eq!(settings.media.advertise, Some("203.0.113.7".parse().unwrap()));
    assert_eq!(settings.log.format, LogFormat::Json);
    assert_eq!(settings.calls.default_owner_id, Some(UserId::new("u1")));
    assert_eq!(settings.google_keys.keys().len(), 1);
}

#[test]
fn a_gateway_takes_its_password_from_a_variable_and_never_prints_it() {
    let toml = "[[sip.gateways]]\nname = \"office\"\naddress = \"sip.example.com:5060\"\nuser = \"me\"";
    let settings =
        bench(toml).variable("CLEARLINE_SIP_GATEWAYS_1_PASSWORD", "long-hidden-password").load().unwrap();
    let password = settings.sip.gateways[0].password.as_ref().unwrap();
    assert_eq!(password.expose(), "long-hidden-password");
    assert!(!format!("{settings:?}").contains("hidden-pass"));
    let skipped = bench(toml).variable("CLEARLINE_SIP_GATEWAYS_3_USER", "x").error();
    assert!(skipped.contains("sip.gateways.3.user") && skipped.contains("numbered from 1"), "{skipped}");
}

#[test]
fn a_password_of_the_wrong_type_is_not_shown() {
    let error = bench("[[sip.gateways]]\nname = \"a\"\naddress = \"b:1\"\npassword = 987654321").error();
    assert!(error.contains("sip.gateways.1.password") && !error.contains("987654321"), "{error}");
}

#[test]
fn the_address_of_a_mongodb_is_checked_and_never_shown() {
    let hidden = "mongodb://ada:hunter-two@db.example.net/clearline?replicaSet=rs0";
    let settings = bench("").variable("CLEARLINE_STORE_URL", hidden).load().unwrap();
    assert_eq!(settings.store.url.as_ref().map(|url| url.expose()), Some(hidden));
    assert!(!format!("{settings:?}").contains("hunter-two"));
    let wrong = [
        ("mongodb+srv://ada:hunter-two@db.example.net", "host1,host2"),
        ("mongodb://ada:hunter-two@:x@db.example.net", "%40"),
        ("mongodb://ada:hunter-two@db.example.net/?maxPoolSize=hunter-two", "mongodb://user:password@"),
        ("postgres://ada:hunter-two@db.example.net", "mongodb://user:password@"),
    ];
    for (url, cure) in wrong {
        let error = bench("").variable("CLEARLINE_STORE_URL", url).error();
        assert!(
            error.contains("store.url (variable CLEARLINE_STORE_URL)") && error.contains(cure),
            "{error}"
        );
        assert!(!error.contains("hunter-two"), "{error}");
    }
    let error = bench("[store]\nurl = 987654321").error();
    assert!(error.contains("store.url") && !error.contains("987654321"), "{error}");
}

const SUBSCRIBER: &str = "[[notifications.subscribers]]\nname = \"warehouse\"\n\
                          url = \"https://warehouse.example.com\"\nsecret = \"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"\n";

#[test]
fn every_key_of_a_numbered_block_has_a_variable() {
    let gateway = bench("[[sip.gateways]]\nname = \"a\"\naddress = \"b:1\"").load().unwrap();
    let gateway = serde_json::to_value(&gateway.sip.gateways[0]).unwrap();
    let subscriber = bench(SUBSCRIBER).load().unwrap();
    let subscriber = serde_json::to_value(&subscriber.notifications.subscribers[0]).unwrap();
    let example = shipped(".env.example");
    for (block, written) in [("SIP_GATEWAYS", gateway), ("NOTIFICATIONS_SUBSCRIBERS", subscriber)] {
        for key in written.as_object().unwrap().keys() {
            let variable = format!("CLEARLINE_{block}_1_{}", key.to_uppercase());
            assert!(variables::setting_of(&variable).is_ok() && example.contains(&variable), "{variable}");
        }
    }
}

#[test]
fn a_subscriber_may_come_from_the_environment_alone() {
    let variable = |key: &str| format!("CLEARLINE_NOTIFICATIONS_SUBSCRIBERS_1_{key}");
    let settings = bench("")
        .variable(&variable("NAME"), "warehouse")
        .variable(&variable("URL"), "https://warehouse.example.com")
        .variable(&variable("SECRET"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
        .variable(&variable("EVENTS"), "call.ended, lead.created")
        .load()
        .unwrap();
    let subscriber = &settings.notifications.subscribers[0];
    assert_eq!(subscriber.events, [EventKind::CallEnded, EventKind::LeadCreated]);
}

#[test]
fn a_subscriber_that_cannot_be_served_is_named_with_what_is_wrong_and_without_its_secret() {
    let hidden = "hidden-word-of-mine";
    let wrong = [
        (SUBSCRIBER.replace("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", hidden), ".1.secret"),
        (SUBSCRIBER.replace("\"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\"", "7777777"), ".1.secret"),
        (SUBSCRIBER.replace("https://", "http://"), "notifications.allow_insecure_url"),
        (SUBSCRIBER.replace("warehouse.example.com", "10.1.2.3:8443/x"), "allow_private_addresses"),
        (SUBSCRIBER.replace("warehouse.example.com", "[::1]"), "allow_private_addresses"),
        (format!("{SUBSCRIBER}{SUBSCRIBER}"), ".2.name"),
        (format!("{SUBSCRIBER}events = [\"call.lost\"]"), "call.answered"),
    ];
    for (toml, named) in wrong {
        let error = bench(&toml).error();
        assert!(error.contains("notifications.subscribers.") && error.contains(named), "{error}");
        assert!(!error.contains(hidden) && !error.contains("7777777"), "{error}");
    }
    let insecure = SUBSCRIBER.replace("https://", "http://");
    let on_demand = bench(&insecure).command_line("notifications.allow_insecure_url", "true");
    assert!(on_demand.load().is_ok());
}

#[test]
fn an_unknown_key_is_named_with_its_line_and_the_nearest_setting() {
    let error = bench("[sip]\nring_timeout_s = 5\nlisen = \"0.0.0.0:5060\"").error();
    assert!(error.contains("sip.lisen") && error.contains("clearline.toml:3"), "{error}");
    assert!(error.ends_with("did you mean sip.listen?"), "{error}");
    let error = bench("[[sip.gateways]]\nname = \"a\"\naddress = \"b:1\"\npasword = \"x\"").error();
    assert!(error.contains("clearline.toml:4") && error.ends_with("sip.gateways.1.password?"), "{error}");
    let error = bench("").variable("CLEARLINE_SIP_LISTN", "x").error();
    assert!(error.ends_with("did you mean CLEARLINE_SIP_LISTEN?"), "{error}");
    let error = bench("").command_line("log.levle", "x").error();
    assert!(error.contains("command line") && error.ends_with("did you mean log.level?"), "{error}");
}

#[test]
fn a_wrong_value_is_named_with_the_place_it_came_from() {
    let error = bench("\n[media]\nport_min = \"many\"").error();
    assert!(error.contains("media.port_min") && error.contains("clearline.toml:3"), "{error}");
    let error = bench("").variable("CLEARLINE_MEDIA_PORT_MIN", "many").error();
    assert!(error.contains("variable CLEARLINE_MEDIA_PORT_MIN") && error.contains("whole number"), "{error}");
    let error = bench("").variable("CLEARLINE_LOG_FORMAT", "xml").error();
    assert!(error.contains("log.format") && error.contains("human"), "{error}");
}

#[test]
fn a_value_out_of_range_is_refused_with_the_range() {
    let wrong = [
        ("sip.ring_timeout_s", "0", "1 to 180"),
        ("media.port_max", "10", "above media.port_min"),
        ("voice.url", "ws://192.0.2.1:9000", "allow_insecure_url"),
        ("calls.max_calls", "0", "1 to 100000"),
    ];
    for (path, value, cure) in wrong {
        let error = bench("").command_line(path, value).error();
        assert!(error.contains(path) && error.contains(cure), "{error}");
    }
}

#[test]
fn a_number_that_does_not_fit_is_told_in_words() {
    let (roomy, small) =
        ("[recording]\nmin_free_mb = 6000\nwarn_free_mb = 10\n", "[recording]\nkeep_days = -1\n");
    for (toml, says) in [
        (small, "must be a whole number, 0 or more"),
        (roomy, "must be at least recording.min_free_mb: 6000"),
    ] {
        let error = bench(toml).error();
        assert!(error.contains(says) && !error.contains("u64"), "{error}");
    }
}

#[test]
fn what_a_definition_lacks_or_has_in_the_wrong_kind_is_told_in_words() {
    let agent = "[[voice_agents]]\nname = \"desk\"\n";
    let webhook =
        format!("{agent}[[voice_agents.webhooks]]\nname = \"check_stock\"\ndescription = \"Looks.\"\n");
    let whole = format!("{webhook}url = \"https://crm.example.com\"\n");
    for (toml, says) in [
        (webhook.clone(), "voice_agents.1.webhooks.1.url"),
        (webhook, "is missing; write it"),
        (format!("{whole}parameters = \"none\"\n"), "must be a table, as"),
        (format!("{whole}timeout_ms = \"soon\"\n"), "must be a whole number, 0 or more"),
        (format!("{agent}tools = \"create_lead\"\n"), "must be a list, as"),
        (format!("{agent}webhooks = \"none\"\n"), "must be a list, as"),
    ] {
        let error = bench(&toml).error();
        assert!(error.contains(says) && error.contains("voice_agents.1"), "{error}");
        for word in ["invalid type", "missing field", "expected"] {
            assert!(!error.contains(word), "{word}: {error}");
        }
    }
}

#[test]
fn a_key_travels_unprotected_only_within_the_machine_or_on_demand() {
    for here in ["ws://127.0.0.1:9000", "ws://localhost:9000", "ws://[::1]:9000"] {
        assert!(bench("").command_line("voice.url", here).load().is_ok(), "{here}");
    }
    let trial = bench("").command_line("voice.url", "ws://192.0.2.1:9000");
    assert!(trial.command_line("voice.allow_insecure_url", "true").load().is_ok());
}

#[test]
fn a_broken_file_is_named_with_the_line() {
    let error = bench("[sip]\nlisten = \n").error();
    assert!(error.contains("clearline.toml:2"), "{error}");
}

#[test]
fn a_broken_env_file_does_not_show_its_secrets() {
    let error = bench("").dot_env("GOOGLE_API_KEY='AIza-never-closed\n").error();
    assert!(error.contains(".env") && !error.contains("AIza"), "{error}");
}

#[test]
fn a_number_leads_to_its_owner_and_persona() {
    let toml = "[numbers]\n\"+4930\" = { owner = \"ada\", voice_agent = \"desk\" }\n\
                [[voice_agents]]\nname = \"desk\"\nvoice = \"Puck\"";
    let settings = bench(toml).load().unwrap();
    let route = &settings.numbers["+4930"];
    let persona = settings.voice_agent(&route.voice_agent).unwrap();
    assert_eq!((route.owner.as_str(), persona.voice.as_str()), ("ada", "Puck"));
    assert!(settings.voice_agent(&VoiceAgentId::new("default")).is_some());
    let known: Vec<_> = settings.known_voice_agents().into_iter().map(|agent| agent.name).collect();
    assert_eq!(known, ["desk", "default"], "the first answers where none is named");
    let error = bench("[numbers]\n\"+4930\" = { owner = \"ada\", voice_agent = \"dsk\" }").error();
    assert!(error.contains("numbers.+4930.voice_agent"), "{error}");
}
