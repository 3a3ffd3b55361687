//! Thin adapters to the outside world: they move bytes and know no meaning.
