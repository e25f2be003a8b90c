use super::server::{Answer, S3Server};
use super::*;

/// How a server that answers so to everything is told of.
fn says(status: u16, code: &'static str) -> (bool, String) {
    let server = S3Server::with(model(), 1000, move |_| Some(Answer::error(status, code)));
    let (is_refused, why) = closed(&options(&server, &KEYS));
    assert!(
        !why.contains("hunter2") && !why.contains("AKIDTEST"),
        "{why}"
    );
    (is_refused, why.replace(&server.host(), "HOST"))
}

#[test]
fn each_refusal_in_its_words() {
    assert_eq!(
        says(404, "NoSuchBucket"),
        (true, "there is no bucket `models` at `HOST`".into())
    );
    for (status, code, part) in [
        (
            403,
            "AccessDenied",
            "`s3://models/org/name/` may not be read with the credentials of the environment (`HOST` answers 403 (AccessDenied: because)): they need `s3:ListBucket` and `s3:GetObject`; where the requester pays, `AWS_REQUEST_PAYER=requester` says that you do",
        ),
        (
            400,
            "ExpiredToken",
            "the credentials of the environment have expired: log in again (`aws sso login`), or renew the session token",
        ),
        (
            403,
            "InvalidAccessKeyId",
            "`HOST` does not know the access key of the credentials of the environment",
        ),
        (
            403,
            "SignatureDoesNotMatch",
            "`HOST` does not accept the signature: the secret key of the credentials of the environment does not belong to its access key",
        ),
        (
            403,
            "RequestTimeTooSkewed",
            "`HOST` refuses requests of another time than its own: set the clock of this machine",
        ),
        (400, "Odd", "`HOST` answers 400 (Odd: because)"),
        (
            301,
            "PermanentRedirect",
            "the bucket `models` is not in the region `us-east-1`: set `AWS_REGION`",
        ),
    ] {
        assert_eq!(says(status, code), (false, part.into()), "{code}");
    }
}

#[test]
fn the_clock() {
    let server = S3Server::with(model(), 1000, |_| {
        Some(
            Answer::error(403, "RequestTimeTooSkewed")
                .with("Date", "Sun, 06 Nov 1994 08:49:37 GMT"),
        )
    });
    let (_, why) = closed(&options(&server, &KEYS));
    assert!(
        why.contains("set the clock of this machine (it is ") && why.ends_with(" s ahead)"),
        "{why}"
    );
}

#[test]
fn an_empty_prefix_has_no_model() {
    let server = S3Server::start([("other/config.json", vec![])]);
    assert_eq!(
        closed(&options(&server, &KEYS)),
        (
            true,
            "there is no object under `s3://models/org/name/`".into()
        )
    );
}

/// A server whose bucket is in `eu-west-3`.
fn of_eu_west_3(name_it: impl Fn(Answer) -> Answer + Send + Sync + 'static) -> S3Server {
    S3Server::with(model(), 1000, move |asked| {
        match (asked.method.as_str(), asked.region()) {
            ("HEAD", _) => Some(Answer::new(403, "").with("x-amz-bucket-region", "eu-west-3")),
            (_, Some("eu-west-3") | None) => None,
            _ => Some(name_it(Answer::error(301, "PermanentRedirect"))),
        }
    })
}

#[test]
fn the_bucket_says_where_it_is() {
    let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-3</Region></Error>";
    let in_header = of_eu_west_3(|answer| answer.with("x-amz-bucket-region", "eu-west-3"));
    let in_body = of_eu_west_3(move |_| Answer::new(400, body));
    let by_head = of_eu_west_3(|answer| answer);
    for (server, requests) in [(in_header, 6), (in_body, 6), (by_head, 7)] {
        let (collected, notes) = look(&options(&server, &KEYS));
        assert_eq!(collected.snapshot.access, Access::Open);
        assert_eq!(collected.cost.requests, requests);
        assert!(notes.is_empty(), "{notes:?}");
    }
    let known = of_eu_west_3(|answer| answer);
    let (collected, _) = look(&options(
        &known,
        &[KEYS[0], KEYS[1], ("AWS_REGION", "eu-west-3")],
    ));
    assert_eq!(
        collected.cost.requests, 5,
        "no request is lost where the region is known"
    );
}

#[test]
fn two_regions_that_name_each_other_end() {
    let server = S3Server::with(model(), 1000, |asked| {
        let other = if asked.region() == Some("a-1") {
            "b-1"
        } else {
            "a-1"
        };
        Some(Answer::error(301, "PermanentRedirect").with("x-amz-bucket-region", other))
    });
    let (_, why) = closed(&options(
        &server,
        &[KEYS[0], KEYS[1], ("AWS_REGION", "a-1")],
    ));
    assert!(
        why.contains("is in the region `a-1`, not in `b-1`"),
        "{why}"
    );
    assert_eq!(server.log().len(), 2);
}

#[test]
fn a_public_bucket_needs_no_credentials() {
    let server = S3Server::start(model());
    let (collected, notes) = look(&options(&server, &[]));
    assert_eq!(collected.snapshot.access, Access::Open);
    assert_eq!(
        notes,
        [format!(
            "no AWS credentials were found: `{}` was asked without",
            server.host()
        )]
    );
    assert!(server.log().iter().all(|asked| !asked.is_signed()));
}

#[test]
fn credentials_that_are_refused_are_left_aside() {
    for code in ["AccessDenied", "InvalidAccessKeyId", "ExpiredToken"] {
        let server = S3Server::with(model(), 1000, move |asked| {
            asked
                .is_signed()
                .then(|| Answer::error(if code == "ExpiredToken" { 400 } else { 403 }, code))
        });
        let (collected, notes) = look(&options(&server, &KEYS));
        assert_eq!(collected.snapshot.access, Access::Open, "{code}");
        assert!(
            notes.len() == 1 && notes[0].ends_with("; it was asked without credentials"),
            "{notes:?}"
        );
        assert_eq!(
            server
                .log()
                .iter()
                .filter(|asked| asked.is_signed())
                .count(),
            1
        );
    }
}

#[test]
fn who_pays_says_so() {
    let server = S3Server::with(model(), 1000, |asked| {
        (asked.header("x-amz-request-payer") != Some("requester"))
            .then(|| Answer::error(403, "AccessDenied"))
    });
    let (_, why) = closed(&options(&server, &KEYS));
    assert!(why.contains("`AWS_REQUEST_PAYER=requester`"), "{why}");
    let (collected, _) = look(&options(
        &server,
        &[KEYS[0], KEYS[1], ("AWS_REQUEST_PAYER", "requester")],
    ));
    assert_eq!(collected.snapshot.access, Access::Open);
}
