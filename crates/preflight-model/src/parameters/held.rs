//! How many weights a container holds, or what bounds the number.

/// A number of weights between two bounds; exact where they meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held {
    /// Never more than there are.
    pub least: u64,
    /// Never less than there are; `None` where nothing bounds it.
    pub most: Option<u64>,
}

impl Held {
    /// Just so many.
    pub fn exact(weights: u64) -> Self {
        Self {
            least: weights,
            most: Some(weights),
        }
    }

    /// The number, where it is known.
    pub fn known(self) -> Option<u64> {
        self.most.filter(|&most| most == self.least)
    }

    /// What several readings of a container have in common: one of `readings` is true.
    pub fn one_of(readings: impl IntoIterator<Item = Self>) -> Option<Self> {
        readings.into_iter().reduce(|a, b| Self {
            least: a.least.min(b.least),
            most: a.most.zip(b.most).map(|(a, b)| a.max(b)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readings_that_agree_are_exact() {
        let both = Held::one_of([Held::exact(8), Held::exact(8)]).unwrap();
        assert_eq!(both.known(), Some(8));
        let either = Held::one_of([Held::exact(8), Held::exact(4)]).unwrap();
        assert_eq!(
            (either.least, either.most, either.known()),
            (4, Some(8), None)
        );
        let open = Held {
            least: 2,
            most: None,
        };
        assert_eq!(Held::one_of([Held::exact(8), open]), Some(open));
        assert_eq!(Held::one_of([]), None);
    }
}
