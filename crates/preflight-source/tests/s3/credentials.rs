//! Where credentials come from. Every service is the loopback server; no file but those of the test is read.

use std::fmt::Write as _;
use std::path::Path;

use super::server::{Answer, Asked, S3Server};
use super::*;

/// A server that is S3, and STS, SSO, container and instance as well.
fn server() -> S3Server {
    S3Server::with(model(), 1000, |asked| match asked.path.as_str() {
        "/federation/credentials" => Some(sso(asked)),
        "/container" => Some(of_machine(
            asked.header("authorization") == Some("container-token"),
        )),
        "/metadata/latest/api/token" => Some(Answer::new(200, "metadata-token")),
        "/metadata/latest/meta-data/iam/security-credentials/" => Some(Answer::new(200, "role")),
        "/metadata/latest/meta-data/iam/security-credentials/role" => Some(of_machine(
            asked.header("x-aws-ec2-metadata-token") == Some("metadata-token"),
        )),
        "/" => Some(sts(asked)),
        _ => None,
    })
}

fn sso(asked: &Asked) -> Answer {
    if asked.header("x-amz-sso_bearer_token") != Some("sso-token")
        || asked.query["account_id"] != "42"
        || asked.query["role_name"] != "Reader"
    {
        return Answer::new(401, "");
    }
    Answer::new(
        200,
        r#"{"roleCredentials": {"accessKeyId": "AKIDSSO", "secretAccessKey": "s", "sessionToken": "token-of-sso", "expiration": 4102444800000}}"#,
    )
}

fn of_machine(is_known: bool) -> Answer {
    if !is_known {
        return Answer::new(401, "");
    }
    Answer::new(
        200,
        r#"{"Code": "Success", "AccessKeyId": "AKIDMACHINE", "SecretAccessKey": "s", "Token": "token-of-machine", "Expiration": "2100-01-01T00:00:00Z"}"#,
    )
}

fn sts(asked: &Asked) -> Answer {
    let action = if asked.body.contains("Action=AssumeRoleWithWebIdentity")
        && asked.body.contains("WebIdentityToken=web-token")
    {
        "AssumeRoleWithWebIdentity"
    } else if asked
        .query
        .get("Action")
        .is_some_and(|action| action == "AssumeRole")
        && asked.is_signed()
    {
        "AssumeRole"
    } else {
        return Answer::new(
            403,
            "<ErrorResponse><Error><Code>AccessDenied</Code><Message>not for you</Message></Error></ErrorResponse>",
        );
    };
    let credentials = "<AccessKeyId>AKIDROLE00000000</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>token-of-role</SessionToken><Expiration>2100-01-01T00:00:00Z</Expiration>";
    Answer::new(
        200,
        format!(
            "<{action}Response><{action}Result><Credentials>{credentials}</Credentials></{action}Result></{action}Response>"
        ),
    )
}

/// Access key and session token that the bucket is asked with.
fn asked_as(server: &S3Server, more: &[(&str, &str)]) -> String {
    let (collected, notes) = look(&options(server, more));
    assert_eq!(collected.snapshot.access, Access::Open);
    assert!(collected.cost.requests >= 5);
    let log = server.log();
    let list = log.iter().rfind(|asked| asked.is_list()).unwrap();
    let text = format!("{:?} {notes:?}", collected.snapshot);
    assert!(
        !text.contains("AKID") && !text.contains("token-of"),
        "{text}"
    );
    let Some(authorization) = list.header("authorization") else {
        return "nobody".into();
    };
    let key = authorization
        .split_once("Credential=")
        .unwrap()
        .1
        .split('/')
        .next()
        .unwrap();
    let token = list.header("x-amz-security-token");
    token.map_or_else(|| key.to_owned(), |token| format!("{key} {token}"))
}

fn write(dir: &Path, name: &str, text: &str) -> String {
    common::write_file(dir, name, text);
    dir.join(name).to_str().unwrap().to_owned()
}

#[test]
fn the_environment_comes_first() {
    let dir = tempfile::tempdir().unwrap();
    let file = write(
        dir.path(),
        "credentials",
        "[default]\naws_access_key_id = AKIDFILE\naws_secret_access_key = s\n[other]\naws_access_key_id = AKIDOTHER\naws_secret_access_key = s\naws_session_token = token-of-other\n",
    );
    let file = ("AWS_SHARED_CREDENTIALS_FILE", file.as_str());
    let server = server();
    assert_eq!(asked_as(&server, &[file, KEYS[0], KEYS[1]]), "AKIDTEST");
    assert_eq!(
        asked_as(
            &server,
            &[
                file,
                KEYS[0],
                KEYS[1],
                ("AWS_SESSION_TOKEN", "token-of-env")
            ]
        ),
        "AKIDTEST token-of-env"
    );
    assert_eq!(asked_as(&server, &[file]), "AKIDFILE");
    assert_eq!(
        asked_as(&server, &[file, ("AWS_PROFILE", "other")]),
        "AKIDOTHER token-of-other"
    );
    assert_eq!(asked_as(&server, &[]), "nobody");
}

#[test]
fn the_files_are_in_the_home_folder() {
    let dir = tempfile::tempdir().unwrap();
    write(
        dir.path(),
        ".aws/config",
        "[default]\naws_access_key_id = AKIDHOME\naws_secret_access_key = s\n",
    );
    let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    assert_eq!(
        asked_as(&server(), &[(home, dir.path().to_str().unwrap())]),
        "AKIDHOME"
    );
}

#[cfg(unix)]
#[test]
fn a_program_gives_them() {
    let dir = tempfile::tempdir().unwrap();
    let answer = write(
        dir.path(),
        "an answer.json",
        r#"{"Version": 1, "AccessKeyId": "AKIDPROGRAM", "SecretAccessKey": "s", "SessionToken": "token-of-program"}"#,
    );
    let config = write(
        dir.path(),
        "config",
        &format!(
            "[default]\ncredential_process = /bin/cat \"{answer}\"\n[profile broken]\ncredential_process = /bin/sh -c 'echo hunter2; echo hunter3 >&2; exit 3'\n[profile absent]\ncredential_process = /nowhere/x\n"
        ),
    );
    let config = ("AWS_CONFIG_FILE", config.as_str());
    let server = server();
    assert_eq!(asked_as(&server, &[config]), "AKIDPROGRAM token-of-program");
    // A public bucket is read all the same; that the login is broken is said.
    for (profile, why) in [("broken", "status 3"), ("absent", "no such file")] {
        let (_, notes) = look(&options(&server, &[config, ("AWS_PROFILE", profile)]));
        assert!(
            notes.len() == 1 && notes[0].contains(why) && !notes[0].contains("hunter"),
            "{notes:?}"
        );
    }
}

#[test]
fn a_web_identity_is_exchanged() {
    let dir = tempfile::tempdir().unwrap();
    let token = write(dir.path(), "token", "web-token\n");
    let role = ("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/reader");
    let server = server();
    let file = ("AWS_WEB_IDENTITY_TOKEN_FILE", token.as_str());
    assert_eq!(
        asked_as(&server, &[role, file]),
        "AKIDROLE00000000 token-of-role"
    );
    assert_eq!(
        asked_as(&server, &[role, file, ("AWS_REGION", "eu-west-3")]),
        "AKIDROLE00000000 token-of-role"
    );
    let config = write(
        dir.path(),
        "config",
        &format!(
            "[default]\nrole_arn = arn:aws:iam::123456789012:role/reader\nweb_identity_token_file = {token}\n"
        ),
    );
    assert_eq!(
        asked_as(&server, &[("AWS_CONFIG_FILE", &config)]),
        "AKIDROLE00000000 token-of-role"
    );

    let other = write(dir.path(), "other", "another-token");
    let (_, notes) = look(&options(
        &server,
        &[role, ("AWS_WEB_IDENTITY_TOKEN_FILE", &other)],
    ));
    assert!(
        notes[0]
            .starts_with("the web identity (`AWS_WEB_IDENTITY_TOKEN_FILE`) gives no credentials: ")
            && notes[0].contains("not for you"),
        "{notes:?}"
    );
    assert!(!notes[0].contains("another-token"));
}

#[test]
fn a_role_is_assumed() {
    let dir = tempfile::tempdir().unwrap();
    let mut config = String::from(
        "[profile base]\naws_access_key_id = AKIDBASE\naws_secret_access_key = s\n[profile role]\nrole_arn = arn:aws:iam::123456789012:role/reader\nsource_profile = base\n[profile chained]\nrole_arn = arn:aws:iam::123456789012:role/next\nsource_profile = role\nexternal_id = ext\n[profile own]\nrole_arn = arn:aws:iam::123456789012:role/next\nsource_profile = own\naws_access_key_id = AKIDBASE\naws_secret_access_key = s\n",
    );
    config += "[profile round]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = about\n[profile about]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = round\n[profile code]\nrole_arn = arn:aws:iam::123456789012:role/a\nsource_profile = base\nmfa_serial = x\n[profile none]\nrole_arn = arn:aws:iam::123456789012:role/a\n";
    let config = write(dir.path(), "config", &config);
    let config = ("AWS_CONFIG_FILE", config.as_str());
    let server = server();
    for profile in ["role", "chained", "own"] {
        assert_eq!(
            asked_as(&server, &[config, ("AWS_PROFILE", profile)]),
            "AKIDROLE00000000 token-of-role",
            "{profile}"
        );
    }
    for (profile, why) in [
        ("round", "without end"),
        ("code", "`mfa_serial`"),
        ("none", "`source_profile`"),
    ] {
        let (_, notes) = look(&options(&server, &[config, ("AWS_PROFILE", profile)]));
        assert!(notes[0].contains(why), "{notes:?}");
    }
}

/// The name of the file that `aws sso login` keeps a token in.
fn token_file(name: &str) -> String {
    use sha1::Digest as _;
    let mut file = String::from(".aws/sso/cache/");
    for byte in sha1::Sha1::digest(name) {
        let _ = write!(file, "{byte:02x}");
    }
    file + ".json"
}

#[test]
fn a_login_of_sso_is_used() {
    let dir = tempfile::tempdir().unwrap();
    let home = if cfg!(windows) { "USERPROFILE" } else { "HOME" };
    let role = "sso_account_id = 42\nsso_role_name = Reader\n";
    write(
        dir.path(),
        ".aws/config",
        &format!(
            "[default]\nsso_session = corp\n{role}[sso-session corp]\nsso_region = eu-west-1\nsso_start_url = https://corp.example/start\n[profile old]\nsso_start_url = https://old.example/start\nsso_region = eu-west-1\n{role}[profile lapsed]\nsso_start_url = https://lapsed.example/start\nsso_region = eu-west-1\n{role}"
        ),
    );
    let token = |until: &str| format!(r#"{{"accessToken": "sso-token", "expiresAt": "{until}"}}"#);
    write(
        dir.path(),
        &token_file("corp"),
        &token("2100-01-01T00:00:00Z"),
    );
    write(
        dir.path(),
        &token_file("https://old.example/start"),
        &token("2100-01-01T00:00:00Z"),
    );
    write(
        dir.path(),
        &token_file("https://lapsed.example/start"),
        &token("2020-01-01T00:00:00Z"),
    );
    let home = (home, dir.path().to_str().unwrap());
    let server = server();
    assert_eq!(asked_as(&server, &[home]), "AKIDSSO token-of-sso");
    assert_eq!(
        asked_as(&server, &[home, ("AWS_PROFILE", "old")]),
        "AKIDSSO token-of-sso"
    );
    let (_, notes) = look(&options(&server, &[home, ("AWS_PROFILE", "lapsed")]));
    assert!(
        notes[0].starts_with("profile `lapsed` gives no credentials: ")
            && notes[0].contains("aws sso login"),
        "{notes:?}"
    );
}

#[test]
fn a_machine_has_a_role() {
    let server = server();
    let container = format!("{}/container", server.endpoint());
    let token = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", container.as_str()),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN", "container-token"),
    ];
    assert_eq!(asked_as(&server, &token), "AKIDMACHINE token-of-machine");
    assert_eq!(
        asked_as(&server, &[("AWS_EC2_METADATA_DISABLED", "false")]),
        "AKIDMACHINE token-of-machine"
    );
    let before = server.log().len();
    assert_eq!(
        asked_as(&server, &[("AWS_EC2_METADATA_DISABLED", "TRUE")]),
        "nobody"
    );
    assert!(
        server.log()[before..]
            .iter()
            .all(|asked| !asked.path.starts_with("/metadata"))
    );
}

/// A laptop: at the address of the service nobody answers.
#[test]
fn nobody_waits_for_a_machine_that_has_none() {
    let silent = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let server = server();
    let started = std::time::Instant::now();
    let options = options(
        &server,
        &[
            ("AWS_EC2_METADATA_DISABLED", "false"),
            ("AWS_EC2_METADATA_SERVICE_ENDPOINT", &endpoint),
        ],
    );
    let (collected, notes) = look(&options.stall(Duration::from_secs(10)));
    assert_eq!(collected.snapshot.access, Access::Open);
    assert!(
        notes[0].starts_with("no AWS credentials were found"),
        "{notes:?}"
    );
    let took = started.elapsed();
    assert!(
        took > Duration::from_millis(900) && took < Duration::from_secs(4),
        "{took:?}"
    );
}
