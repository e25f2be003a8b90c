//! What the files of sentence-transformers say: that the model is used for vectors, and which kind.
//!
//! Source: `_get_model_type`, `_load_modules` and `save` of sentence-transformers 6.2.0,
//! `sentence_transformers/base/model.py`, <https://pypi.org/project/sentence-transformers/6.2.0/>;
//! releases before 5 wrote no `model_type`, and cross-encoders without any of these files.

use crate::fact::{Defect, Fact};
use crate::json::{Cursor, Document, Place};
use crate::snapshot::{Content, Snapshot};

const CONFIG: &str = "config_sentence_transformers.json";
const MODULES: &str = "modules.json";
/// Files that only sentence-transformers writes, each enough by itself.
const MARKS: [&str; 3] = ["1_Pooling/config.json", CONFIG, "sentence_bert_config.json"];

/// What kind of model sentence-transformers makes of the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// One vector for a text.
    Dense,
    /// One weight for each word of the vocabulary (SPLADE).
    Sparse,
    /// One vector for each token (`ColBERT`).
    MultiVector,
    /// A score for a pair of texts.
    CrossEncoder,
}

/// What the files say.
#[derive(Debug, Clone, PartialEq)]
pub struct SentenceTransformers {
    /// What kind of model it is.
    pub kind: Kind,
    /// Modules of the repository's own code, and where `modules.json` names them.
    pub custom_modules: Vec<(String, Place)>,
    /// What the library stops at when it loads the modules.
    pub defects: Vec<Defect>,
}

/// Reads them: absent where sentence-transformers did not write this repository, unavailable where a
/// file of it is there and was not read.
pub fn read(snapshot: &Snapshot) -> Fact<SentenceTransformers> {
    let (config, modules) = match (document(snapshot, CONFIG), document(snapshot, MODULES)) {
        (Ok(config), Ok(modules)) => (config, modules),
        (Err(why), _) | (_, Err(why)) => return Fact::Unavailable(why),
    };
    let classes: Vec<(String, Place)> = (modules.document())
        .iter()
        .flat_map(|document| document.root().elements().collect::<Vec<_>>())
        .filter_map(|module| {
            let class = module.get("type")?;
            Some((class.as_str()?.to_owned(), class.place()))
        })
        .collect();
    let has_mark = MARKS.iter().any(|path| is_there(snapshot, path));
    if !has_mark && classes.is_empty() {
        return Fact::Absent;
    }
    let written = config.document().and_then(|config| {
        let root = config.root();
        root.get_set("model_type")
            .as_ref()
            .and_then(Cursor::as_str)
            .and_then(of_model_type)
    });
    let mut defects = Vec::new();
    for (path, file) in [(CONFIG, &config), (MODULES, &modules)] {
        if let Json::Broken(why) = file {
            defects.push(Defect::of_file(path, format!("it is no JSON: {why}")));
        }
    }
    if let Some(modules) = modules.document() {
        let found = broken_modules(snapshot, modules).into_iter();
        defects.extend(found.map(|(place, what)| Defect::at(MODULES, place, what)));
    }
    Fact::Known(SentenceTransformers {
        kind: written.unwrap_or_else(|| of_modules(&classes)),
        custom_modules: classes
            .into_iter()
            .filter(|(class, _)| is_custom(snapshot, class))
            .collect(),
        defects,
    })
}

fn is_there(snapshot: &Snapshot, path: &str) -> bool {
    let file = snapshot.file(path);
    file.is_some_and(|file| !file.may_be_absent())
}

/// A small JSON file.
enum Json {
    Absent,
    Broken(String),
    Is(Document),
}

impl Json {
    fn document(&self) -> Option<&Document> {
        match self {
            Self::Is(document) => Some(document),
            Self::Absent | Self::Broken(_) => None,
        }
    }
}

fn document(snapshot: &Snapshot, path: &str) -> Result<Json, String> {
    let file = snapshot.file(path).filter(|file| !file.may_be_absent());
    match file.map(|file| &file.content) {
        None => Ok(Json::Absent),
        Some(Content::Whole(text)) => match Document::parse(text) {
            Ok(document) => Ok(Json::Is(document)),
            Err(error) if error.is_bound => Err(format!("`{path}`: {}", error.message)),
            Err(error) => Ok(Json::Broken(error.message)),
        },
        Some(_) => Err(format!("`{path}` was not read")),
    }
}

/// Modules that cannot be loaded: each entry needs a `type` and a `path`, and a module of the library
/// that is made from a config or weights needs these in its folder.
///
/// Source: `_load_sbert_model` of `SentenceTransformer.py`, and `load` of `models/{Pooling,Dense,LayerNorm}.py`,
/// <https://github.com/huggingface/sentence-transformers/tree/v5.1.0/sentence_transformers>
fn broken_modules(snapshot: &Snapshot, modules: &Document) -> Vec<(Place, String)> {
    let root = modules.root();
    if !root.is_array() {
        return vec![(root.place(), "it is no list of modules".into())];
    }
    let mut broken = Vec::new();
    for module in root.elements() {
        let text = |key: &str| {
            module
                .get(key)
                .as_ref()
                .and_then(Cursor::as_str)
                .map(str::to_owned)
        };
        let (Some(class), Some(path)) = (text("type"), text("path")) else {
            broken.push((
                module.place(),
                "a module needs a `type` and a `path`".into(),
            ));
            continue;
        };
        let Some((_, class)) = class
            .starts_with("sentence_transformers.")
            .then(|| class.rsplit_once('.'))
            .flatten()
        else {
            continue;
        };
        let in_folder = |name: &str| match path.as_str() {
            "" | "." => name.to_owned(),
            path => format!("{}/{name}", path.trim_end_matches('/')),
        };
        let has = |names: &[&str]| {
            names
                .iter()
                .any(|name| is_there(snapshot, &in_folder(name)))
        };
        let needs: &[&[&str]] = match class {
            "Pooling" => &[&["config.json"]],
            "Dense" | "LayerNorm" => &[
                &["config.json"],
                &["model.safetensors", "pytorch_model.bin"],
            ],
            _ => &[],
        };
        for names in needs.iter().filter(|names| !has(names)) {
            let name = in_folder(names[0]);
            broken.push((module.place(), format!("`{class}` has no `{name}`")));
        }
    }
    broken
}

/// Names of the library's classes, and `ColBERT` of `PyLate`.
fn of_model_type(name: &str) -> Option<Kind> {
    match name {
        "SentenceTransformer" => Some(Kind::Dense),
        "SparseEncoder" => Some(Kind::Sparse),
        "MultiVectorEncoder" | "ColBERT" => Some(Kind::MultiVector),
        "CrossEncoder" => Some(Kind::CrossEncoder),
        _ => None,
    }
}

fn of_modules(modules: &[(String, Place)]) -> Kind {
    let has = |part: &str| modules.iter().any(|(class, _)| class.contains(part));
    if has(".sparse_encoder.") {
        Kind::Sparse
    } else if has(".multi_vector_encoder.") || has("pylate.") {
        Kind::MultiVector
    } else if has(".cross_encoder.") {
        Kind::CrossEncoder
    } else {
        Kind::Dense
    }
}

/// Whether a module's class lies in a file of the repository: `custom_st.Transformer` in `custom_st.py`.
/// Classes of other installed libraries (`pylate.…`) do not.
fn is_custom(snapshot: &Snapshot, class: &str) -> bool {
    let local = class.split_once("--").map_or(class, |(_, local)| local);
    let Some((module, _)) = local.rsplit_once('.') else {
        return false;
    };
    class != local
        || snapshot
            .file(&format!("{}.py", module.replace('.', "/")))
            .is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::snapshot::File;

    fn of(files: &[(&str, Content)]) -> Fact<SentenceTransformers> {
        let files: Vec<File> = files
            .iter()
            .map(|(path, content)| File {
                path: (*path).into(),
                size: Some(1),
                sha256: None,
                content: content.clone(),
            })
            .collect();
        read(&Snapshot::of_files(files))
    }

    fn text(text: &str) -> Content {
        Content::Whole(text.as_bytes().to_vec())
    }

    #[test]
    fn the_kind_that_the_files_name() {
        let transformer = r#"[{"type": "sentence_transformers.models.Transformer"}]"#;
        for (path, content, kind) in [
            ("1_Pooling/config.json", Content::Listed, Kind::Dense),
            ("sentence_bert_config.json", Content::Listed, Kind::Dense),
            (MODULES, text(transformer), Kind::Dense),
            (CONFIG, text("{}"), Kind::Dense),
            (CONFIG, text("no JSON"), Kind::Dense),
            (
                CONFIG,
                text(r#"{"model_type": "SentenceTransformer"}"#),
                Kind::Dense,
            ),
            (
                CONFIG,
                text(r#"{"model_type": "SparseEncoder"}"#),
                Kind::Sparse,
            ),
            (
                CONFIG,
                text(r#"{"model_type": "CrossEncoder"}"#),
                Kind::CrossEncoder,
            ),
            (
                CONFIG,
                text(r#"{"model_type": "ColBERT"}"#),
                Kind::MultiVector,
            ),
            (
                MODULES,
                text(
                    r#"[{"type": "sentence_transformers.models.Transformer"}, {"type": "pylate.models.Dense.Dense"}]"#,
                ),
                Kind::MultiVector,
            ),
            (
                MODULES,
                text(r#"[{"type": "sentence_transformers.sparse_encoder.models.SpladePooling"}]"#),
                Kind::Sparse,
            ),
        ] {
            let found = of(&[(path, content.clone())]);
            let found = found.known().map(|found| found.kind);
            assert_eq!(found, Some(kind), "{path} {content:?}");
        }
    }

    #[test]
    fn files_of_other_programs_say_nothing() {
        assert_eq!(of(&[]), Fact::Absent);
        for other in ["{}", "[]", r#"[{"name": "x"}]"#, "[1]", "no JSON"] {
            assert_eq!(of(&[(MODULES, text(other))]), Fact::Absent, "{other}");
        }
    }

    #[test]
    fn what_was_not_read_is_not_known() {
        for path in [MODULES, CONFIG] {
            let found = of(&[
                (path, Content::Pointer),
                ("1_Pooling/config.json", Content::Listed),
            ]);
            assert_eq!(found, Fact::Unavailable(format!("`{path}` was not read")));
        }
    }

    #[test]
    fn what_the_library_stops_at_is_named() {
        let defects = |modules: &str, others: &[&str]| {
            let mut files = vec![(MODULES, text(modules)), (CONFIG, text("{}"))];
            files.extend(others.iter().map(|path| (*path, Content::Listed)));
            let found = of(&files);
            let found = found.known().map(|found| found.defects.clone());
            let found = found.into_iter().flatten();
            found.map(|defect| defect.message).collect::<Vec<_>>()
        };
        let module = |class: &str| {
            format!(r#"[{{"type": "sentence_transformers.models.{class}", "path": "1_X"}}]"#)
        };
        assert_eq!(defects("{", &[]).len(), 1);
        assert_eq!(defects("{}", &[]), ["it is no list of modules"]);
        assert_eq!(defects("[1, {}]", &[]).len(), 2);
        assert_eq!(
            defects(&module("Pooling"), &[]),
            ["`Pooling` has no `1_X/config.json`"]
        );
        assert!(defects(&module("Pooling"), &["1_X/config.json"]).is_empty());
        assert_eq!(
            defects(&module("Dense"), &["1_X/config.json"]),
            ["`Dense` has no `1_X/model.safetensors`"]
        );
        let dense = ["1_X/config.json", "1_X/pytorch_model.bin"];
        assert!(defects(&module("Dense"), &dense).is_empty());
        assert!(defects(&module("Normalize"), &[]).is_empty());
        assert!(
            defects(
                r#"[{"type": "pylate.models.Dense.Dense", "path": "1_Dense"}]"#,
                &[]
            )
            .is_empty()
        );
    }

    #[test]
    fn modules_of_the_repositorys_own_code() {
        let custom = |modules: &str| {
            let found = of(&[(MODULES, text(modules)), ("custom_st.py", Content::Listed)]);
            found.known().map_or(0, |found| found.custom_modules.len())
        };
        assert_eq!(custom(r#"[{"type": "custom_st.Transformer"}]"#), 1);
        assert_eq!(custom(r#"[{"type": "acme/code--custom.Transformer"}]"#), 1);
        assert_eq!(
            custom(r#"[{"type": "sentence_transformers.models.Pooling"}]"#),
            0
        );
        assert_eq!(custom(r#"[{"type": "pylate.models.Dense.Dense"}]"#), 0);
    }
}
