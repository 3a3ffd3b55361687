//! Whether anybody speaks SIP at an address, found out before the first call is dialled: OPTIONS, repeated a few times. An
//! engine that is only just starting is waited for as well.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::clock;
use crate::sip::message::{HeaderName, Message, Method, Request, Uri};
use crate::sip::parse::parse;

use super::super::common::Failure;

/// How long each repetition waits for an answer.
const WAITS: [Duration; 4] =
    [Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(1), Duration::from_secs(1)];
const DATAGRAM_BYTES_MAX: usize = 65_535;

/// Whatever it answers, a refusal too, is an answer.
pub(super) async fn expect_sip_answer(engine: SocketAddr) -> Result<(), Failure> {
    let nobody = |error: Option<io::Error>| {
        let why = error.map_or(String::new(), |error| format!(" ({error})"));
        Failure::new(format!(
            "no SIP answer from {engine}{why}; is the engine running, and is this its SIP address (sip.listen)?"
        ))
    };
    match ask(engine).await {
        Ok(true) => Ok(()),
        Ok(false) => Err(nobody(None)),
        Err(error) => Err(nobody(Some(error))),
    }
}

async fn ask(engine: SocketAddr) -> io::Result<bool> {
    let any =
        if engine.is_ipv4() { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { IpAddr::V6(Ipv6Addr::UNSPECIFIED) };
    let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
    socket.connect(engine).await?;
    let call_id = clock::new_id();
    let question = options(engine, socket.local_addr()?, &call_id);
    let mut failed = None;
    for wait in WAITS {
        let until = Instant::now() + wait;
        match timeout_at(until, asked_once(&socket, &question, &call_id)).await {
            Ok(Ok(())) => return Ok(true),
            // The port is closed, or there is no way to it, yet.
            Ok(Err(error)) => failed = Some(error),
            Err(_) => failed = None,
        }
        sleep_until(until).await;
    }
    failed.map_or(Ok(false), Err)
}

async fn asked_once(socket: &UdpSocket, question: &[u8], call_id: &str) -> io::Result<()> {
    socket.send(question).await?;
    answer(socket, call_id).await
}

async fn answer(socket: &UdpSocket, call_id: &str) -> io::Result<()> {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        let length = socket.recv(&mut buffer).await?;
        if is_answer(&buffer[..length], call_id) {
            return Ok(());
        }
    }
}

fn is_answer(datagram: &[u8], call_id: &str) -> bool {
    match parse(datagram) {
        Ok(Message::Response(response)) => response.headers.get(&HeaderName::CallId) == Some(call_id),
        Ok(Message::Request(_)) | Err(_) => false,
    }
}

fn options(engine: SocketAddr, local: SocketAddr, call_id: &str) -> Vec<u8> {
    let mut request =
        Request::new(Method::Options, Uri::sip(None, engine.ip().to_string(), Some(engine.port())));
    let headers = [
        (HeaderName::Via, format!("SIP/2.0/UDP {local};rport;branch=z9hG4bK{call_id}")),
        (HeaderName::MaxForwards, "70".into()),
        (HeaderName::From, format!("<sip:loadtest@{local}>;tag={call_id}")),
        (HeaderName::To, format!("<sip:{engine}>")),
        (HeaderName::CallId, call_id.to_owned()),
        (HeaderName::CSeq, "1 OPTIONS".into()),
    ];
    for (name, value) in headers {
        request.headers.push(name, value);
    }
    request.to_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sip::message::Response;

    const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn question() -> Request {
        let (engine, local) = (SocketAddr::new(LOOPBACK, 5060), SocketAddr::new(LOOPBACK, 40_000));
        match parse(&options(engine, local, "probe-1")) {
            Ok(Message::Request(request)) => request,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn any_answer_to_our_own_question_counts_and_nothing_else() {
        let answer = Response::to_request(&question(), 403).to_bytes();
        assert!(is_answer(&answer, "probe-1"));
        assert!(!is_answer(&answer, "probe-2") && !is_answer(&question().to_bytes(), "probe-1"));
        assert!(!is_answer(b"HTTP/1.1 200 OK\r\n\r\n", "probe-1"));
    }

    #[tokio::test]
    async fn a_repetition_is_answered_where_the_first_was_lost() {
        let engine = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
        let address = engine.local_addr().unwrap();
        let answers_the_second = async {
            let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
            engine.recv_from(&mut buffer).await.unwrap();
            let (length, asker) = engine.recv_from(&mut buffer).await.unwrap();
            let Ok(Message::Request(request)) = parse(&buffer[..length]) else { panic!("no request") };
            engine.send_to(&Response::to_request(&request, 200).to_bytes(), asker).await.unwrap();
        };
        let (asked, ()) = tokio::join!(expect_sip_answer(address), answers_the_second);
        asked.unwrap();
    }

    #[tokio::test]
    async fn an_engine_that_is_only_just_starting_is_waited_for() {
        let closed = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
        let address = closed.local_addr().unwrap();
        drop(closed);
        let starts_after_the_first = async {
            tokio::time::sleep(WAITS[0] / 2).await;
            let engine = UdpSocket::bind(address).await.unwrap();
            let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
            let (length, asker) = engine.recv_from(&mut buffer).await.unwrap();
            let Ok(Message::Request(request)) = parse(&buffer[..length]) else { panic!("no request") };
            engine.send_to(&Response::to_request(&request, 200).to_bytes(), asker).await.unwrap();
        };
        let (asked, ()) = tokio::join!(expect_sip_answer(address), starts_after_the_first);
        asked.unwrap();
    }

    #[tokio::test]
    async fn an_address_where_nobody_speaks_sip_is_named() {
        let mute = UdpSocket::bind((LOOPBACK, 0)).await.unwrap();
        let address = mute.local_addr().unwrap();
        let failure = expect_sip_answer(address).await.unwrap_err().to_string();
        assert!(failure.starts_with(&format!("no SIP answer from {address}; is the engine")), "{failure}");
    }
}
