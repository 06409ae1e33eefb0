//! A station made of memory, for tests and simulation.
