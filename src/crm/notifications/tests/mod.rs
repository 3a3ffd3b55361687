//! What is told, the queue step by step, and a simulation of it with subscribers that keep count.

mod event;
mod queue;
mod world;
