//! What a route that serves waits for, in the message of its condition `Ready`. Called by `publish`.
//!
//! Invariant: changes a message, never a status or a reason.

use asyncmcp_crds::Condition;

/// Appends the reason to the condition `Ready` if that is True; otherwise its message is about something worse.
pub(super) fn append(conditions: Option<&mut Vec<Condition>>, reason: Option<&str>) {
    let mut ready = conditions.into_iter().flatten();
    let ready = ready.find(|condition| condition.type_ == "Ready" && condition.status == "True");
    if let (Some(ready), Some(reason)) = (ready, reason) {
        ready.message = format!("{}; {reason}", ready.message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use asyncmcp_crds::Time;
    use k8s_openapi::jiff::Timestamp;

    #[test]
    fn only_a_ready_route_says_what_it_waits_for() {
        for (status, expect) in [("True", "served; wait"), ("False", "served")] {
            let mut conditions = vec![Condition {
                type_: "Ready".to_owned(),
                status: status.to_owned(),
                reason: "Ready".to_owned(),
                message: "served".to_owned(),
                observed_generation: None,
                last_transition_time: Time(Timestamp::UNIX_EPOCH),
            }];
            append(Some(&mut conditions), None);
            append(Some(&mut conditions), Some("wait"));
            assert_eq!(conditions[0].message, expect);
        }
    }
}
