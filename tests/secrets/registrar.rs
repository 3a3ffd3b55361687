//! A registrar that wants a password: it refuses what comes without, and takes whatever comes with one.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;

const MESSAGE_MAX: usize = 4_096;
const CHALLENGE: &str =
    "WWW-Authenticate: Digest realm=\"office\", nonce=\"7f2a\", algorithm=MD5, qop=\"auth\"\r\n";

/// Answers until the test's process ends.
pub(crate) fn start() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    let address = socket.local_addr().expect("a bound socket");
    thread::spawn(move || {
        let mut buffer = [0; MESSAGE_MAX];
        while let Ok((length, from)) = socket.recv_from(&mut buffer) {
            let answer = answer(&String::from_utf8_lossy(&buffer[..length]));
            socket.send_to(answer.as_bytes(), from).expect("the engine is on this machine");
        }
    });
    address
}

fn answer(request: &str) -> String {
    let is_known = request.contains("\r\nAuthorization: ");
    let mut answer = if is_known { "SIP/2.0 200 OK\r\n" } else { "SIP/2.0 401 Unauthorized\r\n" }.to_owned();
    let repeated = |line: &&str| {
        ["Via:", "From:", "Call-ID:", "CSeq:", "Contact:", "Expires:"]
            .iter()
            .any(|name| line.starts_with(name))
    };
    for line in request.lines().filter(repeated) {
        answer.push_str(line);
        answer.push_str("\r\n");
    }
    let to = request.lines().find(|line| line.starts_with("To:")).unwrap_or_default();
    answer.push_str(&format!("{to};tag=office\r\n"));
    answer + if is_known { "" } else { CHALLENGE } + "Content-Length: 0\r\n\r\n"
}
