//! Which requests meet which fault, and how often.

use std::collections::HashMap;

use crate::fault::Fault;
use crate::http::{Request, Response};
use crate::repo::digest;

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Route {
    /// `/api/models/{id}` with or without `/revision/{rev}`.
    Info,
    /// `/api/models/{id}/tree/{rev}`.
    Tree,
    /// `/{id}/resolve/{rev}/{path}`.
    Resolve,
    /// `/api/resolve-cache/…`, where the Hub sends the reader of a small file.
    ResolveCache,
    /// The host that large files lie on.
    Cdn,
    /// `/api/models/{id}/safetensors-metadata/{index}`.
    Headers,
    /// Everything else.
    Other,
}

/// Which requests meet which fault.
#[derive(Debug, Clone)]
pub struct Rule {
    faults: Vec<Fault>,
    routes: Vec<Route>,
    part: String,
    after: u64,
    times: u64,
    probability: f64,
}

impl Rule {
    /// Every request meets `fault`, until a method below says less.
    pub fn new(fault: Fault) -> Self {
        Self::any_of(vec![fault])
    }

    /// Each request that fails meets one of `faults`.
    pub fn any_of(faults: Vec<Fault>) -> Self {
        Self {
            faults,
            routes: Vec::new(),
            part: String::new(),
            after: 0,
            times: u64::MAX,
            probability: 1.0,
        }
    }

    /// Only this route; called again, that one too.
    #[must_use]
    pub fn on(mut self, route: Route) -> Self {
        self.routes.push(route);
        self
    }

    /// Only where the repository's file, or the address, contains `part`.
    #[must_use]
    pub fn file(mut self, part: &str) -> Self {
        self.part = part.into();
        self
    }

    /// Spares the first `count` requests that match.
    #[must_use]
    pub fn after(mut self, count: u64) -> Self {
        self.after = count;
        self
    }

    /// Fails no more than `count` requests.
    #[must_use]
    pub fn times(mut self, count: u64) -> Self {
        self.times = count;
        self
    }

    /// Fails this share of the requests. Which ones depends on the seed, the address and how often it
    /// was asked for, not on the order in which different addresses are.
    #[must_use]
    pub fn probability(mut self, share: f64) -> Self {
        self.probability = share;
        self
    }
}

/// All rules, and what they have seen.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    pub(crate) seed: u64,
    rules: Vec<(Rule, Seen)>,
}

#[derive(Debug, Default)]
struct Seen {
    matched: u64,
    failed: u64,
    addresses: HashMap<String, u64>,
}

impl Faults {
    pub(crate) fn add(&mut self, rule: Rule) {
        self.rules.push((rule, Seen::default()));
    }

    pub(crate) fn clear(&mut self) {
        self.rules.clear();
    }

    /// The fault that this request meets, by the first rule that says so.
    pub(crate) fn draw(
        &mut self,
        route: Route,
        subject: &str,
        request: &Request,
        response: &Response,
    ) -> Option<Fault> {
        let seed = self.seed;
        self.rules.iter_mut().find_map(|(rule, seen)| {
            let is_here = rule.routes.is_empty() || rule.routes.contains(&route);
            let is_named = subject.contains(&rule.part) || request.path.contains(&rule.part);
            if !is_here || !is_named {
                return None;
            }
            let faults = rule.faults.iter();
            let faults: Vec<_> = faults
                .filter(|fault| fault.applies(route, request, response))
                .collect();
            let count = faults.len() as u64;
            if count == 0 {
                return None;
            }
            seen.matched += 1;
            if seen.matched <= rule.after || seen.failed >= rule.times {
                return None;
            }
            let address = format!("{} {subject}", request.method);
            let asked = seen.addresses.entry(address.clone()).or_default();
            *asked += 1;
            let dice = dice(&format!("{seed} {address} {asked}"));
            if share(dice) >= rule.probability {
                return None;
            }
            seen.failed += 1;
            let chosen = self::dice(&format!("{dice}")) % count;
            faults.get(usize::try_from(chosen).ok()?).copied().cloned()
        })
    }
}

/// An even 64-bit number for a text.
fn dice(text: &str) -> u64 {
    u64::from_str_radix(&digest(b"dice", text.as_bytes(), 16), 16).map_or(0, |state| {
        // The last step of splitmix64: FNV alone leaves the high bits of short texts alike.
        let state = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let state = (state ^ (state >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        state ^ (state >> 31)
    })
}

/// The number as a part of 1.
fn share(dice: u64) -> f64 {
    f64::from(u32::try_from(dice >> 32).unwrap_or(0)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_dice_are_even_and_repeat() {
        let mut faults = Faults::default();
        let rule = Rule::any_of(vec![Fault::Reset, Fault::Stall]).probability(0.05);
        faults.add(rule);
        let response = Response::text(200, "");
        let request = Request::default();
        let mut draw = || {
            let subject = "a";
            faults.draw(Route::Info, subject, &request, &response)
        };
        let drawn: Vec<_> = (0..20_000).map(|_| draw()).collect();
        let count = |fault: &Fault| drawn.iter().flatten().filter(|it| *it == fault).count();
        for fault in [Fault::Reset, Fault::Stall] {
            assert!((400..600).contains(&count(&fault)), "{}", count(&fault));
        }
    }
}
