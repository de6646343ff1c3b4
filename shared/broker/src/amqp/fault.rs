//! What goes wrong between us and the server, with the setting that may be the cause.

use lapin::ErrorKind;
use lapin::protocol::{AMQPError, AMQPErrorKind, AMQPHardError, AMQPSoftError};

use crate::queue::Error;

#[derive(Debug, thiserror::Error)]
pub(super) enum Fault {
    #[error("connect to {address}, as amqp.url says")]
    Connect {
        address: String,
        #[source]
        source: std::io::Error,
    },
    #[error("get an answer from {address}, as amqp.url says, within amqp.connect_timeout_seconds")]
    Timeout { address: String },
    #[error("speak AMQP with {address}, as amqp.url says: {reason}")]
    NotAmqp { address: String, reason: &'static str },
    #[error("open a connection to {address}; {advice}")]
    Open {
        address: String,
        advice: &'static str,
        #[source]
        source: lapin::Error,
    },
    #[error(
        "declare {name} with amqp.queue_kind = \"{kind}\": it is there with other arguments; change amqp.queue_kind or \
         amqp.prefix, or delete it"
    )]
    OtherArguments {
        name: String,
        kind: &'static str,
        #[source]
        source: lapin::Error,
    },
    #[error("declare {name}")]
    Declare {
        name: String,
        #[source]
        source: lapin::Error,
    },
    #[error("use a channel: {what}")]
    Channel {
        what: &'static str,
        #[source]
        source: lapin::Error,
    },
    #[error("consume {queue}: the server ended it (the queue is gone?)")]
    Cancelled { queue: String },
    #[error(transparent)]
    Name(#[from] Error),
}

impl Fault {
    pub(super) fn open(address: &str, source: lapin::Error) -> Self {
        let advice = if has_code(&source, AMQPSoftError::ACCESSREFUSED) {
            "check user and password in amqp.url"
        } else if matches!(source.kind(), ErrorKind::ProtocolError(error) if is_hard(error, AMQPHardError::NOTALLOWED))
        {
            "check the virtual host in amqp.url"
        } else {
            "check amqp.url"
        };
        Self::Open { address: address.to_owned(), advice, source }
    }

    pub(super) fn declare(name: &str, kind: &'static str, source: lapin::Error) -> Self {
        let name = name.to_owned();
        if has_code(&source, AMQPSoftError::PRECONDITIONFAILED) {
            return Self::OtherArguments { name, kind, source };
        }
        Self::Declare { name, source }
    }

    pub(super) fn channel(what: &'static str) -> impl Fn(lapin::Error) -> Self {
        move |source| Self::Channel { what, source }
    }

    /// Gives the fault and its sources in one line.
    pub(super) fn chain(&self) -> String {
        let mut text = self.to_string();
        let mut next = std::error::Error::source(self);
        while let Some(source) = next {
            text.push_str(": ");
            text.push_str(&source.to_string());
            next = source.source();
        }
        text
    }
}

impl From<Fault> for Error {
    fn from(fault: Fault) -> Self {
        if let Fault::Name(error) = fault { error } else { Error::Unavailable(fault.chain()) }
    }
}

/// Tells whether the server refused with this code.
pub(super) fn has_code(error: &lapin::Error, code: AMQPSoftError) -> bool {
    matches!(error.kind(), ErrorKind::ProtocolError(error) if is_soft(error, code))
}

fn is_soft(error: &AMQPError, code: AMQPSoftError) -> bool {
    matches!(error.kind(), AMQPErrorKind::Soft(kind) if *kind == code)
}

fn is_hard(error: &AMQPError, code: AMQPHardError) -> bool {
    matches!(error.kind(), AMQPErrorKind::Hard(kind) if *kind == code)
}
