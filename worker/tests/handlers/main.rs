//! Handlers in other processes, real ones: what they are given, what becomes of their answers, and every way of misbehaving.

mod bench;
mod commands;
mod functions;
mod processes;
mod roles;
mod server;
mod web;
