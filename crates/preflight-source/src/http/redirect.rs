//! Redirects, followed by hand: the credential stays at the origin it was given for.

use reqwest::header::{HeaderMap, LOCATION};
use reqwest::{StatusCode, Url};

/// Most redirects of one request. The Hub needs one or two: renamed repository, then file.
pub(crate) const REDIRECTS_MAX: usize = 5;

/// Whether an answer sends us elsewhere.
pub(crate) fn is_redirect(status: StatusCode) -> bool {
    matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308)
}

/// Where an answer from `here` sends us, or why we do not go there.
pub(crate) fn next(here: &Url, headers: &HeaderMap) -> Result<Url, String> {
    let location = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let location = location.ok_or("a redirect that does not say where to")?;
    let there = here
        .join(location)
        .map_err(|_| "a redirect to what is no address")?;
    match (here.scheme(), there.scheme()) {
        (_, "https") | ("http", "http") => Ok(there),
        ("https", "http") => Err(format!(
            "a redirect from https to http, at `{}`",
            host(&there)
        )),
        (_, scheme) => Err(format!("a redirect to `{scheme}:`")),
    }
}

/// `host[:port]`: all of an address that a message shows. Paths and queries of signed addresses
/// are credentials.
pub(crate) fn host(url: &Url) -> String {
    let host = url.host_str().unwrap_or_default();
    match url.port() {
        Some(port) => format!("{host}:{port}"),
        None => host.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(here: &str, location: &str) -> Result<String, String> {
        let headers = HeaderMap::from_iter([(LOCATION, location.parse().unwrap())]);
        next(&Url::parse(here).unwrap(), &headers).map(Into::into)
    }

    #[test]
    fn relative_and_absolute() {
        let here = "https://hub/org/name/resolve/c/f?x=1";
        assert_eq!(
            to(here, "/api/cache/f?e=%22a%22").unwrap(),
            "https://hub/api/cache/f?e=%22a%22"
        );
        assert_eq!(to(here, "g").unwrap(), "https://hub/org/name/resolve/c/g");
        assert_eq!(to(here, "//cdn/f").unwrap(), "https://cdn/f");
        assert_eq!(
            to(here, "https://cdn:444/f?s=1").unwrap(),
            "https://cdn:444/f?s=1"
        );
        assert_eq!(
            to("http://hub/f", "https://hub/f").unwrap(),
            "https://hub/f"
        );
    }

    #[test]
    fn never_to_a_lesser_protocol() {
        let why = |location| to("https://user:word@hub/f", location).unwrap_err();
        assert_eq!(
            why("http://user:word@cdn:81/f?sig=1"),
            "a redirect from https to http, at `cdn:81`"
        );
        assert_eq!(why("file:///etc/passwd"), "a redirect to `file:`");
        assert_eq!(why("https://"), "a redirect to what is no address");
        assert_eq!(
            next(&Url::parse("https://hub").unwrap(), &HeaderMap::new()).unwrap_err(),
            "a redirect that does not say where to"
        );
    }
}
