//! A parsed call of an intrinsic function.

use std::sync::Arc;

use serde_json::Value;

use crate::intrinsic::parse::{self, SyntaxError};
use crate::path::DataPath;

/// Is a call of an intrinsic function with its arguments.
#[derive(Clone, Debug)]
pub struct Intrinsic {
    text: Arc<str>,
    function: Function,
    arguments: Vec<Argument>,
}

/// Is one of the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// `States.Array`.
    Array,
    /// `States.ArrayContains`.
    ArrayContains,
    /// `States.ArrayGetItem`.
    ArrayGetItem,
    /// `States.ArrayLength`.
    ArrayLength,
    /// `States.ArrayPartition`.
    ArrayPartition,
    /// `States.ArrayRange`.
    ArrayRange,
    /// `States.ArrayUnique`.
    ArrayUnique,
    /// `States.Base64Decode`.
    Base64Decode,
    /// `States.Base64Encode`.
    Base64Encode,
    /// `States.Format`.
    Format,
    /// `States.Hash`.
    Hash,
    /// `States.JsonMerge`.
    JsonMerge,
    /// `States.JsonToString`.
    JsonToString,
    /// `States.MathAdd`.
    MathAdd,
    /// `States.MathRandom`.
    MathRandom,
    /// `States.StringSplit`.
    StringSplit,
    /// `States.StringToJson`.
    StringToJson,
    /// `States.UUID`.
    Uuid,
}

/// Is one argument of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Argument {
    /// A string.
    Text {
        /// As it is written between the quotes; `States.Format` tells `\{` from `{` by it.
        written: Box<str>,
        /// With its escapes resolved.
        value: Value,
        /// Whether a backslash escapes nothing, which is an error when the call is evaluated:
        /// <https://states-language.net/#appendix-b>
        is_open: bool,
    },
    /// A number, boolean or null.
    Literal(Value),
    /// What a path names.
    Path(DataPath),
    /// What another call gives.
    Call(Intrinsic),
}

/// Says why a call failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("The function '{call}' had the following error: {reason}")]
pub struct IntrinsicError {
    /// The call as the definition writes it.
    pub call: Arc<str>,
    /// Why.
    pub reason: String,
}

impl Intrinsic {
    pub(crate) fn new(text: &str, function: Function, arguments: Vec<Argument>) -> Self {
        Self { text: text.into(), function, arguments }
    }

    /// Parses a call.
    ///
    /// # Errors
    /// `SyntaxError` for an unknown function, a wrong number of arguments or a malformed argument.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        parse::call(text)
    }

    /// Gives the call as the definition writes it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Says which function is called.
    pub fn function(&self) -> Function {
        self.function
    }

    /// Lists the arguments.
    pub fn arguments(&self) -> &[Argument] {
        &self.arguments
    }

    pub(crate) fn error(&self, reason: impl Into<String>) -> IntrinsicError {
        IntrinsicError { call: Arc::clone(&self.text), reason: reason.into() }
    }
}

impl PartialEq for Intrinsic {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Function {
    /// All functions.
    const ALL: [Self; 18] = [
        Function::Array,
        Function::ArrayContains,
        Function::ArrayGetItem,
        Function::ArrayLength,
        Function::ArrayPartition,
        Function::ArrayRange,
        Function::ArrayUnique,
        Function::Base64Decode,
        Function::Base64Encode,
        Function::Format,
        Function::Hash,
        Function::JsonMerge,
        Function::JsonToString,
        Function::MathAdd,
        Function::MathRandom,
        Function::StringSplit,
        Function::StringToJson,
        Function::Uuid,
    ];

    /// Finds a function by the name behind `States.`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|function| function.name() == name)
    }

    /// Gives the name behind `States.`.
    pub fn name(self) -> &'static str {
        match self {
            Function::Array => "Array",
            Function::ArrayContains => "ArrayContains",
            Function::ArrayGetItem => "ArrayGetItem",
            Function::ArrayLength => "ArrayLength",
            Function::ArrayPartition => "ArrayPartition",
            Function::ArrayRange => "ArrayRange",
            Function::ArrayUnique => "ArrayUnique",
            Function::Base64Decode => "Base64Decode",
            Function::Base64Encode => "Base64Encode",
            Function::Format => "Format",
            Function::Hash => "Hash",
            Function::JsonMerge => "JsonMerge",
            Function::JsonToString => "JsonToString",
            Function::MathAdd => "MathAdd",
            Function::MathRandom => "MathRandom",
            Function::StringSplit => "StringSplit",
            Function::StringToJson => "StringToJson",
            Function::Uuid => "UUID",
        }
    }

    /// Tells how many arguments the function takes, at least and at most.
    pub fn arity(self) -> (usize, usize) {
        match self {
            Function::Array => (0, usize::MAX),
            Function::Format => (1, usize::MAX),
            Function::Uuid => (0, 0),
            Function::ArrayLength
            | Function::ArrayUnique
            | Function::Base64Decode
            | Function::Base64Encode
            | Function::JsonToString
            | Function::StringToJson => (1, 1),
            Function::ArrayContains
            | Function::ArrayGetItem
            | Function::ArrayPartition
            | Function::Hash
            | Function::MathAdd
            | Function::StringSplit => (2, 2),
            Function::MathRandom => (2, 3),
            Function::ArrayRange | Function::JsonMerge => (3, 3),
        }
    }
}
