//! Events of calls, posted to the subscribers who want them (SPEC I10). Subscribers are no CRM, but they are told in the
//! same way and with the same patience, so this is built of the same parts.
//!
//! ```text
//! record ─says what happened─▶ Event ─one for each subscriber─▶ Notification: due ─▶ delivered
//!                                                                              └───▶ parked
//! ```
//!
//! An [`Event`] follows from the call's record alone and has the same id however often it is made, so whoever is not sure
//! whether it was told of tells of it again. A [`Notification`] is what the outbox holds of it for one subscriber, with
//! the very text that is posted.
//!
//! [`Deliveries`] is the queue of one subscriber. Its unit is the call: of a call one notification is on its way at a time,
//! the earliest that is due, so that nobody hears of an end before the beginning. Each subscriber has a queue of its own:
//! one that is down holds up no other.

mod deliveries;
mod event;
mod notification;

pub use deliveries::{Deliveries, DeliveryInput, DeliveryLimits, DeliveryOutput, Sent};
pub use event::Event;
pub use notification::{Notification, NotificationKey, Settlement};

#[cfg(test)]
mod tests;
