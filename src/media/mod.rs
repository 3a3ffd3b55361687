//! Audio: from packets to samples and back, and the proof that every call hears only its own.
//!
//! A call's media is agreed in SDP ([`sdp`]), carried in RTP ([`rtp`]) and reported on in RTCP ([`rtcp`]). [`demux`]
//! tells the kinds of packet apart by their first byte; [`routes`] decides which call a packet belongs to (its port,
//! its SSRC, its source) and writes the one outgoing stream of each call. Only what a route accepted goes further.
//!
//! From there [`path`] leads both ways: the caller's packets through the [`jitter`] buffer and concealment ([`conceal`])
//! to the model's rate ([`resample`]), the model's speech through a [`codec`] into the [`playout`] queue, from which the
//! router takes a frame every 20 ms. [`dtmf`] hears and presses keys. [`spool`] gathers what is recorded, [`opus_file`]
//! makes of it what people listen to, and [`wav`] reads prompts.
//!
//! Nothing here owns a socket or reads a clock: the UdpRouter actor lends the bytes and says what time it is.
//!
//! RFC 3264 and 8866 (offer, answer, SDP), 3550 and 3551 (RTP, RTCP), 4733 (DTMF), 5761 (RTCP on RTP's port),
//! 7983 (telling packets apart).

pub mod codec;
pub mod conceal;
pub mod demux;
pub mod dtmf;
pub mod jitter;
pub mod level;
pub mod opus_file;
pub mod path;
pub mod playout;
pub mod resample;
pub mod routes;
pub mod rtcp;
pub mod rtp;
pub mod sdp;
pub mod spool;
pub mod wav;
