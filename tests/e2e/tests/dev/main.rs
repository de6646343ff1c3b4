//! `stepwell dev` as a process of its own.

mod aws;
mod crashes;
mod dev;
mod handlers;
mod tls;
