//! The two sockets of a call: RTP on an even port, RTCP on the odd one above. Nobody else ever has them.

use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};

use rustix::io::Errno;

/// A route drains at most this many packets in one step; the kernel's buffer is the queue behind it.
pub(super) const PACKETS_PER_STEP_MAX: usize = 32;
/// The largest datagram that is read whole; RTP audio stays far below.
pub(super) const DATAGRAM_BYTES_MAX: usize = 2048;

#[derive(Debug)]
pub(super) struct PortPair {
    pub(super) rtp: UdpSocket,
    pub(super) rtcp: UdpSocket,
}

impl PortPair {
    pub(super) fn open(bind: IpAddr, port: u16) -> io::Result<Self> {
        let open = |port| {
            let socket = UdpSocket::bind(SocketAddr::new(bind, port))?;
            socket.set_nonblocking(true)?;
            Ok::<_, io::Error>(socket)
        };
        let rtcp_port = port.checked_add(1).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self { rtp: open(port)?, rtcp: open(rtcp_port)? })
    }

    /// Hands over what still arrives at a port that nobody talks on.
    pub(super) fn drain(&self, buffer: &mut [u8], mut take: impl FnMut(SocketAddr, &[u8])) {
        receive(&self.rtp, buffer, &mut take);
        receive(&self.rtcp, buffer, &mut take);
    }
}

/// Another port would fail just the same.
pub(super) fn is_out_of_descriptors(error: &io::Error) -> bool {
    [Errno::MFILE, Errno::NFILE].iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Hands over what waits in the socket, at most [`PACKETS_PER_STEP_MAX`] datagrams.
pub(super) fn receive(socket: &UdpSocket, buffer: &mut [u8], mut take: impl FnMut(SocketAddr, &[u8])) {
    for _ in 0..PACKETS_PER_STEP_MAX {
        match socket.recv_from(buffer) {
            Ok((length, source)) => take(source, &buffer[..length]),
            // The far end's ICMP "port unreachable" for something we sent; the next datagram may well be fine.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(_) => return,
        }
    }
}
