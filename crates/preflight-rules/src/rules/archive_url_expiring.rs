use preflight_model::container::Validity;
use preflight_model::fact::Gap;
use preflight_model::facts::Facts;

use super::container_of;
use crate::case::Case;
use crate::report::Finding;
use crate::rule::{Category, Findings, Outcome, Rule};

pub(super) static RULE: Rule = Rule {
    id: "archive-url-expiring",
    summary: "the presigned URL ends before the platform has surely read the archive",
    fix: "make a new presigned URL right before the upload, for example `aws s3 presign s3://BUCKET/KEY --expires-in 43200`",
    docs: include_str!("archive_url_expiring.md"),
    category: Category::Access,
    since: "0.1.0",
    check,
};

fn check(facts: &Facts<'_>, case: &Case<'_>) -> Outcome {
    let container = container_of(facts)?;
    let minutes_min = *case.policy.platform.presigned_url_minutes_min.get()?;
    let (ends_at, is_temporary) = match &container.validity {
        Validity::NoAddress => {
            return Err(Gap::DoesNotApply("the archive has no URL yet".into()));
        }
        Validity::Unsigned => return Ok(Findings::none()),
        Validity::Until {
            ends_at,
            is_temporary,
        } => (*ends_at, *is_temporary),
        Validity::Unclear(why) => return Err(Gap::Unknown(format!("the URL: {why}"))),
    };
    let now = case
        .now
        .ok_or_else(|| Gap::Unknown("the time is not known".into()))?;
    let left = ends_at.saturating_sub(now);
    let minutes = left.unsigned_abs() / 60;
    if left <= 0 {
        return Ok(Findings::problem(Finding::new(format!(
            "the URL expired {minutes} minutes ago; the platform asks for at least {minutes_min} minutes"
        ))));
    }
    if left.unsigned_abs() < minutes_min.saturating_mul(60) {
        return Ok(Findings::problem(Finding::new(format!(
            "the URL is good for another {minutes} minutes; the platform asks for at least {minutes_min}"
        ))));
    }
    if is_temporary {
        return Err(Gap::Unknown(format!(
            "the URL says {minutes} minutes, but temporary credentials signed it: it ends with their session, which may be sooner; sign it with a key of an IAM user, or with a session that lasts"
        )));
    }
    Ok(Findings::none())
}

#[cfg(test)]
mod tests {
    use crate::testing::Repo;

    fn outcome(valid: &str) -> String {
        let out =
            Repo::new(&format!("archive: m.zip\nvalid: {valid}\n")).run("archive-url-expiring");
        out.lines().next().unwrap_or_default().to_owned()
    }

    #[test]
    fn a_hundred_minutes_are_enough() {
        assert_eq!(outcome("100"), "upload: pass");
        assert_eq!(outcome("99"), "upload: fail");
        assert_eq!(outcome("0"), "upload: fail");
        assert_eq!(outcome("-5"), "upload: fail");
        assert_eq!(outcome("99 temporary"), "upload: fail");
        assert_eq!(outcome("100 temporary"), "upload: unknown");
        assert_eq!(outcome("forever"), "upload: pass");
        assert_eq!(outcome("unclear"), "upload: unknown");
    }
}
