//! What the files of sentence-transformers say: that the model is used for vectors, and which kind.
//!
//! Source: `_get_model_type`, `_load_modules` and `save` of sentence-transformers 6.2.0,
//! `sentence_transformers/base/model.py`, <https://pypi.org/project/sentence-transformers/6.2.0/>;
//! releases before 5 wrote no `model_type`, and cross-encoders without any of these files.

use crate::fact::Fact;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentenceTransformers {
    /// What kind of model it is.
    pub kind: Kind,
    /// Modules of the repository's own code, and where `modules.json` names them.
    pub custom_modules: Vec<(String, Place)>,
}

/// Reads them: absent where sentence-transformers did not write this repository, unavailable where a
/// file of it is there and was not read.
pub fn read(snapshot: &Snapshot) -> Fact<SentenceTransformers> {
    let config = match document(snapshot, CONFIG) {
        Ok(config) => config,
        Err(why) => return Fact::Unavailable(why),
    };
    let modules = match document(snapshot, MODULES) {
        Ok(modules) => modules,
        Err(why) => return Fact::Unavailable(why),
    };
    let modules: Vec<(String, Place)> = modules
        .iter()
        .flat_map(|document| document.root().elements().collect::<Vec<_>>())
        .filter_map(|module| {
            let class = module.get("type")?;
            Some((class.as_str()?.to_owned(), class.place()))
        })
        .collect();
    let has_mark = MARKS.iter().any(|path| {
        let file = snapshot.file(path);
        file.is_some_and(|file| !file.may_be_absent())
    });
    if !has_mark && modules.is_empty() {
        return Fact::Absent;
    }
    let written = config.as_ref().and_then(|config| {
        let root = config.root();
        root.get_set("model_type")
            .as_ref()
            .and_then(Cursor::as_str)
            .and_then(of_model_type)
    });
    Fact::Known(SentenceTransformers {
        kind: written.unwrap_or_else(|| of_modules(&modules)),
        custom_modules: modules
            .into_iter()
            .filter(|(class, _)| is_custom(snapshot, class))
            .collect(),
    })
}

/// A small JSON file, where it is there. One that is no JSON says nothing.
fn document(snapshot: &Snapshot, path: &str) -> Result<Option<Document>, String> {
    let file = snapshot.file(path).filter(|file| !file.may_be_absent());
    match file.map(|file| &file.content) {
        None => Ok(None),
        Some(Content::Whole(text)) => match Document::parse(text) {
            Err(error) if error.is_bound => Err(format!("`{path}`: {}", error.message)),
            parsed => Ok(parsed.ok()),
        },
        Some(_) => Err(format!("`{path}` was not read")),
    }
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
    use crate::snapshot::{Access, File, Origin, SourceKind};

    fn of(files: &[(&str, Content)]) -> Fact<SentenceTransformers> {
        let mut files: Vec<File> = files
            .iter()
            .map(|(path, content)| File {
                path: (*path).into(),
                size: Some(1),
                sha256: None,
                content: content.clone(),
            })
            .collect();
        files.sort_by(|one, other| one.path.cmp(&other.path));
        read(&Snapshot {
            origin: Origin {
                input: String::new(),
                source: SourceKind::Hub,
                stands_for: SourceKind::Hub,
                id: None,
                revision: None,
                commit: None,
            },
            access: Access::Open,
            observed_at: None,
            files: Fact::Known(files),
            container: Fact::Absent,
            base: Fact::Absent,
        })
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
