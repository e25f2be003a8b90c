//! A [`Checkpoint`]: everything a snapshot says that does not depend on a transformers release.

use std::borrow::Cow;
use std::sync::OnceLock;

use crate::adapter::{self, ADAPTER_CONFIG, Adapter, Agreement, Modules};
use crate::architecture::{self, Comparison, Expected, Undescribed};
use crate::cache::KvCache;
use crate::config::Config;
use crate::config_defects;
use crate::context::context_length;
use crate::fact::{Defect, Fact};
use crate::generation_defects;
use crate::json::Document;
use crate::parameters::{self, Parameters, Role, Stored};
use crate::quantization::{self, Quantization};
use crate::sentence_transformers::{self, SentenceTransformers};
use crate::snapshot::{Content, File, Snapshot};
use crate::tokenizer_defects;
use crate::tokenizer_file::{self, TokenizerFile};
use crate::wanted::ADAPTER_WEIGHTS;
use crate::weights::{self, Shard, Weights};

/// Files that PEFT writes weights of an adapter to.
const ADAPTER_FILES: [&str; 2] = [ADAPTER_WEIGHTS, "adapter_model.bin"];

/// The parsed repository.
#[derive(Debug, Clone)]
pub struct Checkpoint<'a> {
    /// What it was read from.
    pub snapshot: &'a Snapshot,
    /// All files; empty where the listing is not known.
    pub files: &'a [File],
    /// `config.json`.
    pub config: Fact<Config>,
    /// `tokenizer_config.json`.
    pub tokenizer_config: Fact<Document>,
    /// `tokenizer.json`; absent also where it was not read.
    pub tokenizer_file: Fact<TokenizerFile>,
    /// `special_tokens_map.json`.
    pub(crate) special_tokens_map: Fact<Document>,
    /// `added_tokens.json`.
    pub(crate) added_tokens: Fact<Document>,
    /// Details of the tokenizer's small files that end its loading.
    pub tokenizer_defects: Vec<Defect>,
    /// Why one of these files was not read, where the loader reads it.
    pub tokenizer_unread: Option<String>,
    /// `generation_config.json`; absent also where Python finds no JSON in it, as the loader then goes on.
    pub generation_config: Fact<Document>,
    /// What the files of sentence-transformers say.
    pub sentence_transformers: Fact<SentenceTransformers>,
    /// The weights the loader opens; unavailable where the listing is.
    pub weights: Fact<Weights<'a>>,
    /// How they are quantised.
    pub quantization: Option<Quantization>,
    /// What a file says where the loader does not look, of weights that are plain.
    pub leftover_quantization: Option<Quantization>,
    /// How many parameters they hold.
    pub parameters: Parameters,
    /// Details of config.json that break a load.
    pub config_defects: Vec<Defect>,
    /// Settings of the quantisation that transformers refuses and engines do not mind.
    pub disputed_settings: Vec<Defect>,
    /// How the weights differ from the tensors of the class that loads them: known only where every
    /// header was read and the class is described, absent where it is not described.
    pub comparison: Fact<Comparison>,
    /// Tokens the model takes by its own account.
    pub context_length: Option<u64>,
    /// What an engine caches; none where the formula is not known.
    pub cache: Option<KvCache>,
    /// `adapter_config.json`, where it is PEFT's.
    pub adapter: Fact<Adapter>,
    /// The weights of the adapter, where this is one.
    pub adapter_weights: Option<Shard<'a>>,
    /// For an adapter: the model it adapts.
    pub base: Fact<Box<Checkpoint<'a>>>,
    told: Told,
}

/// What costs more than a look and is asked for again: by several rules, for each target, under each policy.
#[derive(Debug, Clone, Default)]
struct Told {
    /// See [`Checkpoint::compare_with`].
    other_class: OnceLock<(String, Fact<Comparison>)>,
    /// See [`Checkpoint::modules`].
    modules: OnceLock<Fact<Modules>>,
    /// See [`Checkpoint::agreement`].
    alone: OnceLock<Fact<Agreement>>,
    with_base: OnceLock<Fact<Agreement>>,
}

/// Whether a repository is a model or an adapter of one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A whole model.
    Model,
    /// An adapter (LoRA and the like) of another model.
    Adapter,
}

impl Kind {
    /// The word of the report.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Adapter => "adapter",
        }
    }
}

impl<'a> Checkpoint<'a> {
    /// Parses what a snapshot holds, and what its base does.
    pub fn read(snapshot: &'a Snapshot) -> Self {
        // One level: a base has no base.
        let base = snapshot.base.as_ref();
        Self {
            base: base.map(|base| Box::new(Self::without_base(base))),
            ..Self::without_base(snapshot)
        }
    }

    /// Parses what a snapshot holds and leaves its base alone.
    pub fn without_base(snapshot: &'a Snapshot) -> Self {
        let files = snapshot.files.known().map_or(&[][..], Vec::as_slice);
        let config = object(snapshot, "config.json").and_then(|document| {
            let place = document.root().place();
            let found = document.root().describe();
            Config::new(document).map_or_else(
                || {
                    let message = format!("config.json must hold an object, it holds {found}");
                    Fact::Malformed(Defect::at("config.json", place, message))
                },
                Fact::Known,
            )
        });
        let hf_quant_config = object(snapshot, "hf_quant_config.json");
        let quantize_config = object(snapshot, "quantize_config.json");
        let said = quantization::find(
            config.known(),
            quantize_config.known(),
            hf_quant_config.known(),
        )
        .or_else(|| {
            let has_map = files
                .iter()
                .any(|file| file.path == quantization::QUANTO_MAP && !file.may_be_absent());
            has_map.then(quantization::of_quanto)
        });
        let weights = snapshot
            .files
            .as_ref()
            .map(|_| weights::weights(snapshot, files, config.known()));
        let stored = weights.known().map_or_else(Stored::default, |weights| {
            parameters::stored(weights, said.as_ref())
        });
        let is_leftover = |said: &Quantization| {
            let of_weights =
                |weights| parameters::is_leftover(weights, &stored, said) == Some(true);
            !said.seen_by_loader && weights.known().is_some_and(of_weights)
        };
        let (leftover_quantization, quantization) = match said {
            Some(said) if is_leftover(&said) => (Some(said), None),
            said => (None, said),
        };
        let roles = weights.known().map_or_else(Vec::new, |weights| {
            parameters::roles(weights, &stored, quantization.as_ref())
        });
        let class = config.known().and_then(class_of);
        let class = class.as_deref();
        let expected = match (config.known(), class) {
            (Some(config), Some(class)) => Some(architecture::expected(class, config)),
            _ => None,
        };
        let comparison = match (&expected, class, weights.known()) {
            (Some(expected), Some(class), Some(weights)) => {
                let tensors = Tensors {
                    weights,
                    stored: &stored,
                    roles: &roles,
                };
                compare(class, expected, tensors, quantization.as_ref())
            }
            _ => Fact::Absent,
        };
        let parameters = weights.known().map_or_else(Parameters::default, |weights| {
            let context = parameters::Context {
                config: config.known(),
                quantization: quantization.as_ref(),
                expected: expected
                    .as_ref()
                    .and_then(|expected| expected.as_ref().ok()),
                not_loaded: not_loaded(config.known(), class, comparison.known()),
            };
            parameters::count(weights, &stored, &roles, context)
        });
        let adapter = object(snapshot, ADAPTER_CONFIG)
            .and_then(|document| Adapter::read(document).map_or(Fact::Absent, Fact::Known));
        let adapter_weights = (adapter.known().is_some()
            || snapshot.file(ADAPTER_WEIGHTS).is_some())
        .then(|| weights::adapter_weights(snapshot));
        let tokenizer_config = object(snapshot, "tokenizer_config.json");
        let added_tokens = of_older_tokenizer(snapshot, "added_tokens.json");
        let special_tokens_map = of_older_tokenizer(snapshot, "special_tokens_map.json");
        let of_tokenizer =
            tokenizer_defects::find(&tokenizer_config, &special_tokens_map, &added_tokens);
        Self {
            snapshot,
            files,
            tokenizer_defects: of_tokenizer.defects,
            tokenizer_unread: of_tokenizer.unread,
            special_tokens_map,
            added_tokens,
            tokenizer_config,
            tokenizer_file: tokenizer_file::read(snapshot),
            generation_config: generation_defects::read(snapshot),
            sentence_transformers: sentence_transformers::read(snapshot),
            config_defects: config.known().map(config_defects::find).unwrap_or_default(),
            disputed_settings: config
                .known()
                .map(config_defects::disputed)
                .unwrap_or_default(),
            comparison,
            context_length: config
                .known()
                .and_then(|config| context_length(&config.text())),
            cache: config.known().and_then(KvCache::of_engine),
            config,
            weights,
            quantization,
            leftover_quantization,
            parameters,
            adapter,
            adapter_weights,
            base: Fact::Absent,
            told: Told::default(),
        }
    }

    /// An `adapter_config.json` of PEFT makes an adapter, but for one beside a whole model: config.json and
    /// weights that the loader would open.
    pub fn kind(&self) -> Kind {
        let is_named = |file: &str| self.has_file(file) == Some(true);
        let is_adapter = match &self.adapter {
            Fact::Known(_) => true,
            Fact::Absent => ADAPTER_FILES.iter().any(|file| is_named(file)),
            // What cannot be read may be PEFT's; the file beside it tells.
            Fact::Malformed(_) | Fact::Unavailable(_) => {
                self.config.is_absent() || ADAPTER_FILES.iter().any(|file| is_named(file))
            }
        };
        if is_adapter && !self.is_whole_model() {
            Kind::Adapter
        } else {
            Kind::Model
        }
    }

    /// How the weights differ from the tensors of another class than [`Self::comparison`]'s, which may
    /// load them too.
    pub fn compare_with(&self, class: &str) -> Fact<Comparison> {
        let (compared, comparison) = self
            .told
            .other_class
            .get_or_init(|| (class.to_owned(), self.compared_with(class)));
        if compared == class {
            comparison.clone()
        } else {
            self.compared_with(class)
        }
    }

    fn compared_with(&self, class: &str) -> Fact<Comparison> {
        match (self.config.known(), self.weights.known()) {
            (Some(config), Some(weights)) => {
                let expected = architecture::expected(class, config);
                let quantization = self.quantization.as_ref();
                let stored = parameters::stored(weights, quantization);
                let tensors = Tensors {
                    weights,
                    stored: &stored,
                    roles: &parameters::roles(weights, &stored, quantization),
                };
                compare(class, &expected, tensors, quantization)
            }
            _ => Fact::Absent,
        }
    }

    /// As the base of an adapter: what LoRA can go on. Unavailable where neither its config nor its headers tell.
    pub fn modules(&self) -> &Fact<Modules> {
        self.told.modules.get_or_init(|| Modules::of(self))
    }

    /// What the files of this adapter say of one another and of the modules of `base`; absent where this is no
    /// adapter or nothing of it can be compared.
    pub fn agreement(&self, base: Option<&Modules>) -> Fact<Agreement> {
        let is_own = |base: &Modules| {
            let own = self.base.known().and_then(|base| base.modules().known());
            own.is_some_and(|own| std::ptr::eq(base, own))
        };
        let told = match base {
            None => &self.told.alone,
            Some(base) if is_own(base) => &self.told.with_base,
            Some(_) => return adapter::compare(self, base),
        };
        told.get_or_init(|| adapter::compare(self, base)).clone()
    }

    fn is_whole_model(&self) -> bool {
        use weights::Format;
        let loads = |weights: &Weights| {
            let format = weights.format;
            matches!(
                format,
                Format::Safetensors | Format::Pytorch | Format::Tensorflow | Format::Flax
            )
        };
        !self.config.is_absent() && self.weights.known().is_some_and(loads)
    }

    /// Whether the repository has a file at `path`; `None` where the listing is not known.
    pub fn has_file(&self, path: &str) -> Option<bool> {
        self.snapshot.files.known()?;
        Some(self.snapshot.file(path).is_some())
    }

    /// The first of `paths` that the repository has.
    pub fn first_file(&self, paths: &[&'static str]) -> Option<&'static str> {
        let has = |path: &str| {
            self.snapshot
                .file(path)
                .is_some_and(|file| !file.may_be_absent())
        };
        paths.iter().copied().find(|path| has(path))
    }

    /// Why it is not known whether the repository has one of `paths`, where it is not.
    pub fn unknown_file(&self, paths: &[&str]) -> Option<String> {
        paths.iter().find_map(|path| {
            let file = self.snapshot.file(path)?;
            match &file.content {
                Content::Unavailable(why) if file.may_be_absent() => {
                    Some(format!("`{path}`: {why}"))
                }
                _ => None,
            }
        })
    }

    /// The class that `tokenizer_config.json` names.
    pub fn tokenizer_class(&self) -> Option<&str> {
        let root = self.tokenizer_config.known()?.root();
        root.get("tokenizer_class")?.as_str()
    }
}

/// The class that would load the weights: the causal-LM class, or the class that `architectures` names
/// where that is another one.
fn class_of(config: &Config) -> Option<Cow<'_, str>> {
    let named = config.architectures().first().copied();
    let causal = config
        .whole()
        .class()
        .and_then(|class| class.causal_lm.clone());
    match (named, causal) {
        (Some(named), Some(causal)) if named.eq_ignore_ascii_case(&causal) => Some(causal.into()),
        (Some(named), _) if architecture::is_described(named) => Some(named.into()),
        (_, causal) => causal.map(Cow::Owned),
    }
}

/// The tensors of a checkpoint, and what each stands for.
struct Tensors<'a> {
    weights: &'a Weights<'a>,
    stored: &'a Stored<'a>,
    roles: &'a [Role],
}

/// Holds the weights against the class that would load them.
fn compare(
    class: &str,
    expected: &Result<Expected, Undescribed>,
    Tensors {
        weights,
        stored,
        roles,
    }: Tensors<'_>,
    quantization: Option<&Quantization>,
) -> Fact<Comparison> {
    if weights.format != weights::Format::Safetensors {
        return Fact::Absent;
    }
    let unread = weights.shards.iter().find(|shard| shard.header.is_unread());
    if let Some(shard) = unread {
        return Fact::Unavailable(format!("the header of `{}` was not read", shard.path));
    }
    if !weights.is_complete() {
        return Fact::Absent;
    }
    let expected = match expected {
        Ok(expected) => expected,
        Err(Undescribed::Class) => return Fact::Absent,
        // The class is known and this config of it makes no sense to us: that is not "fine".
        Err(why) => return Fact::Unavailable(format!("`{class}`: {why}")),
    };
    if let Some(method) = quantization
        .filter(|found| found.has_unknown_containers())
        .and_then(|found| found.method.as_deref())
    {
        return Fact::Unavailable(format!(
            "it is not known which tensors the method `{method}` puts in place of the weights"
        ));
    }
    let tensors = parameters::logical_tensors(weights, stored, roles, quantization);
    let pairs = tensors.iter().map(|tensor| (&*tensor.name, tensor.shape));
    let found = architecture::compare(expected, pairs);
    // What is wrong in any case stays so.
    let is_sound = found.missing.is_empty() && found.wrong_shape.is_empty();
    let Some(said) = quantization.filter(|said| is_sound && said.seen_by_loader) else {
        return Fact::Known(found);
    };
    if parameters::lacks_containers(stored, said) {
        return Fact::Unavailable(format!(
            "config.json says `{}`, and no tensor is packed",
            said.method.as_deref().unwrap_or("quantised")
        ));
    }
    match parameters::contradiction(stored, said) {
        Some(why) => Fact::Unavailable(why),
        None => Fact::Known(found),
    }
}

/// Tensors that the class does not have. They are only told apart from weights under other names where
/// nothing is missing, and from the other parts of a composite model where the class is the named one.
fn not_loaded<'c>(
    config: Option<&Config>,
    class: Option<&str>,
    comparison: Option<&'c Comparison>,
) -> &'c [String] {
    let named = config.and_then(|config| config.architectures().first().copied());
    let is_named = named
        .zip(class)
        .is_some_and(|(named, class)| named.eq_ignore_ascii_case(class));
    match comparison {
        Some(found) if is_named && found.missing.is_empty() && found.wrong_shape.is_empty() => {
            &found.unexpected
        }
        _ => &[],
    }
}

/// A file of tokenizers that were saved long ago. Most repositories lack it, so one that an offline cache does
/// not have is taken as absent.
fn of_older_tokenizer(snapshot: &Snapshot, path: &str) -> Fact<Document> {
    match snapshot.file(path) {
        Some(file) if file.may_be_absent() => Fact::Absent,
        _ => object(snapshot, path),
    }
}

/// A small JSON file that must hold an object; config.json's own shape is checked by its reader.
fn object(snapshot: &Snapshot, path: &str) -> Fact<Document> {
    weights::content(snapshot, path).and_then(|text| match Document::parse(text) {
        Ok(document) if document.root().is_object() || path == "config.json" => {
            Fact::Known(document)
        }
        Ok(document) => {
            let found = document.root().describe();
            Fact::Malformed(Defect::at(
                path,
                document.root().place(),
                format!("{path} must hold an object, it holds {found}"),
            ))
        }
        Err(error) => {
            let what = format!("{path} is not valid JSON: ");
            Fact::unparsed(path, text, &what, &error)
        }
    })
}
