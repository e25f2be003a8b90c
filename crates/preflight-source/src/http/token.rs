//! A credential.

use std::fmt;

use reqwest::header::HeaderValue;

use crate::Error;

/// A credential. Never shown, neither by `Debug` nor in a message.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Token(pub(crate) String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl Token {
    /// A token as the user gave it; none where there is only white space.
    pub(crate) fn new(text: &str) -> Result<Option<Self>, Error> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(None);
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            // The text itself is a secret and not shown.
            return Err(Error::Usage(
                "the token for the Hub has characters that no token has".into(),
            ));
        }
        Ok(Some(Self(text.into())))
    }

    /// A server's words without the token: one that echoes what it was sent must not make us show it.
    pub(crate) fn redact(&self, text: &str) -> String {
        text.replace(&self.0, "…")
    }

    /// The value of the header `Authorization`.
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", self.0)).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_never_shown() {
        let token = Token::new("hf_secret").unwrap().unwrap();
        assert_eq!(format!("{token:?}"), "Token(…)");
        assert_eq!(format!("{:?}", token.authorization().unwrap()), "Sensitive");
        assert_eq!(token.redact("Bearer hf_secret?"), "Bearer …?");
        let error = Token::new("hf_sec\nret").unwrap_err();
        assert!(error.is_usage() && !error.to_string().contains("hf_"));
    }
}
