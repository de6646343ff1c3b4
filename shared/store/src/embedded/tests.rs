//! Faults of the disk, injected below redb.
