//! AWS's errors: one table of names, and how an answer with one looks.

use store::Error as StoreError;

/// Namespace of the service's own errors, as the real service prints it.
const SERVICE: &str = "com.amazonaws.swf.service.v2.model";
/// Namespace of broken constraints of the model.
const VALIDATE: &str = "com.amazon.coral.validate";
/// Namespace of faults of the protocol.
const PROTOCOL: &str = "com.amazon.coral.service";
/// Namespace of what passes by itself.
const AVAILABILITY: &str = "com.amazon.coral.availability";

macro_rules! error_codes {
    ($($name:ident, $namespace:expr, $status:literal, $meaning:literal;)+) => {
        /// Is an error by AWS's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum ErrorCode {
            $(#[doc = $meaning] $name,)+
        }

        impl ErrorCode {
            /// Gives AWS's name.
            pub(crate) const fn name(self) -> &'static str {
                match self { $(ErrorCode::$name => stringify!($name),)+ }
            }

            /// Gives the namespace that `__type` bears before the name.
            pub(crate) const fn namespace(self) -> &'static str {
                match self { $(ErrorCode::$name => $namespace,)+ }
            }

            /// Gives the HTTP status.
            pub(crate) const fn status(self) -> u16 {
                match self { $(ErrorCode::$name => $status,)+ }
            }
        }
    };
}

error_codes! {
    ActivityAlreadyExists, SERVICE, 400, "An activity of this name has another encryption.";
    ActivityDoesNotExist, SERVICE, 400, "There is no such activity.";
    ConflictException, SERVICE, 400, "Others change the resource all the time, or it is not as the request takes it to be.";
    ExecutionAlreadyExists, SERVICE, 400, "An execution of this name exists, with another input or ended.";
    ExecutionDoesNotExist, SERVICE, 400, "There is no such execution.";
    InternalFailure, PROTOCOL, 500, "We failed: a defect.";
    InvalidArn, SERVICE, 400, "A text is not an ARN of the wanted kind.";
    InvalidDefinition, SERVICE, 400, "A definition is refused.";
    InvalidEncryptionConfiguration, SERVICE, 400, "The encryption can't be set up so.";
    InvalidExecutionInput, SERVICE, 400, "The input of an execution is not JSON.";
    InvalidLoggingConfiguration, SERVICE, 400, "The logging can't be set up so.";
    InvalidName, SERVICE, 400, "A name has letters that names may not have.";
    InvalidOutput, SERVICE, 400, "The output of a task is not JSON.";
    InvalidToken, SERVICE, 400, "A page token is not one that we gave for this list, or a task token is none.";
    MissingRequiredParameter, SERVICE, 400, "An update changes nothing.";
    RequestEntityTooLargeException, PROTOCOL, 413, "The body is larger than any request.";
    ResourceNotFound, SERVICE, 400, "There is no such resource.";
    SerializationException, PROTOCOL, 400, "The body is not JSON, or a member has another type.";
    ServiceQuotaExceededException, SERVICE, 400, "More versions or aliases than a state machine may have.";
    ServiceUnavailable, AVAILABILITY, 503, "The store can't be reached, or has no room; to be tried again.";
    StateMachineAlreadyExists, SERVICE, 400, "A state machine of this name has another content.";
    StateMachineDeleting, SERVICE, 400, "The state machine is being deleted.";
    StateMachineDoesNotExist, SERVICE, 400, "There is no such state machine.";
    StateMachineTypeNotSupported, SERVICE, 400, "The operation is not for state machines of this type.";
    TaskDoesNotExist, SERVICE, 400, "There is no execution that the task token belongs to.";
    TaskTimedOut, SERVICE, 400, "The task that the token belongs to has ended.";
    ThrottlingException, AVAILABILITY, 400, "The store has no room for new executions.";
    TooManyTags, SERVICE, 400, "More tags than a resource may have.";
    UnknownOperationException, PROTOCOL, 400, "There is no such operation.";
    ValidationException, VALIDATE, 400, "A member breaks a constraint of the model.";
}

/// Is an error as the caller gets it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    /// AWS's name for it.
    pub(crate) code: ErrorCode,
    /// The message.
    pub(crate) message: String,
}

impl ApiError {
    /// Makes an error.
    pub(crate) fn new(code: ErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// Makes an error whose message quotes what it is about, as most of AWS's do.
    pub(crate) fn quoting(code: ErrorCode, what: &str, quoted: impl std::fmt::Display) -> Self {
        Self::new(code, format!("{what}: '{quoted}'"))
    }

    /// Makes the error that the body has a member of another type.
    pub(crate) fn serialization(message: impl Into<String>) -> Self {
        Self::new(ErrorCode::SerializationException, message)
    }

    /// Tells whether AWS's SDKs have a class for it: for what the service itself says, and for broken constraints of its model.
    pub(crate) fn is_modelled(&self) -> bool {
        matches!(self.code.namespace(), SERVICE | VALIDATE)
    }

    /// Gives `__type`.
    pub(crate) fn kind(&self) -> String {
        format!("{}#{}", self.code.namespace(), self.code.name())
    }
}

impl From<model::ArnError> for ApiError {
    fn from(error: model::ArnError) -> Self {
        Self::quoting(ErrorCode::InvalidArn, "Invalid Arn", error)
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(reason) => {
                // The store itself says so once; a line for each request would drown the log.
                tracing::debug!(%reason, "the store can't be reached");
                Self::new(ErrorCode::ServiceUnavailable, "The store can't be reached now. Try again later.")
            }
            StoreError::Full(reason) => {
                // As above.
                tracing::debug!(%reason, "the store is full");
                Self::new(ErrorCode::ServiceUnavailable, "The store has no room now. Try again later.")
            }
            StoreError::Unfit(reason) => {
                tracing::warn!(%reason, "the store is not fit for use");
                Self::new(ErrorCode::ServiceUnavailable, "The store is not set up for use.")
            }
            StoreError::Corrupt(reason) => {
                tracing::error!(%reason, "a record of the store can't be read");
                Self::new(ErrorCode::InternalFailure, "A record of the store can't be read.")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_bear_the_namespaces_of_the_real_service() {
        let check = |code, kind: &str| assert_eq!(ApiError::new(code, "").kind(), kind);
        check(ErrorCode::InvalidArn, "com.amazonaws.swf.service.v2.model#InvalidArn");
        check(ErrorCode::ValidationException, "com.amazon.coral.validate#ValidationException");
        check(ErrorCode::SerializationException, "com.amazon.coral.service#SerializationException");
    }

    #[test]
    fn an_arn_is_quoted_twice() {
        let error = ApiError::from(model::ArnError::Prefix("xyz".to_owned()));
        assert_eq!(error.message, "Invalid Arn: 'Invalid ARN prefix: xyz'");
    }
}
