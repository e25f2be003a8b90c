//! How far two sizes are apart.

use std::cmp::Ordering;

use super::ModelShape;
use crate::catalog::BaseModel;

/// The factor between two sizes, kept as a fraction so that comparing is exact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Distance {
    pub(super) larger: u128,
    pub(super) smaller: u64,
    pub(super) base_is_larger: bool,
}

impl Distance {
    /// How far the base's size is from the nearest size that the checkpoint can have.
    pub(super) fn of(base: &BaseModel, shape: &ModelShape) -> Option<Self> {
        let base = base.parameters.filter(|&count| count > 0)?;
        let least = shape.parameters.or(shape.parameters_at_least);
        let most = shape.parameters.or(shape.parameters_at_most);
        if least.is_none() && most.is_none() {
            return None;
        }
        let ours = base
            .min(most.unwrap_or(u64::MAX))
            .max(least.unwrap_or(0))
            .max(1);
        Some(Self {
            larger: u128::from(base.max(ours)),
            smaller: base.min(ours),
            base_is_larger: base > ours,
        })
    }

    fn compare(self, other: Self) -> Ordering {
        let ours = self.larger * u128::from(other.smaller);
        ours.cmp(&(other.larger * u128::from(self.smaller)))
    }

    /// The nearer first; a size that is not known comes last.
    pub(super) fn nearer(a: Option<Self>, b: Option<Self>) -> Ordering {
        match (a, b) {
            (Some(a), Some(b)) => a.compare(b),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => Ordering::Equal,
        }
    }

    /// The factor: `4.1`, or `53` where it is large.
    pub(super) fn times(self) -> String {
        let smaller = u128::from(self.smaller);
        let tenths = (self.larger * 10 + smaller / 2) / smaller;
        if tenths >= 100 {
            return ((tenths + 5) / 10).to_string();
        }
        format!("{}.{}", tenths / 10, tenths % 10)
    }

    /// The base's size in sizes of the checkpoint.
    #[expect(clippy::cast_precision_loss, reason = "a figure to show")]
    pub(super) fn ratio(self) -> f64 {
        let factor = self.larger as f64 / self.smaller as f64;
        if self.base_is_larger {
            factor
        } else {
            1.0 / factor
        }
    }
}

/// A parameter count as people say it: `671B`, `7B`, `1.7B`, `135M`.
pub(super) fn billions(count: u64) -> String {
    const MILLION: u64 = 1_000_000;
    if count < 1000 * MILLION - MILLION / 2 {
        return format!("{}M", count.saturating_add(MILLION / 2) / MILLION);
    }
    let tenths = count.saturating_add(50 * MILLION) / (100 * MILLION);
    if tenths >= 1000 || tenths.is_multiple_of(10) {
        return format!("{}B", (tenths + 5) / 10);
    }
    format!("{}.{}B", tenths / 10, tenths % 10)
}
