//! The operator's permissions, as one table. `asyncmcp-operator rbac` prints it; the chart turns it into roles (cluster
//! roles, or one pair per namespace), and the end-to-end tests run with exactly these permissions.
//!
//! Invariant: every verb here is used by code; of `secrets`, only metadata is read and changed. Whoever may list or patch
//! Secrets may read them, so the chart grants neither without `secrets.watch`.

use serde::Serialize;

/// One rule of a role.
#[derive(Clone, Debug, Serialize, PartialEq, Eq)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// API groups; the core group is empty.
    pub api_groups: &'static [&'static str],
    /// Resources, with their subresources.
    pub resources: &'static [&'static str],
    /// Verbs that the rule allows on these resources.
    pub verbs: &'static [&'static str],
}

/// The roles, each a list of rules.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Roles {
    /// What the operator reads, in every watched namespace.
    pub read: &'static [Rule],
    /// What the operator writes, in every watched namespace.
    pub write: &'static [Rule],
    /// What leader election needs, in the operator's own namespace.
    pub leader: &'static [Rule],
    /// What the lock between operators needs, where it is. The chart adds the lock's name to what needs one.
    pub lock: &'static [Rule],
    /// What an operator of the whole cluster needs to see the locks of others.
    pub neighbours: &'static [Rule],
    /// Added to the cluster role `view`: routes can be read.
    pub users_view: &'static [Rule],
    /// Added to the cluster roles `edit` and `admin`: routes can be written. A user who can write routes can send the
    /// namespace's Secrets to any URL.
    pub users_edit: &'static [Rule],
}

const fn rule(
    api_groups: &'static [&'static str],
    resources: &'static [&'static str],
    verbs: &'static [&'static str],
) -> Rule {
    Rule {
        api_groups,
        resources,
        verbs,
    }
}

const CORE: &[&str] = &[""];
const APPS: &[&str] = &["apps"];
const OURS: &[&str] = &["asyncmcp.dev"];
/// Server-side apply of an object that does not exist needs both.
const APPLY: &[&str] = &["create", "patch"];
/// Pruning also needs `delete`.
const APPLY_AND_PRUNE: &[&str] = &["create", "patch", "delete"];
const WATCH: &[&str] = &["list", "watch"];
/// Only granted where Secrets are watched.
const WATCHED_SECRETS: &[&str] = &["patch"];
/// `get` checks whether a name is taken by an object without our labels.
const WATCH_AND_GET: &[&str] = &["get", "list", "watch"];

/// The permissions of the operator, and those added for users of routes.
pub const ROLES: Roles = Roles {
    read: &[
        rule(OURS, &["mcpwebhookroutes"], WATCH),
        rule(
            CORE,
            &["pods", "secrets", "services", "persistentvolumeclaims"],
            WATCH,
        ),
        // A new leader reads which configuration the pods were last given.
        rule(CORE, &["configmaps"], WATCH_AND_GET),
        rule(CORE, &["serviceaccounts"], WATCH_AND_GET),
        rule(APPS, &["statefulsets", "deployments"], WATCH_AND_GET),
        // Why a route has no pod, or a claim no volume: nothing else says it.
        rule(&["events.k8s.io"], &["events"], &["list"]),
        // To see whether the namespace of a draining route is being deleted too.
        rule(CORE, &["namespaces"], &["get"]),
    ],
    write: &[
        // The finalizer is part of the route's own metadata.
        rule(OURS, &["mcpwebhookroutes", "mcpwebhookroutes/status"], &["patch"]),
        // A volume may hold acknowledged jobs: the operator never deletes one.
        rule(
            CORE,
            &[
                "configmaps",
                "services",
                "serviceaccounts",
                "persistentvolumeclaims",
            ],
            APPLY,
        ),
        rule(APPS, &["statefulsets", "deployments"], APPLY_AND_PRUNE),
        // Keys: created once and never changed.
        rule(CORE, &["secrets"], &["create"]),
        // For the finalizer on the Secret with a volume's keys.
        rule(CORE, &["secrets"], WATCHED_SECRETS),
        // For the annotation that makes the kubelet refresh a pod's volume.
        rule(CORE, &["pods"], &["patch"]),
        rule(&["events.k8s.io"], &["events"], &["create"]),
    ],
    leader: &[rule(
        &["coordination.k8s.io"],
        &["leases"],
        &["get", "create", "update"],
    )],
    lock: &[
        // A name cannot be said of an object that does not exist yet.
        rule(&["coordination.k8s.io"], &["leases"], &["create"]),
        rule(&["coordination.k8s.io"], &["leases"], &["get", "update"]),
    ],
    neighbours: &[rule(&["coordination.k8s.io"], &["leases"], &["list"])],
    users_view: &[rule(
        OURS,
        &["mcpwebhookroutes", "mcpwebhookroutes/status"],
        &["get", "list", "watch"],
    )],
    users_edit: &[rule(
        OURS,
        &["mcpwebhookroutes"],
        &["create", "update", "patch", "delete", "deletecollection"],
    )],
};

/// The table in the chart's format.
pub fn yaml() -> String {
    let mut text =
        String::from("# Generated by `asyncmcp-operator rbac`; edit operator/src/rbac.rs instead.\n");
    let roles = [
        ("read", ROLES.read),
        ("write", ROLES.write),
        ("leader", ROLES.leader),
        ("lock", ROLES.lock),
        ("neighbours", ROLES.neighbours),
        ("usersView", ROLES.users_view),
        ("usersEdit", ROLES.users_edit),
    ];
    for (name, rules) in roles {
        text.push_str(name);
        text.push_str(":\n");
        for rule in rules {
            text.push_str(&lines(rule));
        }
    }
    text
}

fn lines(rule: &Rule) -> String {
    let line = |(field, values): (&str, &[&str])| {
        let values: Vec<String> = values.iter().map(|value| format!("\"{value}\"")).collect();
        format!("{field}: [{}]\n", values.join(", "))
    };
    [
        ("- apiGroups", rule.api_groups),
        ("  resources", rule.resources),
        ("  verbs", rule.verbs),
    ]
    .map(line)
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../charts/asyncmcp/files/rbac.yaml");

    #[test]
    fn the_charts_copy_is_current() {
        let disk = std::fs::read_to_string(FILE).unwrap_or_default();
        assert!(
            disk == yaml(),
            "stale: run `cargo run -p asyncmcp-operator -- rbac > charts/asyncmcp/files/rbac.yaml`"
        );
    }

    #[test]
    fn the_yaml_holds_the_same_rules_as_the_table() {
        let parsed: serde_json::Value = serde_yaml::from_str(&yaml()).unwrap();
        assert_eq!(parsed, serde_json::to_value(&ROLES).unwrap());
    }

    #[test]
    fn the_verbs_on_secrets_are_these() {
        let verbs: Vec<&str> = ROLES
            .read
            .iter()
            .chain(ROLES.write)
            .filter(|rule| rule.resources.contains(&"secrets"))
            .flat_map(|rule| rule.verbs.iter().copied())
            .collect();
        assert_eq!(verbs, ["list", "watch", "create", "patch"]);
    }
}
