//! Numbers for people. Files are measured in decimal GB, as disks and the Hub do; GPU memory in
//! GiB, as the driver does. The unit is always written, and integers are never sent through floats.

/// A file size in decimal units: `3.42 GB`, `261.9 MB`, `712 B`.
pub(crate) fn file_size(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{} kB", scaled(bytes, 1_000, 1)),
        1_000_000..1_000_000_000 => format!("{} MB", scaled(bytes, 1_000_000, 1)),
        _ => format!("{} GB", scaled(bytes, 1_000_000_000, 2)),
    }
}

/// Bytes of GPU memory in GiB without the unit, which stands in the head of the table: `71.6`.
pub(crate) fn gib(bytes: u64) -> String {
    scaled(bytes, 1 << 30, 1)
}

/// A parameter count: `1.71 B`, `361.8 M`, `512`.
pub(crate) fn parameters(count: u64) -> String {
    match count {
        0..1_000_000 => count.to_string(),
        1_000_000..1_000_000_000 => format!("{} M", scaled(count, 1_000_000, 1)),
        _ => format!("{} B", scaled(count, 1_000_000_000, 2)),
    }
}

/// A number with its thousands apart: `116,829,156,672`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 file`, `2 files`.
pub(crate) fn counted(count: u64, noun: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {noun}{plural}")
}

/// A length as a number for [`counted`].
pub(crate) fn length<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

/// `value / unit` rounded to that many decimals.
fn scaled(value: u64, unit: u64, decimals: u32) -> String {
    let tens = 10_u128.pow(decimals);
    let unit = u128::from(unit);
    let rounded = (u128::from(value) * tens + unit / 2) / unit;
    let width = decimals as usize;
    format!("{}.{:0width$}", rounded / tens, rounded % tens)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_decimal() {
        assert_eq!(file_size(712), "712 B");
        assert_eq!(file_size(1_234), "1.2 kB");
        assert_eq!(file_size(261_900_000), "261.9 MB");
        assert_eq!(file_size(3_422_777_952), "3.42 GB");
        assert_eq!(file_size(u64::MAX), "18446744073.71 GB");
    }

    #[test]
    fn memory_is_binary() {
        assert_eq!(gib(80 << 30), "80.0");
        assert_eq!(gib(80_000_000_000), "74.5");
    }

    #[test]
    fn parameters_are_counted_in_millions_and_billions() {
        assert_eq!(parameters(512), "512");
        assert_eq!(parameters(361_821_120), "361.8 M");
        assert_eq!(parameters(1_711_376_384), "1.71 B");
        assert_eq!(parameters(116_829_156_672), "116.83 B");
        assert_eq!(parameters(1_000_000_000), "1.00 B");
        assert_eq!(parameters(1_026_000_000_000), "1026.00 B");
    }

    #[test]
    fn thousands_are_apart() {
        assert_eq!(grouped(0), "0");
        assert_eq!(grouped(999), "999");
        assert_eq!(grouped(116_829_156_672), "116,829,156,672");
    }

    #[test]
    fn one_and_many() {
        assert_eq!(counted(1, "rule"), "1 rule");
        assert_eq!(counted(0, "rule"), "0 rules");
    }
}
