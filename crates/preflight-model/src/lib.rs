//! What is known of a model repository: its files, the JSON in them, the headers of its weights,
//! and the arithmetic over both. No I/O, no clock, no environment.

pub mod adapter;
pub mod architecture;
pub mod cache;
pub mod chat_template;
pub mod checkpoint;
pub mod config;
pub mod config_defects;
pub mod container;
pub mod context;
pub mod defaults;
pub mod fact;
pub mod facts;
mod generation_defects;
pub mod header;
pub mod index;
mod instead;
pub mod json;
pub mod leftovers;
pub mod memory;
pub mod parameters;
pub mod quantization;
pub mod release;
pub mod release5;
pub mod remote_code;
pub mod sentence_transformers;
pub mod snapshot;
pub mod task;
pub mod tokenizer;
mod tokenizer_defects;
pub mod tokenizer_file;
pub mod wanted;
pub mod weights;
