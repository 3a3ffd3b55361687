//! The REST interface as its users meet it: a real engine on a loopback port, asked by an HTTP client that is not ours.

mod bench;
mod calls;
mod contract;
mod log_in;
mod manners;
mod roles;
mod users;
