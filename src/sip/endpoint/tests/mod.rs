//! How the endpoint behaves, on virtual time.
