//! Reading a description: tolerant of order, line ends and strange bytes; strict only about `m=` lines, because an
//! answer must repeat each of them in its place.

use std::net::IpAddr;

use super::types::{Direction, SdpError};

const MAX_BYTES: usize = 16 * 1024;
const MAX_LINES: usize = 512;
const MAX_STREAMS: usize = 16;
const MAX_FORMATS: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Description {
    connection: Option<Connection>,
    direction: Option<Direction>,
    pub(super) streams: Vec<Stream>,
}

/// One `m=` line and what belongs to it.
#[derive(Debug, Default)]
pub(super) struct Stream {
    pub(super) kind: String,
    pub(super) port: u16,
    pub(super) protocol: String,
    pub(super) formats: Vec<String>,
    pub(super) maps: Vec<FormatMap>,
    pub(super) ptime_ms: Option<u8>,
    pub(super) max_ptime_ms: Option<u8>,
    pub(super) rtcp: Option<RtcpAttribute>,
    pub(super) rtcp_mux: bool,
    connection: Option<Connection>,
    direction: Option<Direction>,
}

/// `a=rtpmap`: what a number means.
#[derive(Debug)]
pub(super) struct FormatMap {
    pub(super) payload_type: u8,
    pub(super) name: String,
    pub(super) clock_rate_hz: u32,
    pub(super) channels: u8,
}

/// `a=rtcp`: where reports go when not to the next port (RFC 3605).
#[derive(Debug, Clone, Copy)]
pub(super) struct RtcpAttribute {
    pub(super) port: u16,
    pub(super) address: Option<IpAddr>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connection {
    Address(IpAddr),
    /// A host name, or nothing we can read: the far end must show itself by its packets.
    Unreadable,
}

impl Description {
    pub(super) fn parse(sdp: &[u8]) -> Result<Self, SdpError> {
        if sdp.len() > MAX_BYTES {
            return Err(SdpError::TooLarge);
        }
        let text = String::from_utf8_lossy(sdp);
        let mut description = Self::default();
        for (count, line) in
            text.split(['\r', '\n']).map(str::trim).filter(|line| !line.is_empty()).enumerate()
        {
            if count >= MAX_LINES {
                return Err(SdpError::TooLarge);
            }
            description.read_line(line)?;
        }
        Ok(description)
    }

    /// The stream's own connection, else the session's.
    pub(super) fn connection_of(&self, stream: &Stream) -> Connection {
        stream.connection.or(self.connection).unwrap_or(Connection::Unreadable)
    }

    /// The stream's own direction, else the session's, else both ways.
    pub(super) fn direction_of(&self, stream: &Stream) -> Direction {
        stream.direction.or(self.direction).unwrap_or(Direction::SendRecv)
    }

    fn read_line(&mut self, line: &str) -> Result<(), SdpError> {
        let Some((key, value)) = line.split_once('=') else { return Ok(()) };
        match key.trim() {
            "m" => self.open_stream(value)?,
            "c" => *self.connection_slot() = Some(read_connection(value)),
            "a" => self.read_attribute(value.trim()),
            _ => {}
        }
        Ok(())
    }

    fn open_stream(&mut self, value: &str) -> Result<(), SdpError> {
        if self.streams.len() >= MAX_STREAMS {
            return Err(SdpError::TooLarge);
        }
        self.streams.push(Stream::parse(value)?);
        Ok(())
    }

    fn connection_slot(&mut self) -> &mut Option<Connection> {
        match self.streams.last_mut() {
            Some(stream) => &mut stream.connection,
            None => &mut self.connection,
        }
    }

    fn read_attribute(&mut self, attribute: &str) {
        let (name, value) = attribute.split_once(':').unwrap_or((attribute, ""));
        if let Some(direction) = read_direction(name) {
            match self.streams.last_mut() {
                Some(stream) => stream.direction = Some(direction),
                None => self.direction = Some(direction),
            }
        } else if let Some(stream) = self.streams.last_mut() {
            stream.read_attribute(name, value.trim());
        }
    }
}

impl Stream {
    fn parse(value: &str) -> Result<Self, SdpError> {
        let mut words = value.split_ascii_whitespace();
        let mut word = || words.next().ok_or(SdpError::Malformed);
        let kind = word()?.to_ascii_lowercase();
        let port_text = word()?;
        // `49170/2` names a port and a count of ports.
        let port =
            port_text.split('/').next().and_then(|port| port.parse().ok()).ok_or(SdpError::Malformed)?;
        let protocol = word()?.to_ascii_uppercase();
        let formats: Vec<String> = words.take(MAX_FORMATS + 1).map(str::to_owned).collect();
        match formats.len() {
            0 => Err(SdpError::Malformed),
            count if count > MAX_FORMATS => Err(SdpError::TooLarge),
            _ => Ok(Self { kind, port, protocol, formats, ..Self::default() }),
        }
    }

    fn read_attribute(&mut self, name: &str, value: &str) {
        match name {
            // One map for each format and a few strays is all a sane peer needs.
            "rtpmap" if self.maps.len() < 2 * MAX_FORMATS => self.maps.extend(read_map(value)),
            "ptime" => self.ptime_ms = read_milliseconds(value),
            "maxptime" => self.max_ptime_ms = read_milliseconds(value),
            "rtcp" => self.rtcp = read_rtcp(value),
            "rtcp-mux" => self.rtcp_mux = true,
            _ => {}
        }
    }
}

/// The field in a packet has seven bits.
pub(super) fn read_payload_type(word: &str) -> Option<u8> {
    word.trim().parse().ok().filter(|&number| number < 128)
}

fn read_direction(name: &str) -> Option<Direction> {
    [Direction::SendRecv, Direction::SendOnly, Direction::RecvOnly, Direction::Inactive]
        .into_iter()
        .find(|direction| direction.attribute() == name)
}

/// `IN IP4 192.0.2.1/127`; the part after the slash belongs to multicast.
fn read_connection(value: &str) -> Connection {
    let address = value.split_ascii_whitespace().nth(2).and_then(|word| word.split('/').next());
    address.and_then(|address| address.parse().ok()).map_or(Connection::Unreadable, Connection::Address)
}

/// `96 opus/48000/2`
fn read_map(value: &str) -> Option<FormatMap> {
    let (number, encoding) = value.split_once(' ')?;
    let mut parts = encoding.trim().split('/');
    let name = parts.next()?.to_owned();
    let clock_rate_hz = parts.next()?.trim().parse().ok()?;
    let channels = parts.next().and_then(|count| count.trim().parse().ok()).unwrap_or(1);
    Some(FormatMap { payload_type: read_payload_type(number)?, name, clock_rate_hz, channels })
}

/// Some peers write `20.0`.
fn read_milliseconds(value: &str) -> Option<u8> {
    value.split('.').next()?.parse().ok().filter(|&milliseconds| milliseconds > 0)
}

/// `53020 IN IP6 2001:db8::1`, or the port alone.
fn read_rtcp(value: &str) -> Option<RtcpAttribute> {
    let mut words = value.split_ascii_whitespace();
    let port = words.next()?.parse().ok().filter(|&port| port != 0)?;
    Some(RtcpAttribute { port, address: words.nth(2).and_then(|address| address.parse().ok()) })
}
