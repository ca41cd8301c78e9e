//! The files that are made from the types: the CRD, its copy in the chart, and the reference page.
//!
//! Three callers, one function: the command `crdgen`, the test that fails when a file is stale, and releases.
//!
//! Invariant: the output depends on the types alone; the order of everything in it is fixed.

mod crd;
mod defaults;
mod reference;
mod tree;

pub use crd::crd;

use std::path::Path;

/// A generated file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GeneratedFile {
    /// Where it belongs, from the root of the repository.
    pub path: &'static str,
    /// What it holds.
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
    /// Whether the file on disk is the same.
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
