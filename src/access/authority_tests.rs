use super::*;

use Denied::Unknown;
use Role::{Admin, Agent, Superadmin};

fn user(id: &str, role: Role, tenant: Option<&str>) -> User {
    User {
        id: UserId::new(id),
        name: id.into(),
        role,
        tenant_id: tenant.map(TenantId::new),
        google_api_key: None,
        google_api_key_fingerprint: None,
        enabled: true,
    }
}

/// Two superadmins, and two tenants (`a`, `b`) with an admin and two agents each.
fn everybody() -> Vec<User> {
    vec![
        user("root", Superadmin, None),
        user("root2", Superadmin, None),
        user("a", Admin, Some("a")),
        user("a1", Agent, Some("a")),
        user("a2", Agent, Some("a")),
        user("b", Admin, Some("b")),
        user("b1", Agent, Some("b")),
        user("b2", Agent, Some("b")),
    ]
}

fn who(id: &str) -> Identity {
    Identity::from(&everybody().into_iter().find(|user| user.id.as_str() == id).unwrap())
}

/// For each who asks, in the order of `everybody`: `y` yes, `f` forbidden, `-` unknown.
fn table(question: fn(&Identity, &User) -> Result<(), Denied>) -> Vec<(String, String)> {
    let answers = |asking: &User| {
        let sign = |about: &User| match question(&Identity::from(asking), about) {
            Ok(()) => 'y',
            Err(Denied::Unknown) => '-',
            Err(Denied::Forbidden(_) | Denied::MustChangePassword) => 'f',
        };
        (asking.name.clone(), everybody().iter().map(sign).collect())
    };
    everybody().iter().map(answers).collect()
}

fn written(rows: [(&str, &str); 8]) -> Vec<(String, String)> {
    rows.map(|(who, answers)| (who.to_owned(), answers.replace(' ', ""))).into()
}

#[test]
fn o2_who_sees_whom() {
    let expected = written([
        //        roots a a1a2 b b1b2
        ("root", "yy y yy y yy"),
        ("root2", "yy y yy y yy"),
        ("a", "-- y yy - --"),
        ("a1", "-- - y- - --"),
        ("a2", "-- - -y - --"),
        ("b", "-- - -- y yy"),
        ("b1", "-- - -- - y-"),
        ("b2", "-- - -- - -y"),
    ]);
    assert_eq!(table(Identity::may_see_user), expected);
}

#[test]
fn o1_who_changes_whom_and_nobody_themselves() {
    let expected = written([
        //        roots a a1a2 b b1b2
        ("root", "ff y ff y ff"),
        ("root2", "ff y ff y ff"),
        ("a", "-- f yy - --"),
        ("a1", "-- - f- - --"),
        ("a2", "-- - -f - --"),
        ("b", "-- - -- f yy"),
        ("b1", "-- - -- - f-"),
        ("b2", "-- - -- - -f"),
    ]);
    assert_eq!(table(Identity::may_change_user), expected);
}

#[test]
fn o1_who_creates_whom_and_in_which_tenant() {
    let forbidden = |answer: Result<_, _>| matches!(answer, Err(Denied::Forbidden(_)));
    assert_eq!(who("root").may_create(Admin), Ok(None));
    assert_eq!(who("a").may_create(Agent), Ok(Some(TenantId::new("a"))));
    for (creator, role) in [
        ("root", Superadmin),
        ("root", Agent),
        ("a", Superadmin),
        ("a", Admin),
        ("a1", Superadmin),
        ("a1", Admin),
        ("a1", Agent),
    ] {
        assert!(forbidden(who(creator).may_create(role)), "{creator} {role:?}");
    }
}

#[test]
fn o1_o2_calls_are_made_and_seen_within_the_tenant_and_never_by_a_superadmin() {
    for (asking, makes_calls, sees) in [
        ("root", false, "------"),
        ("a", true, "yyy---"),
        ("a1", true, "-y----"),
        ("a2", true, "--y---"),
        ("b", true, "---yyy"),
        ("b2", true, "-----y"),
    ] {
        let asking = who(asking);
        assert_eq!(asking.may_make_calls().is_ok(), makes_calls, "{asking:?}");
        let owners = everybody().into_iter().filter(|user| user.role != Superadmin);
        let seen: String = owners
            .map(|owner| match asking.may_see_record(Some(&owner.id), owner.tenant_id.as_ref()) {
                Ok(()) => 'y',
                Err(denied) => {
                    assert_eq!(denied, Unknown, "whether it exists is not told");
                    '-'
                }
            })
            .collect();
        assert_eq!(seen, sees, "{asking:?}");
        assert_eq!(asking.may_see_record(None, None), Err(Unknown), "nobody's call");
    }
}

#[test]
fn o2_lists_ask_for_no_more_than_may_be_seen() {
    let (a, everything) = (Scope::Tenant(TenantId::new("a")), Scope::Everything);
    let own = |id: &str| Scope::Owner(UserId::new(id));
    let lists = |id: &str| (who(id).records(), who(id).users(), who(id).audit());
    assert_eq!(lists("root"), (Scope::Nothing, everything.clone(), everything));
    assert_eq!(lists("a"), (a.clone(), a.clone(), a));
    assert_eq!(lists("a1"), (own("a1"), own("a1"), own("a1")));
}

/// A record that another program wrote may lack its tenant: that must open nothing.
#[test]
fn an_admin_without_a_tenant_sees_itself_and_no_other_tenantless_user() {
    let stray = Identity::from(&user("stray", Admin, None));
    assert_eq!(stray.may_see_user(&user("lost", Agent, None)), Err(Unknown));
    assert_eq!(stray.may_change_user(&user("lost", Agent, None)), Err(Unknown));
    assert_eq!(stray.may_see_record(Some(&UserId::new("lost")), None), Err(Unknown));
    assert_eq!((stray.records(), stray.users()), (Scope::Nothing, Scope::Owner(UserId::new("stray"))));
}

#[test]
fn o3_with_a_one_time_password_nothing_else_may_be_done() {
    let fresh = Identity { must_change_password: true, ..who("root") };
    assert_eq!(fresh.may_begin(), Err(Denied::MustChangePassword));
    assert_eq!(who("root").may_begin(), Ok(()));
}

#[test]
fn k8_another_key_is_given_by_an_admin_or_a_superadmin_and_the_pool_is_a_superadmins() {
    let expected = written([
        ("root", "yy y yy y yy"),
        ("root2", "yy y yy y yy"),
        ("a", "-- y yy - --"),
        ("a1", "-- - f- - --"),
        ("a2", "-- - -f - --"),
        ("b", "-- - -- y yy"),
        ("b1", "-- - -- - f-"),
        ("b2", "-- - -- - -f"),
    ]);
    assert_eq!(table(Identity::may_reassign_key), expected);
    let runs = |id: &str| who(id).may_run_engine().is_ok();
    assert_eq!(["root", "a", "a1"].map(runs), [true, false, false]);
}
