//! Work items and reports: a trait, its memory twin and RabbitMQ.
