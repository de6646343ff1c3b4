//! What kind of definition is looked at.

/// Says what a definition is for, as far as its validity hangs on it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Whether it is for a state machine of type EXPRESS, which refuses some integrations.
    pub express: bool,
    /// Whether `${name}` and CloudFormation's functions (`{"Ref": ..}`, `{"Fn::GetAtt": ..}`) stand for values that are
    /// filled in at deployment. Nothing is said about such a value.
    pub substitutions: bool,
    /// Whether the transitions are looked at even if fields are wrong. AWS looks at them only once all fields are right;
    /// a person wants to see everything at once.
    pub thorough: bool,
}
