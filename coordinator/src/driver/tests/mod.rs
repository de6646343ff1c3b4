//! Tests of the driver on the memory twins.
