use super::answer::{Asked, response};
use super::challenge::{Algorithm, Challenge, Qop, read_all};
use super::*;
use crate::sip::message::{Method, Uri};

fn mufasa(password: &str) -> Credentials {
    Credentials { username: "Mufasa".into(), password: Secret::new(password) }
}

const RFC_2617: &str = r#"Digest realm="testrealm@host.com", qop="auth,auth-int", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41""#;

const RFC_7616: [&str; 2] = [
    r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=SHA-256, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#,
    r#"Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=MD5, nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS""#,
];

fn index_page(challenge: &Challenge, password: &str, cnonce: &str) -> String {
    let asked = Asked { method: "GET", uri: "/dir/index.html", body: b"" };
    response(&mufasa(password), challenge, &asked, "00000001", cnonce)
}

#[test]
fn the_example_of_rfc_2617_comes_out_right() {
    let challenge = read_all(RFC_2617).remove(0);
    assert_eq!(index_page(&challenge, "Circle Of Life", "0a4f113b"), "6629fae49393a05397450978507c4ef1");
}

#[test]
fn the_examples_of_rfc_7616_come_out_right() {
    let expected = [
        "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1",
        "8ca523f5e9506fed4657c9700eebdbec",
    ];
    for (text, expected) in RFC_7616.iter().zip(expected) {
        let challenge = read_all(text).remove(0);
        let cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
        assert_eq!(index_page(&challenge, "Circle of Life", cnonce), expected);
    }
}

#[test]
fn without_qop_the_old_form_of_rfc_2069_is_sent() {
    let mut challenge = read_all(RFC_2617).remove(0);
    challenge.qop = None;
    // Computed with Python's hashlib.
    assert_eq!(index_page(&challenge, "Circle Of Life", "unused"), "670fd8c2df070c60b045671b8b24ff02");
}

#[test]
fn a_value_with_several_schemes_gives_the_digests_we_know() {
    let value = r#"Basic realm="a, b", Digest realm="c", nonce="n1", algorithm=SHA-512-256, digest REALM = "d" , nonce=n2, algorithm=md5-SESS, qop=auth-int, stale=TRUE"#;
    let read = read_all(value);
    assert_eq!(read.len(), 1);
    let challenge = &read[0];
    assert_eq!((challenge.realm.as_str(), challenge.nonce.as_str()), ("d", "n2"));
    assert_eq!((challenge.algorithm, challenge.qop), (Algorithm::Md5Sess, Some(Qop::AuthInt)));
    assert!(challenge.is_stale);
}

#[test]
fn a_challenge_with_unknown_protection_or_without_nonce_is_passed_over() {
    assert_eq!(read_all(r#"Digest realm="a", nonce="n", qop="token""#), []);
    assert_eq!(read_all(r#"Digest realm="a""#), []);
    assert_eq!(read_all(""), []);
    assert_eq!(read_all(r#"realm="a", nonce="b""#), []);
}

#[test]
fn a_realm_with_escaped_quotes_and_commas_is_echoed_as_it_came() {
    let mut client = DigestClient::new(mufasa("x"));
    client.take_challenges(&challenged(401, &[r#"Digest realm="a \"b\", c", nonce="n""#]));
    assert!(authorized(&mut client)[0].contains(r#"realm="a \"b\", c""#));
}

#[test]
fn sha_256_is_preferred_to_md5_whatever_the_order() {
    for order in [[0, 1], [1, 0]] {
        let mut client = DigestClient::new(mufasa("Circle of Life"));
        let verdict = client.take_challenges(&challenged(401, &order.map(|place| RFC_7616[place])));
        assert_eq!(verdict, Verdict::TryAgain);
        let answers = authorized(&mut client);
        assert_eq!(answers.len(), 1);
        assert!(answers[0].contains("algorithm=SHA-256,"));
    }
}

#[test]
fn an_answer_has_all_its_parts() {
    let mut client = DigestClient::new(mufasa("Circle Of Life"));
    client.take_challenges(&challenged(401, &[RFC_2617]));
    assert_eq!(
        authorized(&mut client),
        [concat!(
            r#"Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", "#,
            r#"uri="sip:example.org", response="d776a3338ac3a57cab45c1c75624d8fc", "#,
            r#"qop=auth, nc=00000001, cnonce="cnonce", opaque="5ccc069c403ebaf9f0171e9517f40e41""#
        )]
    );
}

#[test]
fn server_and_proxies_are_all_answered_each_in_its_own_header() {
    let mut client = DigestClient::new(mufasa("x"));
    let mut response = challenged(401, &[r#"Digest realm="server", nonce="1""#]);
    response.headers.push(HeaderName::ProxyAuthenticate, r#"Digest realm="p1", nonce="2""#);
    response.headers.push(HeaderName::ProxyAuthenticate, r#"Digest realm="p2", nonce="3""#);
    assert_eq!(client.take_challenges(&response), Verdict::TryAgain);
    let mut request = options();
    client.authorize(&mut request, "c");
    client.authorize(&mut request, "c");
    assert_eq!(request.headers.all(&HeaderName::Authorization).count(), 1);
    assert_eq!(request.headers.all(&HeaderName::ProxyAuthorization).count(), 2);
}

#[test]
fn each_use_of_a_nonce_counts_up_and_keeps_its_cnonce() {
    let mut client = DigestClient::new(mufasa("x"));
    client.take_challenges(&challenged(401, &[RFC_2617]));
    authorized(&mut client);
    let mut request = options();
    client.authorize(&mut request, "another");
    let answer = request.headers.get(&HeaderName::Authorization).unwrap();
    assert!(answer.contains("nc=00000002, cnonce=\"cnonce\""), "{answer}");
}

#[test]
fn the_same_challenge_after_our_answer_means_a_wrong_password() {
    let mut client = DigestClient::new(mufasa("wrong"));
    assert_eq!(client.take_challenges(&nonce("a", false)), Verdict::TryAgain);
    authorized(&mut client);
    assert_eq!(client.take_challenges(&nonce("a", false)), Verdict::Rejected);
}

#[test]
fn a_fresh_nonce_for_each_wrong_answer_does_not_loop() {
    let mut client = DigestClient::new(mufasa("wrong"));
    client.take_challenges(&nonce("a", false));
    authorized(&mut client);
    assert_eq!(client.take_challenges(&nonce("b", false)), Verdict::Rejected);
}

#[test]
fn a_stale_nonce_is_believed_once_and_then_no_more() {
    let mut client = DigestClient::new(mufasa("x"));
    for (text, expected) in [("a", Verdict::TryAgain), ("b", Verdict::TryAgain), ("c", Verdict::Rejected)] {
        assert_eq!(client.take_challenges(&nonce(text, text != "a")), expected);
        authorized(&mut client);
    }
}

#[test]
fn a_nonce_that_served_and_then_expired_is_replaced_every_time() {
    let mut client = DigestClient::new(mufasa("x"));
    for number in 0..20 {
        let is_stale = number % 2 == 0;
        assert_eq!(client.take_challenges(&nonce(&number.to_string(), is_stale)), Verdict::TryAgain);
        authorized(&mut client);
        authorized(&mut client);
    }
}

#[test]
fn the_number_of_remembered_realms_is_limited() {
    let mut client = DigestClient::new(mufasa("x"));
    for number in 0..100 {
        client.take_challenges(&challenged(407, &[&format!(r#"Digest realm="{number}", nonce="n""#)]));
    }
    assert_eq!(authorized(&mut client).len(), MAX_REALMS);
    let many: Vec<String> = (0..100).map(|number| format!(r#"Digest realm="{number}", nonce="n""#)).collect();
    let response = challenged(401, &[&many.join(", ")]);
    assert_eq!(strongest_by_realm(&response).len(), MAX_CHALLENGES);
}

#[test]
fn nothing_to_answer_is_unanswerable() {
    let mut client = DigestClient::new(mufasa("x"));
    assert_eq!(client.take_challenges(&challenged(401, &[])), Verdict::Unanswerable);
    assert_eq!(client.take_challenges(&challenged(401, &[r#"Basic realm="x""#])), Verdict::Unanswerable);
    assert!(authorized(&mut client).is_empty());
}

#[test]
fn the_password_never_shows_in_debug_output() {
    let client = DigestClient::new(mufasa("Circle Of Life, and more of it"));
    assert!(!format!("{client:?}").contains("Of Life"));
}

fn nonce(nonce: &str, is_stale: bool) -> Response {
    challenged(401, &[&format!(r#"Digest realm="r", nonce="{nonce}", qop="auth", stale={is_stale}"#)])
}

fn challenged(status: u16, challenges: &[&str]) -> Response {
    let mut response = Response::to_request(&options(), status);
    for challenge in challenges {
        response.headers.push(HeaderName::WwwAuthenticate, *challenge);
    }
    response
}

fn options() -> Request {
    Request::new(Method::Options, Uri::sip(None, "example.org", None))
}

fn authorized(client: &mut DigestClient) -> Vec<String> {
    let mut request = options();
    client.authorize(&mut request, "cnonce");
    request.headers.all(&HeaderName::Authorization).map(str::to_owned).collect()
}
