//! Documentation as modules: built, linked and versioned with the code.

pub mod failures;
pub mod promises;
pub mod windows;
