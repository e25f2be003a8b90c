//! Where the credential for the Hub is found.

use std::fs::File;
use std::io::Read as _;

use hf_hub::Cache;

use super::environment::{Environment, is_true};
use crate::Error;
use crate::http::Token;

/// A token has some 40 characters; what is much longer is not a token file.
const TOKEN_FILE_BYTES_MAX: u64 = 4096;

impl Token {
    /// The token that the ecosystem's tools would use: `HF_TOKEN`, the file `HF_TOKEN_PATH`, the file
    /// `token` in the Hub's home; none where `HF_HUB_DISABLE_IMPLICIT_TOKEN` is set.
    ///
    /// Source: <https://huggingface.co/docs/huggingface_hub/package_reference/environment_variables>
    pub(super) fn from_environment(environment: Environment<'_>) -> Result<Option<Self>, Error> {
        if is_true(environment("HF_HUB_DISABLE_IMPLICIT_TOKEN").as_deref()) {
            return Ok(None);
        }
        for name in ["HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"] {
            if let Some(token) = Self::new(&environment(name).unwrap_or_default())? {
                return Ok(Some(token));
            }
        }
        let path = match environment("HF_TOKEN_PATH") {
            Some(path) => super::environment::expand(&path, environment),
            None => match super::environment::home(environment) {
                Some(home) => Cache::new(home.join("hub")).token_path(),
                None => return Ok(None),
            },
        };
        // A file that is not there or not for us is no token, as for every other tool. A pipe would keep
        // us waiting.
        if !path.is_file() {
            return Ok(None);
        }
        let Ok(file) = File::open(path) else {
            return Ok(None);
        };
        let mut text = String::new();
        match file.take(TOKEN_FILE_BYTES_MAX).read_to_string(&mut text) {
            Ok(_) => Self::new(&text),
            Err(_) => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Option<Token> {
        let environment = |name: &str| {
            let found = variables.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        };
        Token::from_environment(&environment).unwrap()
    }

    fn text(token: Option<Token>) -> Option<String> {
        token.map(|token| token.0)
    }

    #[test]
    fn it_is_found_where_the_ecosystem_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_str().unwrap();
        let elsewhere = dir.path().join("elsewhere");
        std::fs::write(dir.path().join("token"), "hf_home\n").unwrap();
        std::fs::write(&elsewhere, " hf_path ").unwrap();
        let elsewhere = elsewhere.to_str().unwrap();

        let all = [
            ("HF_TOKEN", "hf_env"),
            ("HF_TOKEN_PATH", elsewhere),
            ("HF_HOME", home),
        ];
        assert_eq!(text(found(&all)).unwrap(), "hf_env");
        assert_eq!(text(found(&all[1..])).unwrap(), "hf_path");
        assert_eq!(text(found(&all[2..])).unwrap(), "hf_home");
        assert_eq!(
            text(found(&[("HF_TOKEN", " "), all[2]])).unwrap(),
            "hf_home"
        );
        assert_eq!(found(&[("HF_HOME", "/nowhere")]), None);
        assert_eq!(
            found(&[all[0], ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")]),
            None
        );

        let user = dir.path().join(".cache/huggingface");
        std::fs::create_dir_all(&user).unwrap();
        std::fs::write(user.join("token"), "hf_user").unwrap();
        assert_eq!(text(found(&[("HOME", home)])).unwrap(), "hf_user");
    }
}
