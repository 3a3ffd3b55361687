//! One caller's RTP socket. Each packet comes with the time at which the kernel got it, which on loopback is the time
//! at which its sender sent it.

use std::io::{self, IoSliceMut};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::sockopt::ReceiveTimestampns;
use nix::sys::socket::{ControlMessageOwned, MsgFlags, recvmsg, setsockopt};
use nix::sys::time::TimeSpec;

pub(super) struct Line {
    socket: UdpSocket,
}

/// Lent to every line in turn.
pub(super) struct Buffers {
    datagram: Vec<u8>,
    control: Vec<u8>,
    /// How far the wall clock, by which the kernel stamps, is ahead of the machine's.
    pub(super) wall_clock_lead: Duration,
}

const DATAGRAM_BYTES_MAX: usize = 2_048;
/// More packets than this do not wait unless the generator slept; they wait for the next turn.
const PACKETS_A_TURN_MAX: usize = 64;

impl Buffers {
    pub(super) fn new() -> Self {
        Self {
            datagram: vec![0; DATAGRAM_BYTES_MAX],
            control: nix::cmsg_space!(TimeSpec),
            wall_clock_lead: Duration::ZERO,
        }
    }
}

impl Line {
    pub(super) fn open(ip: IpAddr) -> io::Result<Self> {
        let socket = UdpSocket::bind(SocketAddr::new(ip, 0))?;
        socket.set_nonblocking(true)?;
        setsockopt(&socket, ReceiveTimestampns, &true)?;
        Ok(Self { socket })
    }

    pub(super) fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    pub(super) fn send(&self, packet: &[u8], to: SocketAddr) -> io::Result<usize> {
        self.socket.send_to(packet, to)
    }

    /// Hands over what waits, each packet with its arrival by the machine's clock.
    pub(super) fn drain(&self, buffers: &mut Buffers, mut take: impl FnMut(&[u8], Duration)) {
        for _ in 0..PACKETS_A_TURN_MAX {
            let lead = buffers.wall_clock_lead;
            let mut room = [IoSliceMut::new(&mut buffers.datagram)];
            let flags = MsgFlags::MSG_DONTWAIT;
            let received =
                recvmsg::<()>(self.socket.as_raw_fd(), &mut room, Some(&mut buffers.control), flags);
            // Empty, or the ICMP of something we sent: the rest can wait for the next turn.
            let Ok(message) = received else { return };
            let stamped = message.cmsgs().ok().and_then(|mut messages| messages.find_map(stamp));
            let length = message.bytes;
            if let Some(stamp) = stamped {
                take(&buffers.datagram[..length], stamp.saturating_sub(lead));
            }
        }
    }
}

fn stamp(message: ControlMessageOwned) -> Option<Duration> {
    if let ControlMessageOwned::ScmTimestampns(time) = message { Some(Duration::from(time)) } else { None }
}
