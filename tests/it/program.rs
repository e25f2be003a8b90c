//! Runs the binary in a scrubbed environment and keeps what it answers.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

/// Longer than any run may take on a busy machine; one that blocks is ended and fails its test.
const PATIENCE: Duration = Duration::from_mins(2);
/// Address space of a run under [`Program::limit_memory`] that is not for the heap: code, stacks, libraries.
const OVERHEAD_MIB: u64 = 96;

/// The top of this repository.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A run of the binary that is being prepared.
pub(crate) struct Program {
    command: Command,
    stdin: Vec<u8>,
}

/// What a run answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Program {
    pub(crate) fn new() -> Self {
        Self::of(Command::new(env!("CARGO_BIN_EXE_byom-preflight")))
    }

    /// The program with at most `mib` MiB of heap: whatever asks for more ends in an abort.
    #[cfg(target_os = "linux")]
    pub(crate) fn limit_memory(mib: u64) -> Self {
        let mut shell = Command::new("/bin/sh");
        let kib = (mib + OVERHEAD_MIB) * 1024;
        shell
            .arg("-c")
            .arg(format!("ulimit -v {kib} && exec \"$0\" \"$@\""));
        shell.arg(env!("CARGO_BIN_EXE_byom-preflight"));
        let mut program = Self::of(shell);
        // Each thread reserves address space that it never uses; few threads, and one heap for all.
        program
            .command
            .env("RAYON_NUM_THREADS", "2")
            .env("MALLOC_ARENA_MAX", "1");
        program
    }

    /// A line of a shell, which finds the program on its path.
    #[cfg(unix)]
    pub(crate) fn shell(line: &str) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell.args(["-c", line]);
        let mut program = Self::of(shell);
        let folder = Path::new(env!("CARGO_BIN_EXE_byom-preflight")).parent();
        let folder = folder.expect("it lies in a folder").display();
        program
            .command
            .env("PATH", format!("{folder}:/usr/bin:/bin"));
        program
    }

    fn of(mut command: Command) -> Self {
        command.env_clear().current_dir(env!("CARGO_TARGET_TMPDIR"));
        // No test leaves this machine: nothing answers at this address.
        command.env("HF_ENDPOINT", "http://127.0.0.1:1");
        command.env("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        command.env("AWS_EC2_METADATA_DISABLED", "true");
        command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .stdin(Stdio::piped());
        Self {
            command,
            stdin: Vec::new(),
        }
    }

    pub(crate) fn arg(mut self, arg: impl AsRef<OsStr>) -> Self {
        self.command.arg(arg);
        self
    }

    pub(crate) fn args(mut self, args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(args);
        self
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    pub(crate) fn inside(mut self, dir: &Path) -> Self {
        self.command.current_dir(dir);
        self
    }

    pub(crate) fn stdin(mut self, text: &str) -> Self {
        self.stdin = text.into();
        self
    }

    pub(crate) fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.command.stdout(to);
        self
    }

    /// Runs it to its end.
    pub(crate) fn run(mut self) -> Answer {
        let mut child = self.command.spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("piped");
        // A program that does not read its input may be gone already.
        let _ = stdin.write_all(&self.stdin);
        drop(stdin);
        let stdout = child.stdout.take().map(read_aside);
        let stderr = child.stderr.take().map(read_aside);
        let code = wait(&mut child);
        let text = |reader: Option<thread::JoinHandle<String>>| {
            reader.map_or_else(String::new, |it| it.join().unwrap())
        };
        Answer {
            code,
            stdout: text(stdout),
            stderr: text(stderr),
        }
    }
}

/// `byom-preflight check` with these arguments.
pub(crate) fn check(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Answer {
    Program::new().arg("check").args(args).run()
}

/// The JSON report of `check` with these arguments.
pub(crate) fn report(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Value {
    check(
        args.into_iter()
            .map(|arg| arg.as_ref().to_owned())
            .chain(["--format".into(), "json".into()]),
    )
    .json()
}

impl Answer {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }

    /// Fails unless this is the exit code and the words stand on standard output, however they are wrapped.
    #[track_caller]
    pub(crate) fn says(&self, code: i32, words: &str) {
        assert_eq!(self.code, code, "{self:#?}");
        assert!(
            one_line(&self.stdout).contains(words),
            "no `{words}` in\n{}",
            self.stdout
        );
        assert_quiet(&self.stderr);
    }

    /// Fails unless this is the exit code, standard error is this one line, and there is no result.
    #[track_caller]
    pub(crate) fn complains(&self, code: i32, line: &str) {
        assert_eq!(
            (self.code, self.stderr.as_str()),
            (code, format!("{line}\n").as_str()),
            "{self:#?}"
        );
        assert_eq!(self.stdout, "", "no result");
    }
}

/// No run may end in a panic, whatever else it says.
#[track_caller]
fn assert_quiet(stderr: &str) {
    assert!(!stderr.contains("panicked"), "{stderr}");
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The report of two runs of the same model, made equal where they may differ: time and duration.
pub(crate) fn without_times(mut report: Value) -> Value {
    for model in report["models"].as_array_mut().expect("models") {
        model["model"]["observed_at"] = Value::Null;
        model["cost"]["seconds"] = Value::Null;
    }
    report
}

/// The rule's rows for this target that have this outcome.
pub(crate) fn rules_of<'a>(model: &'a Value, target: &str, outcome: &str) -> Vec<&'a str> {
    let rows = model["rules"].as_array().expect("rules").iter();
    let rows = rows.filter(|row| row["outcome"] == outcome);
    let rows = rows.filter(|row| {
        row["targets"]
            .as_array()
            .expect("targets")
            .iter()
            .any(|it| it == target)
    });
    rows.map(|row| row["id"].as_str().expect("an id")).collect()
}

fn read_aside(mut from: impl Read + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).expect("readable");
        String::from_utf8(bytes).expect("output is UTF-8")
    })
}

fn wait(child: &mut Child) -> i32 {
    let started = Instant::now();
    loop {
        if let Some(status) = child.try_wait().expect("a child") {
            return status
                .code()
                .unwrap_or_else(|| panic!("ended by a signal: {status}"));
        }
        if started.elapsed() > PATIENCE {
            child.kill().expect("still there");
            panic!("no answer within {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(2));
    }
}
