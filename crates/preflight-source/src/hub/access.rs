//! What it means that the Hub does not let us look: told apart as far as it lets one.

use preflight_model::snapshot::Access;
use reqwest::StatusCode;

use super::address::MAIN;
use crate::http::Endpoint;
use crate::http::{Problem, Refusal};

/// The words of the Hub for a repository that it has taken down.
/// Source: `hf_raise_for_status`,
/// <https://github.com/huggingface/huggingface_hub/blob/main/src/huggingface_hub/utils/_http.py>
const DISABLED: &str = "Access to this resource is disabled";

/// What was asked, and as whom.
pub(super) struct Asked<'a> {
    pub(super) endpoint: &'a Endpoint,
    pub(super) id: &'a str,
    pub(super) revision: Option<&'a str>,
    /// Whether the request carried a token that the Hub knows.
    pub(super) has_token: bool,
    /// Whether there is one that it does not know.
    pub(super) is_token_refused: bool,
}

/// What an answer says of the repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Denial {
    /// The terms have to be accepted first.
    Gated,
    /// Missing or private; with a token also: not for this token.
    Missing,
    /// The repository is there, the revision is not.
    NoRevision,
    /// Taken down.
    Disabled,
    /// Nothing that the Hub itself says.
    Unclear,
}

impl Denial {
    /// Understands an error answer of the Hub.
    ///
    /// Source: `hf_raise_for_status` (as above). A request without token for what is missing or private is
    /// answered with a bare 401.
    pub(super) fn of(problem: &Problem) -> Self {
        let Problem::Status(refusal) = problem else {
            return Self::Unclear;
        };
        match (refusal.status, refusal.code.as_deref()) {
            _ if refusal.is_elsewhere => Self::Unclear,
            (_, Some("GatedRepo")) => Self::Gated,
            (_, Some("RepoNotFound")) => Self::Missing,
            (StatusCode::UNAUTHORIZED, None) if refusal.is_of_a_hub => Self::Missing,
            (_, Some("RevisionNotFound")) => Self::NoRevision,
            (_, Some("DisabledRepo")) => Self::Disabled,
            (StatusCode::FORBIDDEN, _) if says(refusal, DISABLED) => Self::Disabled,
            _ => Self::Unclear,
        }
    }
}

fn says(refusal: &Refusal, words: &str) -> bool {
    refusal
        .message
        .as_deref()
        .is_some_and(|message| message.starts_with(words))
}

/// The access that `problem` leaves us.
pub(super) fn denied(problem: &Problem, asked: &Asked<'_>) -> Access {
    let (id, page) = (asked.id, asked.endpoint.page(asked.id));
    let refused = match Denial::of(problem) {
        Denial::Unclear => return Access::Unreachable(problem.to_string()),
        Denial::Gated if asked.has_token => {
            format!("`{id}` is gated and this token may not read it: ask for access at {page}")
        }
        Denial::Gated => {
            format!("`{id}` is gated: accept its terms at {page} and give a token that may read it")
        }
        Denial::Missing if asked.has_token => {
            format!("`{id}` is not found: it is missing, or private and not for this token")
        }
        Denial::Missing => format!("`{id}` is missing or private"),
        Denial::NoRevision => {
            format!(
                "`{id}` has no revision `{}`",
                asked.revision.unwrap_or(MAIN)
            )
        }
        Denial::Disabled => format!("`{id}` is disabled on the Hub"),
    };
    Access::Refused(if asked.is_token_refused {
        format!("{refused} (the Hub does not know the token, so it was asked without)")
    } else {
        refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(status: u16, code: Option<&str>, message: Option<&str>) -> Problem {
        Problem::Status(Refusal {
            host: "huggingface.co".into(),
            status: StatusCode::from_u16(status).unwrap(),
            code: code.map(Into::into),
            message: message.map(Into::into),
            is_of_a_hub: true,
            is_elsewhere: false,
            wait: None,
        })
    }

    fn says(problem: &Problem, has_token: bool) -> String {
        let endpoint = Endpoint::parse("https://huggingface.co").unwrap();
        let asked = Asked {
            endpoint: &endpoint,
            id: "o/n",
            revision: Some("v9"),
            has_token,
            is_token_refused: false,
        };
        match denied(problem, &asked) {
            Access::Refused(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_hub_itself_says_no() {
        let gated = problem(401, Some("GatedRepo"), None);
        assert_eq!(
            says(&gated, false),
            "`o/n` is gated: accept its terms at https://huggingface.co/o/n and give a token that may read it"
        );
        assert_eq!(
            says(&problem(403, Some("GatedRepo"), None), true),
            "`o/n` is gated and this token may not read it: ask for access at https://huggingface.co/o/n"
        );
        let unauthorized = problem(401, None, Some("Invalid username or password"));
        assert_eq!(says(&unauthorized, false), "`o/n` is missing or private");
        assert_eq!(
            says(&problem(404, Some("RepoNotFound"), None), true),
            "`o/n` is not found: it is missing, or private and not for this token"
        );
        assert_eq!(
            says(&problem(404, Some("RevisionNotFound"), None), false),
            "`o/n` has no revision `v9`"
        );
        let disabled = problem(403, None, Some("Access to this resource is disabled"));
        assert_eq!(says(&disabled, true), "`o/n` is disabled on the Hub");
    }

    #[test]
    fn everything_else_only_keeps_us_from_looking() {
        let elsewhere = Problem::Status(Refusal {
            host: "proxy".into(),
            status: StatusCode::UNAUTHORIZED,
            code: None,
            message: None,
            is_of_a_hub: true,
            is_elsewhere: true,
            wait: None,
        });
        let of_a_proxy = Problem::Status(Refusal {
            host: "proxy".into(),
            status: StatusCode::UNAUTHORIZED,
            code: None,
            message: None,
            is_of_a_hub: false,
            is_elsewhere: false,
            wait: None,
        });
        let others = [
            of_a_proxy,
            problem(404, None, None),
            problem(403, None, Some("Forbidden")),
            problem(404, Some("EntryNotFound"), None),
            problem(500, Some("RepoNotFoundish"), None),
            problem(407, None, None),
            Problem::Changed("x".into()),
            elsewhere,
        ];
        for other in others {
            assert_eq!(Denial::of(&other), Denial::Unclear, "{other}");
        }
    }

    #[test]
    fn a_token_that_the_hub_does_not_know_is_said() {
        let endpoint = Endpoint::parse("https://huggingface.co").unwrap();
        let asked = Asked {
            endpoint: &endpoint,
            id: "o/n",
            revision: None,
            has_token: false,
            is_token_refused: true,
        };
        assert_eq!(
            denied(&problem(401, None, None), &asked),
            Access::Refused(
                "`o/n` is missing or private (the Hub does not know the token, so it was asked without)".into()
            )
        );
    }
}
