//! The figures, side by side, with what one should know to read them.
//!
//! Invariant: a ratio is of two columns of the same run.

use std::fmt::Write as _;

use crate::measure::{Figures, RATE};

/// What is said before the table.
const NOTES: &str = "\
accept -> tool of 0 ms -> result -> POST answered 2xx; 2 KiB arguments, 2 KiB result; 100 sessions, each with a
receiver of its own that answers in 5 ms. One client, the same receivers and machine for all columns; the machine's
other work moves them all, so compare columns of one run only. What differs by nature:
- asyncmcp: in memory; the tool runs in its process; no signatures; a call's POST stays open until its delivery, so
  each call is a connection (its server drops the result otherwise). \"Accepted\" is the head of that answer.
- asyncmcp for Kubernetes: every step on the disk before it counts (fsync); the tool is another process, behind MCP;
  deliveries are signed; 202 on connections that stay open. CPU and bytes are of the data plane alone.
";

/// A column of the table.
pub(crate) struct Column {
    /// What it is about.
    pub(crate) name: String,
    /// What was measured.
    pub(crate) figures: Figures,
    /// The size of the store's file, in bytes.
    pub(crate) file: f64,
}

const MIB: f64 = 1_048_576.0;

type Row = (&'static str, fn(&Column) -> f64, usize);

/// A name, a value, and how many digits after the point.
const ROWS: [Row; 19] = [
    ("deliveries/s, full load", |c| c.figures.per_second, 0),
    ("  accepted to delivered, p50 ms", |c| c.figures.full[0], 1),
    ("  p95 ms", |c| c.figures.full[1], 1),
    ("  p99 ms", |c| c.figures.full[2], 1),
    ("  CPU us per delivery", |c| c.figures.cpu, 0),
    ("  bytes written per delivery", |c| c.figures.written, 0),
    ("  commits per delivery", |c| c.figures.commits, 3),
    (
        "at 200/s: delivered in time, /s",
        |c| c.figures.paced_per_second,
        0,
    ),
    ("  accepted to delivered, p50 ms", |c| c.figures.paced[0], 1),
    ("  p95 ms", |c| c.figures.paced[1], 1),
    ("  p99 ms", |c| c.figures.paced[2], 1),
    ("  call to accepted, p50 ms", |c| c.figures.acknowledged[0], 1),
    ("  p95 ms", |c| c.figures.acknowledged[1], 1),
    ("  p99 ms", |c| c.figures.acknowledged[2], 1),
    ("  CPU us per delivery", |c| c.figures.paced_cpu, 0),
    ("memory at its highest, MiB", |c| c.figures.memory / MIB, 0),
    ("file, MiB", |c| c.file / MIB, 0),
    ("kill to first acknowledgement, ms", |c| c.figures.restart, 0),
    ("lost, repeated or badly signed", |c| c.figures.flaws, 0),
];

/// The notes and the table. The first column is what the others are compared with.
pub(crate) fn text(columns: &[Column]) -> String {
    let mut text = format!("{NOTES}\n{:34}", "");
    for column in columns {
        write!(text, "{:>18}", column.name).expect(WRITING);
    }
    for column in columns.iter().skip(1) {
        write!(text, "{:>18}", format!("x, {}", column.name)).expect(WRITING);
    }
    for row in &ROWS {
        text.push_str(&line(row, columns));
    }
    debug_assert_eq!(RATE, 200, "the rows name it");
    text.push('\n');
    text
}

const WRITING: &str = "writing to a string cannot fail";

fn line((name, value, digits): &Row, columns: &[Column]) -> String {
    let mut line = format!("\n{name:34}");
    for column in columns {
        write!(line, "{:>18.*}", digits, value(column)).expect(WRITING);
    }
    let (first, others) = columns.split_first().expect("a run has a column");
    for column in others {
        let ratio = value(column) / value(first);
        let ratio = if ratio.is_finite() && ratio > 0.0 {
            format!("{ratio:.2}")
        } else {
            "-".to_owned()
        };
        write!(line, "{ratio:>18}").expect(WRITING);
    }
    line
}
