//! The client against a server on the loopback interface, well-behaved and not.

#![expect(clippy::unwrap_used, reason = "a test ends with the first surprise")]

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use preflight_together::{Error, Key, Offer, Settings, fetch};

const KEY: &str = "sk-very-secret";
const SUPPORTED: &str = r#"{"models": ["acme/base", "acme/large"]}"#;
const HARDWARE: &str = r#"{"object": "list", "data": [{"object": "hardware", "id": "8x_nvidia_h200_140gb_sxm",
  "pricing": {"cents_per_minute": 5}, "specs": {"gpu_type": "h200", "gpu_link": "sxm", "gpu_memory": 140, "gpu_count": 8}, "updated_at": "2026"}]}"#;

/// A request: its target and its header lines.
#[derive(Debug, Clone)]
struct Seen {
    target: String,
    head: String,
}

/// A server that answers as `reply` says, with whole HTTP messages; it stops with the test's process.
struct Server {
    address: String,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Server {
    fn start(reply: impl Fn(&str, usize) -> Vec<u8> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (log, reply) = (Arc::clone(&seen), Arc::new(reply));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (log, reply) = (Arc::clone(&log), Arc::clone(&reply));
                thread::spawn(move || serve(&stream, &log, &*reply));
            }
        });
        Self { address, seen }
    }

    fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }
}

fn serve(stream: &TcpStream, log: &Mutex<Vec<Seen>>, reply: &dyn Fn(&str, usize) -> Vec<u8>) {
    let mut head = String::new();
    let mut reader = BufReader::new(stream);
    while reader.read_line(&mut head).is_ok_and(|count| count > 2) {}
    let Some(target) = head.split(' ').nth(1).map(str::to_owned) else {
        return;
    };
    let times = {
        let mut log = log.lock().unwrap();
        log.push(Seen {
            target: target.clone(),
            head,
        });
        log.iter().filter(|seen| seen.target == target).count()
    };
    let _ = (&*stream).write_all(&reply(&target, times));
}

fn http(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{headers}\r\n{body}"
    )
    .into_bytes()
}

fn ok(body: &str) -> Vec<u8> {
    http("200 OK", "content-type: application/json\r\n", body)
}

fn limits(name: &str) -> Vec<u8> {
    ok(&format!(
        r#"{{"model_name": "{name}", "max_seq_length_sft": 32768, "max_seq_length_dpo": 16384,
          "supports_full_training": true, "lora_training": {{"max_rank": 64}}, "of tomorrow": [1]}}"#
    ))
}

/// What the platform answers.
fn sound(target: &str) -> Vec<u8> {
    match target {
        "/v1/fine-tunes/models/supported" => ok(SUPPORTED),
        "/v1/hardware" => ok(HARDWARE),
        "/v1/fine-tunes/models/limits?model_name=acme%2Fbase" => limits("acme/base"),
        "/v1/fine-tunes/models/limits?model_name=acme%2Flarge" => limits("acme/large"),
        _ => http("404 Not Found", "", ""),
    }
}

fn ask_within(address: &str, seconds: u64) -> Result<Offer, Error> {
    let settings = Settings::new(Key::new(KEY)?, Some(address), Duration::from_secs(seconds))?;
    fetch(&settings)
}

fn ask(server: &Server) -> Result<Offer, Error> {
    ask_within(&format!("{}/v1", server.address), 20)
}

/// The message of a server that answers `part` in its own way; it never shows the key.
fn told(part: &'static str, reply: impl Fn(usize) -> Vec<u8> + Send + Sync + 'static) -> String {
    let server = Server::start(move |target, times| {
        if target.contains(part) {
            reply(times)
        } else {
            sound(target)
        }
    });
    let error = ask(&server).unwrap_err();
    assert!(!error.is_usage());
    let text = error.to_string();
    assert!(
        !text.contains("secret") && !format!("{error:?}").contains("secret"),
        "{text}"
    );
    assert!(text.lines().count() == 1 && text.len() < 500, "{text}");
    text
}

#[test]
fn all_that_is_offered() {
    let server = Server::start(|target, _| sound(target));
    let offer = ask(&server).unwrap();
    let names: Vec<_> = offer
        .base_models
        .iter()
        .map(|base| base.name.as_str())
        .collect();
    assert_eq!(names, ["acme/base", "acme/large"]);
    assert_eq!(offer.base_models[0].context_sft, Some(32_768));
    assert_eq!(offer.hardware[0].id, "8x_nvidia_h200_140gb_sxm");
    assert!(offer.without_limits.is_empty());
    for seen in server.seen() {
        let head = seen.head.to_ascii_lowercase();
        assert!(
            head.contains(&format!("authorization: bearer {KEY}")),
            "{}",
            seen.target
        );
        assert!(
            head.contains("user-agent: byom-preflight/"),
            "{}",
            seen.target
        );
    }
    assert_eq!(server.seen().len(), 4);
}

#[test]
fn a_base_model_without_limits_is_left_out_and_named() {
    let server = Server::start(|target, _| {
        if target.contains("large") {
            http("404 Not Found", "", r#"{"message": "not available"}"#)
        } else {
            sound(target)
        }
    });
    let offer = ask(&server).unwrap();
    assert_eq!(offer.without_limits, ["acme/large"]);
    assert_eq!(offer.base_models.len(), 1);
}

#[test]
fn what_passes_is_tried_again() {
    let server = Server::start(|target, times| match times {
        1 if target.contains("hardware") => http("429 Too Many Requests", "retry-after: 1\r\n", ""),
        1 if target.contains("large") => http("503 Service Unavailable", "", ""),
        // A connection that ends before the answer does.
        1 if target.contains("supported") => {
            b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec()
        }
        _ => sound(target),
    });
    assert_eq!(ask(&server).unwrap().base_models.len(), 2);
    assert_eq!(server.seen().len(), 7);
}

#[test]
fn what_does_not_pass_is_told_at_once() {
    let said = format!(
        r#"{{"error": {{"message": "Invalid API key provided: {KEY}.", "type": "invalid"}}}}"#
    );
    assert_eq!(
        told("supported", move |_| http("401 Unauthorized", "", &said)),
        "`127.0.0.1` answers 401 to `fine-tunes/models/supported` (Invalid API key provided: …); check `TOGETHER_API_KEY`"
    );
    assert_eq!(
        told("hardware", |_| http(
            "403 Forbidden",
            "",
            "error code: 1010"
        )),
        "`127.0.0.1` answers 403 to `hardware` (forbidden); check `TOGETHER_API_KEY`"
    );
    let server = Server::start(|_, _| http("404 Not Found", "", ""));
    assert_eq!(
        ask_within(&server.address, 20).unwrap_err().to_string(),
        "`127.0.0.1` answers 404 to `fine-tunes/models/supported` (not found); does the address lack the version, as in `/v1`?"
    );
    assert_eq!(server.seen().len(), 1);
}

#[test]
fn the_key_follows_no_redirect() {
    let other = Server::start(|target, _| sound(target));
    let location = format!(
        "location: {}/v1/fine-tunes/models/supported\r\n",
        other.address
    );
    let text = told("supported", move |_| {
        http("307 Temporary Redirect", &location, "")
    });
    assert!(
        text.contains("answers 307") && text.contains("the key goes to no other address"),
        "{text}"
    );
    assert!(other.seen().is_empty());
}

#[test]
fn odd_answers() {
    let odd = "`127.0.0.1` gives an odd answer to";
    for (body, why) in [
        ("<html>", "expected value at line 1 column 1"),
        ("", "EOF while parsing a value"),
        ("[]", "invalid length 0"),
        (r#"{"models": "acme/base"}"#, "invalid type: string"),
        (r#"{"models": []}"#, "it lists no model"),
        (r#"{"models": ["a\u001b[2J"]}"#, "`a\\u{1b}[2J` is no name"),
    ] {
        let text = told("supported", move |_| ok(body));
        assert!(
            text.starts_with(&format!("{odd} `fine-tunes/models/supported`: {why}")),
            "{text}"
        );
    }
    assert_eq!(
        told("hardware", |_| ok(r#"{"data": []}"#)),
        format!("{odd} `hardware`: it lists no hardware")
    );
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let text = told("hardware", move |_| ok(&deep));
    assert!(text.starts_with(&format!("{odd} `hardware`: ")), "{text}");
    let text = told("limits", |_| limits("acme/other"));
    assert!(
        text.contains("asked about `acme/base`, it speaks of `acme/other`"),
        "{text}"
    );
    let long = format!("{{\"models\": [\"{}\"]}}", "x".repeat(9 << 20));
    let text = told("supported", move |_| ok(&long));
    assert!(text.ends_with("it is longer than 8388608 bytes"), "{text}");
}

/// What an answer says is kept in a file, and told where it is odd.
#[test]
fn an_answer_that_repeats_the_key_is_refused() {
    let odd = "`127.0.0.1` gives an odd answer to";
    let names = [
        format!("acme/{KEY}"),
        KEY.replace('-', "\\u002d"),
        format!("{}{KEY}", "x".repeat(35)),
    ];
    for name in names {
        let body = format!(r#"{{"models": ["{name}"]}}"#);
        assert_eq!(
            told("supported", move |_| ok(&body)),
            format!("{odd} `fine-tunes/models/supported`: it repeats the API key")
        );
    }
    let body = HARDWARE.replace("8x_nvidia", KEY);
    assert_eq!(
        told("hardware", move |_| ok(&body)),
        format!("{odd} `hardware`: it repeats the API key")
    );
}

#[test]
fn a_server_that_is_not_there_or_does_not_answer() {
    let text = ask_within("http://127.0.0.1:1/v1", 1)
        .unwrap_err()
        .to_string();
    assert!(
        text.starts_with("`127.0.0.1` cannot be reached: "),
        "{text}"
    );
    let silent = Server::start(|_, _| {
        thread::sleep(Duration::from_mins(1));
        Vec::new()
    });
    let text = ask_within(&silent.address, 1).unwrap_err().to_string();
    assert_eq!(
        text,
        "`127.0.0.1` cannot be reached: the 1 s for it are used up"
    );
    let text = told("hardware", |_| {
        http("429 Too Many Requests", "retry-after: 9999\r\n", "")
    });
    assert_eq!(
        text,
        "`127.0.0.1` answers 429 to `hardware` (too many requests)"
    );
}
