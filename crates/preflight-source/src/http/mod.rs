//! Requests over HTTP, the same for the Hub and for archives behind a URL: redirects by hand, a
//! credential only for its own origin, bounded bodies, few connections, retries, everything counted.

mod attempts;
mod client;
mod connections;
mod endpoint;
mod lanes;
mod problem;
mod range;
pub(crate) mod ratelimit;
mod redirect;
mod token;

pub(crate) use attempts::{Attempts, Deadline};
pub(crate) use client::{Asked, Client, Head, Settings, cause, first};
pub(crate) use connections::{Connections, builder};
pub(crate) use endpoint::Endpoint;
pub(crate) use problem::{Problem, Refusal};
pub(crate) use range::{bare, content_range, validator};
pub(crate) use redirect::host;
pub(crate) use token::Token;
