//! What is kept of answers, and for how long, on a clock that the tests drive.

use asyncmcp_protocol::Id;

use super::*;

const LIMITS: Limits = Limits {
    stream: 10,
    session: 20,
    in_all: 40,
    most: 8,
};

/// A stream of `session` whose reader left, with a message of so many bytes; `None` is one that goes on.
async fn one(kept: &Kept, (session, account): (u8, &str), bytes: usize) -> (Name, Recorder) {
    let recording = Recording::new(Scope([session; 16]), account, Id::number(1));
    let name = recording.name;
    let (recorder, reader) = kept.add(recording);
    drop(reader.known());
    recorder.send(Bytes::from(vec![b'x'; bytes]), true).await;
    (name, recorder)
}

async fn ended(kept: &Kept, of: (u8, &str), bytes: usize) -> Name {
    tokio::time::advance(Duration::from_millis(1)).await; // one after another
    let (name, recorder) = one(kept, of, bytes).await;
    drop(recorder);
    name
}

async fn is_whole(kept: &Kept, name: Name) -> bool {
    match kept.read(&name, 0) {
        Some(mut reader) => matches!(reader.next().await, Found::Message(0, _)),
        None => false,
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_a_session_and_all_of_them_have_a_bound_each() {
    let kept = Kept::within(LIMITS);
    assert!(!is_whole(&kept, ended(&kept, (1, "a"), 11).await).await);
    let first = ended(&kept, (1, "a"), 8).await;
    let second = ended(&kept, (1, "a"), 8).await;
    assert!(is_whole(&kept, first).await && is_whole(&kept, second).await);
    let third = ended(&kept, (1, "a"), 8).await;
    assert!(!is_whole(&kept, first).await || !is_whole(&kept, second).await);
    assert!(is_whole(&kept, third).await);
    let other = ended(&kept, (9, "b"), 10).await;
    for session in 2..=3 {
        ended(&kept, (session, "a"), 8).await;
    }
    assert!(is_whole(&kept, other).await, "who keeps little loses nothing");
    let bytes: usize = kept.state().all.values().map(|one| one.bytes()).sum();
    assert!(bytes <= LIMITS.in_all && bytes == kept.state().bytes, "{bytes}");
    for session in 10..40 {
        ended(&kept, (session, "c"), 0).await;
    }
    assert!(
        kept.state().all.len() <= LIMITS.most,
        "{}",
        kept.state().all.len()
    );
}

#[tokio::test(start_paused = true)]
async fn what_nobody_reads_is_dropped_after_a_while_and_what_goes_on_is_not() {
    let kept = Kept::within(LIMITS);
    let over = ended(&kept, (1, "a"), 1).await;
    let (running, _recorder) = one(&kept, (1, "a"), 1).await;
    tokio::time::sleep(KEPT_FOR.saturating_sub(Duration::from_secs(1))).await;
    assert!(kept.state().all.contains_key(&over));
    tokio::time::sleep(2 * CHECK_EVERY).await;
    assert!(!kept.state().all.contains_key(&over));
    assert!(is_whole(&kept, running).await);
}

#[tokio::test(start_paused = true)]
async fn what_nobody_can_come_back_for_is_not_kept() {
    let kept = Kept::within(LIMITS);
    let (recorder, reader) = kept.add(Recording::new(Scope([1; 16]), "a", Id::number(1)));
    drop(reader);
    recorder.send(Bytes::from_static(b"x"), false).await;
    assert!(recorder.is_away() && kept.state().all.is_empty());
    let state = kept.state();
    assert_eq!((state.bytes, state.sessions.len()), (0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_is_stuck_is_dismissed_and_one_that_is_away_is_not_asked() {
    let kept = Kept::within(LIMITS);
    let (recorder, mut reader) = kept.add(Recording::new(Scope([1; 16]), "a", Id::number(1)));
    for _ in 0..17 {
        recorder.send(Bytes::from_static(b"x"), false).await;
    }
    assert_eq!(reader.next().await, Found::TakenOver);
    assert!(!recorder.is_away());
    tokio::time::advance(AWAY).await;
    assert!(recorder.is_away());
}
