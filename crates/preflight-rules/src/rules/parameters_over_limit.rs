use preflight_model::fact::Gap;
use preflight_model::facts::Facts;
use preflight_model::parameters::Parameters;
use preflight_model::weights::{Format, Shard};

use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "parameters-over-limit",
    summary: "the model has more parameters than the platform fine-tunes",
    fix: "choose a smaller model; quantising does not help, logical parameters count",
    docs: include_str!("parameters_over_limit.md"),
    category: Category::Weights,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let checkpoint = facts.of_a_model()?;
    let weights = checkpoint.weights.get()?;
    let parameters = &checkpoint.parameters;
    let limit = *case.policy.platform.parameters_max.get()?;
    let path = weights.files.first().filter(|_| weights.files.len() == 1);
    let over = |count: String| {
        let message = format!(
            "the model has {count} parameters, the limit is {}",
            grouped(limit)
        );
        Findings::problem(match path {
            Some(path) => Finding::in_file(path.as_str(), message),
            None => Finding::new(message),
        })
    };
    if let Some(total) = parameters.total {
        return Ok(if case.policy.allows_parameters(total)? {
            note_what_was_left_out(parameters)
        } else {
            over(grouped(total))
        });
    }
    // Decidable stays decidable: bounds may be enough.
    if !case.policy.allows_parameters(parameters.at_least)? {
        return Ok(over(format!("at least {}", grouped(parameters.at_least))));
    }
    if let Some(at_most) = parameters.at_most {
        if case.policy.allows_parameters(at_most)? {
            return Ok(Findings::none().with_note(Finding::new(format!(
                "at most {} parameters, by the sizes of the files",
                grouped(at_most)
            ))));
        }
    }
    let broken = |shard: &Shard| !shard.header.is_unread() && shard.header.known().is_none();
    if weights.shards.iter().any(broken)
        && !weights.shards.iter().any(|shard| shard.header.is_unread())
    {
        return Err(Gap::Malformed(
            "the weights cannot be counted: see shard-missing and shard-corrupt".into(),
        ));
    }
    if weights
        .index
        .get()
        .is_err_and(|gap| matches!(gap, Gap::Malformed(_)))
    {
        return Err(Gap::Malformed(
            "the index cannot be read: see index-mismatch".into(),
        ));
    }
    if matches!(
        weights.format,
        Format::None | Format::Gguf | Format::Original | Format::MisnamedSafetensors
    ) {
        return Err(Gap::Malformed(
            "there are no weights that the loader opens: see shard-missing".into(),
        ));
    }
    let why = parameters.inexact_because.join("; ");
    let most = parameters
        .at_most
        .map_or(String::from("nothing bounds it from above"), |most| {
            format!("at most {}", grouped(most))
        });
    Err(Gap::Unknown(format!(
        "the count is not exact: at least {}, {most} ({why})",
        grouped(parameters.at_least)
    )))
}

fn note_what_was_left_out(parameters: &Parameters) -> Findings {
    parameters
        .left_out
        .iter()
        .fold(Findings::none(), |findings, what| {
            findings.with_note(Finding::new(format!("not counted: {what}")))
        })
}

/// `100,000,000,000`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::grouped;

    #[test]
    fn thousands() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(100_000_000_000), "100,000,000,000");
    }
}
