//! Seeded simulator: the real loops on the memory twins.
