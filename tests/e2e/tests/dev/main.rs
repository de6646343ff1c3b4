//! `stepwell dev` as a process of its own.

mod aws;
mod commands;
mod crashes;
mod dev;
mod disk;
mod handlers;
mod tls;
mod versions;
