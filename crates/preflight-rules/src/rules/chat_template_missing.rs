use preflight_model::chat_template::ChatTemplate;
use preflight_model::fact::{Fact, Gap};
use preflight_model::facts::Facts;
use preflight_model::task::Task;

use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "chat-template-missing",
    summary: "the model has no chat template, so chat requests fail",
    fix: "add `chat_template` to tokenizer_config.json or a file chat_template.jinja; a base model is used by the completions API instead",
    docs: include_str!("chat_template_missing.md"),
    category: Category::Tokenizer,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, _case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    checkpoint.snapshot.files.get()?;
    match &facts.task {
        Task::CausalLm => {}
        Task::Unknown(why) => return Err(Gap::Unknown(why.clone())),
        _ => return Err(Gap::DoesNotApply("only text generation models chat".into())),
    }
    match checkpoint.chat_template() {
        Fact::Known(ChatTemplate::Usable(_)) => Ok(Findings::none()),
        Fact::Known(ChatTemplate::Unusable(defect)) => {
            Ok(Findings::problem(Finding::from(&defect)))
        }
        Fact::Absent => Ok(Findings::problem(Finding::new(
            "neither tokenizer_config.json nor chat_template.jinja has a chat template",
        ))),
        Fact::Malformed(defect) => Err(Gap::Malformed(defect.message)),
        Fact::Unavailable(why) => Err(Gap::Unavailable(why)),
    }
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn with(template: &str, files: &str) -> String {
        let config = format!(
            "//- tokenizer_config.json\n{{\"tokenizer_class\": \"PreTrainedTokenizerFast\"{template}}}\n{files}"
        );
        Repo::new(&config).run(super::RULE.id)
    }

    #[test]
    fn templates_that_render() {
        for (template, files) in [
            (", \"chat_template\": \"x\"", ""),
            (
                ", \"chat_template\": {\"default\": \"x\", \"tool_use\": \"\"}",
                "",
            ),
            (
                ", \"chat_template\": [{\"name\": \"default\", \"template\": \"x\"}]",
                "",
            ),
            ("", "//- chat_template.jinja listed 10"),
            // A file goes before the config.
            (
                ", \"chat_template\": 1",
                "//- chat_template.jinja listed 10",
            ),
            ("", "//- additional_chat_templates/default.jinja listed 10"),
            (
                "",
                "//- chat_template.jinja listed 10\n//- additional_chat_templates/tool_use.jinja listed 10",
            ),
            (
                ", \"chat_template\": \"x\"",
                "//- chat_template.json\n{\"chat_template\": \"x\"}",
            ),
        ] {
            assert_eq!(
                with(template, files),
                "upload, fine-tune: pass\n",
                "{template} {files}"
            );
        }
    }

    #[test]
    fn templates_that_render_nothing_or_end_with_an_error() {
        for (template, files, says) in [
            (
                "",
                "",
                "neither tokenizer_config.json nor chat_template.jinja",
            ),
            (
                ", \"chat_template\": null",
                "",
                "neither tokenizer_config.json",
            ),
            (", \"chat_template\": \" \"", "", "`chat_template` is empty"),
            (", \"chat_template\": 1", "", "must be a text, it is `1`"),
            (
                ", \"chat_template\": false",
                "",
                "must be a text, it is `false`",
            ),
            (
                ", \"chat_template\": {}",
                "",
                "no template of the name `default`",
            ),
            (
                ", \"chat_template\": []",
                "",
                "no template of the name `default`",
            ),
            (
                ", \"chat_template\": {\"default\": 1}",
                "",
                "the `default` of `chat_template` must be a text",
            ),
            (
                ", \"chat_template\": [{\"name\": \"tool_use\", \"template\": \"x\"}]",
                "",
                "no template of the name `default`",
            ),
            (
                ", \"chat_template\": \"x\"",
                "//- chat_template.jinja listed 0",
                "`chat_template.jinja` is empty",
            ),
            (
                ", \"chat_template\": \"x\"",
                "//- additional_chat_templates/tool_use.jinja listed 10",
                "none of them is the default",
            ),
            (
                "",
                "//- chat_template.json\n{\"chat_template\": \"x\"}",
                "processors of multimodal models only",
            ),
        ] {
            let got = with(template, files);
            assert!(
                got.starts_with("upload, fine-tune: warn\n") && got.contains(says),
                "{template} {files}: {got}"
            );
        }
    }
}
