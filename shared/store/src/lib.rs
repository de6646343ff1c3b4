//! Where execution state lives: a trait, its memory twin and Redis.
