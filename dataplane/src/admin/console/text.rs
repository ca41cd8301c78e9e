//! Texts, times and durations as pages show them.
//!
//! Invariant: what comes from tools, servers, clients and receivers is shown as text, of bounded length, with characters that
//! would hide or reorder it made visible; what was cut says so.

use std::fmt::Write as _;
use std::time::Duration;

use maud::{Markup, html};
use serde::Serialize;

/// A text of somebody else's, cut after `most` characters.
pub(super) fn shown(text: &str, most: usize) -> Markup {
    let cut = text.char_indices().nth(most).map(|(at, _)| at);
    let head = visible(&text[..cut.unwrap_or(text.len())]);
    html! {
        bdi { (head) }
        @if cut.is_some() {
            span.cut { " … cut here; it has " (count(text.chars().count() as u64)) " characters" }
        }
    }
}

/// The same, where there may be none.
pub(super) fn optional(text: Option<&str>, most: usize) -> Markup {
    text.map_or_else(none, |text| shown(text, most))
}

fn none() -> Markup {
    html! { span.none { "–" } }
}

/// The text with what cannot be seen, or changes the order of the rest, written as its code point.
fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    for character in text.chars() {
        if is_hidden(character) {
            // Writing to a string does not fail.
            let _ = write!(visible, "⟨U+{:04X}⟩", u32::from(character));
        } else {
            visible.push(character);
        }
    }
    visible
}

fn is_hidden(character: char) -> bool {
    let is_control = character.is_control() && !matches!(character, '\n' | '\t');
    let is_format = matches!(
        character,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}'
    );
    is_control || is_format
}

/// The word that the API has for a value.
pub(super) fn word(value: &impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}

/// The same as a label: `http_4xx` is `HTTP 4xx`.
pub(super) fn label(word: &str) -> String {
    match word.strip_prefix("http_") {
        Some(class) => format!("HTTP {class}"),
        None => word.replace('_', " "),
    }
}

/// A time, RFC 3339 in UTC; the script adds the local time as its title.
pub(super) fn time(at: &str) -> Markup {
    let (date, rest) = at.split_once('T').unwrap_or(("", at));
    let clock = rest.split(['.', 'Z']).next().unwrap_or(rest);
    html! { time datetime=(at) { (date) " " (clock) " UTC" } }
}

/// The same, where there may be none.
pub(super) fn optional_time(at: Option<&str>) -> Markup {
    at.map_or_else(none, time)
}

/// A duration with its unit.
pub(super) fn duration(took: Duration) -> String {
    let (seconds, ms) = (took.as_secs(), took.as_millis());
    match seconds {
        0 => format!("{ms} ms"),
        1..=59 => format!("{:.1} s", took.as_secs_f64()),
        60..=3599 => format!("{} min {} s", seconds / 60, seconds % 60),
        3600..=86_399 => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3600),
    }
}

/// A size with its unit.
pub(super) fn size(bytes: u64) -> String {
    match bytes {
        0..=1023 => format!("{bytes} B"),
        1024..=1_048_575 => format!("{} KiB", tenths(bytes, 1024)),
        _ => format!("{} MiB", tenths(bytes, 1 << 20)),
    }
}

fn tenths(bytes: u64, unit: u64) -> String {
    format!("{}.{}", bytes / unit, bytes % unit * 10 / unit)
}

/// A number with its thousands apart.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// `1 job`, `2 jobs`.
pub(super) fn jobs(number: u64) -> String {
    format!("{} {}", count(number), if number == 1 { "job" } else { "jobs" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn somebody_elses_text_stays_text_and_is_cut() {
        let hostile = "<script>alert(1)</script>\u{202e}\u{0}";
        let shown = super::shown(hostile, 100).into_string();
        assert_eq!(
            shown,
            "<bdi>&lt;script&gt;alert(1)&lt;/script&gt;⟨U+202E⟩⟨U+0000⟩</bdi>"
        );
        let cut = super::shown(&"é".repeat(1_000_000), 3).into_string();
        assert!(cut.starts_with("<bdi>ééé</bdi>"), "{cut}");
        assert!(cut.contains("cut here; it has 1,000,000 characters"), "{cut}");
        assert!(!super::shown("abc", 3).into_string().contains("cut"));
    }

    #[test]
    fn durations_sizes_and_counts_have_units() {
        for (ms, text) in [
            (0, "0 ms"),
            (999, "999 ms"),
            (1500, "1.5 s"),
            (61_000, "1 min 1 s"),
            (3_660_000, "1 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ] {
            assert_eq!(duration(Duration::from_millis(ms)), text);
        }
        for (bytes, text) in [(0, "0 B"), (1536, "1.5 KiB"), (3 << 20, "3.0 MiB")] {
            assert_eq!(size(bytes), text);
        }
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(count(number), text);
        }
        assert_eq!(label("http_4xx"), "HTTP 4xx");
        assert_eq!(label("connection_refused"), "connection refused");
    }
}
