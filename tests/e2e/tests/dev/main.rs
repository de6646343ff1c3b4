//! `stepwell dev` as a process of its own.

mod crashes;
mod dev;
mod handlers;
mod tls;
