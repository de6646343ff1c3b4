//! What an expression gives.

/// Is what an expression gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing (JSONata's undefined).
    Nothing,
    /// A function, or a value that holds none of JSON's kinds.
    Function,
    /// A value.
    Value {
        /// Its kind.
        kind: Kind,
        /// Its compact text.
        text: String,
    },
}

/// Is a kind of JSON value, as AWS names it in texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Null.
    Null,
    /// A boolean.
    Boolean,
    /// A number.
    Number,
    /// A string.
    String,
    /// An array.
    Array,
    /// An object.
    Object,
}

impl Kind {
    /// Gives the name in AWS's texts.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Null => "null",
            Kind::Boolean => "boolean",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Array => "array",
            Kind::Object => "object",
        }
    }
}
