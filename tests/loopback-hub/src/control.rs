//! `/__loopback__/…`: what a test in another language asks of the program. Never late, never failed,
//! never written down.

use std::time::Duration;

use serde_json::{Value, json};

use crate::http::{Request, Response};
use crate::state::State;

/// The answer, if the request is for us: `log` gives all requests since it was last asked, `set?rtt-ms=80`
/// changes the latency.
pub(crate) fn answer(state: &mut State, request: &Request) -> Option<Response> {
    match request.path.strip_prefix("/__loopback__/")? {
        "log" => Some(Response::json(200, &take_log(state))),
        "set" => {
            let rtt = request.parameter("rtt-ms").and_then(|rtt| rtt.parse().ok());
            state.latency = rtt.map_or(state.latency, Duration::from_millis);
            Some(Response::json(200, &json!({})))
        }
        _ => Some(Response::text(404, "no such control")),
    }
}

fn take_log(state: &mut State) -> Value {
    let seen = std::mem::take(&mut state.log);
    let lines = seen.into_iter().map(|seen| {
        json!({
            "host": format!("{:?}", seen.host), "connection": seen.connection, "method": seen.method,
            "path": seen.path, "file": seen.file, "range": seen.range, "status": seen.status,
            "bytes": seen.bytes, "has_authorization": seen.has_authorization, "fault": seen.fault,
            "route": format!("{:?}", seen.route), "user_agent": seen.user_agent,
        })
    });
    lines.collect()
}
