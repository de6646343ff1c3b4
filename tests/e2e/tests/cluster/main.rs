//! Clusters of two coordinators and two workers on servers that stay up: what they run, what they survive, what they refuse.

mod bad_handlers;
mod bad_requests;
mod crashes;
mod example;
mod express;
mod logs;
mod map_runs;
mod nested;
mod other_workers;
mod stops;
mod traces;
