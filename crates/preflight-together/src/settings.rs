//! Whom to ask, and as whom.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;
use serde_json::Value;

use crate::Error;

/// Where the API is, with its version.
/// Source: `servers` of <https://github.com/togethercomputer/openapi/blob/main/openapi.yaml>
const BASE_URL: &str = "https://api.together.ai/v1";
/// Hosts of the platform. Its client of release 3 takes their addresses without the version.
const PLATFORM: [&str; 2] = ["api.together.ai", "api.together.xyz"];
/// Most characters of a key; the platform's have some 70.
const KEY_MAX: usize = 1000;
/// Fewest characters of a key that is told from a word; a mock server may take any.
const KEY_TOLD_MIN: usize = 8;

/// An API key. Never shown, neither by `Debug` nor in a message.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(String);

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

impl Key {
    /// A key as the user gave it.
    pub fn new(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.is_empty() {
            return Err(Error::Usage(
                "no API key of the platform is given: set `TOGETHER_API_KEY`".into(),
            ));
        }
        if text.len() > KEY_MAX || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            // The text itself is a secret and not shown.
            return Err(Error::Usage(
                "the API key has characters that no key has".into(),
            ));
        }
        Ok(Self(text.into()))
    }

    /// A server's words without the key: one that echoes what it was sent must not make us show it.
    pub(crate) fn redact(&self, text: &str) -> String {
        text.replace(&self.0, "…")
    }

    /// Whether an answer repeats it anywhere: what an answer says is kept in a file and shown.
    pub(crate) fn is_in(&self, answer: &Value) -> bool {
        let repeats = |text: &str| self.0.len() >= KEY_TOLD_MIN && text.contains(&self.0);
        match answer {
            Value::String(text) => repeats(text),
            Value::Array(items) => items.iter().any(|item| self.is_in(item)),
            Value::Object(members) => members
                .iter()
                .any(|(name, value)| repeats(name) || self.is_in(value)),
            Value::Null | Value::Bool(_) | Value::Number(_) => false,
        }
    }

    /// The value of the header `Authorization`.
    pub(crate) fn authorization(&self) -> Result<HeaderValue, Error> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.0))
            .map_err(|_| Error::Usage("the API key has characters that no key has".into()))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

/// Whom to ask, as whom, for how long.
#[derive(Debug, Clone)]
pub struct Settings {
    base: Url,
    pub(crate) key: Key,
    pub(crate) budget: Duration,
}

impl Settings {
    /// Settings for the platform, or for what stands at `base_url`: an address with the version, as
    /// `https://api.together.ai/v1`. The key goes nowhere else, and over an encrypted connection unless the
    /// address is of this machine.
    pub fn new(key: Key, base_url: Option<&str>, budget: Duration) -> Result<Self, Error> {
        let given = base_url.map_or(BASE_URL, str::trim);
        let wrong = |why: &str| Error::Usage(format!("the address of the API {why}"));
        let mut base = Url::parse(given).map_err(|_| wrong("is no URL"))?;
        if !base.username().is_empty() || base.password().is_some() {
            return Err(wrong("holds a password"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(wrong("ends in a query or a fragment"));
        }
        let host = base.host_str().unwrap_or_default().to_owned();
        let is_here = matches!(host.as_str(), "localhost" | "127.0.0.1" | "[::1]");
        match base.scheme() {
            "https" => {}
            "http" if is_here => {}
            "http" => {
                return Err(wrong(
                    "has to begin with `https://`: the key would be sent in the clear",
                ));
            }
            _ => return Err(wrong("has to begin with `https://`")),
        }
        if PLATFORM.contains(&host.as_str()) && base.path() == "/" {
            base.set_path("/v1");
        }
        Ok(Self { base, key, budget })
    }

    /// The address without anything secret, as reports name it.
    pub fn origin(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    pub(crate) fn host(&self) -> String {
        self.base.host_str().unwrap_or_default().to_owned()
    }

    /// The address of a path below the base, with a query.
    pub(crate) fn url(&self, path: &str, query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        url.set_path(&format!(
            "{}/{path}",
            self.base.path().trim_end_matches('/')
        ));
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(base_url: Option<&str>) -> Result<Settings, Error> {
        Settings::new(
            Key::new("sk-secret").unwrap(),
            base_url,
            Duration::from_secs(1),
        )
    }

    #[test]
    fn the_key_is_never_shown() {
        let key = Key::new(" sk-secret\n").unwrap();
        assert_eq!(format!("{key:?}"), "Key(…)");
        assert_eq!(format!("{:?}", key.authorization().unwrap()), "Sensitive");
        assert_eq!(key.redact("Bearer sk-secret?"), "Bearer …?");
        assert!(!format!("{:?}", settings(None).unwrap()).contains("secret"));
        for answer in [
            r#"{"models": ["acme/sk-secret-7b"]}"#,
            r#"{"models": ["acme/sk-\u0073ecret"]}"#,
            r#"{"data": [{"sk-secret": 1}]}"#,
        ] {
            let answer = serde_json::from_str(answer).unwrap();
            assert!(key.is_in(&answer), "{answer}");
        }
        let answer = serde_json::from_str(r#"{"models": ["acme/sk-secre"], "t": [1, null]}"#);
        assert!(!key.is_in(&answer.unwrap()));
        let word = serde_json::from_str(r#"{"models": ["acme/test"]}"#).unwrap();
        assert!(!Key::new("test").unwrap().is_in(&word));
        for wrong in ["", "  ", "sk-sec\nret", "sk-sécret"] {
            let error = Key::new(wrong).unwrap_err();
            assert!(
                error.is_usage() && !error.to_string().contains("sk-"),
                "{error}"
            );
        }
    }

    #[test]
    fn addresses() {
        for (given, origin) in [
            (None, "https://api.together.ai/v1"),
            (
                Some("https://api.together.ai"),
                "https://api.together.ai/v1",
            ),
            (
                Some("https://api.together.xyz/v1/"),
                "https://api.together.xyz/v1",
            ),
            (Some("http://127.0.0.1:4010"), "http://127.0.0.1:4010"),
            (
                Some("https://gateway.example/together/v1"),
                "https://gateway.example/together/v1",
            ),
        ] {
            assert_eq!(settings(given).unwrap().origin(), origin);
        }
        let url = settings(Some("http://localhost:1/v1/"))
            .unwrap()
            .url("a/b", &[("model_name", "x/y z&k=1")]);
        assert_eq!(
            url.as_str(),
            "http://localhost:1/v1/a/b?model_name=x%2Fy+z%26k%3D1"
        );
        for wrong in [
            "api.together.ai",
            "",
            "ftp://api.together.ai",
            "http://api.together.ai/v1",
            "https://user:pass@api.together.ai/v1",
            "https://api.together.ai/v1?key=sk",
            "file:///etc/passwd",
        ] {
            let error = settings(Some(wrong)).unwrap_err();
            assert!(
                error.is_usage() && !error.to_string().contains("pass@"),
                "{wrong}: {error}"
            );
        }
    }
}
