//! Every fault as a client meets it, by a client that hides nothing.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use loopback_hub::{Fault, Host, LoopbackHub, Repo, Route, Rule};

const WEIGHTS: &str = "/o/n/resolve/main/model.safetensors";
const CONFIG: &str = "/o/n/resolve/main/config.json";

fn hub() -> LoopbackHub {
    let hub = LoopbackHub::start();
    let repo = Repo::model("o/n")
        .file("config.json", r#"{"model_type": "llama"}"#)
        .sparse("model.safetensors", "0123456789", 100);
    hub.add(repo);
    hub
}

/// An answer, byte by byte.
#[derive(Debug)]
struct Answer {
    status: u16,
    head: String,
    body: Vec<u8>,
    /// How the connection ended before the body did.
    broken: Option<ErrorKind>,
}

impl Answer {
    fn field(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// One request on a connection of its own, to an absolute address or one of the hub's.
fn get(hub: &LoopbackHub, address: &str, range: &str) -> Answer {
    let address = match address.strip_prefix('/') {
        Some(path) => format!("{}/{path}", hub.endpoint()),
        None => address.to_owned(),
    };
    let (host, path) = address
        .strip_prefix("http://")
        .and_then(|rest| rest.split_once('/'))
        .expect("an address");
    let mut stream = TcpStream::connect(host).expect("a listener");
    stream
        .set_read_timeout(Some(Duration::from_millis(200)))
        .expect("a limit");
    let range = match range {
        "" => String::new(),
        range => format!("Range: bytes={range}\r\n"),
    };
    let request = format!("GET /{path} HTTP/1.1\r\nHost: h\r\n{range}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a reader");
    let mut bytes = Vec::new();
    let broken = stream.read_to_end(&mut bytes).err();
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
    let end = end.map_or(bytes.len(), |end| end + 4);
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    Answer {
        status: head
            .get(9..12)
            .map_or(0, |status| status.parse().expect("a number")),
        body: bytes[end..].to_vec(),
        broken: broken.map(|error| error.kind()),
        head,
    }
}

/// The same, with the redirects that it leads to.
fn follow(hub: &LoopbackHub, address: &str, range: &str) -> Answer {
    let answer = get(hub, address, range);
    match answer.field("Location") {
        Some(next) => get(hub, next, range),
        None => answer,
    }
}

/// The answer to a request that meets `fault` on `route`.
fn meets(fault: Fault, route: Route, address: &str, range: &str) -> Answer {
    let hub = hub();
    hub.inject(Rule::new(fault).on(route));
    follow(&hub, address, range)
}

#[test]
fn without_faults_files_are_what_they_are() {
    let hub = hub();
    let answer = follow(&hub, WEIGHTS, "8-11");
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (206, &b"89\0\0"[..])
    );
    assert_eq!(answer.field("Content-Range"), Some("bytes 8-11/100"));
    let answer = follow(&hub, CONFIG, "");
    assert_eq!(
        (answer.status, answer.body.as_slice()),
        (200, &br#"{"model_type": "llama"}"#[..])
    );
    let log = hub.take_log();
    let routes: Vec<_> = log.iter().map(|seen| (seen.host, seen.route)).collect();
    let wanted = [
        Route::Resolve,
        Route::Cdn,
        Route::Resolve,
        Route::ResolveCache,
    ];
    assert_eq!(
        routes,
        [Host::Hub, Host::Cdn, Host::Hub, Host::Hub]
            .into_iter()
            .zip(wanted)
            .collect::<Vec<_>>()
    );
    let files: Vec<_> = log.iter().filter_map(|seen| seen.file.as_deref()).collect();
    assert_eq!(
        files,
        [
            "model.safetensors",
            "model.safetensors",
            "config.json",
            "config.json"
        ]
    );
    assert_eq!(log[1].range.as_deref(), Some("bytes=8-11"));
    assert!(hub.log().is_empty());
}

#[test]
fn statuses_and_limits() {
    assert_eq!(
        meets(Fault::Status(503), Route::Cdn, WEIGHTS, "0-7").status,
        503
    );
    let answer = meets(Fault::RetryAfter(3), Route::Resolve, CONFIG, "");
    assert_eq!(
        (answer.status, answer.field("Retry-After")),
        (429, Some("3"))
    );
    let answer = meets(Fault::RateLimited(172), Route::Resolve, CONFIG, "");
    assert_eq!(
        (answer.status, answer.field("RateLimit")),
        (429, Some("\"api\";r=0;t=172"))
    );
    assert_eq!(
        meets(Fault::ExpiredUrl, Route::Cdn, WEIGHTS, "0-7").status,
        403
    );
}

#[test]
fn connections_that_fail() {
    let weights = |fault| meets(fault, Route::Cdn, WEIGHTS, "0-9");
    assert_eq!(
        weights(Fault::Reset).broken,
        Some(ErrorKind::ConnectionReset)
    );
    let stalled = weights(Fault::Stall);
    assert_eq!(
        (stalled.broken, stalled.head.as_str()),
        (Some(ErrorKind::WouldBlock), "")
    );
    let stalled = weights(Fault::StallBody);
    assert_eq!(
        (stalled.broken, stalled.body.as_slice()),
        (Some(ErrorKind::WouldBlock), &b"01234"[..])
    );
    let cut = weights(Fault::Truncate);
    assert_eq!((cut.broken, cut.body.as_slice()), (None, &b"01234"[..]));
    assert_eq!(cut.field("Content-Length"), Some("10"));
    let started = Instant::now();
    assert_eq!(
        weights(Fault::Late(Duration::from_millis(50))).body,
        b"0123456789"
    );
    assert!(started.elapsed() >= Duration::from_millis(50));
}

#[test]
fn answers_that_are_wrong() {
    let weights = |fault| meets(fault, Route::Cdn, WEIGHTS, "0-9");
    let answer = weights(Fault::IgnoreRange);
    assert_eq!(
        (
            answer.status,
            answer.body.len(),
            answer.field("Content-Range")
        ),
        (200, 100, None)
    );
    let answer = weights(Fault::Gzip);
    assert_eq!(
        (answer.status, answer.field("Content-Encoding")),
        (200, Some("gzip"))
    );
    assert_eq!(answer.body[..2], [0x1f, 0x8b], "the magic of gzip");
    let answer = weights(Fault::WrongContentRange);
    assert_eq!(
        (answer.field("Content-Range"), answer.body.len()),
        (Some("bytes 1-10/100"), 10)
    );
    let answer = weights(Fault::ShorterRange);
    assert_eq!(
        (answer.field("Content-Range"), answer.body.len()),
        (Some("bytes 0-4/100"), 5)
    );
    assert_eq!(
        weights(Fault::OtherSize).field("Content-Range"),
        Some("bytes 0-9/101")
    );
    assert_eq!(
        weights(Fault::OtherEtag).field("ETag"),
        Some("\"another-version\"")
    );
    let answer = weights(Fault::HtmlPage);
    assert_eq!(
        (answer.status, answer.field("Content-Type")),
        (200, Some("text/html"))
    );
}

#[test]
fn redirects_that_lead_astray() {
    let hub = hub();
    let commit = hub.commit_of("o/n", "main");
    assert_eq!(
        get(&hub, CONFIG, "").field("X-Repo-Commit"),
        commit.as_deref()
    );
    hub.inject(Rule::new(Fault::OtherCommit).times(1));
    assert_ne!(
        get(&hub, CONFIG, "").field("X-Repo-Commit"),
        commit.as_deref()
    );
    hub.heal();
    hub.inject(Rule::new(Fault::RedirectLoop).times(1));
    assert!(
        get(&hub, CONFIG, "")
            .field("Location")
            .unwrap()
            .starts_with(CONFIG)
    );
    hub.heal();
    hub.inject(Rule::new(Fault::RedirectAway));
    assert_eq!(follow(&hub, CONFIG, "").status, 404);
    assert_eq!(hub.log().last().unwrap().host, Host::Away);
}

#[test]
fn rules_say_where_and_how_often() {
    let hub = hub();
    let rule = Rule::new(Fault::Status(500))
        .on(Route::Cdn)
        .file("model.")
        .after(1)
        .times(2);
    hub.inject(rule);
    let statuses: Vec<_> = (0..5)
        .map(|_| follow(&hub, WEIGHTS, "0-7").status)
        .collect();
    assert_eq!(statuses, [206, 500, 500, 206, 206]);
    assert_eq!(follow(&hub, CONFIG, "").status, 200);
    // A share of the requests, the same ones each time.
    let drawn = |seed| -> Vec<u16> {
        hub.heal();
        hub.set_seed(seed);
        hub.inject(Rule::new(Fault::Status(500)).probability(0.5));
        (0..40).map(|_| get(&hub, CONFIG, "").status).collect()
    };
    assert_eq!(drawn(7), drawn(7));
    assert_ne!(drawn(7), drawn(8));
}

#[test]
fn signed_addresses_and_quotas_end() {
    let hub = hub();
    let answer = get(&hub, WEIGHTS, "");
    let location = answer.field("Location").unwrap();
    assert_eq!(get(&hub, location, "0-7").status, 206);
    let forged = location.replace("Expires=", "Expires=9");
    assert_eq!(get(&hub, &forged, "0-7").status, 403);
    hub.set_url_lifetime(Duration::ZERO);
    assert_eq!(follow(&hub, WEIGHTS, "0-7").status, 403);
    hub.set_quota(2, Duration::from_mins(1));
    let statuses = [(); 3].map(|()| get(&hub, CONFIG, "").status);
    assert_eq!(statuses, [307, 307, 429]);
}
