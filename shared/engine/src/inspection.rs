//! What TestState tells of a state's data on its way through the state.

use std::sync::Arc;

use model::JsonText;

use crate::turn::EndFailure;

/// Is the data of a state on its way through it, as far as it came; `None` is what it did not come to, or what its type or
/// query language does not have.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Inspection {
    /// What InputPath selected.
    pub after_input_path: Option<JsonText>,
    /// What Parameters made of that.
    pub after_parameters: Option<JsonText>,
    /// What Arguments gave.
    pub after_arguments: Option<JsonText>,
    /// The items that ItemsPath named.
    pub after_items_path: Option<JsonText>,
    /// What the ItemsPointer of an ItemReader points at.
    pub after_items_pointer: Option<JsonText>,
    /// What ItemSelector made of each item, as one array.
    pub after_item_selector: Option<JsonText>,
    /// The raw result.
    pub result: Option<JsonText>,
    /// What ResultSelector made of it.
    pub after_result_selector: Option<JsonText>,
    /// What ResultPath made of that.
    pub after_result_path: Option<JsonText>,
    /// How many iterations run at once; 0 is as many as there are.
    pub max_concurrency: Option<u64>,
    /// How many items may fail.
    pub tolerated_failure_count: Option<u64>,
    /// How many of a hundred items may fail.
    pub tolerated_failure_percentage: Option<f64>,
    /// The variables that were in sight as the state was left.
    pub variables: Option<Arc<Vec<(String, JsonText)>>>,
    /// What failed.
    pub failure: Option<EndFailure>,
    /// Which Retrier takes the failure, even if it has no retry left.
    pub retry_index: Option<usize>,
    /// How long it would wait, in seconds.
    pub retry_backoff_seconds: Option<u64>,
    /// Which Catcher takes the failure.
    pub catch_index: Option<usize>,
}
