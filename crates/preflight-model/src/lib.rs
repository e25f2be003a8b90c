//! What is known of a model repository: its files, the JSON in them, the headers of its weights,
//! and the arithmetic over both. No I/O, no clock, no environment.
//!
//! - [`snapshot::Snapshot`] is the input of everything: one repository at one commit, as far as it was read.
//!   `preflight-source` makes them; so may you.
//! - [`checkpoint::Checkpoint`] is the snapshot parsed, once: [`config`], [`weights`], [`parameters`],
//!   [`quantization`], [`cache`], [`adapter`].
//! - [`facts::Facts`] is what a checkpoint is to one [`release`] of transformers.
//! - [`fact::Fact`] keeps "not there", "broken" and "could not look" apart everywhere.
//!
//! The parsers can be used alone. Each is bounded in memory and time, whatever it is given:
//!
//! ```
//! use preflight_model::header::Header;
//!
//! let json = br#"{"w":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}}"#;
//! let start = [&(json.len() as u64).to_le_bytes()[..], json].concat();
//! // The size of the whole file, whose data need not be there.
//! let header = Header::parse(&start, Some(start.len() as u64 + 12))?;
//! assert!(header.defects.is_empty());
//! let tensor = header.tensors().next().expect("one");
//! assert_eq!((tensor.name, tensor.elements()), ("w", 6));
//! # Ok::<(), preflight_model::header::HeaderError>(())
//! ```

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
mod names;
pub mod parameters;
mod placement;
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
pub mod tokenizer_numbers;
mod tokenizer_settings;
pub mod wanted;
pub mod weights;
