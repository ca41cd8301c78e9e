//! The table of fixtures against the loader and `validate`.
//!
//! Invariant: the problems found are exactly the expected ones.

use std::collections::BTreeMap;

use asyncmcp_crds::fixtures::{self, Fixture};
use asyncmcp_crds::{Problems, Unknown, effective, load, validate};

/// The problems of a fixture: all that the loader finds, else all that `validate` finds.
fn problems(fixture: &Fixture) -> BTreeMap<String, String> {
    match load::from_value(fixture.object(), Unknown::Refuse) {
        Err(load::Error::Fields(problems)) => by_path(&problems),
        Err(other) => BTreeMap::from([("the route".to_owned(), other.to_string())]),
        Ok(loaded) => {
            validate(&loaded.route).map_or_else(|problems| by_path(&problems), |()| BTreeMap::new())
        }
    }
}

fn by_path(problems: &Problems) -> BTreeMap<String, String> {
    let problems = problems.as_slice().iter();
    problems
        .map(|found| (found.path.clone(), found.message.clone()))
        .collect()
}

#[test]
fn validate_finds_exactly_the_problems_of_each_fixture() {
    for fixture in fixtures::all() {
        let found = problems(&fixture);
        let paths: Vec<_> = found.keys().collect();
        assert_eq!(
            paths,
            fixture.problems.keys().collect::<Vec<_>>(),
            "{}: {found:?}",
            fixture.title
        );
        for (path, part) in &fixture.problems {
            assert!(
                found[path].contains(part),
                "{}: {path}: {}",
                fixture.title,
                found[path]
            );
        }
    }
}

#[test]
fn every_route_that_the_api_server_refuses_has_a_problem() {
    for fixture in fixtures::all()
        .into_iter()
        .filter(|fixture| fixture.api_server.is_some())
    {
        assert!(!fixture.problems.is_empty(), "{}", fixture.title);
    }
}

#[test]
fn every_route_without_a_problem_has_effective_values() {
    let sound: Vec<_> = fixtures::all()
        .into_iter()
        .filter(|fixture| fixture.problems.is_empty())
        .collect();
    assert!(!sound.is_empty());
    for fixture in sound {
        let route = load::from_value(fixture.object(), Unknown::Refuse).unwrap().route;
        assert_eq!(
            effective(&route).servers.len(),
            route.spec.servers.len(),
            "{}",
            fixture.title
        );
    }
}
