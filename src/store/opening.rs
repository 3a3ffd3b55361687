//! What a store is opened for.

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opening {
    /// Two documents with one value of a unique field are an error that names both.
    ToWork,
    /// They are let be, so that a command can rename or remove one of them.
    ToMend,
}
