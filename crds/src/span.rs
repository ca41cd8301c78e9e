//! Spans of time in words for people: `8 h 16 min`, `3 s`.
//!
//! Invariant: at most two units, and nothing is rounded up.

use std::time::Duration;

/// The two largest units of a span.
pub fn words(span: Duration) -> String {
    let seconds = span.as_secs();
    let units = [
        (seconds / 3600, "h"),
        (seconds / 60 % 60, "min"),
        (seconds % 60, "s"),
    ];
    let first = units.iter().position(|(count, _)| *count > 0);
    let Some(first) = first else {
        return format!("{} ms", span.as_millis());
    };
    let shown = units[first..].iter().take(2).filter(|(count, _)| *count > 0);
    let shown: Vec<_> = shown.map(|(count, unit)| format!("{count} {unit}")).collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_two_largest_units_are_written() {
        for (seconds, expected) in [
            (29_791, "8 h 16 min"),
            (255, "4 min 15 s"),
            (3, "3 s"),
            (3600, "1 h"),
            (3601, "1 h"),
            (0, "0 ms"),
        ] {
            assert_eq!(words(Duration::from_secs(seconds)), expected);
        }
        assert_eq!(words(Duration::from_millis(250)), "250 ms");
    }
}
