//! The other host: large files behind signed addresses that expire.

use crate::fault::denied;
use crate::http::{Request, Response, encode, parameters};
use crate::repo::{File, digest};
use crate::routes::ranged;
use crate::state::{State, unix_time};

/// The address of a large file.
pub(crate) fn sign(state: &State, path: &str, file: &File) -> String {
    let place = format!("/xet-bridge-us/{}", file.sha256);
    let expires = unix_time() + state.url_lifetime.as_secs();
    let name = path.rsplit('/').next().unwrap_or(path);
    let disposition = encode(&format!("inline; filename=\"{name}\";"), "");
    format!(
        "{}{place}?response-content-disposition={disposition}&Expires={expires}&Signature={}&Key-Pair-Id=LOOPBACK",
        state.cdn,
        signature(&place, expires),
    )
}

fn signature(place: &str, expires: u64) -> String {
    digest(b"signature", format!("{place} {expires}").as_bytes(), 64)
}

/// The file that an address names, and the answer.
pub(crate) fn answer(state: &State, request: &Request) -> (Option<String>, Response) {
    let (mut expires, mut signed) = (0, String::new());
    for (name, value) in parameters(&request.query) {
        match name.as_str() {
            "Expires" => expires = value.parse().unwrap_or(0),
            "Signature" => signed = value,
            _ => {}
        }
    }
    let id = request.path.rsplit('/').next().unwrap_or_default();
    let Some((path, content)) = state.stored.get(id) else {
        return (None, denied("no such key"));
    };
    let response = if signed != signature(&request.path, expires) {
        denied("Access denied")
    } else if expires <= unix_time() {
        denied("Request has expired")
    } else {
        // The storage has a validator of its own, which is not the SHA-256 that the Hub tells.
        let etag = format!("\"{}\"", digest(b"cdn", id.as_bytes(), 32));
        ranged(request, content, "application/octet-stream", &etag)
    };
    (Some(path.clone()), response)
}
