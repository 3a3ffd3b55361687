use crate::store::{Change, Credential, Effect, Subject};

use super::*;

#[tokio::test]
async fn o3_who_knows_the_password_gets_a_session_and_the_disk_has_neither_password_nor_token() {
    let bench = bench();
    let mira = bench.add("mira", Role::Admin).await;
    let token = bench.log_in("mira").await;
    let caller = bench.accounts.identify(&token).await.unwrap().unwrap();
    assert_eq!(caller.identity, crate::access::Identity::from(&mira));
    let (on_disk, secret) = (bench.on_disk(), token.rsplit_once('_').unwrap().1.to_owned());
    assert!(on_disk.contains("mira") && on_disk.contains("$argon2id$"));
    assert!(!on_disk.contains(PASSWORD) && !on_disk.contains(&secret));
}

#[tokio::test]
async fn o3_unknown_name_wrong_password_disabled_user_and_no_password_sound_the_same() {
    let bench = bench();
    bench.add("mira", Role::Admin).await;
    let ben = bench.add("ben", Role::Admin).await;
    bench.accounts.disable(cli(), &ben).await.unwrap();
    let without = NewUser { password: NewPassword::None, ..new("carl", Role::Admin) };
    bench.accounts.add(cli(), without).await.unwrap();
    for (name, password) in [
        ("nobody", PASSWORD),
        ("mira", "wrong"),
        ("ben", PASSWORD),
        ("carl", PASSWORD),
        ("carl", ""),
        ("", ""),
    ] {
        let refused = bench.try_from("192.0.2.1", name, password).await.unwrap_err();
        assert_eq!(refused.to_string(), "name or password is wrong", "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn o3_guessing_from_one_address_is_refused_after_a_while_and_a_known_user_there_still_gets_in() {
    let bench = bench();
    bench.add("mira", Role::Admin).await;
    bench.log_in("mira").await;
    let mut slowed = 0;
    for guess in 0..30 {
        match bench.try_from("192.0.2.1", &format!("name-{guess}"), "wrong").await {
            Err(LogInError::Wrong) => {}
            Err(LogInError::Slowed { retry_after }) => {
                assert!(!retry_after.is_zero());
                slowed += 1;
            }
            other => panic!("{other:?}"),
        }
    }
    assert!(slowed >= 15, "{slowed}");
    bench.log_in("mira").await;
    assert!(bench.try_from("198.51.100.7", "mira", PASSWORD).await.is_ok(), "and from elsewhere");
}

/// The store would say who mira is; it is not even asked.
#[tokio::test]
async fn an_endless_password_is_wrong_without_any_work() {
    let bench = bench();
    bench.store.insert(&crate::store::USERS, "u1", serde_json::json!({ "name": "mira" })).await.unwrap();
    let unreadable = bench.try_from("192.0.2.1", "mira", "wrong").await;
    assert!(matches!(unreadable, Err(LogInError::Account(_))), "{unreadable:?}");
    let endless = bench.try_from("192.0.2.1", "mira", &"x".repeat(1_000_000)).await;
    assert!(matches!(endless, Err(LogInError::Wrong)), "{endless:?}");
}

#[tokio::test(start_paused = true)]
async fn who_is_made_to_wait_keeps_nobody_else_waiting() {
    let bench = bench();
    bench.add("mira", Role::Admin).await;
    bench.add("ben", Role::Admin).await;
    for host in 1..10 {
        bench.try_from(&format!("198.51.100.{host}"), "mira", "wrong").await.unwrap_err();
    }
    let began = tokio::time::Instant::now();
    let delayed = async {
        bench.try_from("192.0.2.1", "mira", PASSWORD).await.unwrap();
        began.elapsed()
    };
    let at_once = async {
        bench.try_from("192.0.2.2", "ben", PASSWORD).await.unwrap();
        began.elapsed()
    };
    let (delayed, at_once) = tokio::join!(delayed, at_once);
    assert!(delayed >= Duration::from_secs(4) && at_once <= delayed, "{delayed:?} {at_once:?}");
}

#[tokio::test]
async fn a_hash_with_older_parameters_is_renewed_at_log_in_and_the_password_stays() {
    /// By Python's argon2-cffi, of "correct horse".
    const OLD: &str =
        "$argon2id$v=19$m=4096,t=3,p=2$wHMXGebK8Nw5hyxxzlWp7g$fCNELmtmWgXCIXlWevYWdppdhcxd39HP/2Gsk+y+CtI";
    let bench = bench();
    let mira = bench.add("mira", Role::Admin).await;
    let change = Change::new(cli(), "user.import", Effect::Changed, Subject::user(&mira));
    let import = async |entry: &_| {
        let old = serde_json::json!({ "password_hash": OLD });
        bench.accounts.users.change(entry, &mira.id, |_| Some(old.clone())).await
    };
    bench.accounts.audit.record(change, import).await.unwrap();
    for _ in 0..2 {
        bench.try_from("192.0.2.1", "mira", "correct horse").await.unwrap();
        let (_, credential) = bench.accounts.users.with_credential(&mira.id).await.unwrap().unwrap();
        let hash = credential.password_hash.unwrap();
        assert!(hash.expose().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "renewed");
    }
}

#[tokio::test]
async fn a_password_that_is_changed_while_its_hash_is_renewed_stays_changed() {
    let bench = bench();
    let mira = bench.add("mira", Role::Admin).await;
    let (_, before) = bench.accounts.users.with_credential(&mira.id).await.unwrap().unwrap();
    bench.accounts.set_password(cli(), &mira, NewPassword::OneTime).await.unwrap();
    let (_, changed) = bench.accounts.users.with_credential(&mira.id).await.unwrap().unwrap();
    let (old, late) = (before.password_hash.unwrap(), Secret::new("late"));
    bench.accounts.users.renew_hash(&mira.id, &old, &late).await.unwrap();
    let (_, after) = bench.accounts.users.with_credential(&mira.id).await.unwrap().unwrap();
    assert_eq!(after, changed);
}

/// The log-in has read the user and is about to write its session when somebody shuts the user out.
#[tokio::test]
async fn o3_a_log_in_that_crosses_a_disabling_or_a_new_password_leaves_no_session() {
    let bench = bench();
    let mira = bench.add("mira", Role::Admin).await;
    let (user, credential) = bench.accounts.users.for_log_in("mira").await.unwrap().unwrap();
    bench.accounts.set_password(cli(), &mira, NewPassword::OneTime).await.unwrap();
    let late = bench.accounts.open_session(&user, &credential, "late").await;
    assert!(matches!(late, Err(LogInError::Wrong)), "{late:?}");
    let (user, credential) = bench.accounts.users.for_log_in("mira").await.unwrap().unwrap();
    bench.accounts.disable(cli(), &mira).await.unwrap();
    let late = bench.accounts.open_session(&user, &credential, "late").await;
    assert!(matches!(late, Err(LogInError::Wrong)), "{late:?}");
    assert!(bench.accounts.sessions_of(&mira.id).await.unwrap().is_empty());
}

#[tokio::test]
async fn o3_a_one_time_password_opens_the_way_to_a_new_password_and_then_no_longer() {
    let bench = bench();
    let first = bench.accounts.ensure_superadmin().await.unwrap().unwrap();
    let one_time = first.one_time_password.expose().to_owned();
    let logged_in = bench.try_from("192.0.2.1", &first.name, &one_time).await.unwrap();
    assert!(logged_in.identity.may_begin().is_err(), "nothing else may be done");
    let change = async |old: &str, new: &str| {
        let source = "192.0.2.1".parse().unwrap();
        let attempt = Attempt { name: "", password: Secret::new(old), source, label: "a browser" };
        bench.accounts.change_own_password(&logged_in.identity, Secret::new(new), attempt).await
    };
    assert!(change("wrong", PASSWORD).await.is_err());
    assert!(change(&one_time, "short").await.is_err());
    assert!(change(&one_time, &one_time).await.unwrap_err().to_string().contains("the old one"));
    let changed = change(&one_time, PASSWORD).await.unwrap();
    assert_eq!(changed.identity.may_begin(), Ok(()));
    assert_eq!(bench.opens_for(logged_in.token.expose()).await, None, "the first session has ended");
    assert_eq!(bench.opens_for(changed.token.expose()).await, Some(first.name.clone()));
    assert!(bench.try_from("192.0.2.1", &first.name, &one_time).await.is_err());
    assert!(bench.try_from("192.0.2.1", &first.name, PASSWORD).await.is_ok());
}

#[tokio::test]
async fn a_user_without_credentials_of_an_older_system_is_read() {
    let bench = bench();
    let body = serde_json::json!({ "id": "u1", "name": "eve", "role": "agent", "tenant_id": "t" });
    bench.store.insert(&crate::store::USERS, "u1", body).await.unwrap();
    let (_, credential) = bench.accounts.users.for_log_in("eve").await.unwrap().unwrap();
    assert_eq!(credential, Credential::default());
}
