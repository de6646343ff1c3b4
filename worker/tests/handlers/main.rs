//! Handlers in other processes, real ones: what they are given, what becomes of their answers, and every way of misbehaving.

mod bench;
mod commands;
mod functions;
mod processes;
mod server;
mod web;
