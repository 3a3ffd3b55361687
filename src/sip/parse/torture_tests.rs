//! The parser's exam, on the messages of [`super::corpus`].

use super::corpus::{INVALID, VALID, valid, wire};
use super::*;
use crate::sip::header::{CSeq, Refresher, SessionExpires, Transport, Via};
use crate::sip::message::{MAX_PARAMS, Scheme};

#[test]
fn everything_odd_but_right_is_read() {
    for (name, text) in VALID {
        assert!(parse(&wire(text)).is_ok(), "{name}: {:?}", parse(&wire(text)));
    }
}

#[test]
fn everything_wrong_is_refused_for_its_reason_and_answered_where_possible() {
    for (name, text, kind, is_answerable) in INVALID {
        let error = parse(&wire(text)).expect_err(name);
        assert_eq!((error.kind, error.answerable.is_some()), (*kind, *is_answerable), "{name}");
    }
}

#[test]
fn what_is_written_reads_the_same_again() {
    for (name, text) in VALID {
        let read = parse(&wire(text)).unwrap();
        assert_eq!(parse(&read.to_bytes()).as_ref(), Ok(&read), "{name}");
    }
}

#[test]
fn bare_line_feeds_read_like_full_line_breaks() {
    for (name, text) in VALID.iter().filter(|(_, text)| !text.contains("Content-Length: 5")) {
        let wire = wire(text);
        let feeds_only: Vec<u8> = wire.iter().copied().filter(|byte| *byte != b'\r').collect();
        assert_eq!(parse(&feeds_only), parse(&wire), "{name}");
    }
}

#[test]
fn every_cut_of_a_message_is_an_error_or_a_message() {
    for (_, text) in VALID {
        let wire = wire(text);
        for end in 0..wire.len() {
            drop(parse(&wire[..end]));
        }
    }
}

#[test]
fn folded_headers_are_one_value() {
    let request = request("everything folded");
    let via = request.headers.top_via().unwrap();
    assert_eq!((via.host.as_str(), via.port, via.branch()), ("192.0.2.1", Some(5060), Some("z9hG4bK1")));
    let from = request.headers.from_addr().unwrap();
    assert_eq!((from.display.as_deref(), from.tag()), (Some("Alice  Smith"), Some("a1")));
    assert_eq!(request.headers.cseq(), Some(CSeq { number: 1, method: Method::Invite }));
    assert_eq!(request.headers.call_id(), Some("1@x"));
}

#[test]
fn compact_names_are_the_long_ones() {
    let request = request("compact names in odd case");
    let get = |name| request.headers.get(&name);
    assert_eq!(get(HeaderName::Subject), Some("hello"));
    assert_eq!(get(HeaderName::ReferTo), Some("<sip:c@z>"));
    assert_eq!(get(HeaderName::ContentType), Some("text/plain"));
    let timer = SessionExpires { seconds: 1800, refresher: Some(Refresher::Uac) };
    assert_eq!(request.headers.session_expires(), Some(timer));
    assert_eq!(request.body, b"hi");
}

#[test]
fn spaces_around_separators_do_not_matter() {
    let sent = request("spaces before colons");
    assert_eq!(sent.headers.call_id(), Some("7"));
    assert_eq!(sent.headers.number(&HeaderName::MaxForwards), Some(0));
    let via = request("spaces inside a Via").headers.top_via().unwrap();
    assert_eq!((via.port, via.branch()), (Some(5061), Some("z9hG4bKspaced")));
    assert_eq!(via.received(), Some("192.0.2.9".parse().unwrap()));
}

#[test]
fn vias_keep_their_order_over_lines() {
    let request = request("several Vias on one line and on more");
    let vias: Vec<Via> = request.headers.all(&HeaderName::Via).map(|via| via.parse().unwrap()).collect();
    let hosts: Vec<&str> = vias.iter().map(|via| via.host.as_str()).collect();
    assert_eq!(hosts, ["a.example", "[2001:db8::1]", "c.example"]);
    assert_eq!(vias[1].port, Some(5062));
    assert_eq!(vias[2].transport, Transport::Other("SCTP".into()));
}

#[test]
fn separators_inside_quotes_and_brackets_separate_nothing() {
    let request = request("a quoted name full of separators");
    assert_eq!(request.headers.from_addr().unwrap().display.as_deref(), Some(r#"Sm"ith, <Al>; \"#));
    assert_eq!(request.headers.to_addr().unwrap().display.as_deref(), Some(""));
    let contacts: Vec<&str> = request.headers.all(&HeaderName::Contact).collect();
    assert_eq!(contacts.len(), 2);
    assert_eq!(request.headers.contact().unwrap().params.get("q"), Some("0.5"));
}

#[test]
fn parameters_after_an_address_without_brackets_belong_to_the_header() {
    let request = request("a name of several words without quotes");
    assert_eq!(request.headers.from_addr().unwrap().display.as_deref(), Some("Alice van Beek"));
    let to = request.headers.to_addr().unwrap();
    assert_eq!((to.tag(), to.uri.params.is_empty()), (Some("b2"), true));
}

#[test]
fn escapes_stay_on_the_wire_and_are_resolved_for_people() {
    let uri = request("escapes in addresses").uri;
    assert_eq!(uri.user_text().as_deref(), Some("sips:user@example.com;x=1"));
    assert_eq!(uri.to_string(), "sip:sips%3Auser%40example.com;x=1@example.net;p%61ram=v");
}

#[test]
fn an_address_comes_apart_at_the_right_places() {
    let uri = request("a user with a question mark, a password and headers").uri;
    assert_eq!((uri.user.as_deref(), uri.password.as_deref()), (Some("a?b"), Some("s3cr;et")));
    assert_eq!((uri.host.as_str(), uri.port, uri.is_loose_router()), ("example.net", Some(5070), true));
    assert_eq!(uri.headers.as_deref(), Some("Subject=x&To=y"));
    let uri = request("addresses of IPv6").uri;
    assert_eq!((uri.host.as_str(), uri.port, uri.transport()), ("[2001:db8::10]", Some(5070), Some("udp")));
}

#[test]
fn telephone_numbers_are_addresses_too() {
    let request = request("telephone numbers");
    assert_eq!((&request.uri.scheme, request.uri.user.as_deref()), (&Scheme::Tel, Some("+1-201-555-0123")));
    assert_eq!(request.uri.params.get("phone-context"), Some("example.com"));
    assert_eq!(request.headers.to_addr().unwrap().uri.user.as_deref(), Some("7042"));
}

#[test]
fn unknown_schemes_and_methods_reach_the_endpoint_to_be_refused_there() {
    assert_eq!(request("an unknown scheme").uri.scheme, Scheme::Other("soap.beep".into()));
    let method = request("an unknown method of odd letters").method;
    assert_eq!(method.as_str(), "!interesting-Method0123456789_*+`.%indeed'~");
    assert_eq!(request("a method in lower case is another method").method, Method::Other("invite".into()));
}

#[test]
fn commas_of_unknown_headers_dates_and_credentials_are_left_alone() {
    let request = request("unknown headers keep their commas");
    assert_eq!(request.headers.get(&HeaderName::from_token("x-tHing")), Some("a, b"));
    assert_eq!(request.headers.get(&HeaderName::Date), Some("Sat, 13 Nov 2010 23:29:00 GMT"));
    assert_eq!(request.headers.all(&HeaderName::Authorization).count(), 1);
    assert_eq!(request.headers.get(&HeaderName::from_token("X-Empty")), Some(""));
}

#[test]
fn lines_that_are_no_header_cost_only_themselves() {
    let request = request("lines that are no header");
    assert_eq!(request.headers.get(&HeaderName::Subject), Some("kept"));
    assert_eq!(request.headers.len(), 6);
}

#[test]
fn the_body_ends_where_content_length_says() {
    assert_eq!(request("more bytes than Content-Length").body, b"hi");
    assert_eq!(request("no Content-Length").body, b"all of this");
    assert_eq!(request("the same Content-Length twice").body, b"hi");
}

#[test]
fn a_count_too_great_is_the_greatest() {
    let request = request("huge but harmless numbers");
    assert_eq!(request.headers.number(&HeaderName::Expires), Some(u32::MAX));
    assert_eq!(request.headers.number(&HeaderName::RetryAfter), None);
    assert_eq!(request.headers.contact().unwrap().params.get("expires"), Some("280297596632815"));
}

#[test]
fn a_reason_may_be_anything() {
    assert_eq!(response("a response without a reason").status, 100);
    assert_eq!(response("a response without a reason or its space").status, 200);
    assert_eq!(response("a reason in Russian").reason, "Вызов, \"идёт\": да;");
    assert_eq!(response("an unknown status").status, 699);
}

#[test]
fn a_prack_says_what_it_acknowledges() {
    let rack = request("a PRACK").headers.rack().unwrap();
    assert_eq!((rack.rseq, rack.cseq.to_string().as_str()), (776_656, "1 INVITE"));
}

#[test]
fn bytes_that_are_no_utf_8_are_latin_1_and_cost_no_header() {
    let mut bytes = wire("OPTIONS sip:b@x SIP/2.0\nSubject: Gr~~e\n{usual}\nCSeq: 1 OPTIONS\n\n");
    let first = bytes.iter().position(|byte| *byte == b'~').unwrap();
    bytes[first..first + 2].copy_from_slice(&[0xfc, 0xdf]);
    let message = parse(&bytes).unwrap();
    assert_eq!(message.headers().get(&HeaderName::Subject), Some("Grüße"));
    assert_eq!(message.headers().call_id(), Some("1@192.0.2.1"));
}

#[test]
fn control_characters_never_leave_the_parser() {
    let message =
        parse(&wire("OPTIONS sip:b@x SIP/2.0\n{usual}\nCSeq: 1 OPTIONS\nSubject: a\0b\x1b[1mc\rVia: d\n\n"));
    let message = message.unwrap();
    assert_eq!(message.headers().get(&HeaderName::Subject), Some("a b [1mc Via: d"));
}

#[test]
fn a_value_of_ours_cannot_start_a_header() {
    let Message::Request(mut request) = parse(&valid("an ordinary INVITE")).unwrap() else { unreachable!() };
    request.headers.push(HeaderName::Subject, "x\r\nContent-Length: 0\r\n\r\nBYE");
    let again = parse(&request.to_bytes()).unwrap();
    assert_eq!(again.headers().get(&HeaderName::Subject), Some("x  Content-Length: 0    BYE"));
    assert_eq!(again.body(), request.body);
}

#[test]
fn an_answer_to_a_broken_request_finds_its_way_back() {
    let error = parse(&wire("OPTIONS sip:b@x SIP/2.0\n{usual}\nCSeq: 9999999999 OPTIONS\nSubject: x\n\n"))
        .unwrap_err();
    let response = Response::to_request(&error.answerable.unwrap(), error.kind.status());
    let text = String::from_utf8(response.to_bytes()).unwrap();
    let copied =
        String::from_utf8(wire("SIP/2.0 400 Bad Request\n{usual}\nCSeq: 9999999999 OPTIONS\n")).unwrap();
    assert_eq!(text, format!("{copied}Content-Length: 0\r\n\r\n"));
}

#[test]
fn a_message_at_a_limit_is_read_and_one_beyond_it_is_not() {
    let with = |line: String| {
        parse(&wire(&format!("OPTIONS sip:b@x SIP/2.0\n{{usual}}\nCSeq: 1 OPTIONS\n{line}\n")))
    };
    let kind = |line: String| with(line).map_err(|error| error.kind).err();
    let usual = 5;
    assert_eq!(kind("X: y\n".repeat(MAX_HEADERS - usual)), None);
    assert_eq!(kind("X: y\n".repeat(MAX_HEADERS - usual + 1)), Some(ParseErrorKind::TooManyHeaders));
    assert_eq!(kind(format!("k: {}\n", "a,".repeat(MAX_HEADERS))), Some(ParseErrorKind::TooManyHeaders));
    assert_eq!(kind(format!("X:{}\n", "y".repeat(MAX_LINE_BYTES - 2))), None);
    assert_eq!(kind(format!("X:{}\n", "y".repeat(MAX_LINE_BYTES - 1))), Some(ParseErrorKind::LineTooLong));
    assert_eq!(kind(format!("X:{}\n", "y\n ".repeat(MAX_LINE_BYTES))), Some(ParseErrorKind::LineTooLong));
    assert_eq!(kind(format!("m: <sip:x{}>\n", ";p".repeat(MAX_PARAMS))), None);
    let too_many = Some(ParseErrorKind::Header("Contact"));
    assert_eq!(kind(format!("m: <sip:x{}>\n", ";p".repeat(MAX_PARAMS + 1))), too_many);
}

#[test]
fn a_message_beyond_64_kib_is_not_looked_at() {
    let mut bytes = valid("no Content-Length");
    bytes.resize(MAX_MESSAGE_BYTES, b'x');
    assert!(parse(&bytes).is_ok());
    bytes.push(b'x');
    assert_eq!(parse(&bytes), Err(ParseErrorKind::TooLong.into()));
}

fn request(name: &str) -> Request {
    match parse(&valid(name)) {
        Ok(Message::Request(request)) => request,
        other => panic!("{name}: {other:?}"),
    }
}

fn response(name: &str) -> Response {
    match parse(&valid(name)) {
        Ok(Message::Response(response)) => response,
        other => panic!("{name}: {other:?}"),
    }
}
