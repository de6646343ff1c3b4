//! Versioned formats: AMQP messages and stored records.
