//! Where the credential goes, and what happens to one that the Hub does not know.

use loopback_hub::{Fault, Host, Route, Rule};

use crate::{ID, hub_with, is_whole, look, model, options, refused};

#[test]
fn the_credential_stays_at_the_hub() {
    let hub = hub_with(model(ID).private());
    hub.token("hf_secret", "alice", &[ID]);
    let (collected, notes) = look(ID, None, &options(&hub).token("hf_secret").unwrap());
    assert!(is_whole(&collected.snapshot) && notes.is_empty());
    let log = hub.log();
    assert!(log.iter().any(|seen| seen.host == Host::Cdn));
    for seen in log {
        assert_eq!(seen.has_authorization, seen.host == Host::Hub, "{seen:?}");
    }
}

#[test]
fn nor_does_it_follow_a_redirect_to_a_stranger() {
    let hub = hub_with(model(ID));
    hub.token("hf_secret", "alice", &[ID]);
    hub.inject(Rule::new(Fault::RedirectAway).on(Route::Resolve));
    let (collected, _) = look(ID, None, &options(&hub).token("hf_secret").unwrap());
    assert!(!format!("{collected:?}").contains("hf_secret"));
    let log = hub.log();
    assert!(log.iter().any(|seen| seen.host == Host::Away));
    for seen in log.iter().filter(|seen| seen.host == Host::Away) {
        assert!(!seen.has_authorization, "{seen:?}");
    }
}

#[test]
fn a_token_that_is_not_valid_does_not_fail_a_public_model() {
    let hub = hub_with(model(ID));
    hub.token("hf_valid", "alice", &[]);
    let (collected, notes) = look(ID, None, &options(&hub).token("hf_expired").unwrap());
    assert!(is_whole(&collected.snapshot));
    let host = hub.endpoint().replace("http://", "");
    assert_eq!(
        notes,
        [format!(
            "`{host}` does not know the token: it was asked without"
        )]
    );
    // Only the requests that were under way before the first answer carried it.
    let log = hub.log();
    let refused = log.iter().rposition(|seen| seen.has_authorization).unwrap();
    assert!(
        log[refused + 1..]
            .iter()
            .any(|seen| seen.route == Route::Cdn)
    );
    assert!(log[..=refused].iter().all(|seen| seen.route != Route::Cdn));
}

#[test]
fn nor_is_it_hidden_where_it_is_to_blame() {
    let hub = hub_with(model(ID).private());
    hub.token("hf_valid", "alice", &[ID]);
    let (collected, _) = look(ID, None, &options(&hub).token("hf_expired").unwrap());
    assert_eq!(
        refused(&collected.snapshot),
        format!(
            "`{ID}` is missing or private (the Hub does not know the token, so it was asked without)"
        )
    );
}

#[test]
fn a_hub_that_errs_once_about_the_token_does_not_hide_a_private_model() {
    for route in [Route::Info, Route::Resolve] {
        let hub = hub_with(model(ID).private());
        hub.token("hf_valid", "alice", &[ID]);
        hub.inject(Rule::new(Fault::UnknownToken).on(route).times(1));
        let (collected, notes) = look(ID, None, &options(&hub).token("hf_valid").unwrap());
        assert!(is_whole(&collected.snapshot), "{route:?}");
        assert!(notes.is_empty(), "{notes:?}");
        assert!(hub.log().iter().any(|seen| seen.fault.is_some()));
    }
}
