//! Errors in the words of the SDKs that AWS calls itself with.

use engine::Outcome;

use super::Dress;
use crate::api::error::ApiError;

/// Makes the report of a call that was refused.
pub(super) fn outcome(dress: Dress, error: &ApiError, request: &str) -> Outcome {
    let ApiError { code, message } = error;
    let (status, code) = (code.status(), code.name());
    let is_modelled = error.is_modelled();
    let (service, cause) = match dress {
        Dress::Optimised => {
            let details = format!("Status Code: {status}; Error Code: {code}; Request ID: {request}; Proxy: null");
            ("StepFunctions", format!("{message} (Service: AWSStepFunctions; {details})"))
        }
        Dress::Sdk => ("Sfn", format!("{message} (Service: Sfn, Status Code: {status}, Request ID: {request})")),
    };
    let name = match dress {
        // What an SDK has no class for is of the class of all of the service's.
        Dress::Optimised if !is_modelled => "AWSStepFunctionsException".to_owned(),
        Dress::Sdk if !is_modelled => "SfnException".to_owned(),
        Dress::Optimised | Dress::Sdk => format!("{}Exception", code.strip_suffix("Exception").unwrap_or(code)),
    };
    Outcome::Failed { error: Some(format!("{service}.{name}")), cause: Some(cause) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::error::ErrorCode;

    #[test]
    fn errors_have_the_names_and_words_of_their_sdk() {
        let check = |dress, code, name: &str, cause: &str| {
            let outcome = outcome(dress, &ApiError::new(code, "No"), "id");
            let (error, cause) = (Some(name.to_owned()), Some(cause.to_owned()));
            assert_eq!(outcome, Outcome::Failed { error, cause });
        };
        check(
            Dress::Optimised,
            ErrorCode::ExecutionAlreadyExists,
            "StepFunctions.ExecutionAlreadyExistsException",
            "No (Service: AWSStepFunctions; Status Code: 400; Error Code: ExecutionAlreadyExists; Request ID: id; Proxy: null)",
        );
        let cause = "No (Service: Sfn, Status Code: 400, Request ID: id)";
        check(Dress::Sdk, ErrorCode::InvalidToken, "Sfn.InvalidTokenException", cause);
        check(Dress::Sdk, ErrorCode::ValidationException, "Sfn.ValidationException", cause);
        check(Dress::Sdk, ErrorCode::UnknownOperationException, "Sfn.SfnException", cause);
    }
}
