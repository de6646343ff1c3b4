//! The pure core of Stepwell: step().
