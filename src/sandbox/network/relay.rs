//! The relay of one call: one socket to which both the phone and the engine send.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UdpSocket;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use super::impairment::{Impairment, Lane, LaneReport};
use super::in_flight::InFlight;
use crate::clock;
use crate::domain::Entropy;

const DATAGRAM_BYTES_MAX: usize = 2_048;

/// Where a packet is going.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Towards {
    Engine,
    Phone,
}

/// Sees each packet in passing, and may change it.
pub type Meddler = Box<dyn FnMut(Towards, &mut Vec<u8>) + Send>;

/// A running relay. Dropping it ends it, with all that is in flight.
pub struct Relay {
    /// Where the phone says that it is, and where it sends to.
    pub address: SocketAddr,
    lanes: Arc<Mutex<Lanes>>,
    task: JoinHandle<()>,
}

struct Lanes {
    to_engine: Lane,
    to_phone: Lane,
}

impl Relay {
    /// Stands before this phone. The engine is whoever else sends here first, which an engine does once it knows the
    /// address.
    pub async fn start(
        bind: IpAddr,
        phone: SocketAddr,
        impairment: Impairment,
        seed: u64,
    ) -> io::Result<Self> {
        Self::start_with(bind, phone, impairment, seed, Box::new(|_, _| {})).await
    }

    pub async fn start_with(
        bind: IpAddr,
        phone: SocketAddr,
        impairment: Impairment,
        seed: u64,
        meddler: Meddler,
    ) -> io::Result<Self> {
        let socket = UdpSocket::bind((bind, 0)).await?;
        let address = socket.local_addr()?;
        let mut entropy = Entropy::from_number(seed);
        let lane = |entropy: Entropy| Lane::new(impairment, entropy);
        let lanes = Lanes { to_engine: lane(entropy.fork()), to_phone: lane(entropy.fork()) };
        let lanes = Arc::new(Mutex::new(lanes));
        let in_flight = InFlight::default();
        let forwarder =
            Forwarder { socket, phone, engine: None, lanes: Arc::clone(&lanes), in_flight, meddler };
        Ok(Self { address, lanes, task: tokio::spawn(forwarder.run()) })
    }

    /// What was done to the packets of this direction so far.
    pub fn report(&self, towards: Towards) -> LaneReport {
        with_lane(&self.lanes, towards, |lane| lane.report())
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn with_lane<R>(lanes: &Mutex<Lanes>, towards: Towards, work: impl FnOnce(&mut Lane) -> R) -> R {
    let mut lanes = lanes.lock().unwrap_or_else(PoisonError::into_inner);
    match towards {
        Towards::Engine => work(&mut lanes.to_engine),
        Towards::Phone => work(&mut lanes.to_phone),
    }
}

struct Forwarder {
    socket: UdpSocket,
    phone: SocketAddr,
    engine: Option<SocketAddr>,
    lanes: Arc<Mutex<Lanes>>,
    in_flight: InFlight,
    meddler: Meddler,
}

impl Forwarder {
    async fn run(mut self) {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let next = self.in_flight.next_arrival();
            let wait = next.map(|at| at.saturating_duration_since(clock::now())).unwrap_or_default();
            tokio::select! {
                // An error is the last receiver's ICMP message: it has hung up, the other may still talk.
                received = self.socket.recv_from(&mut buffer) => if let Ok((length, source)) = received {
                    self.take(source, buffer[..length].to_vec());
                },
                () = sleep(clock::timer_for(wait)), if next.is_some() => {}
            }
            self.deliver().await;
        }
    }

    fn take(&mut self, source: SocketAddr, mut bytes: Vec<u8>) {
        let from_phone = source == self.phone;
        if !from_phone && *self.engine.get_or_insert(source) != source {
            return;
        }
        let towards = if from_phone { Towards::Engine } else { Towards::Phone };
        // What the phone says before the engine has spoken has nowhere to go yet.
        let destination = if from_phone { self.engine } else { Some(self.phone) };
        let Some(destination) = destination else { return };
        (self.meddler)(towards, &mut bytes);
        let arrival = with_lane(&self.lanes, towards, |lane| lane.fate(clock::now()));
        let Some(arrival) = arrival else { return };
        if !self.in_flight.push(arrival, destination, bytes) {
            with_lane(&self.lanes, towards, Lane::note_crowded_out);
        }
    }

    async fn deliver(&mut self) {
        while let Some((destination, bytes)) = self.in_flight.pop_arrived(clock::now()) {
            // Whoever has hung up takes nothing more.
            self.socket.send_to(&bytes, destination).await.ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    async fn socket() -> (UdpSocket, SocketAddr) {
        let socket = UdpSocket::bind((HERE, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        (socket, address)
    }

    async fn next(socket: &UdpSocket) -> u8 {
        let mut buffer = [0; 16];
        socket.recv_from(&mut buffer).await.unwrap();
        buffer[0]
    }

    #[tokio::test]
    async fn each_end_hears_the_other_from_the_relays_address_alone() {
        let ((phone, phone_address), (engine, _)) = (socket().await, socket().await);
        let relay = Relay::start(HERE, phone_address, Impairment::default(), 1).await.unwrap();
        engine.send_to(&[7], relay.address).await.unwrap();
        assert_eq!(next(&phone).await, 7);
        phone.send_to(&[8], relay.address).await.unwrap();
        let mut buffer = [0; 16];
        let (length, source) = engine.recv_from(&mut buffer).await.unwrap();
        assert_eq!((&buffer[..length], source), (&[8][..], relay.address));
    }

    #[tokio::test]
    async fn a_stranger_reaches_nobody() {
        let ((phone, phone_address), (engine, _), (stranger, _)) =
            (socket().await, socket().await, socket().await);
        let relay = Relay::start(HERE, phone_address, Impairment::default(), 1).await.unwrap();
        engine.send_to(&[1], relay.address).await.unwrap();
        assert_eq!(next(&phone).await, 1);
        stranger.send_to(&[2], relay.address).await.unwrap();
        engine.send_to(&[3], relay.address).await.unwrap();
        assert_eq!(next(&phone).await, 3);
        assert_eq!(relay.report(Towards::Phone).entered, 2);
    }

    #[tokio::test]
    async fn jitter_reorders_and_loss_loses_but_nothing_is_made_up() {
        let ((phone, phone_address), (engine, _)) = (socket().await, socket().await);
        let jitter = Duration::from_millis(10);
        let bad = Impairment { loss: 0.2, delay: jitter, jitter };
        let relay = Relay::start(HERE, phone_address, bad, 5).await.unwrap();
        for number in 0..200 {
            engine.send_to(&[number], relay.address).await.unwrap();
        }
        let mut arrived = vec![next(&phone).await];
        while relay.report(Towards::Phone).entered < 200
            || arrived.len() as u64 + relay.report(Towards::Phone).lost < 200
        {
            arrived.push(next(&phone).await);
        }
        assert!(!arrived.is_sorted(), "some overtook others");
        assert!((20..60).contains(&relay.report(Towards::Phone).lost));
        arrived.sort_unstable();
        assert!(arrived.is_sorted_by(|a, b| a < b), "nothing came twice");
    }

    #[tokio::test]
    async fn a_meddler_may_change_what_passes() {
        let ((phone, phone_address), (engine, _)) = (socket().await, socket().await);
        let meddler: Meddler = Box::new(|towards, bytes| {
            if towards == Towards::Phone {
                bytes[0] += 1;
            }
        });
        let relay = Relay::start_with(HERE, phone_address, Impairment::default(), 1, meddler).await.unwrap();
        engine.send_to(&[40], relay.address).await.unwrap();
        assert_eq!(next(&phone).await, 41);
        phone.send_to(&[40], relay.address).await.unwrap();
        assert_eq!(next(&engine).await, 40);
    }
}
