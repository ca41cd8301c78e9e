//! The files generated from the types: the CRD, its copy in the chart, and the reference page.
//!
//! `generate` has three callers: the command `crdgen`, the test that fails when a file is stale, and releases.
//!
//! Invariant: the output depends on the types alone, and its order is fixed.

mod crd;
mod defaults;
mod reference;
mod tree;

pub use crd::crd;

use std::path::Path;

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedFile {
    /// The path, relative to the root of the repository.
    pub path: &'static str,
    /// The complete text.
    pub content: String,
}

const YAML_HEADER: &str =
    "# Generated from crds/src by `cargo run -p asyncmcp-crds --bin crdgen`. Do not edit.\n";

/// Every generated file.
pub fn generate() -> Vec<GeneratedFile> {
    let crd = crd();
    let yaml = serde_yaml::to_string(&crd).expect("a CRD is made of plain values");
    let yaml = format!("{YAML_HEADER}{yaml}");
    vec![
        GeneratedFile {
            path: "crds/asyncmcp.dev_mcpwebhookroutes.yaml",
            content: yaml.clone(),
        },
        GeneratedFile {
            path: "charts/asyncmcp/files/crds/asyncmcp.dev_mcpwebhookroutes.yaml",
            content: yaml,
        },
        GeneratedFile {
            path: "crds/REFERENCE.md",
            content: reference::page(&crd),
        },
    ]
}

impl GeneratedFile {
    /// Whether the file on disk has the same content.
    pub fn matches_disk(&self, root: &Path) -> bool {
        std::fs::read_to_string(root.join(self.path)).is_ok_and(|content| content == self.content)
    }

    /// Writes the file.
    pub fn write(&self, root: &Path) -> std::io::Result<()> {
        let path = root.join(self.path);
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(path, &self.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// The descriptions of all fields by path.
    fn descriptions() -> std::collections::BTreeMap<String, String> {
        let mut found = std::collections::BTreeMap::new();
        let mut schema = crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"].clone();
        tree::visit_mut(&mut schema, "", &mut |path, node| {
            let text = node
                .get("description")
                .and_then(Value::as_str)
                .unwrap_or_default();
            found.insert(path.to_owned(), text.to_owned());
        });
        found
    }

    #[test]
    fn every_default_appears_once_in_its_fields_description() {
        let (descriptions, defaults) = (descriptions(), defaults::Defaults::collect());
        for path in defaults.paths() {
            let text = &descriptions[path];
            assert!(
                text.ends_with(&format!("Default: `{}`.", defaults.of(path).unwrap())),
                "{path}: {text}"
            );
            assert_eq!(text.matches("Default: ").count(), 1, "{path}");
        }
        assert_eq!(
            defaults.of("spec.webhook.receivers.fromClients.schemes"),
            Some("[https]")
        );
        assert!(descriptions["spec.store"].ends_with("Default: `embedded`."));
    }

    #[test]
    fn no_description_claims_a_default_that_does_not_exist() {
        let defaults = defaults::Defaults::collect();
        let claimed = descriptions()
            .into_iter()
            .filter(|(_, text)| text.contains("Default: "))
            .map(|(path, _)| path);
        let unknown: Vec<_> = claimed
            .filter(|path| defaults.of(path).is_none() && path != "spec.store")
            .collect();
        assert_eq!(unknown, Vec::<String>::new());
    }

    #[test]
    fn the_same_path_means_different_defaults_in_different_places() {
        let descriptions = descriptions();
        assert!(descriptions["spec.servers[].service.path"].ends_with("`/mcp`."));
        assert!(descriptions["spec.webhook.receivers.default.service.path"].ends_with("`/`."));
    }
}
