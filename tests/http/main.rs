//! The REST interface as its users meet it: a real engine on a loopback port, asked by an HTTP client that is not ours.

mod audit;
mod bench;
mod callbacks;
mod calls;
mod contract;
mod keys;
mod leads;
mod log_in;
mod manners;
mod notifications;
mod numbers;
mod recordings;
mod roles;
mod settings;
mod uploads;
mod users;
mod voice_agents;
mod waiting;
