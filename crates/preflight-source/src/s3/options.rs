//! How S3 is asked: what the environment and the profile say.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;
use tokio::sync::Mutex;

use super::address::{Style, is_region};
use super::profile::{Profiles, file};
use crate::Error;
use crate::http::Connections;
use crate::hub::{STALL, TIMEOUT};

const USUAL_PROFILE: &str = "default";

/// The environment S3 is asked in: the variables that all tools of AWS know, and the time there is.
#[derive(Clone)]
pub struct S3Options {
    variables: BTreeMap<String, String>,
    pub(super) timeout: Duration,
    pub(super) patience: Duration,
    pub(super) stall: Duration,
    /// Clones of these options share their connections, and the credentials that were found.
    pub(super) connections: Connections,
    pub(super) login: Arc<Mutex<Option<super::credentials::Found>>>,
}

/// Names only: values are credentials.
impl fmt::Debug for S3Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("S3Options")
            .field("variables", &self.variables.keys())
            .field("timeout", &self.timeout)
            .field("stall", &self.stall)
            .finish_non_exhaustive()
    }
}

impl S3Options {
    /// What the environment of the process says (`docs/s3.md` lists the variables).
    pub fn from_environment() -> Self {
        let is_heard = |name: &str| name.starts_with("AWS_") || name == HOME;
        let variables = std::env::vars_os().filter_map(|(name, value)| {
            let name = name.into_string().ok().filter(|name| is_heard(name))?;
            Some((name, value.into_string().ok()?))
        });
        Self::of(variables)
    }

    /// Only these variables, and nothing of the environment.
    pub fn of<Name: Into<String>, Value: Into<String>>(
        variables: impl IntoIterator<Item = (Name, Value)>,
    ) -> Self {
        let variables = variables
            .into_iter()
            .map(|(name, value)| (name.into(), value.into()));
        Self {
            variables: variables
                .filter(|(_, value): &(String, String)| !value.is_empty())
                .collect(),
            timeout: TIMEOUT,
            patience: Duration::ZERO,
            stall: STALL,
            connections: Connections::default(),
            login: Arc::default(),
        }
    }

    /// With so much time for all requests of one model together.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// With so much waiting for limits on requests, for each model, that is not taken from its time. At first there is
    /// none: a limit that takes longer than the time of the model ends its check.
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
}

const HOME: &str = if cfg!(windows) { "USERPROFILE" } else { "HOME" };

/// What the options come to, with the files they name.
#[derive(Debug, Clone)]
pub(super) struct Settings {
    pub(super) options: S3Options,
    pub(super) profiles: Profiles,
    pub(super) profile: String,
    /// Another place than AWS.
    pub(super) endpoint: Option<Url>,
    /// None where nobody says: the bucket itself does.
    pub(super) region: Option<String>,
    pub(super) style: Option<Style>,
    /// Whether the user accepts the costs of a bucket whose requester pays.
    pub(super) is_payer: bool,
}

impl Settings {
    pub(super) fn new(options: &S3Options) -> Result<Self, Error> {
        let get = |name: &str| options.variables.get(name).map(String::as_str);
        let home = get(HOME).map(PathBuf::from);
        let config = file(get("AWS_CONFIG_FILE"), home.as_deref(), ".aws/config");
        let credentials = file(
            get("AWS_SHARED_CREDENTIALS_FILE"),
            home.as_deref(),
            ".aws/credentials",
        );
        let profiles = Profiles::read(config.as_deref(), credentials.as_deref());
        let named = get("AWS_PROFILE").or_else(|| get("AWS_DEFAULT_PROFILE"));
        let profile = named.unwrap_or(USUAL_PROFILE);
        let section = profiles.profile(profile);
        if section.is_none() && named.is_some_and(|name| name != USUAL_PROFILE) {
            return Err(Error::Usage(format!(
                "`AWS_PROFILE` names the profile `{profile}`, which is in neither of the files that `aws configure` writes"
            )));
        }
        let mut settings = Self {
            options: options.clone(),
            profile: profile.into(),
            endpoint: None,
            region: get("AWS_REGION")
                .or_else(|| get("AWS_DEFAULT_REGION"))
                .or_else(|| section?.get("region").map(String::as_str))
                .map(str::to_owned),
            style: match section
                .and_then(|section| section.get("s3.addressing_style"))
                .map(String::as_str)
            {
                Some("path") => Some(Style::Path),
                Some("virtual") => Some(Style::Virtual),
                _ => None,
            },
            // As GDAL and rclone have it; the AWS CLI has an argument.
            is_payer: get("AWS_REQUEST_PAYER") == Some("requester"),
            profiles,
        };
        if let Some(region) = settings
            .region
            .as_deref()
            .filter(|region| !is_region(region))
        {
            return Err(Error::Usage(format!(
                "`{region}` is not the name of a region (AWS_REGION)"
            )));
        }
        settings.endpoint = settings.service("s3")?;
        Ok(settings)
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.options.variables.get(name).map(String::as_str)
    }

    pub(super) fn variables(&self) -> &BTreeMap<String, String> {
        &self.options.variables
    }

    pub(super) fn home(&self) -> Option<PathBuf> {
        self.variable(HOME).map(PathBuf::from)
    }

    /// The endpoint that the user has for a service.
    ///
    /// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
    pub(super) fn service(&self, service: &str) -> Result<Option<Url>, Error> {
        if self.variable("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS") == Some("true") {
            return Ok(None);
        }
        let own = format!("AWS_ENDPOINT_URL_{}", service.to_ascii_uppercase());
        let named = self
            .variable(&own)
            .or_else(|| self.variable("AWS_ENDPOINT_URL"))
            .or_else(|| self.profiles.endpoint(&self.profile, service));
        let Some(text) = named else {
            return Ok(None);
        };
        let is_plain = |url: &Url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.username().is_empty()
                && url.password().is_none()
                && url.query().is_none()
        };
        // The text itself may hold a password and is not shown.
        match Url::parse(text).ok().filter(is_plain) {
            Some(url) => Ok(Some(url)),
            None => Err(Error::Usage(format!(
                "the endpoint for `{service}` (`{own}`, `AWS_ENDPOINT_URL` or `endpoint_url` of the profile) is not an address like `https://host:port`"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(variables: &[(&str, &str)]) -> Result<Settings, Error> {
        Settings::new(&S3Options::of(variables.iter().copied()))
    }

    #[test]
    fn region_and_endpoint_have_an_order() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config");
        std::fs::write(&config, "[default]\nregion = eu-west-3\nendpoint_url = http://h:1\ns3 =\n  addressing_style = virtual\n[profile p]\nregion = ap-south-1\n").unwrap();
        let file = ("AWS_CONFIG_FILE", config.to_str().unwrap());
        let all = [
            file,
            ("AWS_REGION", "a-1"),
            ("AWS_DEFAULT_REGION", "b-1"),
            ("AWS_ENDPOINT_URL", "http://g"),
            ("AWS_ENDPOINT_URL_S3", "http://s:9000"),
        ];
        let found = settings(&all).unwrap();
        assert_eq!(found.region.as_deref(), Some("a-1"));
        assert_eq!(found.endpoint.unwrap().as_str(), "http://s:9000/");
        let found = settings(&[file, all[2], all[3]]).unwrap();
        assert_eq!(found.region.as_deref(), Some("b-1"));
        assert_eq!(found.endpoint.unwrap().as_str(), "http://g/");
        let found = settings(&[file]).unwrap();
        assert_eq!(found.region.as_deref(), Some("eu-west-3"));
        assert_eq!(found.endpoint.unwrap().as_str(), "http://h:1/");
        assert_eq!(found.style, Some(Style::Virtual));
        let found = settings(&[
            file,
            ("AWS_PROFILE", "p"),
            ("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "true"),
        ])
        .unwrap();
        assert_eq!(found.region.as_deref(), Some("ap-south-1"));
        assert!(found.endpoint.is_none() && !found.is_payer);
        assert!(
            settings(&[("AWS_REQUEST_PAYER", "requester")])
                .unwrap()
                .is_payer
        );
    }

    #[test]
    fn what_cannot_be_understood_is_said() {
        for (name, value) in [
            ("AWS_PROFILE", "nowhere"),
            ("AWS_REGION", "evil.example/"),
            ("AWS_ENDPOINT_URL", "minio:9000"),
            ("AWS_ENDPOINT_URL_S3", "https://user:hunter2@h/"),
        ] {
            let error = settings(&[(name, value)]).unwrap_err();
            assert!(
                error.is_usage() && error.to_string().contains(name),
                "{error}"
            );
            assert!(!error.to_string().contains("hunter2"));
        }
    }

    #[test]
    fn values_are_never_shown() {
        let options = S3Options::of([("AWS_SECRET_ACCESS_KEY", "hunter2")]);
        let shown = format!("{options:?} {:?}", Settings::new(&options).unwrap());
        assert!(
            shown.contains("AWS_SECRET_ACCESS_KEY") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
