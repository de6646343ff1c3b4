//! How a Map reads its items from elsewhere.
//! Source: <https://docs.aws.amazon.com/step-functions/latest/dg/input-output-itemreader.html>

use crate::state::Limit;

/// Is the field `ItemReader` of a Map, as far as it says how to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ItemReader {
    /// What the data look like.
    pub format: ItemFormat,
    /// Where the items are in JSON, as a JSON Pointer.
    pub items_pointer: Option<String>,
    /// How many items are read at most; 0 and nothing are all.
    pub max_items: Option<Limit>,
}

/// Says what the data look like that a Map reads its items from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ItemFormat {
    /// One JSON array; also where nothing is said, as for a list of objects.
    Json,
    /// A JSON value in each line.
    JsonLines,
    /// Rows of texts.
    Csv {
        /// What stands between the fields of a row.
        delimiter: char,
        /// The names of the fields; without them the first row has them.
        headers: Option<Vec<String>>,
    },
}
