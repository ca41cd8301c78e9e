//! Makes the plan of a world that fails as short as it can be.
//!
//! Removes whole calls, then halves, then single items, and lets people wait for their answers, as long as the
//! world fails in the same way. Invariant: what comes out fails like what came in.

use super::plan::{Item, Number, Plan, Route};

/// The shortest plan found that `fails`.
pub(super) fn shrink(plan: &Plan, fails: impl Fn(&Plan) -> bool) -> Plan {
    let mut best = plan.clone();
    plain_route(&mut best, &fails);
    loop {
        let before = best.items.len();
        without_calls(&mut best, &fails);
        let mut size = best.items.len() / 2;
        while size > 0 {
            without_chunks(&mut best, size, &fails);
            size /= 2;
        }
        if best.items.len() == before {
            with_patience(&mut best, &fails);
            return best;
        }
    }
}

fn with_patience(best: &mut Plan, fails: &impl Fn(&Plan) -> bool) {
    for place in 0..best.items.len() {
        let mut plain = best.clone();
        plain.items[place] = plain.items[place].patient();
        if plain != *best && fails(&plain) {
            *best = plain;
        }
    }
}

fn plain_route(best: &mut Plan, fails: &impl Fn(&Plan) -> bool) {
    let plain = Plan {
        route: Route::default(),
        ..best.clone()
    };
    if fails(&plain) {
        *best = plain;
    }
}

fn without_calls(best: &mut Plan, fails: &impl Fn(&Plan) -> bool) {
    let calls: Vec<Number> = best.items.iter().filter_map(Item::call).collect();
    for call in calls {
        let mut less = best.clone();
        less.items.retain(|item| item.call() != Some(call));
        if less.items.len() < best.items.len() && fails(&less) {
            *best = less;
        }
    }
}

fn without_chunks(best: &mut Plan, size: usize, fails: &impl Fn(&Plan) -> bool) {
    let mut from = 0;
    while from < best.items.len() {
        let mut less = best.clone();
        let to = (from + size).min(less.items.len());
        less.items.drain(from..to);
        if fails(&less) {
            *best = less;
        } else {
            from += size;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::generate;
    use super::super::trouble::Trouble;
    use super::*;

    #[test]
    fn what_a_failure_does_not_need_goes() {
        let mut plan = generate::plan(3, &Trouble::ALL);
        let needed = [7, 8].map(|at| Item::Jump {
            at: Duration::from_secs(at),
            hours: 1,
        });
        plan.items.insert(plan.items.len() / 2, needed[0].clone());
        plan.items.push(needed[1].clone());
        let fails = |plan: &Plan| needed.iter().all(|item| plan.items.contains(item));
        let least = shrink(&plan, fails);
        assert_eq!(least.items, needed);
        assert_eq!(least.route, Route::default());
    }
}
