//! Whose tasks they are: ids of others are ids of nothing.

use anyhow::Result;
use asyncmcp_tests::mcp::Reaction;
use asyncmcp_tests::session::Session;
use serde_json::{Value, json};

use crate::scene::{AUTH, Client, ONE, RESULT, Scene, TWO, code, id};

/// What `client` hears of a task of somebody else, without what it asked for itself.
async fn hears(client: &Client, id: &Value) -> Result<Vec<String>> {
    let mut methods = vec!["tasks/get", "tasks/cancel"];
    methods.push(if client.is_modern() {
        "tasks/update"
    } else {
        "tasks/result"
    });
    let mut answers = Vec::new();
    for method in methods {
        let answer = client.about(method, id).await?;
        assert_eq!(code(&answer), -32602, "{method}: {answer}");
        let error = answer["error"].to_string();
        answers.push(error.replace(id.as_str().unwrap_or_default(), "ID"));
    }
    Ok(answers)
}

#[tokio::test]
async fn another_principals_task_does_not_exist_in_either_era() -> Result<()> {
    let scene = Scene::open(AUTH).await?;
    scene.server.on("slow", [Reaction::Hangs]);
    let mine = scene.both_with(ONE).await?;
    let others = scene.both_with(TWO).await?;
    let nothing = json!("01234567890123456789012345");
    for client in &mine {
        let task = client.begin().await?["taskId"].clone();
        for other in &others {
            assert_eq!(hears(other, &task).await?, hears(other, &nothing).await?);
        }
        // Of the same principal in whatever session and era.
        for own in &mine {
            assert_eq!(
                own.about("tasks/get", &task).await?["result"]["status"],
                "working"
            );
        }
    }
    Ok(())
}

#[tokio::test]
async fn without_credentials_a_task_is_its_sessions() -> Result<()> {
    let scene = Scene::open("").await?;
    scene.server.on("slow", [Reaction::Hangs]);
    let (one, two, modern) = (scene.legacy().await?, scene.legacy().await?, scene.modern()?);
    let task = one.begin().await?["taskId"].clone();
    hears(&two, &task).await?;
    hears(&modern, &task).await?;
    assert_eq!(
        one.about("tasks/get", &task).await?["result"]["status"],
        "working"
    );
    let task = modern.begin().await?["taskId"].clone();
    hears(&one, &task).await?;
    // Nothing but the id, which nobody can guess, ties two modern requests together.
    assert_eq!(
        scene.modern()?.about("tasks/get", &task).await?["result"]["status"],
        "working"
    );
    Ok(())
}

#[tokio::test]
async fn a_list_has_the_principals_own_tasks_page_by_page() -> Result<()> {
    let scene = Scene::open(AUTH).await?;
    scene.server.on("slow", [Reaction::Result(RESULT)]);
    let [one, modern] = scene.both_with(ONE).await?;
    let [two, _] = scene.both_with(TWO).await?;
    let mut expected = Vec::new();
    for _ in 0..60 {
        expected.push(id(&one.begin().await?)?.to_owned());
    }
    expected.push(id(&modern.begin().await?)?.to_owned());
    let foreign = id(&two.begin().await?)?.to_owned();
    let (mut ids, mut cursor, mut pages) = (Vec::new(), Value::Null, 0);
    loop {
        let params = match &cursor {
            Value::Null => json!({}),
            cursor => json!({"cursor": cursor}),
        };
        let page = one.ask("tasks/list", params).await?["result"].clone();
        let tasks = page["tasks"].as_array().cloned().unwrap_or_default();
        ids.extend(
            tasks
                .iter()
                .filter_map(|task| task["taskId"].as_str().map(str::to_owned)),
        );
        pages += 1;
        cursor = page["nextCursor"].clone();
        if cursor.is_null() {
            break;
        }
        assert_eq!(
            code(&two.ask("tasks/list", json!({"cursor": cursor})).await?),
            -32602
        );
    }
    ids.reverse();
    assert_eq!((ids, pages), (expected, 2));
    let theirs = two.ask("tasks/list", json!({})).await?["result"]["tasks"].clone();
    assert_eq!(theirs.as_array().map(Vec::len), Some(1));
    assert_eq!(theirs[0]["taskId"], foreign);
    for cursor in [json!("x"), json!(7)] {
        assert_eq!(
            code(&one.ask("tasks/list", json!({"cursor": cursor})).await?),
            -32602
        );
    }
    Ok(())
}

/// The end of a session is not the end of what was accepted in it, but nobody can ask for it any more.
#[tokio::test]
async fn a_session_that_ended_leaves_a_task_that_nobody_can_ask_about() -> Result<()> {
    let scene = Scene::open("").await?;
    scene.server.on("slow", [Reaction::Result(RESULT)]);
    let client = scene.legacy().await?;
    let task = client.begin().await?["taskId"].clone();
    client.once(&task, "completed").await;
    let next = Client::Legacy(Session::open(&scene.gateway.url(), None).await?);
    assert_eq!(code(&next.about("tasks/get", &task).await?), -32602);
    Ok(())
}
