//! JSONPath with the semantics of AWS Step Functions.
