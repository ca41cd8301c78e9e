//! The job that an argument names: by its id, or by the `webhook-id` in a receiver's log.
//!
//! Invariant: nothing that is not an id becomes part of a path.

use anyhow::{Result, bail};

use crate::command::admin::Admin;

/// The id of the job that `text` names.
pub(super) async fn job(admin: &Admin, text: &str) -> Result<String> {
    if text.starts_with("msg_") {
        return by_webhook_id(admin, text).await;
    }
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Ok(text.to_owned());
    }
    bail!("{text:?} is neither the id of a job nor a webhook-id; `asyncmcp jobs list` shows ids")
}

/// Pages may be empty although more follow: each request looks at a bounded number of jobs.
async fn by_webhook_id(admin: &Admin, webhook_id: &str) -> Result<String> {
    let mut cursor = None::<String>;
    loop {
        let mut query = vec![("webhookId", webhook_id.to_owned())];
        query.extend(cursor.take().map(|cursor| ("cursor", cursor)));
        let page = admin.get("/jobs", &query).await?;
        if let Some(id) = page["jobs"][0]["id"].as_str() {
            return Ok(id.to_owned());
        }
        cursor = page["cursor"].as_str().map(str::to_owned);
        if cursor.is_none() {
            bail!("no job has the webhook-id {webhook_id}; it may have been removed after its retention");
        }
    }
}
