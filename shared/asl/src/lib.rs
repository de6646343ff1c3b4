//! Amazon States Language: text to a typed, validated definition, or diagnostics.
