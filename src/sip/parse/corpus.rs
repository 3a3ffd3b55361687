//! Messages of our own in the spirit of RFC 4475: what is odd but right, and what is wrong.
//!
//! `{via}`, `{people}` (From, To, Call-ID) and `{usual}` (both) stand for headers that are not what the message is
//! about; line feeds become CRLF in [`wire`].

use super::ParseErrorKind::{self, *};

const VIA: &str = "Via: SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bK1;rport";
const PEOPLE: &str =
    "From: \"Alice\" <sip:alice@example.com>;tag=a1\nTo: <sip:bob@example.org>\nCall-ID: 1@192.0.2.1";

pub(super) fn wire(text: &str) -> Vec<u8> {
    let text = text.replace("{usual}", "{via}\n{people}").replace("{via}", VIA).replace("{people}", PEOPLE);
    text.replace('\n', "\r\n").into_bytes()
}

pub(super) fn valid(name: &str) -> Vec<u8> {
    let found = VALID.iter().find(|(held, _)| *held == name);
    wire(found.expect("the corpus has this message").1)
}

pub(super) const VALID: &[(&str, &str)] = &[
    (
        "an ordinary INVITE",
        "INVITE sip:bob@example.org SIP/2.0\n{usual}\nCSeq: 1 INVITE\nMax-Forwards: 70\nContact: <sip:alice@192.0.2.1:5060>\nAllow: INVITE, ACK, BYE, CANCEL\nSupported: 100rel,timer\nContent-Type: application/sdp\nContent-Length: 5\n\nv=0\n",
    ),
    (
        "everything folded",
        "INVITE sip:bob@example.org SIP/2.0\nVia: SIP/2.0/UDP\n  192.0.2.1:5060\n\t;branch=z9hG4bK1\nFrom: \"Alice\n  Smith\"\n <sip:alice@example.com>\n ;tag=a1\nTo:\n <sip:bob@example.org>\nCall-ID:\n  1@x\nCSeq: 1\n  INVITE\n\n",
    ),
    (
        "compact names in odd case",
        "INVITE sip:bob@example.org SIP/2.0\nV: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nF: <sip:a@x>;tag=1\nt: <sip:b@y>\nI: 7\ncSEQ: 1 INVITE\nm: <sip:a@1.2.3.4>\nK: timer\nc: text/plain\nx: 1800;REFRESHER=UAC\ns: hello\nr: <sip:c@z>\nL: 2\n\nhi",
    ),
    (
        "spaces before colons",
        "OPTIONS sip:bob@example.org SIP/2.0\nVia  : SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK1\nFrom\t: <sip:a@x>;tag=1\nTo :<sip:b@y>\nCall-ID :  7  \nCSeq:1 OPTIONS\nMax-Forwards:   0  \n\n",
    ),
    (
        "spaces inside a Via",
        "OPTIONS sip:bob@example.org SIP/2.0\nVia: SIP / 2.0 / UDP  192.0.2.1 : 5061 ; branch = z9hG4bKspaced ; received=192.0.2.9\n{people}\nCSeq: 1 OPTIONS\n\n",
    ),
    (
        "several Vias on one line and on more",
        "OPTIONS sip:bob@example.org SIP/2.0\nVia: SIP/2.0/UDP a.example;branch=z9hG4bK1, SIP/2.0/TCP [2001:db8::1]:5062;branch=z9hG4bK2\n{people}\nCSeq: 1 OPTIONS\nVia: SIP/2.0/SCTP c.example;branch=z9hG4bK3\n\n",
    ),
    (
        "a quoted name full of separators",
        "INVITE sip:bob@example.org SIP/2.0\n{via}\nFrom: \"Sm\\\"ith, <Al>; \\\\\" <sip:alice@example.com>;tag=a1\nTo: \"\" <sip:bob@example.org>\nCall-ID: 1\nCSeq: 1 INVITE\nContact: \"a, b <x>\" <sip:1@x>;q=0.5, <sip:2,3@x>\n\n",
    ),
    (
        "a name of several words without quotes",
        "OPTIONS sip:bob@example.org SIP/2.0\n{via}\nFrom: Alice van Beek <sip:alice@example.com>;tag=a1\nTo: sip:bob@example.org;tag=b2\nCall-ID: 1\nCSeq: 1 OPTIONS\n\n",
    ),
    (
        "escapes in addresses",
        "INVITE sip:sips%3Auser%40example.com;x=1@example.net;p%61ram=v SIP/2.0\n{usual}\nCSeq: 1 INVITE\n\n",
    ),
    (
        "a user with a question mark, a password and headers",
        "INVITE sip:a?b:s3cr;et@example.net:5070;lr?Subject=x&To=y SIP/2.0\n{usual}\nCSeq: 1 INVITE\n\n",
    ),
    (
        "addresses of IPv6",
        "INVITE sip:bob@[2001:db8::10]:5070;transport=udp SIP/2.0\nVia: SIP/2.0/UDP [2001:db8::9];received=2001:db8::9;branch=z9hG4bK1\n{people}\nCSeq: 1 INVITE\nContact: <sip:[2001:db8::9]>\n\n",
    ),
    (
        "telephone numbers",
        "INVITE tel:+1-201-555-0123;phone-context=example.com SIP/2.0\n{via}\nFrom: <tel:+4930123456>;tag=1\nTo: tel:7042;phone-context=+1914555\nCall-ID: 1\nCSeq: 1 INVITE\n\n",
    ),
    (
        "an unknown scheme",
        "OPTIONS soap.beep://192.0.2.103:3002 SIP/2.0\n{usual}\nCSeq: 1 OPTIONS\nContact: <mailto:a@b>, <unknown:x>\n\n",
    ),
    (
        "an unknown method of odd letters",
        "!interesting-Method0123456789_*+`.%indeed'~ sip:bob@example.org SIP/2.0\n{usual}\nCSeq: 1 !interesting-Method0123456789_*+`.%indeed'~\n\n",
    ),
    (
        "a method in lower case is another method",
        "invite sip:bob@example.org SIP/2.0\n{usual}\nCSeq: 1 invite\n\n",
    ),
    (
        "unknown headers keep their commas",
        "OPTIONS sip:bob@example.org SIP/2.0\n{usual}\nCSeq: 1 OPTIONS\nX-Thing: a, b\nDate: Sat, 13 Nov 2010 23:29:00 GMT\nAuthorization: Digest username=\"a\", realm=\"b\"\nX-Empty:\n\n",
    ),
    (
        "lines that are no header",
        "OPTIONS sip:bob@example.org SIP/2.0\n{usual}\nCSeq: 1 OPTIONS\nno colon here\n and its fold\n: no name\nb a d: value\nSubject: kept\n\n",
    ),
    (
        "more bytes than Content-Length",
        "OPTIONS sip:bob@example.org SIP/2.0\n{usual}\nCSeq: 1 OPTIONS\nContent-Length: 2\n\nhi there, ignored",
    ),
    ("no Content-Length", "OPTIONS sip:bob@example.org SIP/2.0\n{usual}\nCSeq: 1 OPTIONS\n\nall of this"),
    (
        "the same Content-Length twice",
        "OPTIONS sip:bob@example.org SIP/2.0\n{usual}\nCSeq: 1 OPTIONS\nContent-Length: 2\nl: 002\n\nhi",
    ),
    (
        "line breaks before the message",
        "\n\n\nOPTIONS sip:bob@example.org SIP/2.0\n{usual}\nCSeq: 1 OPTIONS\n\n",
    ),
    ("spaces after the start line", "OPTIONS sip:bob@example.org SIP/2.0   \n{usual}\nCSeq: 1 OPTIONS\n\n"),
    (
        "huge but harmless numbers",
        "REGISTER sip:example.org SIP/2.0\n{usual}\nCSeq: 2147483647 REGISTER\nMax-Forwards: 255\nExpires: 99999999999999999999\nContact: <sip:a@x>;expires=280297596632815\n\n",
    ),
    (
        "unregister all",
        "REGISTER sip:example.org SIP/2.0\n{usual}\nCSeq: 1 REGISTER\nContact: *\nExpires: 0\n\n",
    ),
    ("a response without a reason", "SIP/2.0 100 \n{usual}\nCSeq: 1 INVITE\n\n"),
    ("a response without a reason or its space", "SIP/2.0 200\n{usual}\nCSeq: 1 INVITE\n\n"),
    ("a reason in Russian", "SIP/2.0 180 Вызов, \"идёт\": да;\n{usual}\nCSeq: 1 INVITE\n\n"),
    ("an unknown status", "SIP/2.0 699 Whatever\n{usual}\nCSeq: 1 INVITE\nContact: nonsense<\n\n"),
    (
        "responses with loose ends",
        "sip/2.0 200 OK\n{usual}\nCSeq: 0 INVITE\nRecord-Route: <sip:p1;lr>,<sip:p2;lr>\nWarning: 399 x \"a, b\", 399 y \"c\"\n\n",
    ),
    (
        "a stranger's Via protocol",
        "OPTIONS sip:bob@example.org SIP/2.0\nVia: SIP/2.0/x-new under_score.example;branch=z9hG4bK1;x=\"a;b\";y\n{people}\nCSeq: 1 OPTIONS\n\n",
    ),
    (
        "challenges",
        "SIP/2.0 401 Unauthorized\n{usual}\nCSeq: 1 REGISTER\nWWW-Authenticate: Basic realm=\"a, b\", Digest realm=\"c \\\"d\\\"\", nonce=\"n1\", qop=\"auth,auth-int\"\nWWW-Authenticate: Digest realm=\"e\", nonce=\"n2\", algorithm=SHA-256, stale=true\nProxy-Authenticate: Digest realm=f,nonce=g\n\n",
    ),
    (
        "a PRACK",
        "PRACK sip:bob@example.org SIP/2.0\n{usual}\nCSeq: 2 PRACK\nRAck: 776656 1 INVITE\nRequire:\n\n",
    ),
];

/// Name, text, what is wrong, and whether it can be answered.
pub(super) const INVALID: &[(&str, &str, ParseErrorKind, bool)] = &[
    ("only line breaks", "\n\n", KeepAlive, false),
    ("nothing", "", KeepAlive, false),
    ("garbage", "hello\n\n", StartLine, false),
    ("another protocol", "GET / HTTP/1.1\n{usual}\n\n", StartLine, false),
    ("no version", "OPTIONS sip:bob@example.org\n{usual}\nCSeq: 1 OPTIONS\n\n", StartLine, false),
    ("a method that is no token", "IN{VITE sip:b@x SIP/2.0\n{usual}\nCSeq: 1 IN{VITE\n\n", StartLine, false),
    ("no method", " sip:b@x SIP/2.0\n{usual}\nCSeq: 1 OPTIONS\n\n", StartLine, false),
    (
        "version 7",
        "OPTIONS sip:b@x SIP/7.0\nVia: SIP/7.0/UDP c.example;branch=z9hG4bK1\n{people}\nCSeq: 1 OPTIONS\n\n",
        Version,
        true,
    ),
    ("a response of version 7", "SIP/7.0 200 OK\n{usual}\nCSeq: 1 OPTIONS\n\n", Version, false),
    (
        "a status too great for a number",
        "SIP/2.0 4294967301 better not break\n{usual}\nCSeq: 1 OPTIONS\n\n",
        Status,
        false,
    ),
    ("status 700", "SIP/2.0 700 x\n{usual}\nCSeq: 1 OPTIONS\n\n", Status, false),
    ("status 099", "SIP/2.0 099 x\n{usual}\nCSeq: 1 OPTIONS\n\n", Status, false),
    ("a status with a sign", "SIP/2.0 +20 x\n{usual}\nCSeq: 1 OPTIONS\n\n", Status, false),
    (
        "brackets around the Request-URI",
        "INVITE <sip:b@x> SIP/2.0\n{usual}\nCSeq: 1 INVITE\n\n",
        RequestUri,
        true,
    ),
    (
        "a space in the Request-URI",
        "INVITE sip:b@x; lr SIP/2.0\n{usual}\nCSeq: 1 INVITE\n\n",
        RequestUri,
        true,
    ),
    (
        "two spaces in the start line",
        "INVITE  sip:b@x SIP/2.0\n{usual}\nCSeq: 1 INVITE\n\n",
        RequestUri,
        true,
    ),
    (
        "a Request-URI without a scheme",
        "INVITE bob@example.org SIP/2.0\n{usual}\nCSeq: 1 INVITE\n\n",
        RequestUri,
        true,
    ),
    (
        "a Request-URI without a host",
        "INVITE sip:bob@ SIP/2.0\n{usual}\nCSeq: 1 INVITE\n\n",
        RequestUri,
        true,
    ),
    ("a port too great", "INVITE sip:bob@x:65536 SIP/2.0\n{usual}\nCSeq: 1 INVITE\n\n", RequestUri, true),
    (
        "an IPv6 host without its end",
        "INVITE sip:bob@[2001:db8::1 SIP/2.0\n{usual}\nCSeq: 1 INVITE\n\n",
        RequestUri,
        true,
    ),
    (
        "an IPv6 host that is none",
        "INVITE sip:bob@[1:2:3] SIP/2.0\n{usual}\nCSeq: 1 INVITE\n\n",
        RequestUri,
        true,
    ),
    (
        "a tel number of letters",
        "INVITE tel:call-me-now SIP/2.0\n{usual}\nCSeq: 1 INVITE\n\n",
        RequestUri,
        true,
    ),
    ("headers without an end", "OPTIONS sip:b@x SIP/2.0\n{usual}\nCSeq: 1 OPTIONS\n", Incomplete, true),
    ("a cut header", "OPTIONS sip:b@x SIP/2.0\n{usual}\nCSeq: 1 OPT", Incomplete, true),
    ("no Via", "OPTIONS sip:b@x SIP/2.0\n{people}\nCSeq: 1 OPTIONS\n\n", Missing("Via"), false),
    (
        "no From",
        "OPTIONS sip:b@x SIP/2.0\n{via}\nTo: <sip:b@x>\nCall-ID: 1\nCSeq: 1 OPTIONS\n\n",
        Missing("From"),
        true,
    ),
    (
        "no To",
        "OPTIONS sip:b@x SIP/2.0\n{via}\nFrom: <sip:b@x>\nCall-ID: 1\nCSeq: 1 OPTIONS\n\n",
        Missing("To"),
        true,
    ),
    (
        "no Call-ID",
        "OPTIONS sip:b@x SIP/2.0\n{via}\nFrom: <sip:b@x>\nTo: <sip:b@x>\nCSeq: 1 OPTIONS\n\n",
        Missing("Call-ID"),
        true,
    ),
    ("no CSeq", "OPTIONS sip:b@x SIP/2.0\n{usual}\n\n", Missing("CSeq"), true),
    (
        "an empty Call-ID",
        "OPTIONS sip:b@x SIP/2.0\n{via}\nFrom: <sip:b@x>\nTo: <sip:b@x>\nCall-ID:\nCSeq: 1 OPTIONS\n\n",
        Header("Call-ID"),
        true,
    ),
    (
        "two From",
        "OPTIONS sip:b@x SIP/2.0\n{usual}\nf: <sip:c@x>\nCSeq: 1 OPTIONS\n\n",
        Repeated("From"),
        true,
    ),
    (
        "two Call-ID",
        "OPTIONS sip:b@x SIP/2.0\n{usual}\ni: 1@192.0.2.1\nCSeq: 1 OPTIONS\n\n",
        Repeated("Call-ID"),
        true,
    ),
    (
        "two CSeq",
        "OPTIONS sip:b@x SIP/2.0\n{usual}\nCSeq: 1 OPTIONS\nCSeq: 2 OPTIONS\n\n",
        Repeated("CSeq"),
        true,
    ),
    (
        "a quote that never ends",
        "OPTIONS sip:b@x SIP/2.0\n{via}\nFrom: \"Al <sip:a@x>;tag=1\nTo: <sip:b@x>\nCall-ID: 1\nCSeq: 1 OPTIONS\n\n",
        Header("From"),
        true,
    ),
    (
        "a bracket that never ends",
        "OPTIONS sip:b@x SIP/2.0\n{via}\nFrom: <sip:a@x>\nTo: \"Bob\" <sip:b@x\nCall-ID: 1\nCSeq: 1 OPTIONS\n\n",
        Header("To"),
        true,
    ),
    (
        "words after the bracket",
        "OPTIONS sip:b@x SIP/2.0\n{via}\nFrom: <sip:a@x> tag=1\nTo: <sip:b@x>\nCall-ID: 1\nCSeq: 1 OPTIONS\n\n",
        Header("From"),
        true,
    ),
    (
        "a Via without a host",
        "OPTIONS sip:b@x SIP/2.0\nVia: SIP/2.0/UDP ;branch=z9hG4bK1\n{people}\nCSeq: 1 OPTIONS\n\n",
        Header("Via"),
        false,
    ),
    (
        "a Via without a transport",
        "OPTIONS sip:b@x SIP/2.0\nVia: SIP/2.0 host;branch=z9hG4bK1\n{people}\nCSeq: 1 OPTIONS\n\n",
        Header("Via"),
        false,
    ),
    (
        "a Via of another protocol",
        "OPTIONS sip:b@x SIP/2.0\nVia: HTTP/1.1/TCP host\n{people}\nCSeq: 1 OPTIONS\n\n",
        Header("Via"),
        false,
    ),
    (
        "an empty Via",
        "OPTIONS sip:b@x SIP/2.0\nVia: ,,\n{people}\nCSeq: 1 OPTIONS\n\n",
        Missing("Via"),
        false,
    ),
    ("CSeq of 2^31", "OPTIONS sip:b@x SIP/2.0\n{usual}\nCSeq: 2147483648 OPTIONS\n\n", Header("CSeq"), true),
    (
        "CSeq of 2^65",
        "OPTIONS sip:b@x SIP/2.0\n{usual}\nCSeq: 36893488147419103232 OPTIONS\n\n",
        Header("CSeq"),
        true,
    ),
    ("a negative CSeq", "OPTIONS sip:b@x SIP/2.0\n{usual}\nCSeq: -1 OPTIONS\n\n", Header("CSeq"), true),
    ("a CSeq without a method", "OPTIONS sip:b@x SIP/2.0\n{usual}\nCSeq: 1\n\n", Header("CSeq"), true),
    (
        "a CSeq of another method",
        "OPTIONS sip:b@x SIP/2.0\n{usual}\nCSeq: 1 INVITE\n\n",
        MethodMismatch,
        true,
    ),
    (
        "a response with a huge CSeq",
        "SIP/2.0 200 OK\n{usual}\nCSeq: 9292394834772304023312 OPTIONS\n\n",
        Header("CSeq"),
        false,
    ),
    (
        "Max-Forwards of 300",
        "OPTIONS sip:b@x SIP/2.0\n{usual}\nCSeq: 1 OPTIONS\nMax-Forwards: 300\n\n",
        Header("Max-Forwards"),
        true,
    ),
    (
        "Max-Forwards of words",
        "OPTIONS sip:b@x SIP/2.0\n{usual}\nCSeq: 1 OPTIONS\nMax-Forwards: many\n\n",
        Header("Max-Forwards"),
        true,
    ),
    (
        "a Contact without a scheme",
        "INVITE sip:b@x SIP/2.0\n{usual}\nCSeq: 1 INVITE\nContact: Bell, Alexander <sip:a@x>\n\n",
        Header("Contact"),
        true,
    ),
    (
        "a Route that is no address",
        "INVITE sip:b@x SIP/2.0\n{usual}\nCSeq: 1 INVITE\nRoute: <nowhere>\n\n",
        Header("Route"),
        true,
    ),
    (
        "fewer bytes than Content-Length",
        "INVITE sip:b@x SIP/2.0\n{usual}\nCSeq: 1 INVITE\nContent-Length: 9999\n\nv=0\n",
        BodyTooShort,
        true,
    ),
    (
        "a negative Content-Length",
        "INVITE sip:b@x SIP/2.0\n{usual}\nCSeq: 1 INVITE\nContent-Length: -999\n\nv=0\n",
        ContentLength,
        true,
    ),
    (
        "a Content-Length of 2^70",
        "INVITE sip:b@x SIP/2.0\n{usual}\nCSeq: 1 INVITE\nContent-Length: 1180591620717411303424\n\nv=0\n",
        ContentLength,
        true,
    ),
    (
        "two different Content-Lengths",
        "INVITE sip:b@x SIP/2.0\n{usual}\nCSeq: 1 INVITE\nContent-Length: 5\nl: 2\n\nv=0\n",
        ContentLength,
        true,
    ),
    (
        "one good Content-Length and one of words",
        "INVITE sip:b@x SIP/2.0\n{usual}\nCSeq: 1 INVITE\nl: 5\nl: five\n\nv=0\n",
        ContentLength,
        true,
    ),
    (
        "a broken ACK is not answered",
        "ACK sip:b@x SIP/2.0\n{usual}\nCSeq: 1 INVITE\n\n",
        MethodMismatch,
        false,
    ),
];
