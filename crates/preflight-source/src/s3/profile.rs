//! The files that `aws configure` writes: profiles with credentials, region and endpoint.
//!
//! Source: <https://docs.aws.amazon.com/sdkref/latest/guide/file-format.html>

use std::collections::BTreeMap;
use std::fmt;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Most bytes of such a file; one with a thousand profiles has some 100 kB.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// Keys and values; a key of a nested block is `block.key`. Values may be secrets.
pub(super) type Section = BTreeMap<String, String>;

/// All sections of both files, by their names in the config file: `profile x`, `sso-session x`, `services x`.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Profiles(BTreeMap<String, Section>);

impl fmt::Debug for Profiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

impl Profiles {
    /// Reads both files. One that is not there, or not for us, says nothing: as for all tools of AWS.
    pub(super) fn read(config: Option<&Path>, credentials: Option<&Path>) -> Self {
        let mut profiles = Self::default();
        profiles.add(&text(config), str::to_owned);
        profiles.add(&text(credentials), |name| format!("profile {name}"));
        profiles
    }

    /// Adds the sections of a file; what is there already is replaced, key by key.
    fn add(&mut self, text: &str, name: impl Fn(&str) -> String) {
        let mut section: Option<String> = None;
        let mut block: Option<String> = None;
        for line in text.lines() {
            let is_nested = line.starts_with([' ', '\t']);
            let line = line.trim();
            if line.is_empty() || line.starts_with(['#', ';']) {
                continue;
            }
            if let Some(title) = line.strip_prefix('[') {
                let title = title.split(']').next().unwrap_or_default();
                let words: Vec<&str> = title.split_whitespace().collect();
                section = Some(match words.as_slice() {
                    ["default"] => "profile default".to_owned(),
                    words => name(&words.join(" ").replace(['"', '\''], "")),
                });
                block = None;
                continue;
            }
            let (Some(section), Some((key, value))) = (&section, line.split_once('=')) else {
                continue;
            };
            let (key, value) = (key.trim().to_ascii_lowercase(), value.trim());
            let key = match (&block, is_nested) {
                (Some(block), true) => format!("{block}.{key}"),
                _ if value.is_empty() => {
                    block = Some(key);
                    continue;
                }
                _ => {
                    block = None;
                    key
                }
            };
            self.0
                .entry(section.clone())
                .or_default()
                .insert(key, value.to_owned());
        }
    }

    pub(super) fn profile(&self, name: &str) -> Option<&Section> {
        self.0.get(&format!("profile {name}"))
    }

    pub(super) fn sso_session(&self, name: &str) -> Option<&Section> {
        self.0.get(&format!("sso-session {name}"))
    }

    /// The endpoint that a profile has for a service, else for all of them.
    ///
    /// Source: <https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html>
    pub(super) fn endpoint(&self, profile: &str, service: &str) -> Option<&str> {
        let profile = self.profile(profile)?;
        let of_service = || {
            let services = self
                .0
                .get(&format!("services {}", profile.get("services")?))?;
            services.get(&format!("{service}.endpoint_url"))
        };
        let endpoint = of_service().or_else(|| profile.get("endpoint_url"));
        endpoint.map(String::as_str)
    }
}

/// The text of a file; none of what is no file: a pipe would keep us waiting.
fn text(path: Option<&Path>) -> String {
    let mut bytes = Vec::new();
    if let Some(path) = path.filter(|path| path.is_file())
        && let Ok(file) = File::open(path)
    {
        // Half a file is as good as none.
        let is_read = file.take(FILE_BYTES_MAX).read_to_end(&mut bytes).is_ok();
        bytes.truncate(if is_read { bytes.len() } else { 0 });
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A file that a variable names, else one in the home folder.
pub(super) fn file(named: Option<&str>, home: Option<&Path>, usual: &str) -> Option<PathBuf> {
    match named {
        Some(path) => match path.strip_prefix("~/") {
            Some(rest) => home.map(|home| home.join(rest)),
            None => Some(PathBuf::from(path)),
        },
        None => home.map(|home| home.join(usual)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn profiles(config: &str, credentials: &str) -> Profiles {
        let mut profiles = Profiles::default();
        profiles.add(config, str::to_owned);
        profiles.add(credentials, |name| format!("profile {name}"));
        profiles
    }

    const CONFIG: &str = "
# a comment
[default]
region = eu-west-1

[profile work]
region=us-west-2
services = local
sso_session = corp
s3 =
  addressing_style = path
  max_concurrent_requests = 20
output = json
endpoint_url = http://all:1

[sso-session corp]
sso_region = eu-central-1
[services local]
s3 =
    endpoint_url = http://minio:9000
sts =
    endpoint_url = http://sts:1
";

    #[test]
    fn both_files_are_one() {
        let both = profiles(
            CONFIG,
            "[default]\naws_access_key_id = AK\n; x\n[work]\nRegion = eu-north-1\n",
        );
        let default = both.profile("default").unwrap();
        assert_eq!(default["region"], "eu-west-1");
        assert_eq!(default["aws_access_key_id"], "AK");
        let work = both.profile("work").unwrap();
        assert_eq!(work["region"], "eu-north-1", "the credentials file wins");
        assert_eq!(work["s3.addressing_style"], "path");
        assert_eq!(work["output"], "json", "a block ends with its indentation");
        assert_eq!(
            both.sso_session("corp").unwrap()["sso_region"],
            "eu-central-1"
        );
        assert_eq!(both.profile("corp"), None);
    }

    #[test]
    fn the_endpoint_of_a_service_comes_first() {
        let both = profiles(CONFIG, "");
        assert_eq!(both.endpoint("work", "s3"), Some("http://minio:9000"));
        assert_eq!(both.endpoint("work", "sts"), Some("http://sts:1"));
        assert_eq!(both.endpoint("work", "sso"), Some("http://all:1"));
        assert_eq!(both.endpoint("default", "s3"), None);
    }

    #[test]
    fn odd_files_do_no_harm() {
        for odd in [
            "",
            "x = 1",
            "[",
            "[]",
            "[profile",
            "[profile x]\n= y\nno equals\n  nested = 1",
            "\u{feff}[default]\n\0",
        ] {
            profiles(odd, odd);
        }
        let both = profiles("[profile x]\naws_secret_access_key = SECRET", "");
        assert_eq!(format!("{both:?}"), "{\"profile x\"}");
    }

    #[test]
    fn files_are_where_a_variable_says() {
        let home = Some(Path::new("/h"));
        assert_eq!(
            file(None, home, ".aws/config"),
            Some("/h/.aws/config".into())
        );
        assert_eq!(file(Some("~/c"), home, "x"), Some("/h/c".into()));
        assert_eq!(file(Some("/c"), None, "x"), Some("/c".into()));
        assert_eq!(file(None, None, "x"), None);
        assert_eq!(
            Profiles::read(Some(Path::new("/dev/zero")), None),
            Profiles::default()
        );
    }
}
