//! Documentation as modules: built, linked and versioned with the code.

pub mod promises;
