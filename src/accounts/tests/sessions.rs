use super::*;

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn o3_a_session_ends_when_nobody_uses_it_and_when_it_is_too_old() {
    let bench = bench();
    bench.add("mira", Role::Admin).await;
    let (used, unused) = (bench.log_in("mira").await, bench.log_in("mira").await);
    for _ in 0..19 {
        pass(5 * MINUTE);
        assert!(bench.opens_for(&used).await.is_some());
    }
    assert_eq!(bench.opens_for(&unused).await, None, "idle for too long");
    pass(5 * MINUTE);
    assert_eq!(bench.opens_for(&used).await, None, "used, and too old");
    assert_eq!(bench.accounts.sweep().await, Ok(2));
}

#[tokio::test]
async fn o3_sessions_are_ended_one_by_one_by_their_user_alone_or_all_at_once() {
    let bench = bench();
    let (mira, ben) = (bench.add("mira", Role::Admin).await, bench.add("ben", Role::Admin).await);
    let (first, second) = (bench.log_in("mira").await, bench.log_in("mira").await);
    let bens = bench.log_in("ben").await;
    let sessions = bench.accounts.sessions_of(&mira.id).await.unwrap();
    assert_eq!((sessions.len(), sessions[0].label.as_str()), (2, "a browser"));
    assert_eq!(bench.accounts.end_session(&ben.id, &sessions[0].id).await, Ok(false), "not ben's");
    assert_eq!(bench.accounts.end_session(&mira.id, &sessions[0].id).await, Ok(true));
    assert_eq!((bench.opens_for(&first).await, bench.opens_for(&second).await), (None, Some("mira".into())));
    let caller = bench.accounts.identify(&second).await.unwrap().unwrap();
    bench.accounts.log_out(&caller).await.unwrap();
    assert_eq!(bench.opens_for(&second).await, None);
    bench.log_in("mira").await;
    let token = bench.token_of(&mira).await;
    assert_eq!(bench.accounts.end_all_sessions(cli(), &mira).await.unwrap(), 1);
    assert_eq!(bench.opens_for(&token).await, Some("mira".into()), "API tokens stay");
    assert_eq!(bench.opens_for(&bens).await, Some("ben".into()), "and so does ben");
}

#[tokio::test]
async fn o3_api_tokens_have_a_name_are_listed_without_their_text_and_revoked_by_their_user_alone() {
    let bench = bench();
    let (mira, ben) = (bench.add("mira", Role::Admin).await, bench.add("ben", Role::Admin).await);
    let token = bench.token_of(&mira).await;
    pass(1_000_000 * MINUTE);
    assert_eq!(bench.opens_for(&token).await, Some("mira".into()), "it does not expire");
    let listed = bench.accounts.tokens_of(&mira).await.unwrap();
    assert_eq!((listed.len(), listed[0].label.as_str()), (1, "a script"));
    assert!(!format!("{listed:?}").contains(token.rsplit_once('_').unwrap().1));
    assert!(!bench.accounts.revoke_token(cli(), &ben, &listed[0].id).await.unwrap());
    assert!(bench.accounts.revoke_token(cli(), &mira, &listed[0].id).await.unwrap());
    assert_eq!(bench.opens_for(&token).await, None);
}

#[tokio::test]
async fn a_token_with_a_foreign_secret_opens_nothing() {
    let bench = bench();
    let mira = bench.add("mira", Role::Admin).await;
    let (one, other) = (bench.log_in("mira").await, bench.token_of(&mira).await);
    let (head, _) = one.rsplit_once('_').unwrap();
    let (other_head, other_secret) = other.rsplit_once('_').unwrap();
    assert_eq!(bench.opens_for(&format!("{head}_{other_secret}")).await, None);
    let as_session = other_head.replacen("cla_", "cls_", 1);
    assert_eq!(bench.opens_for(&format!("{as_session}_{other_secret}")).await, None, "the wrong shelf");
    assert_eq!(bench.opens_for("").await, None);
}

#[tokio::test]
async fn o3_disabling_removing_and_a_new_password_end_sessions_and_api_tokens_at_once() {
    for way in ["disable", "remove", "password"] {
        let bench = bench();
        let mira = bench.add("mira", Role::Admin).await;
        let ben = bench.add("ben", Role::Admin).await;
        let ends = [bench.log_in("mira").await, bench.log_in("mira").await, bench.token_of(&mira).await];
        let stay = [bench.log_in("ben").await, bench.token_of(&ben).await];
        match way {
            "disable" => assert!(bench.accounts.disable(cli(), &mira).await.unwrap()),
            "remove" => bench.accounts.remove(cli(), &mira).await.unwrap(),
            _ => drop(bench.accounts.set_password(cli(), &mira, NewPassword::OneTime).await.unwrap()),
        }
        for token in &ends {
            assert_eq!(bench.opens_for(token).await, None, "{way}");
        }
        for token in &stay {
            assert_eq!(bench.opens_for(token).await, Some("ben".into()), "{way}");
        }
        if way == "disable" {
            let disabled = bench.accounts.users().get(&mira.id).await.unwrap().unwrap();
            assert!(bench.accounts.enable(cli(), &disabled).await.unwrap());
            assert_eq!(bench.opens_for(&ends[0]).await, None, "they do not come back");
            bench.log_in("mira").await;
        }
    }
}

/// As a crash between the two writes leaves it, or another program that disables a user by itself.
#[tokio::test]
async fn the_sweep_ends_what_a_crash_has_left_open() {
    let bench = bench();
    let mira = bench.add("mira", Role::Admin).await;
    let (session, token) = (bench.log_in("mira").await, bench.token_of(&mira).await);
    assert_eq!(bench.accounts.sweep().await, Ok(0));
    let users = &crate::store::USERS;
    let mut found = bench.store.get(users, mira.id.as_str()).await.unwrap().unwrap();
    found.body["enabled"] = false.into();
    bench.store.compare_and_set(users, mira.id.as_str(), found.version, found.body).await.unwrap();
    assert_eq!(bench.accounts.sweep().await, Ok(2));
    assert_eq!((bench.opens_for(&session).await, bench.opens_for(&token).await), (None, None));
}

#[tokio::test]
async fn a_session_that_cannot_be_read_hides_no_other_and_is_ended_with_them() {
    let bench = bench();
    let mira = bench.add("mira", Role::Admin).await;
    let broken = serde_json::json!({ "user_id": mira.id, "role": "janitor" });
    bench.store.insert(&crate::store::LOGINS, "broken", broken).await.unwrap();
    bench.log_in("mira").await;
    assert_eq!(bench.accounts.sessions_of(&mira.id).await.unwrap().len(), 1);
    assert_eq!(bench.accounts.end_all_sessions(cli(), &mira).await.unwrap(), 2);
}

#[tokio::test]
async fn nobody_collects_sessions_or_tokens_without_end() {
    let bench = bench();
    let mira = bench.add("mira", Role::Admin).await;
    let oldest = bench.log_in("mira").await;
    let (user, credential) = bench.accounts.users.for_log_in("mira").await.unwrap().unwrap();
    for _ in 0..50 {
        bench.accounts.open_session(&user, &credential, "late").await.unwrap();
    }
    assert_eq!(bench.accounts.sessions_of(&mira.id).await.unwrap().len(), 50);
    assert_eq!(bench.opens_for(&oldest).await, None);
    for _ in 0..50 {
        bench.token_of(&mira).await;
    }
    let one_more = bench.accounts.make_token(cli(), &mira, "one more").await.unwrap_err();
    assert!(one_more.to_string().contains("revoke one"), "{one_more}");
}
