//! The retry arithmetic at its edges, and `Retry-After` in all its forms.

use proptest::prelude::*;

use super::*;

const HOUR: Duration = Duration::from_hours(1);
/// 2015-10-21T07:28:00Z, the RFC's example.
const THEN: Millis = Millis(1_445_412_480_000);

fn exponential(retries: u32, jitter_percent: u8) -> Retry {
    Retry::Exponential {
        retries,
        initial: Duration::from_secs(1),
        max: Duration::from_mins(10),
        jitter_percent,
    }
}

/// Waits in seconds without jitter, until no retry is left.
fn waits(retry: &Retry) -> Vec<u64> {
    (1..)
        .map_while(|made| next(retry, made, None, HOUR, 0.5))
        .map(|wait| wait.as_secs())
        .collect()
}

#[test]
fn doubles_up_to_the_longest_wait() {
    let expected = [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600];
    assert_eq!(waits(&exponential(12, 20)), expected);
}

#[test]
fn retries_end_after_as_many() {
    assert_eq!(waits(&exponential(0, 0)), [0; 0]);
    assert_eq!(waits(&exponential(1, 0)).len(), 1);
    assert_eq!(waits(&exponential(50, 0)).len(), 50);
}

#[test]
fn a_schedule_gives_its_waits_in_order() {
    let retry = Retry::Schedule {
        waits: [5, 30, 120].map(Duration::from_secs).to_vec(),
        jitter_percent: 0,
    };
    assert_eq!(waits(&retry), [5, 30, 120]);
}

#[test]
fn waits_at_least_as_long_as_the_receiver_asked_up_to_the_cap() {
    let retry = exponential(8, 20);
    let wait = |asked: u64, max| next(&retry, 1, Some(Duration::from_secs(asked)), max, 0.0).unwrap();
    assert_eq!(wait(120, HOUR), Duration::from_mins(2));
    assert_eq!(wait(u64::MAX, HOUR), HOUR);
    assert_eq!(wait(0, HOUR), Duration::from_millis(800));
    assert_eq!(next(&retry, 9, Some(Duration::ZERO), HOUR, 0.5), None);
}

proptest! {
    #[test]
    fn jitter_stays_within_its_share(random in 0.0..1.0f64, made in 1..8u32, percent in 0..=100u8) {
        let plain = next(&exponential(8, 0), made, None, HOUR, random).unwrap().as_secs_f64();
        let wait = next(&exponential(8, percent), made, None, HOUR, random).unwrap().as_secs_f64();
        let share = f64::from(percent) / 100.0;
        prop_assert!(wait >= plain * (1.0 - share) - 1e-6 && wait <= plain * (1.0 + share) + 1e-6);
    }

    #[test]
    fn never_comes_before_the_time_the_receiver_named(
        asked in 0..7200u64, made in 1..8u32, random in 0.0..1.0f64,
    ) {
        let asked = Duration::from_secs(asked);
        let wait = next(&exponential(8, 100), made, Some(asked), HOUR, random).unwrap();
        prop_assert!(wait >= asked.min(HOUR));
    }

    #[test]
    fn any_retry_after_is_read_without_a_panic(header in ".{0,40}", now in any::<u64>()) {
        let _whatever = retry_after(&header, Millis(now));
    }
}

#[test]
fn absurd_settings_saturate() {
    let retry = Retry::Exponential {
        retries: u32::MAX,
        initial: Duration::MAX,
        max: Duration::MAX,
        jitter_percent: 100,
    };
    assert_eq!(next(&retry, u32::MAX, None, HOUR, 0.999), Some(Duration::MAX));
}

#[test]
fn reads_seconds() {
    for (header, seconds) in [("0", 0), (" 120 ", 120), ("99999999999999999999999", u64::MAX)] {
        let expected = Some(Duration::from_secs(seconds));
        assert_eq!(retry_after(header, THEN), expected, "{header}");
    }
}

#[test]
fn reads_dates_and_takes_the_past_for_now() {
    let read = |header| retry_after(header, THEN);
    assert_eq!(
        read("Wed, 21 Oct 2015 07:30:00 GMT"),
        Some(Duration::from_mins(2))
    );
    assert_eq!(
        read("Wednesday, 21-Oct-15 07:28:05 GMT"),
        Some(Duration::from_secs(5))
    );
    assert_eq!(read("Wed Oct 21 07:28:30 2015"), Some(Duration::from_secs(30)));
    assert_eq!(read("Mon, 01 Jan 1990 00:00:00 GMT"), Some(Duration::ZERO));
}

#[test]
fn what_is_neither_is_no_header() {
    for header in [
        "",
        "-1",
        "1.5",
        "soon",
        "+3",
        "0x10",
        "Wed, 99 Oct 2015 07:28:00 GMT",
    ] {
        assert_eq!(retry_after(header, THEN), None, "{header}");
    }
}
