//! Offer and answer (RFC 3264), as often as a call repeats them.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use serde::{Deserialize, Serialize};

use super::parse::{Connection, Description, FormatMap, Stream, read_payload_type};
use super::types::{Codec, Direction, LocalMedia, Negotiated, ReceivedFormat, SdpError};
use super::write::{AudioLine, write_audio, write_refused, write_session};

/// One per call. Its clone can go into a checkpoint and carry on from there.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Negotiation {
    local: LocalMedia,
    version: u64,
    /// Everything below `o=` of what we sent last: the version only moves when this does.
    last_streams: Option<String>,
    /// The streams ever spoken of: RFC 3264, section 8 wants each to keep its place.
    layout: Vec<Place>,
    /// The number we say for DTMF events; the far end's, once it named one.
    dtmf_payload_type: u8,
    offered: bool,
    current: Option<Negotiated>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
enum Place {
    Audio { protocol: String },
    Refused { kind: String, protocol: String, format: String },
}

/// A stream both sides can talk on, with the formats both know, in the far end's order.
struct Audio<'a> {
    stream: &'a Stream,
    formats: Vec<(u8, Codec)>,
}

const PLAIN_RTP: &str = "RTP/AVP";
const USUAL_DTMF_PAYLOAD_TYPE: u8 = 101;
/// Lower numbers belong to codecs (RFC 3551); DTMF under one of them would be read as audio.
const FIRST_UNASSIGNED_PAYLOAD_TYPE: u8 = 35;
const DTMF_CLOCK_RATE_HZ: u32 = 8_000;
const USUAL_PTIME_MS: u8 = 20;

impl Negotiation {
    pub fn new(local: LocalMedia) -> Self {
        Self {
            local,
            version: 0,
            last_streams: None,
            layout: vec![Place::Audio { protocol: PLAIN_RTP.to_owned() }],
            dtmf_payload_type: USUAL_DTMF_PAYLOAD_TYPE,
            offered: false,
            current: None,
        }
    }

    /// All we can do, both ways. Repeats itself byte for byte (version included) while nothing changed.
    pub fn offer(&mut self) -> Vec<u8> {
        self.offered = true;
        let formats = self.offered_formats();
        self.describe(&formats, Some(self.dtmf_payload_type), Direction::SendRecv, true)
    }

    /// May be called again for the same offer: another fork of the call answers for itself.
    pub fn accept_answer(&mut self, sdp: &[u8]) -> Result<Negotiated, SdpError> {
        if !self.offered {
            return Err(SdpError::NoOffer);
        }
        let description = Description::parse(sdp)?;
        let Audio { stream, formats } = self.find_audio(&description)?;
        let dtmf = find_dtmf(stream);
        let mut negotiated = settle(&description, stream, &formats, dtmf).ok_or(SdpError::NoCommonCodec)?;
        // An answerer sends under our numbers, whatever it calls them itself (RFC 3264, section 6.1).
        negotiated.receive = self.numbers_we_offered(&formats);
        negotiated.dtmf_receive_payload_type = dtmf.map(|_| self.dtmf_payload_type);
        self.current = Some(negotiated.clone());
        Ok(negotiated)
    }

    /// Answers an offer, the first or a later one. A refused offer changes nothing.
    pub fn answer(&mut self, offer: &[u8]) -> Result<(Vec<u8>, Negotiated), SdpError> {
        let description = Description::parse(offer)?;
        let Audio { stream, formats } = self.find_audio(&description)?;
        let chosen = self.prefer(&formats).ok_or(SdpError::NoCommonCodec)?;
        let dtmf = find_dtmf(stream);
        let negotiated = settle(&description, stream, &[chosen], dtmf).ok_or(SdpError::NoCommonCodec)?;
        self.layout = description.streams.iter().map(|other| Place::of(other, stream)).collect();
        self.dtmf_payload_type = dtmf.unwrap_or(self.dtmf_payload_type);
        self.offered = false;
        self.current = Some(negotiated.clone());
        let answer = self.describe(&[chosen], dtmf, negotiated.direction, stream.rtcp_mux);
        Ok((answer, negotiated))
    }

    pub fn local(&self) -> &LocalMedia {
        &self.local
    }

    /// The agreement in force; `None` before the first.
    pub fn current(&self) -> Option<&Negotiated> {
        self.current.as_ref()
    }

    fn offered_formats(&self) -> Vec<(u8, Codec)> {
        let number = |&codec: &Codec| codec.static_payload_type().map(|number| (number, codec));
        self.local.codecs.iter().filter_map(number).collect()
    }

    fn numbers_we_offered(&self, formats: &[(u8, Codec)]) -> Vec<ReceivedFormat> {
        let agreed = |codec| formats.iter().any(|&(_, theirs)| theirs == codec);
        let offered = self.offered_formats().into_iter().filter(|&(_, codec)| agreed(codec));
        offered.map(|(payload_type, codec)| ReceivedFormat { payload_type, codec }).collect()
    }

    /// The first audio stream we can talk on.
    fn find_audio<'a>(&self, description: &'a Description) -> Result<Audio<'a>, SdpError> {
        let mut fault = SdpError::NoAudio;
        for stream in description.streams.iter().filter(|stream| stream.kind == "audio" && stream.port != 0) {
            if !matches!(stream.protocol.as_str(), "RTP/AVP" | "RTP/AVPF") {
                fault = SdpError::SecureMedia;
                continue;
            }
            let formats = self.common_formats(stream);
            if !formats.is_empty() {
                return Ok(Audio { stream, formats });
            }
            fault = SdpError::NoCommonCodec;
        }
        Err(fault)
    }

    fn common_formats(&self, stream: &Stream) -> Vec<(u8, Codec)> {
        let numbers = stream.formats.iter().filter_map(|format| read_payload_type(format));
        let known = numbers.filter_map(|number| Some((number, codec_of(stream, number)?)));
        known.filter(|(_, codec)| self.local.codecs.contains(codec)).collect()
    }

    /// Our order decides, not theirs.
    fn prefer(&self, formats: &[(u8, Codec)]) -> Option<(u8, Codec)> {
        let mut ours = self.local.codecs.iter();
        ours.find_map(|wanted| formats.iter().find(|(_, codec)| codec == wanted).copied())
    }

    fn describe(
        &mut self,
        formats: &[(u8, Codec)],
        dtmf_payload_type: Option<u8>,
        direction: Direction,
        rtcp_mux: bool,
    ) -> Vec<u8> {
        let mut streams = String::new();
        for place in &self.layout {
            match place {
                Place::Refused { kind, protocol, format } => {
                    write_refused(kind, protocol, format, &mut streams);
                }
                Place::Audio { protocol } => {
                    let line = AudioLine { protocol, formats, dtmf_payload_type, direction, rtcp_mux };
                    write_audio(&self.local, &line, &mut streams);
                }
            }
        }
        if self.last_streams.as_ref() != Some(&streams) {
            self.version += 1;
            self.last_streams = Some(streams.clone());
        }
        (write_session(&self.local, self.version) + &streams).into_bytes()
    }
}

impl Place {
    fn of(stream: &Stream, audio: &Stream) -> Self {
        if std::ptr::eq(stream, audio) {
            return Self::Audio { protocol: stream.protocol.clone() };
        }
        Self::Refused {
            kind: stream.kind.clone(),
            protocol: stream.protocol.clone(),
            format: stream.formats.first().cloned().unwrap_or_default(),
        }
    }
}

/// What the far end's description means for us, whoever spoke first.
fn settle(
    description: &Description,
    stream: &Stream,
    formats: &[(u8, Codec)],
    dtmf_payload_type: Option<u8>,
) -> Option<Negotiated> {
    let &(payload_type, codec) = formats.first()?;
    let connection = description.connection_of(stream);
    let remote = SocketAddr::new(address_of(connection), stream.port);
    let receive = formats.iter().map(|&(payload_type, codec)| ReceivedFormat { payload_type, codec });
    Some(Negotiated {
        remote,
        remote_rtcp: rtcp_address(stream, remote),
        codec,
        payload_type,
        dtmf_payload_type,
        direction: our_direction(description.direction_of(stream), connection),
        rtcp_mux: stream.rtcp_mux,
        ptime_ms: wanted_ptime_ms(stream),
        receive: receive.collect(),
        dtmf_receive_payload_type: dtmf_payload_type,
    })
}

fn codec_of(stream: &Stream, payload_type: u8) -> Option<Codec> {
    match stream.maps.iter().find(|map| map.payload_type == payload_type) {
        Some(map) => Codec::ALL.into_iter().find(|&codec| is_map_of(map, codec)),
        None => Codec::ALL.into_iter().find(|codec| codec.static_payload_type() == Some(payload_type)),
    }
}

fn is_map_of(map: &FormatMap, codec: Codec) -> bool {
    map.name.eq_ignore_ascii_case(codec.name())
        && map.clock_rate_hz == codec.clock_rate_hz()
        && map.channels == 1
}

fn find_dtmf(stream: &Stream) -> Option<u8> {
    let is_listed = |number: u8| stream.formats.iter().any(|format| format.parse() == Ok(number));
    let is_dtmf = |map: &&FormatMap| {
        map.name.eq_ignore_ascii_case("telephone-event")
            && map.clock_rate_hz == DTMF_CLOCK_RATE_HZ
            && map.payload_type >= FIRST_UNASSIGNED_PAYLOAD_TYPE
            && is_listed(map.payload_type)
    };
    stream.maps.iter().find(is_dtmf).map(|map| map.payload_type)
}

/// A zero address is the old way to say "hold": nothing may be sent there (RFC 3264, section 8.4).
fn our_direction(theirs: Direction, connection: Connection) -> Direction {
    let is_hold = matches!(connection, Connection::Address(address) if address.is_unspecified());
    let ours = theirs.reversed();
    Direction::new(ours.sends() && !is_hold, ours.receives())
}

fn address_of(connection: Connection) -> IpAddr {
    match connection {
        Connection::Address(address) => address,
        Connection::Unreadable => Ipv4Addr::UNSPECIFIED.into(),
    }
}

fn rtcp_address(stream: &Stream, remote: SocketAddr) -> Option<SocketAddr> {
    if stream.rtcp_mux {
        return None;
    }
    match stream.rtcp {
        Some(rtcp) => Some(SocketAddr::new(rtcp.address.unwrap_or(remote.ip()), rtcp.port)),
        None => Some(SocketAddr::new(remote.ip(), remote.port().checked_add(1)?)),
    }
}

fn wanted_ptime_ms(stream: &Stream) -> u8 {
    let wanted = stream.ptime_ms.unwrap_or(USUAL_PTIME_MS);
    wanted.min(stream.max_ptime_ms.unwrap_or(u8::MAX))
}
