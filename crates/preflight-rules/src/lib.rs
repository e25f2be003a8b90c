//! The platform's rules: policy and catalogs as data, one function a rule, the verdict.

pub mod base_models;
pub mod catalog;
pub mod fit;
pub mod hardware;
pub mod policy;
pub mod report;
pub mod suggest;
