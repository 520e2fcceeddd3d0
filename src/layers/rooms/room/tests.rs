//! One room against a dull model.
