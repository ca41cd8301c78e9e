//! The children of a route, object by object.

use super::*;
use crate::args::{Id, PodUser};
use crate::route::fixture;
use crate::settings::Settings;
use serde_json::json;

fn built(spec: &Value) -> Children {
    built_with(spec, &fixture::settings())
}

fn built_with(spec: &Value, settings: &Settings) -> Children {
    children(&Plan {
        valid: &fixture::valid(spec),
        last: None,
        settings,
    })
}

fn find(children: &Children, kind: Kind) -> Option<&Value> {
    children
        .objects
        .iter()
        .find(|child| child.key.kind == kind)
        .map(|child| &child.value)
}

fn pod(spec: &Value) -> Value {
    find(&built(spec), Kind::StatefulSet).unwrap()["spec"]["template"]["spec"].clone()
}

fn with(field: &str, value: Value) -> Value {
    let mut spec = fixture::minimal();
    spec[field] = value;
    spec
}

#[test]
fn a_pod_is_never_among_the_first_to_be_evicted_unless_the_route_says_so() {
    let resources = |spec: &Value| pod(spec)["containers"][0]["resources"].clone();
    let default = json!({"requests": {"cpu": "50m", "memory": "128Mi"}, "limits": {"memory": "1Gi"}});
    assert_eq!(resources(&fixture::minimal()), default);
    let none = with("dataPlane", json!({"resources": {}}));
    assert_eq!(resources(&none), Value::Null);
}

#[test]
fn a_route_that_waits_for_its_turn_keeps_its_pods_and_gets_all_else() {
    let mut children = built(&fixture::minimal());
    let all = children.objects.len();
    assert_eq!(children.due().count(), all);
    children.holds_pods = true;
    let due: Vec<Kind> = children.due().map(|child| child.key.kind).collect();
    assert!(
        due.len() == all - 1 && !due.contains(&Kind::StatefulSet),
        "{due:?}"
    );
    let names = fixture::valid(&fixture::minimal()).names;
    let wanted = children.keys(&names).any(|key| key.kind == Kind::StatefulSet);
    assert!(wanted, "it would be pruned");
}

#[test]
fn an_embedded_store_has_a_claim_and_a_stateful_set() {
    let children = built(&fixture::minimal());
    let kinds: Vec<Kind> = children.objects.iter().map(|child| child.key.kind).collect();
    let expect = [
        Kind::ServiceAccount,
        Kind::ConfigMap,
        Kind::Service,
        Kind::PersistentVolumeClaim,
        Kind::StatefulSet,
    ];
    assert_eq!(kinds, expect);
    let set = &find(&children, Kind::StatefulSet).unwrap()["spec"];
    assert_eq!(
        (&set["replicas"], &set["podManagementPolicy"]),
        (&json!(1), &json!("Parallel"))
    );
    assert!(set.get("volumeClaimTemplates").is_none());
    let claim = find(&children, Kind::PersistentVolumeClaim).unwrap();
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "8Gi");
    let mounted = &set["template"]["spec"]["volumes"][1]["persistentVolumeClaim"]["claimName"];
    assert_eq!(mounted, &claim["metadata"]["name"]);
}

#[test]
fn a_memory_store_has_a_deployment_and_nothing_to_keep() {
    let children = built(&with("store", json!({"memory": {}})));
    assert!(find(&children, Kind::StatefulSet).is_none());
    assert!(find(&children, Kind::PersistentVolumeClaim).is_none());
    let pod = &find(&children, Kind::Deployment).unwrap()["spec"]["template"]["spec"];
    assert_eq!(pod["volumes"].as_array().unwrap().len(), 1);
    assert!(!pod["containers"][0]["args"].to_string().contains("--state-dir"));
}

#[test]
fn an_existing_claim_is_mounted_and_not_created() {
    let children = built(&with("store", json!({"embedded": {"existingClaim": "old"}})));
    assert!(find(&children, Kind::PersistentVolumeClaim).is_none());
    let set = find(&children, Kind::StatefulSet).unwrap();
    assert_eq!(
        set["spec"]["template"]["spec"]["volumes"][1]["persistentVolumeClaim"]["claimName"],
        "old"
    );
}

#[test]
fn every_child_is_labelled_and_has_no_owner_that_a_collector_follows() {
    for child in built(&fixture::minimal()).objects {
        let meta = &child.value["metadata"];
        assert_eq!(meta["name"], child.key.name.as_str());
        assert_eq!(meta["labels"][labels::MANAGED_BY], labels::OPERATOR);
        assert_eq!(meta["labels"][labels::INSTANCE], "analytics");
        assert_eq!(meta["labels"][labels::ROUTE_UID], fixture::UID);
        assert!(meta.get("ownerReferences").is_none(), "{meta}");
        let of_argo = &meta["annotations"]["argocd.argoproj.io/sync-options"];
        assert_eq!(of_argo, "Prune=false,Delete=false");
        assert_eq!(child.value["kind"], child.key.kind.as_str());
    }
}

#[test]
fn the_pod_meets_the_restricted_profile() {
    let pod = pod(&fixture::minimal());
    let security = &pod["securityContext"];
    assert_eq!(security["runAsNonRoot"], true);
    assert_eq!(security["runAsUser"], 65532);
    assert_eq!(security["fsGroupChangePolicy"], "OnRootMismatch");
    assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault");
    let container = &pod["containers"][0]["securityContext"];
    assert_eq!(container["allowPrivilegeEscalation"], false);
    assert_eq!(container["readOnlyRootFilesystem"], true);
    assert_eq!(container["capabilities"]["drop"], json!(["ALL"]));
    assert_eq!(pod["automountServiceAccountToken"], false);
}

#[test]
fn a_pod_differs_from_those_of_an_earlier_route_with_its_name() {
    let children = built(&fixture::minimal());
    let template = &find(&children, Kind::StatefulSet).unwrap()["spec"]["template"]["metadata"]["labels"];
    let names = fixture::valid(&fixture::minimal()).names;
    assert!(
        labels::pods(&names)
            .iter()
            .all(|(key, value)| template[key] == value.as_str())
    );
    let again = crate::names::Names::new("tools", "analytics", "another");
    assert_ne!(labels::pods(&names), labels::pods(&again));
    assert_eq!(template[labels::TEMPLATE], children.template.as_str());
}

#[test]
fn ids_can_be_left_to_the_platform() {
    let none = Id(None);
    let user = PodUser {
        user: none,
        group: none,
        fs_group: none,
    };
    let children = built_with(
        &fixture::minimal(),
        &Settings {
            user,
            ..fixture::settings()
        },
    );
    let set = find(&children, Kind::StatefulSet).unwrap();
    let security = set["spec"]["template"]["spec"]["securityContext"]
        .as_object()
        .unwrap();
    let fields: Vec<&String> = security.keys().collect();
    assert_eq!(fields, ["runAsNonRoot", "seccompProfile"]);
}

#[test]
fn one_projected_volume_holds_everything_a_pod_reads() {
    let signing =
        json!({"signing": {"secretRefs": [{"name": "sign", "key": "a"}, {"name": "sign", "key": "b"}]}});
    let pod = pod(&with("webhook", signing));
    let sources = &pod["volumes"][0]["projected"]["sources"];
    assert_eq!(
        sources[0]["configMap"],
        json!({"name": "analytics-dataplane-config"})
    );
    let keys = |source: &Value| {
        let secret = &source["secret"];
        (secret["name"].clone(), secret["items"][0]["path"].clone())
    };
    assert_eq!(
        keys(&sources[1]),
        (json!("analytics-keys"), json!("keys/sessions.json"))
    );
    assert_eq!(sources[1]["secret"]["items"][1]["path"], "keys/adminToken");
    assert_eq!(
        keys(&sources[2]),
        (json!("analytics-keys"), json!("keys/viewToken"))
    );
    assert_eq!(
        sources[2]["secret"]["optional"], true,
        "a Secret of an older version lacks it, and its pod must start"
    );
    let claim = &pod["volumes"][1]["persistentVolumeClaim"]["claimName"];
    let of_volume = json!(format!("{}-keys", claim.as_str().unwrap()));
    assert_eq!(keys(&sources[3]), (of_volume, json!("keys/store.json")));
    assert_eq!(
        sources[4]["secret"],
        json!({"name": "sign", "optional": true, "items": [
            {"key": "a", "path": "secrets/sign/a"},
            {"key": "b", "path": "secrets/sign/b"},
        ]})
    );
}

#[test]
fn a_config_map_and_a_secret_of_one_name_are_mounted_apart() {
    let authority = |kind: &str| json!({"kind": kind, "name": "ca", "key": "ca.crt"});
    let server = json!([{
        "name": "a",
        "url": "https://a.example",
        "tls": {"caCertificateRefs": [authority("Secret"), authority("ConfigMap")], "clientCertificateRef": {"name": "me"}},
    }]);
    let pod = pod(&with("servers", server));
    let sources = &pod["volumes"][0]["projected"]["sources"];
    let file = |directory: &str| json!([{"key": "ca.crt", "path": format!("{directory}/ca/ca.crt")}]);
    assert_eq!(
        sources[4]["configMap"],
        json!({"name": "ca", "optional": true, "items": file("configmaps")})
    );
    assert_eq!(
        sources[5]["secret"],
        json!({"name": "ca", "optional": true, "items": file("secrets")})
    );
    assert_eq!(
        sources[6]["secret"],
        json!({"name": "me", "optional": true, "items": [
            {"key": "tls.crt", "path": "secrets/me/tls.crt"},
            {"key": "tls.key", "path": "secrets/me/tls.key"},
        ]})
    );
}

#[test]
fn the_last_served_document_stays_beside_the_new_one() {
    let last = Document {
        json: "{}".to_owned(),
        hash: "abc".to_owned(),
    };
    let valid = fixture::valid(&fixture::minimal());
    let plan = Plan {
        valid: &valid,
        last: Some(&last),
        settings: &fixture::settings(),
    };
    let data = find(&children(&plan), Kind::ConfigMap).unwrap()["data"].clone();
    assert_eq!(data["config-hash"], valid.document.hash.as_str());
    assert_eq!(
        (&data["last-route.json"], &data["last-config-hash"]),
        (&json!("{}"), &json!("abc"))
    );
}

#[test]
fn each_key_ring_holds_one_key() {
    let random = keys::RandomBytes {
        sessions: [1; 32],
        token: [3; 32],
        view: [4; 32],
    };
    let secret = keys::of_route(&fixture::valid(&fixture::minimal()).names, "sa-1", &random);
    let owners = secret.metadata.owner_references.unwrap();
    assert_eq!(
        (owners[0].kind.as_str(), owners[0].uid.as_str()),
        ("ServiceAccount", "sa-1")
    );
    let data = secret.data.unwrap();
    let key_ring: Value = serde_json::from_slice(&data[keys::SESSIONS].0).unwrap();
    assert_eq!(key_ring["sealWith"], "1");
    assert_eq!(
        key_ring["keys"]["1"],
        "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="
    );
    assert_eq!(data[keys::ADMIN_TOKEN].0.len(), 43);
    assert_eq!(data[keys::VIEW_TOKEN].0.len(), 43);
    assert_ne!(data[keys::VIEW_TOKEN], data[keys::ADMIN_TOKEN]);
}

#[test]
fn a_volumes_keys_are_owned_by_its_claim_and_cannot_vanish() {
    let names = fixture::valid(&fixture::minimal()).names;
    let claim = keys::Claim {
        name: "kept".to_owned(),
        uid: "u-1".to_owned(),
        held: true,
    };
    let secret = keys::of_claim(&names, &claim, 77.try_into().unwrap(), &[2; 32]);
    let owners = secret.metadata.owner_references.unwrap();
    assert_eq!((owners.len(), owners[0].uid.as_str()), (1, "u-1"));
    assert_eq!(secret.metadata.name.as_deref(), Some("kept-keys"));
    assert_eq!(secret.metadata.finalizers.unwrap(), ["asyncmcp.dev/store"]);
    let key_ring: Value = serde_json::from_slice(&secret.data.unwrap()[keys::STORE].0).unwrap();
    assert_eq!(key_ring["sealWith"], "77");
    assert_eq!(
        key_ring["keys"]["77"],
        "AgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgI="
    );
}
