//! The objects that the chart makes.

use anyhow::{Context as _, Result};
use asyncmcp_operator::args::Cli;
use asyncmcp_tests::{chart, command};
use clap::Parser as _;
use serde_json::{Value, json};

const CRD: &str = "mcpwebhookroutes.asyncmcp.dev";

fn pod(values: &[&str]) -> Result<Value> {
    let rendered = chart::render(values)?;
    Ok(rendered.get("Deployment", "asyncmcp")?["spec"]["template"]["spec"].clone())
}

fn operator(values: &[&str]) -> Result<Cli> {
    let pod = pod(values)?;
    let flags = pod["containers"][0]["args"].as_array().context("no args")?;
    let flags = flags.iter().filter_map(Value::as_str);
    Ok(Cli::try_parse_from(
        ["asyncmcp-operator"].into_iter().chain(flags),
    )?)
}

#[test]
fn the_chart_passes_helms_lint() -> Result<()> {
    command::run("helm", &["lint", "--strict", chart::CHART]).map(drop)
}

#[test]
fn by_default_it_makes_these_objects_and_no_others() -> Result<()> {
    let names = chart::render(&[])?.names();
    assert_eq!(
        names,
        [
            "ClusterRole asyncmcp-neighbours",
            "ClusterRole asyncmcp-read",
            "ClusterRole asyncmcp-users-edit",
            "ClusterRole asyncmcp-users-view",
            "ClusterRole asyncmcp-write",
            "ClusterRoleBinding asyncmcp-neighbours",
            "ClusterRoleBinding asyncmcp-read",
            "ClusterRoleBinding asyncmcp-write",
            "ConfigMap asyncmcp-dashboards",
            "CustomResourceDefinition mcpwebhookroutes.asyncmcp.dev",
            "Deployment asyncmcp",
            "Role asyncmcp-leader",
            "Role kube-system/asyncmcp-lock",
            "RoleBinding asyncmcp-leader",
            "RoleBinding kube-system/asyncmcp-lock",
            "Service asyncmcp-metrics",
            "ServiceAccount asyncmcp",
            "ValidatingAdmissionPolicy asyncmcp-children",
            "ValidatingAdmissionPolicy asyncmcp-claims",
            "ValidatingAdmissionPolicy asyncmcp-pods",
            "ValidatingAdmissionPolicy asyncmcp-routes",
            "ValidatingAdmissionPolicy asyncmcp-secrets",
            "ValidatingAdmissionPolicy asyncmcp-workloads",
            "ValidatingAdmissionPolicyBinding asyncmcp-children",
            "ValidatingAdmissionPolicyBinding asyncmcp-claims",
            "ValidatingAdmissionPolicyBinding asyncmcp-pods",
            "ValidatingAdmissionPolicyBinding asyncmcp-routes",
            "ValidatingAdmissionPolicyBinding asyncmcp-secrets",
            "ValidatingAdmissionPolicyBinding asyncmcp-workloads",
        ]
    );
    Ok(())
}

#[test]
fn kinds_of_the_prometheus_operator_come_only_when_asked_for() -> Result<()> {
    let rendered = chart::render(&[
        "metrics.podMonitor.enabled=true",
        "alerts.prometheusRule.enabled=true",
        "alerts.prometheusRule.labels.release=kube-prometheus",
    ])?;
    assert_eq!(rendered.of_kind("PodMonitor").len(), 2);
    let rule = rendered.get("PrometheusRule", "asyncmcp")?;
    assert_eq!(rule["metadata"]["labels"]["release"], "kube-prometheus");
    assert_eq!(rule["spec"], chart::yaml("alerts/asyncmcp.rules.yaml")?);
    let published = chart::render(&[
        "alerts.prometheusRule.enabled=true",
        "alerts.runbookUrl=https://docs.example.com/alerts.md",
    ])?;
    let rule = &published.get("PrometheusRule", "asyncmcp")?["spec"]["groups"][0]["rules"][0];
    let link = format!(
        "https://docs.example.com/alerts.md#{}",
        rule["alert"].as_str().unwrap_or_default().to_lowercase()
    );
    assert_eq!(rule["annotations"]["runbook_url"], link);
    Ok(())
}

#[test]
fn the_pod_monitors_find_the_operator_and_data_planes() -> Result<()> {
    let rendered = chart::render(&["metrics.podMonitor.enabled=true", "watchNamespaces={a,b}"])?;
    let pod = &rendered.get("Deployment", "asyncmcp")?["spec"]["template"];
    let own = pod["metadata"]["labels"].clone();
    let data_plane = serde_json::to_value(asyncmcp_operator::labels::all("analytics"))?;
    for (name, labels, namespaces) in [
        ("asyncmcp", own, json!(["asyncmcp-system"])),
        ("asyncmcp-dataplanes", data_plane, json!(["a", "b"])),
    ] {
        let spec = &rendered.get("PodMonitor", name)?["spec"];
        let selector = spec["selector"]["matchLabels"].as_object().context("no labels")?;
        for (label, value) in selector {
            assert_eq!(&labels[label], value, "{name}");
        }
        assert_eq!(spec["namespaceSelector"]["matchNames"], namespaces);
        assert_eq!(
            spec["podMetricsEndpoints"][0]["port"],
            pod["spec"]["containers"][0]["ports"][0]["name"]
        );
    }
    Ok(())
}

#[test]
fn only_the_operator_reports_on_other_namespaces() -> Result<()> {
    let rendered = chart::render(&["metrics.podMonitor.enabled=true"])?;
    let endpoint = |name| -> Result<Value> {
        Ok(rendered.get("PodMonitor", name)?["spec"]["podMetricsEndpoints"][0].clone())
    };
    assert_eq!(endpoint("asyncmcp")?["honorLabels"], true);
    let data_planes = endpoint("asyncmcp-dataplanes")?;
    assert_eq!(data_planes["honorLabels"], false);
    let instance = json!({
        "sourceLabels": ["__meta_kubernetes_pod_label_app_kubernetes_io_instance"],
        "targetLabel": "route",
    });
    assert_eq!(data_planes["relabelings"], json!([instance]));
    Ok(())
}

#[test]
fn the_admission_policies_bound_the_operators_account_alone() -> Result<()> {
    let rendered = chart::render(&["serviceAccount.name=runner"])?;
    let policies = rendered.of_kind("ValidatingAdmissionPolicy");
    for policy in &policies {
        let condition = &policy["spec"]["matchConditions"][0]["expression"];
        let account = "request.userInfo.username == 'system:serviceaccount:asyncmcp-system:runner'";
        assert_eq!(condition, account);
    }
    assert!(!policies.is_empty());
    let without = chart::render(&["admissionPolicy.create=false"])?;
    assert!(without.of_kind("ValidatingAdmissionPolicy").is_empty());
    assert!(without.of_kind("ValidatingAdmissionPolicyBinding").is_empty());
    Ok(())
}

#[test]
fn the_definition_is_the_generated_one_and_outlives_the_release() -> Result<()> {
    let rendered = chart::render(&[])?;
    let crd = rendered.get("CustomResourceDefinition", CRD)?;
    assert_eq!(crd["metadata"]["annotations"]["helm.sh/resource-policy"], "keep");
    let generated = chart::yaml("files/crds/asyncmcp.dev_mcpwebhookroutes.yaml")?;
    assert_eq!(crd["spec"], generated["spec"]);
    Ok(())
}

#[test]
fn the_definition_can_be_left_out_or_given_up() -> Result<()> {
    assert!(
        chart::render(&["crds.install=false"])?
            .of_kind("CustomResourceDefinition")
            .is_empty()
    );
    let given_up = chart::render(&["crds.keep=false"])?;
    let crd = given_up.get("CustomResourceDefinition", CRD)?;
    assert!(crd["metadata"]["annotations"]["helm.sh/resource-policy"].is_null());
    Ok(())
}

#[test]
fn the_operator_understands_its_flags() -> Result<()> {
    let run = operator(&[])?.run;
    assert!(run.leader_elect && run.watch_secrets && run.namespaces.is_empty());
    assert_eq!(run.lease_name, "asyncmcp");
    assert_eq!(
        run.dataplane_image,
        format!("asyncmcp-dataplane:{}", env!("CARGO_PKG_VERSION"))
    );
    assert_eq!(
        [run.user.user.0, run.user.group.0, run.user.fs_group.0],
        [Some(65532); 3]
    );
    let port = &pod(&[])?["containers"][0]["ports"][0]["containerPort"];
    assert_eq!(*port, run.admin_listen.port());
    Ok(())
}

#[test]
fn every_value_that_is_a_flag_reaches_the_operator() -> Result<()> {
    let digest = format!("sha256:{}", "a".repeat(64));
    let run = operator(&[
        "watchNamespaces={b,a,b}",
        "secrets.watch=false",
        "dataplane.maxRollingRoutes=2",
        "operatorClass=team-a",
        "lock.namespace=locks",
        "logLevel=asyncmcp_operator=debug",
        "logFormat=text",
        "dataplane.image.repository=images.example.com/dataplane",
        &format!("dataplane.image.digest={digest}"),
    ])?
    .run;
    assert_eq!(run.namespaces, ["b", "a"]);
    assert!(!run.watch_secrets);
    assert_eq!(run.operator_class.as_deref(), Some("team-a"));
    assert_eq!(
        (run.lock_namespace.as_str(), run.max_rolling_routes),
        ("locks", 2)
    );
    assert_eq!(run.log_level, "asyncmcp_operator=debug");
    assert_eq!(run.log_format, asyncmcp_operator::args::LogFormat::Text);
    assert_eq!(
        run.dataplane_image,
        format!("images.example.com/dataplane@{digest}")
    );
    Ok(())
}

#[test]
fn ids_can_be_cleared_and_large_ones_stay_digits() -> Result<()> {
    let cleared = [
        "runAsUser=null",
        "runAsGroup=null",
        "dataplane.runAsUser=null",
        "dataplane.fsGroup=null",
    ];
    let user = operator(&cleared)?.run.user;
    assert_eq!(
        [user.user.0, user.group.0, user.fs_group.0],
        [None, Some(65532), None]
    );
    let security = pod(&cleared)?["securityContext"].clone();
    assert_eq!(
        security,
        json!({"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}})
    );
    let large = ["dataplane.runAsUser=1000650000", "runAsUser=1000650000"];
    assert_eq!(operator(&large)?.run.user.user.0, Some(1_000_650_000));
    assert_eq!(pod(&large)?["securityContext"]["runAsUser"], 1_000_650_000);
    Ok(())
}

#[test]
fn the_operator_runs_restricted() -> Result<()> {
    let pod = pod(&[])?;
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    assert_eq!(pod["securityContext"]["seccompProfile"]["type"], "RuntimeDefault");
    let container = &pod["containers"][0]["securityContext"];
    let expected = json!({
        "allowPrivilegeEscalation": false,
        "readOnlyRootFilesystem": true,
        "capabilities": {"drop": ["ALL"]},
    });
    assert_eq!(*container, expected);
    Ok(())
}

#[test]
fn the_service_and_the_deployment_select_the_same_pods() -> Result<()> {
    let rendered = chart::render(&["podLabels.team=agents", "nameOverride=gateway"])?;
    let deployment = &rendered.get("Deployment", "asyncmcp-gateway")?["spec"];
    let labels = &deployment["template"]["metadata"]["labels"];
    assert_eq!(labels["team"], "agents");
    let service = &rendered.get("Service", "asyncmcp-gateway-metrics")?["spec"]["selector"];
    assert_eq!(*service, deployment["selector"]["matchLabels"]);
    for (label, value) in service.as_object().context("no selector")? {
        assert_eq!(&labels[label], value);
    }
    Ok(())
}

#[test]
fn the_dashboards_are_in_a_config_map_that_grafana_finds() -> Result<()> {
    let rendered = chart::render(&["dashboards.namespace=grafana"])?;
    let config = rendered.get("ConfigMap", "asyncmcp-dashboards")?;
    assert_eq!(config["metadata"]["labels"]["grafana_dashboard"], "1");
    assert_eq!(config["metadata"]["namespace"], "grafana");
    let text = config["data"]["asyncmcp-delivery.json"]
        .as_str()
        .context("no dashboard")?;
    assert_eq!(
        text.trim_end(),
        chart::file("dashboards/delivery.json")?.trim_end()
    );
    assert!(
        chart::render(&["dashboards.enabled=false"])?
            .of_kind("ConfigMap")
            .is_empty()
    );
    Ok(())
}
