//! Which kind of packet this is, by its first bytes (RFC 7983).
