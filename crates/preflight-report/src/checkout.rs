//! Where findings stand in the user's checkout: for the formats whose readers open files there. A CI
//! system takes only a path that is relative to the checkout's root, and refuses a whole report for one
//! that is not, so every finding gets one.

use std::path::{Component, Path, PathBuf};

use preflight_rules::report::{Finding, ModelReport};

/// Most characters of a path: longer ones are an attack.
const PATH_MAX: usize = 1_000;

/// Ends of files that people read. `upload-sarif` reads every file that a result stands in, character by
/// character (<https://github.com/github/codeql-action/blob/main/src/fingerprints.ts>), which takes hours for weights,
/// and nobody sees an annotation there.
const TEXT: [&str; 5] = [".json", ".jinja", ".md", ".py", ".txt"];

/// What is known of the place where the program runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkout {
    /// Root of the checkout, absolute.
    pub root: PathBuf,
    /// The same root as others spell it, by way of links: paths that begin so are inside too.
    pub root_also: Vec<PathBuf>,
    /// The working folder, absolute: where the user's relative paths start.
    pub folder: PathBuf,
    /// The place that the user named for all findings.
    pub location: Option<Location>,
}

/// A place in a file of the checkout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Location {
    /// Path from the root, `/` between its parts, none of them `..`.
    pub path: String,
    /// Line, from 1.
    pub line: u32,
    /// Column in characters, from 1.
    pub column: Option<u32>,
}

impl Checkout {
    /// A place for a finding, or for the model as a whole: what the user named; else in the model's
    /// folder, where that is in the checkout; else under the model's name, as if it were a folder. What is
    /// found in a file that is no text stands at the model's configuration.
    pub(crate) fn place(&self, model: &ModelReport, finding: Option<&Finding>) -> Location {
        if let Some(location) = &self.location {
            return location.clone();
        }
        let home = self.home(model);
        let is_file = model.source == "archive" && is_local(model);
        let finding = finding.filter(|finding| !is_local(model) || is_text(finding));
        let file = finding.and_then(|finding| finding.path.as_deref());
        if is_file || (file.is_none() && !home.is_empty() && !is_local(model)) {
            return Location {
                path: home,
                line: 1,
                column: None,
            };
        }
        let main = match model.kind {
            "adapter" => "adapter_config.json",
            _ => "config.json",
        };
        let mut parts: Vec<String> = Vec::new();
        parts.extend(Some(home).filter(|home| !home.is_empty()));
        parts.extend(Some(steps(Path::new(file.unwrap_or(main)))).filter(|path| !path.is_empty()));
        Location {
            path: parts.join("/").chars().take(PATH_MAX).collect(),
            line: finding.and_then(|finding| finding.line).unwrap_or(1).max(1),
            column: finding
                .and_then(|finding| finding.column)
                .filter(|column| *column > 0),
        }
    }

    /// Whether a place is in the model's own files, so that a message need not say which model.
    pub(crate) fn is_own(&self, model: &ModelReport) -> bool {
        self.location.is_none() && is_local(model) && model.source != "archive"
    }

    /// Whether a place is the finding's own, so that its message need not repeat it either.
    pub(crate) fn is_of(&self, model: &ModelReport, finding: &Finding) -> bool {
        self.is_own(model) && is_text(finding)
    }

    /// The model's folder or archive from the root of the checkout; empty where it is the root.
    pub(crate) fn home(&self, model: &ModelReport) -> String {
        if is_local(model) {
            let path = settled(&self.folder.join(&model.input));
            return steps(&self.inside(&path).unwrap_or(path));
        }
        let name = model.id.as_deref().unwrap_or(&model.input);
        let name = name.split_once("://").map_or(name, |(_, rest)| rest);
        let name = name.split(['?', '#']).next().unwrap_or(name);
        let home = steps(Path::new(name));
        if home.is_empty() {
            "model".into()
        } else {
            home
        }
    }

    /// A path from the root, where it is inside.
    fn inside(&self, path: &Path) -> Option<PathBuf> {
        let mut roots = std::iter::once(&self.root).chain(&self.root_also);
        roots.find_map(|root| Some(path.strip_prefix(settled(root)).ok()?.into()))
    }

    /// Reads `FILE[:LINE[:COLUMN]]`, FILE as the user's shell has it. What is wrong with it, else.
    pub fn locate(&self, text: &str) -> Result<Location, &'static str> {
        let (rest, last) = number_behind(text);
        let (file, before) = match last {
            Some(_) => number_behind(rest),
            None => (rest, None),
        };
        let (line, column) = match (before, last) {
            (Some(line), column) => (line, column),
            (None, line) => (line.unwrap_or(1), None),
        };
        // `12x` or nothing behind the last colon is a slip, and not the end of a file's name.
        let tail = rest_of(file);
        if tail.is_some_and(|tail| {
            let tail = tail.trim_start_matches(['-', '+', ' ']);
            tail.is_empty() || tail.starts_with(|c: char| c.is_ascii_digit())
        }) {
            return Err("what stands behind the `:` is no line");
        }
        if line == 0 || column == Some(0) {
            return Err("lines and columns are counted from 1");
        }
        let path = settled(&self.folder.join(file));
        let inside = self.inside(&path);
        let path = steps(&inside.ok_or("the file is not in the checkout")?);
        if file.is_empty() || path.is_empty() {
            return Err("write FILE:LINE, as in `models.yaml:12`");
        }
        Ok(Location { path, line, column })
    }
}

/// The text before a last `:` and the number behind it, where there is one.
fn number_behind(text: &str) -> (&str, Option<u32>) {
    let split = text.rsplit_once(':');
    match split.and_then(|(before, digits)| Some((before, digits.parse().ok()?))) {
        Some((before, number)) => (before, Some(number)),
        None => (text, None),
    }
}

/// The text behind the last `:`.
fn rest_of(file: &str) -> Option<&str> {
    file.rsplit_once(':').map(|(_, tail)| tail)
}

/// Whether it is about no one file, or one of text.
fn is_text(finding: &Finding) -> bool {
    let path = finding.path.as_deref();
    path.is_none_or(|path| TEXT.iter().any(|end| path.ends_with(end)))
}

fn is_local(model: &ModelReport) -> bool {
    match model.source {
        "folder" | "recording" => true,
        "archive" => !model.input.contains("://"),
        _ => false,
    }
}

/// A path without `.` and, where that can be told from its text, without `..`.
fn settled(path: &Path) -> PathBuf {
    let mut settled = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                settled.pop();
            }
            part => settled.push(part),
        }
    }
    settled
}

/// The named parts of a path with `/` between them: nothing that leads upwards or to a root.
fn steps(path: &Path) -> String {
    let names = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name.to_string_lossy()),
        _ => None,
    });
    names.collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checkout() -> Checkout {
        Checkout {
            root: "/src/repo".into(),
            root_also: vec!["/link/../home".into()],
            folder: "/src/repo/work".into(),
            location: None,
        }
    }

    fn model(source: &'static str, input: &str, id: Option<&str>) -> ModelReport {
        ModelReport {
            source,
            input: input.into(),
            id: id.map(Into::into),
            ..ModelReport::default()
        }
    }

    fn at(path: &str, line: u32) -> Finding {
        Finding {
            message: "odd".into(),
            path: Some(path.into()),
            pointer: None,
            line: Some(line),
            column: Some(2),
        }
    }

    #[track_caller]
    fn stands(model: &ModelReport, finding: Option<&Finding>, path: &str, line: u32) {
        let place = checkout().place(model, finding);
        assert_eq!((place.path.as_str(), place.line), (path, line));
    }

    #[test]
    fn a_folder_of_the_checkout_is_named_from_its_root() {
        let finding = at("config.json", 3);
        for (input, path) in [
            ("./my-model", "work/my-model/config.json"),
            ("..", "config.json"),
            (".", "work/config.json"),
            ("/src/repo/a/../b/", "b/config.json"),
            ("/data/b", "data/b/config.json"),
            ("/home/b", "b/config.json"),
            ("../../../..", "config.json"),
        ] {
            stands(&model("folder", input, None), Some(&finding), path, 3);
        }
        stands(
            &model("recording", "r", Some("a/b")),
            None,
            "work/r/config.json",
            1,
        );
        stands(
            &model("archive", "m.tar.gz", None),
            Some(&finding),
            "work/m.tar.gz",
            1,
        );
    }

    #[test]
    fn a_remote_model_stands_under_its_name() {
        let finding = at("config.json", 3);
        let hub = model("hub", "acme/tiny@main", Some("acme/tiny"));
        stands(&hub, Some(&finding), "acme/tiny/config.json", 3);
        stands(&hub, None, "acme/tiny", 1);
        let s3 = model("s3", "s3://bucket/a//../prefix/", None);
        stands(&s3, Some(&finding), "bucket/a/prefix/config.json", 3);
        let url = model("archive", "https://h:1/m.zip?…", None);
        stands(&url, Some(&finding), "h:1/m.zip/config.json", 3);
    }

    #[test]
    fn what_is_found_in_weights_stands_at_the_configuration() {
        let folder = model("folder", "m", None);
        let shard = at("model-00001-of-00002.safetensors", 1);
        stands(&folder, Some(&shard), "work/m/config.json", 1);
        assert!(checkout().is_own(&folder) && !checkout().is_of(&folder, &shard));
        assert!(checkout().is_of(&folder, &at("chat_template.jinja", 1)));
        let adapter = ModelReport {
            kind: "adapter",
            ..folder
        };
        let weights = at("adapter_model.safetensors", 1);
        stands(&adapter, Some(&weights), "work/m/adapter_config.json", 1);
        // Of a model elsewhere there is no such file to read.
        let hub = model("hub", "acme/tiny", Some("acme/tiny"));
        stands(&hub, Some(&at("a.bin", 1)), "acme/tiny/a.bin", 1);
    }

    #[test]
    fn no_path_of_a_repository_leaves_the_checkout() {
        let folder = model("folder", "m", None);
        stands(
            &folder,
            Some(&at("../../../etc/a.json", 3)),
            "work/m/etc/a.json",
            3,
        );
        stands(&folder, Some(&at("/etc/a.json", 0)), "work/m/etc/a.json", 1);
        stands(&folder, Some(&at("..", 1)), "work/m/config.json", 1);
        stands(
            &model("hub", "..", Some("../..")),
            Some(&at("..", 1)),
            "model",
            1,
        );
        let long = checkout().place(&folder, Some(&at(&("a".repeat(9_999) + ".json"), 1)));
        assert_eq!(long.path.len(), PATH_MAX);
    }

    #[test]
    fn what_the_user_names_is_the_place_of_all() {
        let located = |text: &str| {
            checkout()
                .locate(text)
                .map(|it| (it.path, it.line, it.column))
        };
        assert_eq!(located("m.yaml:12"), Ok(("work/m.yaml".into(), 12, None)));
        assert_eq!(
            located("../m.yaml:12:5"),
            Ok(("m.yaml".into(), 12, Some(5)))
        );
        assert_eq!(located("m.yaml"), Ok(("work/m.yaml".into(), 1, None)));
        assert_eq!(located("/home/m.yaml:3"), Ok(("m.yaml".into(), 3, None)));
        assert_eq!(located("a:b:7"), Ok(("work/a:b".into(), 7, None)));
        assert!(located("m.yaml:0").is_err() && located("m.yaml:1:0").is_err());
        assert!(located("").is_err() && located(":3").is_err() && located("..:3").is_err());
        assert!(located("../../other/m.yaml:3").is_err());
        for slip in [
            "m.yaml:",
            "m.yaml:12x",
            "m.yaml:-3",
            "m.yaml:1-5",
            "m.yaml: 12",
            "m.yaml:99999999999",
            "m.yaml:1:2:3",
        ] {
            assert_eq!(
                located(slip),
                Err("what stands behind the `:` is no line"),
                "{slip}"
            );
        }
        let windows = "C:\\models\\m.yaml:3";
        assert_eq!(located(windows).map(|it| it.1), Ok(3));
        let location = checkout().locate("m.yaml:12").unwrap();
        let named = Checkout {
            location: Some(location.clone()),
            ..checkout()
        };
        let hub = model("hub", "acme/tiny", None);
        assert_eq!(named.place(&hub, Some(&at("config.json", 3))), location);
        assert!(!named.is_own(&hub));
    }
}
