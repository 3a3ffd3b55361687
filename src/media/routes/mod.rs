//! Which call a packet belongs to.
