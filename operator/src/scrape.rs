//! The metrics that are computed at each scrape. Registered by `run`, served at `/metrics`.
//!
//! Invariant: conditions are read from the routes' cache, so a deleted route leaves no series; only the leader exports
//! them, so that a route is not exported twice.

use crate::caches::RouteObject;
use crate::leader::Leadership;
use crate::route::claim;
use crate::route::publish::conditions::TYPES;
use kube::runtime::reflector::Store;
use prometheus::core::{Collector, Desc};
use prometheus::proto::MetricFamily;
use prometheus::{IntGaugeVec, Opts};
use serde_json::Value;

/// What is computed at a scrape: whether this replica leads, and the routes' conditions.
pub(crate) struct Scrape {
    leadership: Leadership,
    routes: Vec<Store<RouteObject>>,
}

impl Scrape {
    /// A collector that reads these caches at each scrape.
    pub(crate) fn new(leadership: Leadership, routes: Vec<Store<RouteObject>>) -> Self {
        Self { leadership, routes }
    }
}

fn gauges() -> (IntGaugeVec, IntGaugeVec, IntGaugeVec) {
    let conditions = Opts::new(
        "asyncmcp_route_condition",
        "Whether a condition of a route is True (1) or not (0).",
    );
    let leader = Opts::new(
        "asyncmcp_operator_leader",
        "Whether this replica is the leader (1) or on standby (0).",
    );
    let store = Opts::new(
        "asyncmcp_route_store_at_risk",
        "1 for a route whose volume or keys are lost, are being deleted or cannot be used. The label reason is that of \
         its condition Ready.",
    );
    let gauge = |opts, labels: &[&str]| IntGaugeVec::new(opts, labels).expect("the name is valid");
    (
        gauge(conditions, &["namespace", "route", "type"]),
        gauge(store, &["namespace", "route", "reason"]),
        gauge(leader, &[]),
    )
}

impl Collector for Scrape {
    fn desc(&self) -> Vec<&Desc> {
        // Only used at registration, to find two collectors with one name; no other has these names.
        Vec::new()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let (conditions, store, leader) = gauges();
        let leads = self.leadership.holds();
        leader.with_label_values::<&str>(&[]).set(i64::from(leads));
        let routes = self.routes.iter().filter(|_| leads).flat_map(Store::state);
        for route in routes {
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
        [leader.collect(), conditions.collect(), store.collect()].concat()
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
        let scrape = Scrape::new(Leadership::always(), vec![writer.as_reader()]);
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
