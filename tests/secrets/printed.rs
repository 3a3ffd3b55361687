//! What a log line or a panic would show of the things that hold secrets.

use std::fmt::Debug;
use std::path::Path;
use std::time::Duration;

use clearline::access::{Bearer, BearerKind};
use clearline::accounts::{Added, FirstUser, LoggedIn, NewToken};
use clearline::config::{Settings, Sources, load};
use clearline::domain::{
    CallRecord, Direction, Persona, PhoneNumber, Role, Sealing, Secret, Subscriber, SubscriberName,
    Timestamp, User, UserId, VoiceAgent, Webhook,
};
use clearline::keys::KeyPool;
use clearline::sandbox::model::KnownKey;
use clearline::sip::digest::{Credentials, DigestClient};
use clearline::store::{Credential, Document, mongo};
use serde_json::json;

use crate::canaries::Canaries;

const CANARY: &str = "AIzaCanary-that-is-printed-5e4d3c2b1a";
const SEALING_KEY: &str = "Y2FuYXJ5IGtleSB0aGF0IHNlYWxzIHRoZSBzdG9yZSE=";

#[test]
fn s5_what_holds_a_secret_prints_its_hint_alone() {
    let mut canaries = Canaries::default();
    canaries.plant("a secret", CANARY);
    canaries.plant("the sealing key", SEALING_KEY);
    canaries.plant("the secret of a token", token().expose().splitn(3, '_').nth(2).expect("three parts"));
    let folder = tempfile::tempdir().expect("a temporary folder");
    for (name, printed) in things(folder.path()) {
        assert!(!printed.is_empty());
        let found = canaries.found_in(name, printed.as_bytes());
        assert!(found.is_empty(), "{}", found.join("\n"));
    }
}

fn token() -> Secret {
    let random = Box::new([7; 32]);
    Bearer::new(BearerKind::Session, "01936f3a-0000-7000-8000-00000000000a", &(*random).into()).text()
}

fn things(folder: &Path) -> Vec<(&'static str, String)> {
    let secret = || Secret::new(CANARY);
    let settings = settings(folder);
    assert_eq!(settings.google_keys.keys().len(), 2);
    vec![
        printed("the pool", &settings.google_keys),
        printed("a key of the pool", &settings.google_keys.keys()[0]),
        printed("a gateway", &settings.sip.gateways[0]),
        printed("the settings", &settings),
        printed("a subscriber", &subscriber()),
        printed("a user", &user()),
        printed(
            "a user's credential",
            &Credential { password_hash: Some(secret()), ..Credential::default() },
        ),
        printed("a document", &document()),
        printed("a call's record", &record()),
        printed("a voice agent", &voice_agent()),
        printed("a voice agent, as it is recorded", &Persona::of_settings(voice_agent()).as_recorded()),
        printed("somebody added", &Added { user: user(), one_time_password: Some(secret()) }),
        printed("the first user", &FirstUser { name: "superadmin".into(), one_time_password: secret() }),
        printed("a new API token", &NewToken { id: "t1".into(), token: token() }),
        printed("who logged in", &LoggedIn { token: token(), identity: (&user()).into() }),
        printed("a token", &token()),
        printed("a token taken apart", &Bearer::parse(token().expose())),
        printed("how MongoDB is reached", &mongo::Access { url: secret(), answer_limit: Duration::ZERO }),
        printed("a gateway's credentials", &credentials()),
        printed("a digest", &DigestClient::new(credentials())),
        printed("a key of the stand-in's", &KnownKey::new(CANARY)),
        printed("what cannot be opened", &Sealing::default().open(&sealed())),
        printed("a sealed secret", &sealed()),
    ]
}

fn printed(name: &'static str, thing: &impl Debug) -> (&'static str, String) {
    (name, format!("{thing:?}\n{thing:#?}"))
}

fn settings(folder: &Path) -> Settings {
    let file = folder.join("clearline.toml");
    let gateway = "[[sip.gateways]]\nname = \"g\"\naddress = \"192.0.2.1:5060\"\nuser = \"1000\"\n";
    let url = format!("[store]\nurl = \"mongodb://ada:{CANARY}@127.0.0.1/clearline\"\n");
    std::fs::write(&file, format!("{url}{gateway}password = \"{CANARY}\"\n")).expect("a folder of our own");
    let environment = [
        ("GOOGLE_API_KEY", CANARY.to_owned()),
        ("GOOGLE_API_KEY_2", format!("{CANARY}-too")),
        ("LIVEKIT_SECRET_ENCRYPTION_KEY", SEALING_KEY.to_owned()),
        ("LIVEKIT_SECRET_ENCRYPTION_KEYS_OLD", SEALING_KEY.to_owned()),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value)).into();
    let sources = Sources { file: Some(&file), environment, ..Sources::default() };
    load(&sources).unwrap_or_else(|error| panic!("{error}"))
}

fn subscriber() -> Subscriber {
    let secret = || Secret::new(CANARY);
    let to = Subscriber::to(SubscriberName::new("w"), "https://w".into(), secret());
    Subscriber { old_secret: Some(secret()), ..to }
}

fn user() -> User {
    User {
        id: UserId::new("u1"),
        name: "mira".into(),
        role: Role::Admin,
        tenant_id: None,
        google_api_key: Some(Secret::new(CANARY)),
        google_api_key_fingerprint: None,
        enabled: true,
    }
}

/// As the store has it where there is nothing to seal with.
fn document() -> Document {
    let now = Timestamp::from_millis(0);
    Document {
        id: "u1".into(),
        version: 1,
        created_at: now,
        updated_at: now,
        body: json!({ "google_api_key": CANARY }),
    }
}

fn record() -> CallRecord {
    let number = || PhoneNumber::new("+4930123456");
    let id = clearline::clock::new_call_id();
    let mut record =
        CallRecord::started(id, Direction::Outbound, number(), number(), Timestamp::from_millis(0));
    record.key_hint = Some(Secret::new(CANARY).hint());
    record
}

fn voice_agent() -> VoiceAgent {
    let usual = Webhook::to("stock".into(), "Looks.".into(), "https://crm.example.com/stock".into());
    let secret_headers = [("Authorization".to_owned(), Secret::new(CANARY))].into();
    VoiceAgent { webhooks: vec![Webhook { secret_headers, ..usual }], ..VoiceAgent::default() }
}

fn credentials() -> Credentials {
    Credentials { username: "1000".into(), password: Secret::new(CANARY) }
}

fn sealed() -> Secret {
    let key = Secret::new(SEALING_KEY);
    let sealing = Sealing::new([&key]).expect("a good key");
    sealing.seal(&Secret::new(CANARY), Timestamp::from_millis(0))
}

#[test]
fn a_pool_that_cannot_be_does_not_quote_the_key() {
    let mut canaries = Canaries::default();
    canaries.plant("a key", CANARY);
    let wrong = KeyPool::from_variables([("GOOGLE_API_KEY", format!("{CANARY}-schlüssel").as_str())]);
    let error = wrong.expect_err("a key is ASCII");
    assert!(canaries.found_in("the error", format!("{error} {error:?}").as_bytes()).is_empty(), "{error}");
}
