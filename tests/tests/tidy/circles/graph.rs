//! Circles in a graph: the largest sets of nodes in which each leads to each.

use std::collections::{BTreeMap, BTreeSet};

/// The circles of two or more, each in order.
pub(super) fn circles<N: Ord + Clone>(arrows: &BTreeSet<(N, N)>) -> Vec<BTreeSet<N>> {
    let mut after: BTreeMap<&N, BTreeSet<&N>> = BTreeMap::new();
    for (from, to) in arrows {
        after.entry(from).or_default().insert(to);
    }
    let reached: BTreeMap<&N, BTreeSet<&N>> = after.keys().map(|&node| (node, reach(node, &after))).collect();
    let leads = |from: &N, to: &N| reached.get(from).is_some_and(|reached| reached.contains(to));
    let circles: BTreeSet<BTreeSet<N>> = reached
        .keys()
        .filter(|node| leads(node, node))
        .map(|node| {
            let in_circle = |other: &&&N| leads(node, other) && leads(other, node);
            reached
                .keys()
                .filter(in_circle)
                .map(|node| (*node).clone())
                .collect()
        })
        .collect();
    circles.into_iter().filter(|circle| circle.len() > 1).collect()
}

/// Where arrows lead from a node; itself only if it is in a circle.
fn reach<'a, N: Ord>(node: &N, after: &BTreeMap<&'a N, BTreeSet<&'a N>>) -> BTreeSet<&'a N> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&N> = after.get(node).into_iter().flatten().copied().collect();
    while let Some(node) = next.pop() {
        if reached.insert(node) {
            next.extend(after.get(node).into_iter().flatten().copied());
        }
    }
    reached
}
