use super::*;

const SOURCE: &str = r#"source = "our contract", as_of = "2026-01""#;

fn default_policy() -> &'static Policy {
    Policy::load_shipped("together-2025-11").unwrap()
}

fn newest() -> &'static Policy {
    Policy::load_shipped("together-2026-07").unwrap()
}

/// A user's file that extends the default.
fn extended(rest: &str) -> Result<Policy, PolicyError> {
    let text =
        format!("id = \"ours\"\nas_of = \"2026-01\"\nextends = \"together-2025-11\"\n{rest}");
    Policy::parse(&text, "ours.toml")
}

/// What is said of a mistake in such a file.
fn complaint(rest: &str) -> String {
    extended(rest).unwrap_err().to_string()
}

#[test]
fn the_default_has_the_levels_of_the_design() {
    let table = "
        repository-inaccessible    error    error
        source-unsupported         warning  warning
        config-invalid             error    error
        task-unsupported           error    -
        architecture-not-causal-lm -        error
        parameters-over-limit      -        error
        transformers-too-new       warning  error
        transformers-5-config      warning  error
        remote-code-required       warning  error
        weights-not-safetensors    warning  error
        shard-missing              error    error
        shard-corrupt              error    error
        index-mismatch             error    error
        weights-config-mismatch    error    error
        tokenizer-missing          error    error
        chat-template-missing      warning  warning
        sentence-transformers-broken warning -
        quantization-unsupported   warning  error
        node-too-small             error    warning
        base-model-incompatible    -        error
        policy-outdated            note     note
        adapter-incomplete         error    error
        adapter-beside-model       warning  warning
        adapter-base-unsupported   error    error
        adapter-weights-mismatch   error    error
        adapter-rank-over-limit    warning  warning
        archive-unsupported        error    -
        archive-nested             error    -
        archive-url-expiring       error    -
        own-limit-exceeded         -        -";
    let policy = default_policy();
    let word = |id, target| policy.level(id, target).map_or("-", Level::as_str);
    let mut ids: Vec<_> = Vec::new();
    for row in table.lines().filter(|line| !line.is_empty()) {
        let [id, upload, fine_tune] = row.split_whitespace().collect::<Vec<_>>()[..] else {
            panic!("{row}");
        };
        let levels = (word(id, Target::Upload), word(id, Target::FineTune));
        assert_eq!(levels, (upload, fine_tune), "{id}");
        ids.push(id);
    }
    ids.sort_unstable();
    assert_eq!(policy.rule_ids().collect::<Vec<_>>(), ids);
}

#[test]
fn every_shipped_policy_speaks_of_every_rule_and_every_error_has_a_source() {
    for policy in Policy::shipped() {
        for id in default_policy().rule_ids() {
            for target in Target::ALL {
                let cell = policy.cell(id, target).unwrap();
                let is_error = cell.level == Some(Level::Error);
                let has_source = cell
                    .source
                    .as_deref()
                    .is_some_and(|url| url.starts_with("https://"));
                assert!(has_source || !is_error, "{} {id} {target:?}", policy.id);
            }
        }
    }
}

#[test]
fn the_figures_of_the_user() {
    let policy = default_policy();
    assert_eq!(Policy::shipped()[0].id, policy.id);
    let platform = &policy.platform;
    assert_eq!(
        platform.transformers_ceiling.known().unwrap().to_string(),
        "4.55"
    );
    assert_eq!(platform.fit_context.known(), Some(&4096));
    assert_eq!(platform.fit_sequences.known(), Some(&1));
    assert_eq!(platform.presigned_url_minutes_min.known(), Some(&100));
    assert_eq!(
        platform.archive_formats.known().unwrap()[..],
        [".zip", ".tar", ".tar.gz"]
    );
    assert!(matches!(
        platform.adapter_rank_max.get(),
        Err(Gap::Unknown(_))
    ));
    assert_eq!(policy.allows_parameters(100_000_000_000), Ok(true));
    assert_eq!(policy.allows_parameters(100_000_000_001), Ok(false));
    let upload = policy.target(Target::Upload);
    assert_eq!(
        upload.sources.known().unwrap()[..],
        [SourceKind::Hub, SourceKind::Archive]
    );
    assert_eq!(
        upload.tasks.known().unwrap()[..],
        ["causal-lm", "embedding"]
    );
    assert_eq!(upload.base_models(), Ok(None));
    let fine_tune = policy.target(Target::FineTune);
    assert_eq!(fine_tune.sources.known().unwrap()[..], [SourceKind::Hub]);
    assert_eq!(
        fine_tune.base_models().unwrap().unwrap().id,
        "together-2025"
    );
}

#[test]
fn the_newest_policy_differs_where_the_platform_moved() {
    let policy = newest();
    let platform = &policy.platform;
    let ceiling = platform.transformers_ceiling.known().unwrap();
    assert!(
        *ceiling
            > Ceiling {
                major: 4,
                minor: 55
            }
    );
    assert_eq!(ceiling.to_string(), "5.10");
    assert_eq!(policy.allows_parameters(100_000_000_000), Ok(false));
    assert_eq!(policy.allows_parameters(99_999_999_999), Ok(true));
    assert_eq!(
        platform.archive_formats.known().unwrap()[..],
        [".zip", ".tar.gz"]
    );
    let upload = policy.target(Target::Upload);
    assert!(
        upload
            .sources
            .known()
            .unwrap()
            .contains(&SourceKind::Folder)
    );
    assert_eq!(upload.tasks.known().unwrap()[..], ["causal-lm"]);
    assert!(matches!(upload.base_models(), Err(Gap::Unknown(_))));
    let fine_tune = policy.target(Target::FineTune);
    assert_eq!(
        fine_tune.base_models().unwrap().unwrap().id,
        "together-2026"
    );
    // Not overridden, so taken from the default.
    assert_eq!(platform.fit_context, default_policy().platform.fit_context);
    assert_eq!(
        fine_tune.tasks,
        default_policy().target(Target::FineTune).tasks
    );

    let level = |id| policy.level(id, Target::Upload);
    assert_eq!(level("weights-not-safetensors"), Some(Level::Error));
    assert_eq!(level("base-model-incompatible"), Some(Level::Error));
    assert_eq!(level("node-too-small"), Some(Level::Warning));
    assert!(
        policy
            .cell("node-too-small", Target::Upload)
            .unwrap()
            .unknown
            .is_some()
    );
    assert_eq!(
        policy.level("node-too-small", Target::FineTune),
        Some(Level::Warning)
    );
}

#[test]
fn commands_are_those_of_the_time() {
    let values = CommandValues {
        repo: Some("org/model"),
        revision: Some("abc"),
        base_model: Some("togethercomputer/llama-2-7b-chat"),
        ..CommandValues::default()
    };
    let run = |policy: &Policy, target, from| policy.target(target).commands(from, &values);
    assert_eq!(
        run(default_policy(), Target::Upload, SourceKind::Hub).unwrap(),
        ["together models upload --model-name MODEL_NAME --model-source org/model"]
    );
    assert_eq!(
        run(default_policy(), Target::FineTune, SourceKind::Hub).unwrap(),
        [
            "together fine-tuning create --training-file FILE_ID --model togethercomputer/llama-2-7b-chat --from-hf-model org/model --hf-model-revision abc"
        ]
    );
    assert_eq!(
        run(default_policy(), Target::Upload, SourceKind::Folder),
        None
    );
    assert_eq!(
        run(newest(), Target::Upload, SourceKind::Folder).unwrap(),
        [
            "tg models create MODEL_NAME --base-model togethercomputer/llama-2-7b-chat",
            "tg models upload MODEL_ID FOLDER",
        ]
    );
}

#[test]
fn a_base_model_of_another_policy_is_known_as_such() {
    let elsewhere = |policy: &Policy, name| {
        let found = policy.base_model_known_elsewhere(name)?;
        Some(found.id.as_str())
    };
    let llama = "togethercomputer/llama-2-7b-chat";
    assert_eq!(elsewhere(newest(), llama), Some("together-2025-11"));
    assert_eq!(elsewhere(default_policy(), llama), None);
    assert_eq!(
        elsewhere(default_policy(), "Qwen/Qwen3.5-9B"),
        Some("together-2026-07")
    );
}

#[test]
fn an_unknown_policy_suggests_the_likely_one() {
    let message = |id| Policy::load_shipped(id).unwrap_err().to_string();
    assert_eq!(
        message("together-2025-12"),
        "no policy is called `together-2025-12`; did you mean `together-2025-11`?"
    );
    assert_eq!(
        message("x"),
        "no policy is called `x`; there are `together-2025-11`, `together-2026-07`"
    );
}

#[test]
fn a_users_file_changes_what_it_names_and_nothing_else() {
    let policy = extended(&format!(
        "[platform]\nparameters_max = {{ value = 5, {SOURCE} }}\n\
         [rules.chat-template-missing]\nupload = \"off\"\n\
         [rules.remote-code-required]\nupload = {{ value = \"error\", {SOURCE} }}"
    ))
    .unwrap();
    assert_eq!(
        (policy.id.as_str(), policy.as_of.as_str()),
        ("ours", "2026-01")
    );
    assert_eq!(policy.allows_parameters(6), Ok(false));
    assert_eq!(policy.level("chat-template-missing", Target::Upload), None);
    assert_eq!(
        policy.level("chat-template-missing", Target::FineTune),
        Some(Level::Warning)
    );
    assert_eq!(
        policy.level("remote-code-required", Target::Upload),
        Some(Level::Error)
    );
    assert_eq!(
        policy.level("shard-missing", Target::Upload),
        Some(Level::Error)
    );
    assert_eq!(
        policy.platform.transformers_ceiling,
        default_policy().platform.transformers_ceiling
    );
}

#[test]
fn without_a_source_a_rule_is_a_warning_at_most() {
    for cell in ["\"error\"", "{ value = \"error\" }"] {
        let told = complaint(&format!("[rules.shard-missing]\nupload = {cell}"));
        assert!(told.contains("level `error` needs a `source`"), "{told}");
        assert!(told.contains("line 5"), "{told}");
    }
    for level in ["warning", "note", "off"] {
        assert!(extended(&format!("[rules.shard-missing]\nupload = \"{level}\"")).is_ok());
    }
    let told = complaint("[platform]\nparameters_max = { value = 5, as_of = \"2026\" }");
    assert!(told.contains("missing field `source`"), "{told}");
    let told =
        complaint("[platform]\nparameters_max = { value = 5, source = \" \", as_of = \"2026\" }");
    assert!(told.contains("`source` is empty"), "{told}");
}

#[test]
fn mistakes_are_told_with_line_caret_and_the_likely_word() {
    for (rest, line, message) in [
        ("[platfrom]", 4, "did you mean `platform`?"),
        (
            "[platform]\nparameter_max = 5",
            5,
            "did you mean `parameters_max`?",
        ),
        (
            "[rules.shard-mising]\nupload = \"off\"",
            4,
            "unknown rule `shard-mising`; did you mean `shard-missing`?",
        ),
        (
            "[rules.shard-missing]\nuplaod = \"off\"",
            5,
            "did you mean `upload`?",
        ),
        (
            "[rules.shard-missing]\nupload = \"warn\"",
            5,
            "did you mean `warning`?",
        ),
        (
            "[upload]\ntasks = { value = [\"causal_lm\"], source = \"s\", as_of = \"2026\" }",
            5,
            "did you mean `causal-lm`?",
        ),
        (
            "[upload]\nsources = { value = [\"hbu\"], source = \"s\", as_of = \"2026\" }",
            5,
            "unknown variant `hbu`",
        ),
        (
            "[upload]\nbase_models = { value = \"together-2024\", source = \"s\", as_of = \"2026\" }",
            5,
            "no catalog of base models is called `together-2024`",
        ),
        (
            "[platform]\ntransformers_ceiling = { value = \"4.x\", source = \"s\", as_of = \"2026\" }",
            5,
            "`4.x` is not a release line",
        ),
        (
            "[platform]\nfit_context = { value = 1, source = \"s\", as_of = \"last May\" }",
            5,
            "`last May` is not a date",
        ),
        (
            "[platform]\nfit_context = { value = -1, source = \"s\", as_of = \"2026\" }",
            5,
            "invalid value",
        ),
        (
            "[platform]\nfit_context = { source = \"s\", as_of = \"2026\" }",
            5,
            "either `value`, or `unknown`",
        ),
        (
            "[upload.commands]\nhub = { value = [\"x {repoo}\"], source = \"s\", as_of = \"2026\" }",
            5,
            "did you mean `repo`?",
        ),
        ("[upload", 4, "TOML parse error"),
    ] {
        let told = complaint(rest);
        assert!(told.contains(message), "{rest}\n{told}");
        assert!(told.contains(&format!("line {line},")), "{rest}\n{told}");
        assert!(told.contains('^'), "{told}");
        assert!(told.starts_with("`ours.toml` is not a policy\n"), "{told}");
    }
}

#[test]
fn a_file_extends_a_policy_that_exists_or_gives_everything() {
    let told = Policy::parse(
        "id = \"x\"\nas_of = \"2026\"\nextends = \"together-2025\"",
        "x.toml",
    )
    .unwrap_err()
    .to_string();
    assert!(told.contains("did you mean `together-2025-11`?"), "{told}");
    let alone = Policy::parse("id = \"x\"\nas_of = \"2026\"", "x.toml").unwrap_err();
    assert_eq!(
        alone.to_string(),
        "`x.toml` does not give `platform.parameters_max`; give it, or start from a shipped policy with `extends`"
    );
    let taken = Policy::parse(
        "id = \"together-2026-07\"\nas_of = \"2026\"\nextends = \"together-2025-11\"",
        "x.toml",
    );
    assert!(matches!(taken, Err(PolicyError::Taken { .. })));
}

#[test]
fn a_file_may_stand_alone() {
    let text = SHIPPED[0]
        .1
        .replace("id = \"together-2025-11\"", "id = \"copy\"");
    let copy = Policy::parse(&text, "copy.toml").unwrap();
    assert_eq!(copy.platform, default_policy().platform);
    assert_eq!(copy.rules, default_policy().rules);
}

#[test]
fn the_example_of_the_guide_is_a_policy() {
    let guide = include_str!("../../../../docs/policy.md");
    let example = guide.split("```toml\n").nth(1).unwrap();
    let example = example.split("```").next().unwrap();
    let policy = Policy::parse(example, "ours.toml").unwrap();
    assert_eq!(policy.allows_parameters(40_000_000_001), Ok(false));
    assert_eq!(policy.level("chat-template-missing", Target::Upload), None);
    assert_eq!(
        policy.level("remote-code-required", Target::Upload),
        Some(Level::Error)
    );
}

#[test]
fn the_guide_speaks_of_every_key_of_the_default() {
    let guide = include_str!("../../../../docs/policy.md");
    let table: toml::Table = toml::from_str(SHIPPED[0].1).unwrap();
    for section in ["platform", "upload", "fine-tune"] {
        for key in table[section].as_table().unwrap().keys() {
            let is_told = [format!("`{key}`"), format!("`{key}.")]
                .iter()
                .any(|word| guide.contains(word));
            assert!(is_told, "{section}.{key}");
        }
    }
}
