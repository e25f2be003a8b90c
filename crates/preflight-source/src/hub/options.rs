//! How the Hub is asked.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::address::HUB;
use super::environment::{self, Environment, is_true};
use crate::Error;
use crate::http::{Connections, Endpoint, Settings, Token};
use crate::recording::RecordingCache;

/// Time for one model where the user gives none: a check takes less than a second, and a full set of
/// retries of one request a quarter of a minute.
pub const TIMEOUT: Duration = Duration::from_mins(1);
/// Longest silence of a server. Twice what `huggingface_hub` waits for a read, since we ask for many
/// files at once: a mirror that fetches them one by one first needs the time, and would need it again for
/// what is asked again. And a third of [`TIMEOUT`], so that there is time to ask again.
/// Source: `HF_HUB_DOWNLOAD_TIMEOUT`,
/// <https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables>
pub(crate) const STALL: Duration = Duration::from_secs(20);

/// How the Hub is asked: where, as whom, for how long.
#[derive(Debug, Clone)]
pub struct HubOptions {
    pub(super) endpoint: Endpoint,
    /// A token that is none is an error only where it would be used.
    pub(super) token: Result<Option<Token>, Error>,
    pub(super) timeout: Duration,
    pub(super) patience: Duration,
    pub(super) stall: Duration,
    pub(super) is_offline: bool,
    pub(super) cache: Option<PathBuf>,
    pub(super) recordings: Option<Arc<RecordingCache>>,
    /// Clones of these options share their connections.
    connections: Connections,
}

impl HubOptions {
    /// What the environment says: `HF_ENDPOINT`, `HF_TOKEN`, `HF_HUB_OFFLINE`, `HF_HUB_CACHE` and
    /// the others that all tools of the Hub know (`docs/hub.md` lists them).
    pub fn from_environment() -> Result<Self, Error> {
        let endpoint = environment::process("HF_ENDPOINT");
        Self::from_environment_at(endpoint.as_deref().unwrap_or(HUB))
    }

    /// The same at another endpoint than the environment names: the Hub or a mirror of it.
    pub fn from_environment_at(endpoint: &str) -> Result<Self, Error> {
        Self::from(&environment::process, endpoint)
    }

    fn from(environment: Environment<'_>, endpoint: &str) -> Result<Self, Error> {
        let is_offline = ["HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"]
            .into_iter()
            .any(|name| is_true(environment(name).as_deref()));
        Ok(Self {
            token: Token::from_environment(environment),
            is_offline,
            cache: environment::cache(environment),
            ..Self::at(endpoint)?
        })
    }

    /// An endpoint and nothing of the environment: no token, no cache.
    pub fn at(endpoint: &str) -> Result<Self, Error> {
        Ok(Self {
            endpoint: Endpoint::parse(endpoint)?,
            token: Ok(None),
            timeout: TIMEOUT,
            patience: Duration::ZERO,
            stall: STALL,
            is_offline: false,
            cache: None,
            recordings: None,
            connections: Connections::default(),
        })
    }

    /// Whether this is the endpoint: scheme and host.
    pub(crate) fn is_at(&self, server: &str) -> bool {
        Endpoint::parse(server).is_ok_and(|other| other.is_origin_of(&self.endpoint.0))
    }

    /// Host and port of the endpoint.
    pub(crate) fn host(&self) -> String {
        self.endpoint.host()
    }

    /// What the client has to know.
    pub(super) fn settings(&self) -> Result<Settings, Error> {
        Ok(Settings {
            endpoint: self.endpoint.clone(),
            token: self.token.clone()?,
            stall: self.stall,
            budget: self.timeout,
            patience: self.patience,
            connections: self.connections.clone(),
        })
    }

    /// With this token; an empty one means none.
    pub fn token(mut self, token: &str) -> Result<Self, Error> {
        self.token = Ok(Token::new(token)?);
        Ok(self)
    }

    /// With so much time for all requests of one model together.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// With so much waiting for limits on requests, for each model, that is not taken from its
    /// time. At first there is none: a limit that takes longer than the time of the model ends its check.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// The host that asked all who share these connections to wait, and how long it still does.
    pub fn limit_left(&self) -> Option<(String, Duration)> {
        self.connections.longest_pause()
    }

    /// With so much time in which a server may be silent.
    #[must_use]
    pub fn stall(mut self, stall: Duration) -> Self {
        self.stall = stall;
        self
    }

    /// Without network: what the Hub's cache holds.
    #[must_use]
    pub fn offline(mut self) -> Self {
        self.is_offline = true;
        self
    }

    /// With a cache of recordings: what was read at a commit is not read again.
    #[must_use]
    pub fn recordings(mut self, cache: Arc<RecordingCache>) -> Self {
        self.recordings = Some(cache);
        self
    }

    /// With another folder as the Hub's cache.
    #[must_use]
    pub fn cache(mut self, cache: impl Into<PathBuf>) -> Self {
        self.cache = Some(cache.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_is_heard() {
        let variables = [
            ("HF_TOKEN", "hf_secret"),
            ("HF_HUB_OFFLINE", "1"),
            ("HF_HOME", "/h"),
        ];
        let environment = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        let options = HubOptions::from(&environment, "https://hf-mirror.example/").unwrap();
        assert_eq!(
            options.endpoint,
            Endpoint::parse("https://hf-mirror.example").unwrap()
        );
        assert!(matches!(options.token, Ok(Some(_))) && options.is_offline);
        assert_eq!(options.cache, Some("/h/hub".into()));
        assert!(!format!("{options:?}").contains("hf_secret"));

        let options = HubOptions::from(&|_| None, HUB).unwrap();
        assert_eq!(
            options.endpoint,
            Endpoint::parse("https://huggingface.co").unwrap()
        );
        assert!(options.token == Ok(None) && !options.is_offline && options.cache.is_none());
        assert!(HubOptions::from(&|_| None, "x").is_err());
    }
}
