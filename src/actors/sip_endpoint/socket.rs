//! Reads the SIP socket in batches, as fast as the actor takes them and no faster.

use std::net::SocketAddr;
use std::sync::Arc;

use actix::prelude::*;
use tokio::net::UdpSocket;

use super::SipEndpoint;

/// The largest UDP datagram there is.
const DATAGRAM_BYTES_MAX: usize = 65_535;
/// Datagrams handed over at once; the actor's timers and other messages get their turn in between.
const BATCH_MAX: usize = 32;

/// What arrived, in one buffer.
#[derive(Message, Default)]
#[rtype(result = "()")]
pub(super) struct Datagrams {
    bytes: Vec<u8>,
    ends: Vec<(SocketAddr, usize)>,
}

impl Datagrams {
    fn push(&mut self, source: SocketAddr, datagram: &[u8]) {
        self.bytes.extend_from_slice(datagram);
        self.ends.push((source, self.bytes.len()));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (SocketAddr, &[u8])> {
        let starts = std::iter::once(0).chain(self.ends.iter().map(|&(_, end)| end));
        let slice = |(start, &(source, end)): (usize, &(SocketAddr, usize))| {
            self.bytes.get(start..end).map(|bytes| (source, bytes))
        };
        starts.zip(&self.ends).filter_map(slice)
    }
}

/// Ends when the actor is gone.
pub(super) async fn read(socket: Arc<UdpSocket>, endpoint: Addr<SipEndpoint>) {
    let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
    loop {
        if let Err(error) = socket.readable().await {
            tracing::error!(%error, "the SIP socket cannot be read");
            return;
        }
        let mut batch = Datagrams::default();
        while batch.ends.len() < BATCH_MAX {
            match socket.try_recv_from(&mut buffer) {
                Ok((length, source)) => batch.push(source, &buffer[..length]),
                // Far ends that are gone answer with ICMP; the next datagram may be fine.
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {}
                Err(_) => break,
            }
        }
        if !batch.ends.is_empty() && endpoint.send(batch).await.is_err() {
            return;
        }
    }
}
