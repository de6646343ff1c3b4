//! Serves the AWS API and advances executions.
