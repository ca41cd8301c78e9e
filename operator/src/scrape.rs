//! The metrics that are computed at each scrape. Registered by `run`, served at `/metrics`.
//!
//! Invariant: conditions are read from the routes' cache, so a deleted route leaves no series; only the leader exports
//! them, so that a route is not exported twice.

use crate::caches::RouteObject;
use crate::leader::Leadership;
use crate::route;
use crate::route::claim;
use crate::route::publish::conditions::TYPES;
use crate::ruling::Shown;
use kube::runtime::reflector::Store;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts};
use serde_json::Value;
use std::sync::Arc;

/// What is computed at a scrape: whether this replica leads, and the routes' conditions.
pub(crate) struct Scrape {
    /// Of each scope, whether this replica acts, and its routes.
    pub(crate) scopes: Vec<(Leadership, Store<RouteObject>)>,
    /// The class whose routes are served.
    pub(crate) class: Option<String>,
    pub(crate) ruling: Shown,
}

impl Scrape {
    fn routes(&self) -> impl Iterator<Item = Arc<RouteObject>> {
        let acting = self.scopes.iter().filter(|(leadership, _)| leadership.holds());
        let routes = acting.flat_map(|(_, routes)| routes.state());
        routes.filter(|route| route::class(route) == self.class.as_deref())
    }
}

fn gauges() -> [IntGaugeVec; 4] {
    let conditions = Opts::new(
        "asyncmcp_route_condition",
        "Whether a condition of a route is True (1) or not (0).",
    );
    let leader = Opts::new(
        "asyncmcp_operator_leader",
        "Whether this replica is the leader (1) or on standby (0).",
    );
    let locked_out = Opts::new(
        "asyncmcp_operator_locked_out",
        "Whether this replica does nothing because another operator serves the routes of its class (1).",
    );
    let store = Opts::new(
        "asyncmcp_route_store_at_risk",
        "1 for a route whose volume or keys are lost, are being deleted or cannot be used. The label reason is that of \
         its condition Ready.",
    );
    let gauge = |opts, labels: &[&str]| IntGaugeVec::new(opts, labels).expect("the name is valid");
    [
        gauge(conditions, &["namespace", "route", "type"]),
        gauge(store, &["namespace", "route", "reason"]),
        gauge(leader, &[]),
        gauge(locked_out, &[]),
    ]
}

impl Collector for Scrape {
    fn desc(&self) -> Vec<&Desc> {
        // Only used at registration, to find two collectors with one name; no other has these names.
        Vec::new()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let gauges = gauges();
        let [conditions, store, leader, locked_out] = &gauges;
        let acts = self.scopes.iter().any(|(leadership, _)| leadership.holds());
        leader.with_label_values::<&str>(&[]).set(i64::from(acts));
        let is_locked_out = self.ruling.is_locked_out();
        locked_out
            .with_label_values::<&str>(&[])
            .set(i64::from(is_locked_out));
        for route in self.routes() {
            let meta = &route.metadata;
            let [namespace, name] =
                [&meta.namespace, &meta.name].map(|text| text.as_deref().unwrap_or_default());
            if let Some(reason) = store_at_risk(&route) {
                store.with_label_values(&[namespace, name, reason]).set(1);
            }
            for type_ in TYPES {
                conditions
                    .with_label_values(&[namespace, name, type_])
                    .set(holds(&route, type_));
            }
        }
        gauges.iter().flat_map(Collector::collect).collect()
    }
}

fn holds(route: &RouteObject, type_: &str) -> i64 {
    let is_true = |condition: &Value| condition["status"] == "True";
    i64::from(condition(route, type_).is_some_and(is_true))
}

fn store_at_risk(route: &RouteObject) -> Option<&'static str> {
    let reason = &condition(route, "Ready")?["reason"];
    claim::REASONS.into_iter().find(|risk| reason == risk)
}

fn condition<'a>(route: &'a RouteObject, type_: &str) -> Option<&'a Value> {
    let conditions = route.data["status"]["conditions"].as_array()?;
    conditions.iter().find(|condition| condition["type"] == type_)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kinds::route_resource;
    use kube::runtime::{reflector, watcher};
    use prometheus::Registry;
    use serde_json::json;

    fn text_of(registry: &Registry) -> String {
        prometheus::TextEncoder::new()
            .encode_to_string(&registry.gather())
            .unwrap()
    }

    #[test]
    fn a_deleted_route_leaves_no_series() {
        let mut writer = reflector::store::Writer::new(route_resource());
        let registry = Registry::new();
        let scrape = Scrape {
            scopes: vec![(Leadership::always(), writer.as_reader())],
            class: None,
            ruling: Shown::default(),
        };
        registry.register(Box::new(scrape)).unwrap();
        let mut object = crate::route::fixture::object(&crate::route::fixture::minimal());
        object["status"] = json!({"conditions": [{"type": "Ready", "status": "True"}]});
        let route: RouteObject = serde_json::from_value(object).unwrap();
        writer.apply_watcher_event(&watcher::Event::Apply(route.clone()));
        let text = text_of(&registry);
        assert!(
            text.contains(r#"asyncmcp_route_condition{namespace="tools",route="analytics",type="Ready"} 1"#),
            "{text}"
        );
        assert!(text.contains(r#"type="Accepted"} 0"#), "{text}");
        assert!(text.contains("asyncmcp_operator_leader 1"), "{text}");
        assert!(!text.contains("asyncmcp_route_store_at_risk"), "{text}");
        let mut of_another = route.clone();
        of_another.data["spec"]["operatorClass"] = json!("team-a");
        writer.apply_watcher_event(&watcher::Event::Apply(of_another));
        let text = text_of(&registry);
        assert!(!text.contains("asyncmcp_route_condition"), "{text}");
        assert!(text.contains("asyncmcp_operator_locked_out 0"), "{text}");
        let mut lost = route.clone();
        lost.data["status"]["conditions"][0] =
            json!({"type": "Ready", "status": "False", "reason": "StoreLost"});
        writer.apply_watcher_event(&watcher::Event::Apply(lost));
        let text = text_of(&registry);
        assert!(
            text.contains(r#"reason="StoreLost",route="analytics"} 1"#),
            "{text}"
        );
        writer.apply_watcher_event(&watcher::Event::Delete(route));
        assert!(!text_of(&registry).contains("asyncmcp_route_condition"));
    }
}
