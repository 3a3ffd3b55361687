//! The stand-in seen from outside: the pure session on virtual time, and the server over loopback websockets.

mod bench;
mod client;
mod handshake;
mod loopback;
mod side_port;
mod talk;
mod tool_calls;
mod troubles;
