//! Addresses where the name of a base is expected: shown without what may be secret in them.

/// What an address shows of itself where its host cannot be told from its credentials.
const HIDDEN: &str = "…";

/// Whether the name of a base is an address (`https://…`) and not a name or a path.
pub fn is_address(name: &str) -> bool {
    name.contains("://")
}

/// The name as it may be shown: of an address only scheme, host and path, since user info, query and
/// fragment may hold a credential. Paths stay as they are.
pub(super) fn without_secrets(name: &str) -> String {
    let given = name;
    let name = name.trim();
    let (scheme, rest) = match name.split_once("://") {
        Some((scheme, rest)) if scheme.chars().all(|c| c.is_ascii_alphanumeric()) => (scheme, rest),
        Some((_, rest)) => ("", rest),
        // `user:password@host/…` and `host/…?token=…`.
        None if looks_signed(name) => ("", name),
        // As it is: with a space around it, it names no repository (`validate_repo_id` of huggingface_hub).
        None => return given.to_owned(),
    };
    let end = rest.find(['?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest[..end].split_at(rest[..end].find('/').unwrap_or(end));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    // A password may hold a slash or a question mark: what then stands for the host is a part of it.
    let is_host = is_host(host) && !rest[authority.len()..].contains('@');
    let shown = if is_host {
        format!("{host}{path}")
    } else {
        HIDDEN.into()
    };
    format!("{scheme}://{shown}")
}

/// Whether a name without a scheme has what an address keeps its credentials in.
fn looks_signed(name: &str) -> bool {
    let is_path = name.starts_with(['/', '.', '~']) || name.contains('\\');
    let has_password = name
        .split_once('@')
        .is_some_and(|(user, _)| user.contains(':'));
    let has_query = name
        .split_once('?')
        .is_some_and(|(_, query)| query.contains('='));
    !is_path && (has_password || has_query)
}

fn is_host(text: &str) -> bool {
    let (name, port) = text.split_once(':').unwrap_or((text, ""));
    name.chars()
        .all(|c| c.is_ascii_alphanumeric() || "-._".contains(c))
        && port.chars().all(|c| c.is_ascii_digit())
}

/// The repository whose page on the Hub the address is, `org/name`.
pub fn hub_page(address: &str) -> Option<String> {
    let (_, rest) = address.split_once("://")?;
    let mut parts = rest.split('/');
    let is_hub = ["huggingface.co", "www.huggingface.co", "hf.co"].contains(&parts.next()?);
    let name = format!("{}/{}", parts.next()?, parts.next()?);
    let is_model = !name.starts_with("datasets/") && !name.starts_with("spaces/");
    (is_hub && is_model && super::is_hub_name(&name)).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_left_out() {
        for (name, shown) in [
            (
                "https://user:hf_x@huggingface.co/org/name?token=abc#d",
                "https://huggingface.co/org/name",
            ),
            (" https://hf_x@hf.co/org/name", "https://hf.co/org/name"),
            ("s3://bucket/key?X-Amz-Signature=1", "s3://bucket/key"),
            ("https://host:8443/a", "https://host:8443/a"),
            ("https://user:pa/ss@host/x", "https://…"),
            ("https://user:1?ss@host/x", "https://…"),
            ("https://host/x?mail=a@b", "https://…"),
            ("a b://user:hf_x@host/x", "://host/x"),
            ("user:hf_x@host/x", "://host/x"),
            ("hf.co/org/name?token=abc", "://hf.co/org/name"),
        ] {
            assert_eq!(without_secrets(name), shown, "{name}");
        }
        for path in [
            "org/name",
            "/data/a@b/c",
            "C:\\x@y",
            "./run#3",
            "a@b/c",
            " org/name",
        ] {
            assert_eq!(without_secrets(path), path);
        }
    }

    #[test]
    fn pages_of_the_hub() {
        let name = hub_page("https://huggingface.co/org/name/tree/main");
        assert_eq!(name.as_deref(), Some("org/name"));
        for other in [
            "https://example.org/org/name",
            "https://huggingface.co/org",
            "https://huggingface.co/datasets/org/name",
            "/huggingface.co/org/name",
        ] {
            assert_eq!(hub_page(other), None, "{other}");
        }
    }
}
