//! What a person is shown: how far a long run is, a world's story, and a failure made small.
//!
//! Invariant: a failure's report is enough to run it again.

use std::fmt::Write;

use super::judge::Condition;
use super::plan::Plan;
use super::{fails, run, shrink, story};

/// Long runs say now and then how far they are.
const EVERY: u64 = 50_000;

pub(super) fn progress(seed: u64, seeds: u64) {
    if seed > 0 && seed.is_multiple_of(EVERY) {
        eprintln!("{seed} of {seeds} worlds");
    }
}

/// Prints a world: its plan and its story.
pub(super) fn print(plan: &Plan) {
    println!("{}", of(plan));
}

/// A failing seed: what failed, the least plan that fails like it, and its story.
pub(super) fn shrunk(plan: &Plan, (seed, condition): (u64, Condition)) -> String {
    let least = shrink::shrink(plan, |plan| fails(plan, condition));
    format!(
        "seed {seed} fails: {condition:?}\n{}\n`make simulate SEED={seed}` runs it again\n",
        of(&least)
    )
}

/// The plan, the story, and what did not hold.
pub(super) fn of(plan: &Plan) -> String {
    let ended = run(plan.clone());
    let mut text = format!("plan, until {:?}: {:?}\n", plan.end, plan.route);
    for item in &plan.items {
        let _ = writeln!(text, "    {item:?}"); // writing to a String cannot fail
    }
    text.push_str(&story::tell(&ended.moments));
    for finding in &ended.findings {
        let _ = writeln!(text, "{:?}: {}", finding.condition, finding.says);
    }
    text
}
