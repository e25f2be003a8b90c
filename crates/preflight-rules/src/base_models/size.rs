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
    /// Whether the checkpoint's size is known; otherwise the distance is at least this.
    pub(super) is_exact: bool,
}

impl Distance {
    /// How far the base's size is from the nearest size that the checkpoint can have. Bases within its bounds
    /// are equally near, so that what the order asks next tells them apart.
    pub(super) fn of(base: &BaseModel, shape: &ModelShape) -> Option<Self> {
        let base = base.parameters.filter(|&count| count > 0)?;
        let Size { least, most } = Size::of(shape);
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
            is_exact: least == most,
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

    /// The base's size in sizes of the checkpoint; none where that has bounds only.
    #[expect(clippy::cast_precision_loss, reason = "a figure to show")]
    pub(super) fn ratio(self) -> Option<f64> {
        let ratio = if self.base_is_larger {
            self.larger as f64 / self.smaller as f64
        } else {
            self.share()
        };
        self.is_exact.then_some(ratio)
    }

    /// The smaller size as a share of the larger; at best, where the checkpoint's has bounds only.
    #[expect(clippy::cast_precision_loss, reason = "a figure to show")]
    pub(super) fn share(self) -> f64 {
        self.smaller as f64 / self.larger as f64
    }
}

/// What is known of a checkpoint's size.
pub(super) struct Size {
    least: Option<u64>,
    most: Option<u64>,
}

impl Size {
    pub(super) fn of(shape: &ModelShape) -> Self {
        Self {
            least: shape.parameters.or(shape.parameters_at_least),
            most: shape.parameters.or(shape.parameters_at_most),
        }
    }

    /// `7B`, `between 1.9B and 15.2B`, `at least 1.9B`; none where nothing is known.
    pub(super) fn text(&self) -> Option<String> {
        Some(match (self.least, self.most) {
            (Some(least), Some(most)) if least == most => billions(least),
            (Some(least), Some(most)) => match (billions(least), billions(most)) {
                (least, most) if least == most => format!("about {least}"),
                (least, most) => format!("between {least} and {most}"),
            },
            (Some(least), None) => format!("at least {}", billions(least)),
            (None, Some(most)) => format!("at most {}", billions(most)),
            (None, None) => return None,
        })
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
