//! Looking through jobs: the right ones, in order, page after page, and never more rows than allowed.

use std::sync::Arc;

use super::{BURY, accept, apply, apply_any, finish, job_of, new_job, sweep};
use crate::clock::Millis;
use crate::id::JobId;
use crate::job::{Change, Key, Receiver};
use crate::state::{Category, Stage};
use crate::store::scan::{Filter, Found, Order};
use crate::store::{Scan, Store, Sweep};

const EVERYTHING: Scan = Scan {
    filter: Filter {
        stage: None,
        server: None,
        client: None,
        receiver: None,
        dead: None,
        last: None,
        id: None,
        since: None,
        webhook: None,
        until: None,
    },
    order: Order::Newest,
    after: None,
    limit: 100,
    rows: 1000,
};

fn of(stage: Stage) -> Filter {
    Filter {
        stage: Some(stage),
        ..Filter::default()
    }
}

fn ids(found: &Found) -> Vec<JobId> {
    found.jobs.iter().map(|job| job.id).collect()
}

/// All pages, one after the other; none may be the last but the last.
async fn pages(store: &dyn Store, mut scan: Scan) -> Vec<Found> {
    let mut pages = Vec::new();
    loop {
        let found = store.scan(scan).await.unwrap();
        scan.after = found.next;
        pages.push(found);
        if scan.after.is_none() {
            return pages;
        }
    }
}

pub(in crate::store) async fn lists_jobs_by_acceptance_in_both_orders(store: Arc<dyn Store>) {
    assert_eq!(store.scan(EVERYTHING).await.unwrap(), Found::default());
    let mut all = Vec::new();
    for number in 1..=5 {
        all.push(accept(&*store, new_job(number)).await);
    }
    for (order, limit) in [(Order::Oldest, 2), (Order::Newest, 2), (Order::Newest, 5)] {
        let scan = Scan {
            order,
            limit,
            ..EVERYTHING
        };
        let found: Vec<_> = pages(&*store, scan).await.iter().flat_map(ids).collect();
        let mut expected = all.clone();
        if order == Order::Newest {
            expected.reverse();
        }
        assert_eq!(found, expected, "{order:?} by {limit}");
    }
    let job = store.scan(EVERYTHING).await.unwrap().jobs.pop();
    assert_eq!(job, store.job(all[0]).await.unwrap(), "whole headers");
}

pub(in crate::store) async fn lists_dead_letters_by_when_they_died(store: Arc<dyn Store>) {
    for (number, died) in [(1, 300), (2, 100), (3, 200)] {
        let id = accept(&*store, new_job(number)).await;
        apply(&*store, id, [finish(), BURY], died).await;
    }
    accept(&*store, new_job(4)).await;
    let expected = [2, 3, 1].map(|number| new_job(number).id);
    let scan = Scan {
        filter: of(Stage::Dead),
        order: Order::Oldest,
        limit: 1,
        ..EVERYTHING
    };

    let oldest: Vec<_> = pages(&*store, scan).await.iter().flat_map(ids).collect();
    assert_eq!(oldest, expected);
    let order = Order::Newest;
    let newest = pages(&*store, Scan { order, ..scan }).await;
    let newest: Vec<_> = newest.iter().flat_map(ids).rev().collect();
    assert_eq!(newest, expected);
}

async fn list(store: &dyn Store, filter: Filter) -> Vec<JobId> {
    let order = Order::Oldest;
    let scan = Scan {
        filter,
        order,
        ..EVERYTHING
    };
    ids(&store.scan(scan).await.unwrap())
}

pub(in crate::store) async fn knows_the_jobs_of_every_stage(store: Arc<dyn Store>) {
    let changes = |stage| match stage {
        Stage::Queued => vec![],
        Stage::Running => vec![Change::Start],
        Stage::Due | Stage::Ended => vec![finish()],
        Stage::Sending => vec![finish(), Change::Claim],
        Stage::Delivered => vec![finish(), Change::Claim, Change::Deliver],
        Stage::Dead => vec![finish(), BURY],
        Stage::Stopped => vec![finish(), Change::Stop],
    };
    for (number, stage) in (1..).zip(Stage::ALL) {
        let receiver = Some("https://one.example/").filter(|_| stage != Stage::Ended);
        let id = accept(&*store, job_of(number, "s", "c", receiver)).await;
        apply_any(&*store, id, changes(stage), Millis(5))
            .await
            .unwrap()
            .unwrap();
    }
    for (number, stage) in (1..).zip(Stage::ALL) {
        let expected = [new_job(number).id];
        assert_eq!(list(&*store, of(stage)).await, expected, "{stage:?}");
    }
}

pub(in crate::store) async fn filters_by_everything_a_header_says(store: Arc<dyn Store>) {
    let (to_one, to_two) = (Some("https://one.example/"), Some("https://two.example/"));
    let one = accept(&*store, job_of(1, "a", "x", to_one)).await;
    let two = accept(&*store, job_of(2, "b", "x", to_two)).await;
    apply(&*store, two, [Change::Start], 5).await;
    let three = accept(&*store, job_of(3, "b", "y", to_two)).await;
    apply(&*store, three, [finish(), BURY], 5).await;
    let four = accept(&*store, job_of(4, "a", "y", to_one)).await;
    let any = Filter::default;
    let key = |name| Some(Key::of(name));

    let server = key("b");
    assert_eq!(list(&*store, Filter { server, ..any() }).await, [two, three]);
    let running = of(Stage::Running);
    assert_eq!(list(&*store, Filter { server, ..running }).await, [two]);
    let client = key("x");
    assert_eq!(list(&*store, Filter { client, ..any() }).await, [one, two]);
    let receiver = Some(Receiver::of("https://one.example/"));
    assert_eq!(list(&*store, Filter { receiver, ..any() }).await, [one, four]);
    let webhook = Some(three.webhook());
    assert_eq!(list(&*store, Filter { webhook, ..any() }).await, [three]);
    for (why, expected) in [(Category::Http5xx, vec![three]), (Category::Timeout, vec![])] {
        let dead = Some(why);
        assert_eq!(list(&*store, Filter { dead, ..any() }).await, expected, "{why}");
    }
    for id in [one, three] {
        let of_id = Filter {
            id: Some(id),
            ..any()
        };
        assert_eq!(list(&*store, of_id).await, [id]);
        let dead = Filter {
            stage: Some(Stage::Dead),
            ..of_id
        };
        assert_eq!(list(&*store, dead).await.contains(&id), id == three);
    }
    let (since, until) = (Some(Millis(1002)), Some(Millis(1004)));
    let then = Filter {
        since,
        until,
        ..any()
    };
    assert_eq!(list(&*store, then).await, [two, three]);
}

pub(in crate::store) async fn stops_after_so_many_rows_and_goes_on_from_there(store: Arc<dyn Store>) {
    for number in 1..=9 {
        accept(&*store, new_job(number)).await;
    }
    let found = accept(&*store, job_of(10, "rare", "c", None)).await;
    for number in 11..=19 {
        accept(&*store, new_job(number)).await;
    }
    let server = Some(Key::of("rare"));
    let scan = Scan {
        filter: Filter {
            server,
            ..Filter::default()
        },
        rows: 4,
        ..EVERYTHING
    };

    let pages = pages(&*store, scan).await;
    let sizes: Vec<usize> = pages.iter().map(|page| page.jobs.len()).collect();
    assert_eq!(sizes, [0, 0, 1, 0, 0], "four rows a page of nineteen");
    assert_eq!(ids(&pages[2]), [found]);
}

pub(in crate::store) async fn goes_on_though_the_job_at_the_cursor_is_gone(store: Arc<dyn Store>) {
    for number in 1..=4 {
        let id = accept(&*store, new_job(number)).await;
        apply(&*store, id, [finish(), BURY], 100 + u64::from(number)).await;
    }
    let by_death = Scan {
        filter: of(Stage::Dead),
        order: Order::Oldest,
        limit: 2,
        ..EVERYTHING
    };
    let by_acceptance = Scan {
        filter: Filter::default(),
        ..by_death
    };
    let first = [
        store.scan(by_death).await.unwrap(),
        store.scan(by_acceptance).await.unwrap(),
    ];
    let dead_before = Millis(103);
    let swept = Sweep {
        dead_before,
        ..sweep(999)
    };
    assert_eq!(store.sweep(swept).await.unwrap(), 2);

    for (scan, first) in [by_death, by_acceptance].into_iter().zip(first) {
        assert_eq!(ids(&first), [1, 2].map(|number| new_job(number).id));
        let after = first.next;
        let rest = store.scan(Scan { after, ..scan }).await.unwrap();
        assert_eq!(ids(&rest), [3, 4].map(|number| new_job(number).id));
    }
}
