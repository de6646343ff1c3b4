//! The fields with which a state chooses its input and shapes its output.

use jsonpath::ReferencePath;

use crate::path::DataPath;
use crate::template::Template;

/// Is what a JSONPath state does to its data. What a state does not name, or may not, has the default.
#[derive(Clone, Debug)]
pub struct DataFlow {
    /// What of the raw input the state sees; `None` (written `null`) is `{}`. Default `$`.
    pub input_path: Option<DataPath>,
    /// What the state works on, made from its input. Of Task, Pass and Parallel; a Map's is `Map::item_selector`.
    pub parameters: Option<Template>,
    /// What becomes of the raw result. Of Task, Parallel and Map.
    pub result_selector: Option<Template>,
    /// Where in the raw input the result goes; `None` (written `null`) drops the result. Default `$`.
    pub result_path: Option<ReferencePath>,
    /// What of that leaves the state; `None` (written `null`) is `{}`. Default `$`.
    pub output_path: Option<DataPath>,
}

impl Default for DataFlow {
    fn default() -> Self {
        Self {
            input_path: Some(DataPath::input()),
            parameters: None,
            result_selector: None,
            result_path: Some(ReferencePath::root()),
            output_path: Some(DataPath::input()),
        }
    }
}
