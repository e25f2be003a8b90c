//! The numbers of an option as people read them, so that the verdict follows from them as it does from
//! the bytes.

use std::ops::RangeInclusive;

use preflight_model::memory::GIB;

use crate::report::FitOption;

/// Decimals of a GiB: at least and at most. With ten of them any two numbers of bytes differ.
const DECIMALS: RangeInclusive<u32> = 1..=10;

/// What an option needs and has on one GPU, in GiB without the unit. All numbers have the same decimals:
/// one, or as many as it takes to see that what is needed is more than what is usable. The parts add up to
/// what is needed, and what is usable and missing do too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownGib {
    /// All parts together, or those that are known where they alone are too much.
    pub needed: Option<String>,
    /// What the engine may use.
    pub usable: String,
    /// How much more is needed than is usable; none where it is not more.
    pub missing: Option<String>,
    /// Weights.
    pub weights: Option<String>,
    /// KV cache and fixed state.
    pub cache: Option<String>,
    /// Activations and runtime.
    pub overhead: Option<String>,
}

impl ShownGib {
    /// The numbers of an option.
    pub fn of(option: &FitOption) -> Self {
        let usable = option.usable_bytes_per_gpu;
        let missing = option.missing_bytes_per_gpu;
        let parts = missing.map(|missing| usable.saturating_add(missing));
        let needed = option.needed_bytes_per_gpu.or(parts);
        // Rounding keeps the order, so at most the difference can get lost.
        let is_seen = |&decimals: &u32| {
            needed.is_none_or(|needed| {
                needed <= usable || rounded(needed, decimals) > rounded(usable, decimals)
            })
        };
        let decimals = DECIMALS.clone().find(is_seen).unwrap_or(*DECIMALS.end());
        let units = |bytes: u64| rounded(bytes, decimals);
        let shown = |units: u128| text(units, decimals);

        // Each part ends where the sum so far does, so that they add up as they are shown.
        let mut end = 0_u64;
        let mut part = |bytes: Option<u64>| {
            let start = end;
            end = end.saturating_add(bytes?);
            Some(shown(units(end) - units(start)))
        };
        Self {
            weights: part(option.weights_bytes_per_gpu),
            cache: part(option.cache_bytes_per_gpu),
            overhead: part(option.overhead_bytes_per_gpu),
            needed: needed.map(|needed| shown(units(needed))),
            missing: needed
                .filter(|&needed| needed > usable)
                .map(|needed| shown(units(needed) - units(usable))),
            usable: shown(units(usable)),
        }
    }
}

/// GiB in units of the last decimal, to the nearest.
fn rounded(bytes: u64, decimals: u32) -> u128 {
    let gib = u128::from(GIB);
    (u128::from(bytes) * 10_u128.pow(decimals) + gib / 2) / gib
}

fn text(units: u128, decimals: u32) -> String {
    let tens = 10_u128.pow(decimals);
    let width = decimals as usize;
    format!("{}.{:0width$}", units / tens, units % tens)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::FitVerdict;

    fn option(parts: [u64; 3], usable: u64) -> FitOption {
        let needed: u64 = parts.iter().sum();
        FitOption {
            hardware: "1x".into(),
            gpu_count: 1,
            as_of: "2026".into(),
            verdict: FitVerdict::Unknown,
            because: None,
            needed_bytes_per_gpu: Some(needed),
            missing_bytes_per_gpu: needed.checked_sub(usable).filter(|&missing| missing > 0),
            usable_bytes_per_gpu: usable,
            weights_bytes_per_gpu: Some(parts[0]),
            cache_bytes_per_gpu: Some(parts[1]),
            overhead_bytes_per_gpu: Some(parts[2]),
            max_context: None,
        }
    }

    /// A decimal number as an integer of its last place.
    fn places(text: &str) -> u128 {
        text.replace('.', "").parse().unwrap()
    }

    #[test]
    fn one_decimal_is_enough_where_it_tells_them_apart() {
        let shown = ShownGib::of(&option([3 * GIB, GIB / 4, GIB / 4], 2 * GIB));
        assert_eq!(
            (shown.needed.as_deref(), shown.usable.as_str()),
            (Some("3.5"), "2.0")
        );
        assert_eq!(shown.missing.as_deref(), Some("1.5"));
        let exact = ShownGib::of(&option([GIB, GIB, 0], 2 * GIB));
        assert_eq!(
            (exact.needed.as_deref(), exact.usable.as_str()),
            (Some("2.0"), "2.0")
        );
        assert_eq!(exact.missing, None, "as much as there is is not too much");
    }

    #[test]
    fn too_much_is_seen_however_little_it_is() {
        for (more, needed, usable, missing) in [
            (1, "2.000000001", "2.000000000", "0.000000001"),
            (36_864, "2.00003", "2.00000", "0.00003"),
            (GIB / 16, "2.1", "2.0", "0.1"),
        ] {
            let shown = ShownGib::of(&option([2 * GIB, more, 0], 2 * GIB));
            assert_eq!(
                (shown.needed.as_deref(), shown.usable.as_str()),
                (Some(needed), usable)
            );
            assert_eq!(shown.missing.as_deref(), Some(missing));
        }
    }

    #[test]
    fn what_is_shown_adds_up_and_gives_the_verdict() {
        let mut seed = 7_u64;
        let mut next = || {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            seed >> 26
        };
        for _ in 0..5_000 {
            let parts = [next(), next(), next() >> 3];
            let needed: u64 = parts.iter().sum();
            let near = needed.saturating_add(next() >> 20);
            for usable in [next(), needed, needed - 1, near, needed - (near - needed)] {
                let shown = ShownGib::of(&option(parts, usable));
                let of = |text: &Option<String>| text.as_deref().map_or(0, places);
                let (needed_shown, usable_shown) = (of(&shown.needed), places(&shown.usable));
                assert_eq!(needed > usable, needed_shown > usable_shown, "{shown:?}");
                assert_eq!(needed > usable, shown.missing.is_some(), "{shown:?}");
                if let Some(missing) = &shown.missing {
                    assert_eq!(usable_shown + places(missing), needed_shown, "{shown:?}");
                }
                let parts = of(&shown.weights) + of(&shown.cache) + of(&shown.overhead);
                assert_eq!(parts, needed_shown, "{shown:?}");
            }
        }
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let unknown = FitOption {
            needed_bytes_per_gpu: None,
            missing_bytes_per_gpu: None,
            weights_bytes_per_gpu: None,
            cache_bytes_per_gpu: None,
            overhead_bytes_per_gpu: None,
            ..option([0; 3], 80 * GIB)
        };
        let shown = ShownGib::of(&unknown);
        assert_eq!(
            (shown.needed, shown.weights, shown.missing),
            (None, None, None)
        );
        assert_eq!(shown.usable, "80.0");
        // The weights alone are too much, and the cache is not known.
        let alone = FitOption {
            missing_bytes_per_gpu: Some(GIB),
            ..unknown
        };
        let shown = ShownGib::of(&alone);
        assert_eq!(
            (shown.needed.as_deref(), shown.missing.as_deref()),
            (Some("81.0"), Some("1.0"))
        );
    }
}
