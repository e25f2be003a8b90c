//! What reqsign's credential providers need of the world: files, variables, programs, and requests
//! that are bounded in time and go where the user's settings say.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use reqsign_core::{
    CommandExecute, CommandOutput, Context, Env, Error, FileRead, HttpSend, Result,
};
use reqwest::Url;

use super::options::Settings;
use super::transport::Transport;

/// Most bytes of an answer with credentials, and of a file with a token.
const ANSWER_BYTES_MAX: usize = 1 << 20;
/// Time for a program that gives credentials: it may ask its own server, and a person at a screen.
const PROGRAM_TIME: Duration = Duration::from_secs(30);

/// Everything but what runs on the machine itself: STS, SSO.
pub(super) fn context(settings: &Arc<Settings>, transport: &Arc<Transport>) -> Context {
    let send = Send {
        transport: Arc::clone(transport),
        http: transport.http().clone(),
        timeout: transport.stall(),
        sts: settings.service("sts").ok().flatten(),
        sso: settings.service("sso").ok().flatten(),
    };
    Context::new()
        .with_env(Variables(Arc::clone(settings)))
        .with_file_read(Files)
        .with_command_execute(Programs)
        .with_http_send(send)
}

/// The services of the machine itself: never through a proxy, and for a moment only, since on other machines nobody answers.
pub(super) fn metadata_context(
    settings: &Arc<Settings>,
    transport: &Arc<Transport>,
    timeout: Duration,
) -> Result<Context> {
    let http = crate::http::builder().no_proxy().build();
    let send = Send {
        transport: Arc::clone(transport),
        http: http.map_err(|error| Error::unexpected(crate::http::cause(&error)))?,
        timeout: timeout.min(transport.stall()),
        sts: None,
        sso: None,
    };
    Ok(context(settings, transport).with_http_send(send))
}

#[derive(Debug)]
struct Variables(Arc<Settings>);

impl Env for Variables {
    fn var(&self, name: &str) -> Option<String> {
        self.0.variable(name).map(str::to_owned)
    }

    fn vars(&self) -> HashMap<String, String> {
        self.0.variables().clone().into_iter().collect()
    }

    fn home_dir(&self) -> Option<PathBuf> {
        self.0.home()
    }
}

#[derive(Debug)]
struct Files;

impl FileRead for Files {
    async fn file_read(&self, path: &str) -> Result<Vec<u8>> {
        use std::io::Read as _;
        let path = PathBuf::from(path);
        let read = tokio::task::spawn_blocking(move || {
            let mut bytes = Vec::new();
            if !path.is_file() {
                return Err(std::io::ErrorKind::NotFound.into());
            }
            std::fs::File::open(path)?
                .take(ANSWER_BYTES_MAX as u64)
                .read_to_end(&mut bytes)?;
            Ok::<_, std::io::Error>(bytes)
        });
        let failed = |error: std::io::Error| Error::config_invalid(crate::error::io_reason(&error));
        read.await
            .map_err(|error| Error::unexpected(error.to_string()))?
            .map_err(failed)
    }
}

#[derive(Debug)]
struct Programs;

impl CommandExecute for Programs {
    /// Runs a program of the profile. reqsign cuts the command at white space, so it is put together again and
    /// cut as a shell does. What the program says on its error stream is not handed on: it may be anything.
    async fn command_execute<'a>(
        &'a self,
        program: &'a str,
        arguments: &'a [&'a str],
    ) -> Result<CommandOutput> {
        let command = [&[program], arguments].concat().join(" ");
        let words = words(&command).ok_or_else(|| {
            Error::config_invalid("a quote is never closed in `credential_process`")
        })?;
        let (program, arguments) = words
            .split_first()
            .ok_or_else(|| Error::config_invalid("`credential_process` is empty"))?;
        let output = tokio::process::Command::new(program)
            .args(arguments)
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output();
        let late =
            |_| Error::unexpected(format!("it takes longer than {} s", PROGRAM_TIME.as_secs()));
        let output = tokio::time::timeout(PROGRAM_TIME, output)
            .await
            .map_err(late)?;
        let output = output.map_err(|error| {
            Error::config_invalid(format!(
                "it cannot be run: {}",
                crate::error::io_reason(&error)
            ))
        })?;
        Ok(CommandOutput {
            status: output.status.code().unwrap_or(-1),
            stdout: output.stdout,
            stderr: Vec::new(),
        })
    }
}

/// The words of a command as a shell cuts them; none where a quote is never closed.
fn words(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote: Option<char> = None;
    let mut letters = command.chars();
    while let Some(letter) = letters.next() {
        match (quote, letter) {
            (Some(open), letter) if letter == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(letter);
                word.get_or_insert_default();
            }
            (None, letter) if letter.is_whitespace() => words.extend(word.take()),
            // A path on Windows is no escape.
            (None | Some('"'), '\\') if !cfg!(windows) => {
                word.get_or_insert_default().extend(letters.next());
            }
            (_, letter) => word.get_or_insert_default().push(letter),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

/// Sends the requests of providers. Neither they nor their answers are ever shown.
#[derive(Debug)]
struct Send {
    transport: Arc<Transport>,
    http: reqwest::Client,
    timeout: Duration,
    /// Where the user has these services.
    sts: Option<Url>,
    sso: Option<Url>,
}

impl Send {
    /// The address of a request at the place that the user has for its service. The `Host` it was signed
    /// for stays in its headers.
    fn place(&self, address: &str) -> Option<Url> {
        let url = Url::parse(address).ok()?;
        let host = url.host_str()?;
        let own = if host.starts_with("sts.") {
            self.sts.as_ref()
        } else if host.starts_with("portal.sso.") {
            self.sso.as_ref()
        } else {
            None
        };
        let Some(own) = own else {
            return Some(url);
        };
        let mut own = own.clone();
        own.set_path(&format!(
            "{}{}",
            own.path().trim_end_matches('/'),
            url.path()
        ));
        own.set_query(url.query());
        Some(own)
    }
}

impl HttpSend for Send {
    async fn http_send(&self, request: http::Request<Bytes>) -> Result<http::Response<Bytes>> {
        let (parts, body) = request.into_parts();
        let url = self
            .place(&parts.uri.to_string())
            .ok_or_else(|| Error::request_invalid("no address"))?;
        let host = crate::http::host(&url);
        let mut sent = reqwest::Request::new(parts.method, url);
        *sent.headers_mut() = parts.headers;
        *sent.body_mut() = Some(body.into());
        let answer = async {
            let mut response = self.http.execute(sent).await?;
            let mut body = BytesMut::new();
            while let Some(chunk) = response.chunk().await? {
                body.extend_from_slice(&chunk);
                if body.len() > ANSWER_BYTES_MAX {
                    break;
                }
            }
            Ok::<_, reqwest::Error>((response.status(), body.freeze()))
        };
        let (status, body) = match tokio::time::timeout(self.timeout, answer).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(error)) => {
                return Err(Error::unexpected(format!(
                    "`{host}`: {}",
                    crate::http::cause(&error)
                )));
            }
            Err(_) => return Err(Error::unexpected(format!("`{host}` does not answer"))),
        };
        self.transport.count(body.len() as u64);
        let mut response = http::Response::new(body);
        *response.status_mut() = status;
        Ok(response)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_cut_as_a_shell_does() {
        let cut = |command: &str| words(command).unwrap();
        assert_eq!(cut("a  b\tc"), ["a", "b", "c"]);
        assert_eq!(
            cut("'/opt/my tool' --x=\"a b\" ''"),
            ["/opt/my tool", "--x=a b", ""]
        );
        if !cfg!(windows) {
            assert_eq!(cut(r#"a\ b "c\"d" 'e\f'"#), ["a b", "c\"d", r"e\f"]);
        }
        assert_eq!(cut(" "), Vec::<String>::new());
        assert_eq!(words("a 'b"), None);
    }
}
