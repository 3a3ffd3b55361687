//! The whole payload, the queue step by step, and a simulation of both with a CRM that keeps count.

mod payload;
mod queue;
mod world;
