//! End-to-end and crash tests with real processes.
