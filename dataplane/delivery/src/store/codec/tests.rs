//! What is written reads back, what is cut or changed never panics, and the file format
//! does not move by accident.

use std::time::Duration;

use proptest::prelude::*;

use super::job::{CATEGORIES, ENDS};
use super::*;
use crate::egress::NamedBy;
use crate::history::{Entry, Outcome};
use crate::job::{Call, Job, OnInterruption, Owner, Receiver, Retry, Target, Trace};
use crate::state::{Category, End, Exec, Fault, Push, State};

fn job(exec: Exec, push: Push) -> Job {
    Job {
        id: JobId::new(Millis(1_795_000_000_000), [3; 10]),
        version: 13,
        state: State { exec, push },
        owner: None,
        run: 14,
        server: Key([1; 8]),
        client: Key([2; 8]),
        receiver: Some(Receiver {
            origin: Key([3; 8]),
            url: Key([4; 8]),
        }),
        dedupe: [4; 32],
        names: Vec::new(),
        accepted: Millis(5),
        started: Some(Millis(6)),
        unsent_since: None,
        ended: Some(Millis(7)),
        turn: Millis(8),
        executions: 9,
        attempts: 10,
        replays: 11,
        replayed: None,
        last: Some(Category::TlsError),
        size: 12,
        has_resume_token: true,
        poisoned: false,
        tool_failed: false,
        kept_longer: Duration::ZERO,
    }
}

fn call(retry: Retry) -> Call {
    Call {
        server: "analytics".to_owned(),
        tool: "batch".to_owned(),
        shown_as: "analytics_batch".to_owned(),
        request_id: "\"a\"".to_owned(),
        client: "sid:é".to_owned(),
        timeout: Duration::new(3, 4),
        on_interruption: OnInterruption::Retry,
        target: Some(Target {
            url: "https://example.com/hook".to_owned(),
            named_by: NamedBy::Default,
            secret: None,
        }),
        retry,
        trace: Trace {
            parent: "00-1-2-01".to_owned(),
            state: String::new(),
        },
        as_task: false,
        owner: None,
    }
}

fn exponential() -> Retry {
    Retry::Exponential {
        retries: 8,
        initial: Duration::from_secs(5),
        max: Duration::from_hours(1),
        jitter_percent: 20,
    }
}

#[test]
fn every_state_of_a_job_reads_back() {
    let dead = Category::ALL.map(Push::Dead);
    let others = [
        Push::None,
        Push::Due,
        Push::Sending,
        Push::Delivered,
        Push::Stopped,
    ];
    let ended = End::ALL.map(Exec::Ended);
    for exec in ended.into_iter().chain([Exec::Queued, Exec::Running]) {
        for push in dead.into_iter().chain(others) {
            let job = job(exec, push);
            let value = encode_job(&job);
            assert!(value.len() < 400, "{} bytes", value.len());
            assert_eq!(decode_job(job.id, &value).unwrap(), job);
        }
    }
}

#[test]
fn absent_fields_of_a_job_read_back() {
    let job = Job {
        receiver: None,
        started: None,
        ended: None,
        last: None,
        ..job(Exec::Queued, Push::None)
    };
    assert_eq!(decode_job(job.id, &encode_job(&job)).unwrap(), job);
}

#[test]
fn the_time_of_a_replay_reads_back_and_adds_nothing_where_there_was_none() {
    let plain = job(Exec::Ended(End::Result), Push::Due);
    let replayed = Job {
        replayed: Some(Millis(9)),
        ..plain.clone()
    };
    let value = encode_job(&replayed);
    assert_eq!(decode_job(replayed.id, &value).unwrap(), replayed);
    assert_eq!(value.len(), encode_job(&plain).len() + 1 + 8);
    for len in encode_job(&plain).len() + 1..value.len() {
        let cut = decode_job(plain.id, &value[..len]);
        assert!(matches!(cut, Err(Error::Corrupt(_))), "{len}");
    }
}

#[test]
fn the_owner_of_a_job_reads_back_and_adds_nothing_where_there_is_none() {
    let plain = job(Exec::Running, Push::None);
    let (replica, epoch) = (1, u64::MAX);
    let held = Job {
        owner: Some(Owner { replica, epoch }),
        ..plain.clone()
    };
    let value = encode_job(&held);
    assert_eq!(decode_job(held.id, &value).unwrap(), held);
    assert_eq!(value.len(), encode_job(&plain).len() + 1 + 4 + 8);
}

#[test]
fn what_a_client_wants_and_a_tool_says_read_back_and_add_nothing_to_other_jobs() {
    let plain = job(Exec::Ended(End::Result), Push::None);
    let task = Job {
        tool_failed: true,
        kept_longer: Duration::from_mins(5),
        names: vec![[1; 32]],
        ..plain.clone()
    };
    let value = encode_job(&task);
    assert_eq!(decode_job(task.id, &value).unwrap(), task);
    assert_eq!(value.len(), encode_job(&plain).len() + 1 + 12 + 1 + 1 + 32);
}

#[test]
fn an_entry_of_a_history_reads_back() {
    let full = Entry {
        replay: 1,
        started: Millis(2),
        duration: Some(Duration::from_millis(3)),
        outcome: Outcome::Retry,
        category: Some(Category::Http5xx),
        fault: Some(Fault::Client),
        status: Some(503),
        next: Some(Millis(4)),
    };
    let empty = Entry {
        duration: None,
        category: None,
        fault: None,
        status: None,
        next: None,
        ..full.clone()
    };
    for outcome in Outcome::ALL {
        for entry in [&full, &empty] {
            let entry = Entry {
                outcome,
                ..entry.clone()
            };
            let value = encode_entry(&entry);
            assert_eq!(decode_entry(&value).unwrap(), entry);
            let cut = decode_entry(&value[..value.len() - 1]);
            assert!(matches!(cut, Err(Error::Corrupt(_))));
        }
    }
}

#[test]
fn a_call_reads_back() {
    let schedule = Retry::Schedule {
        waits: vec![Duration::from_millis(1), Duration::from_hours(1)],
        jitter_percent: 0,
    };
    for call in [call(exponential()), call(schedule)] {
        assert_eq!(
            decode_call(&encode_call(&call, [5; 32])).unwrap(),
            (call.clone(), [5; 32])
        );
        let polled = Call { target: None, ..call };
        assert_eq!(
            decode_call(&encode_call(&polled, [5; 32])).unwrap(),
            (polled, [5; 32])
        );
    }
}

#[test]
fn a_clients_own_key_and_that_a_call_is_a_task_read_back() {
    let mut own = call(exponential());
    own.as_task = true;
    let target = own.target.as_mut().unwrap();
    target.named_by = NamedBy::Call;
    target.secret = Some("whsec_MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0".parse().unwrap());
    assert_eq!(
        decode_call(&encode_call(&own, [5; 32])).unwrap(),
        (own.clone(), [5; 32])
    );
    let polled = Call {
        target: None,
        owner: Some([6; 16]),
        ..own
    };
    let value = encode_call(&polled, [5; 32]);
    assert_eq!(decode_call(&value).unwrap(), (polled, [5; 32]));
    let cut = decode_call(&value[..value.len() - 1]);
    assert!(matches!(cut, Err(Error::Corrupt(_))));
}

#[test]
fn the_call_of_an_event_is_left_to_versions_that_know_events() {
    let mut event = call(exponential());
    event.target.as_mut().unwrap().named_by = NamedBy::Notify;
    let value = encode_call(&event, [5; 32]);
    assert_eq!(decode_call(&value).unwrap(), (event.clone(), [5; 32]));
    // What a version before this one does with it: a job whose call it cannot read waits, and is not damaged.
    assert!(matches!(
        Reader::open(&value),
        Err(Error::NewerFormat { found: 3, known: 1 })
    ));
    event.target.as_mut().unwrap().named_by = NamedBy::Default;
    assert!(Reader::open(&encode_call(&event, [5; 32])).is_ok());
}

#[test]
fn the_codes_cover_every_variant_in_the_order_of_the_file_format() {
    assert!(End::ALL.iter().all(|end| ENDS.contains(end)));
    assert!(Category::ALL.iter().all(|why| CATEGORIES.contains(why)));
    assert_eq!(code(&End::TooLarge, &ENDS), 5);
    assert_eq!(code(&Category::Corrupt, &CATEGORIES), 10);
    assert_eq!(code(&Category::Evicted, &CATEGORIES), 11);
    assert_eq!(code(&Category::ReceiverAborted, &CATEGORIES), 13);
}

#[test]
fn the_file_format_is_what_it_was() {
    let value = encode_job(&job(Exec::Ended(End::Timeout), Push::Dead(Category::Http5xx)));
    let expected = [
        &[1, 0, 0, 0, 0][..],
        &[0, 0, 0, 0, 0, 0, 0, 13, 0, 0, 0, 14],
        &[2, 2, 4, 7],
        &[1; 8],
        &[2; 8],
        &[1],
        &[3; 8],
        &[4; 8],
        &[4; 32],
        &[0, 0, 0, 0, 0, 0, 0, 5],
        &[1, 0, 0, 0, 0, 0, 0, 0, 6],
        &[1, 0, 0, 0, 0, 0, 0, 0, 7],
        &[0, 0, 0, 0, 0, 0, 0, 8],
        &[9, 0, 0, 0, 10, 0, 0, 0, 11, 1, 4],
        &[0, 0, 0, 12, 1, 0],
    ]
    .concat();
    assert_eq!(value, expected);
}

#[test]
fn a_value_cut_anywhere_or_longer_than_itself_is_corrupt() {
    let job = job(Exec::Ended(End::Result), Push::Due);
    let (header, snapshot) = (encode_job(&job), encode_call(&call(exponential()), [5; 32]));
    for len in 0..header.len() {
        assert!(
            matches!(decode_job(job.id, &header[..len]), Err(Error::Corrupt(_))),
            "{len}"
        );
    }
    for len in 0..snapshot.len() {
        assert!(
            matches!(decode_call(&snapshot[..len]), Err(Error::Corrupt(_))),
            "{len}"
        );
    }
    let longer = [header, vec![0]].concat();
    assert!(matches!(decode_job(job.id, &longer), Err(Error::Corrupt(_))));
}

#[test]
fn a_newer_layout_and_a_key_where_none_can_be_say_so() {
    let mut value = encode_job(&job(Exec::Queued, Push::None));
    value[4] = 7;
    let sealed = decode_job(JobId::MIN, &value).unwrap_err().to_string();
    assert!(sealed.contains("key 7"), "{sealed}");
    value[0] = 2;
    let newer = decode_job(JobId::MIN, &value);
    assert!(matches!(newer, Err(Error::NewerFormat { found: 2, known: 1 })));
}

proptest! {
    #[test]
    fn no_bytes_make_reading_panic(value in prop::collection::vec(any::<u8>(), 0..200), plain: bool) {
        let value = if plain { [&HEADER[..], &value].concat() } else { value };
        let _ = decode_job(JobId::MIN, &value);
        let _ = decode_call(&value);
        let _ = decode_entry(&value);
        let _ = decode_session(&value);
        let _ = decode_dedupe(&value);
        let _ = wrap::Wrapped::read(&value);
        let _ = decode_blob(value);
    }

    #[test]
    fn sessions_and_blobs_read_back(version: u64, at: u64, bytes in prop::collection::vec(any::<u8>(), 0..99)) {
        let row = SessionRow { version, expires: Millis(at), bytes: bytes.clone().into() };
        prop_assert_eq!(decode_session(&encode_session(&row)).unwrap(), row);
        prop_assert_eq!(decode_blob(encode_blob(&bytes)).unwrap(), bytes);
    }
}
