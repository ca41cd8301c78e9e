//! Sessions, the clock's floor, and the end.

use std::sync::Arc;

use bytes::Bytes;

use super::{accept, apply, apply_any, new_job, sweep};
use crate::clock::Millis;
use crate::job::Change;
use crate::store::{Error, SessionRow, Store};

pub(in crate::store) async fn writes_a_session_in_order_only(store: Arc<dyn Store>) {
    let row = |version| SessionRow {
        version,
        expires: Millis(version),
        bytes: Bytes::from(vec![u8::try_from(version).unwrap(); 3]),
    };
    for (version, written) in [
        (0, false),
        (2, false),
        (1, true),
        (1, false),
        (3, false),
        (2, true),
        (3, true),
    ] {
        let before = store.session([5; 16]).await.unwrap();
        assert_eq!(
            store.swap_session([5; 16], row(version)).await.unwrap(),
            written,
            "{version}"
        );
        let expected = if written { Some(row(version)) } else { before };
        assert_eq!(store.session([5; 16]).await.unwrap(), expected);
    }
    assert_eq!(store.session([6; 16]).await.unwrap(), None);
}

pub(in crate::store) async fn remembers_the_highest_time_of_a_change(store: Arc<dyn Store>) {
    assert_eq!(store.high_water(), Millis(0));
    let new = new_job(1);
    let (at, id) = (new.at, accept(&*store, new).await);
    assert_eq!(store.high_water(), at);
    apply(&*store, id, [Change::Start], 5).await;
    assert_eq!(store.high_water(), at, "an earlier time does not lower it");
    apply_any(&*store, id, vec![Change::Start], Millis(9999))
        .await
        .unwrap();
    assert_eq!(store.high_water(), at, "nothing was changed");
    apply(&*store, id, [Change::Release], 5000).await;
    assert_eq!(store.high_water(), Millis(5000));
}

pub(in crate::store) async fn writes_the_time_down_once_an_hour(store: Arc<dyn Store>) {
    let at = accept_at(&*store).await;
    let hour = 3_600_000;
    for (now, written) in [
        (at + hour - 1, at),
        (at + hour, at + hour),
        (at + hour + 9, at + hour),
    ] {
        assert_eq!(store.sweep(sweep(now)).await.unwrap(), 0);
        assert_eq!(store.high_water(), Millis(written));
    }
}

async fn accept_at(store: &dyn Store) -> u64 {
    let new = new_job(1);
    let at = new.at.0;
    accept(store, new).await;
    at
}

pub(in crate::store) async fn refuses_everything_once_closed(store: Arc<dyn Store>) {
    let id = accept(&*store, new_job(1)).await;
    assert!(store.is_up());

    store.close().await.unwrap();
    store.close().await.unwrap();

    assert!(!store.is_up());
    let down = [
        store.accept(new_job(2)).await.map(drop),
        apply_any(&*store, id, vec![Change::Start], Millis(5))
            .await
            .map(drop),
        store.job(id).await.map(drop),
        store.params(id).await.map(drop),
        store.queued_servers().await.map(drop),
        store.sweep(sweep(1)).await.map(drop),
        store.reclaim(1).await.map(drop),
    ];
    for answer in down {
        assert!(matches!(answer, Err(Error::Down(_))), "{answer:?}");
    }
}
