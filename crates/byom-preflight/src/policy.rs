//! `--policy`: a shipped policy by name, or a file.

use std::io::Read as _;
use std::path::Path;

use preflight_rules::policy::Policy;

use crate::failure::Failure;

/// Most bytes of a policy file; the shipped ones have about 10 000.
const POLICY_BYTES_MAX: u64 = 1 << 20;

/// The policy that `--policy` names.
pub(crate) fn choose(given: &str) -> Result<Policy, Failure> {
    if is_path(given) {
        return read(given);
    }
    Policy::load_shipped(given).cloned().map_err(Failure::usage)
}

/// Whether this names a file.
pub(crate) fn is_path(given: &str) -> bool {
    given.contains(['/', '\\'])
        || Path::new(given)
            .extension()
            .is_some_and(|end| end == "toml")
}

/// The policy in a file.
pub(crate) fn read(given: &str) -> Result<Policy, Failure> {
    let cannot = |why: String| Failure::usage(format!("cannot read the policy `{given}`: {why}"));
    let path = Path::new(given);
    if path.exists() && !path.is_file() {
        return Err(cannot("not a regular file".into()));
    }
    let mut text = String::new();
    std::fs::File::open(path)
        .and_then(|file| file.take(POLICY_BYTES_MAX).read_to_string(&mut text))
        .map_err(|error| cannot(error.to_string()))?;
    Policy::parse(&text, given).map_err(Failure::usage_with_lines)
}
