//! Words and plain data of Stepwell: ids, timestamps, executions, history events, error names.
