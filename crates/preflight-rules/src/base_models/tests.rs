use super::*;
use crate::structure::Mixer;

/// `HuggingFaceTB/SmolLM2-1.7B-Instruct`, the platform's own example.
const SMOLLM2: ModelShape = ModelShape {
    model_type: Some("llama"),
    class: Some("LlamaForCausalLM"),
    parameters: Some(1_711_376_384),
    parameters_at_least: None,
    parameters_at_most: None,
    context_length: Some(8192),
    is_multimodal: false,
    structure: None,
};

fn catalog(id: &str) -> &'static Catalog {
    Catalog::load(id).unwrap()
}

/// The judgement of a base model in the catalog that has it.
fn judge(base: &BaseModel, shape: &ModelShape, options: &Options) -> Judgement {
    let mut catalogs = Catalog::shipped().iter();
    let catalog = catalogs.find(|catalog| catalog.get(&base.name) == Some(base));
    super::judge(base, catalog.unwrap(), shape, options)
}

fn base(name: &str) -> &'static BaseModel {
    let mut catalogs = Catalog::shipped().iter();
    catalogs.find_map(|catalog| catalog.get(name)).unwrap()
}

fn names(ranked: &[BaseModelMatch]) -> Vec<&str> {
    ranked.iter().map(|row| row.name.as_str()).collect()
}

/// Those that can be proposed.
fn proposed(ranked: &[BaseModelMatch]) -> Vec<BaseModelMatch> {
    let proposed = ranked.iter().filter(|base| base.verdict.is_proposal());
    proposed.cloned().collect()
}

fn place(ranked: &[BaseModelMatch], name: &str) -> usize {
    ranked.iter().position(|row| row.name == name).unwrap()
}

fn texts(judged: &Judgement) -> Vec<&str> {
    judged
        .reasons
        .iter()
        .map(|reason| reason.text.as_str())
        .collect()
}

fn code_llama() -> Vec<[String; 2]> {
    vec![["code_llama".into(), "llama".into()]]
}

#[test]
fn the_platforms_example_comes_first() {
    let ranked = rank(&SMOLLM2, catalog("together-2025"), &Options::default());
    assert_eq!(ranked.len(), 93);
    assert_eq!(ranked[0].name, "togethercomputer/llama-2-7b-chat");
    assert!(ranked[0].compatible);
    assert_eq!(
        ranked[0].reasons,
        [
            "7B parameters, 4.1 times the checkpoint's 1.7B",
            "same architecture, `llama`",
            "trains with up to 4096 tokens a sequence, within the checkpoint's 8192",
        ]
    );
}

#[test]
fn the_smaller_sibling_of_the_example_gets_the_same_base() {
    let smallest = ModelShape {
        parameters: Some(134_515_008),
        ..SMOLLM2
    };
    let ranked = rank(&smallest, catalog("together-2025"), &Options::default());
    assert_eq!(ranked[0].name, "togethercomputer/llama-2-7b-chat");
    assert_eq!(
        ranked[0].reasons[0],
        "7B parameters, 52 times the checkpoint's 135M"
    );
}

#[test]
fn a_longer_base_is_compatible_but_ranks_lower_and_says_what_to_pass() {
    let name = "meta-llama/Llama-3.2-1B-Instruct";
    let ranked = rank(&SMOLLM2, catalog("together-2025"), &Options::default());
    let row = &ranked[place(&ranked, name)];
    assert!(row.compatible);
    assert_eq!(
        row.reasons[0],
        "trains with up to 131072 tokens a sequence, the checkpoint takes 8192: pass a `max_seq_length` of at most 8192"
    );
    for shorter in [
        "meta-llama/Meta-Llama-3-8B-Instruct",
        "meta-llama/Meta-Llama-3-70B-Instruct",
    ] {
        assert!(place(&ranked, shorter) < place(&ranked, name), "{shorter}");
    }
    assert!(place(&ranked, name) < place(&ranked, "Qwen/Qwen3-1.7B"));
}

#[test]
fn where_every_base_is_too_long_the_nearest_size_comes_first() {
    let ranked = rank(&SMOLLM2, catalog("together-2026"), &Options::default());
    let proposed = proposed(&ranked);
    assert_eq!(
        names(&proposed),
        [
            "meta-llama/Meta-Llama-3.1-8B-Instruct-Reference",
            "meta-llama/Llama-3.3-70B-Instruct-Reference",
        ]
    );
    assert_eq!(proposed[..], ranked[..2]);
    assert!(
        ranked[0].reasons[0].contains("4.7 times"),
        "{:?}",
        ranked[0].reasons
    );
}

#[test]
fn another_architecture_disqualifies_and_nothing_else_is_said() {
    let qwen25 = ModelShape {
        model_type: Some("qwen2"),
        class: Some("Qwen2ForCausalLM"),
        parameters: Some(7_615_616_512),
        context_length: Some(32768),
        ..ModelShape::default()
    };
    let judged = judge(base("Qwen/Qwen3-4B"), &qwen25, &Options::default());
    assert_eq!(judged.architecture, Architecture::Different);
    assert!(!judged.compatible);
    assert_eq!(
        texts(&judged),
        ["architecture `qwen3`, the checkpoint's is `qwen2`"]
    );

    let mixtral = ModelShape {
        model_type: Some("mixtral"),
        parameters: Some(46_702_792_704),
        context_length: Some(32768),
        ..ModelShape::default()
    };
    let on_mistral = judge(
        base("mistralai/Mistral-7B-v0.1"),
        &mixtral,
        &Options::default(),
    );
    assert!(!on_mistral.compatible);
    let gemma = ModelShape {
        model_type: Some("gemma"),
        ..ModelShape::default()
    };
    assert!(!judge(base("google/gemma-3-4b-it"), &gemma, &Options::default()).compatible);
}

#[test]
fn code_llama_counts_as_llama_where_the_policy_says_so() {
    let shape = ModelShape {
        model_type: Some("code_llama"),
        ..SMOLLM2
    };
    let llama = base("togethercomputer/llama-2-7b-chat");
    assert!(!judge(llama, &shape, &Options::default()).compatible);
    let pairs = code_llama();
    let options = Options {
        same_architecture: &pairs,
        ..Options::default()
    };
    let judged = judge(llama, &shape, &options);
    assert_eq!(judged.architecture, Architecture::Same);
    assert!(texts(&judged).contains(&"`code_llama` counts as `llama`"));
}

/// Llama 4 is one class with and without its vision tower to the causal-LM mapping.
#[test]
fn the_text_part_of_a_multimodal_base_matches_with_a_warning() {
    let text = ModelShape {
        model_type: Some("llama4_text"),
        ..ModelShape::default()
    };
    let scout = base("meta-llama/Llama-4-Scout-17B-16E-Instruct");
    let judged = judge(scout, &text, &Options::default());
    assert!(judged.compatible);
    assert_eq!(judged.architecture, Architecture::TextPart);
    assert_eq!(judged.reasons[0].weight, Weight::Warns);
}

/// Gemma 3 is another class with and without its vision tower.
#[test]
fn another_class_of_the_same_family_disqualifies() {
    let of = |model_type| ModelShape {
        model_type: Some(model_type),
        parameters: Some(999_885_952),
        context_length: Some(32768),
        ..ModelShape::default()
    };
    let (text, whole) = (of("gemma3_text"), of("gemma3"));
    for release in [None, Release::parse("4.55")] {
        let options = Options {
            release,
            ..Options::default()
        };
        let judged = judge(base("google/gemma-3-4b-it"), &text, &options);
        assert!(!judged.compatible);
        assert_eq!(
            texts(&judged),
            [
                "of the same family, but `gemma3` is loaded as `Gemma3ForConditionalGeneration` and the checkpoint's `gemma3_text` as `Gemma3ForCausalLM`"
            ]
        );
        assert!(!judge(base("google/gemma-3-1b-it"), &whole, &options).compatible);
        let best = |shape| proposed(&rank(shape, catalog("together-2025"), &options));
        assert_eq!(
            names(&best(&text))[..2],
            ["google/gemma-3-1b-it", "google/gemma-3-1b-pt"]
        );
        assert_eq!(best(&whole).len(), 6);
    }
}

/// Where a class is not known, the family counts.
#[test]
fn classes_that_are_not_known_do_not_disqualify() {
    let bare = |model_type: &str| -> BaseModel {
        let value = serde_json::json!({
            "name": "acme/new", "hf_repo": null, "model_type": model_type, "architecture": null,
            "parameters": null, "parameters_from": null, "training_types": [],
            "context_sft": null, "context_dpo": null, "lora_max_rank": null, "vlm": false,
        });
        serde_json::from_value(value).unwrap()
    };
    let text = ModelShape {
        model_type: Some("of_tomorrow_text"),
        ..ModelShape::default()
    };
    let options = Options::default();
    let tomorrow = bare("of_tomorrow");
    let judged = super::judge(&tomorrow, catalog("together-2026"), &text, &options);
    assert_eq!(judged.architecture, Architecture::TextPart);
}

#[test]
fn a_base_of_unknown_structure_never_disqualifies() {
    let judged = judge(base("moonshotai/Kimi-K2.6"), &SMOLLM2, &Options::default());
    assert_eq!(judged.architecture, Architecture::NotCompared);
    assert!(judged.compatible);
    let t5 = ModelShape {
        model_type: Some("t5"),
        ..ModelShape::default()
    };
    assert!(rank(&t5, catalog("together-2026"), &Options::default())[0].compatible);
    let ranked = rank(&t5, catalog("together-2026"), &Options::default());
    assert_eq!(proposed(&ranked), []);
    let unknown = ModelShape::default();
    let judged = judge(base("Qwen/Qwen3-4B"), &unknown, &Options::default());
    assert_eq!(judged.architecture, Architecture::NotCompared);
    assert_eq!(
        texts(&judged),
        [
            "the checkpoint's architecture is not known, so it was not compared",
            "4B; the checkpoint's size is not known",
            "trains with up to 32768 tokens a sequence; the checkpoint's context length is not known",
        ]
    );
}

#[test]
fn the_class_speaks_where_the_type_is_missing() {
    let by_class = |class| ModelShape {
        class: Some(class),
        ..ModelShape::default()
    };
    let qwen3 = base("Qwen/Qwen3-4B");
    let same = judge(qwen3, &by_class("Qwen3ForCausalLM"), &Options::default());
    assert_eq!(same.architecture, Architecture::Same);
    let other = judge(qwen3, &by_class("Qwen2ForCausalLM"), &Options::default());
    assert_eq!(other.architecture, Architecture::Different);
}

#[test]
fn full_fine_tuning_needs_a_base_that_does_it_only_when_asked() {
    let lora_only = base("meta-llama/Meta-Llama-3.1-8B-131k-Instruct-Reference");
    let open = judge(lora_only, &SMOLLM2, &Options::default());
    assert!(open.compatible);
    assert!(texts(&open).contains(&"trained with LoRA only"));
    let full = Options {
        training_type: Some(TrainingType::Full),
        ..Options::default()
    };
    let asked = judge(lora_only, &SMOLLM2, &full);
    assert!(!asked.compatible);
    assert_eq!(
        texts(&asked)[0],
        "trained with LoRA only, and full fine-tuning was asked for"
    );
    assert!(judge(base("togethercomputer/llama-2-7b-chat"), &SMOLLM2, &full).compatible);
}

#[test]
fn preference_training_has_its_own_lengths() {
    let shape = ModelShape {
        model_type: Some("qwen3"),
        parameters: Some(8_190_735_360),
        context_length: Some(32768),
        ..ModelShape::default()
    };
    let dpo = Options {
        method: TrainingMethod::Dpo,
        ..Options::default()
    };
    // 32768 tokens for SFT, 40960 for DPO, as printed.
    assert_eq!(
        rank(&shape, catalog("together-2025"), &Options::default())[0].name,
        "Qwen/Qwen3-8B"
    );
    let ranked = rank(&shape, catalog("together-2025"), &dpo);
    assert_eq!(ranked[0].name, "Qwen/Qwen3-8B-Base");
}

#[test]
fn image_variants_come_last_for_text_models_only() {
    let text = ModelShape {
        model_type: Some("gemma4"),
        parameters: Some(31_000_000_000),
        context_length: Some(262_144),
        ..ModelShape::default()
    };
    let ranked = rank(&text, catalog("together-2026"), &Options::default());
    let (plain, vlm) = ("google/gemma-4-31B-it", "google/gemma-4-31B-it-VLM");
    assert_eq!(ranked[0].name, plain);
    assert!(place(&ranked, "google/gemma-4-26B-A4B-it") < place(&ranked, vlm));
    assert!(
        !judge(
            base(vlm),
            &ModelShape {
                is_multimodal: true,
                ..text
            },
            &Options::default()
        )
        .reasons
        .iter()
        .any(|reason| reason.text.contains("images"))
    );
}

const B: u64 = 1_000_000_000;

/// The example with bounds of its size alone.
fn between(least: Option<u64>, most: Option<u64>) -> ModelShape<'static> {
    ModelShape {
        parameters: None,
        parameters_at_least: least,
        parameters_at_most: most,
        ..SMOLLM2
    }
}

#[test]
fn bounds_are_enough_to_rank_by_size() {
    let seven = base("togethercomputer/llama-2-7b-chat");
    let distance = |shape: &ModelShape| {
        let distance = Distance::of(seven, shape)?;
        Some((distance.larger, distance.smaller))
    };
    assert_eq!(
        distance(&between(Some(6 * B), Some(8 * B))),
        Some((7 * u128::from(B), 7 * B))
    );
    assert_eq!(
        distance(&between(Some(14 * B), None)),
        Some((14 * u128::from(B), 7 * B))
    );
    assert_eq!(
        distance(&between(None, Some(B))),
        Some((7 * u128::from(B), B))
    );
    assert_eq!(distance(&between(None, None)), None);
    // Hostile figures neither divide by zero nor overflow.
    assert!(distance(&between(Some(0), Some(0))).is_some());
    let huge = judge(
        seven,
        &between(Some(u64::MAX), Some(0)),
        &Options::default(),
    );
    assert!(huge.compatible);
}

/// A size between bounds is near to nothing: what is known of it is told, and no ratio.
#[test]
fn bounds_of_a_size_are_no_size() {
    let wide = between(Some(2 * B), Some(15 * B));
    let ranked = rank(&wide, catalog("together-2025"), &Options::default());
    let row = |name| &ranked[place(&ranked, name)];
    let seven = row("togethercomputer/llama-2-7b-chat");
    assert_eq!((seven.size_ratio, seven.score.size), (None, Some(1.0)));
    assert!(
        seven
            .reasons
            .contains(&"7B parameters, the checkpoint has between 2B and 15B".into()),
        "{:?}",
        seven.reasons
    );
    // Those within are told apart by what comes next, and 70B are beyond in any case.
    let seventy = row("meta-llama/Meta-Llama-3-70B-Instruct");
    assert!(place(&ranked, &seven.name) < place(&ranked, &seventy.name));
    assert_eq!(seventy.size_ratio, None);
    let of = |shape: &ModelShape| size_reason(base("togethercomputer/llama-2-7b-chat"), shape);
    for (shape, weight, text) in [
        (
            between(None, Some(B)),
            Weight::Warns,
            "7B parameters, at least 7.0 times the checkpoint's, which has at most 1B",
        ),
        (
            between(Some(21 * B), None),
            Weight::Warns,
            "7B parameters, the checkpoint has at least 21B, at least 3.0 times that",
        ),
        (
            between(Some(6_999_999_999), Some(7_000_000_001)),
            Weight::Informs,
            "7B parameters, the checkpoint has about 7B",
        ),
        (
            between(Some(7 * B), Some(7 * B)),
            Weight::Informs,
            "7B parameters, near the checkpoint's 7B",
        ),
    ] {
        assert_eq!(of(&shape), Some(reason(weight, text)));
    }
}

#[test]
fn sizes_read_as_people_say_them() {
    for (count, text) in [
        (134_515_008, "135M"),
        (999_885_952, "1B"),
        (1_711_376_384, "1.7B"),
        (7_000_000_000, "7B"),
        (70_553_706_496, "70.6B"),
        (671_026_404_352, "671B"),
        (999_950_000_000, "1000B"),
        (0, "0M"),
        (u64::MAX, "18446744074B"),
    ] {
        assert_eq!(billions(count), text);
    }
}

/// The platform's example with the structure that its config.json gives.
fn smollm2() -> ModelShape<'static> {
    ModelShape {
        structure: Some(Structure {
            attention_heads: Some(32),
            kv_heads: Some(32),
            latent: Some(false),
            head_dim: Some(64),
            vocabulary: Some(49152),
            tokenizer: Some("GPT2".into()),
            tied: Some(true),
            rope: Some("default".into()),
            experts: Some(0),
            experts_per_token: None,
            mixers: Some(vec![Mixer::Attention]),
        }),
        ..SMOLLM2
    }
}

/// The platform itself pairs these two, so nothing in which they differ may disqualify.
#[test]
fn what_the_platforms_example_differs_in_is_told_and_no_obstacle() {
    let judged = judge(
        base("togethercomputer/llama-2-7b-chat"),
        &smollm2(),
        &Options::default(),
    );
    assert!(judged.compatible);
    assert!(texts(&judged).contains(
        &"differs in head size (128, the checkpoint's 64), vocabulary (32000, the checkpoint's 49152), tokenizer (Llama, the checkpoint's GPT2) and tied embeddings (no, the checkpoint's yes), which is no obstacle"
    ));
    let ranked = rank(&smollm2(), catalog("together-2025"), &Options::default());
    assert_eq!(ranked[0].name, "togethercomputer/llama-2-7b-chat");
    let score = ranked[0].score;
    assert_eq!((score.architecture, score.length), (1.0, Some(1.0)));
    assert_eq!(format!("{:.2}", score.size.unwrap()), "0.24");
    assert_eq!(format!("{:.2}", score.structure.unwrap()), "0.33");
    assert_eq!(format!("{:.2}", ranked[0].size_ratio.unwrap()), "4.09");
}

#[test]
fn what_is_not_known_of_a_structure_says_nothing() {
    let mut shape = smollm2();
    shape.structure = Some(Structure::default());
    let judged = judge(
        base("togethercomputer/llama-2-7b-chat"),
        &shape,
        &Options::default(),
    );
    assert!(
        !texts(&judged)
            .iter()
            .any(|text| text.contains("differs in"))
    );
    assert!(judged.compatible);
}

/// The order is that of the scores.
#[test]
fn the_first_part_of_the_score_that_differs_decides() {
    for shape in [smollm2(), SMOLLM2] {
        for id in ["together-2025", "together-2026"] {
            let ranked = rank(&shape, catalog(id), &Options::default());
            let key = |row: &BaseModelMatch| {
                let known = |part: Option<f64>| part.unwrap_or(-1.0);
                (
                    f64::from(u8::from(row.compatible)),
                    row.score.architecture,
                    known(row.score.length),
                    known(row.score.size),
                    known(row.score.structure),
                )
            };
            for pair in ranked.windows(2).filter(|pair| pair[1].compatible) {
                assert!(key(&pair[0]) >= key(&pair[1]), "{pair:?}");
            }
        }
    }
}

#[test]
fn layers_of_another_kind_disqualify_only_where_both_are_known() {
    let of = |mixers: Option<Vec<Mixer>>, experts| ModelShape {
        model_type: Some("nemotron_h"),
        structure: Some(Structure {
            experts,
            mixers,
            ..Structure::default()
        }),
        ..ModelShape::default()
    };
    let hybrid = base("nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16");
    let judged = |shape: &ModelShape| judge(hybrid, shape, &Options::default());
    let both = Some(vec![Mixer::Attention, Mixer::StateSpace]);
    assert!(judged(&of(both.clone(), Some(128))).compatible);
    assert!(judged(&of(None, None)).compatible);
    let attention = judged(&of(Some(vec![Mixer::Attention]), Some(128)));
    assert_eq!(
        texts(&attention)[0],
        "its layers are attention and state space, the checkpoint's are attention"
    );
    assert!(!attention.compatible);
    assert_eq!(
        texts(&judged(&of(both, Some(0))))[0],
        "its layers have experts, the checkpoint's are dense"
    );
}

#[test]
fn variants_of_one_model_name_each_other() {
    let shape = ModelShape {
        model_type: Some("llama"),
        parameters: Some(70_553_706_496),
        context_length: Some(131_072),
        ..ModelShape::default()
    };
    let short = judge(
        base("meta-llama/Meta-Llama-3.1-70B-Reference"),
        &shape,
        &Options::default(),
    );
    assert!(texts(&short).contains(
        &"has the same weights as `meta-llama/Meta-Llama-3.1-70B-32k-Reference` (32768 tokens), `meta-llama/Meta-Llama-3.1-70B-131k-Reference` (131072 tokens)"
    ));
    // The length nearest to the checkpoint's comes first, and full training excludes the long ones.
    let first = |training_type| {
        let options = Options {
            training_type,
            ..Options::default()
        };
        rank(&shape, catalog("together-2025"), &options)[0]
            .name
            .clone()
    };
    assert!(first(None).contains("-131k"), "{}", first(None));
    let full = first(Some(TrainingType::Full));
    assert!(!full.contains("-131k") && !full.contains("-32k"), "{full}");
}

#[test]
fn odd_rows_are_told_as_printed() {
    let shape = ModelShape {
        model_type: Some("qwen3_moe"),
        context_length: Some(32768),
        ..ModelShape::default()
    };
    let dpo = Options {
        method: TrainingMethod::Dpo,
        ..Options::default()
    };
    let text = "the table prints longer sequences for DPO (32768) than for SFT (8192)";
    let row = base("Qwen/Qwen3-30B-A3B");
    assert!(texts(&judge(row, &shape, &dpo)).contains(&text));
    assert!(!texts(&judge(row, &shape, &Options::default())).contains(&text));
    let full = Options {
        training_type: Some(TrainingType::Full),
        ..Options::default()
    };
    let judged = judge(
        base("meta-llama/Meta-Llama-3.1-8B-Instruct-Reference"),
        &ModelShape {
            context_length: Some(131_072),
            ..SMOLLM2
        },
        &full,
    );
    assert_eq!(judged.context, Some(32_768));
    assert!(texts(&judged).contains(&"full fine-tuning with up to 32768 tokens only"));
}

#[test]
fn another_class_of_the_same_type_is_a_warning() {
    let shape = ModelShape {
        class: Some("LlamaForSequenceClassification"),
        ..SMOLLM2
    };
    let judged = judge(
        base("togethercomputer/llama-2-7b-chat"),
        &shape,
        &Options::default(),
    );
    assert!(
        judged.compatible
            && texts(&judged)[0].contains("the checkpoint names `LlamaForSequenceClassification`")
    );
    let old_spelling = ModelShape {
        class: Some("LLaMAForCausalLM"),
        ..SMOLLM2
    };
    assert!(
        texts(&super::judge(
            base("togethercomputer/llama-2-7b-chat"),
            catalog("together-2025"),
            &old_spelling,
            &Options::default()
        ))
        .contains(&"same architecture, `llama`")
    );
}

/// A catalog of the API's may know a name and nothing else.
#[test]
fn a_base_that_is_only_a_name_is_not_compared() {
    let bare: BaseModel = serde_json::from_value(serde_json::json!({
        "name": "acme/new", "hf_repo": null, "model_type": null, "architecture": null,
        "parameters": null, "parameters_from": null, "training_types": [],
        "context_sft": null, "context_dpo": null, "lora_max_rank": null, "vlm": false,
    }))
    .unwrap();
    let judged = super::judge(
        &bare,
        catalog("together-2026"),
        &SMOLLM2,
        &Options::default(),
    );
    assert!(judged.compatible);
    assert_eq!(
        texts(&judged),
        [
            "its architecture is not known here, so it was not compared",
            "how it is trained is not known",
            "how long its training sequences may be is not known",
        ]
    );
}

/// Whatever is compared, a base model never rules itself out, with the class that its file names or that the
/// loader makes of its type.
#[test]
fn every_base_model_suits_itself() {
    let mut compared = 0;
    for catalog in Catalog::shipped() {
        for base in &catalog.models {
            let Some(model_type) = base.model_type.as_deref() else {
                continue;
            };
            for release in [None, Release::parse("4.55"), Some(Release::newest())] {
                let loaded = release::causal_lm_class(Release::newest(), model_type);
                for class in [base.architecture.as_deref(), loaded, None] {
                    let shape = ModelShape {
                        model_type: Some(model_type),
                        class,
                        parameters: base.parameters,
                        context_length: base.context_sft,
                        is_multimodal: base.vlm,
                        structure: base.structure().cloned(),
                        ..ModelShape::default()
                    };
                    let options = Options {
                        release,
                        ..Options::default()
                    };
                    let judged = super::judge(base, catalog, &shape, &options);
                    assert!(judged.compatible, "{} {class:?} {judged:?}", base.name);
                    assert_eq!(judged.architecture, Architecture::Same, "{}", base.name);
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 900, "{compared}");
}
