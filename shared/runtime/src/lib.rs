//! The seam for clock, chance, spawning and blocking work.
