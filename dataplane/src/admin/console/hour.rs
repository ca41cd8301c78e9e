//! The last hour as small charts on the overview.
//!
//! Invariant: each chart says in words what it draws, for who cannot see it, and is of constant size.

use maud::{Markup, html};

use super::text;
use crate::admin::jobs::last_hour::{LastHour, Minute};

/// Minutes in a chart.
const MINUTES: usize = 60;
/// Units of a chart: a bar's width, and the height.
const BAR: usize = 4;
const HEIGHT: u64 = 48;

/// One value of each minute.
type Value = fn(&Minute) -> u64;

/// The charts of what happens.
const RATES: [(&str, &str, Value); 4] = [
    ("Accepted", "good", |minute| minute.accepted),
    ("Delivered", "good", |minute| minute.delivered),
    ("Failed attempts", "bad", |minute| minute.failed_attempts),
    ("Dead letters", "bad", |minute| minute.dead),
];

/// The section.
pub(super) fn section(hour: &LastHour) -> Markup {
    html! {
        section aria-labelledby="hour" {
            h2 #hour { "The last hour" }
            ul.charts {
                @for (name, kind, value) in RATES {
                    li {
                        span.name { (name) } " " strong { (text::count(hour.minutes.iter().map(value).sum())) }
                        (bars(hour, kind, value, &format!("{name} in each minute")))
                    }
                }
                li {
                    span.name { "Time to delivery" } " "
                    strong { (text::optional(slowest(hour).map(millis).as_deref(), 20)) }
                    span.hint { " 95th percentile of the newest minute" }
                    (bars(hour, "good", |minute| minute.p95_ms.unwrap_or(0), "Time to delivery in each minute, 95th percentile in milliseconds"))
                }
            }
        }
    }
}

/// The 95th percentile of the newest minute in which anything was delivered.
fn slowest(hour: &LastHour) -> Option<u64> {
    hour.minutes.iter().rev().find_map(|minute| minute.p95_ms)
}

fn millis(ms: u64) -> String {
    text::duration(std::time::Duration::from_millis(ms))
}

/// A bar for each minute, the newest on the right; the highest is as high as the chart.
fn bars(hour: &LastHour, kind: &str, value: Value, label: &str) -> Markup {
    let values: Vec<u64> = hour.minutes.iter().map(value).collect();
    let most = values.iter().copied().max().unwrap_or(0).max(1);
    let first = MINUTES.saturating_sub(values.len());
    let (width, top) = (MINUTES * BAR, text::count(most));
    html! {
        svg class={ "chart " (kind) } viewBox={ "0 0 " (width) " " (HEIGHT) } preserveAspectRatio="none" role="img"
            aria-label={ (label) ", at most " (top) } {
            @for (at, value) in values.iter().enumerate() {
                @let height = (value * HEIGHT).div_ceil(most);
                @if height > 0 {
                    rect x=((first + at) * BAR) y=(HEIGHT - height) width=(BAR - 1) height=(height) {}
                }
            }
        }
    }
}
