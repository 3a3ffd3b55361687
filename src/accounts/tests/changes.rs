use crate::domain::{CallId, CallRecord, Direction, Outcome, PhoneNumber};
use crate::store::{AUDIT_LOG, AuditState, Change};

use super::*;
use crate::access::Scope;

async fn refused<T: std::fmt::Debug>(asked: impl Future<Output = Result<T, AccountError>>) -> String {
    asked.await.unwrap_err().to_string()
}

#[tokio::test]
async fn o1_an_admin_founds_a_tenant_an_agent_joins_its_admin_s_and_a_superadmin_has_none() {
    let bench = bench();
    let mira = bench.add("mira", Role::Admin).await;
    assert_eq!(mira.tenant_id.as_ref().unwrap().as_str(), mira.id.as_str());
    let ben = bench.agent_of("ben", &mira).await;
    assert_eq!(ben.tenant_id, mira.tenant_id);
    assert_eq!(bench.add("boss", Role::Superadmin).await.tenant_id, None);
    let lost = refused(bench.accounts.add(cli(), new("lost", Role::Agent))).await;
    assert!(lost.contains("agents belong to admins"), "{lost}");
    let taken = refused(bench.accounts.add(cli(), new("mira", Role::Admin))).await;
    assert!(taken.contains("choose another name"), "{taken}");
    let weak = NewUser { password: NewPassword::Chosen(Secret::new("short")), ..new("eve", Role::Admin) };
    assert!(refused(bench.accounts.add(cli(), weak)).await.contains("at least 12"));
}

#[tokio::test]
async fn o1_of_two_whose_names_differ_only_in_case_at_most_one_is_added_also_at_the_same_instant() {
    let bench = bench();
    let add = |name: &str| bench.accounts.add(cli(), new(name, Role::Admin));
    let (one, other) = tokio::join!(add("Mira"), add("mira"));
    let added = [one, other].into_iter().filter(Result::is_ok).count();
    assert!(added <= 1);
    assert_eq!(bench.accounts.users().all().await.unwrap().len(), added);
    bench.add("Ben", Role::Admin).await;
    let taken = refused(add("BEN")).await;
    assert!(taken.contains("\"BEN\"") && taken.contains("capital and small letters"), "{taken}");
}

#[tokio::test]
async fn o1_nobody_is_added_under_a_name_that_reads_like_another_s_in_other_letters() {
    let bench = bench();
    bench.add("pace", Role::Admin).await;
    let in_cyrillic = "\u{440}\u{430}\u{441}\u{435}";
    let taken = refused(bench.accounts.add(cli(), new(in_cyrillic, Role::Admin))).await;
    assert!(taken.contains("look the same") && taken.contains("choose another name"), "{taken}");
    let mixed = refused(bench.accounts.add(cli(), new("p\u{430}ce", Role::Admin))).await;
    assert!(mixed.contains("one script"), "{mixed}");
    let turned = refused(bench.accounts.add(cli(), new("\u{202e}ecap", Role::Admin))).await;
    assert!(turned.contains("invisible"), "{turned}");
    bench.add("\u{412}\u{435}\u{440}\u{430}", Role::Admin).await;
    assert_eq!(bench.accounts.users().all().await.unwrap().len(), 2);
}

#[tokio::test]
async fn o1_an_admin_with_agents_stays_and_is_told_who_they_are() {
    let bench = bench();
    let mira = bench.add("mira", Role::Admin).await;
    let ben = bench.agent_of("ben", &mira).await;
    let text = refused(bench.accounts.remove(cli(), &mira)).await;
    assert!(text.contains("ben") && text.contains("disable"), "{text}");
    bench.accounts.remove(cli(), &ben).await.unwrap();
    bench.accounts.remove(cli(), &mira).await.unwrap();
    assert_eq!(bench.accounts.users().all().await.unwrap(), []);
}

#[tokio::test]
async fn the_last_superadmin_who_can_log_in_stays() {
    let bench = bench();
    let (boss, other) =
        (bench.add("boss", Role::Superadmin).await, bench.add("other", Role::Superadmin).await);
    assert!(bench.accounts.disable(cli(), &other).await.unwrap());
    for text in [
        refused(bench.accounts.remove(cli(), &boss)).await,
        refused(bench.accounts.disable(cli(), &boss)).await,
    ] {
        assert!(text.contains("last superadmin"), "{text}");
    }
    let other = bench.accounts.users().get(&other.id).await.unwrap().unwrap();
    bench.accounts.remove(cli(), &other).await.unwrap();
}

#[tokio::test]
async fn o4_every_change_is_in_the_audit_log_with_who_and_what_and_without_a_secret() {
    let bench = bench();
    let boss = bench.add("boss", Role::Superadmin).await;
    let by = || By::from(&crate::access::Identity::from(&boss));
    let mira = bench.accounts.add(by(), new("mira", Role::Admin)).await.unwrap().user;
    let one_time = bench.accounts.set_password(by(), &mira, NewPassword::OneTime).await.unwrap().unwrap();
    let token = bench.accounts.make_token(by(), &mira, "a script").await.unwrap();
    bench.accounts.revoke_token(by(), &mira, &token.id).await.unwrap();
    bench.accounts.end_all_sessions(by(), &mira).await.unwrap();
    bench.accounts.disable(by(), &mira).await.unwrap();
    bench.accounts.enable(by(), &User { enabled: false, ..mira.clone() }).await.unwrap();
    bench.accounts.remove(by(), &mira).await.unwrap();
    let page = bench
        .accounts
        .audit()
        .list(&Scope::Tenant(mira.tenant_id.clone().unwrap()), None, None, 100)
        .await
        .unwrap();
    let entries: Vec<Change> =
        page.documents.iter().rev().map(|document| document.parse(&AUDIT_LOG).unwrap()).collect();
    let actions: Vec<&str> = entries.iter().map(|entry| entry.action.as_str()).collect();
    assert_eq!(
        actions,
        [
            "user.add",
            "user.set_password",
            "token.make",
            "token.revoke",
            "user.end_sessions",
            "user.disable",
            "user.enable",
            "user.remove"
        ]
    );
    assert!(entries.iter().all(|entry| entry.by == by() && entry.state == AuditState::Done));
    let text = serde_json::to_string(&entries).unwrap();
    for secret in [one_time.expose(), token.token.expose(), "$argon2id$"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[tokio::test]
async fn o4_a_change_that_is_refused_changes_nothing_and_is_not_said_to_be_done() {
    let bench = bench();
    bench.add("mira", Role::Admin).await;
    refused(bench.accounts.add(cli(), new("mira", Role::Admin))).await;
    let page = bench.accounts.audit().list(&Scope::Everything, None, None, 10).await.unwrap();
    let states: Vec<_> = page.documents.iter().map(|entry| entry.body["state"].clone()).collect();
    assert_eq!(states, ["not_done", "done"]);
}

#[tokio::test]
async fn o3_of_two_processes_that_start_at_once_one_makes_the_superadmin_and_later_ones_none() {
    let bench = bench();
    let other_store =
        embedded::open(&bench.folder.path().join("clearline.db"), COLLECTIONS, || Timestamp::from_millis(0));
    let other = Accounts::new(&other_store.unwrap(), LIMITS, VIRTUAL).unwrap();
    let (here, there) = tokio::join!(bench.accounts.ensure_superadmin(), other.ensure_superadmin());
    let made: Vec<_> = [here.unwrap(), there.unwrap()].into_iter().flatten().collect();
    assert_eq!(made.len(), 1);
    assert!(bench.try_from("192.0.2.1", &made[0].name, made[0].one_time_password.expose()).await.is_ok());
    assert!(bench.accounts.ensure_superadmin().await.unwrap().is_none());
    assert_eq!(bench.accounts.users().all().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_system_with_admins_and_no_superadmin_gets_one_unless_its_name_is_taken() {
    let bench = bench();
    bench.add("mira", Role::Admin).await;
    assert!(bench.accounts.ensure_superadmin().await.unwrap().is_some());
    let other = super::bench();
    other.add("superadmin", Role::Admin).await;
    let text = refused(other.accounts.ensure_superadmin()).await;
    assert!(text.contains("superadmin"), "{text}");
}

#[tokio::test]
async fn a_user_s_calls_in_progress_are_counted_for_who_wants_to_remove_it() {
    let bench = bench();
    let (mira, ben) = (bench.add("mira", Role::Admin).await, bench.add("ben", Role::Admin).await);
    let calls = Calls::new(bench.store.clone());
    let number = || PhoneNumber::new("+4930123");
    for (id, owner, outcome) in [
        ("c1", &mira, None),
        ("c2", &mira, Some(Outcome::Completed)),
        ("c3", &ben, None),
        ("c4", &mira, None),
    ] {
        let started = CallRecord::started(CallId::new(id), Direction::Inbound, number(), number(), START);
        let record = CallRecord { owner_id: Some(owner.id.clone()), outcome, ..started };
        calls.insert(&record).await.unwrap();
    }
    let told = async |user: &User| bench.accounts.what_goes_on_without(user).await.unwrap();
    assert_eq!(told(&mira).await, ["2 calls of mira are in progress and go on to their end"]);
    assert_eq!(told(&ben).await, ["1 call of ben is in progress and goes on to its end"]);
}

#[tokio::test]
async fn two_superadmins_who_disable_or_remove_each_other_at_the_same_instant_leave_one() {
    let bench = bench();
    let accounts = &bench.accounts;
    let (boss, other) =
        (bench.add("boss", Role::Superadmin).await, bench.add("other", Role::Superadmin).await);
    let able = async || {
        let all = accounts.users().of_role(Role::Superadmin).await.unwrap();
        all.into_iter().filter(|user| user.enabled).count()
    };
    let (one, two) = tokio::join!(accounts.disable(cli(), &boss), accounts.disable(cli(), &other));
    assert!(one.is_err() || two.is_err());
    assert!(able().await >= 1);
    for user in [&boss, &other] {
        accounts.enable(cli(), &User { enabled: false, ..user.clone() }).await.unwrap();
    }
    let (one, two) = tokio::join!(accounts.remove(cli(), &boss), accounts.remove(cli(), &other));
    assert!(one.is_err() || two.is_err());
    assert!(able().await >= 1);
}

#[tokio::test]
async fn an_agent_that_is_added_while_its_admin_is_removed_does_not_stay_alone() {
    let bench = bench();
    let accounts = &bench.accounts;
    for round in 0..8 {
        let mira = bench.add(&format!("mira {round}"), Role::Admin).await;
        let agent = NewUser {
            tenant_id: mira.tenant_id.clone(),
            password: NewPassword::None,
            ..new(&format!("ben {round}"), Role::Agent)
        };
        let later = async {
            for _ in 0..round {
                tokio::task::yield_now().await;
            }
            accounts.remove(cli(), &mira).await
        };
        let (added, removed) = tokio::join!(accounts.add(cli(), agent), later);
        let (added, removed) = (added.is_ok(), removed.is_ok());
        assert!(!(added && removed), "round {round}");
        let tenants = accounts.users().of_tenant(mira.id.as_str()).await.unwrap();
        assert_eq!(tenants.len(), usize::from(!removed) + usize::from(added), "round {round}: {tenants:?}");
    }
}

#[tokio::test]
async fn an_admin_who_was_about_to_be_removed_and_is_enabled_again_gets_agents_again() {
    let bench = bench();
    let mira = bench.add("mira", Role::Admin).await;
    let mut document = bench.store.get(&crate::store::USERS, mira.id.as_str()).await.unwrap().unwrap();
    document.body["leaving"] = true.into();
    bench
        .store
        .compare_and_set(&crate::store::USERS, mira.id.as_str(), document.version, document.body)
        .await
        .unwrap();
    let agent = || NewUser { tenant_id: mira.tenant_id.clone(), ..new("ben", Role::Agent) };
    assert!(refused(bench.accounts.add(cli(), agent())).await.contains("is no admin"));
    bench.accounts.disable(cli(), &mira).await.unwrap();
    bench.accounts.enable(cli(), &User { enabled: false, ..mira.clone() }).await.unwrap();
    bench.accounts.add(cli(), agent()).await.unwrap();
}
