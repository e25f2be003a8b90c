//! The memory of a GPU as a picture: what takes it, what is left, and where the limit is. Told apart by
//! shape, so that it is read without colour.

/// Narrowest bar that still shows four parts.
pub(super) const WIDTH_MIN: usize = 8;
/// Wider tells no more.
pub(super) const WIDTH_MAX: usize = 30;

/// Marks of the parts: weights, cache, overhead, what is free, and the limit.
pub(super) struct Marks {
    parts: [char; 3],
    free: char,
    limit: char,
}

/// Blocks of the BMP's oldest box characters, which every font with UTF-8 has.
const BLOCKS: Marks = Marks {
    parts: ['█', '▒', '░'],
    free: '·',
    limit: '│',
};

/// For a locale that is not UTF-8.
const ASCII: Marks = Marks {
    parts: ['#', '=', '+'],
    free: '.',
    limit: '|',
};

impl Marks {
    pub(super) fn new(unicode: bool) -> &'static Self {
        if unicode { &BLOCKS } else { &ASCII }
    }

    /// What the marks mean.
    pub(super) fn legend(&self) -> String {
        let [weights, cache, overhead] = self.parts;
        let Self { free, limit, .. } = self;
        format!("{weights} weights {cache} cache {overhead} overhead {free} free {limit} usable")
    }
}

/// `parts` of memory on a GPU of which `usable` may be taken, in `width` cells and the mark of the limit.
/// No part that is not nothing is invisible, and the bar passes the limit just where the parts do.
pub(super) fn bar(parts: [u64; 3], usable: u64, width: usize, marks: &Marks) -> String {
    let needed: u128 = parts.iter().map(|&part| u128::from(part)).sum();
    let usable = u128::from(usable);
    let is_over = needed > usable;
    let cells_of = |bytes: u128| scaled(bytes, needed.max(usable), width);
    let mut cells = parts.map(|part| match part {
        0 => 0,
        part => cells_of(part.into()).max(1),
    });
    // Rounding up the small ones is paid by the largest.
    let taken: usize = cells.iter().sum();
    if let Some(largest) = cells.iter_mut().max() {
        if taken > width {
            *largest = largest.saturating_sub(taken - width);
        } else if is_over {
            *largest += width - taken;
        }
    }
    let taken: usize = cells.iter().sum();
    let mut bar: Vec<char> = cells
        .iter()
        .zip(marks.parts)
        .flat_map(|(&count, mark)| std::iter::repeat_n(mark, count))
        .chain(std::iter::repeat_n(marks.free, width.saturating_sub(taken)))
        .collect();
    let limit = if is_over {
        cells_of(usable).min(width.saturating_sub(1))
    } else {
        width
    };
    bar.insert(limit.min(bar.len()), marks.limit);
    bar.into_iter().collect()
}

/// `bytes` of `all` as cells, rounded to the nearest.
fn scaled(bytes: u128, all: u128, width: usize) -> usize {
    let cells = (bytes * width as u128 * 2 + all) / (all * 2).max(1);
    usize::try_from(cells).unwrap_or(width).min(width)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ascii(parts: [u64; 3], usable: u64) -> String {
        bar(parts, usable, 10, &ASCII)
    }

    #[test]
    fn parts_are_drawn_to_scale() {
        assert_eq!(ascii([40, 20, 10], 100), "####==+...|");
        assert_eq!(ascii([0, 0, 0], 100), "..........|");
        assert_eq!(ascii([100, 0, 0], 100), "##########|");
        assert_eq!(bar([40, 20, 10], 100, 10, &BLOCKS), "████▒▒░···│");
    }

    #[test]
    fn what_is_too_much_passes_the_limit() {
        assert_eq!(ascii([150, 20, 30], 100), "#####|##=++");
        assert_eq!(ascii([101, 0, 0], 100), "#########|#");
        assert_eq!(ascii([200, 0, 0], 0), "|##########");
        assert_eq!(ascii([u64::MAX; 3], 1), "|###===++++");
    }

    #[test]
    fn no_part_is_invisible() {
        assert_eq!(ascii([1, 1, 1], 1000), "#=+.......|");
        assert_eq!(ascii([998, 1, 1], 1000), "########=+|");
    }

    #[test]
    fn the_limit_stands_where_the_verdict_says() {
        for weights in 0..=30_u64 {
            for cache in 0..=30 {
                for usable in 0..=40 {
                    let drawn = ascii([weights, cache, 3], usable);
                    assert_eq!(drawn.chars().count(), 11, "{drawn}");
                    let is_over = !drawn.ends_with('|');
                    assert_eq!(is_over, weights + cache + 3 > usable, "{drawn}");
                    assert!(!(is_over && drawn.contains('.')), "{drawn}");
                }
            }
        }
    }

    #[test]
    fn every_mark_is_in_the_legend() {
        assert_eq!(
            Marks::new(false).legend(),
            "# weights = cache + overhead . free | usable"
        );
        assert_eq!(
            Marks::new(true).legend(),
            "█ weights ▒ cache ░ overhead · free │ usable"
        );
    }
}
