//! The chart's roles against the operator's own table.

use anyhow::Result;
use asyncmcp_operator::rbac::{ROLES, Rule};
use asyncmcp_tests::chart;
use serde_json::{Value, json};

/// Rules with the order of their words made the same.
fn sorted(rules: &Value) -> Value {
    let mut rules = rules.clone();
    for rule in rules.as_array_mut().into_iter().flatten() {
        for words in ["apiGroups", "resources", "verbs"] {
            if let Some(words) = rule[words].as_array_mut() {
                words.sort_by_key(ToString::to_string);
            }
        }
    }
    rules
}

fn table(rules: &[Rule]) -> Result<Value> {
    Ok(sorted(&serde_json::to_value(rules)?))
}

#[test]
fn the_operator_gets_exactly_its_table_in_the_whole_cluster() -> Result<()> {
    let rendered = chart::render(&[])?;
    let wide = [
        ("read", ROLES.read),
        ("write", ROLES.write),
        ("neighbours", ROLES.neighbours),
    ];
    for (role, rules) in wide {
        let name = format!("asyncmcp-{role}");
        assert_eq!(
            sorted(&rendered.get("ClusterRole", &name)?["rules"]),
            table(rules)?
        );
        let binding = rendered.get("ClusterRoleBinding", &name)?;
        assert_eq!(binding["roleRef"]["name"], name);
        let account = json!([{"kind": "ServiceAccount", "name": "asyncmcp", "namespace": "asyncmcp-system"}]);
        assert_eq!(binding["subjects"], account);
    }
    let leader = rendered.get("Role", "asyncmcp-leader")?;
    assert_eq!(sorted(&leader["rules"]), table(ROLES.leader)?);
    Ok(())
}

#[test]
fn the_lock_between_operators_is_in_one_namespace_and_its_role_names_it() -> Result<()> {
    for (values, namespaces, lock) in [
        (&[][..], &["kube-system"][..], "asyncmcp-operator-lock"),
        (
            &["operatorClass=team-a", "lock.namespace=locks"],
            &["locks"],
            "asyncmcp-operator-lock.team-a",
        ),
        (&["watchNamespaces={a,b}"], &["a", "b"], "asyncmcp-operator-lock"),
    ] {
        let rendered = chart::render(values)?;
        let roles = rendered.of_kind("Role").into_iter();
        let roles: Vec<_> = roles
            .filter(|role| role["metadata"]["name"] == "asyncmcp-lock")
            .collect();
        let places: Vec<_> = roles
            .iter()
            .map(|role| role["metadata"]["namespace"].as_str().unwrap_or_default())
            .collect();
        assert_eq!(places, namespaces);
        let mut expected = table(ROLES.lock)?;
        expected[1]["resourceNames"] = json!([lock]);
        assert_eq!(sorted(&roles[0]["rules"]), expected);
    }
    Ok(())
}

#[test]
fn watched_namespaces_bound_what_the_operator_may_do() -> Result<()> {
    let rendered = chart::render(&["watchNamespaces={tools,agents}", "rbac.aggregate=false"])?;
    assert!(rendered.of_kind("ClusterRole").is_empty() && rendered.of_kind("ClusterRoleBinding").is_empty());
    let mut found = Vec::new();
    for role in rendered.of_kind("Role") {
        let name = role["metadata"]["name"].as_str().unwrap_or_default();
        let rules = match name {
            "asyncmcp-read" => ROLES.read,
            "asyncmcp-write" => ROLES.write,
            "asyncmcp-lock" => ROLES.lock,
            _ => ROLES.leader,
        };
        let mut given = sorted(&role["rules"]);
        for rule in given.as_array_mut().into_iter().flatten() {
            rule.as_object_mut().map(|rule| rule.remove("resourceNames"));
        }
        assert_eq!(given, table(rules)?, "{name}");
        found.push(format!(
            "{}/{name}",
            role["metadata"]["namespace"].as_str().unwrap_or_default()
        ));
    }
    found.sort();
    assert_eq!(
        found,
        [
            "agents/asyncmcp-lock",
            "agents/asyncmcp-read",
            "agents/asyncmcp-write",
            "asyncmcp-system/asyncmcp-leader",
            "tools/asyncmcp-lock",
            "tools/asyncmcp-read",
            "tools/asyncmcp-write",
        ]
    );
    assert_eq!(rendered.of_kind("RoleBinding").len(), found.len());
    Ok(())
}

#[test]
fn without_watching_secrets_nothing_reads_them() -> Result<()> {
    let rendered = chart::render(&["secrets.watch=false"])?;
    let read = &rendered.get("ClusterRole", "asyncmcp-read")?["rules"];
    assert!(!read.to_string().contains("secrets"), "{read}");
    // All the rest is as it was.
    let mut expected = table(ROLES.read)?;
    for rule in expected.as_array_mut().into_iter().flatten() {
        if let Some(resources) = rule["resources"].as_array_mut() {
            resources.retain(|resource| resource != "secrets");
        }
    }
    assert_eq!(sorted(read), expected);
    let write = &rendered.get("ClusterRole", "asyncmcp-write")?["rules"];
    let mut expected = table(ROLES.write)?;
    if let Some(rules) = expected.as_array_mut() {
        // The answer to a patch is the whole Secret.
        rules.retain(|rule| rule["resources"] != json!(["secrets"]) || rule["verbs"] == json!(["create"]));
    }
    assert_eq!(sorted(write), expected);
    Ok(())
}

#[test]
fn users_who_edit_write_routes_and_users_who_view_read_them() -> Result<()> {
    let rendered = chart::render(&[])?;
    let into = |role: &Value| {
        let labels = role["metadata"]["labels"]
            .as_object()
            .cloned()
            .unwrap_or_default();
        let into = labels
            .keys()
            .filter_map(|label| label.strip_prefix("rbac.authorization.k8s.io/aggregate-to-"));
        into.map(str::to_owned).collect::<Vec<_>>()
    };
    let view = rendered.get("ClusterRole", "asyncmcp-users-view")?;
    assert_eq!(into(view), ["view"]);
    assert_eq!(sorted(&view["rules"]), table(ROLES.users_view)?);
    let edit = rendered.get("ClusterRole", "asyncmcp-users-edit")?;
    assert_eq!(into(edit), ["admin", "edit"]);
    assert_eq!(sorted(&edit["rules"]), table(ROLES.users_edit)?);
    Ok(())
}

#[test]
fn no_role_is_made_where_somebody_else_makes_them() -> Result<()> {
    let rendered = chart::render(&["rbac.create=false", "rbac.aggregate=false"])?;
    let roles = rendered.names().into_iter().filter(|name| name.contains("Role"));
    assert_eq!(roles.collect::<Vec<_>>(), [""; 0]);
    Ok(())
}
