//! The platform's rules: policy and catalogs as data, one function a rule, the verdict.

pub mod report;
