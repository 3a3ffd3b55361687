//! A subscriber written by hand: it answers as it is told to, and keeps what it was sent.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::sync::Arc;

use clearline::domain::{Secret, SigningSecret, Subscriber, SubscriberName};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::watched::Watched;

pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// How one request fares; where none is planned, it is taken.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Manner {
    Answers(u16),
    Silent,
    /// It has read everything, and then the connection ends.
    HangsUp,
}

#[derive(Debug, Clone)]
pub(crate) struct Post {
    pub(crate) id: String,
    pub(crate) event: String,
    pub(crate) body: Value,
    pub(crate) manner: Manner,
}

#[derive(Default)]
pub(crate) struct Seen {
    pub(crate) posts: Vec<Post>,
    planned: VecDeque<Manner>,
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    pub(crate) seen: Arc<Watched<Seen>>,
}

impl Receiver {
    pub(crate) async fn open(planned: &[Manner]) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), planned).await
    }

    pub(crate) async fn at(address: SocketAddr, planned: &[Manner]) -> Self {
        let listener = TcpListener::bind(address).await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let seen = Seen { posts: Vec::new(), planned: planned.iter().copied().collect() };
        let seen = Arc::new(Watched::new(seen));
        let kept = Arc::clone(&seen);
        actix::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                actix::spawn(serve(stream, Arc::clone(&kept)));
            }
        });
        Self { address, seen }
    }

    pub(crate) fn subscriber(&self, name: &str) -> Subscriber {
        let url = format!("http://{}/calls", self.address);
        Subscriber::to(SubscriberName::new(name), url, Secret::new(SECRET))
    }

    /// What it has taken, once it is as much as this.
    pub(crate) async fn taken(&self, count: usize) -> Vec<Post> {
        let taken = |seen: &Seen| {
            let taken = seen.posts.iter().filter(|post| matches!(post.manner, Manner::Answers(200)));
            let taken: Vec<_> = taken.cloned().collect();
            (taken.len() >= count).then_some(taken)
        };
        self.seen.until(&format!("{count} notifications"), taken).await
    }

    /// As many as this with ids of their own, as a receiver sees it that drops what it has seen: an engine that is killed
    /// between an answer and its note is followed by one that posts the same again.
    pub(crate) async fn taken_once_each(&self, count: usize) -> Vec<Post> {
        let taken = |seen: &Seen| {
            let mut once: Vec<Post> = Vec::new();
            for post in seen.posts.iter().filter(|post| matches!(post.manner, Manner::Answers(200))) {
                if once.iter().all(|known| known.id != post.id) {
                    once.push(post.clone());
                }
            }
            (once.len() >= count).then_some(once)
        };
        self.seen.until(&format!("{count} different notifications"), taken).await
    }

    /// All that it was sent, once it is as much as this.
    pub(crate) async fn sent(&self, count: usize) -> Vec<Post> {
        let sent = |seen: &Seen| (seen.posts.len() >= count).then(|| seen.posts.clone());
        self.seen.until(&format!("{count} posts"), sent).await
    }
}

pub(crate) fn events(posts: &[Post]) -> Vec<&str> {
    posts.iter().map(|post| post.event.as_str()).collect()
}

async fn serve(mut stream: TcpStream, seen: Arc<Watched<Seen>>) {
    while let Some((head, body)) = request(&mut stream).await {
        let post = read(&head, &body);
        let manner = seen.change(|seen| {
            let manner = seen.planned.pop_front().unwrap_or(Manner::Answers(200));
            seen.posts.push(Post { manner, ..post });
            manner
        });
        let status = match manner {
            Manner::Answers(status) => status,
            Manner::Silent => return std::future::pending().await,
            Manner::HangsUp => return,
        };
        let answer = format!("HTTP/1.1 {status} Said\r\nContent-Length: 0\r\n\r\n");
        // An engine that was killed meanwhile hears nothing.
        drop(stream.write_all(answer.as_bytes()).await);
    }
}

async fn request(stream: &mut TcpStream) -> Option<(String, String)> {
    let mut read = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && body.len() >= header(head, "content-length").parse::<usize>().expect("a length")
        {
            return Some((head.to_owned(), body.to_owned()));
        }
        if stream.read_buf(&mut read).await.unwrap_or(0) == 0 {
            return None;
        }
    }
}

fn header<'a>(head: &'a str, name: &str) -> &'a str {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    let mut found = lines.filter(|(named, _)| named.eq_ignore_ascii_case(name));
    found.next().unwrap_or_else(|| panic!("no {name}: {head}")).1
}

/// Whatever is not signed as it should be fails the test.
fn read(head: &str, text: &str) -> Post {
    let (id, seconds) = (header(head, "webhook-id"), header(head, "webhook-timestamp"));
    let secret = SigningSecret::parse(&Secret::new(SECRET)).expect("a secret");
    let expected = secret.sign(id, seconds.parse().expect("seconds"), text);
    let given = header(head, "webhook-signature");
    assert!(given.split(' ').any(|one| one == expected), "{given} is not {expected}");
    assert_eq!(header(head, "content-type"), "application/json");
    let body: Value = serde_json::from_str(text).expect("JSON");
    assert_eq!(body["id"], id);
    let event = body["type"].as_str().expect("a type").to_owned();
    Post { id: id.to_owned(), event, body, manner: Manner::Answers(200) }
}
