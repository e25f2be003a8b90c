//! The platform's API, as far as it tells what it offers: the base models that it fine-tunes with their
//! limits, and the hardware that it serves on. Knows no rules and no files.
//!
//! The shapes are those of the published description
//! (<https://github.com/togethercomputer/openapi>, `openapi.yaml`) and of the fields that the official
//! client has beyond it (<https://pypi.org/project/together/3.1.1/>, `types/finetune_model_limits.py`).

mod answer;
mod client;
mod error;
mod settings;

use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};

use answer::{Hardware, Limits, Supported};
use client::Client;

pub use answer::{BaseModel, HardwareOption};
pub use error::Error;
pub use settings::{Key, Settings};

/// Requests under way at once: as many base models as there are would be a burst that limits are for.
const AT_ONCE: usize = 4;
/// Most base models that are asked about, each with a request.
const MODELS_MAX: usize = 2000;

/// What the platform offers.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// Base models with their limits, in the API's order.
    pub base_models: Vec<BaseModel>,
    /// Base models that the API lists and then knows no limits of.
    pub without_limits: Vec<String>,
    /// Hardware, in the API's order.
    pub hardware: Vec<HardwareOption>,
}

/// Asks the API for all that it offers. The error is the first thing that went wrong: half an answer
/// would be a catalog that lacks base models.
pub fn fetch(settings: &Settings) -> Result<Offer, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::Unreachable {
            host: settings.host(),
            why: format!("no connection can be set up: {error}"),
        })?;
    runtime.block_on(offer(settings))
}

async fn offer(settings: &Settings) -> Result<Offer, Error> {
    let client = Client::new(settings)?;
    let names = client
        .get::<Supported>("fine-tunes/models/supported", &[])
        .await?
        .names(MODELS_MAX)
        .map_err(|what| client.odd("fine-tunes/models/supported", what))?;
    let hardware = client
        .get::<Hardware>("hardware", &[])
        .await?
        .options()
        .map_err(|what| client.odd("hardware", what))?;
    let limits: Vec<(String, Option<BaseModel>)> = stream::iter(names)
        .map(|name| limits_of(&client, name))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    let mut offer = Offer {
        base_models: Vec::new(),
        without_limits: Vec::new(),
        hardware,
    };
    for (name, base) in limits {
        match base {
            Some(base) => offer.base_models.push(base),
            None => offer.without_limits.push(name),
        }
    }
    Ok(offer)
}

/// The limits of a base model; none where the API says that it has none of this name.
async fn limits_of(client: &Client, name: String) -> Result<(String, Option<BaseModel>), Error> {
    const PATH: &str = "fine-tunes/models/limits";
    let answer = client.get::<Limits>(PATH, &[("model_name", &name)]).await;
    let limits = match answer {
        Err(Error::Refused { status: 404, .. }) => return Ok((name, None)),
        answer => answer?,
    };
    let base = limits
        .base_model(&name)
        .map_err(|what| client.odd(PATH, what))?;
    Ok((name, Some(base)))
}
