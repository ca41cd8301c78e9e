//! The routes under `examples/` are valid and configure signing.

use std::path::{Path, PathBuf};

use asyncmcp_crds::{Unknown, effective, load, validate};

/// Every YAML file in a folder and its subfolders.
fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("the folder is there");
    let entries = entries.map(|entry| entry.expect("the folder can be read").path());
    let (folders, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let below = folders.iter().flat_map(|folder| yaml_files(folder));
    let is_yaml = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "yaml");
    files.into_iter().chain(below).filter(is_yaml).collect()
}

#[test]
fn every_example_route_is_valid() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut routes = 0;
    for path in yaml_files(&examples) {
        let text = std::fs::read_to_string(&path).unwrap();
        match load(&text, Unknown::Refuse) {
            Ok(loaded) => {
                routes += 1;
                assert_eq!(validate(&loaded.route), Ok(()), "{}", path.display());
                assert!(
                    !effective(&loaded.route).webhook.signing.is_empty(),
                    "{}: configures no signing key",
                    path.display()
                );
            }
            Err(load::Error::NoRoute(_)) => {}
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
    assert!(routes >= 2, "found {routes} routes");
}
