//! Where requests start, and who may see the credential.

use reqwest::Url;

use super::redirect::host;
use crate::Error;

/// The Hub or a mirror of it: where all addresses start.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint(pub(crate) Url);

impl Endpoint {
    /// An endpoint as the user spells it.
    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        let url = Url::parse(text.trim_end_matches('/')).ok();
        let url = url.filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
        let Some(mut url) = url else {
            // It may hold a password and is not shown.
            return Err(Error::Usage(
                "the endpoint of the Hub is no address: write `https://host`".into(),
            ));
        };
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::Usage(
                "the endpoint of the Hub holds a user or a password: give a token with `--token` or `HF_TOKEN`".into(),
            ));
        }
        url.set_query(None);
        url.set_fragment(None);
        Ok(Self(url))
    }

    /// Whether `url` is at the same origin, and so may see the credential.
    pub(crate) fn is_origin_of(&self, url: &Url) -> bool {
        self.0.origin() == url.origin()
    }

    /// The host, for messages.
    pub(crate) fn host(&self) -> String {
        host(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_an_address() {
        for text in [
            "",
            "huggingface.co",
            "ftp://host",
            "https://",
            "file:///etc",
            "https://user:word@host",
        ] {
            assert!(Endpoint::parse(text).unwrap_err().is_usage(), "{text}");
        }
        let mirror = Endpoint::parse("https://host:8443/?query").unwrap();
        assert_eq!(mirror.host(), "host:8443");
        assert!(mirror.is_origin_of(&Url::parse("https://host:8443/x").unwrap()));
        for other in [
            "http://host:8443/",
            "https://host/",
            "https://host.evil:8443/",
        ] {
            assert!(!mirror.is_origin_of(&Url::parse(other).unwrap()), "{other}");
        }
    }
}
